//! A process that records and is killed leaves what it had synced.
#![cfg(unix)]

mod support;

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use streamspace_session_recorder::{
    scene::{Moment, Sink, Source},
    store::{DataKey, Limits, Options, Reader, Writer, end_interrupted, verify},
};
use support::{Owned, Random, Screen, subject};

const FOLDER: &str = "RECORDING_OF_THE_CHILD";

fn key() -> DataKey {
    DataKey::from_bytes([5; 32])
}

fn options() -> Options {
    Options { sync_after: Duration::from_millis(300), max_file_bytes: 256 << 10, ..support::small() }
}

/// The scenes of the child: the same each time, without end.
fn run() -> impl Iterator<Item = (Moment, Owned)> {
    let mut random = Random(0);
    (0..).map(move |i| {
        let at = Moment(i * 5_000);
        let scene = match i {
            0 => Owned::Picture(160, 100, random.pixels(160 * 100)),
            _ => {
                let (x, y) = (random.below(140) as u16, random.below(80) as u16);
                Owned::Patch(streamspace_rfb::Area::new(x, y, 20, 20), random.pixels(400))
            }
        };
        (at, scene)
    })
}

/// Not a test: the process that records, and says up to when it has synced.
#[test]
fn child() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let mut writer = Writer::create(folder, &subject(), Some(&key()), options()).expect("it begins");
    let mut said = writer.synced();
    for (at, scene) in run() {
        writer.put(at, &scene.scene()).expect("it is kept");
        if writer.synced() > said {
            said = writer.synced();
            // Around the harness, which would keep it back.
            let line = format!("synced {}\n", said.0);
            std::io::stdout().lock().write_all(line.as_bytes()).expect("somebody reads");
        }
    }
}

#[test]
fn what_was_synced_survives_a_kill() {
    let home = tempfile::tempdir().expect("a folder");
    for (round, lines) in [3, 1, 12, 5].into_iter().enumerate() {
        let folder = home.path().join(round.to_string());
        let mut child = Command::new(env::current_exe().expect("this test"))
            .args(["--exact", "child", "--nocapture"])
            .env(FOLDER, &folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let (mut synced, mut seen, mut line) = (0, 0, String::new());
        while seen < lines {
            assert!(Instant::now() < deadline, "round {round}: the child says nothing");
            line.clear();
            assert!(out.read_line(&mut line).expect("it is read") > 0, "round {round}: the child ended");
            if let Some(said) = line.strip_prefix("synced ") {
                synced = said.trim().parse().expect("a number");
                seen += 1;
            }
        }
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
        // What it said in the meantime counts as well.
        for line in out.lines().map_while(Result::ok) {
            if let Some(said) = line.strip_prefix("synced ") {
                synced = said.parse().unwrap_or(synced);
            }
        }

        let verified = verify(&folder, Some(&key()), &Limits::default()).expect("it is read");
        if let Some(fault) = &verified.fault {
            // A write that was cut off by the kill; nothing else.
            assert_eq!(fault.wrong.name(), "truncated", "round {round}: {fault}");
        }
        assert!(verified.length >= Moment(synced), "round {round}: {verified:?}");
        let mut reader = Reader::open(&folder, Some(&key()), Limits::default()).expect("it opens");
        assert!(reader.length() >= Moment(synced) && !reader.is_finished());
        played(&mut reader, synced);

        let finished = end_interrupted(&folder, Some(&key())).expect("it is ended");
        assert_eq!(end_interrupted(&folder, Some(&key())).expect("it is ended already"), finished);
        let verified = verify(&folder, Some(&key()), &Limits::default()).expect("it is read");
        assert!(verified.is_whole(), "{verified:?}");
        assert_eq!((verified.hash, verified.bytes), (finished.hash, finished.bytes));
        let mut reader = Reader::open(&folder, Some(&key()), Limits::default()).expect("it opens");
        assert!(reader.is_finished());
        played(&mut reader, synced);
        // Each place in it can be sought.
        let to = Moment(synced / 2);
        reader.seek(to).expect("it is sought");
        let mut shown = Screen::default();
        while let Some((at, scene)) = reader.next().expect("it is read") {
            if at > to {
                break;
            }
            shown.show(&Owned::of(&scene));
        }
        let mut expected = Screen::default();
        run().take_while(|(at, _)| *at <= to).for_each(|(_, scene)| expected.show(&scene));
        assert!(shown == expected, "at {to:?}");
        assert!(lines < 12 || finished.segments > 1, "round {round}: {finished:?}");
    }
}

/// Everything up to the last sync is there as it was put, and behind it nothing else.
fn played(reader: &mut Reader, synced: u64) {
    let (mut expected, mut last) = (run(), 0);
    while let Some((at, scene)) = reader.next().expect("it is read") {
        assert_eq!(Some((at, Owned::of(&scene))), expected.next());
        last = at.0;
    }
    assert!(last >= synced, "{last} of {synced}");
}
