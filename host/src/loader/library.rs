//! Loading a dynamic library and checking that it is a plugin.

#![expect(
    unsafe_code,
    reason = "loading a library runs its initializers and trusts what its symbols point to"
)]

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use streamspace_plugin::{
    Facts,
    abi::{ABI_MAJOR, ForeignHeader, HEADER_SYMBOL, RootRef, open_header},
};

/// The largest library that is loaded, in bytes.
const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// Why a file is not loaded as a plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the library {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is not a dynamic library of this operating system.
    #[error("{} is not a dynamic library: expected {expected}, found {found}", path.display())]
    NotALibrary {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// The operating system's loader refused it.
    #[error("the system's loader refuses {}: {reason}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// It is a library, and not a plugin.
    #[error(
        "{} is a dynamic library but not a plugin: expected the symbol `{HEADER_SYMBOL}`, which `streamspace_plugin::export!` defines",
        path.display()
    )]
    NotAPlugin {
        /// The file.
        path: PathBuf,
    },
    /// It was built against another interface.
    #[error("{} was built against another interface: {reason}. Rebuild it with an SDK of interface {ABI_MAJOR}.x", path.display())]
    OtherInterface {
        /// The file.
        path: PathBuf,
        /// What differs, on one line.
        reason: String,
    },
}

/// A loaded library. It is never unloaded: the code of a plugin that was retired stays mapped.
#[derive(Debug, Clone)]
pub struct Library {
    /// What it exports.
    pub root: RootRef,
    /// What it says about itself.
    pub facts: Facts,
}

impl Library {
    /// Loads the library at `path`, which must never be written to again. Runs its static initializers.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says what was expected and found.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        check_file(path)?;
        let header = load(path)?;
        let other = |reason: String| LoadError::OtherInterface {
            path: path.to_owned(),
            reason: reason
                .lines()
                .map(str::trim)
                .find(|line| !line.is_empty())
                .unwrap_or_default()
                .to_owned(),
        };
        let root = open_header(header).map_err(|why| other(why.to_string()))?;
        if root.abi() != ABI_MAJOR {
            return Err(other(format!("expected interface {ABI_MAJOR}, found {}", root.abi())));
        }
        let facts = serde_json::from_str(root.facts().as_str())
            .map_err(|why| other(format!("its facts are not what they should be: {why}")))?;
        Ok(Self { root, facts })
    }
}

/// Looks at the file before the system's loader does.
fn check_file(path: &Path) -> Result<(), LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
    let not = |found: String| LoadError::NotALibrary { path: path.to_owned(), expected: MAGIC_NAME, found };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    // Before opening: opening a FIFO would wait for its writer.
    if !metadata.is_file() {
        return Err(not("no regular file".to_owned()));
    }
    if metadata.len() > MAX_BYTES {
        return Err(not(format!("{} bytes, more than {MAX_BYTES}", metadata.len())));
    }
    let mut magic = [0; 4];
    let mut file = File::open(path).map_err(unreadable)?;
    match file.read_exact(&mut magic) {
        Ok(()) if MAGIC.contains(&magic) => Ok(()),
        Ok(()) => Err(not(format!("a file that begins with {magic:02x?}"))),
        Err(_) => Err(not(format!("a file of {} bytes", metadata.len()))),
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
const MAGIC: &[[u8; 4]] = &[*b"\x7fELF"];
#[cfg(all(unix, not(target_os = "macos")))]
const MAGIC_NAME: &str = "an ELF file";

#[cfg(target_os = "macos")]
const MAGIC: &[[u8; 4]] = &[[0xcf, 0xfa, 0xed, 0xfe], [0xca, 0xfe, 0xba, 0xbe]];
#[cfg(target_os = "macos")]
const MAGIC_NAME: &str = "a Mach-O file";

#[cfg(windows)]
const MAGIC: &[[u8; 4]] = &[*b"MZ\x90\0", *b"MZ\0\0"];
#[cfg(windows)]
const MAGIC_NAME: &str = "a PE file";

fn load(path: &Path) -> Result<ForeignHeader, LoadError> {
    let refused =
        |why: libloading::Error| LoadError::Refused { path: path.to_owned(), reason: why.to_string() };

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
        Err(_) => Err(LoadError::NotAPlugin { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_library_is_refused_before_the_loader_sees_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = folder.path().join("libtext.so");
        std::fs::write(&text, "hello, world").expect("written");
        let empty = folder.path().join("libempty.so");
        std::fs::write(&empty, "").expect("written");
        for path in [&text, &empty, &folder.path().to_owned()] {
            let error = Library::open(path).expect_err("no library");
            assert!(matches!(error, LoadError::NotALibrary { .. }), "{error}");
        }
        let missing = Library::open(&folder.path().join("nothing.so")).expect_err("no file");
        assert!(matches!(missing, LoadError::Unreadable { .. }), "{missing}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_library_that_is_no_plugin_is_told_from_one() {
        let error = Library::open(Path::new("/proc/self/exe")).expect_err("a program");
        assert!(matches!(error, LoadError::Refused { .. } | LoadError::NotAPlugin { .. }), "{error}");
    }
}
