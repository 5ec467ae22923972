//! A stream as a tap is told of it, and its end.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use super::{Chunk, ClosedKind, ClosedView, Direction, StreamView};

/// A stream between a viewer and a session's desktop, as it is offered to a tap.
///
/// ```
/// # use streamspace_plugin::{abi::RStr, streams::{Stream, StreamView}};
/// // What a test of a plugin makes, and the host otherwise.
/// let view = StreamView {
///     id: 7,
///     session: RStr::from_str("s-1"),
///     owner: RStr::from_str("ada"),
///     user: RStr::from_str("bob"),
///     template: RStr::from_str("firefox"),
///     connection: RStr::from_str("host-1"),
///     from_start: true,
///     to_viewer: 0,
///     to_desktop: 0,
///     at_ns: 1_000,
///     time_us: 1_767_323_040_000_000,
/// };
/// let stream = Stream::new(&view);
///
/// assert_eq!((stream.session(), stream.user()), ("s-1", "bob"));
/// assert!(stream.is_from_start());
/// ```
#[derive(Clone, Copy)]
pub struct Stream<'a>(&'a StreamView<'a>);

impl<'a> Stream<'a> {
    /// Wraps what came over the interface. Made by the SDK before it calls a handler, and by tests of plugins.
    #[must_use]
    pub fn new(view: &'a StreamView<'a>) -> Self {
        Self(view)
    }

    /// The host's number of the stream: no other stream of this process has it.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The session's id.
    #[must_use]
    pub fn session(&self) -> &'a str {
        self.0.session.as_str()
    }

    /// The name of the account whose session it is.
    #[must_use]
    pub fn owner(&self) -> &'a str {
        self.0.owner.as_str()
    }

    /// The name of the account that looks, which may be another than the owner; empty if it is none.
    #[must_use]
    pub fn user(&self) -> &'a str {
        self.0.user.as_str()
    }

    /// What the session's desktop is made from.
    #[must_use]
    pub fn template(&self) -> &'a str {
        self.0.template.as_str()
    }

    /// The connection, as the session lists it.
    #[must_use]
    pub fn connection(&self) -> &'a str {
        self.0.connection.as_str()
    }

    /// Whether the tap gets the stream from byte 0 in both directions. If not, it was joined.
    #[must_use]
    pub fn is_from_start(&self) -> bool {
        self.0.from_start
    }

    /// How many bytes had gone before, to the viewer and to the desktop.
    #[must_use]
    pub fn offsets(&self) -> (u64, u64) {
        (self.0.to_viewer, self.0.to_desktop)
    }

    /// When it was offered, by the clock of [`Chunk::at_ns`].
    #[must_use]
    pub fn at_ns(&self) -> u64 {
        self.0.at_ns
    }

    /// The same moment, by the calendar.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.0.time_us)
    }
}

impl fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a tap gets no more of a stream.
#[derive(Clone, Copy)]
pub struct Closed<'a>(&'a ClosedView<'a>);

impl<'a> Closed<'a> {
    /// Wraps what came over the interface. Made by the SDK before it calls a handler, and by tests of plugins.
    #[must_use]
    pub fn new(view: &'a ClosedView<'a>) -> Self {
        Self(view)
    }

    /// Which of the reasons it is.
    #[must_use]
    pub fn kind(&self) -> ClosedKind {
        self.0.kind
    }

    /// The reason, in words.
    #[must_use]
    pub fn reason(&self) -> &'a str {
        self.0.reason.as_str()
    }

    /// When, by the clock of [`Chunk::at_ns`].
    #[must_use]
    pub fn at_ns(&self) -> u64 {
        self.0.at_ns
    }

    /// How many bytes passed the tap by after the last chunk, to the viewer and to the desktop.
    #[must_use]
    pub fn lost(&self) -> (u64, u64) {
        (self.0.lost_to_viewer, self.0.lost_to_desktop)
    }
}

impl fmt::Debug for Closed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a> Chunk<'a> {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.data.as_slice()
    }

    /// Whether they go from the desktop to the viewer.
    #[must_use]
    pub fn is_to_viewer(&self) -> bool {
        self.direction == Direction::TO_VIEWER
    }

    /// Whether they go from the viewer to the desktop.
    #[must_use]
    pub fn is_to_desktop(&self) -> bool {
        self.direction == Direction::TO_DESKTOP
    }
}
