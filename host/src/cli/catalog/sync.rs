//! `streamspace catalog sync [NAME]`

use anyhow::bail;
use clap::Args;

use super::{super::target::Target, Global};
use crate::catalog::{SyncOutcome, SyncView};

#[derive(Debug, Args)]
pub(in crate::cli) struct Sync {
    /// The catalogue's name; without it all are synced
    name: Option<String>,
}

impl Sync {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let views = target.sync_catalogs(self.name.as_deref())?;
        global.answer(&views, |views| match views.as_slice() {
            [] => "There is no catalogue to sync.".to_owned(),
            views => views.iter().map(line).collect(),
        })?;
        let failed: Vec<_> = views.iter().filter_map(|view| view.error.as_deref()).collect();
        if !failed.is_empty() {
            bail!("{} of {} catalogues were not synced", failed.len(), views.len());
        }
        Ok(())
    }
}

fn line(view: &SyncView) -> String {
    let version = view.version.unwrap_or(0);
    let plugins = view.plugins.unwrap_or(0);
    match view.outcome {
        SyncOutcome::Updated => format!("{}: index {version}, {plugins} plugins\n", view.catalog),
        SyncOutcome::Unchanged => format!("{}: index {version} is the newest\n", view.catalog),
        SyncOutcome::Failed => {
            let (error, code) =
                (view.error.as_deref().unwrap_or_default(), view.code.as_deref().unwrap_or_default());
            format!("{}: {error} ({code})\n", view.catalog)
        }
    }
}
