//! What a library says of itself decides whether it is loaded, and a refusal says what was expected and what was found.
#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

use std::{fs, path::Path};

use serde_json::{Value, json};
use streamspace_tests::{Folder, Installation, change_note, note_in, replace};

const PLUGIN: &str = "fixture-counter";

/// How a library is refused.
struct Refused<'a> {
    code: &'a str,
    rule: &'a str,
    expected: &'a [&'a str],
    found: &'a [&'a str],
}

impl Refused<'_> {
    /// By a host that does not run, and by one that does; and nothing is left of it.
    #[track_caller]
    fn on(&self, installation: Installation, change: impl FnOnce(&mut Vec<u8>)) {
        let folder = changed(&installation, change);
        let output = installation.cli(&["plugin", "install", folder.path()]).expect(1);
        let code = format!("({})", self.code);
        let file = folder.library().to_str().expect("UTF-8");
        for word in [PLUGIN, file, &code].iter().chain(self.expected).chain(self.found) {
            assert!(output.stderr.contains(word), "`{word}` is missing: {output:?}");
        }

        let host = installation.start();
        let problem = post(&host, &folder).refusal(self.code);
        assert_eq!((&problem["plugin"], &problem["rule"]), (&json!(PLUGIN), &json!(self.rule)), "{problem}");
        for (member, words) in [("expected", self.expected), ("found", self.found)] {
            let text = problem[member].as_str().unwrap_or_default();
            for word in words {
                assert!(text.contains(word), "`{word}` is not in `{member}`: {problem}");
            }
        }
        let plugins = host.api().get("/api/v1/plugins").expect(200).json();
        assert_eq!(plugins["plugins"], json!([]));
        assert_eq!(
            fs::read_dir(host.data().join("plugins")).expect("the folder").count(),
            0,
            "something is left"
        );
        assert_eq!(host.cli(&["plugin", "blocked", "--json"]).expect(0).json()["libraries"], json!([]));
        host.stop();
    }
}

fn changed(installation: &Installation, change: impl FnOnce(&mut Vec<u8>)) -> Folder {
    let folder = installation.copy(PLUGIN, "changed");
    folder.change(change);
    folder
}

fn post(host: &streamspace_tests::Host, folder: &Folder) -> streamspace_tests::Answer {
    host.api().post_json("/api/v1/plugins", &json!({"path": folder.path()}))
}

/// Changes what the library says of itself.
fn note(change: impl FnOnce(&mut Value)) -> impl FnOnce(&mut Vec<u8>) {
    |library| change_note(library, change)
}

/// It is installed, and runs.
#[track_caller]
fn admitted(installation: Installation, change: impl FnOnce(&mut Vec<u8>)) {
    let folder = changed(&installation, change);
    let host = installation.start();
    let plugin = post(&host, &folder).expect(201).json();
    assert_eq!(plugin["state"], "running", "{plugin}");
}

/// What `plugin inspect` reads in a file.
fn inspected(installation: &Installation, file: &Path) -> Value {
    installation.cli(&["plugin", "inspect", "--json", file.to_str().expect("UTF-8")]).json()
}

/// The capability `id` in one of the lists of a note.
fn capability<'a>(facts: &'a mut Value, list: &str, id: &str) -> &'a mut Value {
    let capabilities = facts[list].as_array_mut().expect("a list");
    capabilities.iter_mut().find(|capability| capability["id"] == id).expect("the capability")
}

/// Another hash for the function at `position`.
fn other_hash(capability: &mut Value, position: usize) {
    let mut layout = capability["layout"].as_str().expect("hashes").to_owned();
    let digit = if layout.as_bytes()[8 * position] == b'0' { "1" } else { "0" };
    layout.replace_range(8 * position..=8 * position, digit);
    capability["layout"] = layout.into();
}

#[test]
fn what_a_library_says_of_itself_is_shown() {
    let installation = Installation::new();
    let folder = installation.copy(PLUGIN, "whole");
    let shown = inspected(&installation, folder.library());
    assert_eq!((&shown["format"], &shown["kind"]), (&json!("elf"), &json!("dynamic library")), "{shown}");
    assert_eq!(
        (&shown["facts"]["name"], &shown["facts"]["panic"]),
        (&json!(PLUGIN), &json!("unwind")),
        "{shown}"
    );
    assert_eq!(shown["refusal"], Value::Null, "{shown}");
    let words =
        installation.cli(&["plugin", "inspect", folder.library().to_str().expect("UTF-8")]).expect(0).stdout;
    for word in ["ELF", "fixture-counter 0.1.0", "rustc 1.", "lifecycle/1", "log/1"] {
        assert!(words.contains(word), "`{word}` is missing: {words}");
    }
}

