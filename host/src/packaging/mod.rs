//! A vendor's work on a package: from a crate or a folder to a `.sspkg`, and what is to be said of one.
//!
//! ```text
//! build   folder ──▶ compile: cargo ──▶ library: what it says ──▶ contents ──▶ a package
//! look    lint: the quality list; summary and diff: what operators decide by
//! ```
//!
//! The format itself, keys and signatures are in the crate `streamspace-package`. Nothing here loads a library.

mod assemble;
mod check;
mod compile;
mod contents;
mod cpu;
mod dependencies;
mod diff;
mod error;
mod library;
mod lint;
mod sbom;
mod summary;
mod template;

pub use self::{
    assemble::{Assembled, Choices, Prebuilt, Source, write_whole},
    check::check_libraries,
    compile::{Compile, has_auditable},
    contents::{packed, packed_files},
    dependencies::{Dependency, dependencies_in},
    diff::{Changes, Diff},
    error::PackagingError,
    library::LibraryFacts,
    lint::{Finding, Library, Report, Severity, lint},
    sbom::{MAX_SBOM_BYTES, SbomSummary, bill_of_materials, sbom},
    summary::{ConfigKey, FileSummary, SignatureSummary, Summary, TargetSummary},
    template::begin,
};
