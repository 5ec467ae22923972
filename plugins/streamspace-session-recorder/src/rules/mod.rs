//! What is decided by rules alone: nothing here knows a database, a file or a clock.

pub(crate) mod policy;
pub(crate) mod quota;
pub(crate) mod retention;
pub(crate) mod rights;
pub(crate) mod state;