#[test]
fn another_interface() {
    let refused = Refused {
        code: "SSP-LIB-007",
        rule: "interface",
        expected: &["interface 1"],
        found: &["interface 2", "SDK 0."],
    };
    refused.on(Installation::new(), note(|facts| facts["abi"] = json!(2)));
}

#[test]
fn another_name() {
    let refused = Refused {
        code: "SSP-LIB-008",
        rule: "identity",
        expected: &["fixture-counter 0.1.0", "manifest"],
        found: &["fixture-caunter 0.1.0"],
    };
    refused.on(Installation::new(), note(|facts| facts["name"] = json!("fixture-caunter")));
}

#[test]
fn another_version() {
    let refused = Refused {
        code: "SSP-LIB-008",
        rule: "identity",
        expected: &["fixture-counter 0.1.0"],
        found: &["fixture-counter 0.1.1"],
    };
    refused.on(Installation::new(), note(|facts| facts["version"] = json!("0.1.1")));
}

#[test]
fn panics_that_abort() {
    let refused = Refused {
        code: "SSP-LIB-009",
        rule: "panic-strategy",
        expected: &["panic = \"unwind\""],
        found: &["panic = \"abort\""],
    };
    refused.on(Installation::new(), note(|facts| facts["panic"] = json!("abort")));
}

#[test]
fn a_compiler_that_is_known_to_be_bad() {
    let refused = Refused {
        code: "SSP-LIB-010",
        rule: "compiler",
        expected: &["plugins.denied_compilers", "=1.98.0"],
        found: &["rustc 1.98.0"],
    };
    refused.on(Installation::new(), note(|facts| facts["rustc"] = json!("rustc 1.98.0")));
}

#[test]
fn a_compiler_that_the_operator_denies() {
    let installation = Installation::new();
    let shown = inspected(&installation, installation.copy(PLUGIN, "whole").library());
    let compiler = shown["facts"]["rustc"].as_str().expect("a compiler").to_owned();
    let version = compiler.split(' ').nth(1).expect("a version");
    let denied = format!("={version}");
    let refused = Refused {
        code: "SSP-LIB-010",
        rule: "compiler",
        expected: &["plugins.denied_compilers", &denied],
        found: &[&compiler],
    };
    refused.on(installation.set("plugins.denied_compilers", vec!["<1.50.0", &denied]), |_| {});
}

#[test]
fn no_compiler_is_denied_by_an_empty_list() {
    let installation = Installation::new().set("plugins.denied_compilers", Vec::<String>::new());
    admitted(installation, note(|facts| facts["rustc"] = json!("rustc 1.98.0")));
}

/// Features of x86-64 processors, as Rust and as Linux names them. Nobody makes a processor with all of them.
const FEATURES: [(&str, &str); 8] = [
    ("tbm", "tbm"),
    ("sse4a", "sse4a"),
    ("avx512vp2intersect", "avx512_vp2intersect"),
    ("avx512fp16", "avx512_fp16"),
    ("avx512f", "avx512f"),
    ("vaes", "vaes"),
    ("sha", "sha_ni"),
    ("avx2", "avx2"),
];

#[test]
#[cfg(target_arch = "x86_64")]
fn a_processor_that_lacks_a_feature() {
    let cpu = fs::read_to_string("/proc/cpuinfo").expect("the processor");
    let flags = cpu.lines().find(|line| line.starts_with("flags")).expect("its features");
    let has = |name: &str| flags.split_whitespace().any(|flag| flag == name);
    let (lacking, _) = FEATURES.iter().find(|(_, flag)| !has(flag)).expect("a feature that is missing");
    let present = if has("avx2") { "avx2" } else { "unheard-of" };
    let refused = Refused {
        code: "SSP-LIB-011",
        rule: "processor",
        expected: &["processor", "x86-64"],
        found: &[&format!("that it uses {lacking}")],
    };
    refused.on(Installation::new(), note(|facts| facts["cpu"] = json!([present, lacking])));
}

#[test]
fn a_feature_that_no_host_knows_is_no_reason() {
    admitted(Installation::new(), note(|facts| facts["cpu"] = json!(["unheard-of"])));
}

