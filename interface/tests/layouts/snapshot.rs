//! A capability's snapshot: what is compared, and its text.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

/// Stands behind the last function of the first version.
const MARKER: &str = "  -------- what follows reads as an Option";

/// A table of functions with every type that they reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The capability's id, e.g. `events/1`.
    pub(crate) id: String,
    pub(crate) side: Side,
    /// The first version of host and SDK that had the capability.
    pub(crate) since: String,
    pub(crate) functions: Vec<Function>,
    /// How many functions stand before the marker.
    pub(crate) first_version: usize,
    /// The definition of each type by its name, the table's own line among them.
    pub(crate) types: BTreeMap<String, String>,
}

/// Who offers a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Host,
    Plugin,
}

impl Side {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Plugin => "plugin",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Function {
    /// Changes exactly when the function or a type that it reaches does.
    pub(crate) digest: String,
    pub(crate) name: String,
    pub(crate) signature: String,
    /// The names of the types that it reaches. Empty if read from a text, which does not say it.
    pub(crate) reaches: BTreeSet<String>,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        (&self.digest, &self.name, &self.signature) == (&other.digest, &other.name, &other.signature)
    }
}

impl Eq for Function {}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.signature)
    }
}

impl Snapshot {
    /// The table's own line among the types: it is the one that no function reaches.
    pub(crate) fn table(&self) -> Option<(&str, &str)> {
        let mut lines = self.types.iter().map(|(name, line)| (name.as_str(), line.as_str()));
        lines.find(|(name, line)| line.starts_with(&format!("  {name}: the table, ")))
    }

    /// The name of the function that the marker stands behind.
    pub(crate) fn last_of_first_version(&self) -> Option<&str> {
        let index = self.first_version.checked_sub(1)?;
        self.functions.get(index).map(|function| function.name.as_str())
    }

    /// This snapshot as it was when it had only its first `count` functions.
    ///
    /// Needs to know what functions reach.
    pub(crate) fn first(&self, count: usize) -> Self {
        let functions: Vec<Function> = self.functions.iter().take(count).cloned().collect();
        let table = self.table().map(|(name, _)| name);
        let is_reached = |name: &str| functions.iter().any(|function| function.reaches.contains(name));
        let types = self.types.iter().filter(|(name, _)| table == Some(name) || is_reached(name));
        let types = types.map(|(name, definition)| (name.clone(), definition.clone())).collect();
        Self { functions, types, ..self.clone() }
    }

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let snapshot = Self::read(text).ok_or("it does not have the form of a snapshot")?;
        let canonical = snapshot.to_string();
        if canonical == text { Ok(snapshot) } else { Err(diff(text, &canonical)) }
    }

    fn read(text: &str) -> Option<Self> {
        let (head, types) = text.split_once("\n\ntypes\n")?;
        let (head, functions) = head.split_once("\n\nfunctions\n")?;
        let (heading, since) = head.split_once("\nsince ")?;
        let (id, side) = heading.split_once(", offered by the ")?;
        let side = [Side::Host, Side::Plugin].into_iter().find(|one| one.name() == side)?;
        let (first, later) = functions.split_once(MARKER)?;
        let first_version = first.lines().count();
        let functions = first.lines().chain(later.lines().filter(|line| !line.is_empty()));
        Some(Self {
            id: id.to_owned(),
            side,
            since: since.to_owned(),
            functions: functions.map(read_function).collect::<Option<_>>()?,
            first_version,
            types: read_types(types)?,
        })
    }
}

fn read_function(line: &str) -> Option<Function> {
    let (digest, function) = line.strip_prefix("  ")?.split_once(' ')?;
    let (name, signature) = function.split_once(": ")?;
    Some(Function {
        digest: digest.to_owned(),
        name: name.to_owned(),
        signature: signature.to_owned(),
        reaches: BTreeSet::new(),
    })
}

fn read_types(text: &str) -> Option<BTreeMap<String, String>> {
    let mut types = BTreeMap::new();
    let mut name = None;
    for line in text.lines() {
        if !line.starts_with("    ") {
            let (found, _) = line.strip_prefix("  ")?.split_once(": ")?;
            name = Some(found.to_owned());
        }
        let definition: &mut String = types.entry(name.clone()?).or_default();
        if !definition.is_empty() {
            definition.push('\n');
        }
        definition.push_str(line);
    }
    Some(types)
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, offered by the {}", self.id, self.side.name())?;
        writeln!(f, "since {}", self.since)?;
        f.write_str("\nfunctions\n")?;
        for (index, function) in self.functions.iter().enumerate() {
            writeln!(f, "  {} {function}", function.digest)?;
            if index + 1 == self.first_version {
                writeln!(f, "{MARKER}")?;
            }
        }
        f.write_str("\ntypes\n")?;
        self.types.values().try_for_each(|definition| writeln!(f, "{definition}"))
    }
}

/// The lines that differ, `-` for those of `old` and `+` for those of `new`, with the heads of what they are in.
pub(crate) fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // The length of the longest common subsequence of what is left of both.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (i, left) in old.iter().enumerate().rev() {
        for (j, right) in new.iter().enumerate().rev() {
            common[i][j] =
                if left == right { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut out, mut head) = (0, 0, String::new(), None);
    while i < old.len() || j < new.len() {
        let (sign, line) = if i < old.len() && j < new.len() && old[i] == new[j] {
            (' ', old[i])
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            ('-', old[i])
        } else {
            ('+', new[j])
        };
        i += usize::from(sign != '+');
        j += usize::from(sign != '-');
        let is_head = line.len() - line.trim_start().len() < 4;
        if sign == ' ' {
            if is_head {
                head = Some(line);
            }
            continue;
        }
        if let Some(head) = head.take()
            && !is_head
        {
            let _ = writeln!(out, " {head}");
        }
        let _ = writeln!(out, "{sign}{line}");
    }
    out
}
