//! Viewers' connections, from the one thread on which the plugin hears of all of them to the threads of the recordings.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use streamspace_plugin::{
    Result,
    streams::{Chunk, Closed, Follow, Stream, Tap},
};

use super::record::Clock;
use crate::scene::{Moment, Side};

/// What is counted for a piece besides its bytes, so that many small ones are bounded too.
const EACH: usize = 64;

/// What comes of the connections that a recording has, one after the other.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Of this connection is what follows.
    Began(u64),
    Bytes {
        at: Moment,
        from: Side,
        bytes: Vec<u8>,
    },
    /// So many bytes went by. Nothing more comes of this connection.
    Lost {
        at: Moment,
        from: Side,
        bytes: u64,
    },
    /// Nothing more comes of this connection.
    Closed {
        at: Moment,
        why: String,
    },
}

impl Piece {
    fn size(&self) -> usize {
        EACH + match self {
            Self::Bytes { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}

/// What waits between the tap and one recording.
#[derive(Debug)]
pub(super) struct Line {
    clock: Clock,
    /// How much may wait, in bytes.
    room: usize,
    queue: Mutex<Queue>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    size: usize,
    /// The connection that is being recorded.
    stream: Option<u64>,
    /// No connection is taken any more.
    is_closed: bool,
    /// Somebody wants the recording's thread to look up.
    is_nudged: bool,
}

impl Queue {
    fn push(&mut self, piece: Piece) {
        self.size += piece.size();
        self.pieces.push_back(piece);
    }
}

impl Line {
    pub(super) fn new(clock: Clock, room: u64) -> Self {
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        Self { clock, room, queue: Mutex::default(), woken: Condvar::new() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing in here panics half-way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection, if there is none.
    fn take(&self, stream: u64) -> bool {
        let mut queue = self.queue();
        let is_free = !queue.is_closed && queue.stream.is_none();
        if is_free {
            queue.stream = Some(stream);
            queue.push(Piece::Began(stream));
            self.woken.notify_one();
        }
        is_free
    }

    /// Takes what passed. Answers whether more is wanted of this connection.
    fn put(&self, stream: u64, at: Moment, from: Side, lost: u64, bytes: &[u8]) -> bool {
        let mut queue = self.queue();
        if queue.stream != Some(stream) {
            return false;
        }
        let has_room = queue.size.saturating_add(EACH + bytes.len()) <= self.room;
        let is_taken = lost == 0 && has_room;
        if is_taken {
            // A copy: the bytes are lent for the time of the call, and another thread decodes, so that one busy session
            // does not hold up all others. Whoever waits for the lock meanwhile has nothing else to do.
            queue.push(Piece::Bytes { at, from, bytes: bytes.to_vec() });
        } else {
            // Without these bytes, those after them cannot be decoded.
            let bytes = lost + if has_room { 0 } else { bytes.len() as u64 };
            queue.push(Piece::Lost { at, from, bytes });
            queue.stream = None;
        }
        self.woken.notify_one();
        is_taken
    }

    /// A connection is over.
    fn end(&self, stream: u64, at: Moment, why: &str) {
        let mut queue = self.queue();
        if queue.stream == Some(stream) {
            queue.push(Piece::Closed { at, why: why.to_owned() });
            queue.stream = None;
            self.woken.notify_one();
        }
    }

    /// Nothing more is wanted of this connection: another one may be taken.
    pub(super) fn leave(&self, stream: u64) {
        let mut queue = self.queue();
        if queue.stream == Some(stream) {
            queue.stream = None;
        }
    }

    /// Takes no connection any more, nor more of the one that there is.
    pub(super) fn close(&self) {
        let mut queue = self.queue();
        (queue.is_closed, queue.stream) = (true, None);
    }

    /// Has the recording's thread look up.
    pub(super) fn nudge(&self) {
        self.queue().is_nudged = true;
        self.woken.notify_one();
    }

    /// The next piece. None if there is none for so long, or the thread is to look up.
    pub(super) fn next(&self, wait: Duration) -> Option<Piece> {
        let mut queue = self.queue();
        if !wait.is_zero() {
            let waits = |queue: &mut Queue| queue.pieces.is_empty() && !queue.is_nudged;
            queue =
                self.woken.wait_timeout_while(queue, wait, waits).unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.is_nudged = false;
        let piece = queue.pieces.pop_front()?;
        queue.size -= piece.size();
        Some(piece)
    }
}

/// The recordings that wait for connections, by session.
#[derive(Debug, Default)]
pub(super) struct Lines(Mutex<HashMap<String, Arc<Line>>>);

impl Lines {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Line>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections of this session go to this recording from now on.
    pub(super) fn wait(&self, session: &str, line: &Arc<Line>) {
        self.all().insert(session.to_owned(), Arc::clone(line));
    }

    /// They do not any more. Another recording of the session may have begun meanwhile.
    pub(super) fn forget(&self, session: &str, line: &Arc<Line>) {
        let mut all = self.all();
        if all.get(session).is_some_and(|waiting| Arc::ptr_eq(waiting, line)) {
            all.remove(session);
        }
    }

    /// A connection is there. It is taken if a recording waits for it, and it is there from its first byte on.
    pub(super) fn offered(&self, stream: &Stream<'_>) -> Option<Box<dyn Tap>> {
        if !stream.is_from_start() {
            return None;
        }
        let line = Arc::clone(self.all().get(stream.session())?);
        let tapped =
            Tapped { stream: stream.id(), offered_ns: stream.at_ns(), offered: line.clock.now(), line };
        tapped.line.take(tapped.stream).then(|| Box::new(tapped) as _)
    }
}

/// A connection that is recorded, on the tap's thread.
struct Tapped {
    line: Arc<Line>,
    stream: u64,
    /// When it was offered, by the host's clock and by the recording's.
    offered_ns: u64,
    offered: Moment,
}

impl Tapped {
    fn moment(&self, at_ns: u64) -> Moment {
        let passed = at_ns.saturating_sub(self.offered_ns) / 1000;
        // It was offered a little before it was looked at, and nothing happens later than now.
        Moment(self.offered.0.saturating_add(passed)).min(self.line.clock.now())
    }
}

impl Tap for Tapped {
    fn chunks(&mut self, chunks: &[Chunk<'_>]) -> Result<Follow> {
        for chunk in chunks {
            let from = if chunk.is_to_viewer() { Side::Desktop } else { Side::Viewer };
            let at = self.moment(chunk.at_ns);
            if !self.line.put(self.stream, at, from, chunk.gap_before, chunk.bytes()) {
                return Ok(Follow::Leave);
            }
        }
        Ok(Follow::On)
    }

    fn closed(&mut self, why: &Closed<'_>) {
        let at = self.moment(why.at_ns());
        match why.lost() {
            (0, 0) => self.line.end(self.stream, at, why.reason()),
            (to_viewer, 0) => drop(self.line.put(self.stream, at, Side::Desktop, to_viewer, &[])),
            (_, to_desktop) => drop(self.line.put(self.stream, at, Side::Viewer, to_desktop, &[])),
        }
    }
}

#[cfg(test)]
mod tests {
    use streamspace_plugin::{
        abi::{RSlice, RStr},
        streams::{Direction, StreamView},
    };

    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn line(room: u64) -> Arc<Line> {
        Arc::new(Line::new(Clock::start(), room))
    }

    fn view(id: u64, session: &'static str, from_start: bool) -> StreamView<'static> {
        let empty = RStr::from_str("");
        StreamView {
            id,
            session: RStr::from_str(session),
            owner: empty,
            user: empty,
            template: empty,
            connection: empty,
            from_start,
            to_viewer: 0,
            to_desktop: 0,
            at_ns: 5_000,
            time_us: 0,
        }
    }

    fn chunk(direction: Direction, gap_before: u64, data: &[u8]) -> Chunk<'_> {
        Chunk {
            direction,
            masked: false,
            at_ns: 5_000,
            offset: 0,
            gap_before,
            data: RSlice::from_slice(data),
        }
    }

    fn offered(lines: &Lines, view: &StreamView<'_>) -> Option<Box<dyn Tap>> {
        lines.offered(&Stream::new(view))
    }

    #[test]
    fn a_connection_is_taken_from_its_beginning_if_a_recording_waits_for_it() {
        let (lines, waiting) = (Lines::default(), line(1000));
        assert!(offered(&lines, &view(1, "s", true)).is_none(), "nobody waits");
        lines.wait("s", &waiting);
        assert!(offered(&lines, &view(2, "s", false)).is_none(), "it has begun already");
        assert!(offered(&lines, &view(3, "other", true)).is_none());
        let mut first = offered(&lines, &view(4, "s", true)).expect("it is taken");
        assert!(offered(&lines, &view(5, "s", true)).is_none(), "one at a time");
        let said = [chunk(Direction::TO_VIEWER, 0, b"RFB"), chunk(Direction::TO_DESKTOP, 0, b"x")];
        assert_eq!(first.chunks(&said).expect("taken"), Follow::On);
        assert_eq!(waiting.next(NOW), Some(Piece::Began(4)));
        assert!(
            matches!(waiting.next(NOW), Some(Piece::Bytes { from: Side::Desktop, bytes, .. }) if bytes == b"RFB")
        );
        assert!(matches!(waiting.next(NOW), Some(Piece::Bytes { from: Side::Viewer, .. })));
        assert_eq!(waiting.next(NOW), None);
        // Once it is left, the next one is taken.
        waiting.leave(4);
        assert_eq!(first.chunks(&said).expect("no fault"), Follow::Leave);
        assert!(offered(&lines, &view(6, "s", true)).is_some());
        waiting.close();
        assert!(offered(&lines, &view(7, "s", true)).is_none());
    }

    #[test]
    fn what_does_not_fit_is_told_and_ends_the_connection() {
        let waiting = line(300);
        assert!(waiting.take(1));
        assert!(waiting.put(1, Moment(1), Side::Desktop, 0, &[0; 100]));
        assert!(!waiting.put(1, Moment(2), Side::Desktop, 0, &[0; 100]));
        assert!(!waiting.put(1, Moment(3), Side::Desktop, 0, &[0; 1]), "nothing after it");
        waiting.end(1, Moment(4), "over");
        let all: Vec<_> = std::iter::from_fn(|| waiting.next(NOW)).collect();
        assert_eq!(all.len(), 3);
        assert_eq!(all[2], Piece::Lost { at: Moment(2), from: Side::Desktop, bytes: 100 });
        // There is room again, and what the host lost counts as well.
        assert!(waiting.take(2));
        assert!(!waiting.put(2, Moment(5), Side::Viewer, 7, &[0; 100]));
        assert_eq!(waiting.next(NOW), Some(Piece::Began(2)));
        assert_eq!(waiting.next(NOW), Some(Piece::Lost { at: Moment(5), from: Side::Viewer, bytes: 7 }));
    }

    #[test]
    fn many_small_pieces_are_bounded_too() {
        let waiting = line(10 * EACH as u64);
        assert!(waiting.take(1));
        let taken = (0..100).take_while(|_| waiting.put(1, Moment(0), Side::Viewer, 0, &[])).count();
        assert_eq!(taken, 9);
    }

    #[test]
    fn another_recordings_line_is_not_forgotten() {
        let (lines, old, new) = (Lines::default(), line(1000), line(1000));
        lines.wait("s", &old);
        lines.wait("s", &new);
        lines.forget("s", &old);
        assert!(offered(&lines, &view(1, "s", true)).is_some());
        lines.forget("s", &new);
        assert!(offered(&lines, &view(2, "s", true)).is_none());
    }

    #[test]
    fn a_thread_that_waits_is_woken() {
        let waiting = line(1000);
        waiting.nudge();
        assert_eq!(waiting.next(Duration::from_secs(600)), None);
        let other = Arc::clone(&waiting);
        let waits = std::thread::spawn(move || other.next(Duration::from_secs(600)));
        assert!(waiting.take(9));
        assert_eq!(waits.join().expect("it does not panic"), Some(Piece::Began(9)));
    }
}
