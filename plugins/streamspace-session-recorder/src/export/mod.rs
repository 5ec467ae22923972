//! Recordings in the forms of others, made of any [`Source`](crate::scene::Source).

pub mod fbs;
pub mod webm;
