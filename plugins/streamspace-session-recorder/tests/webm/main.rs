//! Recordings as video, seen by FFmpeg and by a reader of the file's form.

mod frames;
mod refused;
mod shown;
#[path = "../support/mod.rs"]
mod support;
mod video;
