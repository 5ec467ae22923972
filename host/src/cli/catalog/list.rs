//! `streamspace catalog list`

use clap::Args;

use super::{super::target::Target, Global};
use crate::catalog::CatalogView;

#[derive(Debug, Args)]
pub(in crate::cli) struct List {}

impl List {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let views = target.catalogs()?;
        global.answer(&views, |views| {
            if views.is_empty() {
                return "There is no catalogue. `streamspace catalog add URL --key KEY` adds one.".to_owned();
            }
            views.iter().map(line).collect()
        })
    }
}

fn line(view: &CatalogView) -> String {
    let state = match (view.imported, view.expired, &view.failure) {
        (true, ..) => "imported: nothing of it can be installed".to_owned(),
        (_, true, _) => "expired: nothing of it is installed until it is synced".to_owned(),
        (_, _, Some(why)) => format!("the last sync failed: {why}"),
        _ => format!("index {}, synced {}", view.version, view.synced_at),
    };
    format!("{}  {}  {} plugins  {state}\n", view.name, view.location, view.plugins)
}
