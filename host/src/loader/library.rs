//! Loading a dynamic library and checking its root.

#![expect(
    unsafe_code,
    reason = "loading a library runs its initializers and trusts what its symbols point to"
)]

use std::path::Path;

use streamspace_plugin::{
    Facts,
    abi::{ABI_MAJOR, ForeignHeader, HEADER_SYMBOL, RootRef, open_header},
};

use super::{Glibc, Refusal, Rule};

/// A loaded library. It is never unloaded: the code of a plugin that was retired stays mapped.
#[derive(Debug, Clone)]
pub struct Library {
    /// What it exports.
    pub root: RootRef,
    /// What it says about itself.
    pub facts: Facts,
}

impl Library {
    /// Loads the library at `path`, which must never be written to again, and checks its root. Runs its static
    /// initializers: what can be known before was asked before, by [`Loader`](super::Loader).
    ///
    /// # Errors
    ///
    /// [`Refusal`] says what was expected and found.
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        let header = load(path)?;
        let other = |detail: String| {
            let found = detail.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            let mut refusal = Refusal::new(Rule::Interface, path, format!("interface {ABI_MAJOR}"), found);
            refusal.detail = Some(detail.into());
            refusal
        };
        let root = open_header(header).map_err(|why| other(why.to_string()))?;
        if root.abi() != ABI_MAJOR {
            return Err(other(format!("interface {}", root.abi())));
        }
        let facts = serde_json::from_str(root.facts().as_str()).map_err(|why| {
            Refusal::new(Rule::Plugin, path, "facts in the library's root", format!("something else: {why}"))
        })?;
        Ok(Self { root, facts })
    }
}

fn load(path: &Path) -> Result<ForeignHeader, Refusal> {
    let refused = |why: libloading::Error| {
        // The cause has the words of the system's loader.
        let reason = std::error::Error::source(&why).map_or_else(|| why.to_string(), ToString::to_string);
        // The refusal names the file, and this may be a copy of it.
        let reason = reason.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&reason);
        Refusal::new(Rule::SystemLoader, path, "a library that this system can load", reason)
    };

    #[cfg(unix)]
    let library = {
        use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
        // SAFETY: what its initializers do cannot be checked; the operator installed it and trusts it. `RTLD_NOW`:
        // a missing symbol is found here and not in the middle of a call.
        unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(refused)?
    };
    #[cfg(not(unix))]
    // SAFETY: as above.
    let library = unsafe { libloading::Library::new(path) }.map_err(refused)?;

    // Never unloaded, also where it turns out to be no plugin: its initializers ran, and thread-local destructors and
    // threads of its own would be left without their code.
    let library = std::mem::ManuallyDrop::new(library);
    // SAFETY: only `export!` defines a symbol of this name, and it defines a static that begins with an `AbiHeader`.
    // `open_header` checks its magic before it believes anything else.
    match unsafe { library.get::<ForeignHeader>(HEADER_SYMBOL.as_bytes()) } {
        Ok(symbol) => Ok(*symbol),
        Err(_) => Err(Refusal::new(
            Rule::Plugin,
            path,
            format!("the symbol `{HEADER_SYMBOL}`"),
            "a library without it",
        )),
    }
}

/// The version of the glibc that this process runs with.
#[cfg(all(unix, target_env = "gnu"))]
pub(super) fn glibc() -> Option<Glibc> {
    use std::ffi::{CStr, c_char};

    let this = libloading::os::unix::Library::this();
    // SAFETY: glibc has this function since 2.1, with this type.
    let version =
        unsafe { this.get::<unsafe extern "C" fn() -> *const c_char>(b"gnu_get_libc_version") }.ok()?;
    // SAFETY: it may be called at any time, and answers with a static text that ends in a zero.
    let version = unsafe { CStr::from_ptr(version()) };
    Glibc::parse(version.to_str().ok()?)
}

#[cfg(not(all(unix, target_env = "gnu")))]
pub(super) fn glibc() -> Option<Glibc> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_library_that_is_no_plugin_is_told_from_one() {
        let refusal = Library::open(Path::new("/proc/self/exe")).expect_err("a program");
        assert!(matches!(refusal.rule, Rule::SystemLoader | Rule::Plugin), "{refusal}");
    }

    #[test]
    #[cfg(all(unix, target_env = "gnu"))]
    fn the_version_of_glibc_is_known() {
        assert!(glibc() > Some(Glibc(2, 16)), "{:?}", glibc());
    }
}
