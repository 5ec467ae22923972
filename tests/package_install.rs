//! Packages: whose are taken, what is shown and consented to before anything changes, and the way from version to version.
#![forbid(unsafe_code)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use streamspace_tests::{Backend, Host, Installation, Output, Packing, Vendor, builds, on_both_backends};

const PLUGIN: &str = "fixture-counter";

on_both_backends!(
    from_version_to_version_and_back,
    an_unsigned_plugin_runs_until_its_date,
    what_is_revoked_is_neither_taken_nor_loaded,
    a_key_that_the_old_key_announced_takes_its_place,
    what_waits_goes_with_the_plugin,
);

fn packing(version: &str) -> Packing {
    Packing::of(builds(), PLUGIN).version(version)
}

/// An installation that does not watch a new version for long.
fn on(backend: &Backend) -> Installation {
    Installation::on(backend).set("plugins.health_gate_secs", 0)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn trust(installation: &Installation, vendor: &Vendor, name: &str) {
    installation.cli(&["trust", "add", &vendor.key(), "--name", name]).expect(0);
}

/// The plan for a package.
fn plan(installation: &Installation, file: &Path) -> Value {
    installation.cli(&["plugin", "plan", text(file), "--json"]).expect(0).json()
}

/// Installs or upgrades to a package, with consent to what the plan says.
fn with_consent(installation: &Installation, verb: &str, file: &Path) -> Output {
    let plan = plan(installation, file);
    let digest = plan["digest"].as_str().expect("a digest").to_owned();
    installation.cli(&["plugin", verb, text(file), "--consent", &digest])
}

fn new_items(plan: &Value) -> Vec<&str> {
    let changes = plan["changes"].as_array().expect("changes").iter();
    changes.filter(|change| change["new"] == true).filter_map(|change| change["item"].as_str()).collect()
}

#[track_caller]
fn refused(output: Output, words: &[&str]) {
    let output = output.expect(1);
    for word in words {
        assert!(output.stderr.contains(word), "`{word}` is missing: {output:?}");
    }
}

/// What is installed, as the list has it.
fn listed(installation: &Installation) -> Vec<Value> {
    let list = installation.cli(&["plugin", "list", "--json"]).expect(0).json();
    list["plugins"].as_array().expect("plugins").clone()
}

/// The folders below `plugins/`.
fn folders(installation: &Installation) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for home in fs::read_dir(installation.data().join("plugins")).expect("the store") {
        let home = home.expect("an entry").path();
        found.extend(fs::read_dir(home).expect("a folder").map(|entry| entry.expect("an entry").path()));
    }
    found
}

fn restarted(host: Host) -> Host {
    host.stop().installation.start()
}

