//! What an upgrade would bring: two packages beside each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use serde::Serialize;

use super::Summary;

/// What came, what went, and what is another now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// What is only in the new one.
    pub added: Vec<String>,
    /// What is only in the old one.
    pub removed: Vec<String>,
    /// What is in both and not the same, each with what it was and is.
    pub changed: Vec<String>,
}

/// All changes from one package to another.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// The old plugin and version.
    pub from: String,
    /// The new ones.
    pub to: String,
    /// What it asks to be allowed.
    pub permissions: Changes,
    /// Plugins that it needs.
    pub dependencies: Changes,
    /// Plugins that it cannot be beside.
    pub conflicts: Changes,
    /// The keys that it says it is and will be signed with, and those that have signed it.
    pub keys: Changes,
    /// Its migrations. One that is changed or removed is refused by hosts that have applied it.
    pub migrations: Changes,
    /// The keys of its configuration.
    pub config: Changes,
    /// What it has libraries for, and what they need.
    pub targets: Changes,
    /// Crates in the libraries.
    pub crates: Changes,
    /// Other files.
    pub files: Changes,
    /// Who made it, its licence, and what else people read.
    pub identity: Changes,
    /// How many bytes the old package has.
    pub size_from: u64,
    /// How many bytes the new one has.
    pub size_to: u64,
}

impl Changes {
    /// Compares two maps by their keys. `shown` says what is told of a value.
    fn between<V: PartialEq>(
        old: &BTreeMap<String, V>,
        new: &BTreeMap<String, V>,
        shown: impl Fn(&str, &V) -> String,
        changed: impl Fn(&str, &V, &V) -> String,
    ) -> Self {
        let only = |of: &BTreeMap<String, V>, other: &BTreeMap<String, V>| {
            let only = of.iter().filter(|(key, _)| !other.contains_key(*key));
            only.map(|(key, value)| shown(key, value)).collect()
        };
        let both = old.iter().filter_map(|(key, was)| Some((key, was, new.get(key)?)));
        Self {
            added: only(new, old),
            removed: only(old, new),
            changed: both
                .filter(|(_, was, is)| was != is)
                .map(|(key, was, is)| changed(key, was, is))
                .collect(),
        }
    }

    fn of_names(old: impl IntoIterator<Item = String>, new: impl IntoIterator<Item = String>) -> Self {
        let map = |names: &mut dyn Iterator<Item = String>| {
            names.map(|name| (name, ())).collect::<BTreeMap<_, _>>()
        };
        let (old, new) = (map(&mut old.into_iter()), map(&mut new.into_iter()));
        Self::between(&old, &new, |name, ()| name.to_owned(), |_, (), ()| String::new())
    }

