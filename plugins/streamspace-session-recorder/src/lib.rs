//! Records what happens on the screens of sessions, keeps it, and plays it again.
//!
//! ```text
//! capture ──▶ scene ──▶ store ──▶ scene ──▶ replay, export
//! ```
//!
//! `scene` is the one form in which a recording passes from part to part: `capture` makes it of a session's stream, `store` keeps
//! it, `replay` and `export` read it.
//!
//! ```text
//! routes, watch ──▶ start ──▶ desk ──▶ studio (capture, store, replay, export)
//!       │              │        │
//!       ▼              ▼        ▼
//!     rules          rules    tables
//! ```
//!
//! `rules` decide, and know nothing but what they are given. `desk` has what runs. `studio` is the one place where the plugin meets
//! what records. `tidy` deletes, `lost` finds what was lost, and `mount` tells whether it is. `exporting` makes files of recordings.
#![forbid(unsafe_code)]

pub mod capture;
mod config;
mod contained;
mod decoding;
mod desk;
mod ending;
pub mod export;
mod exporting;
mod lock;
mod lost;
mod master;
mod mount;
mod page;
mod plugin;
mod private;
pub mod replay;
mod replays;
mod rewrap;
mod routes;
mod rules;
pub mod scene;
mod start;
pub mod store;
mod studio;
mod tables;
mod tidy;
mod ui;
mod watch;

pub(crate) use plugin::SessionRecorder;
