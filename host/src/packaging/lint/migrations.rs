//! `migrations/`: for both databases, the same ones, and each with its way back.

use std::{collections::BTreeMap, path::Path};

use streamspace_plugin::manifest::Manifest;

use super::Report;
use crate::{database::PackageMigrations, store::migration_files};

const FOLDER: &str = "migrations";
const DIALECTS: [&str; 2] = ["sqlite", "postgres"];

pub(super) fn check(folder: &Path, manifest: &Manifest, report: &mut Report) {
    if let Err(why) = PackageMigrations::read(folder) {
        report.error("SSP-LNT-040", FOLDER, format!("the host would refuse them: {why}"), "correct them");
        return;
    }
    let Ok(files) = migration_files(folder) else { return };
    let files: Vec<String> = files.iter().map(|file| file.to_string_lossy().replace('\\', "/")).collect();
    if files.is_empty() {
        return;
    }
    if !manifest.permissions.iter().any(|permission| permission.as_str() == "database") {
        report.error(
            "SSP-LNT-044",
            "manifest.json",
            "there are migrations, and the plugin does not ask for a database: it would not start",
            "add \"database\" to `permissions`",
        );
    }
    // By dialect, then by folder: whether it has a way back.
    let mut all: BTreeMap<&str, BTreeMap<&str, bool>> = BTreeMap::new();
    for file in &files {
        let parts: Vec<&str> = file.split('/').collect();
        if let [_, dialect, migration, name] = parts.as_slice() {
            *all.entry(*dialect).or_default().entry(*migration).or_default() |= *name == "down.sql";
        }
    }
    for (dialect, migrations) in &all {
        for (migration, _) in migrations.iter().filter(|(_, has_down)| !**has_down) {
            report.error(
                "SSP-LNT-042",
                &format!("{FOLDER}/{dialect}/{migration}"),
                "there is no `down.sql`: an upgrade that brings this cannot be taken back",
                "write what undoes `up.sql`",
            );
        }
    }
    let [Some(sqlite), Some(postgres)] = DIALECTS.map(|dialect| all.get(dialect)) else {
        let missing = DIALECTS.into_iter().find(|dialect| !all.contains_key(dialect)).unwrap_or_default();
        report.error(
            "SSP-LNT-041",
            FOLDER,
            format!("there are none for {missing}: the plugin does not start on hosts that use it"),
            format!("write the same migrations below `{FOLDER}/{missing}`"),
        );
        return;
    };
    let numbers = |of: &BTreeMap<&str, bool>| -> BTreeMap<u64, String> {
        let number = |name: &str| name.split_once('_').and_then(|(digits, _)| digits.parse().ok());
        of.keys().filter_map(|name| Some((number(name)?, (*name).to_owned()))).collect()
    };
    let (sqlite, postgres) = (numbers(sqlite), numbers(postgres));
    for (here, there, other) in [(&sqlite, &postgres, "postgres"), (&postgres, &sqlite, "sqlite")] {
        for (_, name) in here.iter().filter(|(number, _)| !there.contains_key(number)) {
            report.error(
                "SSP-LNT-043",
                &format!("{FOLDER}/{other}"),
                format!("{name} has no counterpart here: the two databases would not be at the same version"),
                format!("write `{name}` for {other} too; one that has nothing to do has a comment in it"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn findings(permissions: &[&str], files: &[&str]) -> Vec<(&'static str, String)> {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, "SELECT 1;").expect("a file");
        }
        let manifest = json!({
            "name": "a-plugin", "version": "1.0.0", "displayName": "A", "type": "extension",
            "permissions": permissions,
        });
        let manifest = Manifest::parse(manifest.to_string().as_bytes()).expect("a manifest");
        let mut report = Report::default();
        check(folder.path(), &manifest, &mut report);
        report.findings.into_iter().map(|finding| (finding.code, finding.file)).collect()
    }

    const WHOLE: [&str; 4] = [
        "migrations/sqlite/0001_a/up.sql",
        "migrations/sqlite/0001_a/down.sql",
        "migrations/postgres/1_a/up.sql",
        "migrations/postgres/1_a/down.sql",
    ];

    fn without(file: &str) -> Vec<&'static str> {
        WHOLE.into_iter().filter(|one| !one.starts_with(file)).collect()
    }

    #[test]
    fn migrations_for_both_with_their_way_back_are_fine() {
        assert_eq!(findings(&["database"], &WHOLE), []);
        assert_eq!(findings(&[], &[]), []);
    }

    #[test]
    fn what_is_missing_is_found() {
        let one = |code: &'static str, file: &str| [(code, file.to_owned())];
        let database = &["database"];
        assert_eq!(findings(&[], &WHOLE), one("SSP-LNT-044", "manifest.json"));
        assert_eq!(
            findings(database, &without("migrations/postgres/1_a/down.sql")),
            one("SSP-LNT-042", "migrations/postgres/1_a")
        );
        assert_eq!(findings(database, &without("migrations/postgres")), one("SSP-LNT-041", "migrations"));
        let mut more = WHOLE.to_vec();
        more.extend(["migrations/sqlite/2_b/up.sql", "migrations/sqlite/2_b/down.sql"]);
        assert_eq!(findings(database, &more), one("SSP-LNT-043", "migrations/postgres"));
        assert_eq!(
            findings(database, &["migrations/sqlite/nonumber/up.sql"]),
            one("SSP-LNT-040", "migrations")
        );
    }
}
