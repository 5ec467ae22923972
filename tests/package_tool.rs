//! A vendor's way with the built binary: from keys to a package that is built, signed, verified, looked into, compared and
//! linted, with the Slack plugin's library as it is shipped.
#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::{Value, json};
use streamspace_tests::{Folder, Installation, change_note, workspace};

const PLUGIN: &str = "streamspace-slack";
const PACKAGE: &str = "streamspace-slack-1.0.0.sspkg";

/// The plugin's folder under another name.
fn folder(installation: &Installation, name: &str) -> Folder {
    installation.copy(PLUGIN, name)
}

/// A key pair without a password.
fn keygen(installation: &Installation, name: &str) -> Value {
    installation.cli(&["package", "keygen", "--no-password", "--out", name, "--json"]).expect(0).json()
}

/// What `package lint --json` finds: code, severity, file.
fn lint(installation: &Installation, path: &str, status: i32) -> Vec<(String, String, String)> {
    let report = installation.cli(&["package", "lint", path, "--json"]).expect(status).json();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| (text(finding, "code"), text(finding, "severity"), text(finding, "file")))
        .collect()
}

#[track_caller]
fn refused(installation: &Installation, arguments: &[&str], status: i32, words: &[&str]) {
    let output = installation.cli(arguments).expect(status);
    for word in words {
        assert!(output.stderr.contains(word), "`{word}` is missing: {}", output.stderr);
    }
}

#[test]
fn from_keys_to_a_package_that_is_verified() {
    let installation = Installation::new();
    let folder = folder(&installation, "slack");
    let key = keygen(&installation, "vendor.key");
    let scratch = installation.scratch();
    let mode = |file: &str| fs::metadata(scratch.join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("vendor.key"), mode("vendor.key.pub")), (0o600, 0o644));
    let public = key["public_key"].as_str().unwrap();

    let arguments = ["package", "build", folder.path(), "--key", "vendor.key", "--out", "dist", "--json"];
    let built = installation.cli(&arguments).expect(0).json();
    let package = format!("dist/{PACKAGE}");
    assert_eq!(built["file"], package.as_str());
    assert_eq!(built["signed_by"], key["key_id"]);
    let file = scratch.join(&package);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);

    // By the key's file and by the key itself.
    for key in ["vendor.key.pub", public] {
        let said = installation.cli(&["package", "verify", &package, "--key", key]).expect(0).stdout;
        for word in
            ["streamspace-slack 1.0.0 is good", "signature", "document", "files", "manifest", "libraries"]
        {
            assert!(said.contains(word), "`{word}` is missing: {said}");
        }
    }
    let verified =
        installation.cli(&["package", "verify", &package, "--key", public, "--json"]).expect(0).json();
    assert_eq!((&verified["hash"], &verified["vendor"]), (&built["hash"], &key["key_id"]));

    // A second signature, by somebody else.
    let other = keygen(&installation, "other.key");
    refused(&installation, &["package", "verify", &package, "--key", "other.key.pub"], 1, &["SSP-PKG-023"]);
    let signed =
        installation.cli(&["package", "sign", &package, "--key", "other.key", "--json"]).expect(0).json();
    assert_eq!((&signed["signatures"], &signed["is_vendor"]), (&json!(2), &json!(false)));
    let by_other = installation
        .cli(&["package", "verify", &package, "--key", "other.key.pub", "--json"])
        .expect(0)
        .json();
    assert_eq!((&by_other["signers"][0]["key_id"], &by_other["vendor"]), (&other["key_id"], &Value::Null));
    installation.cli(&["package", "verify", &package, "--key", public]).expect(0);

    // A byte in the middle of a blob, one of the document, and no file at all.
    let whole = fs::read(&file).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    fs::write(&file, &changed).unwrap();
    refused(&installation, &["package", "verify", &package, "--key", public], 1, &[&package, "SSP-PKG-011"]);
    let mut changed = whole.clone();
    let author = changed.windows(22).position(|at| at == b"StreamSpace Contributo").unwrap();
    changed[author] = b'X';
    fs::write(&file, &changed).unwrap();
    refused(&installation, &["package", "verify", &package, "--key", public], 1, &["SSP-PKG-025"]);
    refused(&installation, &["package", "verify", "none.sspkg", "--key", public], 3, &["none.sspkg"]);
}

