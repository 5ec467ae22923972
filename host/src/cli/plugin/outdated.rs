//! `streamspace plugin outdated`

use clap::Args;

use super::{super::target::Target, Global};
use crate::install::OutdatedView;

#[derive(Debug, Args)]
pub(in crate::cli) struct Outdated {
    /// List those too for which there is nothing newer
    #[arg(long)]
    all: bool,
}

impl Outdated {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let mut views = target.outdated()?;
        views.retain(|view| self.all || view.warning.is_some() || view.is_outdated());
        global.answer(&views, |views| match views.as_slice() {
            [] => "Nothing newer is known. `streamspace catalog sync` asks the catalogues.".to_owned(),
            views => views.iter().map(line).collect(),
        })
    }
}

fn line(view: &OutdatedView) -> String {
    let fitting = match (&view.fitting, &view.newest) {
        _ if view.pinned => "pinned".to_owned(),
        (Some(fitting), _) => format!("{fitting} fits"),
        (None, Some(_)) if view.is_outdated() => "nothing newer fits".to_owned(),
        (None, Some(_)) => "it is up to date".to_owned(),
        (None, None) => "in no catalogue".to_owned(),
    };
    let newest = view.newest.as_ref().map_or(String::new(), |newest| format!(", {newest} is the newest"));
    let catalog = view.catalog.as_ref().map_or(String::new(), |name| format!(" ({name})"));
    let warning = view.warning.as_ref().map_or(String::new(), |warning| format!("; {warning}"));
    format!("{} {}: {fitting}{newest}{catalog}{warning}\n", view.name, view.installed)
}
