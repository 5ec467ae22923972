//! Replays over a connection, on a thread of their own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use streamspace_rfb::{Area, Encoding, Limits, PixelFormat, message::Version};
use streamspace_session_recorder::{
    replay::{
        Controls, Options, Player, Received, Seek, ServeError, Served, Socket, Span, Speed, Status,
        ViewerError, Why, serve,
    },
    scene::Moment,
};

use crate::{
    desktop::desktop,
    recording::{Kept, Maker, Recording, SECOND, at_work, cursor, slowly},
    watcher::Watcher,
};

const DEADLINE: Duration = Duration::from_secs(60);

/// A connection in memory that holds a few messages.
struct Line {
    in_: Receiver<Vec<u8>>,
    out: SyncSender<Vec<u8>>,
}

#[derive(Debug, thiserror::Error)]
#[error("nobody is there")]
struct Gone;

impl Socket for Line {
    type Error = Gone;

    fn receive(&mut self, wait: Duration, into: &mut Vec<u8>) -> Result<Received, Gone> {
        match self.in_.recv_timeout(wait) {
            Ok(bytes) => {
                into.extend(bytes);
                Ok(Received::Bytes)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Received::Nothing),
            Err(RecvTimeoutError::Disconnected) => Ok(Received::Closed),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.out.send(bytes.to_vec()).map_err(|_| Gone)
    }
}

type Outcome = Result<Served, ServeError<std::convert::Infallible, Gone>>;

/// A replay on a thread, and its viewer.
struct Replay {
    controls: Controls,
    watcher: Watcher,
    to: Option<std::sync::mpsc::Sender<Vec<u8>>>,
    from: Receiver<Vec<u8>>,
    clock: Arc<AtomicU64>,
    thread: JoinHandle<Outcome>,
    longest: usize,
}

impl Replay {
    /// By a clock that stands until it is told to go on.
    fn new(recording: &Recording, options: Options) -> Self {
        let clock = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&clock);
        Self::by(recording, options, clock, move || Duration::from_micros(told.load(Ordering::SeqCst)))
    }

    fn by(
        recording: &Recording,
        options: Options,
        clock: Arc<AtomicU64>,
        now: impl Fn() -> Duration + Send + 'static,
    ) -> Self {
        let (to, in_) = channel();
        let (out, from) = sync_channel(4);
        let controls = Controls::new();
        let (recording, steered) = (recording.clone(), controls.clone());
        let thread = std::thread::spawn(move || {
            let mut player = Player::new(recording, Limits::default()).expect("it begins");
            serve(&mut player, &mut Line { in_, out }, &steered, &options, now)
        });
        let watcher = Watcher::new(Version::V3_8);
        Self { controls, watcher, to: Some(to), from, clock, thread, longest: 0 }
    }

    fn go_on(&self, seconds: f64) {
        self.clock.fetch_add((seconds * 1e6) as u64, Ordering::SeqCst);
    }

    /// Passes what there is. Whether anything was.
    fn pass(&mut self) -> bool {
        let mut any = false;
        while let Ok(bytes) = self.from.try_recv() {
            any = true;
            self.longest = self.longest.max(bytes.len());
            self.watcher.hear(&bytes);
        }
        if !self.watcher.out.is_empty() {
            any = true;
            let said: Vec<u8> = self.watcher.out.drain(..).collect();
            // It may have gone.
            let _ = self.to.as_ref().map(|to| to.send(said));
        }
        any
    }

