//! What is put is read again, from any moment.

mod support;

use std::fs;

use proptest::prelude::*;
use streamspace_rfb::Area;
use streamspace_session_recorder::{
    scene::{Moment, Scene, Sink, Source},
    store::{
        DataKey, Error, Limits, MasterKey, Options, Reader, Writer, end_interrupted, keep_key, read_head,
        read_key, rewrap, segments, verify,
    },
};
use support::{Owned, Screen, folder, happened, noise, put_all, read, rest, small, subject, write};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_put_is_read_again(
        seed in any::<u64>(),
        count in 1_usize..60,
        width in 1_u16..200,
        height in 1_u16..120,
        sealed in any::<bool>(),
        file in prop_oneof![Just(64_u64 << 10), Just(1 << 30)],
    ) {
        let home = folder();
        let scenes = happened(seed, count, width, height);
        let key = sealed.then(|| DataKey::generate().expect("random bytes"));
        let options = Options { max_file_bytes: file, ..small() };
        let finished = write(home.path(), key.as_ref(), options, &scenes);
        prop_assert_eq!(&read(home.path(), key.as_ref()), &scenes);

        let verified = verify(home.path(), key.as_ref(), &Limits::default()).expect("it is read");
        prop_assert_eq!(&verified.fault, &None);
        prop_assert!(verified.is_whole() && verified.opened);
        prop_assert_eq!(verified.hash, finished.hash);
        prop_assert_eq!(verified.length, finished.length);
        prop_assert_eq!((verified.bytes, verified.segments), (finished.bytes, finished.segments));
        let verified = verify(home.path(), None, &Limits::default()).expect("it is read");
        prop_assert!(verified.is_whole() && verified.opened != sealed);
    }

    #[test]
    fn a_seek_shows_what_was_on_the_screen(seed in any::<u64>(), count in 1_usize..80) {
        let home = folder();
        let scenes = happened(seed, count, 90, 60);
        let options = Options { max_file_bytes: 64 << 10, ..small() };
        write(home.path(), None, options, &scenes);
        let mut reader = Reader::open(home.path(), None, Limits::default()).expect("it opens");
        let last = scenes.last().map_or(0, |(at, _)| at.0);
        let starts: Vec<_> = reader.keyframes().collect();
        for step in (0..=20).rev() {
            let to = Moment(last * step / 20);
            reader.seek(to).expect("it is sought");
            let (mut shown, mut expected) = (Screen::default(), Screen::default());
            let mut first = None;
            while let Some((at, scene)) = reader.next().expect("it is read") {
                if at > to {
                    break;
                }
                first.get_or_insert((at, matches!(scene, Scene::Picture { .. })));
                shown.show(&Owned::of(&scene));
            }
            for (_, scene) in scenes.iter().take_while(|(at, _)| *at <= to) {
                expected.show(scene);
            }
            prop_assert_eq!(shown, expected, "at {:?}", to);
            // The last one that is not after it.
            let start = starts.iter().rfind(|start| **start <= to);
            prop_assert_eq!(first, start.map(|start| (*start, true)));
        }
        // From the beginning again, nothing is said twice.
        reader.seek(Moment(0)).expect("it is sought");
        if starts.first() == Some(&Moment(0)) {
            prop_assert_eq!(rest(&mut reader), scenes);
        }
    }
}

fn picture(width: u16, height: u16, colour: u8) -> Owned {
    Owned::Picture(width, height, vec![[colour, 7, 9, 255]; usize::from(width) * usize::from(height)])
}

fn patch(area: Area, colour: u8) -> Owned {
    Owned::Patch(area, vec![[colour, 1, 2, 255]; area.pixels()])
}

#[test]
fn keyframes_come_when_there_was_change() {
    let home = folder();
    let mut scenes = vec![(Moment(0), picture(64, 64, 1))];
    // For half a minute something small changes, then for half a minute only the pointer moves.
    for i in 1..=600 {
        let at = Moment(i * 100_000);
        let scene = if i <= 300 { patch(Area::new(3, 3, 2, 2), i as u8) } else { Owned::Pointer(1, 2, 0) };
        scenes.push((at, scene));
    }
    write(home.path(), None, Options::default(), &scenes);
    let reader = Reader::open(home.path(), None, Limits::default()).expect("it opens");
    let keyframes: Vec<_> = reader.keyframes().map(|at| at.0 / 100_000).collect();
    assert_eq!(keyframes, [0, 99, 198, 297, 396]);
    assert_eq!(reader.length(), Moment(60_000_000));
    assert_eq!(read(home.path(), None), scenes);
}

