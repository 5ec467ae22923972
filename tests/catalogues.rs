//! Catalogues: built, signed, served, synced, searched, rated; which plans come of them, and what is refused of them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{fs, path::Path};

use serde_json::{Value, json};
use streamspace_package::{Glibc, SecretKey};
use streamspace_tests::{
    Answer, Backend, DEADLINE, Hosted, ICON, Installation, Listed, WebFolder, new_key, on_both_backends,
};

on_both_backends!(
    a_catalogue_is_built_added_searched_and_synced,
    what_users_think_survives_every_sync,
    an_older_index_one_that_is_over_and_one_by_another_key_change_nothing,
    the_last_plugin_goes_too_and_a_catalogue_goes_whole,
    a_successor_of_the_key_is_accepted_once_it_was_introduced,
    a_list_of_the_platform_is_shown_and_not_installed,
    it_works_without_a_host_that_runs,
);

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn names(answer: &Answer) -> Vec<String> {
    let page = answer.json();
    page["plugins"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

/// The outcome of the one catalogue that was synced, and the code if it failed.
#[track_caller]
fn synced(answer: &Answer) -> (String, String) {
    let catalogs = answer.json()["catalogs"].clone();
    assert_eq!(catalogs.as_array().unwrap().len(), 1, "{catalogs}");
    let word = |key: &str| catalogs[0][key].as_str().unwrap_or_default().to_owned();
    (word("outcome"), word("code"))
}

const UPDATED: (&str, &str) = ("updated", "");

fn is(found: &(String, String), expected: (&str, &str)) -> bool {
    (found.0.as_str(), found.1.as_str()) == expected
}

fn a_catalogue_is_built_added_searched_and_synced(backend: &Backend) {
    let host = Installation::on(backend).start();
    let hosted = Hosted::new(&host, "example");
    hosted.put(&Listed::new("aa-chat", "1.0.0"));
    hosted.put(&Listed::new("aa-chat", "1.1.0"));
    hosted.put(&Listed { target: "riscv64gc-unknown-linux-gnu", ..Listed::new("bb-mail", "0.1.0") });
    hosted.build(&[]);
    let web = WebFolder::serve(&hosted.folder);
    let api = host.api();

    let listed = hosted.added(&web.url()).expect(0).stdout;
    assert!(listed.contains("The catalogue example is added: 2 plugins, index 1"), "{listed}");
    let again = hosted.added(&web.url()).expect(1).stderr;
    assert!(again.contains("SSP-CAT-002"), "{again}");

    assert_eq!(names(&api.get("/api/v1/plugins/catalog?sort=name").expect(200)), ["aa-chat", "bb-mail"]);
    assert_eq!(names(&api.get("/api/v1/plugins/catalog?search=CHAT%20notif").expect(200)), ["aa-chat"]);
    assert_eq!(
        names(&api.get("/api/v1/plugins/catalog?tag=bb-mail&category=chat&type=webhook").expect(200)),
        ["bb-mail"]
    );
    let page = api.get("/api/v1/plugins/catalog?sort=name&skip=1&limit=1").expect(200);
    assert_eq!((names(&page), &page.json()["total"]), (vec!["bb-mail".to_owned()], &json!(2)));
    assert!(names(&api.get("/api/v1/plugins/catalog?type=theme").expect(200)).is_empty());
    api.get("/api/v1/plugins/catalog?sort=best").problem(&[400]);

    let entry = api.get("/api/v1/plugins/catalog/aa-chat").expect(200).json();
    assert_eq!(entry["plugin"]["version"], "1.1.0");
    assert_eq!(entry["plugin"]["display_name"], "The aa-chat");
    assert_eq!(entry["plugin"]["icon"], "icons/aa-chat.svg");
    assert_eq!(fs::read(hosted.folder.join("icons/aa-chat.svg")).unwrap(), ICON);
    assert_eq!(entry["versions"][0]["changelog"], "- New in 1.1.0.");
    assert_eq!(entry["versions"][1]["version"], "1.0.0");
    assert_eq!(entry["versions"][0]["permissions"], json!(["network"]));
    assert_eq!(api.get("/api/v1/plugins/catalog/cc-none").problem(&[404])["code"], "SSP-CAT-004");

    // Nothing new is nothing; a new version is there after the next sync, and not before.
    let unchanged = synced(&api.post_json("/api/v1/catalogs/sync", &json!({})).expect(200));
    assert!(is(&unchanged, ("unchanged", "")), "{unchanged:?}");
    hosted.put(&Listed::new("aa-chat", "2.0.0"));
    hosted.build(&["--yank", "aa-chat@1.1.0", "--reason", "it loses messages"]);
    assert_eq!(api.get("/api/v1/plugins/catalog/aa-chat").json()["plugin"]["version"], "1.1.0");
    let updated = synced(&api.post_json("/api/v1/catalogs/sync", &json!({"name": "example"})).expect(200));
    assert!(is(&updated, UPDATED), "{updated:?}");
    let shown = host.cli(&["catalog", "show", "aa-chat"]).expect(0).stdout;
    for expected in ["aa-chat 2.0.0: The aa-chat", "- New in 2.0.0.", "it loses messages", "1.0.0"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let found = host.cli(&["catalog", "search", "messaging", "--type", "webhook"]).expect(0).stdout;
    assert!(found.contains("aa-chat 2.0.0") && found.contains("bb-mail 0.1.0"), "{found}");

    // Plans: what fits this machine, and why something does not.
    let plan = host.cli(&["--json", "plugin", "install", "--dry-run", "aa-chat@^1"]).expect(0).json();
    assert_eq!(plan["steps"][0]["to"], "1.0.0", "1.1.0 was withdrawn: {plan}");
    let refused = host.cli(&["plugin", "install", "bb-mail"]).expect(1).stderr;
    assert!(refused.contains("has no library for") && refused.contains("SSP-DEP-001"), "{refused}");
    #[cfg(target_env = "gnu")]
    {
        let glibc_min = Some(Glibc { major: 99, minor: 9 });
        hosted.put(&Listed { glibc_min, ..Listed::new("cc-new", "1.0.0") });
        hosted
            .put(&Listed { glibc_min: Some(Glibc { major: 2, minor: 1 }), ..Listed::new("cc-new", "0.9.0") });
        hosted.build(&[]);
        host.cli(&["catalog", "sync"]).expect(0);
        let refused = host.cli(&["plugin", "install", "cc-new@^1"]).expect(1).stderr;
        for word in ["SSP-DEP-001", "cc-new", "it needs glibc 99.9", ", glibc 2."] {
            assert!(refused.contains(word), "`{word}`: {refused}");
        }
        // The newest that this machine can run.
        let plan = host.cli(&["--json", "plugin", "install", "--dry-run", "cc-new"]).expect(0).json();
        assert_eq!(plan["steps"][0]["to"], "0.9.0", "{plan}");
    }
}

fn what_users_think_survives_every_sync(backend: &Backend) {
    let host = Installation::on(backend).start();
    let hosted = Hosted::new(&host, "example");
    hosted.put(&Listed::new("aa-chat", "1.0.0"));
    hosted.put(&Listed::new("bb-mail", "1.0.0"));
    hosted.build(&[]);
    hosted.added(text(&hosted.folder)).expect(0);
    let api = host.api();
    let rate = "/api/v1/plugins/catalog/aa-chat/rate";
    host.add_user("ada", "user");
    host.add_user("grace", "user");
    let (ada, grace) = (host.browser("ada"), host.browser("grace"));

    let _ = ada.call("POST", rate, Some(&json!({"rating": 5, "review": "Good."}))).expect(200);
    let _ = grace.call("POST", rate, Some(&json!({"rating": 1}))).expect(200);
    let entry = grace.call("POST", rate, Some(&json!({"rating": 2, "review": "Slow."}))).expect(200).json();
    assert_eq!((&entry["plugin"]["avg_rating"], &entry["plugin"]["rating_count"]), (&json!(3.5), &json!(2)));
    for (body, status, code) in [
        (json!({"rating": 0}), 422, "SSP-CAT-014"),
        (json!({"rating": 6}), 422, "SSP-CAT-014"),
        (json!({"rating": "5"}), 400, "SSP-API-002"),
        (json!({"rating": 5, "review": "x".repeat(5000)}), 422, "SSP-CAT-014"),
    ] {
        assert_eq!(ada.call("POST", rate, Some(&body)).problem(&[status])["code"], code, "{body}");
    }
    let nowhere = ada.call("POST", "/api/v1/plugins/catalog/cc-none/rate", Some(&json!({"rating": 5})));
    assert_eq!(nowhere.problem(&[404])["code"], "SSP-CAT-004");
    assert_eq!(api.post_json(rate, &json!({"rating": 5})).problem(&[403])["code"], "SSP-CAT-015");
    // Those who look for plugins see no catalogue's address, and add none.
    assert_eq!(ada.call("GET", "/api/v1/catalogs", None).problem(&[403])["code"], "SSP-AUT-004");
    assert_eq!(
        ada.call("POST", "/api/v1/catalogs/sync", Some(&json!({}))).problem(&[403])["code"],
        "SSP-AUT-004"
    );

    for version in ["1.1.0", "1.2.0"] {
        hosted.put(&Listed::new("aa-chat", version));
        hosted.build(&[]);
        let updated = synced(&api.post_json("/api/v1/catalogs/sync", &json!({})).expect(200));
        assert!(is(&updated, UPDATED), "{updated:?}");
    }
    let _ = api.delete("/api/v1/catalogs/example").expect(204);
    hosted.added(text(&hosted.folder)).expect(0);
    let entry = api.get("/api/v1/plugins/catalog/aa-chat").expect(200).json();
    assert_eq!(entry["plugin"]["version"], "1.2.0");
    assert_eq!((&entry["plugin"]["avg_rating"], &entry["plugin"]["rating_count"]), (&json!(3.5), &json!(2)));
    assert_eq!(entry["reviews"][0]["user"], "grace", "the newest first: {entry}");
    assert_eq!(entry["reviews"][1]["review"], "Good.");
    let order = names(&api.get("/api/v1/plugins/catalog?sort=rating").expect(200));
    assert_eq!(order, ["aa-chat", "bb-mail"]);

    // With an account goes what it said.
    let _ = api.delete("/api/v1/users/grace").expect(204);
    let entry = api.get("/api/v1/plugins/catalog/aa-chat").expect(200).json();
    assert_eq!((&entry["plugin"]["avg_rating"], &entry["plugin"]["rating_count"]), (&json!(5.0), &json!(1)));
}

fn an_older_index_one_that_is_over_and_one_by_another_key_change_nothing(backend: &Backend) {
    let host = Installation::on(backend).start();
    let hosted = Hosted::new(&host, "example");
    hosted.put(&Listed::new("aa-chat", "1.0.0"));
    hosted.build(&[]);
    let web = WebFolder::serve(&hosted.folder);
    let stranger = SecretKey::generate(None).unwrap().public.to_string();
    let refused = host.cli(&["catalog", "add", &web.url(), "--key", &stranger]).expect(1).stderr;
    assert!(
        refused.contains("SSP-PKG-") && refused.contains(&hosted.key.public.id().to_string()),
        "{refused}"
    );
    assert_eq!(host.api().get("/api/v1/catalogs").json()["catalogs"], json!([]));

    hosted.added(&web.url()).expect(0);
    let first = hosted.taken();
    hosted.put(&Listed::new("aa-chat", "1.1.0"));
    hosted.build(&[]);
    let second = hosted.taken();
    let sync = || synced(&host.api().post_json("/api/v1/catalogs/sync", &json!({})).expect(200));
    assert!(is(&sync(), UPDATED));

    hosted.put_back(&first);
    assert!(is(&sync(), ("failed", "SSP-CAT-007")), "replayed: {:?}", sync());
    // Another of the same version.
    hosted.put_back(&first);
    hosted.build(&["--days", "9"]);
    assert!(is(&sync(), ("failed", "SSP-CAT-008")), "forked: {:?}", sync());
    // A byte of it.
    let mut changed = second.clone();
    let at = changed[0].len() / 2;
    changed[0][at] ^= 1;
    hosted.put_back(&changed);
    let (outcome, code) = sync();
    assert!(outcome == "failed" && code.starts_with("SSP-PKG-"), "{code}");
    // That of another catalogue by the same key.
    fs::remove_file(hosted.folder.join("index.json")).unwrap();
    hosted.build(&["--name", "another"]);
    assert!(is(&sync(), ("failed", "SSP-CAT-006")), "another: {:?}", sync());
    // None.
    fs::remove_file(hosted.folder.join("index.json")).unwrap();
    assert!(is(&sync(), ("failed", "SSP-CAT-021")), "none: {:?}", sync());

    let entry = host.api().get("/api/v1/plugins/catalog/aa-chat").expect(200).json();
    assert_eq!(entry["plugin"]["version"], "1.1.0", "what was known stays");
    let listed = host.api().get("/api/v1/catalogs").json();
    assert!(listed["catalogs"][0]["failure"].as_str().unwrap().contains("SSP-CAT-021"), "{listed}");
    hosted.put_back(&second);
    assert!(is(&sync(), ("unchanged", "")));
    assert_eq!(host.api().get("/api/v1/catalogs").json()["catalogs"][0]["failure"], Value::Null);

    // One that is over is refused, however well it is signed.
    let mut index: Value = serde_json::from_slice(&second[0]).unwrap();
    index["version"] = json!(3);
    index["expires"] = json!("2020-01-01T00:00:00Z");
    let (index, secret) =
        (index.to_string(), SecretKey::from_file_text(&hosted.key.secret_file, None).unwrap());
    let signature = secret.sign(index.as_bytes(), "a test").unwrap();
    hosted.put_back(&[index.into_bytes(), signature.as_str().as_bytes().to_vec()]);
    assert!(is(&sync(), ("failed", "SSP-CAT-009")), "over: {:?}", sync());
}

fn the_last_plugin_goes_too_and_a_catalogue_goes_whole(backend: &Backend) {
    let host = Installation::on(backend).start();
    let hosted = Hosted::new(&host, "example");
    let package = hosted.put(&Listed::new("aa-chat", "1.0.0"));
    hosted.build(&[]);
    hosted.added(text(&hosted.folder)).expect(0);
    fs::remove_file(package).unwrap();
    hosted.build(&[]);
    host.cli(&["catalog", "sync"]).expect(0);
    let page = host.api().get("/api/v1/plugins/catalog").expect(200).json();
    assert_eq!(page, json!({"plugins": [], "total": 0}));

    // Two packages of one version are no catalogue, and the index that is there stays.
    let before = hosted.taken();
    let one = hosted.put(&Listed::new("bb-mail", "1.0.0"));
    fs::copy(&one, hosted.folder.join("copy.sspkg")).unwrap();
    let refused = hosted.try_build(&[]).expect(1).stderr;
    assert!(refused.contains("bb-mail 1.0.0, and so is") && refused.contains("SSP-CAT-016"), "{refused}");
    assert_eq!(hosted.taken(), before);
    fs::remove_file(hosted.folder.join("copy.sspkg")).unwrap();

    // Nor is a damaged one listed, nor one that becomes another.
    let whole = fs::read(&one).unwrap();
    let mut damaged = whole.clone();
    let last = damaged.len() - 3000;
    damaged[last] ^= 1;
    fs::write(&one, damaged).unwrap();
    let refused = hosted.try_build(&[]).expect(1).stderr;
    assert!(refused.contains("SSP-PKG-0") && refused.contains(text(&one)), "{refused}");
    fs::write(&one, whole).unwrap();
    hosted.build(&[]);
    let published = hosted.taken();
    let other = hosted.put(&Listed { bytes: 6000, ..Listed::new("bb-mail", "1.0.0") });
    assert_eq!(other, one);
    let refused = hosted.try_build(&[]).expect(1).stderr;
    assert!(refused.contains("another bb-mail 1.0.0") && refused.contains("SSP-CAT-016"), "{refused}");
    // A name is for good, too.
    let refused = hosted.try_build(&["--name", "another"]).expect(1).stderr;
    assert!(refused.contains("it is the catalogue example"), "{refused}");
    assert_eq!(hosted.taken(), published);

    host.cli(&["catalog", "remove", "example"]).expect(0);
    let refused = host.cli(&["catalog", "remove", "example"]).expect(1).stderr;
    assert!(refused.contains("SSP-CAT-001"), "{refused}");
    let refused = host.cli(&["catalog", "sync", "example"]).expect(1).stderr;
    assert!(refused.contains("SSP-CAT-001"), "{refused}");
}

fn a_successor_of_the_key_is_accepted_once_it_was_introduced(backend: &Backend) {
    let host = Installation::on(backend).start();
    let hosted = Hosted::new(&host, "example");
    hosted.put(&Listed::new("aa-chat", "1.0.0"));
    hosted.build(&[]);
    hosted.added(text(&hosted.folder)).expect(0);
    let (new, new_file) = new_key(&host, "new.key");
    let sync = || synced(&host.api().post_json("/api/v1/catalogs/sync", &json!({})).expect(200));

    hosted.build(&["--key", text(&new_file)]);
    let (outcome, code) = sync();
    assert!(outcome == "failed" && code.starts_with("SSP-PKG-"), "nobody introduced it: {code}");
    let next = new.public.to_string();
    hosted.build(&["--key", text(&hosted.key_file), "--key", text(&new_file), "--next-key", &next]);
    assert!(is(&sync(), UPDATED));
    hosted.build(&["--key", text(&new_file), "--forget-next-key"]);
    assert!(is(&sync(), UPDATED));
    assert_eq!(host.api().get("/api/v1/catalogs").json()["catalogs"][0]["key"], json!(next));
    hosted.build(&[]);
    let (outcome, code) = sync();
    assert!(outcome == "failed" && code.starts_with("SSP-PKG-"), "the old key is over: {code}");
}

fn a_list_of_the_platform_is_shown_and_not_installed(backend: &Backend) {
    let host = Installation::on(backend).start();
    let list = host.scratch().join("catalog.yaml");
    let plugin =
        "{name: streamspace-teams, version: 1.0.0, displayName: Teams, type: webhook, category: official}";
    fs::write(&list, format!("metadata: {{name: platform}}\nspec: {{plugins: [{plugin}]}}\n")).unwrap();
    for _ in 0..2 {
        let said = host.cli(&["catalog", "import", text(&list)]).expect(0).stdout;
        assert!(said.contains("cannot be installed"), "{said}");
    }
    let entry = host.api().get("/api/v1/plugins/catalog/streamspace-teams").expect(200).json();
    assert_eq!(
        (&entry["plugin"]["installable"], &entry["plugin"]["catalog"]),
        (&json!(false), &json!("platform"))
    );
    let refused = host.cli(&["plugin", "install", "streamspace-teams"]).expect(1).stderr;
    assert!(refused.contains("SSP-CAT-013") && refused.contains("Ask its vendor for a package"), "{refused}");
    let refused = host.cli(&["catalog", "sync", "platform"]).expect(1).stderr;
    assert!(refused.contains("SSP-CAT-011"), "{refused}");
    host.cli(&["catalog", "sync"]).expect(0);
    fs::write(&list, "spec: [").unwrap();
    let refused = host.cli(&["catalog", "import", text(&list)]).expect(1).stderr;
    assert!(refused.contains("SSP-CAT-012"), "{refused}");
}

fn it_works_without_a_host_that_runs(backend: &Backend) {
    let installation = Installation::on(backend);
    let hosted = Hosted::new(&installation, "example");
    hosted.put(&Listed::new("aa-chat", "1.0.0").needs("bb-mail", "^1.2"));
    hosted.put(&Listed::new("bb-mail", "1.2.0"));
    hosted.put(&Listed::new("bb-mail", "2.0.0"));
    hosted.build(&[]);
    hosted.added(text(&hosted.folder)).expect(0);
    installation.cli(&["catalog", "sync"]).expect(0);
    let found = installation.cli(&["--json", "catalog", "search", "aa-chat"]).expect(0).json();
    assert_eq!(found["total"], 1);
    let plan = installation.cli(&["plugin", "install", "--dry-run", "aa-chat"]).expect(0).stdout;
    let expected = "install bb-mail 1.2.0, needed by aa-chat (catalogue example); it asks for network\n\
                    install aa-chat 1.0.0 (catalogue example); it asks for network";
    assert_eq!(plan, expected);
    assert_eq!(installation.cli(&["plugin", "outdated"]).expect(0).stdout.lines().count(), 1);
    installation.cli(&["catalog", "remove", "example"]).expect(0);
}

#[test]
fn what_is_revoked_is_not_installed() {
    let host = Installation::new().start();
    let hosted = Hosted::new(&host, "example");
    hosted.put(&Listed::new("aa-chat", "1.0.0"));
    hosted.build(&[]);
    hosted.added(text(&hosted.folder)).expect(0);
    let entry = host.api().get("/api/v1/plugins/catalog/aa-chat").expect(200).json();
    let package = entry["versions"][0]["package"].as_str().unwrap().to_owned();
    hosted.build(&["--revoke-package", &package, "--reason", "it steals tokens"]);
    host.cli(&["catalog", "sync"]).expect(0);
    let said = host.cli(&["plugin", "install", "aa-chat"]).expect(1).stderr;
    assert!(said.contains("is revoked: it steals tokens"), "{said}");
    // What was revoked once stays so in later indexes.
    hosted.build(&[]);
    host.cli(&["catalog", "sync"]).expect(0);
    let said = host.cli(&["plugin", "install", "aa-chat"]).expect(1).stderr;
    assert!(said.contains("is revoked: it steals tokens"), "{said}");
}

#[test]
fn of_two_catalogues_the_first_is_taken() {
    let installation = Installation::new();
    let (one, other) = (Hosted::new(&installation, "one"), Hosted::new(&installation, "other"));
    one.put(&Listed::new("aa-chat", "1.0.0"));
    other.put(&Listed::new("aa-chat", "9.0.0"));
    for hosted in [&one, &other] {
        hosted.build(&[]);
        hosted.added(text(&hosted.folder)).expect(0);
    }
    let shown = installation.cli(&["--json", "catalog", "show", "aa-chat"]).expect(0).json();
    assert_eq!(
        (&shown["plugin"]["catalog"], &shown["plugin"]["also_in"]),
        (&json!("one"), &json!(["other"]))
    );
    let plan = installation.cli(&["--json", "plugin", "install", "--dry-run", "aa-chat"]).expect(0).json();
    assert_eq!(plan["steps"][0]["to"], "1.0.0");
}

#[test]
fn a_host_syncs_by_itself_if_it_is_told_to() {
    let installation = Installation::new().set("catalog.sync_interval_secs", 1);
    let hosted = Hosted::new(&installation, "example");
    hosted.put(&Listed::new("aa-chat", "1.0.0"));
    hosted.build(&[]);
    hosted.added(text(&hosted.folder)).expect(0);
    let (folder, key) = (hosted.folder.clone(), hosted.key_file.clone());
    let host = installation.start();
    Listed::new("aa-chat", "1.1.0").write(&folder, &SecretKey::generate(None).unwrap());
    host.cli(&["catalog", "build", text(&folder), "--key", text(&key)]).expect(0);
    host.wait_for(DEADLINE, "the newer version", || {
        let entry = host.api().get("/api/v1/plugins/catalog/aa-chat").expect(200).json();
        (entry["plugin"]["version"] == "1.1.0").then_some(())
    });
}

#[test]
fn a_lock_says_what_differs_and_what_no_catalogue_has() {
    let installation = Installation::new();
    let hosted = Hosted::new(&installation, "example");
    hosted.put(&Listed::new("aa-chat", "1.0.0").needs("zz-base", "^1"));
    hosted.put(&Listed::new("zz-base", "1.0.0"));
    hosted.build(&[]);
    hosted.added(text(&hosted.folder)).expect(0);
    let package = |name: &str| {
        let shown = installation.cli(&["--json", "catalog", "show", name]).expect(0).json();
        shown["versions"][0]["package"].as_str().unwrap().to_owned()
    };
    let locked = |name: &str, version: &str, hash: &str| {
        format!(
            "[[plugin]]\nname = {name:?}\nversion = {version:?}\npackage = {hash:?}\nsource = \"catalog:example\"\n"
        )
    };
    let file = installation.scratch().join("streamspace.lock");
    let apply = |plugins: &[String]| {
        fs::write(&file, format!("schema = 1\n{}", plugins.concat())).unwrap();
        installation.cli(&["plugin", "apply", "--frozen", text(&file), "--dry-run"])
    };
    let both =
        [locked("aa-chat", "1.0.0", &package("aa-chat")), locked("zz-base", "1.0.0", &package("zz-base"))];
    let plan = apply(&both).expect(0).stdout;
    let steps: Vec<_> = plan.lines().map(|line| line.split(" (").next().unwrap()).collect();
    assert_eq!(steps, ["install zz-base 1.0.0", "install aa-chat 1.0.0"], "what is needed comes first");
    for (plugins, code) in [
        (locked("aa-chat", "1.0.0", &"0".repeat(64)), "SSP-DEP-005"),
        (locked("aa-chat", "1.0.1", &package("aa-chat")), "SSP-DEP-005"),
        (locked("aa-chat", "1.0.0", "0"), "SSP-LCK-002"),
    ] {
        let refused = apply(&[plugins]).expect(1).stderr;
        assert!(refused.contains(code), "{code}: {refused}");
    }

    // What is installed from a folder is from no package, and is not what any lock says.
    installation.install(installation.builds().plugin("fixture-counter")).expect(0);
    let refused = installation.cli(&["plugin", "export"]).expect(1).stderr;
    assert!(refused.contains("SSP-LCK-001") && refused.contains("fixture-counter"), "{refused}");
    let written = installation.cli(&["plugin", "export", "--partial", "--output", "-"]).expect(0).stdout;
    assert!(written.contains("schema = 1") && !written.contains("fixture-counter"), "{written}");
    let plan = apply(&[]).expect(0).stdout;
    assert_eq!(plan, "uninstall fixture-counter");
    let shown = installation.cli(&["--json", "plugin", "show", "fixture-counter"]).expect(0).json();
    let version = shown["version"].as_str().unwrap();
    let refused = apply(&[locked("fixture-counter", version, &"0".repeat(64))]).expect(1).stderr;
    assert!(refused.contains("SSP-LCK-003"), "{refused}");
    fs::write(&file, "schema = 1\n").unwrap();
    installation.cli(&["plugin", "apply", "--frozen", text(&file)]).expect(0);
    assert_eq!(installation.cli(&["--json", "plugin", "list"]).expect(0).json(), json!({"plugins": []}));
}

#[test]
fn a_library_without_a_list_of_its_crates_is_said() {
    let host = Installation::new().start();
    host.install(host.builds().plugin("fixture-counter")).expect(0);
    let folder = host.scratch().join("advisories");
    fs::create_dir_all(&folder).unwrap();
    let audit = || host.cli(&["plugin", "audit", "--advisories", text(&folder)]);
    let refused = audit().expect(1).stderr;
    assert!(refused.contains("SSP-AUD-003"), "{refused}");
    let advisory = "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"frail\"\n[versions]\npatched = []\n```\n# Frail\n";
    fs::write(folder.join("RUSTSEC-2026-0001.md"), advisory).unwrap();
    let said = audit().expect(0).stdout;
    assert!(said.contains("fixture-counter: not known") && said.contains("1 advisories"), "{said}");
}

#[test]
fn what_is_installed_is_held_against_what_there_is() {
    let host = Installation::new().start();
    host.install(host.builds().plugin("fixture-counter")).expect(0);
    let hosted = Hosted::new(&host, "example");
    hosted.put(&Listed::new("fixture-counter", "9.0.0"));
    hosted.put(&Listed::new("fixture-counter", "9.1.0").needs("no-where", "1"));
    hosted.build(&[]);
    hosted.added(text(&hosted.folder)).expect(0);
    let outdated = host.cli(&["--json", "plugin", "outdated"]).expect(0).json();
    assert_eq!(outdated[0]["name"], "fixture-counter", "{outdated}");
    assert_eq!((&outdated[0]["fitting"], &outdated[0]["newest"]), (&json!("9.0.0"), &json!("9.1.0")));
    let page = host.api().get("/api/v1/plugins/catalog").expect(200).json();
    assert!(page["plugins"][0]["installed"].is_string(), "{page}");

    // It stays where it is, unless a newer one is asked for.
    let plan = host.cli(&["--json", "plugin", "install", "--dry-run", "fixture-counter"]).expect(0).json();
    assert_eq!(plan["steps"], json!([]));
    let plan = host.cli(&["--json", "plugin", "install", "--dry-run", "fixture-counter@9"]).expect(0).json();
    assert_eq!(plan["steps"][0]["to"], "9.0.0", "{plan}");
    let newest = json!({"plugins": ["fixture-counter"], "newest": true});
    let plan = host.api().post_json("/api/v1/install-plans", &newest).expect(200).json();
    assert_eq!(plan["steps"][0]["to"], "9.0.0", "{plan}");
    let wrong = json!({"plugins": ["fixture-counter@one"]});
    assert_eq!(host.api().post_json("/api/v1/install-plans", &wrong).problem(&[400])["code"], "SSP-DEP-004");
}
