//! `streamspace catalog …`

mod add;
mod build;
mod import;
mod list;
mod remove;
mod search;
mod show;
mod sync;

use clap::Subcommand;

use super::{Global, target::Target};
use crate::config::Overrides;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a catalogue: a URL, or a folder on the host's machine
    Add(add::Add),
    /// List the catalogues
    List(list::List),
    /// Remove a catalogue; what was installed from it stays
    Remove(remove::Remove),
    /// Read the indexes of the catalogues anew
    Sync(sync::Sync),
    /// Look for plugins in the catalogues
    Search(search::SearchPlugins),
    /// Show a plugin of the catalogues, its versions and what is new in them
    Show(show::Show),
    /// Read a list of the platform's plugins (catalog.yaml), which cannot be installed
    Import(import::Import),
    /// Build and sign the index of a folder with packages, for those who host a catalogue
    Build(build::Build),
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let target = || Target::find(&global.load(Overrides::default())?);
        match self {
            Self::Add(verb) => verb.run(global, &target()?),
            Self::List(verb) => verb.run(global, &target()?),
            Self::Remove(verb) => verb.run(&target()?),
            Self::Sync(verb) => verb.run(global, &target()?),
            Self::Search(verb) => verb.run(global, &target()?),
            Self::Show(verb) => verb.run(global, &target()?),
            Self::Import(verb) => verb.run(global, &target()?),
            Self::Build(verb) => verb.run(global),
        }
    }
}
