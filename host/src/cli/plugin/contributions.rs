//! `streamspace plugin contributions NAME`

use clap::Args;

use super::{super::target::Target, Global};
use crate::ui::{Common, ContributionsView, PageView, WidgetView};

#[derive(Debug, Args)]
pub(in crate::cli) struct ListContributions {
    /// The plugin
    name: String,
}

impl ListContributions {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let list = target.contributions(&self.name)?;
        global.answer(&list, |list| {
            if list.is_empty() {
                return format!("{} shows nothing in the console now.", self.name);
            }
            lines(list).join("\n")
        })
    }
}

/// A line for each: what it is, who sees it, what it is called, where it is.
fn lines(list: &ContributionsView) -> Vec<String> {
    let line = |kind: &str, common: &Common, title: &str, place: &str| {
        let who = common.permissions.join(", ");
        let who = if who.is_empty() { "signed in" } else { &who };
        format!("{kind:13}  {:24}  {who:12}  {title}  {place}", common.id)
    };
    let widget = |kind: &str, one: &WidgetView| {
        let place = format!("({}, {})", one.position.as_str(), one.width.as_str());
        line(kind, &one.common, &one.title, &place)
    };
    let page = |kind: &str, one: &PageView| line(kind, &one.common, &one.title, &one.path);
    let widgets = list.widgets.iter().map(|one| widget("widget", one));
    let admin_widgets = list.admin_widgets.iter().map(|one| widget("admin widget", one));
    let pages = list.pages.iter().map(|one| page("page", one));
    let admin_pages = list.admin_pages.iter().map(|one| page("admin page", one));
    let menu = list.menu_items.iter().map(|one| line("menu item", &one.common, &one.label, &one.path));
    let settings = list.settings_pages.iter().map(|one| page("settings page", one));
    widgets.chain(admin_widgets).chain(pages).chain(admin_pages).chain(menu).chain(settings).collect()
}
