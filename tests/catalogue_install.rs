//! Plugins by name: from a catalogue into hosts, with consent to each package; upgrades of one and of all; and the same on
//! another host.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use serde_json::{Value, json};
use streamspace_package::SecretKey;
use streamspace_tests::{
    Api, Backend, DEADLINE, Host, Installation, Output, Packing, Process, Vendor, WebFolder, builds,
    on_both_backends, zlib_stored,
};

const COUNTER: &str = "fixture-counter";
const JOURNAL: &str = "fixture-journal";
const LOGGER: &str = "fixture-logger";
const STORAGE: &str = "fixture-storage";
const UPGRADE: &str = "fixture-upgrade";

on_both_backends!(
    a_plugin_comes_with_what_it_needs_and_only_with_consent_to_each,
    upgrades_by_name_take_what_is_needed_and_name_what_is_held_back,
    what_fails_among_several_leaves_what_came_before_and_names_the_rest,
    a_lock_makes_another_host_the_same,
    over_http_one_sees_the_plans_and_consents_to_each,
    what_conflicts_is_never_beside_each_other,
);

/// A catalogue of a vendor.
struct Shop {
    home: tempfile::TempDir,
    vendor: Vendor,
    key: String,
    web: WebFolder,
}

impl Shop {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let new = SecretKey::generate(None).unwrap();
        fs::write(home.path().join("catalogue.key"), &new.secret_file).unwrap();
        fs::create_dir_all(home.path().join("example/packages")).unwrap();
        let web = WebFolder::serve(&home.path().join("example"));
        Self { home, vendor: Vendor::new(), key: new.public.to_string(), web }
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("example")
    }

    fn put(&self, packing: Packing) -> PathBuf {
        packing.write(&self.folder().join("packages"), &[&self.vendor])
    }

    /// Builds the index.
    fn open(&self, by: &Installation) {
        let (folder, key) = (self.folder(), self.home.path().join("catalogue.key"));
        by.cli(&["catalog", "build", text(&folder), "--key", text(&key), "--name", "example"]).expect(0);
    }

    /// Has a host take from it, and trust its vendor.
    fn known_to(&self, host: &Installation, location: &str) {
        host.cli(&["catalog", "add", location, "--key", &self.key]).expect(0);
        host.cli(&["trust", "add", &self.vendor.key(), "--name", "Example Ltd."]).expect(0);
    }

    /// Builds the index, and has a host read it.
    fn publish(&self, host: &Installation) {
        self.open(host);
        host.cli(&["catalog", "sync"]).expect(0);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn packing(plugin: &str, version: &str) -> Packing {
    Packing::of(builds(), plugin).version(version)
}

fn needing(plugin: &str, version: &str, needs: &Value) -> Packing {
    packing(plugin, version).manifest(|manifest| manifest["dependencies"] = needs.clone())
}

/// An installation that does not watch a new version for long.
fn on(backend: &Backend) -> Installation {
    Installation::on(backend).set("plugins.health_gate_secs", 0)
}

/// One that takes everything that `--yes` is said to.
fn lenient(backend: &Backend) -> Installation {
    on(backend).set("packages.preapproved", vec!["permission:*", "dependency:*", "migration:*"])
}

/// Names and versions of what is installed.
fn installed(installation: &Installation) -> Vec<String> {
    let list = installation.cli(&["plugin", "list", "--json"]).expect(0).json();
    let named = |plugin: &Value| {
        format!("{} {}", plugin["name"].as_str().unwrap(), plugin["version"].as_str().unwrap())
    };
    list["plugins"].as_array().unwrap().iter().map(named).collect()
}

#[track_caller]
fn refused(output: Output, words: &[&str]) -> Output {
    let output = output.expect(1);
    for word in words {
        assert!(output.stderr.contains(word), "`{word}` is missing: {output:?}");
    }
    output
}

/// The digests of the plans of what a name takes, in order.
fn digests(installation: &Installation, name: &str) -> Vec<String> {
    let plans = installation.cli(&["plugin", "plan", name, "--json"]).expect(0).json();
    plans.as_array().unwrap().iter().map(|plan| plan["digest"].as_str().unwrap().to_owned()).collect()
}

/// Runs a command with consent to these plans.
fn with_consent(installation: &Installation, arguments: &[&str], digests: &[String]) -> Output {
    let flags = digests.iter().flat_map(|digest| ["--consent", digest.as_str()]);
    installation.cli(&arguments.iter().copied().chain(flags).collect::<Vec<_>>())
}

fn runs(host: &Host, plugin: &str, version: &str) {
    assert_eq!(host.wait_state(plugin, "running")["version"], version);
}

fn a_plugin_comes_with_what_it_needs_and_only_with_consent_to_each(backend: &Backend) {
    let shop = Shop::new();
    let host = on(backend).start();
    shop.put(needing(COUNTER, "0.1.0", &json!({LOGGER: "^0.1"})));
    shop.put(packing(LOGGER, "0.1.0"));
    shop.put(packing(LOGGER, "0.1.1"));
    shop.put(packing(LOGGER, "0.2.0"));
    shop.open(&host);
    shop.known_to(&host, &shop.web.url());

    // Nobody is there to be asked: both plans are shown, and nothing else is done.
    let shown = refused(
        host.cli(&["plugin", "install", COUNTER]),
        &["+ dependency fixture-logger ^0.1", "0.1.1, which is new", "nothing was changed", "these plans"],
    );
    let digests = digests(&host, COUNTER);
    assert!(
        shown.stderr.contains(&format!("--consent {} --consent {}", digests[0], digests[1])),
        "{shown:?}"
    );
    assert!(!shown.stderr.contains("Downloading") && !shown.stderr.contains("Verifying"), "{shown:?}");
    // Consent to one is none to the other, whichever comes first; and neither is anything else.
    for consents in [&digests[..1], &digests[1..], &["0".repeat(64)]] {
        refused(with_consent(&host, &["plugin", "install", COUNTER], consents), &["SSP-PLG-014"]);
    }
    refused(host.cli(&["plugin", "install", COUNTER, "--yes"]), &["SSP-PLG-015", "`permission:events`"]);
    assert!(installed(&host).is_empty(), "{:?}", installed(&host));

    let done = with_consent(&host, &["plugin", "install", COUNTER], &digests).expect(0).stdout;
    assert_eq!(
        done,
        "fixture-logger 0.1.1 is installed; it is running.\nfixture-counter 0.1.0 is installed; it is running."
    );
    assert_eq!(host.plugin(COUNTER)["trust"], "vendor");
    assert_eq!(shop.web.asked(".sspkg").len(), 2, "each was downloaded once");
    let left: Vec<_> =
        fs::read_dir(host.data().join("downloads")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.iter().all(|file| file.extension().is_none_or(|end| end != "sspkg")), "{left:?}");
    let entry = host.api().get(&format!("/api/v1/plugins/catalog/{LOGGER}")).expect(200).json();
    assert_eq!(
        (&entry["plugin"]["install_count"], &entry["plugin"]["installed"]),
        (&json!(1), &json!("0.1.1"))
    );
    let again = host.cli(&["plugin", "install", COUNTER]).expect(0).stdout;
    assert!(again.contains("installed already"), "{again}");
    let none = host.cli(&["plugin", "plan", COUNTER]).expect(0).stdout;
    assert!(none.contains("installed already"), "{none}");
    // What is there is not replaced by an older version.
    let older = host.cli(&["plugin", "install", "fixture-logger@=0.1.0"]);
    refused(older, &["SSP-DEP-007", "installed in version 0.1.1", "rollback"]);

    let host = host.stop().installation.start();
    runs(&host, COUNTER, "0.1.0");
    runs(&host, LOGGER, "0.1.1");
    host.stop();
}

fn upgrades_by_name_take_what_is_needed_and_name_what_is_held_back(backend: &Backend) {
    let shop = Shop::new();
    let host = lenient(backend).start();
    for plugin in [COUNTER, LOGGER, STORAGE] {
        shop.put(packing(plugin, "0.1.0"));
    }
    shop.open(&host);
    shop.known_to(&host, &shop.web.url());
    for plugin in [COUNTER, LOGGER, STORAGE] {
        host.cli(&["plugin", "install", plugin, "--yes"]).expect(0);
    }
    let none = host.cli(&["plugin", "upgrade", "--all"]).expect(0);
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("Nothing is to be upgraded.", ""));
    shop.put(needing(COUNTER, "0.2.0", &json!({LOGGER: "^0.2"})));
    shop.put(packing(LOGGER, "0.2.0"));
    shop.put(packing(STORAGE, "0.2.0"));
    shop.publish(&host);
    for plugin in [LOGGER, STORAGE] {
        host.cli(&["plugin", "pin", plugin]).expect(0);
    }

    let outdated = host.cli(&["plugin", "outdated", "--json"]).expect(0).json();
    let seen: Vec<_> = outdated
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), &one["fitting"], &one["newest"], &one["pinned"]))
        .collect();
    let (none, newest) = (Value::Null, json!("0.2.0"));
    assert_eq!(
        seen,
        [
            (COUNTER, &none, &newest, &json!(false)),
            (LOGGER, &none, &newest, &json!(true)),
            (STORAGE, &none, &newest, &json!(true)),
        ]
    );
    // A pin holds back what it is of, and what needs that to be newer. Both are said.
    let held = host.cli(&["plugin", "upgrade", "--all", "--yes"]).expect(0);
    assert_eq!(held.stdout, "Nothing is to be upgraded.");
    for words in [
        "fixture-counter stays at 0.1.0: 0.2.0 does not go with the other plugins",
        "fixture-logger stays at 0.1.0, to which it is pinned; 0.2.0 is the newest",
        "fixture-storage stays at 0.1.0, to which it is pinned; 0.2.0 is the newest",
    ] {
        assert!(held.stderr.contains(words), "`{words}` is missing: {held:?}");
    }
    refused(
        host.cli(&["plugin", "install", "--dry-run", "fixture-counter@=0.2.0"]),
        &["SSP-DEP-001", "`fixture-logger` is pinned to 0.1.0"],
    );
    refused(
        host.cli(&["plugin", "upgrade", LOGGER, "--yes"]),
        &["SSP-DEP-002", "pinned to 0.1.0", "0.2.0 is the newest", "pin fixture-logger --off"],
    );
    refused(host.cli(&["plugin", "upgrade", "fixture-logger@^0.2"]), &["SSP-DEP-002"]);
    // Only what is installed is upgraded.
    refused(host.cli(&["plugin", "upgrade", JOURNAL, "--yes"]), &["SSP-PLG-001", JOURNAL]);
    assert_eq!(installed(&host), ["fixture-counter 0.1.0", "fixture-logger 0.1.0", "fixture-storage 0.1.0"]);

    host.cli(&["plugin", "pin", LOGGER, "--off"]).expect(0);
    let done = host.cli(&["plugin", "upgrade", COUNTER, "--yes"]).expect(0).stdout;
    let order: Vec<_> = done.lines().map(|line| line.split(" is ").next().unwrap()).collect();
    assert_eq!(order, ["fixture-logger 0.2.0", "fixture-counter 0.2.0"], "what is needed comes first");
    runs(&host, COUNTER, "0.2.0");
    runs(&host, LOGGER, "0.2.0");
    let held = host.cli(&["plugin", "upgrade", "--all"]).expect(0);
    assert!(held.stdout == "Nothing is to be upgraded." && held.stderr.contains(STORAGE), "{held:?}");

    // All that is not pinned, without the pinned one; and what comes anew is not taken by `--yes`.
    shop.put(
        packing(COUNTER, "0.3.0").manifest(|manifest| manifest["permissions"] = json!(["events", "network"])),
    );
    shop.put(packing(LOGGER, "0.3.0"));
    shop.publish(&host);
    let host = host.stop().installation.set("packages.preapproved", Vec::<String>::new()).start();
    let new = host.cli(&["plugin", "upgrade", "--all", "--yes"]);
    refused(new, &["SSP-PLG-015", "`permission:network`", "fixture-storage stays at 0.1.0"]);
    assert_eq!(installed(&host), ["fixture-counter 0.2.0", "fixture-logger 0.2.0", "fixture-storage 0.1.0"]);
    let asked =
        refused(host.cli(&["plugin", "upgrade", "--all"]), &["+ permission network", "nothing was changed"]);
    let digests: Vec<String> = asked
        .stderr
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix("digest")?.trim().to_owned()))
        .collect();
    with_consent(&host, &["plugin", "upgrade", "--all"], &digests).expect(0);
    assert_eq!(installed(&host), ["fixture-counter 0.3.0", "fixture-logger 0.3.0", "fixture-storage 0.1.0"]);
    host.stop();
}