    /// Until something is so, seen by the viewer or said by the replay.
    fn until(&mut self, what: &str, wanted: impl Fn(&Status, &Watcher) -> bool) -> Status {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let any = self.pass();
            let status = self.controls.status();
            if wanted(&status, &self.watcher) {
                return status;
            }
            assert!(Instant::now() < deadline, "{what}: {status:?}");
            if !any {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn begin(&mut self, encodings: &[Encoding]) {
        self.until("the handshake", |_, watcher| watcher.is_ready());
        self.watcher.want(PixelFormat::RGBX, encodings);
        self.watcher.ask(false);
        self.until("an update", |_, watcher| watcher.updates > 0);
    }

    fn until_it_shows(&mut self, recording: &Recording, moment: u64) {
        let screen = slowly(recording, moment).0;
        let wanted = |status: &Status, watcher: &Watcher| {
            status.position == Moment(moment) && watcher.screen.pixels() == screen.pixels()
        };
        self.until(&format!("the picture at {moment} µs"), wanted);
    }

    fn close(mut self) -> Outcome {
        self.to = None;
        drop(self.from);
        self.thread.join().expect("no panic")
    }
}

#[test]
fn a_recording_is_replayed_to_its_end() {
    let (recording, last) = at_work(4, Some(2), 1);
    let began = Instant::now();
    let now = move || began.elapsed();
    let mut replay = Replay::by(&recording, Options::default(), Arc::default(), now);
    replay.controls.set_speed(Speed::FASTEST);
    replay.begin(&[Encoding::TIGHT, Encoding::EXTENDED_DESKTOP_SIZE]);
    let status =
        replay.until("the end", |status, watcher| status.at_end && watcher.screen.pixels() == last.pixels());
    assert_eq!((status.speed, status.playing, status.size), (16.0, false, (173, 160)));
    let all = Span { from: Moment(0), to: Moment(recording.length) };
    assert_eq!(status.watched, [all]);
    assert!(replay.longest <= 64 << 10);
    // It stays, and can be played again.
    replay.controls.seek(Seek::To(Moment(SECOND)));
    replay.until_it_shows(&recording, SECOND);
    let controls = replay.controls.clone();
    let served = replay.close().expect("it was served");
    assert_eq!((served.why, served.watched.as_slice()), (Why::Closed, &[all][..]));
    assert!(controls.status().over && controls.status().sent == served.sent);
}

#[test]
fn it_is_steered_from_elsewhere() {
    let (recording, _) = at_work(30, None, 2);
    let mut replay = Replay::new(&recording, Options { from: Moment(3 * SECOND), ..Options::default() });
    replay.begin(&[Encoding::ZRLE]);
    replay.until_it_shows(&recording, 3 * SECOND);
    replay.go_on(1.0);
    replay.until_it_shows(&recording, 4 * SECOND);
    replay.controls.pause();
    replay.until("a pause", |status, _| !status.playing);
    replay.go_on(5.0);
    replay.controls.seek(Seek::By(-2_000_000));
    replay.until_it_shows(&recording, 2 * SECOND);
    replay.controls.set_speed(Speed::new(4.0));
    replay.controls.skip_idle(Some(Duration::from_secs(7)));
    replay.controls.play();
    replay.until("it plays", |status, _| status.playing && status.speed == 4.0);
    replay.go_on(1.5);
    let idle = Some(Duration::from_secs(7));
    let status = replay.until("six seconds later", |status, _| status.position == Moment(8 * SECOND));
    assert_eq!((status.skip_idle, status.has_viewer, status.over), (idle, true, false));
    let span = |from, to| Span { from: Moment(from), to: Moment(to) };
    assert_eq!(
        status.watched,
        [span(2 * SECOND, 8 * SECOND)],
        "it went back to what is before what it had seen"
    );
    replay.controls.end();
    let served = replay.thread.join().expect("no panic").expect("it was served");
    assert_eq!(served.why, Why::Ended);
}

#[test]
fn keys_of_the_viewer_steer() {
    let (recording, _) = at_work(30, None, 3);
    let mut replay = Replay::new(&recording, Options::default());
    replay.begin(&[Encoding::HEXTILE]);
    replay.watcher.press(0x20);
    replay.until("a pause", |status, _| !status.playing);
    for (key, moment) in [
        (0xFF53, 10 * SECOND),
        (0xFF53, 20 * SECOND),
        (0xFF51, 10 * SECOND),
        (0xFF57, recording.length),
        (0xFF51, recording.length - 10 * SECOND),
        (0xFF50, 0),
        (0xFF51, 0),
    ] {
        replay.watcher.press(key);
        replay.until_it_shows(&recording, moment);
    }
    for (key, speed) in [(0xFF52, 2.0), (0xFF52, 4.0), (0xFF54, 2.0), (0xFF54, 1.0), (0xFF54, 0.5)] {
        replay.watcher.press(key);
        replay.until("another speed", |status, _| status.speed == speed);
    }
    replay.watcher.press(0x20);
    replay.until("it plays", |status, _| status.playing);
    replay.close().expect("it was served");

    let mut replay = Replay::new(&recording, Options { keys: false, ..Options::default() });
    replay.begin(&[Encoding::HEXTILE]);
    replay.watcher.press(0x20);
    replay.watcher.press(0xFF53);
    replay.watcher.ask(false);
    let updates = replay.watcher.updates;
    let status = replay.until("an update", |_, watcher| watcher.updates > updates);
    assert!(status.playing && status.position == Moment(0));
    replay.close().expect("it was served");
}

#[test]
fn a_viewer_that_does_not_ask_is_waited_for() {
    let (recording, _) = at_work(120, None, 4);
    let mut replay = Replay::new(&recording, Options::default());
    replay.watcher.asks = false;
    replay.begin(&[Encoding::RAW]);
    let screen = u64::from(211 * 131 * 4_u32);
    let sent = replay.until("it plays", |status, _| status.playing && status.sent > screen).sent;
    for _ in 0..100 {
        let position = replay.controls.status().position;
        replay.go_on(1.0);
        replay.until("it goes on or waits", |status, _| {
            status.position > position || status.position > Moment(2 * SECOND)
        });
    }
    let status = replay.controls.status();
    assert!(status.position < Moment(6 * SECOND), "{:?}", status.position);
    assert_eq!(status.sent, sent);
    assert!(status.watched.iter().map(Span::micros).sum::<u64>() < 6 * SECOND);
    // It is shown all that it has missed, and goes on.
    replay.watcher.asks = true;
    replay.watcher.ask(true);
    let screen = slowly(&recording, status.position.0).0;
    replay.until("what it missed", |_, watcher| watcher.screen.pixels() == screen.pixels());
    replay.go_on(1.0);
    replay.until("it goes on", |now, _| now.position > status.position);
    replay.close().expect("it was served");
}

#[test]
fn whoever_says_nothing_is_not_waited_for() {
    let recording = Maker::new(desktop(20, 20, 1)).recording;
    let replay = Replay::new(&recording, Options::default());
    replay.from.recv_timeout(DEADLINE).expect("a greeting");
    replay.go_on(11.0);
    assert_eq!(replay.thread.join().expect("no panic").expect("over").why, Why::Handshake);

    // Played for longer than that, and then it stands still.
    let mut long = recording.clone();
    long.length = 9_000 * SECOND;
    let mut replay = Replay::new(&long, Options::default());
    replay.begin(&[]);
    for second in [2_000, 4_000] {
        replay.go_on(2_000.0);
        replay.until("it plays", |status, _| status.position == Moment(second * SECOND));
    }
    replay.controls.pause();
    replay.until("it stands", |status, _| !status.playing);
    replay.go_on(3_599.0);
    replay.controls.set_speed(Speed::new(2.0));
    replay.until("it is heard", |status, _| status.speed == 2.0);
    replay.go_on(3_601.0);
    assert_eq!(replay.thread.join().expect("no panic").expect("over").why, Why::Silence);
}

#[test]
fn garbage_ends_the_replay_and_says_so() {
    let recording = Maker::new(desktop(20, 20, 1)).recording;
    let mut replay = Replay::new(&recording, Options::default());
    replay.begin(&[]);
    replay.watcher.out.extend([99; 10]);
    replay.pass();
    let outcome = replay.thread.join().expect("no panic");
    assert!(matches!(&outcome, Err(ServeError::Viewer(ViewerError::Garbage(_)))), "{outcome:?}");
    assert!(replay.controls.status().over);
}

#[test]
fn a_viewer_that_has_gone_ends_the_replay() {
    let (recording, _) = at_work(5, None, 5);
    let mut replay = Replay::new(&recording, Options::default());
    replay.begin(&[Encoding::RAW]);
    drop(replay.from);
    replay.watcher.ask(false);
    let said: Vec<u8> = replay.watcher.out.drain(..).collect();
    replay.to.as_ref().expect("open").send(said).expect("it listens");
    let outcome = replay.thread.join().expect("no panic");
    assert!(matches!(outcome, Err(ServeError::Socket(Gone))), "{outcome:?}");
}

#[test]
fn the_pointer_is_drawn_where_it_was() {
    let mut maker = Maker::new(desktop(60, 40, 1));
    let shape = cursor(3);
    maker.cursor(0, Some(shape.clone()));
    maker.put(SECOND, Kept::Pointer(30, 20));
    maker.put(2 * SECOND, Kept::Pointer(10, 8));
    let recording = maker.recording;
    let plain = slowly(&recording, 0).0;
    let mut replay = Replay::new(&recording, Options { pointer: true, plays: false, ..Options::default() });
    replay.begin(&[Encoding::ZRLE, Encoding::CURSOR]);
    for (moment, (x, y)) in [(SECOND, (30, 20)), (2 * SECOND, (10, 8)), (SECOND, (30, 20))] {
        replay.controls.seek(Seek::To(Moment(moment)));
        let mut expected = plain.clone();
        let pixels = shape.pixels.iter().enumerate().filter(|(_, pixel)| pixel[3] > 0);
        for (i, pixel) in pixels.map(|(i, pixel)| (i as u16, *pixel)) {
            let dot = Area::new(x - shape.x + i % shape.width, y - shape.y + i / shape.width, 1, 1);
            expected.fill(dot, pixel).expect("inside");
        }
        replay.until("the pointer", |_, watcher| watcher.screen.pixels() == expected.pixels());
    }
    assert_eq!(replay.watcher.cursor, None);
    replay.close().expect("it was served");
}

/// A connection on which a minute passes with each message.
struct Slow(Line, Arc<AtomicU64>);

impl Socket for Slow {
    type Error = Gone;

    fn receive(&mut self, wait: Duration, into: &mut Vec<u8>) -> Result<Received, Gone> {
        self.0.receive(wait, into)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.1.fetch_add(60 * SECOND, Ordering::SeqCst);
        self.0.send(bytes)
    }
}

#[test]
fn time_that_a_slow_connection_takes_is_not_played() {
    let (recording, last) = at_work(6, None, 6);
    let length = recording.length;
    let (clock, controls) = (Arc::new(AtomicU64::new(0)), Controls::new());
    let (to, in_) = channel();
    let (out, from) = sync_channel(1);
    let (told, steered) = (Arc::clone(&clock), controls.clone());
    let slow = Arc::clone(&clock);
    let thread = std::thread::spawn(move || {
        let mut player = Player::new(recording, Limits::default()).expect("it begins");
        let options = Options { handshake: Duration::from_secs(3_600), ..Options::default() };
        serve(&mut player, &mut Slow(Line { in_, out }, slow), &steered, &options, || {
            Duration::from_micros(told.load(Ordering::SeqCst))
        })
    });
    let watcher = Watcher::new(Version::V3_8);
    let mut replay = Replay { controls, watcher, to: Some(to), from, clock, thread, longest: 0 };
    replay.begin(&[Encoding::RAW]);
    let (deadline, mut passed) = (Instant::now() + DEADLINE, 0);
    while !replay.controls.status().at_end {
        assert!(Instant::now() < deadline, "{:?}", replay.controls.status());
        replay.go_on(0.1);
        passed += SECOND / 10;
        replay.pass();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(passed >= length, "{passed} µs passed besides, and {length} µs were played");
    replay.until("the last picture", |_, watcher| watcher.screen.pixels() == last.pixels());
    replay.close().expect("it was served");
}
