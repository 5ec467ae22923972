//! Messages as they are sent, as files: one for each topic, and those that are at every limit.

use std::{env, fs, path::Path};

use streamspace_notifier::{
    Field, Severity,
    testing::{Sample, golden},
};
use uuid::Uuid;

use super::*;
use crate::{
    config::{Mention, tests::target},
    rules::assert_within_limits,
};

#[test]
fn golden_messages() {
    golden(env!("CARGO_MANIFEST_DIR"), |sample| {
        let message = render::message(&sample.notification(), &target());
        assert_within_limits(&message);
        message
    });
}

/// The files are what `scripts/messages` holds against Discord's own packages.
#[test]
fn extreme_messages() {
    let long = "🦀 *long* @everyone ".repeat(500);
    let longest = || Notification {
        severity: Severity::Critical,
        title: long.clone(),
        summary: long.clone(),
        topic: long.clone(),
        fields: vec![Field { label: long.clone(), value: long.clone() }; 30],
        ..Sample::new("session.failed", json!({"id": "s-1", "url": "https://streamspace.example.com/s-1"}))
            .notification()
    };
    let mention = Some(Mention::Role("800000000000000000".into()));
    let place = Place::Forum { name: "x".repeat(100), tags: vec!["900000000000000000".into()] };
    let style = config::Style { mention, place, username: "x".repeat(80), ..target() };
    let message = render::message(&longest(), &style);
    assert_is("posted/longest", &message);
    let nothing = Sample::new("session.created", json!({})).notification();
    assert_is("posted/shortest", &render::message(&nothing, &config::Style::default()));

    let line = |number| Line::of(Uuid::from_u128(number), &longest());
    let mut told = Told { message: "1".into(), thread: None, shown: line(1), earlier: Vec::new() };
    for number in 2..20 {
        told = told.telling(line(number));
    }
    assert_is("edited/longest", &told.edit(&message));
}

fn assert_is(name: &str, message: &Value) {
    assert_within_limits(message);
    let text = serde_json::to_string_pretty(message).expect("JSON") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("extremes").join(name).with_added_extension("json");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder is made");
        fs::write(&file, &text).expect("the file is written");
    }
    let golden = fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    assert_eq!(text, golden, "{} differs; if that is wanted: UPDATE_GOLDEN=1", file.display());
}
