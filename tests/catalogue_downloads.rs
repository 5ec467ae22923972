//! What is downloaded from a catalogue: interrupted, damaged, redirected; and that it goes on where it ended.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;

use serde_json::{Value, json};
use streamspace_package::SecretKey;
use streamspace_tests::{DEADLINE, Fault, Hosted, Installation, Listed, WebFolder, wait_for};

/// A host with a catalogue of one package on a web server.
struct Served {
    web: WebFolder,
    package: Vec<u8>,
    hash: String,
}

fn served(installation: &Installation, bytes: usize) -> Served {
    let hosted = Hosted::new(installation, "example");
    let package = hosted.put(&Listed { bytes, ..Listed::new("aa-chat", "1.0.0") });
    hosted.build(&[]);
    let web = WebFolder::serve(&hosted.folder);
    hosted.added(&web.url()).expect(0);
    let plan = installation.cli(&["--json", "plugin", "install", "--dry-run", "aa-chat"]).expect(0).json();
    let hash = plan["steps"][0]["sha256"].as_str().unwrap().to_owned();
    Served { web, package: fs::read(package).unwrap(), hash }
}

/// What was downloaded. Whether it is installed then is another matter: nobody trusts its vendor here.
fn downloaded(installation: &Installation, hash: &str) -> Option<Vec<u8>> {
    fs::read(installation.data().join("downloads").join(format!("{hash}.sspkg"))).ok()
}

fn part(installation: &Installation, hash: &str) -> u64 {
    let part = installation.data().join("downloads").join(format!("{hash}.part"));
    fs::metadata(part).map_or(0, |found| found.len())
}

#[test]
fn a_download_that_is_cut_goes_on_where_it_ended() {
    let installation = Installation::new();
    let Served { web, package, hash } = served(&installation, 300_000);
    web.fault(".sspkg", Fault::Cut(100_000));
    let _ = installation.cli(&["plugin", "install", "aa-chat"]);
    assert!(downloaded(&installation, &hash).is_some_and(|found| found == package));
    let ranges: Vec<_> = web.asked(".sspkg").into_iter().map(|asked| asked.range).collect();
    assert_eq!(ranges, ["", "bytes=100000-", "bytes=200000-", "bytes=300000-"]);
    assert!(web.asked(".sspkg")[1..].iter().all(|asked| !asked.if_range.is_empty()), "it may have changed");
    // What is there is not downloaded again.
    let _ = installation.cli(&["plugin", "install", "aa-chat"]);
    assert_eq!(web.asked(".sspkg").len(), 4);
}

#[test]
fn a_download_goes_on_with_what_an_earlier_command_left() {
    let installation = Installation::new().set("catalog.idle_timeout_secs", 1);
    let Served { web, package, hash } = served(&installation, 300_000);
    web.fault(".sspkg", Fault::Cut(0));
    let refused = installation.cli(&["plugin", "install", "aa-chat"]).expect(1).stderr;
    assert!(refused.contains("SSP-CAT-026"), "{refused}");
    web.heal();
    web.fault(".sspkg", Fault::Status(404));
    let refused = installation.cli(&["plugin", "install", "aa-chat"]).expect(1).stderr;
    assert!(refused.contains("SSP-CAT-021") && refused.contains("404"), "{refused}");
    web.heal();
    web.fault(".sspkg", Fault::Hang);
    let refused = installation.cli(&["plugin", "install", "aa-chat"]).expect(1).stderr;
    assert!(refused.contains("SSP-CAT-026") && refused.contains("idle_timeout_secs"), "{refused}");

    web.heal();
    web.fault(".sspkg", Fault::Cut(1000));
    let mut command = installation.spawn(&["plugin", "install", "aa-chat"]);
    wait_for(DEADLINE, "a part", || (part(&installation, &hash) > 0).then_some(()));
    command.signal(rustix::process::Signal::KILL);
    let _ = command.wait(DEADLINE);
    let left = part(&installation, &hash);
    web.heal();
    assert!(left < package.len() as u64);
    let _ = installation.cli(&["plugin", "install", "aa-chat"]);
    assert!(downloaded(&installation, &hash).is_some_and(|found| found == package));
    let asked = web.asked(".sspkg");
    assert_eq!(asked.last().unwrap().range, format!("bytes={left}-"));
}

#[test]
fn a_server_without_parts_begins_anew() {
    let installation = Installation::new();
    let Served { web, package, hash } = served(&installation, 100_000);
    web.fault(".sspkg", Fault::NoParts(50_000));
    let _ = installation.cli(&["plugin", "install", "aa-chat"]);
    assert!(downloaded(&installation, &hash).is_some_and(|found| found == package));
    assert_eq!(web.asked(".sspkg").len(), 2);
}

