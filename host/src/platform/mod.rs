//! The platform itself: who uses it and who may do what, desktop sessions, and what plugins are given of it
//! (`platform/1`).

pub mod access;
mod capability;
mod directory;
pub mod sessions;
pub mod users;

pub(crate) use self::capability::{PluginPlatform, open as open_platform};
pub use self::directory::{UserFilter, UserPage, UserRecord, Users};
