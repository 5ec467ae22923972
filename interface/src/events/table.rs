//! `events/1`, a half on either side.

use std::sync::atomic::AtomicBool;

use abi_stable::{
    StableAbi,
    std_types::{ROption, RSlice, RStr, RString, RVec},
};

use crate::abi::{Handle, Outcome};

/// The capability's id, on both sides.
pub const ID: &str = "events/1";

/// An event, borrowed for the call: a small fixed header, and views into the host's one copy of it.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct EventView<'a> {
    /// The host's id of the event: a UUID of version 7.
    pub id: [u8; 16],
    /// When it happened, microseconds since 1970-01-01 UTC.
    pub time_us: u64,
    /// How often it was handed to this consumer, this time included: 1 and up.
    pub attempt: u32,
    /// Dot-separated, e.g. `session.created`.
    pub topic: RStr<'a>,
    /// Who emitted it, e.g. `/streamspace/sessions` or `plugin:streamspace-billing`.
    pub source: RStr<'a>,
    /// What it is about within the source, e.g. a session's id; empty if not given.
    pub subject: RStr<'a>,
    /// The payload: a JSON value.
    pub data: RSlice<'a, u8>,
    /// Further CloudEvents attributes, a JSON object of strings, numbers and booleans; empty if there are none.
    pub attributes: RSlice<'a, u8>,
}

/// An event to be emitted, borrowed for the call. Time, id and source are the host's.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct EmissionView<'a> {
    /// The full topic: `plugin.<name of the plugin>.<event>`.
    pub topic: RStr<'a>,
    /// As [`EventView::subject`].
    pub subject: RStr<'a>,
    /// As [`EventView::data`].
    pub data: RSlice<'a, u8>,
}

/// `events/1`, the host's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = EmitterRef)))]
#[sabi(missing_field(option))]
pub struct Emitter {
    /// `[worker]` `[setup]` and threads of the plugin's own: emits an event and answers with its id. Never waits for a
    /// consumer. If the event is durable, waits until it is in the log.
    #[sabi(last_prefix_field)]
    pub emit: extern "C" fn(Handle, EmissionView<'_>) -> Outcome<[u8; 16]>,
}

/// What a consumer asks for. Where a number is 0 the host's default holds; its limits hold always.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct ConsumerSpec {
    /// Unique within the plugin.
    pub name: RString,
    /// The topics: `*` is one token, a final `>` the rest. At least one.
    pub filters: RVec<RString>,
    /// Whether what was accepted waits while the plugin is away and is tried again when the handler fails.
    pub durable: bool,
    /// Whether a durable consumer that is new starts at the oldest event the host still has, instead of at the next.
    pub from_start: bool,
    /// How often an event is tried before it becomes a dead letter. Durable only.
    pub max_deliver: u32,
    /// Milliseconds before the second, third, … try; the last one repeats. Empty: the host's default. Durable only.
    pub backoff_ms: RVec<u64>,
    /// How many events may be unsettled at once. 1 keeps strict order: a retry holds back what follows.
    pub max_in_flight: u32,
    /// How many events one call of `deliver` carries at most.
    pub batch: u32,
    /// How many events may wait in memory.
    pub max_pending: u32,
    /// Milliseconds after which a call of `deliver` is reported as hanging.
    pub deadline_ms: u64,
}

impl ConsumerSpec {
    /// A consumer called `name`: ephemeral, in strict order, the host's defaults for the rest, and no topics yet.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            filters: RVec::new(),
            durable: false,
            from_start: false,
            max_deliver: 0,
            backoff_ms: RVec::new(),
            max_in_flight: 1,
            batch: 0,
            max_pending: 0,
            deadline_ms: 0,
        }
    }
}

/// Events for one consumer, in order.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The events, at least one.
    pub events: RSlice<'a, EventView<'a>>,
    /// Becomes `true` when the host wants the call to end after the event that is being handled: it is about to stop
    /// the plugin, or the call takes long.
    pub stop: &'a AtomicBool,
}

/// How far a call of `deliver` came.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Progress {
    /// How many events of the batch were acknowledged, from its front on.
    pub acknowledged: u64,
    /// What is to become of the event after these. `RNone` if there is none, or if it was not looked at because of
    /// [`Batch::stop`].
    pub stopped_at: ROption<Refusal>,
}

/// Why an event was not acknowledged, and what is to become of it.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Refusal {
    /// One of the constants of [`Verdict`].
    pub verdict: Verdict,
    /// For [`Verdict::RETRY`] and [`Verdict::DEFER`]: milliseconds to wait, [`Refusal::BACKOFF`] for the consumer's
    /// own back-off.
    pub after_ms: u64,
    /// The reason, for a person. Holds no secret.
    pub reason: RString,
}

impl Refusal {
    /// "Wait as long as the consumer's back-off says."
    pub const BACKOFF: u64 = u64::MAX;
}

/// What is to become of an event. A number and not an enum: a host treats a value it does not know as a retry.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict(pub u32);

impl Verdict {
    /// Try again later; counts as a try.
    pub const RETRY: Self = Self(1);
    /// Put it back and ask again later; does not count as a try.
    pub const DEFER: Self = Self(2);
    /// Never again: it becomes a dead letter with the reason.
    pub const REJECT: Self = Self(3);
    /// The handler panicked; the reason says what and where. Treated as a retry.
    pub const PANICKED: Self = Self(4);
}

/// `events/1`, the plugin's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = ConsumersRef)))]
#[sabi(missing_field(option))]
pub struct Consumers {
    /// `[setup]` After `load`: the consumers that the plugin registers. Their position in the list is their number.
    pub list: extern "C" fn(Handle) -> Outcome<RVec<ConsumerSpec>>,
    /// `[worker]` Hands the events of one batch to consumer number `u32`, in order. One call at a time per consumer.
    #[sabi(last_prefix_field)]
    pub deliver: extern "C" fn(Handle, u32, Batch<'_>) -> Progress,
}
