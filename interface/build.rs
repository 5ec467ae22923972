//! Facts about the build that every plugin carries in its note, and the layouts of the capabilities' tables.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");

    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(&rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned());
    println!("cargo::rustc-env=STREAMSPACE_RUSTC={version}");
    println!("cargo::rustc-env=STREAMSPACE_TARGET={}", env::var("TARGET").unwrap_or_default());
    println!(
        "cargo::rustc-env=STREAMSPACE_SDK_VERSION={}",
        env::var("CARGO_PKG_VERSION").unwrap_or_default()
    );
    // `abi_stable` writes the version of the crate that defines a type into the type's layout and refuses to mix
    // versions that semver calls incompatible. What the layouts must carry is the interface's version, which is
    // fixed; the crate's own moves with the SDK.
    println!("cargo::rustc-env=CARGO_PKG_VERSION=1.0.0");

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let tables = format!("[{}]\n", tables("host").join(",\n "));
    fs::write(out.join("host_tables.rs"), tables).expect("the output folder is writable");
    let tables = format!("[{}]\n", self::tables("plugin").join(",\n "));
    fs::write(out.join("plugin_tables.rs"), tables).expect("the output folder is writable");
}

/// The tables that one side offers, as expressions of the type `TableLayout`. They are read from the snapshots in
/// `layouts/`, which a test holds against the types: a layout is not to be had at compile time.
fn tables(side: &str) -> Vec<String> {
    let folder = Path::new("layouts").join(side);
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| table(file)).collect()
}

fn table(file: &Path) -> String {
    println!("cargo::rerun-if-changed={}", file.display());
    let text = fs::read_to_string(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    let (id, _) = text.split_once(", offered by the ").expect("the first line names the capability");
    let since = text.lines().find_map(|line| line.strip_prefix("since ")).expect("`since` has a line");
    // `  1f2e3d4c write: extern "C" fn(…)`
    let functions: Vec<(&str, &str)> = text
        .lines()
        .skip_while(|line| *line != "functions")
        .take_while(|line| *line != "types")
        .filter_map(|line| {
            let (hash, signature) = line.strip_prefix("  ")?.split_once(' ')?;
            let is_hash = hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hash.then_some((hash, signature.split_once(':')?.0))
        })
        .collect();
    let hashes: String = functions.iter().map(|(hash, _)| *hash).collect();
    let names: Vec<&str> = functions.iter().map(|(_, name)| *name).collect();
    format!("TableLayout {{ id: {id:?}, since: {since:?}, hashes: {hashes:?}, functions: &{names:?} }}")
}
