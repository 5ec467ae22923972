//! `streamspace secrets …`

use clap::Subcommand;

use super::{Global, target::Target};
use crate::config::Overrides;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Seal all secrets in the database with a new key and forget the old one
    Rotate,
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let Self::Rotate = self;
        let rotated = Target::find(&global.load(Overrides::default())?)?.rotate_secret_key()?;
        global.answer(&rotated, |rotated| {
            format!("Sealed with a new key: {} configurations.", rotated["sealed"])
        })
    }
}
