//! Whatever lies where a plugin's library should be: it is refused with the rule that it breaks, and harms nothing.
#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Folder, Host, Installation, replace};

const PLUGIN: &str = "fixture-counter";
/// What is said of a library that is taken.
const ADMITTED: &str = "admitted";
const MIB: u64 = 1024 * 1024;

/// What lies where the library should be.
enum Put {
    Bytes(Vec<u8>),
    /// Bytes, and as many zeros behind them as the file is long.
    Sparse(Vec<u8>, u64),
    Folder,
    Fifo,
    /// A link to there.
    Link(PathBuf),
}

struct Bad {
    what: String,
    put: Put,
    /// What `plugin inspect` may answer, and what installing may.
    inspected: &'static [&'static str],
    installed: &'static [&'static str],
}

/// A file that is judged by what it says, the same by both.
fn judged(what: impl Into<String>, put: Put, codes: &'static [&'static str]) -> Bad {
    Bad { what: what.into(), put, inspected: codes, installed: codes }
}

fn bytes(what: impl Into<String>, bytes: impl Into<Vec<u8>>, codes: &'static [&'static str]) -> Bad {
    judged(what, Put::Bytes(bytes.into()), codes)
}

/// A library with one change.
fn changed(
    what: &str,
    whole: &[u8],
    codes: &'static [&'static str],
    change: impl FnOnce(&mut Vec<u8>),
) -> Bad {
    let mut changed = whole.to_vec();
    change(&mut changed);
    bytes(what, changed, codes)
}

