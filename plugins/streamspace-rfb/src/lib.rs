//! The protocol of VNC, RFB.

#![forbid(unsafe_code)]

pub mod message;

mod encoding;
mod error;
mod geometry;
mod limits;
mod pixel;
mod wire;

pub use self::{
    encoding::Encoding,
    error::Error,
    geometry::{Area, Screen},
    limits::Limits,
    pixel::PixelFormat,
};
