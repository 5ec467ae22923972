//! The binary interface: what crosses between a host and a plugin, and nothing else.
//!
//! Three things here are **frozen for ever**: [`Root`], [`Peer`] and [`Capability`], with the two small types they are
//! made of ([`Handle`], [`Fault`]). They never gain, lose or reorder a field. Everything else is a capability: a small
//! table of functions that either side asks the other for by id (`events/1`). A table may gain functions at its end;
//! a change that cannot be appended is a new revision beside the old one (`events/2`).
//!
//! Plugins do not use this module: they implement [`Plugin`](crate::Plugin) and call
//! [`export!`](crate::export). It is public because the host is the other side of it.
//!
//! This module is the only place of the crate with `unsafe` code, and with [`abi_stable`] it is what would be re-based
//! should that library ever need a successor.

#![expect(
    unsafe_code,
    reason = "a binary interface is made of raw tables and handles; the rest of the crate is safe code on top"
)]

mod barrier;
mod callback;
mod capability;
mod entries;
mod fault;
mod instance;
mod layouts;
mod note;
mod root;

pub use abi_stable::{
    StableAbi,
    prefix_type::PrefixTypeTrait as IntoTable,
    std_types::{ROption, RResult, RSlice, RSliceMut, RStr, RString, RVec},
};

pub(crate) use self::barrier::resume;
pub use self::{
    barrier::{guard, on_stray_panic},
    callback::{AnswerSink, Responder, RowSink, TransactionBody},
    capability::{Bound, Capability, Handle, LayoutMismatch, Peer, Table},
    fault::{Fault, FaultKind, Outcome},
    layouts::{HOST_TABLES, PLUGIN_TABLES, TableLayout},
    note::{
        ELF_NOTE_SECTION, MACHO_NOTE_SECTION, MAX_NOTE_BYTES, Note, NoteError, PE_NOTE_SECTION, facts_in,
        note_size,
    },
    root::{
        ABI_MAJOR, Export, ForeignHeader, HEADER_SYMBOL, Header, HeaderError, Root, RootRef, header,
        open_header,
    },
};