#[test]
fn a_secret_key_with_a_password_signs_for_those_who_know_it() {
    let installation = Installation::new();
    let folder = folder(&installation, "slack");
    let password = "correct horse battery\n";
    installation.cli_with_input(&["package", "keygen", "--out", "vendor.key"], password).expect(0);
    let again =
        installation.cli_with_input(&["package", "keygen", "--out", "vendor.key"], password).expect(1);
    assert!(again.stderr.contains("is there already"), "{again:?}");
    installation.cli(&["package", "build", folder.path()]).expect(0);
    let verify = ["package", "verify", PACKAGE, "--key", "vendor.key.pub"];
    refused(&installation, &verify, 1, &["SSP-PKG-021"]);
    let sign = ["package", "sign", PACKAGE, "--key", "vendor.key"];
    let wrong = installation.cli_with_input(&sign, "wrong\n").expect(1);
    assert!(wrong.stderr.contains("SSP-PKG-034"), "{wrong:?}");
    refused(&installation, &sign, 1, &["encrypted"]);
    installation.cli_with_input(&sign, password).expect(0);
    installation.cli(&verify).expect(0);
    refused(&installation, &["package", "verify", PACKAGE, "--key", "vendor.key"], 1, &["is a secret key"]);
    assert!(!installation.said().contains("correct horse"), "the password is shown");
}

#[test]
fn the_same_build_gives_the_same_bytes() {
    let installation = Installation::new();
    let (one, other) = (folder(&installation, "one"), folder(&installation, "other"));
    installation.cli(&["package", "build", one.path(), "--out", "first"]).expect(0);
    installation.cli(&["package", "build", other.path(), "--out", "second"]).expect(0);
    let read = |out: &str| fs::read(installation.scratch().join(out).join(PACKAGE)).unwrap();
    assert!(read("first") == read("second"), "the bytes differ");
}

/// The newest version of glibc in what `readelf` says that a library needs.
fn glibc_by_readelf(library: &Path) -> (u32, u32) {
    let output =
        Command::new("readelf").args(["--version-info", "--wide"]).arg(library).output().expect("readelf");
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, needs) = text.split_once("Version needs section").expect("what it needs");
    let versions = needs.split("Name: GLIBC_").skip(1).filter_map(|rest| {
        let (major, rest) = rest.split_once('.')?;
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    versions.max().expect("a version of glibc")
}

#[test]
fn what_is_in_a_package_is_shown() {
    let installation = Installation::new();
    let folder = folder(&installation, "slack");
    keygen(&installation, "vendor.key");
    let key = keygen(&installation, "next.key");
    let build = ["package", "build", folder.path(), "--key", "vendor.key", "--next-key", "next.key.pub"];
    let said = installation.cli(&build).expect(0).stdout;
    assert!(said.contains("x86-64-v1, which is written down"), "{said}");
    let shown = installation.cli(&["package", "inspect", PACKAGE, "--json"]).expect(0).json();
    assert_eq!((&shown["name"], &shown["version"]), (&json!(PLUGIN), &json!("1.0.0")));
    let manifest = fs::read(Path::new(folder.path()).join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(shown["permissions"], manifest["permissions"]);
    assert_eq!(shown["config"]["destinations[].name"], json!({ "kind": "string", "required": true }));
    assert_eq!(shown["next_key_id"], key["key_id"]);
    let files: Vec<_> =
        shown["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(files, ["CHANGELOG.md", "README.md", "config.example.json", "icon.svg"]);
    let target = &shown["targets"][0];
    assert_eq!(target["library"]["size"], folder.bytes().len());
    let (major, minor) = glibc_by_readelf(folder.library());
    assert_eq!(target["glibc_min"], format!("{major}.{minor}"));
    let words = installation.cli(&["package", "inspect", PACKAGE]).expect(0).stdout;
    for word in ["streamspace-slack 1.0.0", "network:hooks.slack.com", "icon.svg", "not checked", "x86-64-v1"]
    {
        assert!(words.contains(word), "`{word}` is missing: {words}");
    }
}

/// What cargo-auditable leaves in a library: JSON, packed by zlib. Here as it is, in a block that is not compressed.
fn with_crates(folder: &Folder, list: &Value) {
    let json = list.to_string();
    let length = u16::try_from(json.len()).unwrap();
    let (a, b) = json.bytes().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(byte)) % 65521;
        (a, (b + a) % 65521)
    });
    let mut section = vec![0x78, 0x01, 0x01];
    section.extend(length.to_le_bytes());
    section.extend((!length).to_le_bytes());
    section.extend(json.bytes());
    section.extend((b << 16 | a).to_be_bytes());
    let file = Path::new(folder.path()).with_extension("dep");
    fs::write(&file, section).unwrap();
    let fresh = Path::new(folder.path()).with_extension("so");
    let status = Command::new("objcopy")
        .arg(format!("--add-section=.dep-v0={}", file.display()))
        .args([folder.library(), fresh.as_path()])
        .status()
        .expect("objcopy");
    assert!(status.success(), "{status}");
    fs::rename(fresh, folder.library()).unwrap();
}

