//! `storage/1`, offered by the host.

use abi_stable::{
    StableAbi,
    std_types::{ROption, RSlice, RStr, RString, RVec},
};

use crate::abi::{Handle, Outcome};

/// The capability's id.
pub const ID: &str = "storage/1";

/// What a change does to its key. A number and not an enum: a host refuses a value it does not know.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChangeKind(pub u32);

impl ChangeKind {
    /// Puts a value under the key.
    pub const SET: Self = Self(1);
    /// Removes the key, if it is there.
    pub const DELETE: Self = Self(2);
    /// Adds to the integer under the key; a key that is not there counts as 0.
    pub const ADD: Self = Self(3);
}

/// What a change expects of its key. A number and not an enum: a host refuses a value it does not know.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExpectedKind(pub u32);

impl ExpectedKind {
    /// Nothing.
    pub const ANY: Self = Self(0);
    /// That the key is not there.
    pub const ABSENT: Self = Self(1);
    /// That the key is there, with the revision that is given.
    pub const REVISION: Self = Self(2);
}

/// The condition of a change.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected {
    /// One of the constants of [`ExpectedKind`].
    pub kind: ExpectedKind,
    /// For [`ExpectedKind::REVISION`].
    pub revision: u64,
}

/// A change of one key, borrowed for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct ChangeView<'a> {
    /// 1 to 512 bytes of UTF-8 without NUL.
    pub key: RStr<'a>,
    /// One of the constants of [`ChangeKind`].
    pub kind: ChangeKind,
    /// For [`ChangeKind::SET`]: a JSON value.
    pub value: RSlice<'a, u8>,
    /// For [`ChangeKind::ADD`].
    pub amount: i64,
    /// After how many milliseconds the key goes by itself, 0 for never. [`ChangeKind::ADD`] has it for a key that is not
    /// there yet, and leaves that of another alone.
    pub ttl_ms: u64,
    /// What must hold for the key.
    pub expected: Expected,
}

/// What became of a change.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Applied {
    /// The key's new revision, 0 for [`ChangeKind::DELETE`].
    pub revision: u64,
    /// For [`ChangeKind::ADD`] the sum; for [`ChangeKind::DELETE`] 1 if the key was there, and 0 if not; otherwise 0.
    pub number: i64,
}

/// What is stored under a key.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct StoredValue {
    /// A JSON value.
    pub value: RVec<u8>,
    /// Another one after each change. None is given a second time, unless the operator purged what the plugin keeps.
    pub revision: u64,
    /// When the key goes by itself, microseconds since 1970-01-01 UTC; 0 for never.
    pub expires_us: u64,
}

/// Which keys are listed, borrowed for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct ListView<'a> {
    /// What the keys begin with, byte for byte. Empty for all.
    pub prefix: RStr<'a>,
    /// Only keys behind this one. Empty for all.
    pub after: RStr<'a>,
    /// The most keys of one answer, 0 for 100, at most 1000.
    pub limit: u32,
    /// Whether the answer has the values.
    pub with_values: bool,
}

/// One key of a list.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct ListedValue {
    /// The key.
    pub key: RString,
    /// Its value, empty if none were asked for.
    pub value: RVec<u8>,
    /// As [`StoredValue::revision`].
    pub revision: u64,
    /// As [`StoredValue::expires_us`].
    pub expires_us: u64,
}

/// `storage/1`, the host's half. Every function waits for the disk or the network.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = StorageRef)))]
#[sabi(missing_field(option))]
pub struct Storage {
    /// `[worker]` `[setup]` and threads of the plugin's own: what is stored under a key.
    pub get: extern "C" fn(Handle, RStr<'_>) -> Outcome<ROption<StoredValue>>,
    /// As `get`: makes changes, at most 1000, in their order, all of them or none. Answers for each of them. If a condition
    /// does not hold: [`FaultKind::CONFLICT`](crate::abi::FaultKind::CONFLICT) with a message that names the key.
    pub apply: extern "C" fn(Handle, RSlice<'_, ChangeView<'_>>) -> Outcome<RVec<Applied>>,
    /// As `get`: keys in the order of their bytes. May answer with fewer than the limit, where values are large; there are
    /// no more when it answers with none.
    pub list: extern "C" fn(Handle, ListView<'_>) -> Outcome<RVec<ListedValue>>,
    /// As `get`: removes every key that begins with a text, all of them or none. Answers with their number.
    #[sabi(last_prefix_field)]
    pub remove_prefix: extern "C" fn(Handle, RStr<'_>) -> Outcome<u64>,
}
