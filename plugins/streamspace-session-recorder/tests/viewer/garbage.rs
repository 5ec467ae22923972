//! Bytes that are no desktop's.

use std::{io, time::Duration};

use proptest::prelude::*;
use streamspace_rfb::{Encoding, Limits};
use streamspace_session_recorder::{
    capture::{Capture, Connection, Control, Ended, Options, Received, SharedViewer},
    scene::{Moment, Side},
};

use crate::{
    often, patient,
    support::{
        conversation::Conversation,
        reel::{Kept, Reel},
    },
};

/// A connection that gives bytes, and takes all.
struct Played<'a>(std::slice::Chunks<'a, u8>);

impl Connection for Played<'_> {
    fn receive(&mut self, into: &mut [u8], _: Duration) -> io::Result<Received> {
        let Some(piece) = self.0.next() else { return Ok(Received::End) };
        into[..piece.len()].copy_from_slice(piece);
        Ok(Received::Bytes(piece.len()))
    }

    fn send(&mut self, _: &[u8], _: Duration) -> io::Result<()> {
        Ok(())
    }
}

fn play(bytes: &[u8], piece: usize) -> (Ended, Reel) {
    let limits = Limits { pixels: 1 << 16, ..Options::LIMITS };
    let options = Options { limits, most_buffered: 1 << 18, ..often() };
    let mut viewer = SharedViewer::new(Played(bytes.chunks(piece)), patient(), &options, Some(b"secret"));
    let mut capture = Capture::new(Reel::default(), options);
    let ended = viewer.run(&mut capture, || Moment(0), &Control::default()).expect("a reel takes all");
    assert!(viewer.memory() < 1 << 20, "{} bytes", viewer.memory());
    (ended, capture.into_sink())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn garbage_ends_it_with_a_reason(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        begun in any::<bool>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        piece in 1_usize..400,
    ) {
        let mut said = Conversation::begun(32, 24);
        said.fill(said.screen.area(), 7, Encoding::RAW);
        let of_desktop = said.pieces.iter().filter(|(side, _)| begun && *side == Side::Desktop);
        let mut sent: Vec<u8> = of_desktop.flat_map(|(_, bytes)| bytes.clone()).chain(bytes).collect();
        for (index, value) in changes {
            if !sent.is_empty() {
                let index = index.index(sent.len());
                sent[index] = value;
            }
        }
        let (ended, reel) = play(&sent, piece);
        prop_assert!(!matches!(ended, Ended::Stopped));
        let last = reel.scenes.last().map(|(_, scene)| scene.clone());
        prop_assert_eq!(last, Some(Kept::Gap(ended.to_string())));
        // What was kept can be shown.
        reel.screen();
    }
}
