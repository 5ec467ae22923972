//! Packages and the real minisign: each verifies what the other has signed.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use streamspace_package::*;
use support::*;

/// Runs minisign, which reads passwords from its input.
fn minisign(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new("minisign")
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| {
            panic!("this test needs minisign, which cannot be run ({why}): sudo apt-get install minisign")
        });
    // It may end without having read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn succeeds(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// A key of minisign in a folder, `m.pub` and `m.key`.
fn minisign_key(folder: &Path) -> PublicKey {
    succeeds(&minisign(folder, &["-G", "-W", "-p", "m.pub", "-s", "m.key"], ""));
    PublicKey::from_file_text(&fs::read_to_string(folder.join("m.pub")).unwrap()).unwrap()
}

#[test]
fn a_package_that_minisign_signed_verifies_here() {
    let folder = tempfile::tempdir().unwrap();
    let public = minisign_key(folder.path());
    let package = bytes(&sample().build().unwrap());
    let mut open = open(&package).unwrap();
    fs::write(folder.path().join("package.json"), open.document_bytes()).unwrap();
    succeeds(&minisign(
        folder.path(),
        &["-S", "-s", "m.key", "-m", "package.json", "-t", "made by minisign"],
        "",
    ));
    let text = fs::read_to_string(folder.path().join("package.json.minisig")).unwrap();
    open.add_signature(Signature::parse(&text).unwrap()).unwrap();
    let mut signed = Vec::new();
    open.write(&mut signed).unwrap();

    let mut keyring = Keyring::new();
    keyring.trust(public.clone(), "a user of minisign");
    read_all(&signed, &keyring).unwrap();
    let verified = support::open(&signed).unwrap().verify(&keyring).unwrap();
    assert_eq!(verified.signers()[0].comment, "made by minisign");
    // The id is the one that minisign shows, which leaves out zeros in front.
    let shown = fs::read_to_string(folder.path().join("m.pub")).unwrap();
    assert!(shown.contains(public.id().to_string().trim_start_matches('0')), "{shown}");
}

#[test]
fn a_package_that_was_signed_here_verifies_with_minisign() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new();
    let all = entries(&vendor.package());
    fs::write(folder.path().join("package.json"), &all[0].content).unwrap();
    fs::write(folder.path().join("package.json.minisig"), &all[1].content).unwrap();
    fs::write(folder.path().join("v.pub"), vendor.public.to_file_text()).unwrap();
    let verify = ["-V", "-p", "v.pub", "-m", "package.json"];
    succeeds(&minisign(folder.path(), &verify, ""));
    fs::write(folder.path().join("package.json"), [&all[0].content[..], b" "].concat()).unwrap();
    assert!(!minisign(folder.path(), &verify, "").status.success());
}

#[test]
fn keys_of_minisign_sign_here_and_keys_of_here_with_minisign() {
    let folder = tempfile::tempdir().unwrap();
    let public = minisign_key(folder.path());
    let text = fs::read_to_string(folder.path().join("m.key")).unwrap();
    let secret = SecretKey::from_file_text(&text, None).unwrap();
    assert_eq!(secret.public().unwrap(), public);
    secret.sign(b"x", "x").unwrap().verify(b"x", &public, "m").unwrap();

    for password in [None, Some("correct horse")] {
        let key = SecretKey::generate(password).unwrap();
        fs::write(folder.path().join("own.key"), &key.secret_file).unwrap();
        fs::write(folder.path().join("file"), b"a file").unwrap();
        let input = password.map_or_else(String::new, |password| format!("{password}\n"));
        succeeds(&minisign(folder.path(), &["-S", "-s", "own.key", "-m", "file", "-x", "file.sig"], &input));
        let text = fs::read_to_string(folder.path().join("file.sig")).unwrap();
        Signature::parse(&text).unwrap().verify(b"a file", &key.public, "own").unwrap();
    }
}

#[test]
fn the_old_form_of_minisign_is_not_checked() {
    let folder = tempfile::tempdir().unwrap();
    let public = minisign_key(folder.path());
    fs::write(folder.path().join("file"), b"a file").unwrap();
    succeeds(&minisign(folder.path(), &["-S", "-l", "-s", "m.key", "-m", "file"], ""));
    let text = fs::read_to_string(folder.path().join("file.minisig")).unwrap();
    let why = Signature::parse(&text).unwrap().verify(b"a file", &public, "m").unwrap_err();
    assert_eq!(why.code(), "SSP-PKG-028");
}