#[test]
fn the_crates_in_a_library_become_its_bill_of_materials() {
    let installation = Installation::new();
    let folder = folder(&installation, "slack");
    assert_eq!(
        lint(&installation, folder.path(), 0).iter().filter(|(code, ..)| code == "SSP-LNT-071").count(),
        1
    );
    with_crates(
        &folder,
        &json!({ "packages": [
            { "name": "serde", "version": "1.0.200", "source": "crates.io" },
            { "name": "streamspace-slack", "version": "1.0.0", "source": "local", "dependencies": [0], "root": true },
        ] }),
    );
    let built = installation.cli(&["package", "build", folder.path(), "--json"]).expect(0).json();
    assert_eq!((&built["sbom"], &built["crates"]), (&json!("cargo-auditable"), &json!(1)));
    let shown = installation.cli(&["package", "inspect", PACKAGE, "--json"]).expect(0).json();
    assert_eq!(shown["sbom"], json!({ "spec_version": "1.5", "components": 1 }));
    assert_eq!(shown["targets"][0]["crates"][0]["name"], "serde");
    assert!(lint(&installation, PACKAGE, 0).iter().all(|(code, ..)| code != "SSP-LNT-071"));

    // One that was made elsewhere goes before it.
    let sbom = installation.scratch().join("sbom.json");
    fs::write(&sbom, json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [] }).to_string())
        .unwrap();
    installation.cli(&["package", "build", folder.path(), "--sbom", "sbom.json"]).expect(0);
    let shown = installation.cli(&["package", "inspect", PACKAGE, "--json"]).expect(0).json();
    assert_eq!(shown["sbom"], json!({ "spec_version": "1.6", "components": 0 }));
    fs::write(&sbom, "{}").unwrap();
    let given = ["package", "build", folder.path(), "--sbom", "sbom.json"];
    refused(&installation, &given, 1, &["SSP-BLD-011"]);
}

#[test]
fn two_versions_are_compared() {
    let installation = Installation::new();
    let old = folder(&installation, "old");
    let new = folder(&installation, "new");
    new.change(|library| change_note(library, |facts| facts["version"] = "1.1.0".into()));
    let manifest = Path::new(new.path()).join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let text = text
        .replace("\"1.0.0\"", "\"1.1.0\"")
        .replace("network:hooks.slack-gov.com", "network:hooks.example.com");
    fs::write(&manifest, text.replace("\"includeDetails\": {", "\"showDetails\": {")).unwrap();
    keygen(&installation, "vendor.key");
    installation.cli(&["package", "build", old.path()]).expect(0);
    installation.cli(&["package", "build", new.path(), "--key", "vendor.key"]).expect(0);
    let packages = [PACKAGE, "streamspace-slack-1.1.0.sspkg"];
    let diff = installation.cli(&["package", "diff", packages[0], packages[1], "--json"]).expect(0).json();
    assert_eq!(diff["permissions"]["added"], json!(["network:hooks.example.com"]));
    assert_eq!(diff["permissions"]["removed"], json!(["network:hooks.slack-gov.com"]));
    assert_eq!(diff["config"]["added"], json!(["showDetails boolean"]));
    assert_eq!(diff["config"]["removed"], json!(["includeDetails boolean"]));
    assert_eq!(diff["keys"]["added"].as_array().map(Vec::len), Some(2), "{diff}");
    let words = installation.cli(&["package", "diff", packages[0], packages[1]]).expect(0).stdout;
    for word in
        ["1.0.0 → streamspace-slack 1.1.0", "+ network:hooks.example.com", "- network:hooks.slack-gov.com"]
    {
        assert!(words.contains(word), "`{word}` is missing: {words}");
    }
    let same = installation.cli(&["package", "diff", packages[0], packages[0]]).expect(0).stdout;
    assert!(same.contains("Nothing else changes"), "{same}");
}

#[test]
fn the_slack_plugin_has_no_faults() {
    let installation = Installation::new();
    let folder = folder(&installation, "slack");
    installation.cli(&["package", "build", folder.path()]).expect(0);
    let source = workspace().join("plugins").join(PLUGIN);
    for path in [source.to_str().unwrap(), folder.path(), PACKAGE] {
        let found = lint(&installation, path, 0);
        // It has no address of its own, and cargo-auditable is not everywhere.
        let known = |(code, _, file): &(String, String, String)| {
            code == "SSP-LNT-071" || (code == "SSP-LNT-002" && file == "manifest.json")
        };
        assert!(found.iter().all(known), "{path}: {found:?}");
    }
}

