//! The binary interface is as it was published: every table that crosses is held against its snapshot in
//! `interface/layouts/`.
//!
//! A table may gain functions at its end, and nothing else. `UPDATE_LAYOUTS=1 cargo test -p streamspace-plugin --test
//! layouts` records what was appended, and new capabilities. It refuses every other change.
//!
//! The sizes in the snapshots are those of 64-bit targets.

#![cfg(target_pointer_width = "64")]

use std::{
    collections::BTreeSet,
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use abi_stable::{StableAbi, type_layout::TypeLayout};
use streamspace_plugin::{
    SDK_VERSION,
    abi::{ABI_MAJOR, HEADER_SYMBOL, RootRef},
    config::{self, ConfigSinkRef, ConfigSourceRef},
    database::{self, DatabaseRef},
    events::{self, ConsumersRef, EmitterRef},
    http::{self, HttpRef},
    lifecycle::{self, LifecycleRef},
    log::{self, LogRef},
    platform::{self, PlatformRef},
    routes::{self, RoutesRef},
    scheduler::{self, JobsRef, TimetableRef},
    storage::{self, StorageRef},
    streams::{self, SwitchboardRef, TapsRef},
    ui::{self, ContributionsRef},
    websocket::{self, SocketRef, WebSocketsRef},
};

mod compare;
mod made_up;
mod render;
mod snapshot;

use compare::{Verdict, compare, compare_root};
use snapshot::{Side, Snapshot, diff};

/// How to record what was appended.
const UPDATE: &str = "UPDATE_LAYOUTS=1 cargo test -p streamspace-plugin --test layouts";

/// Every table that crosses. A new one is added here, and recorded.
const CAPABILITIES: &[Listed] = &[
    Listed::new(log::ID, Side::Host, "LogRef", LogRef::LAYOUT),
    Listed::new(config::ID, Side::Host, "ConfigSourceRef", ConfigSourceRef::LAYOUT),
    Listed::new(database::ID, Side::Host, "DatabaseRef", DatabaseRef::LAYOUT),
    Listed::new(events::ID, Side::Host, "EmitterRef", EmitterRef::LAYOUT),
    Listed::new(http::ID, Side::Host, "HttpRef", HttpRef::LAYOUT),
    Listed::new(storage::ID, Side::Host, "StorageRef", StorageRef::LAYOUT),
    Listed::new(scheduler::ID, Side::Host, "TimetableRef", TimetableRef::LAYOUT),
    Listed::new(platform::ID, Side::Host, "PlatformRef", PlatformRef::LAYOUT),
    Listed::new(streams::ID, Side::Host, "SwitchboardRef", SwitchboardRef::LAYOUT),
    Listed::new(websocket::ID, Side::Host, "SocketRef", SocketRef::LAYOUT),
    Listed::new(lifecycle::ID, Side::Plugin, "LifecycleRef", LifecycleRef::LAYOUT),
    Listed::new(config::ID, Side::Plugin, "ConfigSinkRef", ConfigSinkRef::LAYOUT),
    Listed::new(events::ID, Side::Plugin, "ConsumersRef", ConsumersRef::LAYOUT),
    Listed::new(routes::ID, Side::Plugin, "RoutesRef", RoutesRef::LAYOUT),
    Listed::new(scheduler::ID, Side::Plugin, "JobsRef", JobsRef::LAYOUT),
    Listed::new(streams::ID, Side::Plugin, "TapsRef", TapsRef::LAYOUT),
    Listed::new(ui::ID, Side::Plugin, "ContributionsRef", ContributionsRef::LAYOUT),
    Listed::new(websocket::ID, Side::Plugin, "WebSocketsRef", WebSocketsRef::LAYOUT),
];

struct Listed {
    id: &'static str,
    side: Side,
    /// The type's name, as the sources write it.
    table: &'static str,
    layout: &'static TypeLayout,
}

impl Listed {
    const fn new(id: &'static str, side: Side, table: &'static str, layout: &'static TypeLayout) -> Self {
        Self { id, side, table, layout }
    }

    /// The snapshot's place in the folder of layouts.
    fn file(&self) -> PathBuf {
        Path::new(self.side.name()).join(format!("{}.txt", self.id.replace('/', "-")))
    }

    fn now(&self) -> Snapshot {
        render::snapshot(self.id, self.side, SDK_VERSION, self.layout)
    }
}

const ROOT_FILE: &str = "root.txt";

fn root_now() -> String {
    let types = render::reached(render::behind(RootRef::LAYOUT));
    let types: Vec<String> = types.into_values().collect();
    format!(
        "the root, frozen for ever\nabi {ABI_MAJOR}, exported as {HEADER_SYMBOL}\n\ntypes\n{}\n",
        types.join("\n")
    )
}

fn interface() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn layouts() -> PathBuf {
    interface().join("layouts")
}

fn is_update() -> bool {
    env::var_os("UPDATE_LAYOUTS").is_some_and(|value| value == "1")
}

/// The text of a snapshot, `None` if there is none. A checkout may have given it other ends of lines.
fn committed(file: &Path) -> Option<String> {
    fs::read_to_string(layouts().join(file)).ok().map(|text| text.replace("\r\n", "\n"))
}

fn record(file: &Path, text: &str) {
    let path = layouts().join(file);
    fs::create_dir_all(path.parent().expect("a snapshot is in a folder")).expect("a writable folder");
    fs::write(&path, text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    say(&format!("recorded interface/layouts/{}", file.display()));
}

/// Past the test harness, which keeps to itself what a test that passes prints.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn is_missing(file: &Path) -> String {
    format!("interface/layouts/{} is missing. If it is new, record it: {UPDATE}", file.display())
}

/// What was appended to a table and is not in its snapshot yet: the lines that differ, and the text to record.
struct Unrecorded {
    lines: String,
    text: String,
}

/// Holds a table against its snapshot.
fn hold(listed: &Listed) -> Result<Option<Unrecorded>, String> {
    let file = listed.file();
    let text = committed(&file).ok_or_else(|| is_missing(&file))?;
    let committed = Snapshot::parse(&text).map_err(|why| {
        format!("interface/layouts/{} was edited by hand. Restore it.\n{why}", file.display())
    })?;
    let mut now = listed.now();
    match compare(&committed, &now) {
        Verdict::Same => Ok(None),
        Verdict::Broken(sentences) => Err(sentences.join("\n")),
        Verdict::Appended(_) => {
            now.since = committed.since;
            let now = now.to_string();
            Ok(Some(Unrecorded { lines: diff(&text, &now), text: now }))
        }
    }
}

#[test]
fn published_tables_only_grow() {
    if committed(Path::new(ROOT_FILE)).is_some_and(|root| compare_root(&root, &root_now()).is_err()) {
        panic!("What the root is made of changed, and every table uses it: see `the_root_is_frozen`.");
    }
    let mut broken = Vec::new();
    for listed in CAPABILITIES {
        let file = listed.file();
        if is_update() && committed(&file).is_none() {
            record(&file, &listed.now().to_string());
            continue;
        }
        match hold(listed) {
            Ok(None) => {}
            Ok(Some(appended)) if is_update() => record(&file, &appended.text),
            Ok(Some(appended)) => say(&format!(
                "Appended to `{}` of the {}, and not recorded yet:\n{}Record it: {UPDATE}",
                listed.id,
                listed.side.name(),
                appended.lines
            )),
            Err(sentences) => broken.push(sentences),
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_root_is_frozen() {
    let (file, now) = (Path::new(ROOT_FILE), root_now());
    match committed(file) {
        Some(committed) => {
            if let Err(sentence) = compare_root(&committed, &now) {
                panic!("\n{sentence}");
            }
        }
        None if is_update() => record(file, &now),
        None => panic!("{}", is_missing(file)),
    }
}

#[test]
#[ignore = "functions may be appended before they are recorded; checked before a change is merged"]
fn the_snapshots_are_up_to_date() {
    let mut stale = String::new();
    for listed in CAPABILITIES {
        if let Some(appended) = hold(listed).unwrap_or_else(|sentences| panic!("\n{sentences}")) {
            stale.push_str(&appended.lines);
        }
    }
    assert!(stale.is_empty(), "\n{stale}was appended and not recorded. Record it: {UPDATE}");
}

#[test]
fn every_table_in_the_sources_is_listed() {
    let mut folders = vec![interface().join("src")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the sources are beside the tests") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).expect("a readable source");
                let tables = source.split("prefix_ref = ").skip(1);
                found.extend(tables.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())));
            }
        }
    }
    let listed = CAPABILITIES.iter().map(|listed| listed.table).chain(["RootRef"]);
    assert_eq!(
        found,
        listed.map(str::to_owned).collect(),
        "left: the tables in interface/src; right: `CAPABILITIES` in interface/tests/layouts/main.rs"
    );
}

#[test]
fn every_snapshot_is_of_a_capability() {
    let known: BTreeSet<PathBuf> =
        CAPABILITIES.iter().map(Listed::file).chain([PathBuf::from(ROOT_FILE)]).collect();
    let (mut folders, mut left_over) = (vec![layouts()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the snapshots are beside the tests") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if !known.contains(path.strip_prefix(layouts()).expect("a file of the folder")) {
                left_over.push(path);
            }
        }
    }
    assert!(
        left_over.is_empty(),
        "no capability claims {left_over:?}. A published capability stays: put it back into `CAPABILITIES` in \
         interface/tests/layouts/main.rs, or delete the snapshot if it was never published"
    );
}
