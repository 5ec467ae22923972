//! Before another version of the host takes its place: `check --against` says what it would not load of a data folder, and
//! nobody notices that it looked.
#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use streamspace_tests::{
    Backend, Installation, Output, Packing, Vendor, builds, change_note, on_both_backends, replace, workspace,
};

const PLUGIN: &str = "fixture-counter";
const OTHER: &str = "fixture-logger";
const CRASHING: &str = "fixture-initializer";
/// The migrations that an earlier host did not have, the newest first.
const LATER: [&str; 4] = [
    "2026-11-27-000011_replaced",
    "2026-11-27-000010_next_keys",
    "2026-11-26-000007_catalogues",
    "2026-11-26-000006_packages",
];

on_both_backends!(
    a_folder_that_loads_is_fine_and_a_host_that_runs_on_it_does_not_notice,
    a_library_for_another_host_is_named_with_the_reason,
    what_is_not_trusted_any_more_is_named,
    the_hosts_own_tables_may_be_older_and_not_newer,
);

fn check(installation: &Installation) -> Output {
    let data = installation.data();
    installation.cli(&["check", "--json", "--against", data.to_str().expect("UTF-8")])
}

/// What is said of a folder on which all is well.
#[track_caller]
fn fine(installation: &Installation) -> Value {
    let output = check(installation).expect(0);
    assert_eq!(output.stderr, "");
    let report = output.json();
    assert!(["ok", "note"].contains(&report["outcome"].as_str().unwrap_or_default()), "{report}");
    report
}

/// What is said of a folder with something that would not be loaded.
#[track_caller]
fn failing(installation: &Installation) -> Value {
    let report = check(installation).expect(1).json();
    assert_eq!(report["outcome"], "fails", "{report}");
    report
}

fn plugin<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut all = report["plugins"].as_array().into_iter().flatten();
    all.find(|plugin| plugin["name"] == name).unwrap_or_else(|| panic!("{name} is not in {report}"))
}

/// What was found, as `about outcome code`, and the sentences.
fn found(of: &Value) -> (Vec<String>, String) {
    let all: Vec<&Value> = of.as_array().into_iter().flatten().collect();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let short = |finding: &&Value| {
        format!("{} {} {}", text(&finding["about"]), text(&finding["outcome"]), text(&finding["code"]))
    };
    let messages: Vec<String> = all.iter().map(|finding| text(&finding["message"])).collect();
    (all.iter().map(short).collect(), messages.join("\n"))
}

/// Refused, for these reasons and no other, in these words.
#[track_caller]
fn refused(installation: &Installation, name: &str, reasons: &[&str], words: &[&str]) {
    let report = failing(installation);
    let (short, said) = found(&plugin(&report, name)["findings"]);
    assert_eq!(short, reasons, "{report:#}");
    for word in words {
        assert!(said.contains(word), "`{word}` is missing: {said}");
    }
}

fn packing(version: &str) -> Packing {
    Packing::of(builds(), PLUGIN).version(version)
}

fn install(installation: &Installation, vendor: &Vendor, packing: Packing) {
    let file = packing.write(installation.scratch(), &[vendor]);
    let file = file.to_str().expect("UTF-8");
    let plan = installation.cli(&["plugin", "plan", file, "--json"]).expect(0).json();
    let digest = plan["digest"].as_str().expect("a digest");
    installation.cli(&["plugin", "install", file, "--consent", digest]).expect(0);
}

/// An installation with the plugin of a vendor.
fn with_plugin(backend: &Backend, vendor: &Vendor) -> Installation {
    let installation = Installation::on(backend);
    installation.cli(&["trust", "add", &vendor.key(), "--name", "Example"]).expect(0);
    install(&installation, vendor, packing("0.1.0"));
    installation
}

