//! Viewers that are other people's, over TCP.

use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use streamspace_rfb::Limits;
use streamspace_session_recorder::replay::{Controls, Options, Player, Received, Socket, Why, serve};

use crate::recording::at_work;

/// TCP as a socket of a replay.
struct Bridge(TcpStream);

impl Socket for Bridge {
    type Error = std::io::Error;

    fn receive(&mut self, wait: Duration, into: &mut Vec<u8>) -> Result<Received, std::io::Error> {
        self.0.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        let mut piece = [0; 4_096];
        match self.0.read(&mut piece) {
            Ok(0) => Ok(Received::Closed),
            Ok(length) => {
                into.extend_from_slice(&piece[..length]);
                Ok(Received::Bytes)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(Received::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), std::io::Error> {
        self.0.write_all(bytes)
    }
}

/// What the script ends with where vncdotool is not there and cannot be had.
const MISSING: i32 = 77;

/// The viewer, if there is one.
fn vncdo() -> Option<Command> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/vncdo");
    let installed = Command::new(script).status().expect("scripts/vncdo runs");
    if installed.code() == Some(MISSING) {
        let missing = "this test needs vncdotool: sudo apt-get install python3-venv, and access to PyPI";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        #[expect(clippy::print_stderr, reason = "a test that shows nothing says so")]
        {
            eprintln!("Skipped: {missing}");
        }
        return None;
    }
    assert!(installed.success(), "scripts/vncdo: {installed}");
    Some(Command::new(script))
}

/// Asks vncdotool, a viewer in Python, for a picture of the replay's end, to which it goes by a key.
#[test]
fn vncdotool_sees_the_last_picture() {
    let Some(mut vncdo) = vncdo() else { return };
    // Of one size: it goes on asking for what the first size has.
    let (recording, last) = at_work(5, None, 1);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("127.0.0.1::{}", listener.local_addr().expect("bound").port());
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a viewer");
        stream.set_write_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        let mut player = Player::new(recording, Limits::default()).expect("it begins");
        let began = Instant::now();
        serve(&mut player, &mut Bridge(stream), &Controls::new(), &Options::default(), || began.elapsed())
    });
    let file = std::env::temp_dir().join(format!("streamspace-replay-{}.png", std::process::id()));
    let path = file.to_str().expect("UTF-8");
    let arguments = ["-t", "60", "-s", &address, "key", "end", "pause", "1", "capture", path];
    let status = vncdo.args(arguments).status().expect("it ran before");
    assert!(status.success());
    let served = thread.join().expect("no panic").expect("it was served");
    assert_eq!(served.why, Why::Closed);

    let mut reader =
        png::Decoder::new(BufReader::new(File::open(&file).expect("a picture"))).read_info().expect("PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("small")];
    let info = reader.next_frame(&mut pixels).expect("it is whole");
    std::fs::remove_file(&file).expect("it was there");
    assert_eq!((info.width, info.height), (last.width().into(), last.height().into()));
    let expected: Vec<[u8; 3]> =
        last.pixels().iter().map(|[red, green, blue, _]| [*red, *green, *blue]).collect();
    assert!(pixels == expected.as_flattened());
}
