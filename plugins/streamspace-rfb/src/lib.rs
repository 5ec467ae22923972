//! The protocol of VNC, RFB.

#![forbid(unsafe_code)]

pub mod message;

mod damage;
mod decode;
mod encode;
mod encoding;
mod error;
mod framebuffer;
mod geometry;
mod limits;
mod pixel;
mod wire;

pub use self::{
    damage::Damage,
    decode::{Applied, Cursor, Decoder, Layout},
    encode::Encoder,
    encoding::Encoding,
    error::Error,
    framebuffer::{Framebuffer, Pixel},
    geometry::{Area, Screen},
    limits::Limits,
    pixel::PixelFormat,
};
