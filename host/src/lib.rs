pub mod config;
pub mod outbound;