#[test]
fn what_a_plugin_lacks_is_found() {
    let installation = Installation::new();
    let folder = installation.copy("fixture-database", "database");
    let at = |file: &str| Path::new(folder.path()).join(file);
    let finds = |status: i32, code: &str, file: &str| {
        let found = lint(&installation, folder.path(), status);
        found.iter().filter(|(found, _, at)| found == code && at == file).count()
    };
    assert_eq!(finds(1, "SSP-LNT-010", "README.md"), 1);
    assert_eq!(finds(1, "SSP-LNT-042", "migrations/sqlite/0001_notes"), 0);
    fs::remove_file(at("migrations/sqlite/0001_notes/down.sql")).unwrap();
    assert_eq!(finds(1, "SSP-LNT-042", "migrations/sqlite/0001_notes"), 1);
    fs::remove_dir_all(at("migrations/postgres/0002_first")).unwrap();
    assert_eq!(finds(1, "SSP-LNT-043", "migrations/postgres"), 1);

    // Put together here, so that this file has none in it.
    let secret = format!("ghp_{}", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5");
    fs::write(at("README.md"), format!("# Database\n\nClone with {secret}.\n")).unwrap();
    let words = installation.cli(&["package", "lint", folder.path()]).expect(1);
    assert!(words.stdout.contains("error[SSP-LNT-050] README.md:3: "), "{words:?}");
    assert!(!words.stdout.contains(&secret), "{words:?}");
    assert!(words.stderr.contains("faults"), "{words:?}");
}

#[test]
fn what_cannot_be_built_is_refused_with_what_to_do() {
    let installation = Installation::new();
    let folder = folder(&installation, "slack");
    let library = folder.library().to_str().unwrap();
    let build = |more: &[&'static str]| {
        let mut arguments = vec!["package", "build", folder.path()];
        arguments.extend(more);
        arguments
    };
    let target = |triple: &str| format!("--target={triple}={library}");
    let (right, wrong) = (target("x86_64-unknown-linux-gnu"), target("aarch64-unknown-linux-gnu"));
    let with = |more: &[&str]| {
        let mut arguments = vec!["package".to_owned(), "build".to_owned(), folder.path().to_owned()];
        arguments.extend(more.iter().map(|one| (*one).to_owned()));
        arguments
    };
    let refused_with = |more: &[&str], words: &[&str]| {
        let arguments = with(more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        refused(&installation, &arguments, 1, words);
    };
    if cfg!(target_arch = "x86_64") {
        installation.cli(&with(&[&right]).iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
        refused_with(&[&wrong], &["SSP-BLD-007", "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"]);
        refused_with(&[&right, &right], &["SSP-BLD-008"]);
    }
    refused_with(&["--target=x86_64-unknown-linux-gnu"], &["no Cargo.toml", "=LIBRARY"]);
    refused_with(&["--target=x86_64-unknown-linux-gnu=README.md"], &["README.md", "SSP-BLD-001"]);

    // A library that was told to use AVX2.
    folder.change(|library| change_note(library, |facts| facts["cpu"] = json!(["avx2"])));
    if cfg!(target_arch = "x86_64") {
        refused_with(&["--cpu", "x86-64-v2"], &["SSP-BLD-009", "x86-64-v3"]);
        let built = installation.cli(&[&build(&[])[..], &["--json"]].concat()).expect(0).json();
        assert_eq!(built["targets"][0]["cpu"], "x86-64-v3");
    }
    folder.change(|library| change_note(library, |facts| facts["panic"] = "abort".into()));
    refused_with(&[], &["SSP-BLD-006", "unwind"]);
    folder.change(|library| change_note(library, |facts| facts["version"] = "1.0.1".into()));
    refused_with(&[], &["SSP-BLD-005", "streamspace-slack 1.0.0", "streamspace-slack 1.0.1"]);
    folder.change(|library| library.truncate(library.len() / 2));
    refused_with(&[], &["SSP-BLD-004"]);
    fs::remove_file(folder.library()).unwrap();
    refused_with(&[], &["SSP-BLD-001", "library is missing"]);

    let manifest = Path::new(folder.path()).join("manifest.json");
    refused(
        &installation,
        &["package", "inspect", manifest.to_str().unwrap()],
        1,
        &["SSP-PKG-002", "a JSON document"],
    );
    refused(&installation, &["package", "inspect", folder.path()], 1, &["is a folder", ".sspkg"]);
    fs::write(&manifest, "{").unwrap();
    refused_with(&[], &["manifest.json", "SSP-PKG-014"]);
}