#[test]
fn a_screen_larger_than_a_block_is_kept() {
    let home = folder();
    let all = Area::new(0, 0, 300, 200);
    let mut random = support::Random(4);
    let mut scenes = vec![(Moment(0), Owned::Picture(300, 200, random.pixels(300 * 200)))];
    for i in 1..12 {
        scenes.push((Moment(i * 300_000), Owned::Patch(all, random.pixels(300 * 200))));
    }
    let key = DataKey::generate().expect("random bytes");
    write(home.path(), Some(&key), small(), &scenes);
    assert_eq!(read(home.path(), Some(&key)), scenes);
    assert!(verify(home.path(), Some(&key), &Limits::default()).expect("it is read").is_whole());
}

#[test]
fn what_cannot_be_is_refused_and_the_rest_is_kept() {
    let home = folder();
    let mut writer = Writer::create(home.path(), &subject(), None, Options::default()).expect("it begins");
    let refused = |writer: &mut Writer, scene: Owned| match writer.put(Moment(5), &scene.scene()) {
        Err(Error::Scene { expected, .. }) => expected,
        other => panic!("{other:?}"),
    };
    let area = Area::new(2, 2, 3, 3);
    assert_eq!(refused(&mut writer, patch(area, 1)), "a picture first");
    put_all(&mut writer, &[(Moment(6), picture(4, 4, 1))]);
    assert_eq!(refused(&mut writer, patch(area, 1)), "a patch inside of the picture");
    let few = Owned::Patch(Area::new(0, 0, 2, 2), vec![[0; 4]; 3]);
    assert_eq!(refused(&mut writer, few), "as many pixels as the area has");
    assert_eq!(refused(&mut writer, Owned::Picture(2, 2, vec![])), "as many pixels as the area has");
    put_all(&mut writer, &[(Moment(7), Owned::Paused)]);
    assert_eq!(refused(&mut writer, patch(Area::new(0, 0, 1, 1), 1)), "a picture first");
    // Clocks are set back now and then.
    put_all(&mut writer, &[(Moment(3), Owned::Bell)]);
    writer.finish(Moment(9)).expect("it is finished");
    let expected = [(Moment(6), picture(4, 4, 1)), (Moment(7), Owned::Paused), (Moment(7), Owned::Bell)];
    assert_eq!(read(home.path(), None), expected);
}

#[test]
fn a_recording_is_not_overwritten() {
    let home = folder();
    write(home.path(), None, Options::default(), &[(Moment(0), Owned::Bell)]);
    let again = Writer::create(home.path(), &subject(), None, Options::default());
    assert!(matches!(again, Err(Error::Unexpected { .. })), "{again:?}");
    assert_eq!(read(home.path(), None), [(Moment(0), Owned::Bell)]);
}

#[test]
fn a_crash_between_two_segments_leaves_a_whole_recording() {
    let home = folder();
    let key = DataKey::generate().expect("random bytes");
    let scenes: Vec<_> = (0..3).map(|i| (Moment(i * 1_000), noise(i))).collect();
    write(home.path(), Some(&key), Options { max_file_bytes: 64 << 10, ..small() }, &scenes);
    let all = segments(home.path(), &Limits::default()).expect("three");
    assert_eq!(all.len(), 3);
    let [first, second, third] = [0, 1, 2].map(|i| read_head(&all[i]).expect("a head"));
    fs::remove_file(&all[2]).expect("it is there");
    assert!(!verify(home.path(), Some(&key), &Limits::default()).expect("it is read").is_whole());
    let ended = end_interrupted(home.path(), Some(&key)).expect("it is ended");
    assert_eq!(end_interrupted(home.path(), Some(&key)).expect("it is ended already"), ended);
    let verified = verify(home.path(), Some(&key), &Limits::default()).expect("it is read");
    assert!(verified.is_whole(), "{verified:?}");
    assert_eq!((verified.hash, verified.bytes, verified.segments), (ended.hash, ended.bytes, 3));
    assert_eq!(read(home.path(), Some(&key)), scenes[..2]);
    assert_eq!((first.previous, second.segment), (None, 1));
    assert_eq!(read_head(&all[2]).expect("a head").previous, third.previous);
}

#[test]
fn a_recording_is_read_while_it_is_written() {
    let home = folder();
    let scenes = happened(9, 40, 60, 40);
    let mut writer = Writer::create(home.path(), &subject(), None, small()).expect("it begins");
    put_all(&mut writer, &scenes[..25]);
    assert_eq!(writer.sync().expect("it is synced"), scenes[24].0);
    let mut reader = Reader::open(home.path(), None, Limits::default()).expect("it opens");
    assert!(!reader.is_finished());
    assert_eq!(reader.length(), scenes[24].0);
    assert_eq!(rest(&mut reader), scenes[..25]);
    put_all(&mut writer, &scenes[25..]);
    writer.finish(Moment(0)).expect("it is finished");
    assert_eq!(read(home.path(), None), scenes);
}

