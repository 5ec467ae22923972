//! A process that records and is killed leaves what it had synced.
#![cfg(unix)]

mod support;

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use streamspace_session_recorder::{
    scene::{Moment, Scene, Sink, Source},
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

/// The scenes of one run of the child, which begins after so much of the recording: the same each time, without end.
fn run(begins: u64) -> impl Iterator<Item = (Moment, Owned)> {
    let mut random = Random(begins);
    (0..).map(move |i| {
        let at = Moment(begins + i * 5_000);
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
    let opened = match folder.exists() {
        true => Writer::open_for_append(folder, Some(&key()), options()).map(|(writer, _)| writer),
        false => Writer::create(folder, &subject(), Some(&key()), options()),
    };
    let mut writer = opened.expect("it is opened");
    let mut said = writer.synced();
    let begins = writer.length().0;
    for (at, scene) in run(begins) {
        writer.put(at, &scene.scene()).expect("it is kept");
        if writer.synced() > said {
            said = writer.synced();
            // Around the harness, which would keep it back.
            let line = format!("synced {} {}\n", begins, said.0);
            std::io::stdout().lock().write_all(line.as_bytes()).expect("somebody reads");
        }
    }
}

#[test]
fn what_was_synced_survives_a_kill() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("recording");
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for (round, lines) in [3, 1, 12, 5].into_iter().enumerate() {
        let mut child = Command::new(env::current_exe().expect("this test"))
            .args(["--exact", "child", "--nocapture"])
            .env(FOLDER, &folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let (mut begins, mut synced, mut seen, mut line) = (0, 0, 0, String::new());
        while seen < lines {
            assert!(Instant::now() < deadline, "round {round}: the child says nothing");
            line.clear();
            assert!(out.read_line(&mut line).expect("it is read") > 0, "round {round}: the child ended");
            if let Some(said) = line.strip_prefix("synced ") {
                let mut numbers = said.split_whitespace().map(|number| number.parse().expect("a number"));
                (begins, synced) = (numbers.next().expect("two"), numbers.next().expect("two"));
                seen += 1;
            }
        }
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
        // What it said in the meantime counts as well.
        for line in out.lines().map_while(Result::ok) {
            if let Some((_, said)) = line.strip_prefix("synced ").and_then(|said| said.split_once(' ')) {
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
        runs.push((begins, synced));
        played(&mut reader, &runs);
    }

    let finished = end_interrupted(&folder, Some(&key())).expect("it is ended");
    assert_eq!(end_interrupted(&folder, Some(&key())).expect("it is ended already"), finished);
    let verified = verify(&folder, Some(&key()), &Limits::default()).expect("it is read");
    assert!(verified.is_whole(), "{verified:?}");
    assert_eq!((verified.hash, verified.bytes), (finished.hash, finished.bytes));
    let mut reader = Reader::open(&folder, Some(&key()), Limits::default()).expect("it opens");
    assert!(reader.is_finished());
    played(&mut reader, &runs);
    // Each place in it can be sought.
    for (begins, synced) in runs {
        let to = Moment(begins.midpoint(synced));
        reader.seek(to).expect("it is sought");
        let mut shown = Screen::default();
        while let Some((at, scene)) = reader.next().expect("it is read") {
            if at > to {
                break;
            }
            shown.show(&Owned::of(&scene));
        }
        let mut expected = Screen::default();
        run(begins).take_while(|(at, _)| *at <= to).for_each(|(_, scene)| expected.show(&scene));
        assert!(shown == expected, "at {to:?}");
    }
    assert!(fs::read_dir(&folder).expect("it is read").count() >= 5);
}

/// Everything up to the last sync of each run is there as it was put, and behind it nothing else.
fn played(reader: &mut Reader, runs: &[(u64, u64)]) {
    for (i, (begins, synced)) in runs.iter().enumerate() {
        let mut expected = run(*begins);
        let mut last = *begins;
        if i > 0 {
            let gap = reader.next().expect("it is read");
            assert!(matches!(gap, Some((_, Scene::Gap(_)))), "{gap:?}");
        }
        let end = runs.get(i + 1).map(|next| next.0);
        loop {
            if end.is_some_and(|end| last >= end) && last > *begins {
                break;
            }
            match reader.next().expect("it is read") {
                None => break,
                Some((at, scene)) => {
                    assert_eq!(Some((at, Owned::of(&scene))), expected.next());
                    last = at.0;
                }
            }
        }
        assert!(last >= *synced, "run {i}: {last} of {synced}");
    }
}
