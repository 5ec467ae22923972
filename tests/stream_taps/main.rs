//! `streams/1`: what plugins see of streams, what becomes of viewers while plugins are slow, fail and go, and plugins' own
//! connections to desktops.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod connections;
mod faults;
mod following;
mod plugin;
mod viewed;
