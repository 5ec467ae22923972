//! Capabilities and the two parties that exchange them. Frozen.

use std::{fmt, mem};

use abi_stable::{
    StableAbi,
    abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals},
    prefix_type::PrefixRefTrait,
    std_types::{ROption, RStr},
    type_layout::TypeLayout,
};

/// Names an object of the other side: opaque, copied freely, given back as the first argument of every call.
///
/// A host's handles are indexes with a generation, checked at every call: one that outlives what it named is answered
/// with [`FaultKind::CLOSED`](super::FaultKind::CLOSED), never with undefined behaviour. A plugin's handles are used by
/// the host only between `create` and `release`.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Handle(pub u64);

/// Either side of the interface: who it is, and the function that looks up what it can do.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Peer {
    /// Passed back as the first argument of [`lookup`](Self::lookup).
    pub handle: Handle,
    /// `[any]` Looks up a capability by id (`events/1`). An id the peer does not know is `RNone`.
    pub lookup: extern "C" fn(Handle, RStr<'_>) -> ROption<Capability>,
}

impl Peer {
    /// `[any]` Looks up the capability `id` and binds its table as a `T`.
    ///
    /// `Ok(None)` means that the peer does not have it.
    ///
    /// # Errors
    ///
    /// [`LayoutMismatch`] when the peer has a capability of that id whose table is not a `T`, older or newer.
    pub fn bind<T: Table>(&self, id: &str) -> Result<Option<Bound<T>>, LayoutMismatch> {
        match (self.lookup)(self.handle, RStr::from_str(id)) {
            ROption::RSome(capability) => capability.bind().map(Some),
            ROption::RNone => Ok(None),
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("handle", &self.handle).finish_non_exhaustive()
    }
}

/// A reference to a table of functions: a prefix type, so that it can gain functions at its end.
///
/// Implemented for every `…Ref` type that `derive(StableAbi)` makes of a `#[sabi(kind(Prefix))]` struct.
pub trait Table: StableAbi + PrefixRefTrait + Copy + 'static {}

impl<T: StableAbi + PrefixRefTrait + Copy + 'static> Table for T {}

#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
struct ErasedTable(*const u8);

/// A table of functions whose type is checked by the side that receives it, and the handle its functions take.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Capability {
    layout: &'static TypeLayout,
    table: ErasedTable,
    handle: Handle,
}

// SAFETY: the table is immutable, lives as long as the process and holds only functions that any thread may call.
unsafe impl Send for Capability {}
// SAFETY: as above.
unsafe impl Sync for Capability {}

impl Capability {
    /// Offers `table`, whose functions are to be called with `handle`.
    #[must_use]
    pub fn new<T: Table>(table: T, handle: Handle) -> Self {
        const { assert!(size_of::<T>() == size_of::<ErasedTable>()) };
        Self {
            layout: T::LAYOUT,
            // SAFETY: `PrefixRefTrait` promises that `T` is a transparent wrapper of one non-null pointer, and the
            // assertion above that it has the size of one.
            table: unsafe { mem::transmute_copy(&table) },
            handle,
        }
    }

    /// Checks that the table behind this capability is a `T`, older or newer, and binds it.
    ///
    /// Functions that the giver does not have yet read as `None` through their accessor.
    ///
    /// # Errors
    ///
    /// [`LayoutMismatch`] when neither side's table is a prefix of the other's.
    pub fn bind<T: Table>(self) -> Result<Bound<T>, LayoutMismatch> {
        let (ours, theirs) = (T::LAYOUT, self.layout);
        // `abi_stable` would remember what it compared, and hold every later table against the longest one so far. Tables
        // of two plugins never meet: what one plugin was built against is no reason to refuse another.
        let fits =
            |wanted, found| check_layout_compatibility_with_globals(wanted, found, &CheckingGlobals::new());
        // `abi_stable` accepts a giver that has at least what the taker knows. The reverse is as good, because the
        // accessors read from the table itself which functions are there.
        if let Err(newer) = fits(ours, theirs)
            && let Err(older) = fits(theirs, ours)
        {
            return Err(LayoutMismatch { table: table_name::<T>(), detail: format!("{newer}\n{older}") });
        }
        Ok(Bound {
            // SAFETY: the layouts agree in one direction, so the pointer is to a `T` with as many functions as the
            // table itself says it has.
            table: unsafe { mem::transmute_copy(&self.table) },
            handle: self.handle,
        })
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capability")
            .field("table", &self.layout.full_type())
            .field("handle", &self.handle)
            .finish()
    }
}

/// A capability whose layout was checked: the table, and the handle to call its functions with.
#[derive(Clone, Copy)]
pub struct Bound<T> {
    /// The functions.
    pub table: T,
    /// The first argument of each of them.
    pub handle: Handle,
}

impl<T> fmt::Debug for Bound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("table", &std::any::type_name::<T>())
            .field("handle", &self.handle)
            .finish()
    }
}

/// The tables of the two sides are not revisions of one another.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "the other side's table is not a revision of `{table}`: it was built against an incompatible interface"
)]
pub struct LayoutMismatch {
    table: &'static str,
    detail: String,
}

impl LayoutMismatch {
    /// The whole comparison, hundreds of lines long: for a debug log, not for a person at the console.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

/// `Log` of a `…::LogRef`, whose layout has the name of every such reference.
fn table_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.rsplit("::").next().unwrap_or(name);
    name.strip_suffix("Ref").unwrap_or(name)
}