/// Everything in the data folder, down to who may read it and when it was changed.
fn folder(installation: &Installation) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut open = vec![installation.data()];
    while let Some(path) = open.pop() {
        let metadata = fs::symlink_metadata(&path).expect("metadata");
        let mut shown = format!("{:o} {}.{}", metadata.mode(), metadata.mtime(), metadata.mtime_nsec());
        if metadata.is_dir() {
            open.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
        } else {
            shown = format!("{shown} {}", hash(&fs::read(&path).expect("a file")));
        }
        all.insert(path, shown);
    }
    all
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every row in the host's tables on a server, with the transaction that wrote it.
fn server(backend: &Backend) -> BTreeMap<String, String> {
    let Backend::Postgres(database) = backend else { return BTreeMap::new() };
    let mut client = database.owner();
    let tables = client.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'streamspace'", &[]);
    let mut all = BTreeMap::new();
    for table in tables.expect("tables") {
        let table: String = table.get(0);
        let sql = format!(
            "SELECT coalesce(md5(string_agg(t.xmin::text || t::text, ',' ORDER BY t.ctid)), '') FROM streamspace.{table} AS t"
        );
        let rows = client.query_one(&sql, &[]).expect("rows").get(0);
        all.insert(table, rows);
    }
    all
}

/// Changes the host's tables, while it does not run.
fn sql(installation: &Installation, backend: &Backend, statements: &str) {
    match backend {
        Backend::Sqlite => {
            let path = installation.data().join("streamspace.db");
            let database = rusqlite::Connection::open(path).expect("the database");
            database.execute_batch(statements).expect("changed");
        }
        Backend::Postgres(database) => {
            let mut client = database.owner();
            client.batch_execute(&format!("SET search_path TO streamspace; {statements}")).expect("changed");
        }
    }
}

/// The library of an installed plugin.
fn library(installation: &Installation, name: &str) -> PathBuf {
    let home = installation.data().join("plugins").join(name);
    let versions: Vec<_> = fs::read_dir(home).expect("its folder").collect();
    assert_eq!(versions.len(), 1, "{versions:?}");
    let folder = versions.into_iter().next().expect("one").expect("an entry").path();
    let mut files = fs::read_dir(folder).expect("its files").map(|entry| entry.expect("an entry").path());
    files.find(|file| file.extension().is_some_and(|extension| extension == "so")).expect("a library")
}

fn put(file: &Path, bytes: &[u8]) {
    fs::remove_file(file).expect("removed");
    fs::write(file, bytes).expect("written");
    fs::set_permissions(file, fs::Permissions::from_mode(0o444)).expect("protected");
}

/// Makes the library of an installed plugin another one, as if another host had installed that. Answers with the one before.
fn doctor(
    installation: &Installation,
    backend: &Backend,
    name: &str,
    change: impl FnOnce(&mut [u8]),
) -> Vec<u8> {
    let file = library(installation, name);
    let before = fs::read(&file).expect("the library");
    let mut after = before.clone();
    change(&mut after);
    put(&file, &after);
    let (from, to) = (hash(&before), hash(&after));
    sql(
        installation,
        backend,
        &format!("UPDATE plugin_generations SET files = replace(files, '{from}', '{to}')"),
    );
    before
}

fn a_folder_that_loads_is_fine_and_a_host_that_runs_on_it_does_not_notice(backend: &Backend) {
    let vendor = Vendor::new();
    let installation = with_plugin(backend, &vendor);
    installation.configure(PLUGIN, &json!({"token": "a-secret-that-is-sealed"})).expect(0);
    let installation = installation.plugin(OTHER, &json!({}));
    installation.cli(&["plugin", "disable", OTHER]).expect(0);
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    // So that not all is in the database's file yet.
    host.configure(PLUGIN, &json!({"label": "changed"})).expect(0);

    // What it would do meanwhile is not to be taken for what the look does.
    host.signal(Signal::STOP);
    let before = (folder(&host), server(backend));
    let looked = check(&host);
    let after = (folder(&host), server(backend));
    host.signal(Signal::CONT);
    let report = looked.expect(0).json();
    assert_eq!(before, after);
    let database = if matches!(backend, Backend::Sqlite) { "sqlite" } else { "postgres" };
    assert_eq!((&report["outcome"], &report["complete"]), (&json!("ok"), &json!(true)), "{report:#}");
    assert_eq!(report["database"], database);
    let (counter, logger) = (plugin(&report, PLUGIN), plugin(&report, OTHER));
    assert_eq!((&counter["enabled"], &counter["trust"]), (&json!(true), &json!("vendor")), "{counter}");
    assert_eq!((&logger["enabled"], &logger["trust"]), (&json!(false), &json!("folder")), "{logger}");
    assert_eq!((&counter["findings"], &logger["findings"]), (&json!([]), &json!([])));
    assert!(!report.to_string().contains("a-secret"), "{report}");
    assert_eq!(host.wait_state(PLUGIN, "running")["version"], "0.1.0");

    let installation = host.stop().installation;
    let before = (folder(&installation), server(backend));
    fine(&installation);
    let data = installation.data();
    let words = installation.cli(&["check", "--against", data.to_str().expect("UTF-8")]).expect(0).stdout;
    for word in [PLUGIN, OTHER, "disabled", "ok", database] {
        assert!(words.contains(word), "`{word}` is missing: {words}");
    }
    assert_eq!(before, (folder(&installation), server(backend)));
}

