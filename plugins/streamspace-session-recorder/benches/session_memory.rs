//! What recording a session takes of memory: from a viewer's bytes to the encrypted file, all of it, of one session and of eight at a
//! time.
//!
//! ```sh
//! cargo bench -p streamspace-session-recorder --bench session_memory
//! ```
//!
//! Sessions have a thread each, as in the plugin, in a process of their own, which has nothing else: it reads what was said on
//! the connection from a file, piece by piece. What counts is the most that the process ever had resident, less what it has
//! without sessions. So the compressor's memory, stacks and what the allocator wastes are in it.

#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

#[path = "../../streamspace-rfb/tests/support/desktop.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "the suites use more of it")]
mod desktop;
mod support {
    #[allow(dead_code, clippy::allow_attributes, reason = "others use more of it")]
    pub(crate) mod said;
}

use std::{
    env,
    fs::{self, File},
    io::{BufReader, Read, Write},
    path::Path,
    process::Command,
    sync::Barrier,
    thread,
};

use desktop::{Random, desktop, picture};
use streamspace_rfb::{Area, Encoding, Framebuffer};
use streamspace_session_recorder::{
    capture::{self, Capture, Following, Tee},
    scene::{Moment, Side},
    store::{DataKey, Options, Subject, Writer},
};
use tempfile::TempDir;

use self::support::said::{PIECE, Said};

const WIDTH: u16 = 1920;
const HEIGHT: u16 = 1080;
/// The pixels of the capture and those that the store makes keyframes of.
const FRAMEBUFFERS: usize = 2 * WIDTH as usize * HEIGHT as usize * 4;
const SESSIONS: [usize; 2] = [1, 8];
const ENCODINGS: [(&str, Encoding); 4] = [
    ("Raw", Encoding::RAW),
    ("Hextile", Encoding::HEXTILE),
    ("ZRLE", Encoding::ZRLE),
    ("Tight", Encoding::TIGHT),
];
/// What a child process is told, before the file and the number of sessions.
const CHILD: &str = "sessions";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [CHILD, file, count] => record_all(Path::new(file), count.parse().expect("a number")),
        // `cargo test` runs benchmarks to see whether they work.
        _ if arguments.iter().any(|argument| argument == "--test" || argument == "--list") => {}
        _ => measure(),
    }
}

fn measure() {
    println!("MiB a session beside two framebuffers of 1920x1080, {:.1} MiB\n", mebibytes(FRAMEBUFFERS));
    println!("{:<12} {:>10} {:>10}", "", "1 session", "8 sessions");
    let home = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let screens = screens();
    for (name, encoding) in ENCODINGS {
        let file = home.path().join(name);
        keep(&file, &Said::new(encoding, updates(&screens)));
        let none = most(&file, 0);
        let [one, many] = SESSIONS.map(|count| {
            let each = (most(&file, count) - none) / count;
            mebibytes(each.saturating_sub(FRAMEBUFFERS))
        });
        println!("{name:<12} {one:>10.1} {many:>10.1}");
    }
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Two with windows of text, and two with a film in one of the windows.
fn screens() -> [Framebuffer; 4] {
    [0, 1, 2, 3].map(|seed| {
        let mut screen = desktop(WIDTH, HEIGHT, seed);
        if seed > 1 {
            picture(&mut screen, FILM, &mut Random::new(seed));
        }
        screen
    })
}

const FILM: Area = Area::new(320, 180, 1280, 720);

/// Lines of text as somebody types, for twelve seconds; a film, and whole screens.
fn updates(screens: &[Framebuffer; 4]) -> impl Iterator<Item = (&Framebuffer, Area)> + Clone {
    let all = screens[0].area();
    let line =
        |index: u16| (&screens[usize::from(index % 2)], Area::new(200, 100 + index % 70 * 12, 600, 12));
    let lines = (0..300).map(line);
    let film = (0..50).map(|index| (&screens[2 + index % 2], FILM));
    let wholes = (0..8).map(move |index| (&screens[index % 4], all));
    [(&screens[2], all)].into_iter().chain(lines).chain(film).chain(wholes)
}

/// Pieces with who sent them and how long they are.
fn keep(file: &Path, said: &Said) {
    let mut file = File::create(file).expect("a file");
    let updates = said.updates.iter().map(|bytes| (Side::Desktop, bytes));
    for (from, bytes) in said.handshake.iter().map(|(from, bytes)| (*from, bytes)).chain(updates) {
        file.write_all(&[u8::from(from == Side::Viewer)]).expect("room");
        file.write_all(&(bytes.len() as u32).to_le_bytes()).expect("room");
        file.write_all(bytes).expect("room");
    }
}

/// The most bytes that a process with so many sessions has resident.
fn most(file: &Path, sessions: usize) -> usize {
    let program = env::current_exe().expect("a program");
    let child = Command::new(program).arg(CHILD).arg(file).arg(sessions.to_string()).output();
    let said = child.expect("it runs").stdout;
    String::from_utf8_lossy(&said).trim().parse().expect("it says how much")
}

/// Records what is in the file as so many sessions at a time, and says how much memory that took.
fn record_all(file: &Path, sessions: usize) {
    let home = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    // None is over before all are.
    let over = Barrier::new(sessions);
    thread::scope(|scope| {
        for session in 0..sessions {
            let (folder, over) = (home.path().join(session.to_string()), &over);
            scope.spawn(move || record(file, &folder, over));
        }
    });
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells of processes");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the most resident");
    let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    println!("{}", kibibytes << 10);
}

fn record(file: &Path, folder: &Path, over: &Barrier) {
    let subject = Subject { recording: "r".into(), session: "s".into(), started_at: 0 };
    let key = DataKey::from_bytes([4; 32]);
    let writer = Writer::create(folder, &subject, Some(&key), Options::default()).expect("it begins");
    let options = capture::Options { frames_per_second: 30, ..capture::Options::default() };
    let (mut tee, mut capture) = (Tee::new(&options), Capture::new(writer, options));
    let mut said = BufReader::new(File::open(file).expect("a file"));
    let (mut at, mut piece) = (Moment(0), vec![0; PIECE]);
    let mut head = [0; 5];
    while said.read_exact(&mut head).is_ok() {
        let [from, length @ ..] = head;
        let from = if from == 0 { Side::Desktop } else { Side::Viewer };
        let mut left = u32::from_le_bytes(length) as usize;
        at.0 += 40_000;
        while left > 0 {
            let piece = &mut piece[..left.min(PIECE)];
            said.read_exact(piece).expect("as much as it says");
            let following = tee.take(at, from, 0, piece, &mut capture).expect("it is kept");
            assert_eq!(following, Following::Yes);
            left -= piece.len();
        }
    }
    over.wait();
    capture.into_sink().finish(at).expect("it is finished");
}
