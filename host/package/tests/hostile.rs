//! Packages that nobody means well with: each is refused with the right code, and writes nothing where it should not.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::{collections::BTreeMap, fs, io::Cursor};

use proptest::prelude::*;
use serde_json::{Value, json};
use streamspace_package::*;
use support::*;

/// The sample with its entries changed. The signature stays good, if the first two do.
fn with_entries(vendor: &Vendor, change: impl FnOnce(&mut Vec<Entry>)) -> Vec<u8> {
    let mut all = entries(&vendor.package());
    change(&mut all);
    archive(&all)
}

#[test]
fn the_entries_of_the_tests_are_those_of_the_format() {
    let vendor = Vendor::new();
    let package = vendor.package();
    assert!(with_entries(&vendor, |_| {}).len() == package.len());
    assert_eq!(archive(&entries(&package)), package);
    for Entry { header, content } in entries(&package) {
        let name = header.split(|byte| *byte == 0).next().unwrap();
        assert!(Entry::new(name, content).header == header);
    }
}

#[test]
fn names_that_lead_elsewhere() {
    let vendor = Vendor::new();
    for name in
        ["../evil", "/etc/cron.d/evil", "payload/../../evil", "payload/x.zst", "Package.json", "C:\\evil"]
    {
        for place in [0, 1, 2, 4] {
            let package = with_entries(&vendor, |all| {
                all[place] = Entry::new(name.as_bytes(), all[place].content.clone());
            });
            assert_eq!(refusal(&package, &vendor.keyring()), "SSP-PKG-005", "{name} as {place}");
        }
    }
}

#[test]
fn names_that_are_no_utf_8() {
    let vendor = Vendor::new();
    for name in [&b"payload/\xff\xfe.zst"[..], b"\x1b[2Jpackage.json", b"pack\xc3age.json"] {
        for place in [0, 3] {
            let package = with_entries(&vendor, |all| {
                all[place] = Entry::new(name, all[place].content.clone());
            });
            assert_eq!(refusal(&package, &vendor.keyring()), "SSP-PKG-005");
        }
    }
}

#[test]
fn links_devices_folders_and_extensions() {
    let vendor = Vendor::new();
    // All that ustar, PAX and GNU have, and what nobody has.
    for kind in b"\x001234567xgLKSDMVAZ!\xff" {
        for place in [0, 1, 3] {
            let package = with_entries(&vendor, |all| {
                all[place] = all[place].clone().with(156, &[*kind]).with(157, b"/etc/passwd");
            });
            assert_eq!(refusal(&package, &vendor.keyring()), "SSP-PKG-006", "{kind}");
            // Before another, as extensions come.
            let package = with_entries(&vendor, |all| {
                let before = Entry::new(b"././@LongLink", b"../../evil\0".to_vec()).with(156, &[*kind]);
                all.insert(place, before);
            });
            let code = refusal(&package, &vendor.keyring());
            // Behind the signed document, the file's length is known.
            assert_eq!(code, if place < 2 { "SSP-PKG-006" } else { "SSP-PKG-005" }, "{kind}");
        }
    }
}

#[test]
fn headers_with_anything_else_in_them() {
    let vendor = Vendor::new();
    let changes: [(usize, &[u8]); 14] = [
        (100, b"0004755\0"),                      // set-user-id
        (100, b"000644 \0"),                      // as old tars wrote it
        (108, b"0001750\0"),                      // an owner
        (116, b"0001750\0"),                      // a group
        (124, b"\x80\0\0\0\0\0\0\0\0\0\x04\xd2"), // GNU's large sizes
        (124, b"        123\0"),                  // padded with blanks
        (124, b"77777777777\0"),                  // 8 GiB
        (136, b"14371573000\0"),                  // a time
        (157, b"/etc/passwd"),                    // the target of a link
        (257, b"ustar  \0"),                      // GNU's magic
        (265, b"root\0"),                         // a user
        (329, b"0000001\0"),                      // a device
        (345, b"../../etc"),                      // a prefix to the name
        (500, b"x"),                              // behind all fields
    ];
    for (at, bytes) in changes {
        for place in [0, 1, 3] {
            let package = with_entries(&vendor, |all| all[place] = all[place].clone().with(at, bytes));
            let code = refusal(&package, &vendor.keyring());
            let expected: &[&str] = match at {
                345 => &["SSP-PKG-005"],
                124 if bytes[0] == b'7' => &["SSP-PKG-007", "SSP-PKG-008"],
                _ => &["SSP-PKG-007"],
            };
            assert!(expected.contains(&code), "{code} at {at} of {place}");
        }
    }
    // A checksum that is not that of the header.
    let package = with_entries(&vendor, |all| all[0].header[148..156].copy_from_slice(b"000000\0 "));
    assert_eq!(refusal(&package, &vendor.keyring()), "SSP-PKG-007");
}

