//! Whether the libraries in a package are what its document says.

use std::io::{Read, Seek};

use streamspace_package::{PackageError, Verified};

use super::{LibraryFacts, PackagingError};

/// Compares what each library says with what `package.json` says of it, and answers how many there are.
///
/// # Errors
///
/// [`PackagingError::Library`] for one that is no plugin's; [`PackagingError::Package`] with an empty path for one that says
/// something else, or cannot be read.
pub fn check_libraries<S: Read + Seek>(package: &mut Verified<S>) -> Result<usize, PackagingError> {
    let document = package.document().clone();
    let failed = |source: PackageError| PackagingError::Package { path: Default::default(), source };
    for target in &document.targets {
        let mut bytes = Vec::new();
        package.copy(&target.library.path, &target.library.blob, &mut bytes).map_err(failed)?;
        let file = format!("{} for {}", target.library.path, target.triple);
        let facts = LibraryFacts::read(&file, &bytes)?;
        document.check_library(target, &facts.facts).map_err(failed)?;
        let differs = |field, expected: String, found: String| {
            Err(failed(PackageError::Disagrees { file: file.clone(), field, expected, found }))
        };
        let told = |version: Option<String>| version.unwrap_or_else(|| "none".to_owned());
        let needed = facts.glibc.filter(|_| target.triple.is_glibc());
        if target.glibc_min != needed {
            let text =
                |glibc: Option<_>| told(glibc.map(|glibc: streamspace_package::Glibc| glibc.to_string()));
            return differs("the glibc", text(target.glibc_min), text(needed));
        }
        // More may have been declared than the library says.
        if target.cpu < facts.cpu {
            let text = |cpu: Option<_>| told(cpu.map(|cpu: streamspace_package::CpuLevel| cpu.to_string()));
            return differs("the processor", text(target.cpu), text(facts.cpu));
        }
    }
    Ok(document.targets.len())
}