#[test]
fn what_is_not_what_the_index_says_is_refused_and_removed() {
    let installation = Installation::new();
    let Served { web, package, hash } = served(&installation, 100_000);
    let refused = |code: &str| {
        let said = installation.cli(&["plugin", "install", "aa-chat"]).expect(1).stderr;
        assert!(said.contains(code), "{code}: {said}");
        assert!(downloaded(&installation, &hash).is_none());
    };
    web.fault(".sspkg", Fault::Length(package.len() as u64 + 1));
    refused("SSP-CAT-024");
    web.heal();
    web.fault(".sspkg", Fault::Length(10));
    refused("SSP-CAT-024");
    web.heal();
    // Cut the first time; then it is another file, which is told by its tag, and does not have the hash.
    let folder = installation.scratch().join("example");
    let file = folder.join("packages/aa-chat-1.0.0.sspkg");
    let mut changed = package.clone();
    changed[package.len() / 2] ^= 1;
    fs::write(&file, &changed).unwrap();
    refused("SSP-CAT-025");
    assert_eq!(part(&installation, &hash), 0, "nothing of it stays");
    // Put right, it is had.
    fs::write(&file, &package).unwrap();
    let _ = installation.cli(&["plugin", "install", "aa-chat"]);
    assert!(downloaded(&installation, &hash).is_some_and(|found| found == package));
}

#[test]
fn a_file_that_changes_in_between_is_read_from_its_beginning() {
    let installation = Installation::new();
    let Served { web, hash, .. } = served(&installation, 100_000);
    web.fault(".sspkg", Fault::Changes);
    let said = installation.cli(&["plugin", "install", "aa-chat"]).expect(1).stderr;
    assert!(said.contains("SSP-CAT-025"), "{said}");
    assert!(downloaded(&installation, &hash).is_none());
    web.heal();
    let _ = installation.cli(&["plugin", "install", "aa-chat"]);
    assert!(downloaded(&installation, &hash).is_some());
}

#[test]
fn no_other_host_is_asked() {
    let installation = Installation::new();
    let Served { web, package, hash } = served(&installation, 50_000);
    let folder = installation.scratch().join("example");
    let elsewhere = WebFolder::serve(&folder);
    // Another port is another host, and so is another name.
    for to in [elsewhere.url(), format!("http://localhost:{}/", web.port())] {
        web.fault(".sspkg", Fault::Redirect(format!("{to}packages/aa-chat-1.0.0.sspkg")));
        let said = installation.cli(&["plugin", "install", "aa-chat"]).expect(1).stderr;
        assert!(said.contains("SSP-CAT-022"), "{said}");
        web.heal();
    }
    web.fault("index.json", Fault::Redirect(format!("{}index.json", elsewhere.url())));
    let said = installation.cli(&["catalog", "sync"]).expect(1);
    assert!(said.stdout.contains("SSP-CAT-022"), "{said:?}");
    assert!(elsewhere.asked("").is_empty());
    web.heal();
    // On the same host it is followed.
    fs::copy(folder.join("packages/aa-chat-1.0.0.sspkg"), folder.join("moved.bin")).unwrap();
    web.fault(".sspkg", Fault::Redirect("/moved.bin".to_owned()));
    let _ = installation.cli(&["plugin", "install", "aa-chat"]);
    assert!(downloaded(&installation, &hash).is_some_and(|found| found == package));
}

#[test]
fn without_tls_only_this_machine_is_read() {
    let installation = Installation::new();
    let key = SecretKey::generate(None).unwrap().public.to_string();
    for (location, code) in [
        ("http://192.0.2.1/", "SSP-CAT-003"),
        ("ftp://192.0.2.1/", "SSP-CAT-003"),
        ("https://ada:secret@192.0.2.1/", "SSP-CAT-003"),
    ] {
        let said = installation.cli(&["catalog", "add", location, "--key", &key]).expect(1).stderr;
        assert!(said.contains(code) && !said.contains("secret"), "{said}");
    }
}

#[test]
fn a_host_that_runs_downloads_and_counts_nothing_that_was_not_installed() {
    let host = Installation::new().start();
    let Served { web, package, hash } = served(&host, 50_000);
    // Its vendor is not trusted here: it is downloaded, refused, and stays to be looked at.
    let answer = host.api().post_json("/api/v1/plugins/catalog/aa-chat/install", &json!({}));
    answer.problem(&[409, 422, 500]);
    assert!(downloaded(&host, &hash).is_some_and(|found| found == package));
    assert_eq!(web.asked(".sspkg").len(), 1);
    let entry = host.api().get("/api/v1/plugins/catalog/aa-chat").expect(200).json();
    assert_eq!((&entry["plugin"]["install_count"], &entry["plugin"]["installed"]), (&json!(0), &Value::Null));
    let exact = json!({"plugins": [{"name": "aa-chat", "version": "1.0.0", "package": "0".repeat(64)}]});
    assert_eq!(host.api().post_json("/api/v1/installations", &exact).problem(&[409])["code"], "SSP-DEP-005");
}
