//! Playing, seeking and skipping by a clock that stands.

use std::time::Duration;

use proptest::prelude::*;
use streamspace_rfb::{Area, Limits};
use streamspace_session_recorder::{
    replay::{MarkKind, Player, Span, Speed},
    scene::Moment,
};

use crate::{
    desktop::desktop,
    recording::{Kept, Maker, Recording, SECOND, at_work, slowly},
};

const fn at(seconds: f64) -> Duration {
    Duration::from_micros((seconds * 1e6) as u64)
}

fn second(seconds: u64) -> Moment {
    Moment(seconds * SECOND)
}

fn player(recording: &Recording) -> Player<Recording> {
    Player::new(recording.clone(), Limits::default()).expect("it begins")
}

fn assert_shows(player: &Player<Recording>, recording: &Recording, moment: u64) {
    let (screen, cursor) = slowly(recording, moment);
    assert!(player.screen().pixels() == screen.pixels(), "the picture at {moment} µs");
    assert_eq!((player.screen().width(), player.screen().height()), (screen.width(), screen.height()));
    assert_eq!(player.cursor(), cursor.as_ref(), "the cursor at {moment} µs");
}

#[test]
fn it_plays_to_the_end_and_stays_there() {
    let (recording, last) = at_work(6, Some(3), 1);
    let mut player = player(&recording);
    assert_shows(&player, &recording, 0);
    player.advance(at(50.0)).expect("it stands");
    assert_eq!(player.position(), Moment(0));
    player.play(at(100.0));
    let mut ends = 0;
    for tick in 0..=70_u64 {
        ends += u32::from(player.advance(at(100.0 + tick as f64 / 10.0)).expect("it plays").ended);
        let position = (tick * SECOND / 10).min(recording.length);
        assert_eq!(player.position(), Moment(position));
        assert_shows(&player, &recording, position);
    }
    assert_eq!(ends, 1);
    assert!(player.is_at_end() && !player.is_playing());
    assert!(player.screen().pixels() == last.pixels());
    assert_eq!(player.due(), None);
    player.seek(second(2), at(200.0)).expect("back");
    assert!(!player.is_at_end());
    assert_shows(&player, &recording, 2 * SECOND);
    player.play(at(200.0));
    assert!(player.advance(at(300.0)).expect("it plays").ended);
    assert_shows(&player, &recording, recording.length);
}

#[test]
fn it_plays_as_fast_as_it_is_told() {
    let (recording, _) = at_work(20, None, 2);
    for times in [0.25, 0.5, 1.0, 3.0, 16.0] {
        let mut player = player(&recording);
        player.play(at(0.0));
        player.set_speed(Speed::new(times), at(0.0));
        player.advance(at(1.0)).expect("it plays");
        assert_eq!(player.position(), Moment((times * 1e6) as u64));
        assert_shows(&player, &recording, player.position().0);
        player.set_speed(Speed::NORMAL, at(1.2));
        player.advance(at(1.5)).expect("it plays");
        assert_eq!(player.position(), Moment((times * 1.2e6 + 0.3e6) as u64));
    }
    assert_eq!(Speed::new(1e9), Speed::FASTEST);
    assert_eq!(Speed::new(-1.0), Speed::SLOWEST);
    assert_eq!(Speed::new(f64::NAN), Speed::NORMAL);
}

#[test]
fn a_clock_that_is_read_often_is_no_slower() {
    let (recording, _) = at_work(3, None, 3);
    let mut player = player(&recording);
    player.set_speed(Speed::SLOWEST, at(0.0));
    player.play(at(0.0));
    for micro in 0..400_000 {
        player.advance(Duration::from_micros(micro)).expect("it plays");
    }
    assert_eq!(player.position(), Moment(99_999));
}

#[test]
fn it_says_when_something_is_due() {
    let mut maker = Maker::new(desktop(50, 40, 1));
    maker.fill(4 * SECOND, Area::new(0, 0, 5, 5), [1; 4]);
    maker.recording.length = 6 * SECOND;
    let mut player = player(&maker.recording);
    assert_eq!(player.due(), None);
    player.play(at(10.0));
    player.set_speed(Speed::new(2.0), at(10.0));
    player.advance(at(10.0)).expect("it plays");
    assert_eq!(player.due(), Some(at(12.0)));
    player.advance(at(12.0)).expect("it plays");
    assert_shows(&player, &maker.recording, 4 * SECOND);
    assert_eq!(player.due(), Some(at(13.0)));
    assert!(player.advance(at(13.0)).expect("it plays").ended);
}

#[test]
fn time_that_is_held_does_not_count() {
    let (recording, _) = at_work(5, None, 4);
    let mut player = player(&recording);
    player.play(at(0.0));
    player.advance(at(1.0)).expect("it plays");
    player.hold(at(3.0));
    player.advance(at(3.5)).expect("it plays");
    assert_eq!(player.position(), Moment(1_500_000));
}

/// One second of changes, 100 s of nothing but the same picture now and then, a change, 30 s of nothing.
fn idle() -> Recording {
    let mut maker = Maker::new(desktop(50, 40, 1));
    maker.fill(SECOND, Area::new(0, 0, 5, 5), [1, 1, 1, 255]);
    for tenth in 1..10 {
        maker.picture((1 + tenth * 10) * SECOND);
        maker.put((2 + tenth * 10) * SECOND, Kept::Pointer(1, 2));
    }
    maker.fill(101 * SECOND, Area::new(0, 0, 5, 5), [2, 2, 2, 255]);
    maker.recording.length = 131 * SECOND;
    maker.recording
}

