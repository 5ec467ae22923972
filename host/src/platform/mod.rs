//! The platform that plugins extend: who uses it, and who may do what.

pub mod access;
pub mod users;