    fn of_texts<V: PartialEq + Display>(old: &BTreeMap<String, V>, new: &BTreeMap<String, V>) -> Self {
        Self::between(
            old,
            new,
            |key, value| format!("{key} {value}"),
            |key, was, is| format!("{key} {was} → {is}"),
        )
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Diff {
    /// Compares two packages.
    #[must_use]
    pub fn between(old: &Summary, new: &Summary) -> Self {
        let plugin = |of: &Summary| format!("{} {}", of.name, of.version);
        let files = |of: &Summary, is_migration: bool| -> BTreeMap<String, (u64, String)> {
            let wanted = of.files.iter().filter(|file| file.path.starts_with("migrations/") == is_migration);
            wanted.map(|file| (file.path.clone(), (file.size, file.sha256.clone()))).collect()
        };
        let of_files = |is_migration| {
            Changes::between(
                &files(old, is_migration),
                &files(new, is_migration),
                |path, (size, _)| format!("{path}, {size} bytes"),
                |path, (was, _), (is, _)| match was == is {
                    true => format!("{path}, another content"),
                    false => format!("{path}, {was} → {is} bytes"),
                },
            )
        };
        Self {
            from: plugin(old),
            to: plugin(new),
            permissions: Changes::of_names(old.permissions.clone(), new.permissions.clone()),
            dependencies: Changes::of_texts(&old.dependencies, &new.dependencies),
            conflicts: Changes::of_texts(&old.conflicts, &new.conflicts),
            keys: keys(old, new),
            migrations: of_files(true),
            config: config(old, new),
            targets: targets(old, new),
            crates: crates(old, new),
            files: of_files(false),
            identity: Changes::of_texts(&identity(old), &identity(new)),
            size_from: old.size,
            size_to: new.size,
        }
    }

    /// The changes with what they are changes of, those that operators decide about first.
    #[must_use]
    pub fn sections(&self) -> [(&'static str, &Changes); 10] {
        [
            ("permissions", &self.permissions),
            ("dependencies", &self.dependencies),
            ("conflicts", &self.conflicts),
            ("keys", &self.keys),
            ("migrations", &self.migrations),
            ("configuration", &self.config),
            ("targets", &self.targets),
            ("crates", &self.crates),
            ("files", &self.files),
            ("identity", &self.identity),
        ]
    }
}

fn keys(old: &Summary, new: &Summary) -> Changes {
    let map = |of: &Summary| {
        let mut keys = BTreeMap::new();
        keys.extend(of.signing_key_id.clone().map(|key| ("signed with".to_owned(), key)));
        keys.extend(of.next_key_id.clone().map(|key| ("later with".to_owned(), key)));
        let mut signed: Vec<_> = of.signatures.iter().map(|signature| signature.key_id.as_str()).collect();
        signed.sort_unstable();
        if !signed.is_empty() {
            keys.insert("signatures by".to_owned(), signed.join(", "));
        }
        keys
    };
    Changes::of_texts(&map(old), &map(new))
}

fn config(old: &Summary, new: &Summary) -> Changes {
    let must = |required: bool| if required { ", required" } else { "" };
    Changes::between(
        &old.config,
        &new.config,
        |path, key| format!("{path} {}{}", key.kind, must(key.required)).trim_end().to_owned(),
        |path, was, is| {
            let mut parts = Vec::new();
            if was.kind != is.kind {
                parts.push(format!("{} → {}", was.kind, is.kind));
            }
            match (was.required, is.required) {
                (false, true) => parts.push("is required now".to_owned()),
                (true, false) => parts.push("is no longer required".to_owned()),
                _ if parts.is_empty() => parts.push("has other rules or another default".to_owned()),
                _ => {}
            }
            format!("{path} {}", parts.join(", "))
        },
    )
}

fn targets(old: &Summary, new: &Summary) -> Changes {
    let map = |of: &Summary| -> BTreeMap<String, (u64, String)> {
        let named = of.targets.iter().map(|target| {
            let name = match &target.cpu {
                Some(cpu) => format!("{} {cpu}", target.triple),
                None => target.triple.clone(),
            };
            let glibc = target.glibc_min.as_ref().map(|glibc| format!("glibc {glibc}, "));
            let needs = format!(
                "{}interface {}, needs {}, SDK {}, {}",
                glibc.unwrap_or_default(),
                target.abi,
                target.needs.join(" "),
                target.sdk,
                target.rustc
            );
            (name, (target.library.size, needs))
        });
        named.collect()
    };
    Changes::between(
        &map(old),
        &map(new),
        |name, (size, needs)| format!("{name}, {size} bytes: {needs}"),
        |name, (size_was, was), (size_is, is)| match was == is {
            true => format!("{name}, {size_was} → {size_is} bytes"),
            false => format!("{name}, {size_was} → {size_is} bytes: {was} → {is}"),
        },
    )
}

fn crates(old: &Summary, new: &Summary) -> Changes {
    // Several versions of one crate may be in a library.
    let map = |of: &Summary| {
        let mut crates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let listed = of.targets.iter().filter_map(|target| target.crates.as_ref()).flatten();
        for one in listed.filter(|one| !one.build_only && !one.root) {
            crates.entry(one.name.clone()).or_default().insert(one.version.clone());
        }
        crates
            .into_iter()
            .map(|(name, versions)| (name, versions.into_iter().collect::<Vec<_>>().join(" and ")))
            .collect::<BTreeMap<_, _>>()
    };
    Changes::of_texts(&map(old), &map(new))
}

fn identity(of: &Summary) -> BTreeMap<String, String> {
    let optional = [
        ("description", &of.description),
        ("author", &of.author),
        ("license", &of.license),
        ("homepage", &of.homepage),
        ("host", &of.host),
    ];
    let optional = optional.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?)));
    let always = [("name", &of.name), ("display name", &of.display_name)];
    always.into_iter().chain(optional).map(|(key, text)| (key.to_owned(), format!("{text:?}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packaging::{ConfigKey, Dependency, FileSummary, SignatureSummary, TargetSummary};

    fn file(path: &str, size: u64, sha256: &str) -> FileSummary {
        FileSummary { path: path.to_owned(), size, compressed_size: size, sha256: sha256.to_owned() }
    }

    fn summary() -> Summary {
        Summary {
            name: "a-plugin".to_owned(),
            version: "1.0.0".to_owned(),
            display_name: "A".to_owned(),
            description: None,
            author: Some("Ada".to_owned()),
            license: None,
            homepage: None,
            host: None,
            hash: String::new(),
            size: 100,
            permissions: vec!["database".to_owned(), "events".to_owned()],
            dependencies: [("b-plugin".to_owned(), "^1.0".to_owned())].into(),
            conflicts: BTreeMap::new(),
            config: [(
                "url".to_owned(),
                ConfigKey { kind: "string".to_owned(), required: false, rules: "a".to_owned() },
            )]
            .into(),
            targets: vec![TargetSummary {
                triple: "x86_64-unknown-linux-gnu".to_owned(),
                cpu: Some("x86-64-v1".to_owned()),
                cpu_features: Vec::new(),
                glibc_min: Some("2.31".to_owned()),
                rustc: "rustc 1.95.0".to_owned(),
                sdk: "0.1.0".to_owned(),
                abi: 1,
                needs: vec!["log/1".to_owned()],
                library: file("liba_plugin.so", 10, "1"),
                crates: Some(vec![Dependency {
                    name: "serde".to_owned(),
                    version: "1.0.0".to_owned(),
                    source: "crates.io".to_owned(),
                    build_only: false,
                    root: false,
                    needs: Vec::new(),
                }]),
            }],
            files: vec![file("README.md", 5, "2"), file("migrations/sqlite/1_a/up.sql", 5, "3")],
            sbom: None,
            signing_key_id: Some("AAAA".to_owned()),
            next_key_id: None,
            signatures: vec![SignatureSummary { key_id: "AAAA".to_owned(), comment: String::new() }],
        }
    }

    #[test]
    fn what_is_the_same_has_no_changes() {
        let diff = Diff::between(&summary(), &summary());
        assert!(diff.sections().iter().all(|(_, changes)| changes.is_empty()), "{diff:?}");
    }

    #[test]
    fn every_kind_of_change_is_in_its_section() {
        let mut new = summary();
        new.permissions = vec!["events".to_owned(), "network:example.com".to_owned()];
        new.dependencies = [("b-plugin".to_owned(), "^2.0".to_owned())].into();
        new.conflicts = [("c-plugin".to_owned(), "*".to_owned())].into();
        new.signing_key_id = Some("BBBB".to_owned());
        new.files[1].sha256 = "4".to_owned();
        new.files.remove(0);
        new.targets[0].glibc_min = Some("2.34".to_owned());
        new.author = Some("Eve".to_owned());
        if let Some(key) = new.config.get_mut("url") {
            key.required = true;
        }
        if let Some(crates) = &mut new.targets[0].crates {
            crates[0].version = "1.0.1".to_owned();
        }
        let diff = Diff::between(&summary(), &new);
        let changes = |added: &[&str], removed: &[&str], changed: &[&str]| {
            let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
            Changes { added: owned(added), removed: owned(removed), changed: owned(changed) }
        };
        assert_eq!(diff.permissions, changes(&["network:example.com"], &["database"], &[]));
        assert_eq!(diff.dependencies, changes(&[], &[], &["b-plugin ^1.0 → ^2.0"]));
        assert_eq!(diff.conflicts, changes(&["c-plugin *"], &[], &[]));
        assert_eq!(diff.keys, changes(&[], &[], &["signed with AAAA → BBBB"]));
        assert_eq!(diff.migrations, changes(&[], &[], &["migrations/sqlite/1_a/up.sql, another content"]));
        assert_eq!(diff.config, changes(&[], &[], &["url is required now"]));
        assert_eq!(diff.crates, changes(&[], &[], &["serde 1.0.0 → 1.0.1"]));
        assert_eq!(diff.files, changes(&[], &["README.md, 5 bytes"], &[]));
        assert_eq!(diff.identity, changes(&[], &[], &["author \"Ada\" → \"Eve\""]));
        assert!(
            diff.targets.changed[0].contains("glibc 2.31") && diff.targets.changed[0].contains("glibc 2.34")
        );
    }
}
