//! Plugins' keys and values, on both backends: what they are, what becomes of them when several write at once, and what when
//! the host or the disk ends.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod concurrency;
mod crash;
mod model;
mod openings;
mod outage;
mod quota;
mod rules;
mod support;
