//! What a host that is killed has recorded, and what somebody has changed of a recording.
//!
//! The desktop says on each picture what time it is, so that a replay shows how much was kept.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Host, Installation, PaintedDesktop, Viewer, on_both_backends};

const PLUGIN: &str = "streamspace-session-recorder";
/// Bytes of a block before its payload: `docs/recording-format.md`.
const BLOCK_HEAD: usize = 88;
/// Bytes of the end of a file.
const TRAILER: usize = 60;

on_both_backends!(what_was_synced_is_there_after_a_kill, what_is_not_encrypted_is_there_after_a_kill);

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

struct Recorder {
    host: Host,
    folder: PathBuf,
    desktop: PaintedDesktop,
}

impl Recorder {
    fn start(backend: &Backend, config: &Value) -> Self {
        let installation = Installation::on(backend);
        let folder = installation.scratch().join("recordings");
        let mut all = json!({ "storagePath": folder });
        all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let host = installation.plugin(PLUGIN, &all).start();
        host.wait_state(PLUGIN, "running");
        let desktop = PaintedDesktop::counting();
        host.run_session("s-1", "admin", desktop.address(), json!({}));
        Self { host, folder, desktop }
    }

    fn begin(&self) -> String {
        let path = at("/sessions/s-1/recordings/start");
        let begun = self.host.api().post_json(&path, &json!({"reason": "training"})).expect(201).json();
        begun["recording_id"].as_str().unwrap().to_owned()
    }

    fn recording(&self, id: &str) -> Value {
        self.host.api().get(&at(&format!("/recordings/{id}"))).expect(200).json()
    }

    fn wait(&self, id: &str, statuses: &[&str]) -> Value {
        self.host.wait_for(DEADLINE, &format!("the recording {id} to be {statuses:?}"), || {
            Some(self.recording(id)).filter(|found| statuses.contains(&found["status"].as_str().unwrap()))
        })
    }

    /// How far it is, in seconds: told once a second, when what is due is written.
    fn length(&self, id: &str) -> f64 {
        self.recording(id)["duration_seconds"].as_f64().unwrap()
    }

    fn wait_length(&self, id: &str, such: impl Fn(f64) -> bool) -> f64 {
        self.host.wait_for(DEADLINE, "the recording to go on", || {
            Some(self.length(id)).filter(|length| such(*length))
        })
    }

    fn verify(&self, id: &str) -> Value {
        self.host.api().post(&at(&format!("/recordings/{id}/verify"))).expect(200).json()
    }

    /// Waits until something is on the disk for sure: what the picture says, and the length that was reached before.
    fn promised(&self, id: &str) -> (u32, f64) {
        let counter = self.desktop.counter();
        let least = self.length(id);
        // By the first step after that, the picture has come; by the second one it is looked at, by the third one it is put. All of it is
        // one thread's work. What is put is synced a second after that, by `segmentSec`, and a step is a second.
        let put = (0..3).fold(least, |length, _| self.wait_length(id, |next| next > length));
        self.wait_length(id, |next| next >= put + 2.0);
        (counter, least)
    }

    /// What the picture says at a moment of a recording, by a viewer that gets it as RFB.
    fn counter_at(&self, id: &str, from_ms: u64) -> u32 {
        let body = json!({ "path": format!("/recordings/{id}/replay") });
        let path = format!("/api/v1/plugins/{PLUGIN}/tickets");
        let ticket = self.host.api().post_json(&path, &body).expect(201).json();
        let path = ticket["path"].as_str().unwrap();
        let socket = Viewer::open(&self.host, &format!("{path}&from_ms={from_ms}&paused=true"), &[]).unwrap();
        Replay { socket, bytes: Vec::new() }.counter()
    }

    /// Kills the host, and starts it again.
    fn kill(self) -> Self {
        let Self { host, folder, desktop } = self;
        let host = host.end(Signal::KILL, DEADLINE).installation.start();
        host.wait_state(PLUGIN, "running");
        Self { host, folder, desktop }
    }
}

