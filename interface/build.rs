//! Facts about the build that every plugin carries in its root.

use std::{env, process::Command};

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
}
