//! Whatever is changed in a recording is found and named.

#[path = "support/forge.rs"]
mod forge;
mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use streamspace_session_recorder::{
    scene::{Moment, Source},
    store::{DataKey, Error, Fault, Limits, Options, Reader, end_interrupted, segment_path, verify},
};
use support::{Owned, Random, folder, happened, noise, small, subject, write};

fn fault(folder: &Path, key: Option<&DataKey>) -> Option<Fault> {
    verify(folder, key, &Limits::default()).expect("it is read").fault
}

/// Reading is refused or given; it never panics, and never gives what was not put.
fn play(folder: &Path, key: Option<&DataKey>) -> Result<Vec<(Moment, Owned)>, Error> {
    let mut reader = Reader::open(folder, key, Limits::default())?;
    let mut scenes = Vec::new();
    while let Some((at, scene)) = reader.next()? {
        scenes.push((at, Owned::of(&scene)));
    }
    Ok(scenes)
}

/// Where blocks begin, by the documented layout: written separately from the reader.
fn blocks(bytes: &[u8]) -> Vec<usize> {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    let mut places = Vec::new();
    let mut at = 16 + number(12) + 36;
    while bytes.len() - at > 60 {
        places.push(at);
        at += 88 + number(at + 4);
    }
    assert_eq!(bytes.len() - at, 60, "the end");
    places
}

fn scenes() -> Vec<(Moment, Owned)> {
    let mut scenes = vec![(Moment(0), Owned::Picture(3, 2, vec![[1, 2, 3, 255]; 6]))];
    scenes.extend((1..6).map(|i| (Moment(i * 400_000), Owned::Pointer(i as u16, 2, 1))));
    scenes.push((Moment(2_500_000), Owned::Marker("note".into(), "small".into())));
    scenes
}

fn every_flip(key: Option<&DataKey>) {
    let home = folder();
    write(home.path(), key, small(), &scenes());
    let path = segment_path(home.path(), 0);
    let bytes = fs::read(&path).expect("it is read");
    let places = blocks(&bytes);
    assert!(places.len() >= 3, "{places:?}");
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).expect("it is written");
        let fault = fault(home.path(), key).unwrap_or_else(|| panic!("bit {bit} was not found"));
        assert_eq!(fault.path, path);
        // The block in which it is; the end belongs to the last one.
        let block = places.iter().rposition(|place| *place <= bit / 8);
        assert_eq!(fault.block, block.map(|block| block as u64), "bit {bit}: {fault}");
        assert_eq!(fault.offset, block.map_or(0, |block| places[block] as u64), "bit {bit}: {fault}");
        assert!(fault.at <= Moment(2_500_000), "bit {bit}: {fault}");
        if let Ok(played) = play(home.path(), key) {
            assert!(scenes().starts_with(&played), "bit {bit}");
        }
    }
    fs::write(&path, &bytes).expect("it is written");
    assert_eq!(fault(home.path(), key), None);
}

#[test]
fn every_flipped_bit_is_found_and_named() {
    every_flip(None);
}

#[test]
fn every_flipped_bit_is_found_and_named_in_an_encrypted_one() {
    every_flip(Some(&DataKey::from_bytes([7; 32])));
}

#[test]
fn flipped_bits_of_a_large_one_are_found() {
    let home = folder();
    write(home.path(), None, Options::default(), &happened(11, 40, 300, 200));
    let path = segment_path(home.path(), 0);
    let mut bytes = fs::read(&path).expect("it is read");
    let places = blocks(&bytes);
    let random = &mut Random(2);
    for _ in 0..150 {
        let bit = random.below(bytes.len() as u64 * 8) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).expect("it is written");
        let fault = fault(home.path(), None).unwrap_or_else(|| panic!("bit {bit} was not found"));
        let block = places.iter().rposition(|place| *place <= bit / 8).map(|block| block as u64);
        assert_eq!(fault.block, block, "bit {bit}: {fault}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

fn every_truncation(key: Option<&DataKey>) {
    let home = folder();
    let all = scenes();
    write(home.path(), key, small(), &all);
    let path = segment_path(home.path(), 0);
    let bytes = fs::read(&path).expect("it is read");
    let head = blocks(&bytes)[0];
    let mut most = 0;
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).expect("it is written");
        let verified = verify(home.path(), key, &Limits::default()).expect("it is read");
        assert!(!verified.is_whole(), "{length} bytes");
        if let Some(fault) = &verified.fault {
            assert_eq!(fault.wrong.name(), "truncated", "{length} bytes: {fault}");
        }
        let played = play(home.path(), key);
        if length < head {
            assert!(played.is_err(), "{length} bytes");
            continue;
        }
        let played = played.expect("what is there is read");
        assert!(all.starts_with(&played) && played.len() >= most, "{length} bytes");
        most = played.len();

        // It is ended behind what is there. Syncing takes its time: not behind each byte of both.
        if key.is_some() && length % 7 > 0 {
            continue;
        }
        let finished = end_interrupted(home.path(), key).expect("it is ended");
        let verified = verify(home.path(), key, &Limits::default()).expect("it is read");
        assert!(verified.is_whole() && verified.hash == finished.hash, "{length} bytes: {verified:?}");
        assert_eq!(play(home.path(), key).expect("it is read"), played);
        let cut = path.with_extension("cut");
        let kept = fs::read(&cut).unwrap_or_default();
        let (whole, torn) = bytes[..length].split_at(length - kept.len());
        assert!(
            kept == torn && fs::read(&path).expect("it is read").starts_with(whole),
            "what was cut is kept"
        );
        let _ = fs::remove_file(cut);
    }
    assert_eq!(most, all.len());
}

