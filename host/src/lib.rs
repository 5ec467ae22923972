//! The StreamSpace plugin host.
//!
//! See `ARCHITECTURE.md` for the floors of this house and how data flows through it.

pub mod config;
pub mod events;
mod handles;
pub mod log;
pub mod outbound;
