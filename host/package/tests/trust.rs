//! Who has signed: each way that this can be wrong has an error of its own.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use streamspace_package::*;
use support::*;

/// The package with another `package.minisig`.
fn with_signatures(package: &[u8], signatures: &str) -> Vec<u8> {
    let mut all = entries(package);
    all[1] = Entry::new(b"package.minisig", signatures.as_bytes().to_vec());
    archive(&all)
}

fn document(package: &[u8]) -> Vec<u8> {
    entries(package)[0].content.clone()
}

#[test]
fn a_package_that_nobody_has_signed() {
    let vendor = Vendor::new();
    let package = bytes(&sample().build().unwrap());
    assert_eq!(refusal(&package, &vendor.keyring()), "SSP-PKG-021");
    assert!(open(&package).unwrap().accept_unsigned(&vendor.keyring()).unwrap().signers().is_empty());
}

#[test]
fn a_package_of_somebody_else() {
    let (vendor, other) = (Vendor::new(), Vendor::new());
    let why = refused(&vendor.package(), &other.keyring());
    assert_eq!(why.code(), "SSP-PKG-023");
    let text = why.to_string();
    assert!(
        text.contains(&vendor.public.id().to_string()) && text.contains(&other.public.id().to_string()),
        "{text}"
    );
    assert_eq!(refusal(&vendor.package(), &Keyring::new()), "SSP-PKG-023");
}

#[test]
fn a_key_that_bears_the_id_of_a_trusted_one() {
    let (vendor, impostor) = (Vendor::new(), Vendor::new());
    // The id is not signed: whoever signs can write another one.
    let package = impostor.package();
    let signature = entries(&package)[1].content.clone();
    let lines: Vec<String> = String::from_utf8(signature).unwrap().lines().map(str::to_owned).collect();
    use base64::{Engine, engine::general_purpose::STANDARD};
    let mut bytes = STANDARD.decode(&lines[1]).unwrap();
    let id = STANDARD.decode(vendor.public.to_string()).unwrap()[2..10].to_vec();
    bytes[2..10].copy_from_slice(&id);
    let forged = format!("{}\n{}\n{}\n{}\n", lines[0], STANDARD.encode(bytes), lines[2], lines[3]);
    assert_eq!(refusal(&with_signatures(&package, &forged), &vendor.keyring()), "SSP-PKG-024");
}

#[test]
fn a_document_that_was_changed() {
    let vendor = Vendor::new();
    let package = vendor.package();
    let all = entries(&package);
    let text = String::from_utf8(document(&package)).unwrap();
    let other = text.replace("\"Clock\"", "\"Cl0ck\"");
    let changed =
        [Entry::new(b"package.json", other.into_bytes())].into_iter().chain(all[1..].iter().cloned());
    let why = refused(&archive(&changed.collect::<Vec<_>>()), &vendor.keyring());
    assert_eq!(why.code(), "SSP-PKG-025");
    assert!(why.to_string().contains("Example Ltd."), "{why}");
}

#[test]
fn a_signature_of_another_document() {
    let vendor = Vendor::new();
    let package = vendor.package();
    let other = vendor.sign(b"{\"schema\": 1}");
    assert_eq!(refusal(&with_signatures(&package, &other), &vendor.keyring()), "SSP-PKG-025");
}

#[test]
fn what_is_revoked() {
    let vendor = Vendor::new();
    let package = vendor.package();
    let mut keyring = vendor.keyring();
    keyring.revoke_key(vendor.public.id(), "it was stolen");
    let why = refused(&package, &keyring);
    assert_eq!(why.code(), "SSP-PKG-026");
    assert!(why.to_string().contains("it was stolen"), "{why}");
    assert_eq!(open(&package).unwrap().accept_unsigned(&keyring).unwrap_err().code(), "SSP-PKG-026");

    let mut keyring = vendor.keyring();
    keyring.revoke_package(open(&package).unwrap().hash(), "it deletes files");
    assert_eq!(refusal(&package, &keyring), "SSP-PKG-027");
    assert_eq!(open(&package).unwrap().accept_unsigned(&keyring).unwrap_err().code(), "SSP-PKG-027");
}

#[test]
fn a_revoked_key_counts_as_if_it_had_not_signed() {
    let (vendor, operator) = (Vendor::new(), Vendor::new());
    let mut built = sample().build().unwrap();
    built.sign(&vendor.secret).unwrap();
    built.sign(&operator.secret).unwrap();
    let package = bytes(&built);
    let mut keyring = operator.keyring();
    keyring.trust(vendor.public.clone(), "a vendor").revoke_key(vendor.public.id(), "it was stolen");
    let verified = open(&package).unwrap().verify(&keyring).unwrap();
    let signers: Vec<_> = verified.signers().iter().map(Signer::key_id).collect();
    assert_eq!(signers, [operator.public.id()]);
    // If the document itself names it, nothing helps.
    let mut builder = sample();
    builder.signing_key(vendor.public.id());
    let mut built = builder.build().unwrap();
    built.sign(&operator.secret).unwrap();
    assert_eq!(refusal(&bytes(&built), &keyring), "SSP-PKG-026");
}

