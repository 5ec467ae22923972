//! The StreamSpace plugin host.
//!
//! See `ARCHITECTURE.md` for the floors of this house and how data flows through it.

#![warn(missing_docs)]

/// Of the host and all that links it: plugins bring their own, and what crosses is freed by whoever made it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod app;
pub mod backup;
mod blocking;
pub mod catalog;
pub mod cli;
mod clock;
pub mod config;
pub mod database;
pub mod events;
pub mod figures;
mod handles;
mod hex;
pub mod http;
pub mod install;
pub mod loader;
pub mod log;
pub mod metrics;
pub mod outbound;
pub mod packaging;
pub mod platform;
pub mod plugin_config;
pub mod postgres;
pub mod progress;
pub mod routes;
pub mod runtime;
pub mod scheduler;
pub mod storage;
pub mod store;
pub mod streams;
mod thread_name;
pub mod tickets;
mod topic;
pub mod ui;
pub mod websocket;