fn from_version_to_version_and_back(backend: &Backend) {
    let vendor = Vendor::new();
    let host = on(backend).start();
    trust(&host, &vendor, "Example Ltd.");
    let [one, two, three] =
        ["0.1.0", "0.2.0", "0.3.0"].map(|version| packing(version).write(host.scratch(), &[&vendor]));

    let first = plan(&host, &one);
    assert_eq!(
        (&first["kind"], &first["to"], &first["trust"], &first["signer"], &first["key"]),
        (&json!("install"), &json!("0.1.0"), &json!("vendor"), &json!("Example Ltd."), &json!(vendor.id())),
    );
    assert_eq!(new_items(&first), ["permission:events"]);
    assert!(listed(&host).is_empty(), "a plan changes nothing");
    with_consent(&host, "install", &one).expect(0);
    let shown = host.wait_state(PLUGIN, "running");
    assert_eq!((&shown["version"], &shown["trust"]), (&json!("0.1.0"), &json!("vendor")));
    assert_eq!(shown["signer"], format!("Example Ltd. ({})", vendor.id()));
    host.configure(PLUGIN, &json!({"label": "kept"})).expect(0);

    let second = plan(&host, &two);
    assert_eq!((&second["kind"], &second["from"]), (&json!("upgrade"), &json!("0.1.0")));
    assert!(new_items(&second).is_empty(), "it asks for nothing new: {second}");
    host.cli(&["plugin", "upgrade", text(&two), "--yes"]).expect(0);
    assert_eq!(host.wait_state(PLUGIN, "running")["version"], "0.2.0");
    with_consent(&host, "upgrade", &three).expect(0);
    assert_eq!(host.wait_state(PLUGIN, "running")["version"], "0.3.0");

    refused(host.cli(&["plugin", "upgrade", text(&two), "--yes"]), &["SSP-PLG-016", "0.3.0", "rollback"]);
    refused(host.cli(&["plugin", "upgrade", text(&three), "--yes"]), &["SSP-UPG-003"]);
    refused(host.cli(&["plugin", "install", text(&three), "--yes"]), &["SSP-UPG-003"]);
    refused(host.cli(&["plugin", "rollback", PLUGIN, "--to", "9.9.9"]), &["SSP-PLG-018", "0.2.0, 0.1.0"]);

    host.cli(&["plugin", "rollback", PLUGIN]).expect(0);
    assert_eq!(host.wait_state(PLUGIN, "running")["version"], "0.2.0");
    host.cli(&["plugin", "rollback", PLUGIN]).expect(0);
    assert_eq!(host.wait_state(PLUGIN, "running")["version"], "0.1.0");
    refused(host.cli(&["plugin", "rollback", PLUGIN]), &["SSP-PLG-018"]);
    host.cli(&["plugin", "pin", PLUGIN]).expect(0);
    assert_eq!(host.plugin(PLUGIN)["pinned"], "0.1.0");
    refused(host.cli(&["plugin", "rollback", PLUGIN, "--to", "0.3.0"]), &["SSP-PLG-017", "0.1.0"]);
    refused(with_consent(&host, "upgrade", &two), &["SSP-PLG-017", "pin fixture-counter --off"]);
    host.cli(&["plugin", "pin", PLUGIN, "--off"]).expect(0);
    host.cli(&["plugin", "rollback", PLUGIN, "--to", "0.3.0"]).expect(0);

    let host = restarted(host);
    assert_eq!(host.wait_state(PLUGIN, "running")["version"], "0.3.0");
    let config = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/config")).expect(200).json();
    assert_eq!(config["label"], "kept", "the configuration went with a version");
    let generations = host.cli(&["plugin", "generations", PLUGIN, "--json"]).expect(0).json();
    let versions: Vec<_> = generations["generations"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|generation| (generation["version"].as_str().unwrap_or_default(), &generation["current"]))
        .collect();
    assert_eq!(versions, [("0.3.0", &json!(true)), ("0.2.0", &json!(false)), ("0.1.0", &json!(false))]);

    host.cli(&["plugin", "uninstall", PLUGIN, "--purge"]).expect(0);
    assert!(listed(&host).is_empty() && folders(&host).is_empty(), "{:?}", folders(&host));
    host.stop();
}

#[test]
fn only_so_many_versions_are_kept() {
    let vendor = Vendor::new();
    let installation = Installation::new().set("plugins.keep_generations", 1);
    trust(&installation, &vendor, "Example");
    for (verb, version) in [("install", "0.1.0"), ("upgrade", "0.2.0"), ("upgrade", "0.3.0")] {
        let file = packing(version).write(installation.scratch(), &[&vendor]);
        with_consent(&installation, verb, &file).expect(0);
    }
    assert_eq!(folders(&installation).len(), 2, "{:?}", folders(&installation));
    refused(installation.cli(&["plugin", "rollback", PLUGIN, "--to", "0.1.0"]), &["SSP-PLG-018", "0.2.0"]);
    installation.cli(&["plugin", "rollback", PLUGIN]).expect(0);
    assert_eq!(listed(&installation)[0]["version"], "0.2.0");
}

#[test]
fn each_way_not_to_be_trusted_is_told_from_the_others() {
    let (vendor, stranger) = (Vendor::new(), Vendor::new());
    let installation = Installation::new().set("packages.preapproved", vec!["permission:*"]);
    trust(&installation, &vendor, "Example");
    let try_it = |name: &str, bytes: &[u8]| {
        let file = installation.scratch().join(format!("{name}.sspkg"));
        fs::write(&file, bytes).expect("written");
        installation.cli(&["plugin", "install", text(&file), "--yes"])
    };
    let bytes = |vendors: &[&Vendor]| {
        fs::read(packing("0.1.0").write(installation.scratch(), vendors)).unwrap_or_default()
    };

    refused(try_it("unsigned", &bytes(&[])), &["unsigned.sspkg", "SSP-PKG-021", "not signed"]);
    let unknown = try_it("unknown", &bytes(&[&stranger]));
    refused(
        unknown,
        &["unknown.sspkg", "SSP-PKG-023", &stranger.id(), &vendor.id(), "streamspace trust add"],
    );
    let mut changed = bytes(&[&vendor]);
    let at = changed.windows(7).position(|at| at == b"Counter").expect("the name for people");
    changed[at] = b'K';
    refused(try_it("changed", &changed), &["changed.sspkg", "SSP-PKG-025", &vendor.id(), "It was changed"]);
    let mut spoilt = bytes(&[&vendor]);
    // Most of it is the library.
    let middle = spoilt.len() / 2;
    spoilt[middle] ^= 1;
    refused(try_it("spoilt", &spoilt), &["spoilt.sspkg", "SSP-PKG-011", "damaged"]);
    let half = bytes(&[&vendor]);
    refused(try_it("half", &half[..half.len() / 2]), &["half.sspkg", "SSP-PKG-003", "cut off"]);
    refused(try_it("none", b"\x7fELF"), &["none.sspkg", "SSP-PKG-002"]);
    assert!(listed(&installation).is_empty());
    assert!(folders(&installation).is_empty(), "something stayed: {:?}", folders(&installation));

    // A package that says something else of its library than the library.
    let other = packing("0.1.0").library(|library| {
        streamspace_tests::replace(library, "\"sdk\":\"0.1.0\"", "\"sdk\":\"0.1.9\"");
    });
    let file = other.write(installation.scratch(), &[&vendor]);
    refused(with_consent(&installation, "install", &file), &["SSP-PKG-013", "0.1.0", "0.1.9"]);
    assert!(folders(&installation).is_empty(), "something stayed: {:?}", folders(&installation));
}

