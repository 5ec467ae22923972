//! `streamspace catalog search [TEXT]`

use clap::Args;

use super::{super::target::Target, Global};
use crate::catalog::{CatalogPage, CatalogPlugin, Search, Sort};

#[derive(Debug, Args)]
pub(in crate::cli) struct SearchPlugins {
    /// Words that all stand in the name, the description or a tag
    text: Vec<String>,
    /// Those of this category
    #[arg(long)]
    category: Option<String>,
    /// Those with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Those of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// The order
    #[arg(long, value_enum, default_value_t = Sort::Popular)]
    sort: Sort,
    /// How many of the first are left out
    #[arg(long, default_value_t = 0)]
    skip: usize,
    /// How many at most, up to 200
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

impl SearchPlugins {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let search = Search {
            text: (!self.text.is_empty()).then(|| self.text.join(" ")),
            category: self.category.clone(),
            tag: self.tag.clone(),
            kind: self.kind.clone(),
            sort: self.sort,
            skip: self.skip,
            limit: self.limit.min(200),
        };
        let page = target.search_catalogs(&search)?;
        global.answer(&page, words)
    }
}

fn words(page: &CatalogPage) -> String {
    if page.plugins.is_empty() {
        return "Nothing was found.".to_owned();
    }
    let mut text: String = page.plugins.iter().map(line).collect();
    if page.total > page.plugins.len() as u64 {
        text.push_str(&format!(
            "{} of {}; `--skip` and `--limit` show others.\n",
            page.plugins.len(),
            page.total
        ));
    }
    text
}

fn line(plugin: &CatalogPlugin) -> String {
    let installed =
        plugin.installed.as_ref().map_or(String::new(), |version| format!("  installed: {version}"));
    let code = if plugin.installable { "" } else { "  listed only: no native code" };
    format!(
        "{} {}  {}  ({}){installed}{code}\n",
        plugin.name, plugin.version, plugin.display_name, plugin.catalog
    )
}
