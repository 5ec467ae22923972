//! What passes between viewers and the desktops of sessions: `streams/1`.
//!
//! A **tap** is given every byte of the streams that it takes, in both directions, with the time at which the host had it, and
//! without slowing anybody down. A plugin registers taps in [`Plugin::register`](crate::Plugin::register); its manifest has the
//! permission `streams:tap`.
//!
//! ```
//! use streamspace_plugin::{
//!     prelude::*,
//!     streams::{Chunk, Closed, Follow, Overflow, Stream, Tap},
//! };
//!
//! struct Meter {
//!     context: Context,
//! }
//!
//! impl Plugin for Meter {
//!     type Config = ();
//!
//!     fn load(context: &Context, (): ()) -> Result<Self> {
//!         Ok(Self { context: context.clone() })
//!     }
//!
//!     fn register(&self, on: &mut Registrar<Self>) {
//!         on.tap("meter", Self::open)
//!             .overflow(Overflow::GAP)
//!             .ring_bytes(1024 * 1024)
//!             .describe("Counts what viewers see");
//!     }
//! }
//!
//! impl Meter {
//!     fn open(&self, stream: &Stream<'_>) -> Option<Box<dyn Tap>> {
//!         let counting = Counting { context: self.context.clone(), seen: 0, missed: 0 };
//!         stream.is_from_start().then(|| Box::new(counting) as _)
//!     }
//! }
//!
//! struct Counting {
//!     context: Context,
//!     seen: u64,
//!     missed: u64,
//! }
//!
//! impl Tap for Counting {
//!     fn chunks(&mut self, chunks: &[Chunk<'_>]) -> Result<Follow> {
//!         for chunk in chunks.iter().filter(|chunk| chunk.is_to_viewer()) {
//!             self.seen += chunk.bytes().len() as u64;
//!             self.missed += chunk.gap_before;
//!         }
//!         Ok(Follow::On)
//!     }
//!
//!     fn closed(&mut self, why: &Closed<'_>) {
//!         info!(self.context.logger(), "A viewer is gone."; "bytes" => self.seen, "reason" => why.reason());
//!     }
//! }
//!
//! streamspace_plugin::export!(Meter);
//! ```
//!
//! # What a tap sees
//!
//! A tap is asked at the beginning of each viewer's connection, and gets those that it takes from byte 0. Streams that run
//! already are offered to it by [`Streams::join`]. Each tap has one thread of the host's, on which all its streams are handed over:
//! `[stream]`. For each stream there is a ring; what does not fit is lost to the tap, which is told how many bytes that were
//! ([`Chunk::gap_before`]), or holds the stream up ([`Overflow::BLOCK`]) until a deadline of the host's.
//!
//! What viewers and desktops say to sign in at each other are zeros in what a tap is given, and [`Chunk::masked`] is set.
//!
//! # A connection of the plugin's own
//!
//! [`Streams::connect`] makes the plugin one more client of a session's desktop, with the permission `streams:connect`. No viewer
//! need be there.

mod connection;
mod error;
mod stream;
mod table;
mod tap;

use std::time::Duration;

pub(crate) use self::tap::{TapEntry, close};
pub use self::{
    connection::DesktopConnection,
    error::StreamError,
    stream::{Closed, Stream},
    table::{
        Chunk, ClosedKind, ClosedView, Direction, ID, Overflow, StreamView, Switchboard, SwitchboardRef,
        TapSpec, Taps, TapsRef,
    },
    tap::{Follow, Tap, TapBuilder},
};
use crate::abi::{Bound, RStr};

/// How long the way to a desktop may take.
const CONNECT: Duration = Duration::from_secs(10);

/// The streams of sessions. Made by [`Context::streams`](crate::Context::streams).
#[derive(Debug, Clone, Copy)]
pub struct Streams(Option<Bound<SwitchboardRef>>);

impl Streams {
    pub(crate) fn new(host: Option<Bound<SwitchboardRef>>) -> Self {
        Self(host)
    }

    fn host(&self) -> Result<Bound<SwitchboardRef>, StreamError> {
        self.0.ok_or(StreamError::Unavailable)
    }

    /// `[worker]` `[setup]` `[request]` `[stream]` Offers the streams of a session that run to one of the plugin's taps, except
    /// those that it has. Answers how many they are; whether it takes them is decided on its thread, and begins with what passes
    /// next. Until the plugin is enabled there are none.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn from_now_on(context: &Context, session: &str) -> Result<()> {
    ///     let streams = context.streams().join("meter", session)?;
    ///     info!(context.logger(), "Counting."; "streams" => streams);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StreamError`]: the plugin has no such tap, or this host has no `streams/1`. A session without streams is none.
    pub fn join(&self, tap: &str, session: &str) -> Result<usize, StreamError> {
        let host = self.host()?;
        let offered =
            host.table.join()(host.handle, RStr::from_str(tap), RStr::from_str(session)).into_result()?;
        Ok(usize::try_from(offered).unwrap_or(usize::MAX))
    }

    /// `[worker]` `[setup]` `[request]` `[stream]` Has one of the plugin's taps get no more of a stream. Answers whether it had
    /// it; [`Tap::closed`] comes on the tap's thread.
    ///
    /// # Errors
    ///
    /// [`StreamError`]: the plugin has no such tap, or this host has no `streams/1`.
    pub fn leave(&self, tap: &str, stream: u64) -> Result<bool, StreamError> {
        let host = self.host()?;
        Ok(host.table.leave()(host.handle, RStr::from_str(tap), stream).into_result()?)
    }

    /// `[worker]` `[setup]` `[request]` `[stream]` Connects to the desktop of a session that runs, within 10 s.
    ///
    /// ```
    /// # use std::io::Read;
    /// # use streamspace_plugin::prelude::*;
    /// fn version(context: &Context, session: &str) -> Result<[u8; 12]> {
    ///     let mut desktop = context.streams().connect(session)?;
    ///     let mut version = [0; 12];
    ///     desktop.read_exact(&mut version)?;
    ///     Ok(version)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StreamError`].
    pub fn connect(&self, session: &str) -> Result<DesktopConnection, StreamError> {
        let host = self.host()?;
        let within = u64::try_from(CONNECT.as_millis()).unwrap_or(u64::MAX);
        let number = host.table.connect()(host.handle, RStr::from_str(session), within).into_result()?;
        Ok(DesktopConnection::new(host, number))
    }
}
