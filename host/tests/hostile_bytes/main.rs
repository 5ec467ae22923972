//! Bytes from outside are read as what they are or refused with words: libraries, their notes, and manifests.
//!
//! `tests/fuzz/` looks for more of the same for as long as one wants; this is what every change has to pass.

mod costs;
mod formats;
mod libraries;
mod library;
mod manifests;
mod mutation;
mod seeds;