fn capability<'a>(facts: &'a mut Value, list: &str, id: &str) -> &'a mut Value {
    let capabilities = facts[list].as_array_mut().expect("a list");
    capabilities.iter_mut().find(|capability| capability["id"] == id).expect("the capability")
}

fn a_library_for_another_host_is_named_with_the_reason(backend: &Backend) {
    let vendor = Vendor::new();
    let installation = with_plugin(backend, &vendor);
    let on = |reason: &str, words: &[&str], change: fn(&mut [u8])| {
        let whole = doctor(&installation, backend, PLUGIN, change);
        let before = (folder(&installation), server(backend));
        refused(&installation, PLUGIN, &[reason], words);
        assert_eq!(before, (folder(&installation), server(backend)));
        doctor(&installation, backend, PLUGIN, |library| library.copy_from_slice(&whole));
    };
    on("library fails SSP-LIB-007", &["interface 2", "interface 1"], |library| {
        change_note(library, |facts| facts["abi"] = json!(2));
    });
    on("library fails SSP-LIB-013", &["`log/9`", "version 9.9.9"], |library| {
        change_note(library, |facts| {
            let log = capability(facts, "needs", "log/1");
            (log["id"], log["since"]) = (json!("log/9"), json!("9.9.9"));
        });
    });
    on("library fails SSP-LIB-014", &["`log/1`", "function 1"], |library| {
        change_note(library, |facts| {
            let log = capability(facts, "needs", "log/1");
            let layout = log["layout"].as_str().expect("hashes").to_owned();
            let first = if layout.starts_with('0') { "1" } else { "0" };
            log["layout"] = format!("{first}{}", &layout[1..]).into();
        });
    });
    on("library fails SSP-LIB-009", &["panic = \"abort\""], |library| {
        change_note(library, |facts| facts["panic"] = json!("abort"));
    });
    on("library fails SSP-LIB-004", &["musl"], |library| {
        change_note(library, |facts| {
            let target = facts["target"].as_str().expect("a target").replace("-gnu", "-musl");
            facts["target"] = target.into();
        });
    });
    // What only the system's loader knows: the library is tried.
    on("library fails SSP-LIB-015", &["libgcc_z.so.1"], |library| {
        replace(library, "libgcc_s.so.1\0", "libgcc_z.so.1\0");
    });
    fine(&installation);
}

#[test]
fn a_library_that_crashes_does_so_elsewhere_and_is_not_blocked_for_it() {
    let installation = Installation::new().plugin(CRASHING, &json!({}));
    fine(&installation);
    doctor(&installation, &Backend::Sqlite, CRASHING, |library| {
        replace(library, "INITIALIZER-MODE:0", "INITIALIZER-MODE:1");
    });
    let before = folder(&installation);
    refused(&installation, CRASHING, &["library fails SSP-LIB-016"], &["signal"]);
    assert_eq!(before, folder(&installation));
    assert_eq!(installation.cli(&["plugin", "blocked", "--json"]).expect(0).json()["libraries"], json!([]));
}

