//! Video of screens, for plugins: pixels to AV1, and AV1 to WebM.
//!
//! - [`Planes`] are a picture as video has it; areas of a screen are drawn on it.
//! - [`Encoder`] makes AV1 of pictures, each of which has a time of its own.
//! - [`Muxer`] writes it into a file that browsers play and seek in.
//!
//! # Why AV1 by `rav1e`
//!
//! A plugin is one library that loads everywhere, and is built by `cargo build` where there is a C compiler and nothing else.
//!
//! | encoder | for | against |
//! |---|---|---|
//! | **`rav1e`** (AV1) | Rust alone, BSD; what does not change costs a few hundred bytes; all browsers play it | the slowest; two to three times as fast with its assembler, which needs `nasm` where it is built |
//! | libvpx (VP8, VP9), SVT-AV1 | ten times as fast as `rav1e` without assembler | no crate brings the source in a form that a C compiler alone builds; of Debian, it has to be installed where the plugin is built |
//! | libwebp (key frames of VP8) | its source comes with a crate that `cc` builds | each frame is a whole picture, of some hundred kilobytes where a screen has text |
//!
//! Speed is what an export in the background has least need of, and nothing is encoded where nothing changes. With the feature
//! `assembler` it is to be had where `nasm` is. Figures are in `docs/performance.md`.
//!
//! This is a crate beside the plugin that uses it since most of `rav1e` is generic: it is compiled, for speed and for minutes, where
//! its types are named.
//!
//! # Why a muxer of its own
//!
//! `webm` wraps a library in C++, and what else there is reads, or writes any tree of elements and knows nothing of WebM. What a file
//! of one track consists of is two hundred lines.
#![forbid(unsafe_code)]

mod ebml;
mod encoder;
mod muxer;
mod planes;

pub use self::{
    encoder::{Encoder, Error, Packet, Settings},
    muxer::{Chapter, Muxer, Track},
    planes::Planes,
};
