//! The platform itself: desktop sessions, and what plugins are given of it (`platform/1`).

mod capability;
mod directory;
pub mod sessions;

pub(crate) use self::capability::{PluginPlatform, open as open_platform};
pub use self::directory::{NoUsers, UserFilter, UserPage, UserRecord, Users};
