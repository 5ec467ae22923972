//! What may become of a published table, and the sentence for what may not.

use std::collections::BTreeMap;

use crate::snapshot::{Function, Snapshot, diff};

/// What became of a table since its snapshot was committed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Same,
    /// Functions were appended, which is allowed: their names.
    Appended(Vec<String>),
    /// Rules were broken: a sentence each, with the lines that differ where they help.
    Broken(Vec<String>),
}

/// Compares the snapshot in the repository with the table as it is compiled `now`.
pub(crate) fn compare(committed: &Snapshot, now: &Snapshot) -> Verdict {
    let table = Comparison { committed, now };
    let mut broken = table.heading();
    broken.extend(table.functions_that_moved());
    if broken.is_empty() {
        // Where functions moved, so does the marker.
        broken.extend(table.marker());
    }
    broken.extend(table.signatures());
    broken.extend(table.types());
    let published = committed.functions.len();
    let since = committed.since.clone();
    if !broken.is_empty() {
        Verdict::Broken(broken)
    } else if (Snapshot { since, ..now.first(published) }) != *committed {
        Verdict::Broken(vec![table.sentence(
            "the snapshot does not agree with itself",
            "It is written by the test only: restore it from the repository.",
        )])
    } else if now.functions.len() > published {
        Verdict::Appended(now.functions[published..].iter().map(|function| function.name.clone()).collect())
    } else {
        Verdict::Same
    }
}

struct Comparison<'a> {
    committed: &'a Snapshot,
    now: &'a Snapshot,
}

impl<'a> Comparison<'a> {
    fn sentence(&self, what: &str, instead: &str) -> String {
        let Snapshot { id, side, .. } = self.committed;
        format!("`{id}` of the {}: {what}. {instead}", side.name())
    }

    /// The other way out, whatever is to be changed.
    fn or_revision(&self) -> String {
        format!("add the revision `{}` beside this one (docs/abi.md).", next_revision(&self.committed.id))
    }

    fn heading(&self) -> Vec<String> {
        let (committed, now) = (self.committed, self.now);
        if (&committed.id, committed.side) != (&now.id, now.side) {
            return vec![format!(
                "The snapshot of `{}` of the {} is that of `{}` of the {}. Restore it from the repository.",
                now.id,
                now.side.name(),
                committed.id,
                committed.side.name()
            )];
        }
        if committed.table() == now.table() {
            return Vec::new();
        }
        let lines =
            |snapshot: &Snapshot| snapshot.table().map_or_else(String::new, |(_, line)| line.to_owned());
        let mut text = self.sentence(
            "the table's type changed",
            &format!(
                "Its name, alignment and representation are checked when it is bound: restore them, or {}",
                self.or_revision()
            ),
        );
        text.push('\n');
        text.push_str(&diff(&lines(committed), &lines(now)));
        vec![text]
    }

    /// Functions that are not where they were: removed, renamed, inserted, reordered.
    fn functions_that_moved(&self) -> Vec<String> {
        let (old, new) = (&self.committed.functions, &self.now.functions);
        let mut broken = Vec::new();
        // What is now under the name that each function had.
        let mut kept = Vec::new();
        for (index, function) in old.iter().enumerate() {
            let name = &function.name;
            if let Some(found) = new.iter().find(|one| one.name == *name) {
                kept.push(found.name.as_str());
            } else if let Some(renamed) = new.get(index).filter(|one| self.is_new_name_of(one, function)) {
                kept.push(renamed.name.as_str());
                broken.push(self.sentence(
                    &format!("the function `{name}` is called `{}` now", renamed.name),
                    &format!(
                        "The name of a published function is part of its layout: keep it, or {}",
                        self.or_revision()
                    ),
                ));
            } else {
                broken.push(self.sentence(
                    &format!("the function `{name}` was removed"),
                    &format!(
                        "A published function stays: put it back where it was, or {}",
                        self.or_revision()
                    ),
                ));
            }
        }
        let last_kept = new.iter().rposition(|one| kept.contains(&one.name.as_str()));
        for (function, after) in new.iter().zip(new.iter().skip(1)).take(last_kept.unwrap_or(0)) {
            if !kept.contains(&function.name.as_str()) {
                broken.push(self.sentence(
                    &format!("the function `{}` was put before `{}`", function.name, after.name),
                    &format!("A table grows at its end only: move it there, or {}", self.or_revision()),
                ));
            }
        }
        let order: Vec<&str> =
            new.iter().map(|one| one.name.as_str()).filter(|name| kept.contains(name)).collect();
        if order != kept {
            broken.push(self.sentence(
                &format!("the functions changed their order from {} to {}", list(&kept), list(&order)),
                &format!(
                    "A published function keeps its place: restore the order, or {}",
                    self.or_revision()
                ),
            ));
        }
        broken
    }

