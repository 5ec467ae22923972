//! The crates that are in a library, as `cargo auditable` wrote them down in it.

use auditable_serde::{DependencyKind, VersionInfo};
use serde::Serialize;

use super::PackagingError;

/// The largest list that is read, in bytes after it is decompressed. One of 1000 crates has some 150 kB.
const MAX_LIST_BYTES: usize = 8 * 1024 * 1024;

/// A crate in a library.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it came from: `crates.io`, `registry` for another one, `git` or `local`.
    pub source: String,
    /// Whether it was used to build the library alone, and is not in it.
    pub build_only: bool,
    /// Whether it is the plugin itself.
    pub root: bool,
    /// What it depends on, as places in the list.
    pub needs: Vec<usize>,
}

/// The crates that `library` was built from; `None` if nobody wrote them down.
///
/// # Errors
///
/// [`PackagingError::Dependencies`] for a list that is damaged.
pub fn dependencies_in(library: &[u8]) -> Result<Option<Vec<Dependency>>, PackagingError> {
    let info = match auditable_info::audit_info_from_slice(library, MAX_LIST_BYTES) {
        Ok(info) => info,
        Err(auditable_info::Error::NoAuditData) => return Ok(None),
        Err(why) => return Err(PackagingError::Dependencies { reason: why.to_string() }),
    };
    listed(info).map(Some)
}

fn listed(info: VersionInfo) -> Result<Vec<Dependency>, PackagingError> {
    let count = info.packages.len();
    let listed = info.packages.into_iter().map(|package| {
        let source = String::from(package.source);
        // They go to terminals and into documents, and Cargo writes no others.
        let plain =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !plain(&package.name) || !plain(&source) || package.name.is_empty() {
            let reason = format!("{:?} from {source:?} is no name of a crate", package.name);
            return Err(PackagingError::Dependencies { reason });
        }
        if let Some(at) = package.dependencies.iter().find(|at| **at >= count) {
            let reason = format!("{} depends on entry {at} of {count}", package.name);
            return Err(PackagingError::Dependencies { reason });
        }
        Ok(Dependency {
            name: package.name,
            version: package.version.to_string(),
            source,
            build_only: package.kind == DependencyKind::Build,
            root: package.root,
            needs: package.dependencies,
        })
    });
    listed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Vec<Dependency>, PackagingError> {
        listed(json.parse().expect("a list"))
    }

    #[test]
    fn a_list_is_read_with_where_each_crate_came_from() {
        let list = read(
            r#"{"packages":[
                {"name":"serde","version":"1.0.0","source":"crates.io"},
                {"name":"cc","version":"1.1.0","source":"registry","kind":"build"},
                {"name":"greeter","version":"0.1.0","source":"local","dependencies":[0,1],"root":true}]}"#,
        );
        let list = list.expect("a list");
        let shown: Vec<_> =
            list.iter().map(|one| (&*one.name, &*one.source, one.build_only, one.root)).collect();
        assert_eq!(
            shown,
            [
                ("serde", "crates.io", false, false),
                ("cc", "registry", true, false),
                ("greeter", "local", false, true)
            ]
        );
        assert_eq!(list[2].needs, [0, 1]);
    }

    #[test]
    fn a_list_that_no_cargo_writes_is_refused() {
        for wrong in [
            r#"{"packages":[{"name":"a\u001b[2J","version":"1.0.0","source":"local"}]}"#,
            r#"{"packages":[{"name":"","version":"1.0.0","source":"local"}]}"#,
            r#"{"packages":[{"name":"a","version":"1.0.0","source":"local","dependencies":[7]}]}"#,
        ] {
            let why = read(wrong).expect_err("refused");
            assert!(matches!(why, PackagingError::Dependencies { .. }), "{wrong}: {why}");
        }
    }

    #[test]
    fn a_library_without_a_list_has_none() {
        let library = std::fs::read(std::env::current_exe().expect("this program")).expect("readable");
        assert_eq!(dependencies_in(&library).expect("no damage"), None);
    }
}
