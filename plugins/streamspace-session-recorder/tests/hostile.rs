//! Desktops whose bytes are much to take: whoever stops a recording does not wait until all of them are.

mod support;

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use streamspace_rfb::message::{CutText, ServerMessage};
use streamspace_session_recorder::{
    capture::{
        Capture, Clipboard, Connection, Control, Ended, Following, Options, Received, Settings, SharedViewer,
        Tee,
    },
    scene::{Moment, Scene, Side, Sink},
};

use self::support::conversation::Conversation;

/// Somebody stops the recording when the first text is kept, in the middle of a piece that has many.
struct Stopping {
    control: Arc<Control>,
    texts: usize,
}

impl Sink for Stopping {
    type Error = Infallible;

    fn put(&mut self, _: Moment, scene: &Scene<'_>) -> Result<(), Infallible> {
        if matches!(scene, Scene::Clipboard { .. }) {
            self.texts += 1;
            self.control.stop();
        }
        Ok(())
    }
}

fn options() -> Options {
    Options { clipboard: Clipboard::Text, ..Options::default() }
}

fn conversation() -> (Conversation, Vec<u8>) {
    let text = ServerMessage::CutText(CutText::Plain(b"a text")).to_bytes();
    (Conversation::begun(32, 24), text.repeat(100))
}

fn capture() -> (Arc<Control>, Capture<Stopping>) {
    let control = Arc::new(Control::default());
    let sink = Stopping { control: Arc::clone(&control), texts: 0 };
    (control, Capture::new(sink, options()))
}

/// A connection that gives all bytes at once.
struct AtOnce(Option<Vec<u8>>);

impl Connection for AtOnce {
    fn receive(&mut self, into: &mut [u8], _: Duration) -> io::Result<Received> {
        let Some(bytes) = self.0.take() else { return Ok(Received::End) };
        into[..bytes.len()].copy_from_slice(&bytes);
        Ok(Received::Bytes(bytes.len()))
    }

    fn send(&mut self, _: &[u8], _: Duration) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_viewer_stops_in_the_middle_of_what_it_received() {
    let (said, texts) = conversation();
    let of_desktop = said.pieces.into_iter().filter(|(side, _)| *side == Side::Desktop);
    let bytes = of_desktop.flat_map(|(_, bytes)| bytes).chain(texts).collect();
    let (control, mut capture) = capture();
    let mut viewer = SharedViewer::new(AtOnce(Some(bytes)), Settings::default(), &options(), None);
    let ended = viewer.run(&mut capture, || Moment(0), &control).expect("all is taken");
    assert!(matches!(ended, Ended::Stopped), "{ended}");
    assert_eq!(capture.sink().texts, 1);
}

#[test]
fn what_is_followed_is_left_when_its_time_is_over() {
    let (said, texts) = conversation();
    let taken = |grace| {
        let (control, mut capture) = capture();
        let mut tee = Tee::new(&options()).under(control, grace);
        for (from, bytes) in
            said.pieces.iter().map(|(from, bytes)| (*from, bytes)).chain([(Side::Desktop, &texts)])
        {
            let following = tee.take(Moment(0), from, 0, bytes, &mut capture).expect("all is taken");
            assert_eq!(following, Following::Yes, "{:?}", tee.ended());
        }
        capture.sink().texts
    };
    assert_eq!(taken(Duration::ZERO), 1);
    assert_eq!(taken(Duration::from_secs(3600)), 100, "there is time for all of it");
}
