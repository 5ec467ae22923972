//! `streamspace catalog show NAME`

use std::fmt::Write;

use clap::Args;

use super::{super::target::Target, Global};
use crate::catalog::{CatalogEntry, ReleaseView};

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The plugin's name
    name: String,
}

impl Show {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let entry = target.catalog_entry(&self.name)?;
        global.answer(&entry, words)
    }
}

fn words(entry: &CatalogEntry) -> String {
    let plugin = &entry.plugin;
    let mut text = format!("{} {}: {}\n", plugin.name, plugin.version, plugin.display_name);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{name:<12} {value}");
        }
    };
    line("what", &plugin.description);
    line("author", plugin.author.as_deref().unwrap_or_default());
    line("licence", plugin.license.as_deref().unwrap_or_default());
    line("homepage", plugin.homepage.as_deref().unwrap_or_default());
    line("catalogue", &plugin.catalog);
    line("also in", &plugin.also_in.join(", "));
    line("category", &plugin.category);
    line("type", &plugin.kind);
    line("tags", &plugin.tags.join(", "));
    line("installed", plugin.installed.as_deref().unwrap_or("no"));
    if plugin.rating_count > 0 {
        line("rating", &format!("{} of 5, by {}", plugin.avg_rating, plugin.rating_count));
    }
    if !plugin.installable {
        line("note", "it is listed only: it has no native code for this host, and cannot be installed");
    }
    for release in &entry.versions {
        text.push_str(&release_words(release));
    }
    for review in &entry.reviews {
        let _ = writeln!(text, "\n{} gave {} of 5: {}", review.user, review.rating, review.review);
    }
    text
}

fn release_words(release: &ReleaseView) -> String {
    let mut text = format!("\n{}  {}\n", release.version, release.released_at);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {name:<12} {value}");
        }
    };
    let listed = |all: &std::collections::BTreeMap<String, String>| {
        all.iter().map(|(name, range)| format!("{name} {range}")).collect::<Vec<_>>().join(", ")
    };
    line("withdrawn", release.yanked.as_deref().unwrap_or_default());
    line("for", &release.targets.join(", "));
    line("needs", &listed(&release.dependencies));
    line("not beside", &listed(&release.conflicts));
    line("permissions", &release.permissions.join(", "));
    for changed in release.changelog.lines() {
        let _ = writeln!(text, "  {changed}");
    }
    text
}
