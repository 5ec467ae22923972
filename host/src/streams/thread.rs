//! A tap's thread: hands over what waits in the rings of its streams, one call at a time.

use smallvec::SmallVec;
use std::sync::{Arc, atomic::Ordering};
use streamspace_plugin::{
    abi::{FaultKind, RSlice, RStr},
    streams::{Chunk, ClosedKind, ClosedView, Direction, StreamView},
};

use super::{
    now_ns,
    ring::{Piece, Reader},
    taps::{FIRST_NAP, LAST_NAP, Offer, Tap, Target},
    tee::About,
};

/// Most chunks of one call. Streams take turns after each.
const BATCH: usize = 32;

/// A stream that the tap took.
struct Open {
    id: u64,
    about: Arc<About>,
    reader: Reader,
    /// Where the next chunk of each direction begins, if nothing is lost.
    expected: [u64; 2],
}

/// What becomes of a stream after a look at it.
enum Next {
    Idle,
    Worked,
    Over,
}

/// Says that the thread is gone, also if it panics.
struct Ending<'t>(&'t Tap);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}

pub(super) fn run(tap: &Arc<Tap>, target: &dyn Target) {
    let _ending = Ending(tap);
    let mut open: Vec<Open> = Vec::new();
    let mut pieces = Vec::with_capacity(BATCH);
    // How long the next nap is. Behind the last one it sleeps.
    let mut nap = FIRST_NAP;
    loop {
        if tap.attention.swap(false, Ordering::AcqRel) && !attend(tap, target, &mut open) {
            return;
        }
        // All streams are looked at: there are as many as viewers, and a look is two loads.
        let (mut at, mut works) = (0, false);
        while at < open.len() && !tap.attention.load(Ordering::Relaxed) {
            match look(tap, target, &mut open[at], &mut pieces) {
                Next::Idle => at += 1,
                Next::Worked => {
                    works = true;
                    at += 1;
                }
                Next::Over => {
                    works = true;
                    forget(tap, open.swap_remove(at).id);
                }
            }
        }
        if works {
            nap = FIRST_NAP;
        } else if tap.attention.load(Ordering::Relaxed) {
            // It is looked at first.
        } else if nap <= LAST_NAP {
            tap.nap(nap);
            nap *= 2;
        } else {
            tap.sleep(|| open.iter().all(|open| open.reader.is_idle()));
        }
    }
}

/// Does what is wanted. `false`: the thread is to end.
fn attend(tap: &Tap, target: &dyn Target, open: &mut Vec<Open>) -> bool {
    let mut control = tap.rest(tap.control());
    let (offers, leaves) = (std::mem::take(&mut control.offers), std::mem::take(&mut control.leaves));
    let (detaching, abandoned) = (control.detaching, control.abandoned);
    drop(control);
    if abandoned {
        return false;
    }
    // Who goes is offered nothing more.
    for offer in offers.into_iter().filter(|_| !detaching) {
        let id = offer.id;
        match take(tap, target, offer) {
            Some(taken) => open.push(taken),
            None => forget(tap, id),
        }
        // Whoever waits for the tap does not wait for all that was offered meanwhile.
        if tap.control().abandoned {
            return false;
        }
    }
    for id in leaves {
        if let Some(at) = open.iter().position(|open| open.id == id) {
            let left = open.swap_remove(at);
            close(tap, target, &left, ClosedKind::LEFT, "the plugin left the stream");
            forget(tap, id);
        }
    }
    if detaching {
        for left in open.drain(..) {
            close(tap, target, &left, ClosedKind::DETACHED, "the plugin is being stopped");
        }
    }
    !detaching
}

fn forget(tap: &Tap, id: u64) {
    let mut control = tap.control();
    control.has.remove(&id);
    // One that is not open any more cannot be left.
    control.leaves.retain(|left| *left != id);
}

/// Asks the tap whether it wants a stream.
fn take(tap: &Tap, target: &dyn Target, offer: Offer) -> Option<Open> {
    let Offer { id, about, from_start, passed, at_ns, time_us, reader } = offer;
    let view = StreamView {
        id,
        session: RStr::from_str(&about.session),
        owner: RStr::from_str(&about.owner),
        user: RStr::from_str(&about.user),
        template: RStr::from_str(&about.template),
        connection: RStr::from_str(&about.connection),
        from_start,
        to_viewer: passed[0],
        to_desktop: passed[1],
        at_ns,
        time_us,
    };
    match tap.call(|| target.open(tap.number, view)) {
        Ok(true) => {
            tap.figures().streams.fetch_add(1, Ordering::Relaxed);
            Some(Open { id, about, reader, expected: passed })
        }
        Ok(false) => None,
        Err(fault) => {
            target.failed(tap, &about.session, &fault);
            None
        }
    }
}

/// Hands over what waits of one stream, up to a batch.
fn look(tap: &Tap, target: &dyn Target, open: &mut Open, pieces: &mut Vec<Piece>) -> Next {
    // Before it is looked whether something waits: what was written before the end is read before it.
    let is_over = open.reader.end().is_some();
    open.reader.take(pieces, BATCH);
    if pieces.is_empty() {
        if !is_over {
            return Next::Idle;
        }
        let reason = open.reader.end().map_or("", |end| &end.reason);
        close(tap, target, open, ClosedKind::ENDED, reason);
        return Next::Over;
    }
    let mut bytes = 0;
    let chunks: SmallVec<[Chunk<'_>; BATCH]> = pieces
        .iter()
        .map(|piece| {
            let expected = &mut open.expected[usize::from(piece.direction != Direction::TO_VIEWER)];
            let gap_before = piece.offset.saturating_sub(*expected);
            *expected = piece.offset + piece.data.len() as u64;
            bytes += piece.data.len() as u64;
            Chunk {
                direction: piece.direction,
                masked: piece.is_masked,
                at_ns: piece.at_ns,
                offset: piece.offset,
                gap_before,
                data: RSlice::from_slice(&piece.data),
            }
        })
        .collect();
    let count = chunks.len() as u64;
    let answer = tap.call(|| target.deliver(tap.number, open.id, &chunks));
    drop(chunks);
    open.reader.done(pieces);
    match answer {
        Ok(wants_more) => {
            tap.figures().chunks.fetch_add(count, Ordering::Relaxed);
            tap.figures().bytes.fetch_add(bytes, Ordering::Relaxed);
            if wants_more {
                return Next::Worked;
            }
            close(tap, target, open, ClosedKind::LEFT, "the tap has enough");
        }
        Err(fault) => {
            let panicked = fault.kind == FaultKind::PANICKED;
            let kind = if panicked { ClosedKind::PANICKED } else { ClosedKind::FAILED };
            close(tap, target, open, kind, &fault.message);
            target.failed(tap, &open.about.session, &fault);
        }
    }
    Next::Over
}

/// Tells the tap that there is no more of a stream.
fn close(tap: &Tap, target: &dyn Target, open: &Open, kind: ClosedKind, reason: &str) {
    let end = open.reader.end();
    let lost = |side: usize| end.map_or(0, |end| end.offsets[side].saturating_sub(open.expected[side]));
    let view = ClosedView {
        kind,
        reason: RStr::from_str(reason),
        at_ns: end.map_or_else(now_ns, |end| end.at_ns),
        lost_to_viewer: lost(0),
        lost_to_desktop: lost(1),
    };
    tap.figures().streams.fetch_sub(1, Ordering::Relaxed);
    if tap.control().abandoned {
        return;
    }
    if let Err(fault) = tap.call(|| target.closed(tap.number, open.id, view)) {
        target.failed(tap, &open.about.session, &fault);
    }
}
