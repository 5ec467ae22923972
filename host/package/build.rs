//! The target that this crate is built for: what [`Machine::this`] compares with.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=STREAMSPACE_TARGET={}", std::env::var("TARGET").unwrap_or_default());
}
