//! What an author reads who uses the SDK wrongly. Each file in `misuse/` must not compile; beside it is what the
//! compiler says. `TRYBUILD=overwrite cargo test -p streamspace-plugin --test misuse` writes that anew.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The compiler whose words are in `misuse/*.stderr`: they change from one to the next.
const COMPILER: &str = "rustc 1.95.";

/// A plugin that is right.
const IDLE: &str = "
    use streamspace_plugin::prelude::*;

    struct Idle;

    impl Plugin for Idle {
        type Config = ();

        fn load(_: &Context, (): ()) -> Result<Self> {
            Ok(Self)
        }
    }

    streamspace_plugin::export!(Idle);
";

#[test]
fn the_compiler_refuses_misuse_and_says_what_is_expected() {
    let compiler = rustc().arg("--version").output().expect("rustc runs");
    let compiler = String::from_utf8_lossy(&compiler.stdout);
    if !compiler.starts_with(COMPILER) {
        #[expect(clippy::print_stderr, reason = "a skipped test is worth a line")]
        {
            eprintln!("skipped: the messages are those of {COMPILER}x, and this is {}", compiler.trim());
        }
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/misuse/*.rs");
}

#[test]
fn a_plugin_that_aborts_on_a_panic_is_refused() {
    let unwinding = compile_idle("unwind");
    let said = String::from_utf8_lossy(&unwinding.stderr);
    assert!(unwinding.status.success(), "{said}");

    let aborting = compile_idle("abort");
    let said = String::from_utf8_lossy(&aborting.stderr);
    assert!(!aborting.status.success());
    assert!(said.contains("a plugin must be built with panic = \"unwind\""), "{said}");
}

fn rustc() -> Command {
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// Compiles [`IDLE`] against the SDK that this test was built with. Cargo would build all of its dependencies once
/// more for another panic strategy.
fn compile_idle(panic: &str) -> Output {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("misuse");
    fs::create_dir_all(&folder).expect("a folder for the plugin");
    let source = folder.join(format!("{panic}.rs"));
    fs::write(&source, IDLE).expect("the plugin's source");

    let test = env::current_exe().expect("the test's own path");
    let libraries = test.parent().expect("a folder");
    let mut sdk = OsString::from("streamspace_plugin=");
    sdk.push(newest_sdk(libraries));
    rustc()
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "-Dwarnings"])
        .arg(format!("-Cpanic={panic}"))
        .arg("--extern")
        .arg(sdk)
        .arg("-L")
        .arg(libraries)
        .arg("--out-dir")
        .arg(&folder)
        .arg(&source)
        .env("CARGO_PKG_NAME", "idle")
        .env("CARGO_PKG_VERSION", "0.1.0")
        .output()
        .expect("rustc runs")
}

/// The SDK's library among the `libraries`, where those of earlier builds may still lie.
fn newest_sdk(libraries: &Path) -> PathBuf {
    let built = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).ok();
    fs::read_dir(libraries)
        .expect("the folder of the test")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("libstreamspace_plugin-") && name.ends_with(".rlib")
        })
        .max_by_key(built)
        .unwrap_or_else(|| panic!("cargo left no libstreamspace_plugin-*.rlib in {}", libraries.display()))
}