#[test]
fn what_is_left_of_a_truncated_one_is_read_and_ended() {
    every_truncation(None);
}

#[test]
fn what_is_left_of_a_truncated_encrypted_one_is_read_and_ended() {
    every_truncation(Some(&DataKey::from_bytes([9; 32])));
}

/// Three segments, unencrypted.
fn three(folder: &Path, seed: u64) -> [PathBuf; 3] {
    let pictures: Vec<_> = (0..3).map(|i| (Moment(i * 1_000), noise(seed + i))).collect();
    let finished = write(folder, None, Options { max_file_bytes: 64 << 10, ..small() }, &pictures);
    assert_eq!(finished.segments, 3);
    [0, 1, 2].map(|number| segment_path(folder, number))
}

#[test]
fn segments_in_another_order_are_found() {
    let home = folder();
    let [first, second, third] = three(home.path(), 0);
    assert_eq!(fault(home.path(), None), None);
    let bytes = [&first, &second, &third].map(|path| fs::read(path).expect("it is read"));

    fs::write(&second, &bytes[2]).expect("it is written");
    fs::write(&third, &bytes[1]).expect("it is written");
    let found = fault(home.path(), None).expect("exchanged");
    assert_eq!((found.wrong.name(), &found.path), ("order", &second));
    assert!(play(home.path(), None).is_err());

    fs::write(&third, &bytes[2]).expect("it is written");
    fs::remove_file(&second).expect("it is there");
    let found = fault(home.path(), None).expect("one is missing");
    assert_eq!((found.wrong.name(), &found.path), ("order", &second));

    // One of the same number from another recording.
    let other = folder();
    three(other.path(), 9);
    fs::copy(segment_path(other.path(), 1), &second).expect("it is copied");
    let found = fault(home.path(), None).expect("another's");
    assert_eq!((found.wrong.name(), &found.path), ("chain", &second));

    // One that is cut off in the middle of the recording, even between two blocks.
    let at = blocks(&bytes[1])[1];
    fs::write(&second, &bytes[1][..at]).expect("it is written");
    let found = fault(home.path(), None).expect("its end is missing");
    assert_eq!((found.wrong.name(), &found.path), ("truncated", &second));
}

#[test]
fn bytes_behind_the_end_are_found() {
    let home = folder();
    write(home.path(), None, small(), &scenes());
    let path = segment_path(home.path(), 0);
    let mut bytes = fs::read(&path).expect("it is read");
    bytes.push(0);
    fs::write(&path, &bytes).expect("it is written");
    assert_eq!(fault(home.path(), None).expect("there is more").wrong.name(), "order");
}

