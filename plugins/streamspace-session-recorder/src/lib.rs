//! Records what happens on the screens of sessions, keeps it, and plays it again.
//!
//! ```text
//! capture ──▶ scene ──▶ store ──▶ scene ──▶ replay, export
//! ```
//!
//! `scene` is the one form in which a recording passes from part to part: `capture` makes it of a session's stream, `store` keeps
//! it, `replay` and `export` read it.
#![forbid(unsafe_code)]

pub mod export;
pub mod scene;