#[test]
fn what_fills_up_the_blocks_is_zeros() {
    let vendor = Vendor::new();
    let package = vendor.package();
    let mut at = 0;
    for entry in entries(&package) {
        let end = at + BLOCK + entry.content.len();
        at = end.next_multiple_of(BLOCK);
        if end < at {
            let mut changed = package.clone();
            changed[at - 1] = 1;
            assert_eq!(refusal(&changed, &vendor.keyring()), "SSP-PKG-007");
        }
    }
}

#[test]
fn entries_that_are_twice_missing_swapped_or_too_many() {
    let vendor = Vendor::new();
    let code = |change: &dyn Fn(&mut Vec<Entry>)| refusal(&with_entries(&vendor, change), &vendor.keyring());
    assert_eq!(code(&|all| all.insert(0, all[0].clone())), "SSP-PKG-005");
    assert_eq!(code(&|all| all.insert(1, all[1].clone())), "SSP-PKG-005");
    assert_eq!(code(&|all| all.insert(3, all[3].clone())), "SSP-PKG-005");
    assert_eq!(code(&|all| all.push(all[0].clone())), "SSP-PKG-005");
    assert_eq!(code(&|all| all.push(Entry::new(b"payload/more.zst", Vec::new()))), "SSP-PKG-005");
    assert_eq!(code(&|all| all.swap(0, 1)), "SSP-PKG-005");
    assert_eq!(code(&|all| drop(all.remove(1))), "SSP-PKG-005");
    assert_eq!(code(&|all| drop(all.remove(3))), "SSP-PKG-003");
    assert_eq!(code(&|all| all.clear()), "SSP-PKG-002");
    assert_eq!(code(&|all| all.truncate(1)), "SSP-PKG-005");
    assert_eq!(code(&|all| all.truncate(2)), "SSP-PKG-003");
    // Two of one size, each in the other's place.
    let swapped = |all: &mut Vec<Entry>| {
        let pair = (2..all.len()).flat_map(|a| (2..a).map(move |b| (a, b)));
        let padded = |entry: &Entry| entry.content.len().next_multiple_of(BLOCK);
        let (a, b) = pair.clone().find(|(a, b)| padded(&all[*a]) == padded(&all[*b])).unwrap();
        all.swap(a, b);
    };
    assert_eq!(code(&swapped), "SSP-PKG-005");
    // The same, under each other's name.
    let contents = |all: &mut Vec<Entry>| {
        let same = |a: &Entry, b: &Entry| a.content.len() == b.content.len() && a.content != b.content;
        let pair = (2..all.len()).flat_map(|a| (2..a).map(move |b| (a, b)));
        match pair.clone().find(|(a, b)| same(&all[*a], &all[*b])) {
            Some((a, b)) => {
                let content = all[a].content.clone();
                all[a].content = std::mem::replace(&mut all[b].content, content);
            }
            None => all[2].content.reverse(),
        }
    };
    assert_eq!(code(&contents), "SSP-PKG-011");
}

#[test]
fn ten_thousand_entries() {
    let vendor = Vendor::new();
    let package = with_entries(&vendor, |all| {
        all.extend((0..10_000).map(|number| Entry::new(format!("payload/{number}").as_bytes(), Vec::new())));
    });
    assert_eq!(refusal(&package, &vendor.keyring()), "SSP-PKG-005");
    // And a document that says so.
    let package = changed(&vendor, |document| {
        let blob = document["manifest"].clone();
        let files = (0..10_000).map(|number| json!({"path": format!("f/{number:05}"), "blob": blob}));
        document["files"] = files.take(4001).collect();
    });
    assert!(["SSP-PKG-008", "SSP-PKG-009"].contains(&refusal(&package, &vendor.keyring())));
}

#[test]
fn more_before_the_files_than_is_read() {
    let vendor = Vendor::new();
    let package = changed(&vendor, |document| document["x-large"] = "x".repeat(1 << 20).into());
    assert_eq!(refusal(&package, &vendor.keyring()), "SSP-PKG-008");
}