/// A block with other bytes and good sums, as somebody writes it who knows the format.
fn forged(bytes: &[u8], at: usize, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    change(&mut bytes[at..]);
    let stored = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes")) as usize;
    let end = (at + 88 + stored).min(bytes.len());
    let sum = crc32c::crc32c(&bytes[at + 88..end]);
    bytes[at + 80..at + 84].copy_from_slice(&sum.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[at..at + 84]);
    bytes[at + 84..at + 88].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn what_is_changed_with_good_sums_is_found() {
    for key in [None, Some(DataKey::from_bytes([3; 32]))] {
        let home = folder();
        write(home.path(), key.as_ref(), small(), &scenes());
        let path = segment_path(home.path(), 0);
        let bytes = fs::read(&path).expect("it is read");
        let places = blocks(&bytes);
        let expect = |forged: Vec<u8>, word: &str, block: u64| {
            fs::write(&path, &forged).expect("it is written");
            let found = fault(home.path(), key.as_ref()).expect("it was changed");
            assert_eq!((found.wrong.name(), found.block), (word, Some(block)), "{found}");
            let _ = play(home.path(), key.as_ref());
        };
        expect(forged(&bytes, places[1], |block| block[90] ^= 1), "chain", 1);
        expect(forged(&bytes, places[1], |block| block[24] ^= 1), "chain", 1);
        expect(forged(&bytes, places[1], |block| block[16] = 7), "order", 1);
        expect(forged(&bytes, places[1], |block| block[0] = 99), "content", 1);
        expect(forged(&bytes, places[1], |block| block[3] = 1), "content", 1);
        // Lengths: of the payload, and of what it unpacks to.
        for length in [0_u32, 1, 1 << 10, (4 << 20) + (64 << 10), u32::MAX] {
            let with = |at: usize| {
                forged(&bytes, places[0], |block| block[at..at + 4].copy_from_slice(&length.to_le_bytes()))
            };
            for at in [4, 8, 12] {
                if bytes[places[0] + at..][..4] == length.to_le_bytes() {
                    continue;
                }
                fs::write(&path, with(at)).expect("it is written");
                let found = fault(home.path(), key.as_ref()).expect("it was changed");
                assert_eq!(found.block, Some(0), "{found}");
                let _ = play(home.path(), key.as_ref());
            }
        }
        // A block is left out; one comes twice.
        let without = [&bytes[..places[1]], &bytes[places[2]..]].concat();
        expect(without, "order", 1);
        let twice = [&bytes[..places[1]], &bytes[places[0]..]].concat();
        expect(twice, "order", 1);
    }
}

#[test]
fn a_head_that_says_anything_is_refused() {
    let home = folder();
    write(home.path(), None, small(), &scenes());
    let path = segment_path(home.path(), 0);
    let bytes = fs::read(&path).expect("it is read");
    for length in [0_u32, 1, 65_536, 65_537, u32::MAX] {
        let mut changed = bytes.clone();
        changed[12..16].copy_from_slice(&length.to_le_bytes());
        fs::write(&path, &changed).expect("it is written");
        let found = fault(home.path(), None).expect("it was changed");
        assert_eq!((found.block, found.offset), (None, 0), "{found}");
    }
    let mut version = bytes.clone();
    version[8] = 2;
    fs::write(&path, &version).expect("it is written");
    let found = fault(home.path(), None).expect("another version");
    assert!(found.to_string().contains("version"), "{found}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_refused_or_read(
        seed in any::<u64>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        length in any::<prop::sample::Index>(),
    ) {
        let home = folder();
        write(home.path(), None, small(), &happened(seed, 12, 40, 30));
        let path = segment_path(home.path(), 0);
        let mut bytes = fs::read(&path).expect("it is read");
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(length.index(bytes.len() * 2).max(1));
        fs::write(&path, &bytes).expect("it is written");
        let _ = verify(home.path(), None, &Limits::default());
        let _ = play(home.path(), None);
        let _ = end_interrupted(home.path(), None);
    }
}

/// What can be made of bytes by [`forge::segment`]: whether it was read to its end.
fn forged_is_played(first: u8, bytes: &[u8]) -> bool {
    let home = folder();
    fs::write(segment_path(home.path(), 0), forge::segment(first, bytes)).expect("it is written");
    let fault = fault(home.path(), None);
    let played = play(home.path(), None);
    assert!(fault.is_some() || played.is_ok(), "{played:?}");
    fault.is_none()
}

#[test]
fn what_fuzzing_begins_with_is_what_it_is_meant_to_be() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/seeds/recording");
    let mut count = 0;
    for seed in fs::read_dir(seeds).expect("there are seeds") {
        let path = seed.expect("a seed").path();
        let bytes = fs::read(&path).expect("it is read");
        let good = forged_is_played(bytes[0], &bytes[1..]);
        let expected = !path.ends_with("key") && !path.ends_with("index");
        assert_eq!(good, expected, "{}", path.display());
        count += 1;
    }
    assert!(count >= 7, "{count}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_contents_with_good_sums_are_refused_or_read(
        first in any::<u8>(),
        seed in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let seeds: [&[u8]; 4] = [
            include_bytes!("../../../tests/fuzz/seeds/recording/records"),
            include_bytes!("../../../tests/fuzz/seeds/recording/again"),
            include_bytes!("../../../tests/fuzz/seeds/recording/packed"),
            include_bytes!("../../../tests/fuzz/seeds/recording/index"),
        ];
        let mut bytes = seed.get(&seeds).to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let first = if first & 1 == 0 { bytes[0] } else { first };
        forged_is_played(first, &bytes[1..]);
        forged_is_played(first, &bytes[1..1 + cut.index(bytes.len())]);
    }
}

#[test]
fn nothing_is_no_recording() {
    let home = folder();
    assert!(Reader::open(home.path(), None, Limits::default()).is_err());
    assert!(verify(home.path(), None, &Limits::default()).is_err());
    assert!(end_interrupted(home.path(), None).is_err());
    assert_eq!(subject().recording, "rec-1");
}