#[test]
fn a_further_signature_changes_neither_document_nor_files() {
    let (vendor, operator) = (Vendor::new(), Vendor::new());
    let package = vendor.package();
    let mut open = open(&package).unwrap();
    let hash = open.hash();
    open.add_signature(operator.secret.sign(open.document_bytes(), "counter-signed").unwrap()).unwrap();
    let mut signed = Vec::new();
    open.write(&mut signed).unwrap();
    for keyring in [vendor.keyring(), operator.keyring()] {
        read_all(&signed, &keyring).unwrap();
        let verified = support::open(&signed).unwrap().verify(&keyring).unwrap();
        assert_eq!((verified.hash(), verified.signers().len(), verified.signatures().len()), (hash, 1, 2));
    }
    let (before, after) = (entries(&package), entries(&signed));
    assert!(before[0].content == after[0].content);
    assert!(before[2..].iter().zip(&after[2..]).all(|(a, b)| a.header == b.header && a.content == b.content));
    // The same key again: in its place.
    open.add_signature(operator.secret.sign(open.document_bytes(), "again").unwrap()).unwrap();
    assert_eq!(open.signatures().len(), 2);
}

#[test]
fn one_bad_signature_of_a_trusted_key_is_enough_to_refuse() {
    let (vendor, other) = (Vendor::new(), Vendor::new());
    let package = vendor.package();
    let good = vendor.sign(&document(&package));
    let both = good + &other.sign(b"something else");
    let mut keyring = vendor.keyring();
    read_all(&with_signatures(&package, &both), &keyring).unwrap();
    keyring.trust(other.public.clone(), "another vendor");
    assert_eq!(refusal(&with_signatures(&package, &both), &keyring), "SSP-PKG-025");
}

#[test]
fn signatures_that_are_none() {
    let vendor = Vendor::new();
    let package = vendor.package();
    let good = vendor.sign(&document(&package));
    let lines: Vec<&str> = good.lines().collect();
    for wrong in [
        "x".to_owned(),
        "\n".to_owned(),
        good.trim_end().to_owned(),
        good.replace('\n', "\r\n"),
        format!("{good}\n"),
        good.clone() + &good,
        lines[..3].join("\n") + "\n",
        good.replace("untrusted comment: ", "comment: "),
        good.replace("\ntrusted comment: ", "\nTrusted comment: "),
        good.replace("of a test", "of a\u{1b}[31m test"),
        good.replace("of a test", &"x".repeat(2000)),
        good.replace(lines[1], &lines[1][1..]),
        good.replace(lines[1], &lines[1].replace("RU", "RX")),
        good.replace(lines[3], &format!("{}AAAA", lines[3])),
        (0..9).map(|_| Vendor::new().sign(b"x")).collect(),
    ] {
        assert_eq!(
            refusal(&with_signatures(&package, &wrong), &vendor.keyring()),
            "SSP-PKG-022",
            "{wrong:?}"
        );
    }
    let long = "x".repeat(40_000);
    assert_eq!(refusal(&with_signatures(&package, &long), &vendor.keyring()), "SSP-PKG-008");
    let comment = good.replace("of a test", "of a text");
    assert_eq!(refusal(&with_signatures(&package, &comment), &vendor.keyring()), "SSP-PKG-024");
}

#[test]
fn what_cannot_be_checked_is_not_called_wrong() {
    let vendor = Vendor::new();
    let package = vendor.package();
    // minisign's old form, of the bytes themselves.
    let good = vendor.sign(&document(&package));
    let legacy = good.replace("\nRU", "\nRW");
    let why = refused(&with_signatures(&package, &legacy), &vendor.keyring());
    assert_eq!((why.code(), why.is_undecided()), ("SSP-PKG-028", true));
}

#[test]
fn keys_with_and_without_a_password() {
    let key = SecretKey::generate(Some("correct horse")).unwrap();
    assert!(SecretKey::is_encrypted(&key.secret_file));
    let open = |password| SecretKey::from_file_text(&key.secret_file, password);
    assert_eq!(open(None).unwrap_err().code(), "SSP-PKG-033");
    assert_eq!(open(Some("wrong")).unwrap_err().code(), "SSP-PKG-034");
    let secret = open(Some("correct horse")).unwrap();
    assert_eq!(secret.public().unwrap(), key.public);
    let signature = secret.sign(b"x", "c").unwrap();
    signature.verify(b"x", &key.public, "me").unwrap();
    assert_eq!(signature.trusted_comment(), "c");
    assert_eq!(secret.sign(b"x", "a\nb").unwrap_err().code(), "SSP-PKG-041");

    let plain = SecretKey::generate(None).unwrap();
    assert!(!SecretKey::is_encrypted(&plain.secret_file));
    assert_eq!(SecretKey::from_file_text("x", None).unwrap_err().code(), "SSP-PKG-032");
    let damaged = plain.secret_file.replace("RWQ", "RWR");
    assert_eq!(SecretKey::from_file_text(&damaged, None).unwrap_err().code(), "SSP-PKG-032");
    for shown in [format!("{key:?}"), format!("{secret:?}")] {
        assert!(!shown.contains(key.secret_file.lines().nth(1).unwrap()), "{shown}");
    }
    for text in ["", "RWQ", "untrusted comment: x\n", &plain.secret_file] {
        assert_eq!(PublicKey::from_file_text(text).unwrap_err().code(), "SSP-PKG-031", "{text:?}");
    }
}

#[test]
fn what_is_signed_need_not_be_a_package() {
    let vendor = Vendor::new();
    let signatures = parse_signatures(vendor.sign(b"an index").as_bytes()).unwrap();
    let signers = verify_signatures(b"an index", &signatures, &vendor.keyring()).unwrap();
    assert_eq!(signers[0].name, "Example Ltd.");
    let why = verify_signatures(b"another", &signatures, &vendor.keyring()).unwrap_err();
    assert_eq!(why.code(), "SSP-PKG-025");
}