#[test]
fn what_was_changed_is_named_and_not_tried() {
    let installation = with_plugin(&Backend::Sqlite, &Vendor::new());
    let file = library(&installation, PLUGIN);
    let whole = fs::read(&file).expect("the library");
    let mut changed = whole.clone();
    // In what nobody reads.
    *changed.last_mut().expect("bytes") ^= 1;
    put(&file, &changed);
    let reasons = ["files fails SSP-PLG-013", "library note -"];
    refused(
        &installation,
        PLUGIN,
        &reasons,
        &[file.to_str().expect("UTF-8"), &hash(&whole), "was not tried"],
    );
    fs::remove_file(&file).expect("removed");
    let report = failing(&installation);
    assert_eq!(found(&plugin(&report, PLUGIN)["findings"]).0[0], "files fails SSP-PLG-013", "{report:#}");
    fs::remove_dir_all(file.parent().expect("a folder")).expect("removed");
    let report = failing(&installation);
    assert_eq!(plugin(&report, PLUGIN)["outcome"], "fails", "{report:#}");
}

fn what_is_not_trusted_any_more_is_named(backend: &Backend) {
    let vendor = Vendor::new();
    let installation = with_plugin(backend, &vendor);
    installation.cli(&["trust", "remove", "Example"]).expect(0);
    let report = fine(&installation);
    let (short, said) = found(&plugin(&report, PLUGIN)["findings"]);
    assert_eq!(short, ["trust note -"], "{report:#}");
    assert!(said.contains(&vendor.id()), "{said}");

    installation.cli(&["trust", "revoke", &vendor.id(), "--reason", "it was stolen"]).expect(0);
    let reasons = ["trust fails SSP-TRU-010", "library note -"];
    refused(&installation, PLUGIN, &reasons, &["it was stolen", "was not tried"]);

    // Without anybody's signature, until a day.
    sql(&installation, backend, "UPDATE plugin_generations SET trust = 'unsigned', key_id = NULL");
    let reasons = ["trust fails SSP-TRU-009", "library note -"];
    refused(&installation, PLUGIN, &reasons, &["nothing allows that"]);
    let allow = "INSERT INTO unsigned_plugins (plugin, until_us, allowed_us) VALUES ('fixture-counter', ";
    sql(&installation, backend, &format!("{allow} 4102444800000000, 1)"));
    let report = fine(&installation);
    assert_eq!(found(&plugin(&report, PLUGIN)["findings"]).0, ["trust note -"], "{report:#}");
    sql(&installation, backend, "UPDATE unsigned_plugins SET until_us = 1");
    refused(&installation, PLUGIN, &reasons, &["allowed until"]);
}

fn the_hosts_own_tables_may_be_older_and_not_newer(backend: &Backend) {
    let installation = with_plugin(backend, &Vendor::new());
    sql(
        &installation,
        backend,
        "INSERT INTO plugin_operations (plugin, kind, step, purge, begun_us)
         VALUES ('fixture-logger', 'install', 'unpack', (1 = 0), 1)",
    );
    let before = (folder(&installation), server(backend));
    let (short, said) = found(&fine(&installation)["host"]);
    assert_eq!(short, ["configuration ok -", "database ok -", "journal note -"]);
    assert!(said.contains("`fixture-logger`") && said.contains("step unpack"), "{said}");
    assert_eq!(before, (folder(&installation), server(backend)), "the journal was recovered");

    // From the future.
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
    sql(&installation, backend, newer);
    let output = check(&installation).expect(1);
    assert!(output.stderr.contains("would not start"), "{output:?}");
    let report = output.json();
    let (short, said) = found(&report["host"]);
    assert_eq!(short, ["configuration ok -", "database fails SSP-DAT-003"]);
    assert!(said.contains("99990101000000"), "{said}");
    assert_eq!((&report["complete"], &report["plugins"]), (&json!(false), &json!([])));
    sql(&installation, backend, "DELETE FROM __diesel_schema_migrations WHERE version = '99990101000000'");

    // From before there were packages: what is installed is taken as it is.
    let dialect = if matches!(backend, Backend::Sqlite) { "sqlite" } else { "postgres" };
    for name in LATER {
        let down = workspace().join("migrations").join(dialect).join(name).join("down.sql");
        sql(&installation, backend, &fs::read_to_string(down).expect("the way back"));
        let version = name.split('_').next().expect("a version").replace('-', "");
        let forget = format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'");
        sql(&installation, backend, &forget);
    }
    let before = (folder(&installation), server(backend));
    let report = fine(&installation);
    let (short, said) = found(&report["host"]);
    assert_eq!(short, ["configuration ok -", "database note -"], "{report:#}");
    assert!(said.contains("4 migrations") && said.contains("db backup"), "{said}");
    for name in LATER {
        assert!(said.contains(name), "{name} is missing: {said}");
    }
    assert_eq!(plugin(&report, PLUGIN)["trust"], "folder");
    assert_eq!(before, (folder(&installation), server(backend)), "it was migrated");
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    host.stop();
}