#[test]
fn what_is_cut_off_anywhere() {
    let vendor = Vendor::new();
    let package = small(&vendor);
    let keyring = vendor.keyring();
    for length in 0..package.len() {
        let code = refusal(&package[..length], &keyring);
        let expected = if length < "package.json".len() { "SSP-PKG-002" } else { "SSP-PKG-003" };
        assert_eq!(code, expected, "after {length} bytes");
    }
}

#[test]
fn what_stands_behind_the_end() {
    let vendor = Vendor::new();
    for more in [vec![0], vec![0; 512], vec![0; 10_240], b"garbage".to_vec(), vendor.package()] {
        let package = [vendor.package(), more].concat();
        assert_eq!(refusal(&package, &vendor.keyring()), "SSP-PKG-004");
    }
}

#[test]
fn every_byte_counts() {
    let vendor = Vendor::new();
    let package = small(&vendor);
    let keyring = vendor.keyring();
    let signature = entries(&package)[0].content.len().next_multiple_of(BLOCK) + 2 * BLOCK;
    let comment = package[signature..].iter().position(|byte| *byte == b'\n').unwrap();
    // The one thing that nobody signs is what minisign calls the untrusted comment. Its form counts all the same.
    let unsigned = signature + "untrusted comment: ".len()..signature + comment;
    for at in (0..package.len()).filter(|at| !unsigned.contains(at)) {
        let mut changed = package.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(read_all(&changed, &keyring).is_err(), "byte {at}");
    }
}

#[test]
fn other_files() {
    let keyring = Keyring::new();
    for (bytes, word) in [
        (&b""[..], "empty"),
        (b"\x1f\x8b\x08\0\0", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"\x7fELF\x02", "library"),
        (b"<!DOCTYPE html>", "web page"),
        (b"{\"schema\": 1}", "JSON"),
    ] {
        for length in [bytes.len(), 100, 600, 5000] {
            let mut bytes = bytes.to_vec();
            if !bytes.is_empty() {
                bytes.resize(length, b' ');
            }
            let why = refused(&bytes, &keyring);
            assert!(why.code() == "SSP-PKG-002" && why.to_string().contains(word), "{why}");
        }
    }
}

/// A frame of zstd with these blocks: RFC 8878, section 3.1.1.
fn frame(descriptor: &[u8], blocks: impl Iterator<Item = [u8; 4]>) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd];
    frame.extend(descriptor);
    frame.extend(blocks.flatten());
    frame
}

/// `count` blocks of 128 KiB of zeros in four bytes each.
fn zeros(count: u32) -> impl Iterator<Item = [u8; 4]> {
    let block = |last: u32| ((128 * 1024) << 3 | 1 << 1 | last).to_le_bytes();
    (0..count).map(move |number| {
        let [a, b, c, _] = block(u32::from(number + 1 == count));
        [a, b, c, 0]
    })
}

/// The sample with another README, whose blob says `size` and holds `packed`.
fn with_readme(vendor: &Vendor, packed: &[u8], size: u64, sha256: ContentHash) -> Vec<u8> {
    let all = entries(&vendor.package());
    let mut document: Value = serde_json::from_slice(&all[0].content).unwrap();
    let file = document["files"].as_array_mut().unwrap();
    let readme = file.iter_mut().find(|file| file["path"] == "README.md").unwrap();
    let old = format!("payload/{}.zst", readme["blob"]["sha256"].as_str().unwrap());
    readme["blob"] = json!({
        "sha256": sha256,
        "size": size,
        "compressed_sha256": ContentHash::of(packed),
        "compressed_size": packed.len(),
    });
    let mut blobs: Vec<Entry> =
        all[2..].iter().filter(|entry| !entry.header.starts_with(old.as_bytes())).cloned().collect();
    blobs.push(Entry::new(format!("payload/{sha256}.zst").as_bytes(), packed.to_vec()));
    blobs.sort_by_key(|entry| entry.header);
    with_document(vendor, &serde_json::to_vec(&document).unwrap(), &blobs)
}

const WINDOW_8_MIB: u8 = 13 << 3;