#[test]
fn keys_are_trusted_and_not_by_name_or_id() {
    let vendor = Vendor::new();
    let installation = Installation::new();
    let file = installation.scratch().join("vendor.pub");
    fs::write(&file, vendor.public.to_file_text()).expect("written");
    installation.cli(&["trust", "add", text(&file), "--name", "Example"]).expect(0);
    refused(
        installation.cli(&["trust", "add", &vendor.key(), "--name", "Other"]),
        &["SSP-TRU-001", "Example"],
    );
    let other = Vendor::new();
    refused(installation.cli(&["trust", "add", &other.key(), "--name", "Example"]), &["SSP-TRU-001"]);
    refused(installation.cli(&["trust", "add", "RWQ", "--name", "Short"]), &["SSP-PKG-031"]);
    refused(installation.cli(&["trust", "remove", "Nobody"]), &["SSP-TRU-003"]);

    let package = packing("0.1.0").write(installation.scratch(), &[&vendor]);
    with_consent(&installation, "install", &package).expect(0);
    installation.cli(&["trust", "remove", "Example"]).expect(0);
    let list = installation.cli(&["trust", "list", "--json"]).expect(0).json();
    assert_eq!(list["keys"], json!([]));
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    let next = packing("0.2.0").write(host.scratch(), &[&vendor]);
    refused(host.cli(&["plugin", "upgrade", text(&next), "--yes"]), &["SSP-PKG-023"]);
}

#[test]
fn nothing_new_arrives_without_consent() {
    let (vendor, other) = (Vendor::new(), Vendor::new());
    let installation = Installation::new();
    trust(&installation, &vendor, "Example");
    trust(&installation, &other, "Other");
    let one = packing("0.1.0").write(installation.scratch(), &[&vendor]);

    // Not at a terminal, and without a word.
    let asked = installation.cli(&["plugin", "install", text(&one)]);
    refused(asked, &["+ permission events", "--consent", "nothing was changed"]);
    let unseen = installation.cli(&["plugin", "install", text(&one), "--consent", &"0".repeat(64)]);
    refused(unseen, &["SSP-PLG-014", "plugin plan"]);
    let yes = installation.cli(&["plugin", "install", text(&one), "--yes"]);
    refused(yes, &["SSP-PLG-015", "`permission:events`", "packages.preapproved"]);
    let installation = installation.set("packages.preapproved", vec!["permission:events"]);
    installation.cli(&["plugin", "install", text(&one), "--yes"]).expect(0);

    // Another permission, a dependency, and another key.
    let two = packing("0.2.0")
        .manifest(|manifest| {
            manifest["permissions"] = json!(["events", "storage"]);
            manifest["dependencies"] = json!({"fixture-logger": "^0.1"});
        })
        .write(installation.scratch(), &[&other]);
    let key = format!("key:{}", other.id());
    let seen = plan(&installation, &two);
    assert_eq!(
        new_items(&seen),
        ["dependency:fixture-logger ^0.1", key.as_str(), "permission:storage"],
        "{seen}"
    );
    let yes = installation.cli(&["plugin", "upgrade", text(&two), "--yes"]);
    refused(yes, &["SSP-PLG-015", "permission:storage", "dependency:fixture-logger", &key]);
    assert_eq!(listed(&installation)[0]["version"], "0.1.0");

    // What was seen is not what is there by now.
    let digest = seen["digest"].as_str().expect("a digest");
    let changed = packing("0.2.0")
        .manifest(|manifest| manifest["permissions"] = json!(["events", "storage", "database"]))
        .write(installation.scratch(), &[&other]);
    assert_eq!(changed, two, "in its place");
    refused(installation.cli(&["plugin", "upgrade", text(&two), "--consent", digest]), &["SSP-PLG-014"]);
    assert_eq!(listed(&installation)[0]["permissions"], json!(["events"]));
    with_consent(&installation, "upgrade", &two).expect(0);
    assert_eq!(listed(&installation)[0]["permissions"], json!(["database", "events", "storage"]));
}