#[test]
fn a_plugin_that_lacks_another_or_its_configuration_is_named() {
    let vendor = Vendor::new();
    let installation = Installation::new();
    installation.cli(&["trust", "add", &vendor.key(), "--name", "Example"]).expect(0);
    let needy = packing("0.1.0").manifest(|manifest| {
        manifest["dependencies"] = json!({OTHER: "^0.1"});
        manifest["configSchema"]["required"] = json!(["region"]);
        manifest["configSchema"]["properties"]["region"] = json!({"type": "string"});
    });
    install(&installation, &vendor, needy);
    let reasons = ["configuration fails SSP-CFG-004", "dependencies fails SSP-DEP-009"];
    refused(&installation, PLUGIN, &reasons, &["region", OTHER, "found none"]);
    installation.configure(PLUGIN, &json!({"region": "north"})).expect(0);
    install(&installation, &vendor, Packing::of(builds(), OTHER).version("0.2.0"));
    let reasons = ["dependencies fails SSP-DEP-009"];
    refused(&installation, PLUGIN, &reasons, &["^0.1", "found version 0.2.0"]);
    installation.cli(&["plugin", "uninstall", OTHER]).expect(0);
    let installation = installation.plugin(OTHER, &json!({}));
    fine(&installation);
}

#[test]
fn what_could_not_be_looked_at_is_told_from_what_is_wrong() {
    let installation = Installation::new();
    let against = |folder: &str| installation.cli(&["check", "--against", folder]);
    installation.cli(&["check"]).expect(2);
    let missing = installation.scratch().join("nowhere");
    let output = against(missing.to_str().expect("UTF-8")).expect(3);
    assert!(
        output.stderr.contains("could not be checked") && output.stdout.contains("unknown"),
        "{output:?}"
    );
    assert!(!missing.exists(), "it was made");
    // An empty one is fine: nothing is installed.
    fs::create_dir(&missing).expect("made");
    let output = against(missing.to_str().expect("UTF-8")).expect(0);
    assert!(output.stdout.contains("No plugin is installed"), "{output:?}");
    assert_eq!(fs::read_dir(&missing).expect("the folder").count(), 0, "something was put there");

    let installation = installation.plugin(PLUGIN, &json!({}));
    fine(&installation);
    fs::create_dir(installation.data().join("before-restore-x.ready")).expect("made");
    let output = check(&installation).expect(3);
    assert!(output.json().to_string().contains("a restore was broken off"), "{output:?}");
    fs::remove_dir(installation.data().join("before-restore-x.ready")).expect("removed");

    // The host would start, and not read what is sealed.
    fs::remove_file(installation.data().join("secret.key")).expect("removed");
    refused(&installation, PLUGIN, &["record fails SSP-DAT-014"], &["secret.key"]);
    assert!(!installation.data().join("secret.key").exists(), "a key was made");

    let unreachable =
        installation.set("database.url", "postgres://nobody:hunter2-hunter2@127.0.0.1:1/nowhere");
    let output = check(&unreachable).expect(3);
    assert!(output.stdout.contains("SSP-DAT-002") && !output.stdout.contains("hunter2"), "{output:?}");
    let wrong = unreachable.set("server.wrokers", 3);
    let report = failing(&wrong);
    let (short, said) = found(&report["host"]);
    assert_eq!(short, ["configuration fails -"]);
    assert!(said.contains("server.wrokers"), "{said}");
}
