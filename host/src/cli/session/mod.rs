//! `streamspace session …`

mod create;
mod delete;
mod list;
mod share;
mod show;
mod transition;
mod unshare;

use clap::Subcommand;

use super::{Global, target::Target};
use crate::{config::Overrides, platform::sessions::SessionView};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List sessions, the newest first
    List(list::List),
    /// Show one
    Show(show::Show),
    /// Make one, which is pending until a controller makes its desktop
    Create(create::Create),
    /// Have one go, for good
    Delete(delete::Delete),
    /// Have one take a step to another state
    Transition(transition::Transition),
    /// Let another user use one
    Share(share::Share),
    /// Let another user use one no longer
    Unshare(unshare::Unshare),
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let target = Target::find(&global.load(Overrides::default())?)?;
        let client = target.running("sessions change while a host runs")?;
        match self {
            Self::List(verb) => verb.run(global, client),
            Self::Show(verb) => verb.run(global, client),
            Self::Create(verb) => verb.run(global, client),
            Self::Delete(verb) => verb.run(global, client),
            Self::Transition(verb) => verb.run(global, client),
            Self::Share(verb) => verb.run(global, client),
            Self::Unshare(verb) => verb.run(global, client),
        }
    }
}

/// `s1  running  ada  firefox  2026-01-31T12:00:00Z`
fn line(session: &SessionView) -> String {
    let SessionView { id, state, owner, template, created_at, .. } = session;
    format!("{id}  {state:10}  {owner}  {template}  {created_at}")
}
