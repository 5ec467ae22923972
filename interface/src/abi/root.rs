//! The root module that every plugin exports. Frozen.

use std::fmt;

use abi_stable::{
    StableAbi,
    abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals},
    declare_root_module_statics,
    library::{
        __call_root_module_loader, AbiHeaderRef, CheckTypeLayout, LibHeader, LibraryError, RootModule,
        RootModuleResult,
    },
    prefix_type::PrefixTypeTrait,
    sabi_types::VersionStrings,
    std_types::RStr,
};

use super::{Outcome, Peer, entries};

/// The interface's major number. A host refuses a plugin of another one.
pub const ABI_MAJOR: u32 = 1;

/// The symbol under which a plugin's library exports its header.
pub const HEADER_SYMBOL: &str = "_1as_0lib_1header_0root_bmodule_bloader";

/// What a plugin's library exports.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = RootRef)))]
pub struct Root {
    /// [`ABI_MAJOR`] of the interface that the plugin was built against.
    pub abi: u32,
    /// Who the plugin is and what it was built with, a JSON object: [`Facts`](crate::Facts).
    pub facts: RStr<'static>,
    /// `[setup]` Makes an instance for the host `Peer` and answers with the instance's own. Runs no code of the
    /// plugin's author, and may not call the host except for `lookup`.
    #[sabi(last_prefix_field)]
    pub create: extern "C" fn(Peer) -> Outcome<Peer>,
}

impl fmt::Debug for RootRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootRef")
            .field("abi", &self.abi())
            .field("facts", &self.facts())
            .finish_non_exhaustive()
    }
}

impl RootModule for RootRef {
    declare_root_module_statics! {RootRef}
    const BASE_NAME: &'static str = "streamspace_plugin";
    const NAME: &'static str = "streamspace_plugin";
    // The interface's own version, not the crate's.
    const VERSION_STRINGS: VersionStrings = VersionStrings::new("1.0.0");
}

/// What [`export!`](crate::export) tells about the crate it is used in.
pub trait Export: 'static {
    /// The plugin that is exported.
    type Plugin: crate::Plugin;
    /// The crate's name.
    const NAME: &'static str;
    /// The crate's version.
    const VERSION: &'static str;
    /// The panic strategy that the crate was compiled with.
    const PANIC: &'static str;
    /// Features of processors, and whether the crate was compiled to use them.
    const CPU_FEATURES: &'static [(&'static str, bool)];
    /// The facts in the library's [`Note`](super::Note).
    fn facts() -> &'static str;
}

/// The static that a library exports under [`HEADER_SYMBOL`].
pub type Header = LibHeader;

/// The header of a library that was loaded, not checked yet: what [`HEADER_SYMBOL`] points to.
pub type ForeignHeader = AbiHeaderRef;

/// Why a library's header is not usable: the whole comparison, which may be hundreds of lines long. The first line that
/// is not empty says what it is about.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct HeaderError(String);

/// The header for the plugin `E`: the value of the static that [`export!`](crate::export) defines.
#[must_use]
pub const fn header<E: Export>() -> Header {
    extern "C" fn module<E: Export>() -> RootModuleResult {
        fn root<E: Export>() -> RootRef {
            entries::root::<E>().leak_into_prefix()
        }
        __call_root_module_loader(root::<E>)
    }
    // SAFETY: `module` returns a reference to a `Root`, which is what `RootRef` is.
    unsafe { LibHeader::from_constructor::<RootRef>(module::<E>, CheckTypeLayout::Yes) }
}

/// Checks the header of a loaded library and returns its root.
///
/// # Errors
///
/// [`HeaderError`] when the library was built with another `abi_stable` or another root.
pub fn open_header(header: ForeignHeader) -> Result<RootRef, HeaderError> {
    let refused = |why: LibraryError| HeaderError(why.to_string());
    let header = header.upgrade().map_err(refused)?;
    // `abi_stable` accepts a root that has more than ours, and would hold every later one against it. A root has what ours
    // has, and no more.
    if let Some(theirs) = header.layout() {
        check_layout_compatibility_with_globals(theirs, RootRef::LAYOUT, &CheckingGlobals::new())
            .map_err(|why| HeaderError(format!("a root that has more than a root has\n{why}")))?;
    }
    header.init_root_module::<RootRef>().map_err(refused)
}

#[cfg(test)]
mod tests {
    use abi_stable::library::ROOT_MODULE_LOADER_NAME;

    use super::*;

    #[test]
    fn the_header_is_exported_under_the_name_that_loaders_look_for() {
        assert_eq!(HEADER_SYMBOL, ROOT_MODULE_LOADER_NAME);
    }

    #[test]
    fn layouts_carry_the_version_of_the_interface_and_not_of_the_crate() {
        let (package, version) = crate::abi::Fault::LAYOUT.package_and_version();
        assert_eq!((package.as_str(), version.version.as_str()), ("streamspace-plugin", "1.0.0"));
    }
}