#[test]
fn blobs_that_are_not_what_was_signed() {
    let vendor = Vendor::new();
    let keyring = vendor.keyring();
    let hash = ContentHash::of(b"abc");
    let pack = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    assert_eq!(
        read_all(&with_readme(&vendor, &pack(b"abc"), 3, hash), &keyring).unwrap()["README.md"],
        b"abc"
    );
    let code = |packed: &[u8], size| refusal(&with_readme(&vendor, packed, size, hash), &keyring);
    assert_eq!(code(&pack(b"abc"), 2), "SSP-PKG-012");
    assert_eq!(code(&pack(b"abc"), 4), "SSP-PKG-012");
    assert_eq!(code(&pack(b"abd"), 3), "SSP-PKG-011");
    assert_eq!(code(b"abc", 3), "SSP-PKG-012");
    // Two frames, something behind the frame, a frame to skip, and a frame that is cut off.
    assert_eq!(code(&[pack(b"ab"), pack(b"c")].concat(), 3), "SSP-PKG-012");
    assert_eq!(code(&[pack(b"abc"), vec![0]].concat(), 3), "SSP-PKG-012");
    assert_eq!(code(&[&b"\x50\x2a\x4d\x18\x01\0\0\0x"[..], &pack(b"abc")].concat(), 3), "SSP-PKG-012");
    let packed = pack(b"abc");
    assert_eq!(code(&packed[..packed.len() - 1], 3), "SSP-PKG-012");
    // A dictionary, and a window of 128 MiB.
    assert_eq!(code(&frame(&[0x01, WINDOW_8_MIB, 7], zeros(1)), 3), "SSP-PKG-012");
    assert_eq!(code(&frame(&[0x00, 17 << 3], zeros(1)), 3), "SSP-PKG-012");
    // A content size of 10 GiB in the frame, in one segment: its window.
    let size = (10u64 << 30).to_le_bytes();
    assert_eq!(code(&frame(&[&[0xe0][..], &size].concat(), zeros(1)), 3), "SSP-PKG-012");
}

#[test]
fn sizes_that_are_not_those_of_the_entries() {
    let vendor = Vendor::new();
    let keyring = vendor.keyring();
    let code = |change: &dyn Fn(&mut Value)| refusal(&changed(&vendor, change), &keyring);
    assert_eq!(code(&|document| document["manifest"]["size"] = json!(1)), "SSP-PKG-012");
    let grown = |document: &mut Value| {
        let size = document["manifest"]["compressed_size"].as_u64().unwrap();
        document["manifest"]["compressed_size"] = json!(size + 1);
    };
    assert_eq!(code(&grown), "SSP-PKG-007");
    assert_eq!(code(&|document| document["manifest"]["compressed_size"] = json!(0)), "SSP-PKG-009");
    assert_eq!(code(&|document| document["manifest"]["compressed_size"] = json!(1u64 << 40)), "SSP-PKG-009");
    assert_eq!(code(&|document| document["manifest"]["size"] = json!(10u64 << 30)), "SSP-PKG-009");
    assert_eq!(
        code(&|document| document["targets"][0]["library"]["blob"]["size"] = json!(u64::MAX)),
        "SSP-PKG-009"
    );
    let hash = ContentHash::of(b"another").to_string();
    assert_eq!(code(&|document| document["manifest"]["compressed_sha256"] = json!(hash)), "SSP-PKG-011");
}

#[test]
fn nothing_is_written_outside_of_the_folder() {
    let vendor = Vendor::new();
    let around = tempfile::tempdir().unwrap();
    let root = around.path().join("a/b/c");
    fs::create_dir_all(&root).unwrap();
    for path in [
        "../evil",
        "../../evil",
        "/tmp/evil",
        "ui/../../evil",
        "ui\\..\\evil",
        "c:evil",
        "ui//evil",
        "\u{2025}/evil",
        "ui/\u{0}evil",
    ] {
        let package = changed(&vendor, |document| document["files"][0]["path"] = json!(path));
        let opened = open(&package).unwrap();
        assert_eq!(opened.verify(&vendor.keyring()).unwrap_err().code(), "SSP-PKG-009", "{path}");
    }
    let library =
        changed(&vendor, |document| document["targets"][0]["library"]["path"] = json!("../evil.so"));
    assert_eq!(refusal(&library, &vendor.keyring()), "SSP-PKG-009");
    let mut package = open(&vendor.package()).unwrap().verify(&vendor.keyring()).unwrap();
    let target = package.document().targets[0].clone();
    package.unpack(&target, |_| true, &mut Folder::new(&root)).unwrap();
    let beside = |folder: &str| fs::read_dir(around.path().join(folder)).unwrap().count();
    assert_eq!((beside(""), beside("a"), beside("a/b")), (1, 1, 1));
}