    fn is_new_name_of(&self, renamed: &Function, function: &Function) -> bool {
        renamed.signature == function.signature
            && self.committed.functions.iter().all(|one| one.name != renamed.name)
    }

    fn marker(&self) -> Option<String> {
        let [old, new] = [self.committed, self.now].map(Snapshot::last_of_first_version);
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        (old != new).then(|| {
            self.sentence(
                &format!("`last_prefix_field` moved from `{old}` to `{new}`"),
                &format!(
                    "It stays on the last function of the first version, and what follows reads as an `Option`: \
                     put it back on `{old}`, or {}",
                    self.or_revision()
                ),
            )
        })
    }

    fn signatures(&self) -> Vec<String> {
        let changed = self.published().filter(|(old, new)| old.signature != new.signature);
        let changed = changed.map(|(old, new)| {
            let sentence = self.sentence(
                &format!("the function `{}` changed", old.name),
                &format!("A published function never changes: append a new one, or {}", self.or_revision()),
            );
            format!("{sentence}\n{}", diff(&format!("  {old}"), &format!("  {new}")))
        });
        changed.collect()
    }

    /// Types that changed below functions that look as they did.
    fn types(&self) -> Vec<String> {
        let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (_, function) in self.published().filter(|(old, new)| old.digest != new.digest) {
            for name in &function.reaches {
                users.entry(name).or_default().push(&function.name);
            }
        }
        let changed = users.into_iter().filter_map(|(name, functions)| {
            // A type that is new here is named by the change of another.
            let (old, new) = (self.committed.types.get(name)?, self.now.types.get(name)?);
            (old != new).then(|| {
                let sentence = self.sentence(
                    &format!("the type `{name}`, which is used by {}, changed", list(&functions)),
                    &format!(
                        "What a published function takes and answers with never changes: append a function \
                         with a new type, or {}",
                        self.or_revision()
                    ),
                );
                format!("{sentence}\n{}", diff(old, new))
            })
        });
        changed.collect()
    }

    /// The functions of the snapshot that are still there under their names, as they were and as they are.
    fn published(&self) -> impl Iterator<Item = (&'a Function, &'a Function)> {
        let new = &self.now.functions;
        let find = move |old: &Function| new.iter().find(|one| one.name == old.name);
        self.committed.functions.iter().filter_map(move |old| Some((old, find(old)?)))
    }
}

/// Compares the text of what is frozen: nothing of it may change.
pub(crate) fn compare_root(committed: &str, now: &str) -> Result<(), String> {
    if committed == now {
        return Ok(());
    }
    Err(format!(
        "The root is frozen for ever, and it changed. Take the change back: what is new goes into a capability \
         (docs/abi.md).\n{}",
        diff(committed, now)
    ))
}

fn next_revision(id: &str) -> String {
    let (name, revision) = id.split_once('/').unwrap_or((id, "1"));
    format!("{name}/{}", revision.parse::<u32>().unwrap_or(1) + 1)
}

fn list(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
