//! Bytes that go through in bulk: a recording on the disk and in memory, beside plain writing of the same buffers, what compresses them
//! alone, and other ways to hand them over.
//!
//! ```sh
//! cargo bench -p streamspace-session-recorder --bench bulk
//! ```
//!
//! Buffers of 64 KiB, of eight screens of windows with text; 256 MiB a sample. What is recorded is a stream as it is, so that all
//! ways have the same bytes. The disk is that of the build.

#[path = "../../streamspace-rfb/tests/support/desktop.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "shared with other suites")]
mod desktop;

use std::{
    fs::File,
    hint::black_box,
    io::{BufWriter, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::{LazyLock, mpsc},
    thread,
};

use desktop::desktop;
use divan::{Bencher, counter::BytesCount};
use streamspace_session_recorder::{
    scene::{Moment, Scene, Side, Sink},
    store::{Options, Subject, Writer},
};
use tempfile::TempDir;

const BUFFER: usize = 64 << 10;
const BUFFERS: usize = 4096;
/// What is compressed together by the store.
const BLOCK: usize = 512 << 10;
const PLACES: [&str; 2] = ["memory", "disk"];

fn main() {
    divan::main();
}

static FRAMES: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..8).flat_map(|seed| desktop(1920, 1080, seed).bytes().to_vec()).collect());

fn pieces(size: usize) -> impl Iterator<Item = &'static [u8]> {
    FRAMES.chunks_exact(size).cycle().take(BUFFERS * BUFFER / size)
}

fn folder(place: &str) -> TempDir {
    let memory = Path::new("/dev/shm");
    let place =
        if place == "memory" && memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
    TempDir::new_in(place).expect("a folder")
}

fn counted<'a, 'b>(bencher: Bencher<'a, 'b>) -> Bencher<'a, 'b> {
    LazyLock::force(&FRAMES);
    bencher.counter(BytesCount::new(BUFFERS * BUFFER))
}

/// A file whose buffer is of 1 MiB, which may be synced at the end. Writing there takes as long as it is made.
fn write(place: &str, sync: bool, each: impl FnOnce(&mut BufWriter<File>)) -> TempDir {
    let home = folder(place);
    let file = File::create(home.path().join("file")).expect("a file");
    let mut file = BufWriter::with_capacity(1 << 20, file);
    each(&mut file);
    let file = file.into_inner().expect("it is written");
    if sync {
        file.sync_data().expect("it is synced");
    }
    home
}

fn plain(bencher: Bencher<'_, '_>, place: &str, sync: bool) {
    counted(bencher).bench_local(|| {
        write(place, sync, |file| pieces(BUFFER).for_each(|buffer| file.write_all(buffer).expect("room")))
    });
}

/// The floor of what is not compressed.
#[divan::bench(args = PLACES, sample_count = 10, sample_size = 1)]
fn written(bencher: Bencher<'_, '_>, place: &str) {
    plain(bencher, place, false);
}

/// The same, on the disk for good.
#[divan::bench(args = PLACES, sample_count = 10, sample_size = 1)]
fn written_and_synced(bencher: Bencher<'_, '_>, place: &str) {
    plain(bencher, place, true);
}

/// The peer: what zstd makes of blocks, written and synced.
#[divan::bench(args = PLACES, sample_count = 10, sample_size = 1)]
fn compressed_and_synced(bencher: Bencher<'_, '_>, place: &str) {
    let mut zstd = zstd::bulk::Compressor::new(1).expect("a level");
    let mut out = vec![0; zstd::zstd_safe::compress_bound(BLOCK)];
    counted(bencher).bench_local(|| {
        write(place, true, |file| {
            for block in pieces(BLOCK) {
                let length = zstd.compress_to_buffer(block, &mut out[..]).expect("it fits");
                file.write_all(&out[..length]).expect("room");
            }
        })
    });
}

/// Ours: with sums and hashes, and synced after each 4 MiB of the file.
#[divan::bench(args = PLACES, sample_count = 10, sample_size = 1)]
fn recorded(bencher: Bencher<'_, '_>, place: &str) {
    counted(bencher).bench_local(|| {
        let home = folder(place);
        let subject = Subject { recording: "r".into(), session: "s".into(), started_at: 0 };
        let folder = home.path().join("recording");
        let mut writer = Writer::create(&folder, &subject, None, Options::default()).expect("it begins");
        for bytes in pieces(BUFFER) {
            writer.put(Moment(0), &Scene::Wire { from: Side::Desktop, bytes }).expect("it is kept");
        }
        writer.finish(Moment(0)).expect("it is finished");
        home
    });
}

/// Lent and touched: no copy at all.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn by_reference(bencher: Bencher<'_, '_>) {
    let touch: fn(&[u8]) -> u64 = |bytes| u64::from(bytes[0]) + u64::from(bytes[bytes.len() - 1]);
    counted(bencher).bench_local(|| pieces(BUFFER).map(|buffer| black_box(touch)(buffer)).sum::<u64>());
}

/// Copied, to another thread, which drops them.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn copied_into_a_channel(bencher: Bencher<'_, '_>) {
    counted(bencher).bench_local(|| {
        let (to, from) = mpsc::sync_channel::<Vec<u8>>(64);
        let other = thread::spawn(move || from.iter().map(|buffer| u64::from(buffer[0])).sum::<u64>());
        pieces(BUFFER).for_each(|buffer| to.send(buffer.to_vec()).expect("it goes on"));
        drop(to);
        other.join().expect("it ends")
    });
}

/// As if to another process.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn through_a_unix_socket(bencher: Bencher<'_, '_>) {
    counted(bencher).bench_local(|| {
        let (mut to, mut from) = UnixStream::pair().expect("a socket");
        let other = thread::spawn(move || {
            let mut buffer = vec![0; BUFFER];
            while let Ok(1..) = from.read(&mut buffer) {
                black_box(&buffer);
            }
        });
        pieces(BUFFER).for_each(|buffer| to.write_all(buffer).expect("it goes on"));
        drop(to);
        other.join().expect("it ends")
    });
}

/// A copy to the same place again and again, so many bytes past the source modulo a page: at 16 glibc's is many times slower on some
/// processors.
#[divan::bench(args = [64, 16], sample_count = 10, sample_size = 1)]
fn memcpy(bencher: Bencher<'_, '_>, past: usize) {
    // The source begins on a page.
    let pages = |bytes: &[u8]| bytes.as_ptr().addr().wrapping_neg() % 4096;
    let mut source = vec![7_u8; BUFFER + 4096];
    let from = pages(&source);
    source[from..].fill(9);
    let mut room = vec![0_u8; BUFFER + 2 * 4096];
    let to = pages(&room) + past;
    bencher.counter(BytesCount::new(BUFFERS * BUFFER)).bench_local(|| {
        for _ in 0..BUFFERS {
            black_box(&mut room[to..to + BUFFER]).copy_from_slice(black_box(&source[from..from + BUFFER]));
        }
    });
}
