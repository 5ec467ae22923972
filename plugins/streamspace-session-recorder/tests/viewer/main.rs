//! One more viewer, with desktops that are made up: what it says, what it keeps, and how it ends.

mod garbage;
mod pace;
#[path = "../support/mod.rs"]
mod support;
mod talk;

use std::time::Duration;

use streamspace_session_recorder::capture::{Options, Settings};

fn often() -> Options {
    Options { frames_per_second: 1_000, ..Options::default() }
}

fn patient() -> Settings {
    Settings { look: Duration::from_millis(5), ..Settings::default() }
}
