//! Registering taps, and what they have of each stream.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Chunk, Closed, ClosedKind, ClosedView, Overflow, Stream, StreamView, TapSpec};
use crate::{
    Result,
    abi::{Fault, FaultKind},
};

/// Whether a tap wants more of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// More.
    On,
    /// Enough: the stream goes on without it, and [`Tap::closed`] comes.
    Leave,
}

/// What a plugin has of one stream, from its beginning to its end.
///
/// All calls of all streams of one tap come from one thread, one after the other: `[stream]`. It may block. What passes
/// meanwhile waits in the tap's ring, and beyond that is lost or holds the stream up, as the tap asked.
pub trait Tap: Send {
    /// `[stream]` What passed, at least one chunk, in the order in which it passed.
    ///
    /// # Errors
    ///
    /// The tap gets no more of this stream then; viewer and desktop notice nothing. The error is logged and counted as a
    /// failure of the plugin. So is a panic, after which the state is dropped without another call.
    fn chunks(&mut self, chunks: &[Chunk<'_>]) -> Result<Follow>;

    /// `[stream]` There is no more of this stream. The state is dropped afterwards.
    fn closed(&mut self, why: &Closed<'_>) {
        let _ = why;
    }
}

type Open<P> = Box<dyn Fn(&P, &Stream<'_>) -> Option<Box<dyn Tap>> + Send + Sync>;

/// A tap that was registered: what the host is told, and what it has of each stream.
pub(crate) struct TapEntry<P> {
    pub(crate) spec: TapSpec,
    open: Open<P>,
    // Only the tap's own thread takes the lock while streams run, so it never waits.
    streams: Mutex<HashMap<u64, Box<dyn Tap>>>,
}

impl<P> TapEntry<P> {
    pub(crate) fn new(name: &str, open: Open<P>) -> Self {
        Self { spec: TapSpec::named(name), open, streams: Mutex::default() }
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<u64, Box<dyn Tap>>> {
        // The state whose handler panicked is dropped, and the others are whole.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the plugin takes the stream.
    pub(crate) fn open(&self, plugin: &P, view: &StreamView<'_>) -> bool {
        let taken = (self.open)(plugin, &Stream::new(view));
        let is_taken = taken.is_some();
        if let Some(tap) = taken {
            self.streams().insert(view.id, tap);
        }
        is_taken
    }

    pub(crate) fn deliver(&self, stream: u64, chunks: &[Chunk<'_>]) -> Result<bool, Fault> {
        let mut streams = self.streams();
        let tap = streams.get_mut(&stream).ok_or_else(|| {
            Fault::new(FaultKind::INVALID, format_args!("the tap has not taken the stream {stream}"))
        })?;
        let follow = tap.chunks(chunks).map_err(|error| Fault::new(FaultKind::FAILED, error))?;
        Ok(follow == Follow::On)
    }

    /// Takes the state of a stream out.
    pub(crate) fn take(&self, stream: u64) -> Option<Box<dyn Tap>> {
        self.streams().remove(&stream)
    }
}

/// Tells a state that it is over, unless its handler panicked.
pub(crate) fn close(tap: &mut dyn Tap, view: &ClosedView<'_>) {
    if view.kind != ClosedKind::PANICKED {
        tap.closed(&Closed::new(view));
    }
}

/// What else a tap asks for. The tap is registered already.
///
/// Defaults: what it has no room for passes it by, and 8 MiB of each stream may wait.
pub struct TapBuilder<'r>(&'r mut TapSpec);

impl<'r> TapBuilder<'r> {
    pub(crate) fn new(spec: &'r mut TapSpec) -> Self {
        Self(spec)
    }

    /// What becomes of bytes for which there is no room.
    pub fn overflow(self, overflow: Overflow) -> Self {
        self.0.overflow = overflow;
        self
    }

    /// How many bytes of each stream may wait for the tap: 64 KiB to 256 MiB.
    pub fn ring_bytes(self, bytes: u64) -> Self {
        self.0.ring_bytes = bytes;
        self
    }

    /// What it is for, in a sentence that operators read.
    pub fn describe(self, text: &str) -> Self {
        self.0.description = text.into();
        self
    }
}

impl fmt::Debug for TapBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;
    use crate::{
        Error,
        abi::{RSlice, RStr},
        streams::Direction,
    };

    /// Counts what it is called for.
    #[derive(Default)]
    struct Calls {
        chunks: AtomicU32,
        closed: AtomicU32,
        dropped: AtomicU32,
    }

    struct Counting(Arc<Calls>);

    impl Tap for Counting {
        fn chunks(&mut self, chunks: &[Chunk<'_>]) -> Result<Follow> {
            self.0.chunks.fetch_add(1, Ordering::Relaxed);
            match chunks[0].bytes() {
                b"enough" => Ok(Follow::Leave),
                b"fail" => Err(Error::new("it was asked to")),
                _ => Ok(Follow::On),
            }
        }

        fn closed(&mut self, _: &Closed<'_>) {
            self.0.closed.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Drop for Counting {
        fn drop(&mut self) {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn stream(id: u64) -> StreamView<'static> {
        let empty = RStr::from_str("");
        StreamView {
            id,
            session: RStr::from_str(if id == 0 { "not this" } else { "s" }),
            owner: empty,
            user: empty,
            template: empty,
            connection: empty,
            from_start: true,
            to_viewer: 0,
            to_desktop: 0,
            at_ns: 0,
            time_us: 0,
        }
    }

    fn chunk(bytes: &[u8]) -> Chunk<'_> {
        Chunk {
            direction: Direction::TO_VIEWER,
            masked: false,
            at_ns: 0,
            offset: 0,
            gap_before: 0,
            data: RSlice::from_slice(bytes),
        }
    }

    fn closed(kind: ClosedKind) -> ClosedView<'static> {
        let reason = RStr::from_str("");
        ClosedView { kind, reason, at_ns: 0, lost_to_viewer: 0, lost_to_desktop: 0 }
    }

    #[test]
    fn each_stream_has_a_state_of_its_own_from_open_to_closed() {
        let calls = Arc::<Calls>::default();
        let of_streams = Arc::clone(&calls);
        let tap = TapEntry::new(
            "t",
            Box::new(move |(): &(), stream: &Stream<'_>| {
                (stream.session() == "s").then(|| Box::new(Counting(Arc::clone(&of_streams))) as _)
            }),
        );
        assert!(!tap.open(&(), &stream(0)));
        assert!(tap.open(&(), &stream(1)) && tap.open(&(), &stream(2)));
        assert_eq!(tap.deliver(1, &[chunk(b"x")]), Ok(true));
        assert_eq!(tap.deliver(2, &[chunk(b"enough")]), Ok(false));
        assert_eq!(tap.deliver(1, &[chunk(b"fail")]).map_err(|fault| fault.kind), Err(FaultKind::FAILED));
        assert_eq!(tap.deliver(0, &[chunk(b"x")]).map_err(|fault| fault.kind), Err(FaultKind::INVALID));
        for (id, kind) in [(1, ClosedKind::FAILED), (2, ClosedKind::PANICKED)] {
            close(&mut *tap.take(id).expect("it is open"), &closed(kind));
        }
        assert!(tap.take(1).is_none());
        let count = |of: &AtomicU32| of.load(Ordering::Relaxed);
        assert_eq!((count(&calls.chunks), count(&calls.closed), count(&calls.dropped)), (3, 1, 2));
    }
}