fn an_unsigned_plugin_runs_until_its_date(backend: &Backend) {
    let host = on(backend).start();
    let file = packing("0.1.0").write(host.scratch(), &[]);
    let allowed = |plugin: &str, until: &str| {
        let flags = ["--allow-unsigned", plugin, "--until", until];
        host.cli(&[&["plugin", "plan", text(&file), "--json"], &flags[..]].concat())
    };
    refused(allowed("fixture-logger", &tomorrow()), &["SSP-TRU-011", "fixture-logger", PLUGIN]);
    refused(allowed(PLUGIN, "2020-01-01"), &["SSP-TRU-006", "2020-01-01"]);
    let until = tomorrow();
    let plan = allowed(PLUGIN, &until).expect(0).json();
    assert_eq!(plan["trust"], "unsigned");
    assert!(new_items(&plan).contains(&&*format!("unsigned:{PLUGIN}")), "{plan}");
    let digest = plan["digest"].as_str().expect("a digest");
    let consent = ["plugin", "install", text(&file), "--allow-unsigned", PLUGIN, "--until", &until];
    host.cli(&[&consent[..], &["--consent", digest]].concat()).expect(0);
    let shown = host.wait_state(PLUGIN, "running");
    assert_eq!((&shown["trust"], &shown["unsigned_until"]), (&json!("unsigned"), &json!(until)));
    let list = host.cli(&["plugin", "list"]).expect(0).stdout;
    assert!(list.contains(&format!("UNSIGNED until {until}")), "{list}");

    // The date comes.
    let stopped = host.stop().installation;
    sql(&stopped, backend, "UPDATE unsigned_plugins SET until_us = 1");
    let host = stopped.start();
    let failed = host.wait_state(PLUGIN, "failed");
    let reason = failed["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("not signed") && reason.contains("trust allow-unsigned"), "{reason}");
    refused(host.cli(&["plugin", "plan", text(&file)]), &["SSP-PKG-021"]);
    host.cli(&["trust", "allow-unsigned", PLUGIN, "--until", &until]).expect(0);
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    host.wait_state(PLUGIN, "running");
    host.stop();
}

fn what_is_revoked_is_neither_taken_nor_loaded(backend: &Backend) {
    let (vendor, other) = (Vendor::new(), Vendor::new());
    let host = on(backend).start();
    trust(&host, &vendor, "Example");
    trust(&host, &other, "Other");
    let one = packing("0.1.0").write(host.scratch(), &[&vendor]);
    with_consent(&host, "install", &one).expect(0);
    host.wait_state(PLUGIN, "running");
    let two = packing("0.2.0").write(host.scratch(), &[&other]);
    let hash = plan(&host, &two)["package"].as_str().expect("a hash").to_owned();

    let list = host.scratch().join("revoked.txt");
    fs::write(&list, format!("# by the vendor\n{hash} it loses events\nX\n")).expect("written");
    refused(
        host.cli(&["trust", "revoke", "--file", text(&list)]),
        &["SSP-TRU-004", "line 3", "Nothing was revoked"],
    );
    fs::write(&list, format!("# by the vendor\n{hash} it loses events\n")).expect("written");
    host.cli(&["trust", "revoke", "--file", text(&list)]).expect(0);
    refused(host.cli(&["plugin", "plan", text(&two)]), &["SSP-PKG-027", "it loses events", &hash]);

    let said = host.cli(&["trust", "revoke", &vendor.id(), "--reason", "it was stolen"]).expect(0).stdout;
    assert!(said.contains(PLUGIN) && said.contains("runs until it is stopped"), "{said}");
    assert_eq!(host.plugin(PLUGIN)["state"], "running");
    let three = packing("0.3.0").write(host.scratch(), &[&vendor]);
    refused(host.cli(&["plugin", "plan", text(&three)]), &["SSP-PKG-026", "it was stolen", &vendor.id()]);
    let host = restarted(host);
    let failed = host.wait_state(PLUGIN, "failed");
    let reason = failed["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("revoked") && reason.contains("it was stolen"), "{reason}");
    // Out of it: a version that another key answers for.
    let four = packing("0.4.0").write(host.scratch(), &[&other]);
    with_consent(&host, "upgrade", &four).expect(0);
    assert_eq!(host.wait_state(PLUGIN, "running")["version"], "0.4.0");
    refused(host.cli(&["plugin", "rollback", PLUGIN]), &["SSP-TRU-010", "revoked"]);
    host.stop();
}

fn a_key_that_the_old_key_announced_takes_its_place(backend: &Backend) {
    let [old, new, third, stranger] = [(); 4].map(|()| Vendor::new());
    let host = on(backend).start();
    trust(&host, &old, "Example Ltd.");
    let write = |packing: Packing, by: &Vendor| packing.of_vendor(by).write(host.scratch(), &[by]);
    let keys = || {
        let list = host.cli(&["trust", "list", "--json"]).expect(0).json();
        let names = list["keys"].as_array().into_iter().flatten();
        names.map(|key| (key["name"].clone(), key["id"].clone())).collect::<Vec<_>>()
    };
    let pinned = (json!("Example Ltd. 2"), json!(new.id()));
    with_consent(&host, "install", &write(packing("0.1.0"), &old)).expect(0);
    // Nothing was announced yet.
    let by_new = write(packing("0.3.0").announcing(&third), &new);
    refused(host.cli(&["plugin", "plan", text(&by_new)]), &["SSP-PKG-023", &new.id(), &old.id()]);
    with_consent(&host, "upgrade", &write(packing("0.2.0").announcing(&new), &old)).expect(0);

    let by_stranger = write(packing("0.4.0"), &stranger);
    refused(host.cli(&["plugin", "plan", text(&by_stranger)]), &["SSP-PKG-023", &stranger.id()]);
    // Of another plugin it says nothing.
    let other = write(Packing::of(builds(), "fixture-logger"), &new);
    refused(host.cli(&["plugin", "plan", text(&other)]), &["SSP-PKG-023", &new.id()]);
    // Nor does the one after it, before it is there.
    let too_early = write(packing("0.5.0"), &third);
    refused(host.cli(&["plugin", "plan", text(&too_early)]), &["SSP-PKG-023"]);

    let seen = plan(&host, &by_new);
    assert_eq!(
        (&seen["trust"], &seen["signer"], &seen["key"], &seen["announced_by"]),
        (&json!("vendor"), &pinned.0, &pinned.1, &json!(format!("Example Ltd. ({})", old.id())))
    );
    assert_eq!(new_items(&seen), [format!("key:{}", new.id())]);
    let said = host.cli(&["plugin", "plan", text(&by_new)]).expect(0).stdout;
    let words = format!("+ key {}, announced by Example Ltd. ({})", new.id(), old.id());
    assert!(said.contains(&words), "{said}");
    refused(host.cli(&["plugin", "upgrade", text(&by_new), "--yes"]), &["SSP-PLG-015", &new.id()]);
    assert!(!keys().contains(&pinned), "it was looked at only: {:?}", keys());
    with_consent(&host, "upgrade", &by_new).expect(0);
    assert_eq!(host.wait_state(PLUGIN, "running")["version"], "0.3.0");
    assert!(keys().contains(&pinned), "{:?}", keys());
    // From then on it is a key like others, and announces one itself.
    with_consent(&host, "install", &other).expect(0);
    let seen = plan(&host, &too_early);
    assert_eq!((&seen["signer"], new_items(&seen).len()), (&json!("Example Ltd. 3"), 1), "{seen}");

    // One that is revoked announces nothing, and one that is announced may be revoked.
    host.cli(&["trust", "revoke", &new.id()]).expect(0);
    refused(host.cli(&["plugin", "plan", text(&too_early)]), &["SSP-PKG-023", &third.id()]);
    host.cli(&["plugin", "rollback", PLUGIN]).expect(0);
    let again = write(packing("0.6.0"), &new);
    refused(host.cli(&["plugin", "plan", text(&again)]), &["SSP-PKG-026", &new.id()]);
    host.stop();
}

#[test]
fn whoever_only_adds_a_signature_announces_nothing() {
    let [vendor, house, next] = [(); 3].map(|()| Vendor::new());
    let installation = Installation::new();
    trust(&installation, &house, "The house");
    // The vendor is not trusted here, what the house has tested is.
    let one = packing("0.1.0")
        .of_vendor(&vendor)
        .announcing(&next)
        .write(installation.scratch(), &[&vendor, &house]);
    with_consent(&installation, "install", &one).expect(0);
    let two = packing("0.2.0").of_vendor(&next).write(installation.scratch(), &[&next]);
    refused(installation.cli(&["plugin", "plan", text(&two)]), &["SSP-PKG-023", &next.id()]);
}

/// Also where the host is stopped: another installation does not begin where this one was.
fn what_waits_goes_with_the_plugin(backend: &Backend) {
    let host = on(backend).plugin("fixture-upgrade", &json!({"file": "/dev/null"})).start();
    host.wait_state("fixture-upgrade", "running");
    let stopped = host.stop().installation;
    assert_eq!(count(&stopped, backend, "consumers"), 1);
    stopped.cli(&["plugin", "uninstall", "fixture-upgrade"]).expect(0);
    assert_eq!(count(&stopped, backend, "consumers"), 0);
}

#[test]
fn nothing_is_begun_before_what_broke_off_is_at_its_end() {
    let vendor = Vendor::new();
    let host = on(&Backend::Sqlite).start();
    trust(&host, &vendor, "Example");
    let file = packing("0.1.0").write(host.scratch(), &[&vendor]);
    with_consent(&host, "install", &file).expect(0);
    host.wait_state(PLUGIN, "running");
    // What it has stored cannot be removed.
    let obstacle = host.data().join("plugin-data").join(PLUGIN).join("database.db");
    fs::create_dir_all(obstacle.join("x")).expect("a folder");
    refused(host.cli(&["plugin", "uninstall", PLUGIN, "--purge"]), &["SSP-DAT-"]);
    assert!(listed(&host).is_empty() && folders(&host).is_empty());

    refused(with_consent(&host, "install", &file), &["SSP-PLG-022"]);
    assert!(listed(&host).is_empty() && folders(&host).is_empty());
    let host = restarted(host);
    refused(with_consent(&host, "install", &file), &["SSP-PLG-022"]);

    fs::remove_dir_all(&obstacle).expect("removed");
    fs::write(obstacle, "of the plugin that is gone").expect("written");
    with_consent(&host, "install", &file).expect(0);
    host.wait_state(PLUGIN, "running");
    assert!(!host.data().join("plugin-data").join(PLUGIN).exists(), "it was to be purged");
    host.stop();
}

#[test]
fn the_way_back_leads_to_the_version_that_was_replaced() {
    let vendor = Vendor::new();
    let installation = on(&Backend::Sqlite);
    trust(&installation, &vendor, "Example");
    let [one, two, three] =
        ["0.1.0", "0.2.0", "0.3.0"].map(|version| packing(version).write(installation.scratch(), &[&vendor]));
    let back = || installation.cli(&["plugin", "rollback", PLUGIN]);
    let version = || listed(&installation)[0]["version"].clone();
    with_consent(&installation, "install", &one).expect(0);
    with_consent(&installation, "upgrade", &two).expect(0);
    back().expect(0);
    with_consent(&installation, "upgrade", &three).expect(0);
    back().expect(0);
    assert_eq!(version(), "0.1.0", "0.2.0 was gone back from");
    refused(back(), &["SSP-PLG-018", "0.3.0, 0.2.0"]);
    // What comes again comes in another's place.
    installation.cli(&["plugin", "rollback", PLUGIN, "--to", "0.2.0"]).expect(0);
    with_consent(&installation, "upgrade", &three).expect(0);
    back().expect(0);
    assert_eq!(version(), "0.2.0");
}

#[test]
fn a_version_that_is_kept_and_was_changed_is_not_taken_for_the_one_in_a_package() {
    let vendor = Vendor::new();
    let installation = on(&Backend::Sqlite);
    trust(&installation, &vendor, "Example");
    let [one, two] = ["0.1.0", "0.2.0"].map(|version| {
        packing(version).file("ui/panel.js", version).write(installation.scratch(), &[&vendor])
    });
    with_consent(&installation, "install", &one).expect(0);
    with_consent(&installation, "upgrade", &two).expect(0);
    installation.cli(&["plugin", "rollback", PLUGIN]).expect(0);
    let generations = installation.cli(&["plugin", "generations", PLUGIN, "--json"]).expect(0).json();
    let all = generations["generations"].as_array().expect("generations");
    let kept = all.iter().find(|one| one["version"] == "0.2.0").expect("the second");
    let content = kept["content"].as_str().expect("a folder");
    let panel = installation.data().join("plugins").join(PLUGIN).join(content).join("ui/panel.js");
    fs::remove_file(&panel).expect("removed");
    fs::write(&panel, "another").expect("written");
    refused(with_consent(&installation, "upgrade", &two), &["SSP-PLG-013", "ui/panel.js"]);
    assert_eq!(listed(&installation)[0]["version"], "0.1.0");
}

#[test]
fn an_operator_signs_for_their_own_host() {
    let (here, elsewhere) = (Installation::new(), Installation::new());
    let file = packing("0.1.0").write(here.scratch(), &[]);
    refused(here.cli(&["plugin", "plan", text(&file)]), &["SSP-PKG-021"]);
    let signed = here.cli(&["trust", "sign", text(&file), "--json"]).expect(0).json();
    let key = here.data().join("local-signing.key");
    assert_eq!(fs::metadata(&key).expect("the key").permissions().mode() & 0o777, 0o600);
    with_consent(&here, "install", &file).expect(0);
    assert_eq!((&listed(&here)[0]["trust"], &signed["key"]), (&json!("local"), &plan_key(&here)));
    refused(elsewhere.cli(&["plugin", "plan", text(&file)]), &["SSP-PKG-023"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("changed");
    refused(here.cli(&["trust", "list"]), &["SSP-TRU-008", "600"]);
}

/// The id of the host's own key.
fn plan_key(installation: &Installation) -> Value {
    let list = installation.cli(&["trust", "list", "--json"]).expect(0).json();
    list["keys"][0]["id"].clone()
}

#[test]
fn a_file_that_was_changed_is_found_and_named_before_it_is_loaded() {
    let vendor = Vendor::new();
    let host = on(&Backend::Sqlite).start();
    trust(&host, &vendor, "Example");
    let packed = |version| packing(version).file("ui/panel.js", version).write(host.scratch(), &[&vendor]);
    with_consent(&host, "install", &packed("0.1.0")).expect(0);
    with_consent(&host, "upgrade", &packed("0.2.0")).expect(0);
    host.wait_state(PLUGIN, "running");
    let generations = host.cli(&["plugin", "generations", PLUGIN, "--json"]).expect(0).json();
    let content = generations["generations"][0]["content"].as_str().expect("a folder").to_owned();
    let file = host.data().join("plugins").join(PLUGIN).join(content).join("ui/panel.js");
    assert!(fs::metadata(&file).expect("the file").permissions().readonly(), "it may be written to");

    let stopped = host.stop().installation;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("changed");
    fs::write(&file, "another").expect("written");
    let host = stopped.start();
    let failed = host.wait_state(PLUGIN, "failed");
    let reason = failed["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(text(&file)) && reason.contains("SHA-256"), "{reason}");
    refused(host.configure(PLUGIN, &json!({"label": "x"})), &["SSP-PLG-013", "ui/panel.js"]);
    // The other one is as it was.
    host.cli(&["plugin", "rollback", PLUGIN]).expect(0);
    assert_eq!(host.wait_state(PLUGIN, "running")["version"], "0.1.0");
    refused(host.cli(&["plugin", "rollback", PLUGIN, "--to", "0.2.0"]), &["SSP-PLG-013", "ui/panel.js"]);
    host.stop();
}

#[test]
fn a_version_that_cannot_take_the_place_leaves_the_old_one() {
    let vendor = Vendor::new();
    let host = on(&Backend::Sqlite).start();
    trust(&host, &vendor, "Example");
    with_consent(&host, "install", &packing("0.1.0").write(host.scratch(), &[&vendor])).expect(0);
    host.wait_state(PLUGIN, "running");
    let before = folders(&host);

    let needy = packing("0.2.0").manifest(|manifest| {
        manifest["configSchema"]["required"] = json!(["region"]);
        manifest["configSchema"]["properties"]["region"] = json!({"type": "string"});
    });
    let file = needy.write(host.scratch(), &[&vendor]);
    refused(with_consent(&host, "upgrade", &file), &["SSP-CFG-", "region"]);
    let broken = packing("0.3.0").library(|library| {
        streamspace_tests::replace(library, "libgcc_s.so.1\0", "libgcc_z.so.1\0");
    });
    let file = broken.write(host.scratch(), &[&vendor]);
    refused(with_consent(&host, "upgrade", &file), &["SSP-LIB-", "0.3.0.sspkg"]);
    let logger = Packing::of(builds(), "fixture-logger").write(host.scratch(), &[&vendor]);
    refused(with_consent(&host, "upgrade", &logger), &["SSP-PLG-001", "fixture-logger"]);

    assert_eq!(host.wait_state(PLUGIN, "running")["version"], "0.1.0");
    assert_eq!(folders(&host), before, "something stayed");
    host.stop();
}

#[test]
fn a_package_is_uploaded_looked_at_and_installed() {
    let vendor = Vendor::new();
    let host = Installation::new().set("packages.max_bytes", 1024 * 1024).start();
    trust(&host, &vendor, "Example");
    let file = packing("0.1.0").write(host.scratch(), &[&vendor]);
    let bytes = fs::read(&file).expect("the package");
    let api = host.api();
    let send = |bytes: &[u8]| {
        api.send("POST", "/api/v1/packages", &[("Content-Type", "application/octet-stream")], Some(bytes))
    };
    send(&vec![0; 1024 * 1024 + 1]).problem(&[413]);
    let package = send(&bytes).expect(201).json()["package"].clone();
    let plan = api.post_json("/api/v1/packages/plan", &json!({"package": package})).expect(200).json();
    let install = |consent: &str| {
        api.post_json("/api/v1/packages/install", &json!({"package": package, "consent": consent}))
    };
    assert_eq!(install("").problem(&[409])["code"], "SSP-PLG-014");
    assert_eq!(install("preapproved").problem(&[409])["code"], "SSP-PLG-015");
    assert_eq!(install(plan["digest"].as_str().expect("a digest")).expect(201).json()["name"], PLUGIN);
    host.wait_state(PLUGIN, "running");
    assert_eq!(fs::read_dir(host.data().join("incoming")).expect("the folder").count(), 0, "it stayed");
    assert_eq!(install("preapproved").problem(&[404])["code"], "SSP-PLG-019");
    let outside = json!({"package": "../admin.token"});
    assert_eq!(api.post_json("/api/v1/packages/plan", &outside).problem(&[404])["code"], "SSP-PLG-019");

    // Who may install does not say what may be unsigned.
    host.add_user("ines", "admin");
    let installer = api.with_token(Some(&host.add_token("ines", &["plugins.manage"]).0));
    let unsigned = json!({"package": package, "allow_unsigned": {"plugin": PLUGIN, "until": tomorrow()}});
    assert_eq!(
        installer.post_json("/api/v1/packages/plan", &unsigned).problem(&[403])["code"],
        "SSP-AUT-004"
    );
    host.stop();
}

#[test]
fn a_folder_is_taken_for_development_and_says_so() {
    let installation = Installation::new().plugin(PLUGIN, &json!({}));
    assert_eq!(listed(&installation)[0]["trust"], "folder");
    // A signed package in its place is a change of who answers for it.
    let vendor = Vendor::new();
    trust(&installation, &vendor, "Example");
    let file = packing("0.2.0").write(installation.scratch(), &[&vendor]);
    let key = format!("key:{}", vendor.id());
    assert_eq!(new_items(&plan(&installation, &file)), [key]);
    with_consent(&installation, "upgrade", &file).expect(0);
    assert_eq!(listed(&installation)[0]["trust"], "vendor");
}

/// Tomorrow's date, in UTC.
fn tomorrow() -> String {
    let now = std::time::SystemTime::now() + std::time::Duration::from_secs(24 * 3600);
    httpdate_to_iso(now)
}

fn httpdate_to_iso(time: std::time::SystemTime) -> String {
    // `Sun, 06 Nov 1994 08:49:37 GMT`
    let text = httpdate::fmt_http_date(time);
    let parts: Vec<&str> = text.split(' ').collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|month| *month == parts[2]).expect("a month") + 1;
    format!("{}-{month:02}-{}", parts[3], parts[1])
}

/// How many rows one of the host's tables has, while it does not run.
fn count(installation: &Installation, backend: &Backend, table: &str) -> i64 {
    match backend {
        Backend::Sqlite => {
            let path = installation.data().join("streamspace.db");
            let database = rusqlite::Connection::open(path).expect("the database");
            let query = format!("SELECT count(*) FROM {table}");
            database.query_row(&query, [], |row| row.get(0)).expect("a number")
        }
        Backend::Postgres(database) => {
            let query = format!("SELECT count(*) FROM streamspace.{table}");
            database.owner().query_one(&query, &[]).expect("a number").get(0)
        }
    }
}

/// Changes the host's tables, while it does not run.
fn sql(installation: &Installation, backend: &Backend, statement: &str) {
    match backend {
        Backend::Sqlite => {
            let path = installation.data().join("streamspace.db");
            let database = rusqlite::Connection::open(path).expect("the database");
            database.execute(statement, []).expect("changed");
        }
        Backend::Postgres(database) => {
            let mut client = database.owner();
            client.batch_execute(&format!("SET search_path TO streamspace; {statement}")).expect("changed");
        }
    }
}
