//! `log/1`, offered by the host.

use abi_stable::{
    StableAbi,
    std_types::{RSlice, RStr},
};

use crate::abi::Handle;

/// The capability's id.
pub const ID: &str = "log/1";

/// How important a record is: 1 critical, 2 error, 3 warning, 4 info, 5 debug, 6 trace; 0 as a limit means nothing.
///
/// The numbers are those of `slog::Level::as_usize`.
pub type LevelNumber = u8;

/// One record, borrowed for the call. The host adds time and plugin.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Record<'a> {
    /// How important it is.
    pub level: LevelNumber,
    /// The message, UTF-8, at most 8 KiB; the host cuts what is longer.
    pub message: RStr<'a>,
    /// The module path the record was made in.
    pub module: RStr<'a>,
    /// The source file, empty if not known.
    pub file: RStr<'a>,
    /// The line in `file`, 0 if not known.
    pub line: u32,
    /// Structured fields, in the order in which they were given. The host leaves out all but the first 64 and cuts what
    /// is longer than 2 KiB.
    pub fields: RSlice<'a, Field<'a>>,
}

/// One field of a record.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The name.
    pub key: RStr<'a>,
    /// The value: a text, or the text of a JSON literal.
    pub value: RStr<'a>,
    /// Whether `value` is a JSON literal (`12`, `true`, `null`) and not a text.
    pub literal: bool,
}

/// `log/1`, the host's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = LogRef)))]
#[sabi(missing_field(option))]
pub struct Log {
    /// `[any]` The least important level that is kept for this plugin now. May change at any time.
    pub level: extern "C" fn(Handle) -> LevelNumber,
    /// `[any]` Hands over a record. Never blocks; above the plugin's rate limit records are counted and dropped.
    #[sabi(last_prefix_field)]
    pub write: extern "C" fn(Handle, Record<'_>),
}
