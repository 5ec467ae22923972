//! What installing a package would change, shown before anything is; and the consent to it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{InstallError, package::Opened};
use crate::{
    config,
    hex::hex,
    store::{Generation, Installed, TrustLevel},
};

/// What would be changed, and by whom it comes. A listing of everything that needs consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Plan {
    /// What consent is given to: the SHA-256 of everything here, and of what is installed.
    pub digest: String,
    /// Whether the plugin is there already.
    pub kind: PlanKind,
    /// The plugin.
    pub plugin: String,
    /// Its name for people.
    pub display_name: String,
    /// The version that is installed.
    pub from: Option<String>,
    /// The version in the package.
    pub to: String,
    /// Why the package is taken.
    pub trust: TrustLevel,
    /// The name of the trusted key that signed it.
    pub signer: Option<String>,
    /// The id of that key.
    pub key: Option<String>,
    /// The name and the id of the key that announced it, if it is to be trusted from now on because the installed version,
    /// which that one answers for, says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_by: Option<String>,
    /// The SHA-256 of its `package.json`.
    pub package: String,
    /// Which of its libraries is taken.
    pub target: String,
    /// What its files take, in bytes.
    pub bytes: u64,
    /// What the installed version's files take, in bytes.
    pub bytes_before: Option<u64>,
    /// What is new and what goes, each named as `packages.preapproved` names it.
    pub changes: Vec<PlanChange>,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PlanKind {
    /// A plugin that is not there yet.
    Install,
    /// Another version in the place of one.
    Upgrade,
}

/// Something that is new, or goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanChange {
    /// What: `permission:database`.
    pub item: String,
    /// Whether it comes or goes. Only what comes needs consent.
    pub new: bool,
}

/// An operator's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// To the plan with this digest.
    To(String),
    /// To whatever the configuration approves.
    Preapproved,
}

/// What stands for consent to what is approved beforehand.
pub const PREAPPROVED: &str = "preapproved";

impl Consent {
    /// What a caller gives: the digest of a plan, or [`PREAPPROVED`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text == PREAPPROVED { Self::Preapproved } else { Self::To(text.to_owned()) }
    }

    /// Sees that it is consent to this plan.
    pub(super) fn check(&self, plan: &Plan, settings: &config::Packages) -> Result<(), InstallError> {
        match self {
            Self::To(digest) if *digest == plan.digest => Ok(()),
            Self::To(digest) => Err(InstallError::NotConsented {
                plugin: plan.plugin.clone(),
                version: plan.to.clone(),
                expected: plan.digest.clone(),
                found: digest.chars().take(80).collect(),
            }),
            Self::Preapproved => {
                let items: Vec<String> = plan
                    .changes
                    .iter()
                    .filter(|change| change.new && !settings.approves(&change.item))
                    .map(|change| change.item.clone())
                    .collect();
                if items.is_empty() {
                    return Ok(());
                }
                let (plugin, version) = (plan.plugin.clone(), plan.to.clone());
                Err(InstallError::NotPreapproved { plugin, version, items })
            }
        }
    }
}

impl Plan {
    pub(super) fn of(opened: &Opened, before: Option<(&Installed, &Generation)>, bytes_before: u64) -> Self {
        let document = opened.package.document();
        let provenance = &opened.provenance;
        let wanted = items(opened);
        let there = before.map(|(plugin, generation)| items_before(plugin, generation)).unwrap_or_default();
        let mut changes: Vec<PlanChange> = wanted
            .difference(&there)
            .map(|item| PlanChange { item: item.clone(), new: true })
            .chain(there.difference(&wanted).map(|item| PlanChange { item: item.clone(), new: false }))
            .collect();
        if let Some((plugin, generation)) = before {
            // Whoever trusted the key before a first installation said so; a change of it is said here.
            if generation.provenance.key != provenance.key {
                let known = |key: &Option<String>, new| {
                    key.clone().map(|key| PlanChange { item: format!("key:{key}"), new })
                };
                changes.extend(known(&provenance.key, true));
                changes.extend(known(&generation.provenance.key, false));
            }
            if plugin.record.version == document.version.to_string() {
                changes.push(PlanChange { item: format!("content:{}", opened.package.hash()), new: true });
            }
        }
        changes.sort();
        let mut plan = Self {
            digest: String::new(),
            kind: if before.is_some() { PlanKind::Upgrade } else { PlanKind::Install },
            plugin: document.name.to_string(),
            display_name: document.display_name.clone(),
            from: before.map(|(plugin, _)| plugin.record.version.clone()),
            to: document.version.to_string(),
            trust: provenance.trust,
            signer: provenance.signer.clone(),
            key: provenance.key.clone(),
            announced_by: provenance.successor.as_ref().map(|successor| successor.announced_by.clone()),
            package: opened.package.hash().to_string(),
            target: opened.target.triple.to_string(),
            bytes: document.unpacked(&opened.target).map(|(_, blob)| blob.size).sum(),
            bytes_before: before.map(|_| bytes_before),
            changes,
        };
        plan.digest = plan.digest(before.map(|(plugin, _)| plugin.record.content.as_str()));
        plan
    }