fn put(bad: &Put, at: &Path) {
    if at.is_dir() {
        fs::remove_dir(at).expect("it is gone");
    } else if at.is_symlink() || at.exists() {
        fs::remove_file(at).expect("it is gone");
    }
    match bad {
        Put::Bytes(bytes) => fs::write(at, bytes).expect("it is written"),
        Put::Sparse(bytes, size) => {
            let mut file = File::create(at).expect("a file");
            file.write_all(bytes).expect("it is written");
            file.set_len(*size).expect("a file with a hole");
        }
        Put::Folder => fs::create_dir(at).expect("a folder"),
        Put::Fifo => mknodat(CWD, at, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO"),
        Put::Link(to) => symlink(to, at).expect("a link"),
    }
}

/// The library's header and what it says is where, as far as the tests change it.
fn number(library: &[u8], at: usize, size: usize) -> usize {
    library[at..at + size].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn set(library: &mut [u8], at: usize, size: usize, number: u64) {
    library[at..at + size].copy_from_slice(&number.to_le_bytes()[..size]);
}

/// Where the dynamic information is.
fn dynamic(library: &[u8]) -> std::ops::Range<usize> {
    let (table, count) = (number(library, 32, 8), number(library, 56, 2));
    let segment = (0..count).map(|at| table + 56 * at).find(|at| number(library, *at, 4) == 2);
    let segment = segment.expect("dynamic information");
    let begin = number(library, segment + 8, 8);
    begin..begin + number(library, segment + 32, 8)
}

/// Compiles three lines of C.
fn compiled(scratch: &Path, arguments: &[&str]) -> Vec<u8> {
    let (source, output) = (scratch.join("three.c"), scratch.join("three.out"));
    fs::write(&source, "int three(void) {\n    return 3;\n}\n").expect("the source");
    let status =
        Command::new("cc").args(arguments).arg("-o").arg(&output).arg(&source).status().expect("cc runs");
    assert!(status.success(), "{status}");
    fs::read(&output).expect("what cc made")
}

/// A library that ends too early, at many places.
fn truncated(whole: &[u8]) -> Vec<Bad> {
    let begin = [1, 4, 16, 63, 64];
    let rest = (1..=24).map(|part| whole.len() * part / 25);
    begin
        .into_iter()
        .chain(rest)
        .chain([whole.len() - 1])
        .map(|length| {
            let codes: &[&str] = if length < 4 { &["SSP-LIB-002"] } else { &["SSP-LIB-003"] };
            bytes(format!("the first {length} bytes"), &whole[..length], codes)
        })
        .collect()
}

/// A library with one wrong byte in its header.
fn flipped(whole: &[u8]) -> Vec<Bad> {
    const LOADER: (&[&str], &[&str]) = (&[ADMITTED], &["SSP-LIB-015"]);
    const MEANINGLESS: (&[&str], &[&str]) = (&[ADMITTED], &[ADMITTED]);
    let same = |codes: &'static [&'static str]| (codes, codes);
    (0..64)
        .map(|at| {
            let (inspected, installed) = match at {
                // The magic bytes; and the type, by which it is a dynamic library.
                0..4 | 16..18 => same(&["SSP-LIB-002"]),
                // Word size, byte order, version.
                4..7 => same(&["SSP-LIB-003"]),
                7 => same(&["SSP-LIB-004"]),
                // The version of the operating system's interface, padding, and ELF's version once more: glibc wants
                // them as they are, and nothing depends on them.
                8..16 | 20..24 => LOADER,
                18..20 => same(&["SSP-LIB-005"]),
                // The entry of a program, flags that x86 has none of, and the header's own size.
                24..32 | 48..54 => MEANINGLESS,
                // Where the program headers are, how large and how many.
                32..40 | 54..58 => same(&["SSP-LIB-003"]),
                // The same of the sections: other bytes that pass for a table have no note.
                _ => same(&["SSP-LIB-003", "SSP-LIB-006"]),
            };
            let mut bytes = whole.to_vec();
            bytes[at] ^= 0xff;
            Bad { what: format!("byte {at} flipped"), put: Put::Bytes(bytes), inspected, installed }
        })
        .collect()
}

/// Files of other formats, systems and kinds.
fn foreign(whole: &[u8], scratch: &Path) -> Vec<Bad> {
    let (other_machine, wrong) =
        if cfg!(target_arch = "aarch64") { (62, "x86_64") } else { (183, "aarch64") };
    let host = Installation::new().builds().host.clone();
    vec![
        changed(&format!("a library for {wrong}"), whole, &["SSP-LIB-005"], |bytes| {
            set(bytes, 18, 2, other_machine)
        }),
        changed(&format!("the header alone of a library for {wrong}"), whole, &["SSP-LIB-005"], |bytes| {
            set(bytes, 18, 2, other_machine);
            bytes.truncate(64);
        }),
        changed("a library of 32 bits", whole, &["SSP-LIB-005"], |bytes| bytes[4] = 1),
        changed("a library of the other byte order", whole, &["SSP-LIB-005"], |bytes| bytes[5] = 2),
        changed("a library for FreeBSD", whole, &["SSP-LIB-004"], |bytes| bytes[7] = 9),
        changed("a program at a fixed address", whole, &["SSP-LIB-002"], |bytes| set(bytes, 16, 2, 2)),
        changed("a core dump", whole, &["SSP-LIB-002"], |bytes| set(bytes, 16, 2, 4)),
        bytes("a library for macOS", mach_o(), &["SSP-LIB-004"]),
        bytes("a library for several architectures", *b"\xca\xfe\xba\xbe\0\0\0\x01", &["SSP-LIB-002"]),
        bytes("a library for Windows", pe(), &["SSP-LIB-004"]),
        bytes("the beginning of a program for DOS", *b"MZ\x90\0", &["SSP-LIB-004"]),
        bytes("a library that is no plugin", compiled(scratch, &["-shared", "-fPIC"]), &["SSP-LIB-006"]),
        bytes("an object file", compiled(scratch, &["-c"]), &["SSP-LIB-002"]),
        bytes("a program", fs::read(host).expect("the host's program"), &["SSP-LIB-006"]),
        bytes("a script", *b"#!/bin/sh\nexit 0\n", &["SSP-LIB-002"]),
        bytes("an empty file", [], &["SSP-LIB-002"]),
        bytes("zeros", [0; 4096], &["SSP-LIB-002"]),
    ]
}

/// A library whose file is whole, and in which something is wrong that it is not asked for.
fn damaged(whole: &[u8]) -> Vec<Bad> {
    let sections = |bytes: &mut [u8], count: u64, at: u64| {
        set(bytes, 40, 8, at);
        set(bytes, 60, 2, count);
    };
    let mut garbage = whole.to_vec();
    garbage[dynamic(whole)].fill(0x41);
    let mut many = whole.to_vec();
    many.resize(2 * MIB as usize, 0);
    sections(&mut many, 60_000, MIB);
    let mut claims = whole.to_vec();
    claims.resize(2 * MIB as usize, 0);
    sections(&mut claims, 0, MIB);
    // In the first section's size is the number of sections, if the header has no place for it.
    set(&mut claims, MIB as usize + 32, 8, 6_000_000);
    vec![
        Bad {
            what: "dynamic information that is none".to_owned(),
            put: Put::Bytes(garbage),
            inspected: &[ADMITTED],
            installed: &["SSP-LIB-015", "SSP-LIB-016"],
        },
        judged(
            "many sections in a sparse file",
            Put::Sparse(many, 400 * MIB),
            &["SSP-LIB-003", "SSP-LIB-006"],
        ),
        judged("6 million sections in a sparse file", Put::Sparse(claims, 400 * MIB), &["SSP-LIB-003"]),
        judged("a file that is too large", Put::Sparse(whole.to_vec(), 600 * MIB), &["SSP-LIB-002"]),
    ]
}

/// What is no file, or not in the folder.
fn no_files(good: &Folder) -> Vec<Bad> {
    let link = |what: &str, to: &Path, inspected, installed| Bad {
        what: what.to_owned(),
        put: Put::Link(to.to_owned()),
        inspected,
        installed,
    };
    vec![
        judged("a folder", Put::Folder, &["SSP-LIB-002"]),
        judged("a FIFO", Put::Fifo, &["SSP-LIB-002"]),
        link("a link out of the folder", good.library(), &[ADMITTED], &["SSP-PLG-004"]),
        link("a link to nothing", Path::new("nothing.so"), &["SSP-LIB-001"], &["SSP-PLG-005"]),
        link("a link to a device without an end", Path::new("/dev/zero"), &["SSP-LIB-002"], &["SSP-PLG-004"]),
        link(
            "a link to a file in the folder",
            Path::new("manifest.json"),
            &["SSP-LIB-002"],
            &["SSP-LIB-002"],
        ),
    ]
}

/// A minimal dynamic library of macOS.
fn mach_o() -> Vec<u8> {
    let header: [u32; 8] = [0xfeed_facf, 0x0100_0007, 3, 6, 0, 0, 0, 0];
    header.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A minimal dynamic library of Windows.
fn pe() -> Vec<u8> {
    let mut file = vec![0; 512];
    file[..2].copy_from_slice(b"MZ");
    set(&mut file, 60, 4, 64);
    file[64..68].copy_from_slice(b"PE\0\0");
    for (at, size, number) in [
        // x86-64; size of what follows; a dynamic library with addresses above 2 GiB.
        (68, 2, 0x8664),
        (84, 2, 240),
        (86, 2, 0x2022),
        // PE32+; alignments; sizes of the image and of the headers; 16 directories.
        (88, 2, 0x20b),
        (120, 4, 4096),
        (124, 4, 512),
        (144, 4, 4096),
        (148, 4, 512),
        (196, 4, 16),
    ] {
        set(&mut file, at, size, number);
    }
    file
}

/// What `plugin inspect` says of a file.
fn inspect(host: &Host, file: &Path) -> String {
    let output = host.cli(&["plugin", "inspect", "--json", file.to_str().expect("UTF-8")]);
    let refusal = &output.json()["refusal"];
    if refusal.is_null() {
        output.expect(0);
        return ADMITTED.to_owned();
    }
    let text = |member: &str| refusal[member].as_str().unwrap_or_default().to_owned();
    for member in ["rule", "expected", "found", "action"] {
        assert!(!text(member).is_empty(), "`{member}` is missing in {refusal}");
    }
    let code = text("code");
    assert!(output.stderr.contains(&format!("({code})")), "{output:?}");
    output.expect(1);
    code
}

/// What installing it is answered with. One that is installed runs, and is removed.
fn install(host: &Host, folder: &Folder) -> String {
    let api = host.api();
    let answer = api.post_json("/api/v1/plugins", &json!({"path": folder.path()}));
    if answer.status == 201 {
        assert_eq!(answer.json()["state"], "running", "{answer:?}");
        let _ = api.delete(&format!("/api/v1/plugins/{PLUGIN}")).expect(204);
        return ADMITTED.to_owned();
    }
    let problem = answer.problem(&[422]);
    let code = problem["code"].as_str().unwrap_or_default();
    if code.starts_with("SSP-LIB") {
        let problem = answer.refusal(code);
        assert_eq!(problem["plugin"], PLUGIN, "{problem}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(
            detail.contains(folder.library().to_str().expect("UTF-8")),
            "the file is not named: {problem}"
        );
    }
    code.to_owned()
}

/// Everything in a folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn every_bad_file_is_refused_for_what_it_is_and_harms_nothing() {
    let host = Installation::new().start();
    let good = host.copy(PLUGIN, "good");
    let folder = host.copy(PLUGIN, "bad");
    let whole = folder.bytes();
    let mut files = truncated(&whole);
    files.extend(flipped(&whole));
    files.extend(foreign(&whole, host.scratch()));
    files.extend(damaged(&whole));
    files.extend(no_files(&good));

    let mut surprises = Vec::new();
    for Bad { what, put: bad, inspected, installed } in files {
        put(&bad, folder.library());
        for (way, expected, look) in [
            ("inspected", inspected, &(|| inspect(&host, folder.library())) as &dyn Fn() -> String),
            ("installed", installed, &|| install(&host, &folder)),
        ] {
            // Both have a deadline: what waits for a file, or reads it whole, does not come through.
            let found = look();
            if !expected.contains(&found.as_str()) {
                surprises.push(format!("{what}, {way}: {found}, and not {expected:?}"));
            }
        }
        let left = entries(&host.data().join("plugins"));
        if !left.is_empty() {
            surprises.push(format!("{what}: {left:?} is left"));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");

    let _ = host.api().get("/healthz").expect(200);
    assert_eq!(install_and_keep(&host, &good)["state"], "running");
    host.post_event("test.count", &json!({"n": 1}));
    host.wait_count(PLUGIN, "count", "delivered", 1);
    host.stop();
}

fn install_and_keep(host: &Host, folder: &Folder) -> Value {
    host.api().post_json("/api/v1/plugins", &json!({"path": folder.path()})).expect(201).json()
}

#[test]
fn a_library_may_be_a_link_within_its_folder() {
    let host = Installation::new().start();
    let folder = host.copy(PLUGIN, "linked");
    let real = folder.library().with_file_name("real.bin");
    fs::rename(folder.library(), &real).expect("it is renamed");
    symlink("real.bin", folder.library()).expect("a link");
    assert_eq!(install_and_keep(&host, &folder)["state"], "running");
    let copies = entries(&host.data().join("plugins").join(PLUGIN));
    let copies: Vec<PathBuf> =
        copies.iter().filter(|path| path.is_dir()).flat_map(|path| entries(path)).collect();
    assert!(copies.iter().all(|file| !file.is_symlink()), "a link was copied as one: {copies:?}");
}

#[test]
fn what_lies_beside_the_library_is_not_taken_from_elsewhere_and_leaves_nothing() {
    let host = Installation::new().start();
    let secret = host.scratch().join("secret");
    fs::write(&secret, "of somebody else").expect("written");
    let folder = host.copy(PLUGIN, "beside");
    for name in ["README.md", "manifest.json"] {
        let file = folder.library().with_file_name(name);
        let before = fs::read(&file).ok();
        put(&Put::Link(secret.clone()), &file);
        let problem =
            host.api().post_json("/api/v1/plugins", &json!({"path": folder.path()})).problem(&[422]);
        assert_eq!(problem["code"], "SSP-PLG-004", "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(name)), "{problem}");
        assert_eq!(entries(&host.data().join("plugins")), [] as [PathBuf; 0], "{name}");
        fs::remove_file(&file).expect("it is gone");
        if let Some(before) = before {
            fs::write(&file, before).expect("written");
        }
    }
    assert_eq!(install_and_keep(&host, &folder)["state"], "running");
}

#[test]
fn a_large_file_is_not_read_to_be_judged() {
    let installation = Installation::new();
    let folder = installation.copy(PLUGIN, "large");
    let files = damaged(&folder.bytes());
    let large = files.iter().filter(|bad| matches!(bad.put, Put::Sparse(..)));
    for Bad { what, put: bad, .. } in large {
        put(bad, folder.library());
        let mut inspecting =
            installation.spawn(&["plugin", "inspect", "--json", folder.library().to_str().expect("UTF-8")]);
        let read = inspecting.bytes_read(DEADLINE);
        assert!(read < 8 * MIB, "{what}: {read} bytes were read");
        assert_eq!(inspecting.wait(DEADLINE).code(), Some(1), "{what}");
    }
}

#[test]
fn a_library_whose_name_for_the_note_is_another_is_no_plugin() {
    let host = Installation::new().start();
    let folder = host.copy(PLUGIN, "renamed");
    folder.change(|library| replace(library, ".note.streamspace", ".note.streamspicy"));
    assert_eq!(install(&host, &folder), "SSP-LIB-006");
}