#[test]
#[cfg(target_env = "gnu")]
fn a_newer_c_library() {
    let installation = Installation::new();
    let folder = installation.copy(PLUGIN, "whole");
    let needed = inspected(&installation, folder.library())["glibc"].as_str().expect("a version").to_owned();
    let newer = format!("9{}", needed.strip_prefix('2').expect("glibc 2"));
    let refused = Refused {
        code: "SSP-LIB-012",
        rule: "glibc",
        expected: &["glibc 2.", "or older"],
        found: &[&format!("that it needs {newer}")],
    };
    refused.on(installation, |library| {
        replace(library, &format!("GLIBC_{needed}\0"), &format!("GLIBC_{newer}\0"))
    });
}

#[test]
#[cfg(target_env = "gnu")]
fn another_c_library() {
    let refused = Refused {
        code: "SSP-LIB-004",
        rule: "operating-system",
        expected: &["`gnu`"],
        found: &["-unknown-linux-musl"],
    };
    refused.on(
        Installation::new(),
        note(|facts| {
            let target = facts["target"].as_str().expect("a target").replace("-gnu", "-musl");
            facts["rustc"] = json!("rustc 1.95.0");
            facts["target"] = target.into();
        }),
    );
}

#[test]
fn a_capability_that_this_host_has_not() {
    let refused = Refused {
        code: "SSP-LIB-013",
        rule: "capability-present",
        expected: &["`future/1`", "version 9.9.0"],
        found: &["this host is version 0."],
    };
    refused.on(
        Installation::new(),
        note(|facts| {
            // They make room.
            facts["uses"] = json!([]);
            let needs = facts["needs"].as_array_mut().expect("a list");
            needs.push(json!({"id": "future/1", "since": "9.9.0", "layout": "01234567"}));
        }),
    );
}

#[test]
fn a_capability_that_the_plugin_can_do_without_is_no_reason() {
    admitted(
        Installation::new(),
        note(|facts| facts["uses"] = json!([{"id": "future/1", "since": "9.9.0", "layout": "01234567"}])),
    );
}

#[test]
fn a_plugin_that_cannot_be_run() {
    let refused = Refused {
        code: "SSP-LIB-013",
        rule: "capability-present",
        expected: &["`lifecycle/1`"],
        found: &["does not"],
    };
    refused.on(Installation::new(), note(|facts| facts["offers"] = json!([])));
}

#[test]
fn a_capability_of_the_host_that_differs() {
    let refused = Refused {
        code: "SSP-LIB-014",
        rule: "capability-layout",
        expected: &["`log/1`", "host offers"],
        found: &["function 2 (`write`)", "SDK 0."],
    };
    refused.on(Installation::new(), note(|facts| other_hash(capability(facts, "needs", "log/1"), 1)));
}

#[test]
fn a_capability_that_is_used_if_it_is_there_and_differs() {
    let refused = Refused {
        code: "SSP-LIB-014",
        rule: "capability-layout",
        expected: &["`events/1`", "host offers"],
        found: &["function 1 (`emit`)"],
    };
    refused.on(Installation::new(), note(|facts| other_hash(capability(facts, "uses", "events/1"), 0)));
}

#[test]
fn a_capability_of_the_plugin_that_differs() {
    let refused = Refused {
        code: "SSP-LIB-014",
        rule: "capability-layout",
        expected: &["`lifecycle/1`", "plugin offers"],
        found: &["function 3 (`disable`)"],
    };
    refused.on(Installation::new(), note(|facts| other_hash(capability(facts, "offers", "lifecycle/1"), 2)));
}

#[test]
fn more_functions_than_this_host_knows_are_no_reason() {
    admitted(
        Installation::new(),
        note(|facts| {
            facts["uses"] = json!([]);
            let lifecycle = capability(facts, "offers", "lifecycle/1");
            let layout = format!("{}89abcdef", lifecycle["layout"].as_str().expect("hashes"));
            lifecycle["layout"] = layout.into();
        }),
    );
}

#[test]
fn a_note_of_somebody_else() {
    let refused = Refused {
        code: "SSP-LIB-006",
        rule: "plugin",
        expected: &["a note"],
        found: &["not one that this host knows"],
    };
    refused.on(Installation::new(), |library| {
        let facts = note_in(library).start;
        library[facts - 12..facts].copy_from_slice(b"StreamSpice\0");
    });
}

