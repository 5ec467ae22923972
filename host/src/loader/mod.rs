//! From a file to a plugin's root.

mod library;

pub use self::library::{Library, LoadError};