#[test]
fn what_is_idle_is_skipped() {
    let recording = idle();
    let mut player = player(&recording);
    player.skip_idle(Some(Duration::from_secs(5)), at(0.0));
    player.watch(true);
    player.play(at(0.0));
    player.advance(at(1.0)).expect("it plays");
    player.advance(at(1.4)).expect("it plays");
    assert_eq!(player.position(), Moment(1_400_000));
    assert_eq!(player.due(), Some(at(1.5)));
    player.advance(at(1.5)).expect("it plays");
    assert_eq!(player.position(), second(101));
    assert_shows(&player, &recording, 101 * SECOND);
    let step = player.advance(at(2.0)).expect("it plays");
    assert!(step.ended);
    assert_eq!(player.position(), second(131));
    let (first, last) = (
        Span { from: Moment(1_500_000), to: second(101) },
        Span { from: Moment(101_500_000), to: second(131) },
    );
    assert_eq!(player.skipped().as_slice(), [first, last]);
    let watched = player.watched().as_slice();
    assert_eq!(watched[0], Span { from: Moment(0), to: Moment(1_500_000) });
    assert_eq!(watched[1], Span { from: second(101), to: Moment(101_500_000) });
}

#[test]
fn what_is_idle_is_played_unless_it_is_to_be_skipped() {
    let recording = idle();
    let mut player = player(&recording);
    player.play(at(0.0));
    player.advance(at(60.0)).expect("it plays");
    assert_eq!(player.position(), second(60));
    player.skip_idle(Some(Duration::from_secs(5)), at(60.0));
    player.advance(at(60.0)).expect("it plays");
    assert_eq!(player.position(), second(101), "it stood on what is idle");
    player.skip_idle(None, at(60.0));
    player.advance(at(70.0)).expect("it plays");
    assert_eq!(player.position(), second(111));
}

#[test]
fn pauses_of_the_recording_are_short_and_marks_are_told() {
    let mut maker = Maker::new(desktop(50, 40, 1));
    maker.put(2 * SECOND, Kept::Marker("violation", "a file was copied"));
    maker.put(3 * SECOND, Kept::Paused);
    maker.picture(600 * SECOND);
    maker.put(601 * SECOND, Kept::Gap("12 bytes"));
    maker.picture(602 * SECOND);
    maker.put(603 * SECOND, Kept::Bell);
    maker.recording.length = 604 * SECOND;
    let mut player = player(&maker.recording);
    player.play(at(0.0));
    player.advance(at(3.4)).expect("it plays");
    assert_eq!(player.position(), Moment(3_400_000));
    player.advance(at(3.5)).expect("it plays");
    assert_eq!(player.position(), second(600));
    player.advance(at(5.0)).expect("it plays");
    assert_eq!(player.position(), Moment(601_500_000), "a gap of a second is not shortened");
    assert!(player.advance(at(6.5)).expect("it plays").bell);
    let marks = player.marks().as_slice();
    assert_eq!(marks.len(), 3);
    assert_eq!(marks[0].kind, MarkKind::Marker("violation".to_owned()));
    assert_eq!((&marks[1].kind, marks[1].until), (&MarkKind::Paused, Some(second(600))));
    assert_eq!((&marks[2].kind, marks[2].until), (&MarkKind::Gap, Some(second(602))));
}

#[test]
fn a_recording_without_pictures_is_black_and_ends() {
    for length in [0, 3 * SECOND] {
        let mut player = player(&Recording { length, ..Recording::default() });
        assert!(player.screen().pixels().is_empty());
        player.play(at(0.0));
        assert!(player.advance(at(5.0)).expect("it plays").ended);
        player.seek(second(9), at(6.0)).expect("the end");
        assert_eq!(player.position(), Moment(length));
    }
}

#[test]
fn what_is_seen_first_is_seen_from_the_beginning() {
    let mut recording = at_work(2, None, 5).0;
    recording.scenes.iter_mut().for_each(|(at, _)| at.0 += SECOND);
    recording.length += SECOND;
    let mut player = player(&recording);
    assert_shows(&player, &recording, 0);
    player.seek(second(3), at(0.0)).expect("on");
    player.seek(Moment(1), at(0.0)).expect("back");
    assert_shows(&player, &recording, 0);
    player.play(at(0.0));
    player.advance(at(1.5)).expect("it plays");
    assert_shows(&player, &recording, 1_500_001);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn going_somewhere_is_as_playing_there(
        seed in 0_u64..4,
        resized in prop::option::of(1_u64..7),
        steps in prop::collection::vec((0_u64..9 * SECOND, 0_u64..2 * SECOND, 0.25_f64..16.0), 1..8),
    ) {
        let (recording, _) = at_work(8, resized, seed);
        let mut player = player(&recording);
        let mut now = Duration::ZERO;
        for (to, wait, speed) in steps {
            player.seek(Moment(to), now).expect("there");
            assert_shows(&player, &recording, to.min(recording.length));
            player.set_speed(Speed::new(speed), now);
            player.play(now);
            now += Duration::from_micros(wait);
            player.advance(now).expect("it plays");
            assert_shows(&player, &recording, player.position().0);
            let due = (to + (wait as f64 * speed) as u64).min(recording.length);
            prop_assert!(player.position().0.abs_diff(due) <= 1_000);
        }
    }
}