/// As much of a viewer as there must be: pixels as they are.
struct Replay {
    socket: Viewer,
    bytes: Vec<u8>,
}

impl Replay {
    fn take(&mut self, count: usize) -> Vec<u8> {
        while self.bytes.len() < count {
            let more = self.socket.read(1);
            self.bytes.extend(more);
        }
        self.bytes.drain(..count).collect()
    }

    fn number(&mut self, bytes: usize) -> usize {
        self.take(bytes).into_iter().fold(0, |number, byte| number << 8 | usize::from(byte))
    }

    fn counter(mut self) -> u32 {
        assert_eq!(self.take(12), b"RFB 003.008\n");
        self.socket.send(b"RFB 003.008\n");
        let kinds = self.number(1);
        assert!(self.take(kinds).contains(&1), "nobody has to sign in once more");
        self.socket.send(&[1]);
        assert_eq!(self.number(4), 0);
        self.socket.send(&[1]);
        let (width, height) = (self.number(2), self.number(2));
        assert_eq!((width, height), (64, 48));
        self.take(16);
        let name = self.number(4);
        self.take(name);
        // 32 bits, the least significant byte first; red, green and blue from above. And nothing but raw pixels.
        self.socket.send(&[0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
        self.socket.send(&[2, 0, 0, 1, 0, 0, 0, 0]);
        self.socket.send(&[3, 0, 0, 0, 0, 0, 0, 64, 0, 48]);
        loop {
            match self.number(1) {
                0 => {}
                2 => continue,
                3 => {
                    self.take(3);
                    let text = self.number(4);
                    self.take(text);
                    continue;
                }
                other => panic!("a message of the kind {other}"),
            }
            self.take(1);
            for _ in 0..self.number(2) {
                let [x, y, width, height] = [(); 4].map(|()| self.number(2));
                assert_eq!(self.number(4), 0, "raw, as was asked for");
                let pixels = self.take(width * height * 4);
                if (x, y) == (0, 0) {
                    return u32::from_le_bytes([pixels[0], pixels[1], pixels[2], 0]);
                }
            }
        }
    }
}

fn what_was_synced_is_there_after_a_kill(backend: &Backend) {
    killed(backend, true);
}

fn what_is_not_encrypted_is_there_after_a_kill(backend: &Backend) {
    killed(backend, false);
}

fn killed(backend: &Backend, encrypted: bool) {
    let config = json!({"segmentSec": 1, "encryptRecordings": encrypted});
    let mut recorder = Recorder::start(backend, &config);
    let mut id = recorder.begin();
    // At different moments of a block and of a second.
    for pause in [0, 350, 700] {
        recorder.wait(&id, &["recording"]);
        let (counter, length) = recorder.promised(&id);
        thread::sleep(Duration::from_millis(pause));
        recorder = recorder.kill();
        let cut = recorder.wait(&id, &["truncated"]);
        assert_eq!(cut["ended_by"], "crash", "{cut}");
        let kept = cut["duration_seconds"].as_f64().unwrap();
        assert!(kept >= length, "{kept} s are kept of {length} s");
        let verified = recorder.verify(&id);
        assert_eq!((&verified["valid"], &verified["report"]["fault"]), (&json!(true), &Value::Null));
        assert_eq!(verified["report"]["finished"], true, "{verified}");

        let end = recorder.counter_at(&id, u64::from(u32::MAX));
        assert!(end >= counter, "the last picture is of {end}, and {counter} was on the disk");
        assert!(end <= recorder.desktop.counter(), "{end} was never shown");
        let middle = recorder.counter_at(&id, (kept * 500.0) as u64);
        let first = recorder.counter_at(&id, 0);
        // How many pictures there are is the machine's to say.
        assert!(
            first <= middle && middle <= end && first < end,
            "{first}, {middle}, {end}: one after the other"
        );
        assert_eq!(recorder.folder.join(&id).join("key").exists(), encrypted);

        // It goes on as another one, of which the same holds.
        let next = recorder.host.wait_for(DEADLINE, "the recording to go on as another one", || {
            let page = recorder.host.api().get(&at("/recordings?session_id=s-1")).expect(200).json();
            let all = page["recordings"].as_array().unwrap();
            all.iter().find(|one| one["continues"] == json!(id)).cloned()
        });
        id = next["id"].as_str().unwrap().to_owned();
    }

    // Before anything had to be there: whatever is said of it holds.
    let young = recorder.recording(&id)["status"] == "starting";
    recorder = recorder.kill();
    let cut = recorder.wait(&id, &["truncated", "failed"]);
    if cut["status"] == "truncated" {
        assert_eq!(recorder.verify(&id)["valid"], true, "{cut}");
        let _ = recorder.counter_at(&id, 0);
    } else {
        assert!(cut["error_message"].as_str().is_some_and(|why| !why.is_empty()), "{cut}, {young}");
    }
}

/// Where the parts of a file are: its head, and then its blocks.
struct Parts {
    name: String,
    path: PathBuf,
    bytes: Vec<u8>,
    /// Where each block begins; the last one ends the file.
    blocks: Vec<usize>,
}

impl Parts {
    fn of(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        // What is said of the head's length; a hash and a sum behind it.
        let mut block = 16 + number(12) + 36;
        let mut blocks = Vec::new();
        while block < bytes.len() - TRAILER {
            blocks.push(block);
            block += BLOCK_HEAD + number(block + 4);
        }
        assert_eq!(block, bytes.len() - TRAILER, "blocks, and the end");
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        Self { name, path: path.to_owned(), bytes, blocks }
    }

    /// The number of the block that a byte is in, and where that begins; none for the head.
    fn place(&self, byte: usize) -> (Option<usize>, usize) {
        let block = self.blocks.iter().rposition(|begins| *begins <= byte);
        (block, block.map_or(0, |block| self.blocks[block]))
    }

    /// Some bytes of the head, of some blocks' heads and payloads, of the index and of the end.
    fn chosen(&self) -> Vec<usize> {
        let (head, last) = (self.blocks[0], self.blocks.len() - 1);
        let mut bytes: Vec<usize> = (0..head).step_by(head / 6).collect();
        bytes.extend([8, 12, head - 1]);
        for block in [0, last / 2, last] {
            let begins = self.blocks[block];
            let ends = self.blocks.get(block + 1).copied().unwrap_or(self.bytes.len() - TRAILER);
            bytes.extend([0, 1, 4, 24, 40, 48, 80, 84].map(|at| begins + at));
            bytes.extend([begins + BLOCK_HEAD, (begins + BLOCK_HEAD + ends) / 2, ends - 1]);
        }
        let end = self.bytes.len() - TRAILER;
        bytes.extend([0, 8, 16, 48, 59].map(|at| end + at));
        bytes
    }
}

/// A recording in several files that is over.
fn recorded(recorder: &Recorder) -> (String, Vec<Parts>) {
    let id = recorder.begin();
    let folder = recorder.folder.join(&id);
    let files = || -> Vec<PathBuf> {
        let all = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> =
            all.filter(|path| path.extension().is_some_and(|name| name == "ssrec")).collect();
        all.sort();
        all
    };
    recorder.wait(&id, &["recording"]);
    // A file is full after some hundred pictures, which a machine with much else to do takes its time for.
    recorder.host.wait_for(DEADLINE * 4, "a second file", || (files().len() > 1).then_some(()));
    let _ = recorder.host.api().post(&at(&format!("/recordings/{id}/stop"))).expect(200);
    recorder.wait(&id, &["completed"]);
    let parts = files().iter().map(|path| Parts::of(path)).collect();
    (id, parts)
}

#[test]
fn a_bit_that_is_flipped_is_found_and_named() {
    for encrypted in [true, false] {
        let config = json!({"maxFileSize": 1_048_576, "fpsCap": 60, "encryptRecordings": encrypted});
        let recorder = Recorder::start(&Backend::Sqlite, &config);
        let (id, files) = recorded(&recorder);
        assert_eq!(recorder.verify(&id)["valid"], true);

        for file in [&files[0], files.last().unwrap()] {
            for (turn, byte) in file.chosen().into_iter().enumerate() {
                let mut bytes = file.bytes.clone();
                bytes[byte] ^= 1 << (turn % 8);
                fs::write(&file.path, bytes).unwrap();
                let found = recorder.verify(&id);
                let what = format!("bit {} of byte {byte} of {}: {found}", turn % 8, file.name);
                assert_eq!(found["valid"], false, "{what}");
                let fault = &found["report"]["fault"];
                let (block, begins) = file.place(byte);
                assert_eq!(
                    (&fault["file"], &fault["block"], &fault["offset"]),
                    (&json!(file.name), &json!(block), &json!(begins)),
                    "{what}"
                );
                let named = ["crc: ", "chain: ", "cipher: ", "order: ", "truncated: ", "content: "];
                let said = fault["what"].as_str().unwrap();
                assert!(named.iter().any(|name| said.contains(name)), "{what}");
            }
            fs::write(&file.path, &file.bytes).unwrap();
        }
        assert_eq!(recorder.verify(&id)["valid"], true, "it is as it was");

        if encrypted {
            let path = recorder.folder.join(&id).join("key");
            let key = fs::read(&path).unwrap();
            for byte in (0..key.len()).step_by(key.len() / 16) {
                let mut bytes = key.clone();
                bytes[byte] ^= 1;
                fs::write(&path, bytes).unwrap();
                let found = recorder.verify(&id);
                assert_eq!(found["valid"], false, "byte {byte} of the key: {found}");
                assert!(found["report"]["key"].as_str().is_some_and(|why| why.contains("key")), "{found}");
            }
            fs::remove_file(&path).unwrap();
            let found = recorder.verify(&id);
            assert_eq!(found["valid"], false, "nobody can play it: {found}");
            assert!(found["report"]["key"].as_str().is_some_and(|why| why.contains("key")), "{found}");
        }
    }
}

#[test]
fn a_file_that_is_missing_or_shorter_is_found_and_named() {
    let config = json!({"maxFileSize": 1_048_576, "fpsCap": 60});
    let recorder = Recorder::start(&Backend::Sqlite, &config);
    let (id, files) = recorded(&recorder);
    let fault = |what: &str, file: &str, named: &str| {
        let found = recorder.verify(&id);
        assert_eq!(found["valid"], false, "{what}: {found}");
        let fault = &found["report"]["fault"];
        assert_eq!(fault["file"], file, "{what}: {found}");
        assert!(fault["what"].as_str().is_some_and(|said| said.contains(named)), "{what}: {found}");
    };

    for (number, file) in files.iter().enumerate() {
        let Parts { name, path, bytes, blocks } = file;
        fs::remove_file(path).unwrap();
        fault(&format!("{name} is missing"), name, "order: ");
        fs::write(path, bytes).unwrap();

        // In the head, at the end of a block, in a block, in the end.
        let middle = blocks[blocks.len() / 2];
        for length in [0, 10, blocks[0], middle, middle + 20, middle + 100, bytes.len() - 1] {
            fs::write(path, &bytes[..length]).unwrap();
            fault(&format!("{length} bytes of {name}"), name, "truncated: ");
        }
        // What stands behind it.
        fs::write(path, [bytes, &b"x"[..]].concat()).unwrap();
        fault(&format!("{name} and a byte"), name, "order: ");
        // Another one in its place, which is whole in itself.
        fs::write(path, &files[(number + 1) % files.len()].bytes).unwrap();
        fault(&format!("another file as {name}"), name, "order: ");
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(recorder.verify(&id)["valid"], true, "it is as it was");

    for file in &files {
        fs::remove_file(&file.path).unwrap();
    }
    let found = recorder.verify(&id);
    assert_eq!(found["valid"], false);
    assert!(found["report"]["wrong"].as_str().is_some_and(|said| said.contains("recording")), "{found}");
}