fn what_fails_among_several_leaves_what_came_before_and_names_the_rest(backend: &Backend) {
    let shop = Shop::new();
    let installation =
        lenient(backend).set("plugins.health_gate_secs", 5).set("plugins.health_gate_failures", 0);
    let notes = installation.scratch().join("notes.jsonl").to_str().unwrap().to_owned();
    let all = [COUNTER, JOURNAL, LOGGER, UPGRADE];
    for plugin in all {
        shop.put(packing(plugin, "0.1.0"));
    }
    shop.open(&installation);
    shop.known_to(&installation, text(&shop.folder()));
    for plugin in all {
        let done = installation.cli(&["plugin", "install", plugin, "--yes"]).expect(0);
        assert!(!done.stderr.contains("Unpacking"), "no terminal, no bar: {done:?}");
    }
    for plugin in [JOURNAL, UPGRADE] {
        installation.configure(plugin, &json!({"file": &notes})).expect(0);
    }
    let host = installation.start();
    let failing =
        |manifest: &mut Value| manifest["configSchema"]["properties"]["fails"]["default"] = json!("event");
    shop.put(packing(COUNTER, "0.2.0"));
    shop.put(needing(JOURNAL, "0.2.0", &json!({UPGRADE: ">=0.2"})));
    shop.put(packing(LOGGER, "0.2.0"));
    shop.put(packing(UPGRADE, "0.2.0").manifest(failing));
    shop.publish(&host);

    // The one that others need fails at the events that come meanwhile.
    let output = thread::scope(|scope| {
        let command = scope.spawn(|| host.cli(&["plugin", "upgrade", "--all", "--yes"]));
        host.wait_for(DEADLINE, "the command to end", || {
            host.post_event("test.durable", &json!({"n": 1}));
            command.is_finished().then_some(())
        });
        command.join().unwrap()
    });
    refused(
        output,
        &[
            "SSP-UPG-001",
            "Installed, and there to stay: `fixture-counter` 0.2.0.",
            "Not begun: `fixture-journal` 0.2.0, `fixture-logger` 0.2.0.",
            "Not installed: `fixture-upgrade` 0.2.0",
            "told to panic in a consumer",
        ],
    );
    let versions = |upgraded: &[&str], version: &str| {
        for plugin in all {
            runs(&host, plugin, if upgraded.contains(&plugin) { version } else { "0.1.0" });
        }
    };
    versions(&[COUNTER], "0.2.0");
    // Another version is good, and the rest comes along.
    shop.put(packing(UPGRADE, "0.3.0"));
    shop.publish(&host);
    host.cli(&["plugin", "upgrade", "--all", "--yes"]).expect(0);
    assert_eq!(
        installed(&host),
        ["fixture-counter 0.2.0", "fixture-journal 0.2.0", "fixture-logger 0.2.0", "fixture-upgrade 0.3.0"]
    );
    for plugin in all {
        host.wait_state(plugin, "running");
    }
    host.stop();
}