#[test]
fn time_alone_brings_scenes_to_the_disk() {
    let home = folder();
    let mut writer = Writer::create(home.path(), &subject(), None, Options::default()).expect("it begins");
    put_all(&mut writer, &[(Moment(10), picture(4, 4, 1))]);
    assert_eq!(writer.synced(), Moment(0));
    writer.tick(Moment(1_900_000)).expect("nothing is due");
    assert_eq!(writer.synced(), Moment(0));
    writer.tick(Moment(2_000_000)).expect("it is synced");
    assert_eq!(writer.synced(), Moment(10));
    assert_eq!(read(home.path(), None), [(Moment(10), picture(4, 4, 1))]);
}

#[test]
fn another_key_opens_nothing() {
    let home = folder();
    let key = DataKey::generate().expect("random bytes");
    write(home.path(), Some(&key), small(), &happened(5, 20, 60, 40));
    let other = DataKey::generate().expect("random bytes");
    match Reader::open(home.path(), Some(&other), Limits::default()) {
        Err(Error::Fault(fault)) => assert_eq!(fault.wrong.name(), "cipher"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(Reader::open(home.path(), None, Limits::default()), Err(Error::Locked { .. })));
    let fault = verify(home.path(), Some(&other), &Limits::default()).expect("it is read").fault;
    let fault = fault.expect("the key is another one");
    assert_eq!((fault.wrong.name(), fault.block), ("cipher", Some(0)));
    assert!(end_interrupted(home.path(), Some(&other)).is_err());
    assert!(matches!(end_interrupted(home.path(), None), Err(Error::Locked { .. })));
    // Nothing in the file tells what was recorded.
    let secret = folder();
    let text = "a password that was copied";
    let scene = Owned::Marker("note".into(), text.into());
    write(secret.path(), Some(&key), small(), &[(Moment(0), scene)]);
    let path = &segments(secret.path(), &Limits::default()).expect("one")[0];
    let bytes = fs::read(path).expect("it is read");
    assert!(!bytes.windows(8).any(|window| window == &text.as_bytes()[..8]));
}

#[test]
fn a_master_key_is_exchanged_without_touching_segments() {
    let home = folder();
    let key = DataKey::generate().expect("random bytes");
    let scenes = happened(6, 20, 60, 40);
    write(home.path(), Some(&key), small(), &scenes);
    let [old, new] = ["2025", "2026"].map(|id| MasterKey::generate(id).expect("random bytes"));
    keep_key(home.path(), &key.wrap(&old, "rec-1").expect("it is wrapped")).expect("it is kept");
    let path = segments(home.path(), &Limits::default()).expect("one").remove(0);
    let before = fs::read(&path).expect("it is read");

    assert!(rewrap(home.path(), "rec-2", &old, &new).is_err(), "another recording's");
    assert!(rewrap(home.path(), "rec-1", &new, &old).is_err(), "another master key");
    rewrap(home.path(), "rec-1", &old, &new).expect("it is wrapped anew");
    assert_eq!(fs::read(&path).expect("it is read"), before);
    let wrapped = read_key(home.path()).expect("it is there");
    assert_eq!(wrapped.master(), "2026");
    assert!(wrapped.unwrap(&old, "rec-1").is_err());
    let unwrapped = wrapped.unwrap(&new, "rec-1").expect("it is unwrapped");
    assert_eq!(read(home.path(), Some(&unwrapped)), scenes);

    let bytes = fs::read(home.path().join("key")).expect("it is read");
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(home.path().join("key"), &flipped).expect("it is written");
        let verified = verify(home.path(), Some(&key), &Limits::default()).expect("it is read");
        assert!(verified.fault.is_some_and(|fault| fault.path.ends_with("key")), "bit {bit}");
    }
}

#[test]
fn both_ends_go_to_other_threads() {
    fn goes<T: Send>() {}
    goes::<Writer>();
    goes::<Reader>();
}

#[test]
fn keys_are_not_shown() {
    let master = MasterKey::from_bytes("one", [0x41; 32]).expect("a key");
    assert_eq!(format!("{master:?}"), "MasterKey(\"one\", …)");
    assert_eq!(format!("{:?}", DataKey::from_bytes([0x41; 32])), "DataKey(…)");
}

#[test]
fn memory_is_bounded() {
    let home = folder();
    let mut writer = Writer::create(home.path(), &subject(), None, Options::default()).expect("it begins");
    for (at, scene) in happened(8, 80, 500, 400) {
        writer.put(at, &scene.scene()).expect("it is kept");
        assert!(writer.memory() - writer.framebuffer_memory() < 8 << 20, "{}", writer.memory());
        assert!(writer.framebuffer_memory() <= 500 * 400 * 4);
    }
    writer.tick(Moment(u64::MAX)).expect("it is synced");
}