    fn digest(&self, content: Option<&str>) -> String {
        let text = serde_json::to_string(&(self, content)).expect("a plan has texts as keys");
        hex(&Sha256::digest(text.as_bytes()))
    }
}

/// What a package asks for.
fn items(opened: &Opened) -> BTreeSet<String> {
    let document = opened.package.document();
    let mut items: BTreeSet<String> =
        document.permissions.iter().map(|permission| format!("permission:{permission}")).collect();
    items.extend(document.dependencies.iter().map(|(name, range)| format!("dependency:{name} {range}")));
    items.extend(migrations(document.files.iter().map(|file| file.path.as_str())));
    if opened.provenance.trust == TrustLevel::Unsigned {
        items.insert(format!("unsigned:{}", document.name));
    }
    items
}

/// What an installed version has.
fn items_before(plugin: &Installed, generation: &Generation) -> BTreeSet<String> {
    let mut items: BTreeSet<String> =
        plugin.record.permissions.iter().map(|permission| format!("permission:{permission}")).collect();
    let dependencies = plugin.manifest.dependencies.iter();
    items.extend(dependencies.map(|(name, range)| format!("dependency:{name} {range}")));
    items.extend(migrations(generation.files.keys().map(String::as_str)));
    if generation.provenance.trust == TrustLevel::Unsigned {
        items.insert(format!("unsigned:{}", plugin.record.name));
    }
    items
}

/// `migration:NAME` of each migration, and `migration:NAME without a way back` of one that cannot be undone.
fn migrations<'a>(paths: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let paths: BTreeSet<&str> = paths.collect();
    let of = |path: &&str| path.starts_with("migrations/") && path.ends_with("/up.sql");
    let names = paths.iter().filter(|path| of(path)).filter_map(|path| {
        let folder = path.strip_suffix("/up.sql")?;
        let (_, name) = folder.rsplit_once('/')?;
        let back = if paths.contains(&*format!("{folder}/down.sql")) { "" } else { " without a way back" };
        Some(format!("migration:{name}{back}"))
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(items: &[&str]) -> Plan {
        let mut plan = Plan {
            digest: String::new(),
            kind: PlanKind::Install,
            plugin: "it".to_owned(),
            display_name: "It".to_owned(),
            from: None,
            to: "1.0.0".to_owned(),
            trust: TrustLevel::Vendor,
            signer: None,
            key: None,
            announced_by: None,
            package: String::new(),
            target: String::new(),
            bytes: 0,
            bytes_before: None,
            changes: items.iter().map(|item| PlanChange { item: (*item).to_owned(), new: true }).collect(),
        };
        plan.digest = plan.digest(None);
        plan
    }

    #[test]
    fn consent_to_one_plan_is_none_to_another() {
        let settings = config::Packages::default();
        let (seen, changed) = (plan(&["permission:network"]), plan(&["permission:database"]));
        Consent::To(seen.digest.clone()).check(&seen, &settings).expect("it was seen");
        let refused = Consent::To(seen.digest).check(&changed, &settings).expect_err("it was not seen");
        assert!(matches!(refused, InstallError::NotConsented { .. }), "{refused}");
    }

    #[test]
    fn what_is_installed_is_part_of_what_is_consented_to() {
        let plan = plan(&[]);
        assert_ne!(plan.digest(None), plan.digest(Some("a")));
        assert_ne!(plan.digest(Some("a")), plan.digest(Some("b")));
    }

    #[test]
    fn yes_is_for_what_is_approved_and_for_what_goes() {
        let settings =
            config::Packages { preapproved: vec!["permission:*".to_owned()], ..config::Packages::default() };
        let mut plan = plan(&["permission:network"]);
        plan.changes.push(PlanChange { item: "dependency:other ^1".to_owned(), new: false });
        Consent::Preapproved.check(&plan, &settings).expect("it is approved");
        plan.changes.push(PlanChange { item: "key:E7620F1842B4E81F".to_owned(), new: true });
        match Consent::Preapproved.check(&plan, &settings) {
            Err(InstallError::NotPreapproved { items, .. }) => assert_eq!(items, ["key:E7620F1842B4E81F"]),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_migration_of_two_dialects_is_one_and_says_if_there_is_no_way_back() {
        let files = [
            "migrations/sqlite/1_a/up.sql",
            "migrations/sqlite/1_a/down.sql",
            "migrations/postgres/1_a/up.sql",
            "migrations/postgres/1_a/down.sql",
            "migrations/sqlite/2_b/up.sql",
            "ui/up.sql.js",
        ];
        let found = migrations(files.into_iter());
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            ["migration:1_a", "migration:2_b without a way back"]
        );
    }
}