fn a_lock_makes_another_host_the_same(backend: &Backend) {
    let shop = Shop::new();
    let one = lenient(backend).start();
    shop.put(needing(COUNTER, "0.1.0", &json!({LOGGER: "^0.2"})));
    for version in ["0.1.0", "0.2.0"] {
        shop.put(packing(LOGGER, version).library(with_list));
    }
    shop.put(packing(STORAGE, "0.1.0").manifest(|manifest| manifest["conflicts"] = json!({COUNTER: "*"})));
    shop.open(&one);
    shop.known_to(&one, &shop.web.url());
    one.cli(&["plugin", "install", COUNTER, "--yes"]).expect(0);
    let lock = one.scratch().join("streamspace.lock");
    one.cli(&["plugin", "export", "--output", text(&lock)]).expect(0);
    let written = fs::read_to_string(&lock).unwrap();

    // Another host, which has something older, something else, and newer things in reach.
    let beside = match backend {
        Backend::Sqlite => Backend::Sqlite,
        Backend::Postgres(_) => Backend::postgres(),
    };
    let two = on(&beside);
    shop.put(packing(LOGGER, "0.2.1"));
    shop.put(needing(COUNTER, "0.1.1", &json!({LOGGER: "^0.2"})));
    shop.open(&two);
    shop.known_to(&two, text(&shop.folder()));
    for asked in ["fixture-logger@=0.1.0", STORAGE] {
        with_consent(&two, &["plugin", "install", asked], &digests(&two, asked)).expect(0);
    }
    let apply = ["plugin", "apply", "--frozen", text(&lock)];
    let asked = refused(two.cli(&apply), &["+ dependency fixture-logger ^0.2", "nothing was changed"]);
    refused(two.cli(&[&apply[..], &["--yes"]].concat()), &["SSP-PLG-015"]);
    assert_eq!(
        installed(&two),
        ["fixture-logger 0.1.0", "fixture-storage 0.1.0"],
        "nothing goes without consent"
    );
    let digests: Vec<String> = asked
        .stderr
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix("digest")?.trim().to_owned()))
        .collect();
    let done = with_consent(&two, &apply, &digests).expect(0).stdout;
    assert!(done.contains("fixture-storage is uninstalled"), "{done}");
    let again = two.cli(&["plugin", "export", "--output", "-"]).expect(0).stdout;
    assert_eq!(again.trim(), written.trim(), "the very same packages");
    let nothing = two.cli(&apply).expect(0).stdout;
    assert_eq!(nothing, "Everything is as the lock says.");
    let two = two.start();
    runs(&two, COUNTER, "0.1.0");
    runs(&two, LOGGER, "0.2.0");

    // What the installed libraries were built of is held against advisories, on each of them.
    let advisories = two.scratch().join("advisories");
    fs::create_dir_all(&advisories).unwrap();
    let advisory = |patched: &str| {
        let text = format!(
            "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"frail\"\ndate = \"2026-01-01\"\n[versions]\npatched = [{patched}]\n```\n# Frail\n"
        );
        fs::write(advisories.join("RUSTSEC-2026-0001.md"), text).unwrap();
    };
    for host in [&one, &two] {
        advisory("");
        let found = host.cli(&["plugin", "audit", "--advisories", text(&advisories)]).expect(1);
        assert!(found.stdout.contains("RUSTSEC-2026-0001") && found.stdout.contains("frail"), "{found:?}");
        advisory("\">=0.1\"");
        let found = host.cli(&["plugin", "audit", "--advisories", text(&advisories)]).expect(0);
        assert!(!found.stdout.contains("RUSTSEC-2026-0001"), "{found:?}");
    }
    one.stop();
    two.stop();
}

