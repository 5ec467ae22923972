use std::time::Instant;

use streamspace_plugin::{
    abi::Fault,
    streams::{Chunk, ClosedView, StreamView},
};

use super::*;
use crate::streams::{TapOptions, Target};

struct Nobody;

impl Target for Nobody {
    fn open(&self, _: u32, _: StreamView<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn deliver(&self, _: u32, _: u64, _: &[Chunk<'_>]) -> Result<bool, Fault> {
        Ok(false)
    }

    fn closed(&self, _: u32, _: u64, _: ClosedView<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn failed(&self, _: &Tap, _: &str, _: &Fault) {}
}

fn tap(overflow: Overflow) -> Arc<Tap> {
    let options = TapOptions {
        name: "t".to_owned(),
        overflow,
        ring_bytes: 64 * 1024,
        description: String::new(),
        deadline: Duration::from_secs(1),
    };
    Tap::start(&"p".into(), 0, options, Arc::new(Nobody)).expect("a thread")
}

fn gone(tap: &Tap) {
    tap.detach();
    assert!(tap.drain(Instant::now() + Duration::from_secs(60)), "the thread ends");
}

fn piece(offset: u64, length: usize) -> Piece {
    Piece {
        data: vec![7; length].into(),
        direction: Direction::TO_VIEWER,
        is_masked: false,
        at_ns: 0,
        offset,
    }
}

#[test]
fn a_ring_is_bounded_by_bytes_and_by_pieces() {
    let tap = tap(Overflow::GAP);
    for (length, fit) in [(16 * 1024, 4), (1, 64), (1000, 64)] {
        let (writer, mut reader) = ring(&tap, 64 * 1024);
        let taken = (0..200).take_while(|n| writer.offer(&piece(*n, length)) == Offered::Taken).count();
        assert_eq!(taken, fit, "pieces of {length} bytes");
        let mut pieces = Vec::new();
        reader.take(&mut pieces, fit / 2);
        assert_eq!(writer.offer(&piece(0, length)), Offered::Lost, "what the tap has in its hands counts");
        let mut one = vec![pieces.pop().expect("it took some")];
        reader.done(&mut one);
        assert_eq!(
            writer.offer(&piece(0, length)),
            Offered::Lost,
            "a gap is one until there is room for more"
        );
        reader.done(&mut pieces);
        assert_eq!(writer.offer(&piece(0, length)), Offered::Taken);
    }
    gone(&tap);
}

#[test]
fn a_piece_larger_than_the_ring_fits_an_empty_one() {
    let tap = tap(Overflow::GAP);
    let (writer, mut reader) = ring(&tap, 64 * 1024);
    assert_eq!(writer.offer(&piece(0, 1024 * 1024)), Offered::Taken);
    assert_eq!(writer.offer(&piece(0, 1)), Offered::Lost);
    let mut pieces = Vec::new();
    reader.take(&mut pieces, 32);
    assert_eq!(pieces.len(), 1);
    reader.done(&mut pieces);
    assert_eq!(writer.offer(&piece(0, 1)), Offered::Taken);
    let figures = tap.figures();
    assert_eq!((figures.lost_bytes.load(Ordering::Relaxed), figures.gaps.load(Ordering::Relaxed)), (1, 1));
    gone(&tap);
}

#[test]
fn nothing_is_copied() {
    let tap = tap(Overflow::GAP);
    let (writer, mut reader) = ring(&tap, 64 * 1024);
    let sent = piece(0, 1000);
    assert_eq!(writer.offer(&sent), Offered::Taken);
    let mut pieces = Vec::new();
    reader.take(&mut pieces, 32);
    assert_eq!(pieces[0].data.as_ptr(), sent.data.as_ptr());
    gone(&tap);
}

#[tokio::test]
async fn who_blocks_is_waited_for_and_not_for_ever() {
    let tap = tap(Overflow::BLOCK);
    let (writer, mut reader) = ring(&tap, 64 * 1024);
    let large = piece(0, 64 * 1024);
    assert_eq!(writer.offer(&large), Offered::Taken);
    assert_eq!(writer.offer(&large), Offered::Wait);
    // Room comes while it waits.
    let mut pieces = Vec::new();
    tokio::join!(writer.wait(&large), async {
        tokio::task::yield_now().await;
        reader.take(&mut pieces, 32);
        reader.done(&mut pieces);
    });
    let figures = tap.figures();
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    assert_eq!((count(&figures.lost_bytes), count(&figures.lapses)), (0, 0));
    // None comes: what is left is lost, and the next is not waited for.
    writer.wait(&large).await;
    assert_eq!((count(&figures.lost_bytes), count(&figures.lapses), count(&figures.lapsed)), (65536, 1, 1));
    assert_eq!(writer.offer(&large), Offered::Lost);
    // It has caught up.
    reader.take(&mut pieces, 32);
    reader.done(&mut pieces);
    assert_eq!(writer.offer(&piece(0, 1000)), Offered::Taken);
    assert_eq!((count(&figures.gaps), count(&figures.lapsed)), (1, 0));
    assert_eq!(writer.offer(&large), Offered::Wait);
    // Who waits for a tap that goes is let go.
    tokio::join!(writer.wait(&large), async {
        tokio::task::yield_now().await;
        drop(reader);
    });
    assert_eq!(writer.offer(&large), Offered::Gone);
    gone(&tap);
}
