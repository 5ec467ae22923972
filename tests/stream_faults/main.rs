//! What becomes of a stream when something is wrong with either end: it ends for its own viewer, with a reason and an event, and
//! for nobody else.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod costs;
mod desktops;
mod ends;
mod idleness;
mod looking_on;