#[test]
fn a_note_of_another_type() {
    let refused = Refused {
        code: "SSP-LIB-006",
        rule: "plugin",
        expected: &["a note"],
        found: &["not one that this host knows"],
    };
    refused.on(Installation::new(), |library| {
        let facts = note_in(library).start;
        library[facts - 16] = 2;
    });
}

#[test]
fn a_note_that_is_cut_off() {
    let refused = Refused {
        code: "SSP-LIB-006",
        rule: "plugin",
        expected: &["a note"],
        found: &["cut off or too large"],
    };
    refused.on(Installation::new(), |library| {
        let facts = note_in(library).start;
        library[facts - 20..facts - 16].copy_from_slice(&60_000_u32.to_le_bytes());
    });
}

#[test]
fn a_note_that_is_no_json() {
    let refused = Refused {
        code: "SSP-LIB-006",
        rule: "plugin",
        expected: &["a note"],
        found: &["not what it should be"],
    };
    refused.on(Installation::new(), |library| {
        let facts = note_in(library).start;
        library[facts] = b'[';
    });
}

#[test]
fn a_note_that_is_no_text() {
    let refused = Refused { code: "SSP-LIB-006", rule: "plugin", expected: &["a note"], found: &["UTF-8"] };
    refused.on(Installation::new(), |library| {
        let facts = note_in(library).start;
        library[facts + 10] = 0xff;
    });
}

#[test]
fn a_note_that_lacks_a_member() {
    let refused = Refused { code: "SSP-LIB-006", rule: "plugin", expected: &["a note"], found: &["`panic`"] };
    refused.on(
        Installation::new(),
        note(|facts| {
            let panic = facts.as_object_mut().and_then(|facts| facts.remove("panic"));
            assert!(panic.is_some());
        }),
    );
}

#[test]
fn a_library_that_is_needed_and_not_there() {
    let refused = Refused {
        code: "SSP-LIB-015",
        rule: "system-loader",
        expected: &["this system can load"],
        found: &["libgcc_z.so.1"],
    };
    refused.on(Installation::new(), |library| replace(library, "libgcc_s.so.1\0", "libgcc_z.so.1\0"));
}

#[test]
fn a_symbol_that_is_needed_and_not_there() {
    let refused = Refused {
        code: "SSP-LIB-015",
        rule: "system-loader",
        expected: &["this system can load"],
        found: &["_Unwind_RaiseExceptiom"],
    };
    refused.on(Installation::new(), |library| {
        replace(library, "\0_Unwind_RaiseException\0", "\0_Unwind_RaiseExceptiom\0");
    });
}

#[test]
fn a_library_that_does_not_export_what_its_note_promises() {
    let symbol = "_1as_0lib_1header_0root_bmodule_bloader\0";
    let refused =
        Refused { code: "SSP-LIB-006", rule: "plugin", expected: &["the symbol"], found: &["without it"] };
    // The table of hashes by which symbols are found has the other name's place, and nothing in it.
    refused.on(Installation::new(), |library| replace(library, symbol, &symbol.replace("loader", "loades")));
}

#[test]
fn each_refusal_tells_what_to_do() {
    let host = Installation::new().start();
    let folder = changed(&host, note(|facts| facts["rustc"] = json!("rustc 1.98.0")));
    let problem = post(&host, &folder).refusal("SSP-LIB-010");
    let action = problem["action"].as_str().unwrap_or_default();
    assert!(action.contains("plugins.denied_compilers"), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.ends_with(action)), "{problem}");
    let shown =
        host.cli(&["plugin", "inspect", "--json", folder.library().to_str().expect("UTF-8")]).expect(1);
    for member in ["code", "rule", "expected", "found", "action"] {
        assert_eq!(shown.json()["refusal"][member], problem[member], "{member}");
    }
}

#[test]
fn an_installed_plugin_is_judged_again_at_each_start() {
    let installation = Installation::new().plugin(PLUGIN, &json!({})).plugin("fixture-panics", &json!({}));
    let installation = installation.set("plugins.denied_compilers", vec![">=1.0.0"]);
    let host = installation.start();
    let reason = host.wait_state(PLUGIN, "failed")["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("SSP-LIB-010") && reason.contains("rustc 1."), "{reason}");
    let host = host.stop().installation.set("plugins.denied_compilers", Vec::<String>::new()).start();
    host.wait_state(PLUGIN, "running");
    host.wait_state("fixture-panics", "running");
}
