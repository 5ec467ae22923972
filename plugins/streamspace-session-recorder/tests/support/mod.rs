//! What the suites share.

#![allow(dead_code, clippy::allow_attributes, reason = "no suite uses all of it")]

pub(crate) mod conversation;
#[path = "../../../streamspace-rfb/tests/support/desktop.rs"]
pub(crate) mod desktop;
pub(crate) mod ebml;
pub(crate) mod ffmpeg;
pub(crate) mod made_up;
mod owned;
pub(crate) mod reel;
#[path = "../../../streamspace-rfb/tests/support/viewer.rs"]
pub(crate) mod viewer;
#[path = "../../../streamspace-rfb/tests/support/xserver.rs"]
pub(crate) mod xserver;

#[allow(
    unused_imports,
    clippy::allow_attributes,
    reason = "not every suite has scenes that own what they have"
)]
pub(crate) use self::owned::*;
