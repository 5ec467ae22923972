//! What a library says that a package says of it.

use streamspace_package::{CpuLevel, Glibc};
use streamspace_plugin::{Facts, manifest::Manifest};

use super::{
    Dependency, PackagingError,
    cpu::{level_noted_in, level_with},
    dependencies::dependencies_in,
};
use crate::loader::{DYNAMIC_LIBRARY, inspect_bytes};

/// What is known of one target's library from its bytes.
#[derive(Debug, Clone)]
pub struct LibraryFacts {
    /// The newest glibc that a symbol in it is bound to; `None` without glibc.
    pub glibc: Option<Glibc>,
    /// The level of x86-64 that it needs as far as it says so; `None` for other processors.
    pub cpu: Option<CpuLevel>,
    /// What the plugin says of itself.
    pub facts: Facts,
    /// The crates in it; `None` if nobody wrote them down.
    pub dependencies: Option<Vec<Dependency>>,
}

impl LibraryFacts {
    /// Reads a library, of any system and architecture. `file` is what it is called in errors.
    ///
    /// # Errors
    ///
    /// [`PackagingError::Library`] for what is no plugin's library, [`PackagingError::Dependencies`] for a damaged list of crates.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self, PackagingError> {
        let refused = |expected: &str, found: String| PackagingError::Library {
            file: file.to_owned(),
            expected: expected.to_owned(),
            found,
        };
        let inspection =
            inspect_bytes(bytes).map_err(|found| refused("an ELF, Mach-O or PE library", found))?;
        let contents = inspection.contents.map_err(|found| refused("a whole file", found))?;
        if contents.kind != DYNAMIC_LIBRARY {
            return Err(refused(DYNAMIC_LIBRARY, contents.kind));
        }
        let facts = contents.facts.map_err(|found| {
            refused("a plugin's library, with the note of `streamspace_plugin::export!`", found)
        })?;
        let architecture = facts.target.split('-').next().unwrap_or_default();
        // Older processors are i386 to i686 there, and all of them x86 here.
        let is_x86 = |name: &str| name.len() == 4 && name.starts_with('i') && name.ends_with("86");
        let agrees = match inspection.architecture.as_str() {
            "x86" => is_x86(architecture),
            // `armv7`, `riscv64gc`, `powerpc64le`.
            found => architecture.starts_with(found),
        };
        if !agrees || !facts.target.contains(system(&inspection.system)) {
            let expected = format!("a library for {}, which is the target in its note", facts.target);
            return Err(refused(
                &expected,
                format!("one for {}, {}", inspection.system, inspection.architecture),
            ));
        }
        let cpu = (architecture == "x86_64").then(|| {
            let told = level_with(facts.cpu.iter().map(AsRef::as_ref));
            told.max(level_noted_in(bytes).unwrap_or(CpuLevel::V1))
        });
        let glibc = contents.glibc.map(|glibc| Glibc { major: glibc.0, minor: glibc.1 });
        Ok(Self { glibc, cpu, facts, dependencies: dependencies_in(bytes)? })
    }

    /// Whether it is the plugin that the manifest says, and one that a host takes.
    ///
    /// # Errors
    ///
    /// [`PackagingError::Mismatch`] or [`PackagingError::Panic`].
    pub fn check(&self, file: &str, manifest: &Manifest) -> Result<(), PackagingError> {
        let expected = format!("{} {}", manifest.name.as_str(), manifest.version);
        let found = format!("{} {}", self.facts.name, self.facts.version);
        if expected != found {
            return Err(PackagingError::Mismatch { file: file.to_owned(), expected, found });
        }
        if self.facts.panic != "unwind" {
            let found = self.facts.panic.clone().into_owned();
            return Err(PackagingError::Panic { file: file.to_owned(), found });
        }
        Ok(())
    }
}

/// What a triple calls an operating system.
fn system(name: &str) -> &str {
    match name {
        "macos" => "apple-darwin",
        other => other,
    }
}
