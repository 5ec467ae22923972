//! Replaying recordings to viewers.

#[path = "../../../streamspace-rfb/tests/support/desktop.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "shared with the suites of streamspace-rfb")]
mod desktop;

mod bridge;
mod recording;
mod serving;
mod small;
mod timeline;
mod viewing;
mod watcher;