/// Gives a library the list of crates that `cargo auditable` leaves: one of them is frail.
fn with_list(library: &mut Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let list = br#"{"packages":[{"name":"frail","version":"0.1.0","source":"crates.io"},{"name":"it","version":"0.1.0","source":"local","root":true,"dependencies":[0]}]}"#;
    fs::write(at("list"), zlib_stored(list)).unwrap();
    fs::write(at("library"), &library).unwrap();
    let section = format!(".dep-v0={}", at("list").display());
    let status = Command::new("objcopy").arg("--add-section").arg(section).arg(at("library")).status();
    assert!(status.unwrap().success());
    *library = fs::read(at("library")).unwrap();
}

fn plans(api: &Api, path: &str, body: &Value) -> Vec<Value> {
    api.post_json(path, body).expect(200).json()["plugins"].as_array().unwrap().clone()
}

fn over_http_one_sees_the_plans_and_consents_to_each(backend: &Backend) {
    let shop = Shop::new();
    let host = on(backend).start();
    shop.put(needing(COUNTER, "0.1.0", &json!({LOGGER: "^0.1"})));
    shop.put(packing(LOGGER, "0.1.0"));
    shop.open(&host);
    shop.known_to(&host, &shop.web.url());
    let api = host.api();
    let listed = format!("/api/v1/plugins/catalog/{COUNTER}");
    let (plan, install) = (format!("{listed}/plan"), format!("{listed}/install"));

    let seen = plans(api, &plan, &json!({"version": "^0.1"}));
    let names: Vec<_> = seen.iter().map(|plan| plan["plugin"].as_str().unwrap()).collect();
    assert_eq!(names, [LOGGER, COUNTER]);
    assert_eq!(
        (&seen[1]["kind"], &seen[1]["trust"], &seen[1]["signer"]),
        (&json!("install"), &json!("vendor"), &json!("Example Ltd."))
    );
    assert!(
        seen[1]["changes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|change| change["item"] == "dependency:fixture-logger ^0.1")
    );
    for (consents, code) in [
        (json!({}), "SSP-PLG-015"),
        (json!({LOGGER: seen[0]["digest"]}), "SSP-PLG-015"),
        (json!({LOGGER: seen[0]["digest"], COUNTER: seen[0]["digest"]}), "SSP-PLG-014"),
    ] {
        let problem = api.post_json(&install, &json!({"consents": consents})).problem(&[409]);
        assert_eq!(problem["code"], code, "{problem}");
        assert!(installed(&host).is_empty(), "{consents}");
    }
    let wrong = api.post_json(&plan, &json!({"version": "one"})).problem(&[400]);
    assert_eq!(wrong["code"], "SSP-DEP-004");
    let nowhere = api.post_json("/api/v1/plugins/catalog/no-where/plan", &json!({})).problem(&[404]);
    assert_eq!(nowhere["code"], "SSP-CAT-004");
    let consents = json!({LOGGER: seen[0]["digest"], COUNTER: seen[1]["digest"]});
    let done = api.post_json(&install, &json!({"consents": consents})).expect(201).json();
    assert_eq!(done["plugins"][1]["state"], "running", "{done}");
    assert_eq!(plans(api, &plan, &json!({})), Vec::<Value>::new());
    assert_eq!(shop.web.asked(".sspkg").len(), 2, "each was downloaded once");

    // Any set of versions goes the same way.
    shop.put(packing(LOGGER, "0.1.1"));
    shop.publish(&host);
    let newest = api.post_json("/api/v1/install-plans", &json!({"plugins": [LOGGER], "newest": true}));
    let step = newest.expect(200).json()["steps"][0].clone();
    let mut exact = json!({"name": step["name"], "version": step["to"], "package": step["package"]});
    let seen = plans(api, "/api/v1/installations/plan", &json!({"plugins": [exact]}));
    assert_eq!(
        (&seen[0]["kind"], &seen[0]["from"], &seen[0]["to"]),
        (&json!("upgrade"), &json!("0.1.0"), &json!("0.1.1"))
    );
    exact["consent"] = json!("0".repeat(64));
    let problem = api.post_json("/api/v1/installations", &json!({"plugins": [exact]})).problem(&[409]);
    assert_eq!(problem["code"], "SSP-PLG-014");
    exact["consent"] = seen[0]["digest"].clone();
    let done = api.post_json("/api/v1/installations", &json!({"plugins": [exact]})).expect(201).json();
    assert_eq!(done["plugins"][0]["version"], "0.1.1");

    // To look at a plan is to have packages downloaded; and whom nobody trusts is not everybody's to decide.
    host.add_user("ada", "user");
    let refusal = host.browser("ada").call("POST", &plan, Some(&json!({}))).problem(&[403]);
    assert_eq!(refusal["code"], "SSP-AUT-004");
    host.add_user("grace", "admin");
    let (token, _) = host.add_token("grace", &["plugins.manage"]);
    let scoped = api.with_token(Some(&token));
    let _ = scoped.post_json(&plan, &json!({})).expect(200);
    exact["unsigned_until"] = json!("2099-01-01");
    for path in ["/api/v1/installations/plan", "/api/v1/installations"] {
        let refusal = scoped.post_json(path, &json!({"plugins": [exact]})).problem(&[403]);
        assert_eq!(refusal["code"], "SSP-AUT-004", "{path}");
    }
    host.stop();
}

fn what_conflicts_is_never_beside_each_other(backend: &Backend) {
    let shop = Shop::new();
    let installation = lenient(backend);
    // As a vendor says it, and `package build` carries it over.
    let folder = installation.copy(STORAGE, "storage");
    let manifest = Path::new(folder.path()).join("manifest.json");
    let mut said: Value = serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
    said["conflicts"] = json!({LOGGER: "<0.2"});
    fs::remove_file(&manifest).unwrap();
    fs::write(&manifest, said.to_string()).unwrap();
    let key = installation.scratch().join("vendor.key");
    let (new, packages) = (SecretKey::generate(None).unwrap(), shop.folder().join("packages"));
    fs::write(&key, &new.secret_file).unwrap();
    let build = ["package", "build", folder.path(), "--key", text(&key), "--out", text(&packages)];
    installation.cli(&build).expect(0);
    let storage = packages.join("fixture-storage-0.1.0.sspkg");
    let inspected = installation.cli(&["package", "inspect", text(&storage), "--json"]).expect(0).json();
    assert_eq!(inspected["conflicts"], json!({LOGGER: "<0.2"}), "{inspected}");
    installation.cli(&["trust", "add", &new.public.to_string(), "--name", "Storage Ltd."]).expect(0);
    let logger = shop.put(packing(LOGGER, "0.1.0"));
    shop.open(&installation);
    shop.known_to(&installation, text(&shop.folder()));
    let host = installation.start();
    let show = host.cli(&["catalog", "show", STORAGE]).expect(0).stdout;
    assert!(show.contains("fixture-logger <0.2"), "{show}");

    // What is new says so.
    host.cli(&["plugin", "install", LOGGER, "--yes"]).expect(0);
    let words = [
        "SSP-DEP-008",
        "`fixture-storage` 0.1.0 and `fixture-logger` 0.1.0",
        "conflicts with `fixture-logger` <0.2",
    ];
    refused(host.cli(&["plugin", "plan", text(&storage)]), &words);
    refused(host.cli(&["plugin", "install", text(&storage), "--yes"]), &words);
    refused(host.cli(&["plugin", "install", folder.path()]), &words);
    let explained = host.cli(&["plugin", "install", STORAGE, "--yes"]);
    refused(explained, &["SSP-DEP-001", "`fixture-storage` 0.1.0 conflicts with `fixture-logger` <0.2.0"]);
    let problem = host.api().post_json("/api/v1/packages/plan", &json!({"path": storage})).problem(&[409]);
    assert_eq!(problem["code"], "SSP-DEP-008");
    assert_eq!(installed(&host), ["fixture-logger 0.1.0"]);

    // What is installed says so.
    host.cli(&["plugin", "uninstall", LOGGER]).expect(0);
    host.cli(&["plugin", "install", STORAGE, "--yes"]).expect(0);
    refused(host.cli(&["plugin", "install", text(&logger), "--yes"]), &words);
    refused(host.cli(&["plugin", "install", text(builds().plugin(LOGGER))]), &words);
    let explained = host.cli(&["plugin", "install", LOGGER, "--yes"]);
    refused(explained, &["SSP-DEP-001", "`fixture-storage` 0.1.0 conflicts with `fixture-logger` <0.2.0"]);
    assert_eq!(installed(&host), ["fixture-storage 0.1.0"]);

    // What goes with it is taken, and is made to go with it first.
    host.cli(&["plugin", "uninstall", STORAGE]).expect(0);
    host.cli(&["plugin", "install", LOGGER, "--yes"]).expect(0);
    shop.put(packing(LOGGER, "0.2.0"));
    shop.publish(&host);
    let done = host.cli(&["plugin", "install", STORAGE, "--yes"]).expect(0).stdout;
    let order: Vec<_> = done.lines().map(|line| line.split(" is ").next().unwrap()).collect();
    assert_eq!(order, ["fixture-logger 0.2.0", "fixture-storage 0.1.0"]);
    refused(host.cli(&["plugin", "rollback", LOGGER]), &words);
    runs(&host, LOGGER, "0.2.0");
    runs(&host, STORAGE, "0.1.0");
    host.stop();
}

#[test]
fn a_name_that_nobody_trusted_has_signed_takes_an_exception() {
    let shop = Shop::new();
    let installation = Installation::new();
    let _ = packing(LOGGER, "0.1.0").write(&shop.folder().join("packages"), &[&Vendor::new()]);
    shop.open(&installation);
    shop.known_to(&installation, &shop.web.url());
    refused(installation.cli(&["plugin", "install", LOGGER, "--yes"]), &["SSP-PKG-023"]);
    let until = "9999-12-31";
    let far = ["plugin", "install", LOGGER, "--allow-unsigned", LOGGER, "--until", until];
    refused(installation.cli(&far), &["SSP-TRU-006"]);
    let until = tomorrow();
    let allowed = ["plugin", "install", LOGGER, "--allow-unsigned", LOGGER, "--until", &until];
    let asked = refused(installation.cli(&allowed), &["+ unsigned fixture-logger", "Nobody answers for it"]);
    let digest =
        asked.stderr.lines().find_map(|line| line.trim().strip_prefix("digest")).unwrap().trim().to_owned();
    with_consent(&installation, &allowed, &[digest]).expect(0);
    let listed = installation.cli(&["plugin", "list"]).expect(0).stdout;
    assert!(listed.contains(&format!("UNSIGNED until {until}")), "{listed}");
}

#[test]
fn a_catalogue_that_lies_about_a_package_is_found_out() {
    let shop = Shop::new();
    let host = lenient(&Backend::Sqlite).start();
    shop.put(packing(LOGGER, "0.1.0"));
    shop.open(&host);
    let [index, signature] = ["index.json", "index.minisig"].map(|name| shop.folder().join(name));
    let mut document: Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    document["plugins"][0]["versions"][0]["package"]["package"] = json!("0".repeat(64));
    let key = fs::read_to_string(shop.home.path().join("catalogue.key")).unwrap();
    let key = SecretKey::from_file_text(&key, None).unwrap();
    fs::write(&index, document.to_string()).unwrap();
    fs::write(&signature, key.sign(document.to_string().as_bytes(), "a test").unwrap().as_str()).unwrap();
    shop.known_to(&host, &shop.web.url());
    refused(
        host.cli(&["plugin", "install", LOGGER, "--yes"]),
        &["SSP-DEP-005", &"0".repeat(64), "Tell whoever hosts"],
    );
    let answer = host.api().post_json(&format!("/api/v1/plugins/catalog/{LOGGER}/install"), &json!({}));
    assert_eq!(answer.problem(&[422])["code"], "SSP-DEP-005");
    assert!(installed(&host).is_empty());
}

#[test]
fn a_host_elsewhere_downloads_itself() {
    let shop = Shop::new();
    let host = lenient(&Backend::Sqlite).start();
    shop.put(packing(LOGGER, "0.1.0"));
    shop.open(&host);
    shop.known_to(&host, &shop.web.url());
    let here = Installation::new();
    let token = fs::read_to_string(host.data().join("admin.token")).unwrap();
    let mut command = Command::new(&here.builds().host);
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("STREAMSPACE_"))
    {
        command.env_remove(name);
    }
    command
        .arg("--config")
        .arg(here.config_file())
        .args(["plugin", "install", LOGGER, "--yes"])
        .env("STREAMSPACE_URL", format!("http://{}", host.address()))
        .env("STREAMSPACE_TOKEN", token.trim());
    let mut process = Process::spawn(&mut command);
    assert!(process.wait(DEADLINE).success(), "{}", process.stderr.text());
    runs(&host, LOGGER, "0.1.0");
    assert_eq!(shop.web.asked(".sspkg").len(), 1);
    assert!(!here.data().join("downloads").exists());
}

fn tomorrow() -> String {
    let day = std::time::SystemTime::now() + std::time::Duration::from_hours(24);
    // The date of HTTP, turned round.
    let text = httpdate::fmt_http_date(day);
    let parts: Vec<_> = text.split(' ').collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|month| *month == parts[2]).unwrap() + 1;
    format!("{}-{month:02}-{}", parts[3], parts[1])
}
