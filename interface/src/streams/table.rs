//! `streams/1`, the plugin's half and the host's.

use abi_stable::{
    StableAbi,
    std_types::{RSlice, RSliceMut, RStr, RString, RVec},
};

use crate::abi::{Handle, Outcome};

/// The capability's id, on both sides.
pub const ID: &str = "streams/1";

/// What becomes of bytes for which a tap has no room. A number and not an enum: a host treats a value it does not know as
/// [`Overflow::GAP`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overflow(pub u32);

impl Overflow {
    /// They pass the tap by, and it is told how many they were. The stream never waits.
    pub const GAP: Self = Self(0);
    /// The stream waits for the tap, up to the host's deadline. After that it is as [`GAP`](Self::GAP), until the tap has
    /// room again.
    pub const BLOCK: Self = Self(1);
}

/// What a tap asks for. A number that is 0 stands for the host's default.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct TapSpec {
    /// Unique within the plugin.
    pub name: RString,
    /// One of the constants of [`Overflow`].
    pub overflow: Overflow,
    /// How many bytes of each stream may wait for the tap.
    pub ring_bytes: u64,
    /// What it is for, in a sentence.
    pub description: RString,
}

impl TapSpec {
    /// A tap called `name` that never holds a stream up, with the host's room.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), overflow: Overflow::GAP, ring_bytes: 0, description: RString::new() }
    }
}

/// A viewer's stream that is offered to a tap, borrowed for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct StreamView<'a> {
    /// The host's number of the stream: no other stream of this process has it.
    pub id: u64,
    /// The session's id.
    pub session: RStr<'a>,
    /// Whose the session is.
    pub owner: RStr<'a>,
    /// The name of the account that looks; empty if it is none.
    pub user: RStr<'a>,
    /// What the session's desktop is made from.
    pub template: RStr<'a>,
    /// The connection, as the session lists it.
    pub connection: RStr<'a>,
    /// Whether the tap gets the stream from byte 0 in both directions.
    pub from_start: bool,
    /// How many bytes had gone to the viewer before.
    pub to_viewer: u64,
    /// How many bytes had gone to the desktop before.
    pub to_desktop: u64,
    /// When it was offered, by the clock of [`Chunk::at_ns`].
    pub at_ns: u64,
    /// The same moment, microseconds since 1970-01-01 UTC.
    pub time_us: u64,
}

/// Which way bytes go. A number and not an enum, so that it is as it comes.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Direction(pub u32);

impl Direction {
    /// From the desktop to the viewer.
    pub const TO_VIEWER: Self = Self(1);
    /// From the viewer to the desktop.
    pub const TO_DESKTOP: Self = Self(2);
}

/// Bytes that passed, borrowed for the call: the memory is the host's own, and nothing of it was copied.
///
/// Chunks are as the bytes came from the network: a message may be in several, and several in one.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// One of the constants of [`Direction`].
    pub direction: Direction,
    /// Whether some of the bytes are zeros in place of a secret: what was typed or answered to sign in at the desktop.
    pub masked: bool,
    /// When the host had them: nanoseconds of a clock that never goes back and is the same for all streams.
    pub at_ns: u64,
    /// Where the first byte is in its direction, counted from the connection's beginning.
    pub offset: u64,
    /// How many bytes of this direction passed the tap by, between the chunk before and this one.
    pub gap_before: u64,
    /// The bytes, at least one.
    pub data: RSlice<'a, u8>,
}

/// Why a tap gets no more of a stream. A number and not an enum: hosts may have further reasons.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClosedKind(pub u32);

impl ClosedKind {
    /// The connection has ended. All that passed was handed over, or is counted as lost.
    pub const ENDED: Self = Self(1);
    /// The plugin is being stopped, or its tap has gone. The stream goes on without it.
    pub const DETACHED: Self = Self(2);
    /// The tap answered that it has enough, or the plugin left the stream.
    pub const LEFT: Self = Self(3);
    /// The handler failed.
    pub const FAILED: Self = Self(4);
    /// The handler panicked: its state is dropped and not called.
    pub const PANICKED: Self = Self(5);
}

/// The end of a stream, for a tap.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct ClosedView<'a> {
    /// One of the constants of [`ClosedKind`].
    pub kind: ClosedKind,
    /// Why, in words.
    pub reason: RStr<'a>,
    /// When, by the clock of [`Chunk::at_ns`].
    pub at_ns: u64,
    /// How many bytes to the viewer passed the tap by after the last chunk.
    pub lost_to_viewer: u64,
    /// How many bytes to the desktop passed the tap by after the last chunk.
    pub lost_to_desktop: u64,
}

/// `streams/1`, the plugin's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = TapsRef)))]
#[sabi(missing_field(option))]
pub struct Taps {
    /// `[setup]` After `load`: the taps that the plugin registers. Their position in the list is their number.
    pub list: extern "C" fn(Handle) -> Outcome<RVec<TapSpec>>,
    /// `[stream]` Offers a stream to tap number `u32`. `false`: the tap does not want it.
    pub open: extern "C" fn(Handle, u32, StreamView<'_>) -> Outcome<bool>,
    /// `[stream]` Hands what passed in the stream `u64` to tap number `u32`: at least one chunk, in the order in which they
    /// passed. `false`: the tap wants no more of the stream.
    pub deliver: extern "C" fn(Handle, u32, u64, RSlice<'_, Chunk<'_>>) -> Outcome<bool>,
    /// `[stream]` Tap number `u32` gets no more of the stream `u64`. Once for each stream that it took.
    #[sabi(last_prefix_field)]
    pub closed: extern "C" fn(Handle, u32, u64, ClosedView<'_>) -> Outcome<()>,
}

/// `streams/1`, the host's half. All of it may wait.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = SwitchboardRef)))]
#[sabi(missing_field(option))]
pub struct Switchboard {
    /// `[worker]` `[setup]` `[request]` `[stream]` Offers the streams of a session that run, and that the plugin's tap of this
    /// name does not have, to that tap. Answers how many they are.
    pub join: extern "C" fn(Handle, RStr<'_>, RStr<'_>) -> Outcome<u64>,
    /// `[worker]` `[setup]` `[request]` `[stream]` The plugin's tap of this name gets no more of the stream `u64`. `false`: it
    /// has no such stream.
    pub leave: extern "C" fn(Handle, RStr<'_>, u64) -> Outcome<bool>,
    /// `[worker]` `[setup]` `[request]` `[stream]` Connects to a session's desktop, within so many milliseconds. Answers the
    /// connection's number.
    pub connect: extern "C" fn(Handle, RStr<'_>, u64) -> Outcome<u64>,
    /// Any thread but one of an `[inline]` handler: reads from a connection what there is, at least one byte, within so many
    /// milliseconds. 0: the desktop has closed the connection.
    pub read: extern "C" fn(Handle, u64, RSliceMut<'_, u8>, u64) -> Outcome<u64>,
    /// Any thread but one of an `[inline]` handler: writes to a connection, each part of it within so many milliseconds.
    /// Answers how much was taken, at least one byte.
    pub write: extern "C" fn(Handle, u64, RSlice<'_, u8>, u64) -> Outcome<u64>,
    /// `[any]` Closes a connection. Whoever reads or writes it is told so.
    #[sabi(last_prefix_field)]
    pub close: extern "C" fn(Handle, u64) -> Outcome<()>,
}
