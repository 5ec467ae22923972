//! The libraries: each is this plugin, and says what is in it.

use streamspace_plugin::manifest::Manifest;

use super::{Library, Report, secrets};
use crate::packaging::LibraryFacts;

pub(super) fn check(library: &Library, manifest: &Manifest, report: &mut Report) {
    let file = &library.file;
    match LibraryFacts::read(file, &library.bytes)
        .and_then(|facts| facts.check(file, manifest).map(|()| facts))
    {
        Err(why) => {
            report.error("SSP-LNT-070", file, why.to_string(), "build it anew");
        }
        Ok(facts) if facts.dependencies.is_none() => report.warning(
            "SSP-LNT-071",
            file,
            "it does not say which crates are in it: nobody can look whether one of them has a known fault",
            "install cargo-auditable (`cargo install --locked cargo-auditable`), and build it anew",
        ),
        Ok(_) => {}
    }
    secrets::look_through(file, &library.bytes, true, report);
}