/// Runs this test's other half in a process of its own and answers with the most memory that it had, in KiB.
#[cfg(target_os = "linux")]
fn memory_of(package: &[u8], expected: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hostile.sspkg");
    fs::write(&file, package).unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "in_a_process_of_its_own", "--nocapture"])
        .env("STREAMSPACE_TEST_PACKAGE", &file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find_map(|line| line.split_once("RESULT ")).unwrap().1;
    let (code, memory) = line.split_once(' ').unwrap();
    assert_eq!(code, expected);
    memory.parse().unwrap()
}

/// The other half of [`memory_of`]. Nothing without it.
#[test]
fn in_a_process_of_its_own() {
    let Some(file) = std::env::var_os("STREAMSPACE_TEST_PACKAGE") else { return };
    let outcome = (|| {
        let mut package = Unverified::open(fs::File::open(file).unwrap())?.accept_unsigned(&Keyring::new())?;
        package.check(|_| {})
    })();
    let code = outcome.map_or_else(|why: PackageError| why.code(), |()| "fine");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    let mut out = std::io::stdout();
    std::io::Write::write_all(&mut out, format!("\nRESULT {code} {kib}\n").as_bytes()).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_bomb_takes_little_memory_and_is_refused() {
    const MOST_KIB: u64 = 64 * 1024;
    let vendor = Vendor::new();
    // 10 KiB is as little as some 330 MiB can be packed in, 320 KiB for 10 GiB.
    let small = frame(&[0x00, WINDOW_8_MIB], zeros(2560));
    let huge = frame(&[0x00, WINDOW_8_MIB], zeros(81_920));
    assert!(small.len() < 10_300 && huge.len() < 330_000);
    let hash = ContentHash::of(b"abc");
    for packed in [&small, &huge] {
        let size = packed.len() as u64;
        for size in [3, size, 64 << 20] {
            // A size that packing cannot have led to is refused before.
            let code = if size == 3 && packed.len() > 2000 { "SSP-PKG-009" } else { "SSP-PKG-012" };
            let memory = memory_of(&with_readme(&vendor, packed, size, hash), code);
            assert!(memory < MOST_KIB, "{memory} KiB");
        }
    }
    // One that says so: the most that a file may have.
    let signed = frame(&[0x00, WINDOW_8_MIB], zeros(4096));
    let memory = memory_of(&with_readme(&vendor, &signed, 512 << 20, hash), "SSP-PKG-011");
    assert!(memory < MOST_KIB, "{memory} KiB");
    let memory = memory_of(&with_readme(&vendor, &huge, 10u64 << 30, hash), "SSP-PKG-009");
    assert!(memory < MOST_KIB, "{memory} KiB");
    // What is read before anything is known, at its largest; and what a good package takes.
    let most = |value: Value| changed(&vendor, |document| document["x-large"] = value);
    let objects: serde_json::Map<_, _> = (0..49_000).map(|number| (number.to_string(), json!({}))).collect();
    for (large, code) in [
        (json!(vec![0; 500_000]), "SSP-PKG-009"),
        (json!(vec![0; 49_000]), "fine"),
        (json!(objects), "fine"),
        (json!("x".repeat(1_000_000)), "fine"),
    ] {
        let memory = memory_of(&most(large), code);
        assert!(memory < MOST_KIB, "{memory} KiB");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bytes come: an answer, no panic, and no file outside of those that the document names.
    #[test]
    fn any_change_is_survived(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut package = PACKAGE.with(Clone::clone);
        for (at, byte) in changes {
            let at = at.index(package.len());
            package[at] = byte;
        }
        if let Some(cut) = cut {
            package.truncate(cut.index(package.len()));
        }
        if let Ok(mut package) = Unverified::open(Cursor::new(package)).and_then(|open| open.accept_unsigned(&Keyring::new())) {
            for target in package.document().targets.clone() {
                let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
                if package.unpack(&target, |_| true, &mut files).is_ok() {
                    prop_assert!(files.keys().all(|path| !path.contains("..") && !path.starts_with('/')));
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(open(&bytes).is_err());
        let _ = parse_signatures(&bytes);
        let _ = Document::parse(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = (PublicKey::from_file_text(&text), SecretKey::from_file_text(&text, None), Signature::parse(&text));
    }
}

thread_local! {
    static PACKAGE: Vec<u8> = Vendor::new().package();
}
