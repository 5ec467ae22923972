//! What the suites share.

#![allow(dead_code, clippy::allow_attributes, reason = "no suite uses all of it")]

pub(crate) mod ebml;
pub(crate) mod ffmpeg;
pub(crate) mod reel;
