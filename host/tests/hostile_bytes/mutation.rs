//! Inputs made from seeds by chance that is the same in every run, and the run itself.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

/// What is not done within this is taken to hang. An input takes less than a millisecond, the largest a second.
const DEADLINE: Duration = Duration::from_secs(60);

/// Numbers that are at the edge of something.
const EDGES: [u64; 18] = [
    0,
    1,
    2,
    7,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// Marsaglia's xorshift.
struct Chance(u64);

impl Chance {
    fn of(number: u64) -> Self {
        // Spread out, since neighbours would begin alike; and never zero, which stays zero.
        Self((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A place in `length` bytes: rather where the headers are, at the begin and at the end.
    fn place(&mut self, length: usize) -> usize {
        match self.below(4) {
            0 | 1 => self.below(length.min(512)),
            2 => length.saturating_sub(1 + self.below(length.min(4096))),
            _ => self.below(length),
        }
    }
}

/// The bytes that a run begins with, each under its name, and words to put into them.
pub(crate) struct Seeds {
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) words: &'static [&'static str],
}

impl Seeds {
    /// The input of this number, and the name of the seed that it was made from.
    fn input(&self, number: u64) -> (&str, Vec<u8>) {
        let mut chance = Chance::of(number);
        let (name, seed) = chance.one_of(&self.files);
        let mut bytes = seed.clone();
        for _ in 0..=chance.below(4) {
            self.change(&mut bytes, &mut chance);
        }
        (name, bytes)
    }

    fn change(&self, bytes: &mut Vec<u8>, chance: &mut Chance) {
        let at = chance.place(bytes.len());
        let span = at..(at + 1 + chance.below(64)).min(bytes.len());
        match chance.below(10) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << chance.below(8);
                }
            }
            2..=4 => {
                let width = *chance.one_of(&[1, 2, 4, 8]);
                let edge = *chance.one_of(&EDGES);
                let near = match chance.below(4) {
                    0 => bytes.len() as u64,
                    1 => edge.wrapping_add(chance.next() % 64),
                    _ => edge,
                };
                let number = if chance.below(3) == 0 {
                    near.to_be_bytes()[8 - width..].to_vec()
                } else {
                    near.to_le_bytes()[..width].to_vec()
                };
                // What is a number is aligned in most formats.
                let at = at / width * width;
                if let Some(place) = bytes.get_mut(at..at + width) {
                    place.copy_from_slice(&number);
                }
            }
            5 => bytes.truncate(at),
            6 => {
                bytes.drain(span);
            }
            7 => {
                let copy = bytes.get(span).unwrap_or_default().to_vec();
                let to = chance.place(bytes.len());
                bytes.splice(to..to, copy);
            }
            8 => {
                let (_, other) = chance.one_of(&self.files);
                let from = chance.place(other.len());
                let piece = other.get(from..).unwrap_or_default();
                let piece = piece.get(..1 + chance.below(256)).unwrap_or(piece);
                bytes.splice(span, piece.iter().copied());
            }
            _ => {
                let word = if self.words.is_empty() { "" } else { chance.one_of(self.words) };
                bytes.splice(at..at, word.bytes());
            }
        }
    }
}

/// Has `check` look at `count` inputs, and fails for one that it panics at or does not come back from.
pub(crate) fn survive(seeds: Seeds, count: u64, mut check: impl FnMut(&[u8]) + Send + 'static) {
    let seeds = Arc::new(seeds);
    let at = Arc::new(AtomicU64::new(0));
    let (done, result) = mpsc::channel();
    let (inputs, progress) = (seeds.clone(), at.clone());
    let runner = move || {
        for number in 0..count {
            progress.store(number, Ordering::Relaxed);
            let (_, bytes) = inputs.input(number);
            if catch_unwind(AssertUnwindSafe(|| check(&bytes))).is_err() {
                return done.send(Err(number));
            }
        }
        done.send(Ok(()))
    };
    thread::spawn(runner);
    let mut seen = u64::MAX;
    let (failed, how) = loop {
        match result.recv_timeout(DEADLINE) {
            Ok(Ok(())) => return,
            Ok(Err(number)) => break (number, "is not survived"),
            Err(RecvTimeoutError::Disconnected) => panic!("the run ended without a word"),
            Err(RecvTimeoutError::Timeout) if at.load(Ordering::Relaxed) == seen => break (seen, "hangs"),
            Err(RecvTimeoutError::Timeout) => seen = at.load(Ordering::Relaxed),
        }
    };
    let (seed, bytes) = seeds.input(failed);
    let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{failed}"));
    fs::write(&kept, &bytes).expect("writable");
    panic!("input {failed}, made from `{seed}`, {how}; it is kept in {}", kept.display());
}

/// The answer of `work`, which must not take for ever.
pub(crate) fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(DEADLINE).expect("it panics or hangs")
}

#[test]
fn an_input_is_the_same_each_time_and_unlike_its_neighbours() {
    let seeds = Seeds { files: vec![("a".to_owned(), vec![7; 256])], words: &["word"] };
    let inputs: std::collections::BTreeSet<Vec<u8>> = (0..64).map(|number| seeds.input(number).1).collect();
    assert!(inputs.len() > 48, "{}", inputs.len());
    assert_eq!(seeds.input(5), seeds.input(5));
}

#[test]
fn an_input_that_panics_is_named() {
    let seeds = Seeds { files: vec![("a".to_owned(), vec![7; 256])], words: &[] };
    let failure = catch_unwind(|| survive(seeds, 10, |_| panic!("as it should"))).expect_err("it fails");
    let text = failure.downcast_ref::<String>().expect("a text");
    assert!(text.starts_with("input 0, made from `a`, is not survived; it is kept in "), "{text}");
}
