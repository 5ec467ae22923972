//! From a file to a plugin's root.

mod library;
mod probe;

pub use self::{
    library::{Library, LoadError},
    probe::{ProbeError, probe, probed},
};
