//! `fixture-touch`: built as plugins are shipped, loaded and started as the host does it, with a host that offers what
//! it needs and nothing more.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use streamspace_host::loader::Library;
use streamspace_plugin::{
    abi::{Bound, Capability, Handle, IntoTable, Outcome, Peer, ROption, RResult, RStr, RString, Table},
    config,
    config::{ConfigSource, ConfigSourceRef},
    events,
    events::ConsumersRef,
    lifecycle,
    lifecycle::LifecycleRef,
    log,
    log::{LevelNumber, Log, LogRef, Record},
};

/// The library's file: what the environment variable `FIXTURE_TOUCH` says, or a fresh build.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: LazyLock<PathBuf> =
        LazyLock::new(|| env::var_os("FIXTURE_TOUCH").map_or_else(build, PathBuf::from));
    &LIBRARY
}

fn build() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .args(["build", "--profile", "plugin", "--package", "fixture-touch"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "`fixture-touch` cannot be built: {}", output.status);
    String::from_utf8(output.stdout)
        .expect("cargo writes UTF-8")
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("cargo writes JSON"))
        .filter(|message| message["target"]["name"] == "fixture_touch")
        .find_map(|message| Some(message["filenames"][0].as_str()?.into()))
        .expect("the build has a library")
}

/// Starts the plugin of a library, and answers with what it is given events by.
pub(crate) fn start(library: &Library) -> Bound<ConsumersRef> {
    let host = Peer { handle: Handle(0), lookup };
    let plugin = (library.root.create())(host).into_result().expect("an instance");
    let lifecycle: Bound<LifecycleRef> = bind(plugin, lifecycle::ID);
    lifecycle.table.load()(lifecycle.handle).into_result().expect("it loads");
    let consumers = bind(plugin, events::ID);
    lifecycle.table.enable()(lifecycle.handle).into_result().expect("it starts");
    consumers
}

fn bind<T: Table>(plugin: Peer, id: &str) -> Bound<T> {
    plugin.bind(id).expect("the layout of this host").expect("every plugin offers it")
}

extern "C" fn lookup(_: Handle, id: RStr<'_>) -> ROption<Capability> {
    static LOG: LazyLock<LogRef> = LazyLock::new(|| Log { level, write }.leak_into_prefix());
    static CONFIG: LazyLock<ConfigSourceRef> = LazyLock::new(|| ConfigSource { current }.leak_into_prefix());
    match id.as_str() {
        log::ID => ROption::RSome(Capability::new(*LOG, Handle(0))),
        config::ID => ROption::RSome(Capability::new(*CONFIG, Handle(0))),
        _ => ROption::RNone,
    }
}

extern "C" fn level(_: Handle) -> LevelNumber {
    0
}

extern "C" fn write(_: Handle, _: Record<'_>) {}

extern "C" fn current(_: Handle) -> Outcome<RString> {
    RResult::ROk("{}".into())
}
