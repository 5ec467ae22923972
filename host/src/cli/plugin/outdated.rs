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
        views.retain(|view| self.all || is_of_interest(view));
        global.answer(&views, |views| match views.as_slice() {
            [] => "Nothing newer is known. `streamspace catalog sync` asks the catalogues.".to_owned(),
            views => views.iter().map(line).collect(),
        })
    }
}

fn is_of_interest(view: &OutdatedView) -> bool {
    let is_newer = |newest: &String| match (newest.parse::<semver::Version>(), view.installed.parse()) {
        (Ok(newest), Ok(installed)) => newest > installed,
        _ => true,
    };
    view.warning.is_some() || view.newest.as_ref().is_some_and(is_newer)
}

fn line(view: &OutdatedView) -> String {
    let fitting = match (&view.fitting, &view.newest) {
        _ if view.pinned => "pinned".to_owned(),
        (Some(fitting), _) => format!("{fitting} fits"),
        (None, Some(_)) => "nothing newer fits".to_owned(),
        (None, None) => "in no catalogue".to_owned(),
    };
    let newest = view.newest.as_ref().map_or(String::new(), |newest| format!(", {newest} is the newest"));
    let catalog = view.catalog.as_ref().map_or(String::new(), |name| format!(" ({name})"));
    let warning = view.warning.as_ref().map_or(String::new(), |warning| format!("; {warning}"));
    format!("{} {}: {fitting}{newest}{catalog}{warning}\n", view.name, view.installed)
}
