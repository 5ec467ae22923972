//! When the desktop is asked, and what for.

use std::{
    sync::atomic::Ordering::Relaxed,
    thread,
    time::{Duration, Instant},
};

use streamspace_rfb::{
    Area, Encoding, Limits,
    message::{Fence, ServerMessage},
};
use streamspace_session_recorder::capture::{Options, Pace, Settings};

use crate::{
    often, patient,
    support::{
        conversation::assert_same,
        made_up::{ALL, DEADLINE, Said, view, view_by_clock},
        reel::Kept,
    },
};

#[test]
fn the_desktop_is_not_asked_more_often_than_wanted() {
    let options = Options { frames_per_second: 50, ..Options::default() };
    let seen = view_by_clock(patient(), options, |desktop, control, clock| {
        desktop.begin();
        for round in 1..20_u8 {
            let due = u64::from(round) * 20_000;
            clock.set(due - 1);
            desktop.unasked();
            clock.set(due);
            assert_eq!(desktop.request(), Some(true));
            desktop.fill(Area::new(1, 1, 5, 5), round);
        }
        desktop.taken();
        control.stop();
        desktop.until_gone();
    });
    assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
}

#[test]
fn a_desktop_that_answers_nothing_new_is_asked_more_seldom() {
    let options = Options { frames_per_second: 100, ..Options::default() };
    let seen = view_by_clock(patient(), options, |desktop, control, clock| {
        desktop.begin();
        let mut at = 10_000;
        clock.set(at);
        desktop.request();
        for milliseconds in [20, 40, 80, 160, 320, 640, 1_000, 1_000] {
            desktop.send(&ServerMessage::Update { rects: 0 }.to_bytes());
            desktop.taken();
            at += milliseconds * 1_000;
            clock.set(at - 1);
            desktop.unasked();
            clock.set(at);
            assert_eq!(desktop.request(), Some(true));
        }
        // What is new is asked for as often as before again.
        for milliseconds in [1_000, 10, 10] {
            desktop.fill(Area::new(1, 1, 5, 5), 9);
            desktop.taken();
            at += milliseconds * 1_000;
            clock.set(at - 1);
            desktop.unasked();
            clock.set(at);
            assert_eq!(desktop.request(), Some(true));
        }
        control.stop();
        desktop.until_gone();
    });
    assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
}

#[test]
fn the_whole_screen_comes_when_it_is_wanted() {
    let seen = view(patient(), often(), None, |desktop, control| {
        desktop.begin();
        assert_eq!(desktop.request(), Some(true));
        // Not answered: nothing has changed.
        control.resync();
        assert_eq!(desktop.request(), Some(false));
        desktop.fill(ALL, 8);
        desktop.request();
        control.stop();
        desktop.until_gone();
    });
    assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
    assert!(seen.reel.count(|scene| matches!(scene, Kept::Picture { .. })) >= 2);
}

#[test]
fn another_size_has_the_whole_screen_asked_for() {
    let seen = view(patient(), often(), None, |desktop, control| {
        desktop.begin();
        desktop.request();
        desktop.screen.resize(30, 20, &Limits::default()).expect("small");
        desktop.rect(Area::new(0, 0, 30, 20), Encoding::DESKTOP_SIZE);
        assert_eq!(desktop.request(), Some(false));
        desktop.fill(Area::new(0, 0, 30, 20), 5);
        assert_eq!(desktop.request(), Some(true));
        // The same size again is nothing new.
        desktop.rect(Area::new(0, 0, 30, 20), Encoding::DESKTOP_SIZE);
        assert_eq!(desktop.request(), Some(true));
        control.stop();
        desktop.until_gone();
    });
    assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
}

#[test]
fn a_pause_asks_for_nothing_and_goes_on_with_the_whole_screen() {
    let seen = view_by_clock(patient(), often(), |desktop, control, clock| {
        desktop.begin();
        clock.set(1_000);
        desktop.request();
        control.pause(true);
        let end = Instant::now() + DEADLINE;
        while !desktop.paused.load(Relaxed) {
            assert!(Instant::now() < end, "it does not pause");
            thread::sleep(Duration::from_millis(1));
        }
        // What was asked for before still comes.
        desktop.fill(Area::new(5, 5, 9, 9), 100);
        desktop.taken();
        // Long after one that would ask had asked.
        clock.set(60_000_000);
        desktop.unasked();
        control.pause(false);
        assert_eq!(desktop.request(), Some(false));
        desktop.fill(ALL, 101);
        desktop.taken();
        clock.set(60_001_000);
        desktop.request();
        control.stop();
        desktop.until_gone();
    });
    assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
    let paused = seen.reel.scenes.iter().position(|(_, scene)| *scene == Kept::Paused).expect("a pause");
    assert!(matches!(&seen.reel.scenes[paused + 1].1, Kept::Picture { pixels, .. } if pixels[0][0] == 101));
    let secret = seen.reel.count(|scene| match scene {
        Kept::Picture { pixels, .. } | Kept::Patch { pixels, .. } => {
            pixels.iter().any(|pixel| pixel[0] == 100)
        }
        _ => false,
    });
    assert_eq!(secret, 0, "what was seen during the pause is kept");
}

#[test]
fn updates_come_by_themselves_where_the_desktop_can() {
    let settings = Settings { pace: Pace::Continuous, ..patient() };
    let seen = view(settings, often(), None, |desktop, control| {
        desktop.begin();
        assert!(desktop.encodings.contains(&Encoding::CONTINUOUS_UPDATES));
        desktop.say(&ServerMessage::Fence(Fence { flags: Fence::REQUEST | Fence::BEFORE, payload: b"hi" }));
        desktop.say(&ServerMessage::EndOfContinuousUpdates);
        let (mut fenced, mut enabled) = (false, false);
        while !(fenced && enabled) {
            match desktop.next().expect("a viewer") {
                Said::Fence { flags, payload } => {
                    fenced = true;
                    assert_eq!((flags, &*payload), (Fence::BEFORE, &b"hi"[..]));
                }
                Said::Continuous { enable, area } => {
                    enabled = true;
                    assert_eq!((enable, area), (true, ALL));
                }
                _ => {}
            }
        }
        for red in 10..20 {
            desktop.fill(Area::new(3, 3, 9, 9), red);
        }
        desktop.screen.resize(30, 20, &Limits::default()).expect("small");
        desktop.rect(Area::new(0, 0, 30, 20), Encoding::DESKTOP_SIZE);
        let area = Area::new(0, 0, 30, 20);
        while desktop.next().expect("a viewer") != (Said::Continuous { enable: true, area }) {}
        control.pause(true);
        while desktop.next().expect("a viewer") != (Said::Continuous { enable: false, area }) {}
        desktop.say(&ServerMessage::EndOfContinuousUpdates);
        control.pause(false);
        while desktop.next().expect("a viewer") != (Said::Continuous { enable: true, area }) {}
        desktop.fill(area, 77);
        desktop.say(&ServerMessage::Fence(Fence { flags: Fence::REQUEST, payload: b"" }));
        while !matches!(desktop.next().expect("a viewer"), Said::Fence { .. }) {}
        control.stop();
        while desktop.next().is_some() {}
    });
    assert_same(seen.reel.screen().as_ref(), &seen.desktop.screen);
    assert!(seen.desktop.requests <= 4, "{} requests", seen.desktop.requests);
}
