//! WebSockets of plugins, as clients see them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod ends;
mod messages;
mod opening;
mod socket;
