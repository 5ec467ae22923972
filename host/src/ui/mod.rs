//! The host's half of `ui/1`: what plugins show in the console.
//!
//! Here it is data: checked when a plugin is loaded, listed for those who may see it, gone with the plugin. The console draws it.

mod assets;
mod check;
mod declared;
mod error;
mod list;
mod view;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use streamspace_plugin::ui::ContributionSpec;

pub use self::{
    assets::{Asset, Assets},
    declared::Declared,
    error::UiError,
    list::{Common, ComponentView, ContributionsView, MenuItemView, PageView, WidgetView},
};
use crate::routes::Caller;

/// What all plugins that run contribute.
#[derive(Debug, Default)]
pub struct Contributions {
    // Read for each request, written when a plugin comes or goes: readers take no lock.
    plugins: ArcSwap<HashMap<Arc<str>, Arc<PluginUi>>>,
    writer: Mutex<()>,
}

/// What one plugin contributes.
#[derive(Debug)]
pub struct PluginUi {
    contributions: ContributionsView,
    assets: Assets,
}

impl PluginUi {
    /// Checks what a plugin's code registers and what its manifest declares.
    pub(crate) fn new(
        plugin: &str,
        registered: &[ContributionSpec],
        declared: &Declared,
        assets: Assets,
    ) -> Result<Self, UiError> {
        let contributions = check::contributions(plugin, registered, declared, Some(&assets))?;
        Ok(Self { contributions, assets })
    }

    /// The files that browsers are given.
    #[must_use]
    pub fn assets(&self) -> &Assets {
        &self.assets
    }
}

impl Contributions {
    /// Shows what a plugin contributes, from now on.
    pub(crate) fn insert(&self, plugin: &Arc<str>, ui: &Arc<PluginUi>) {
        self.change(|plugins| drop(plugins.insert(Arc::clone(plugin), Arc::clone(ui))));
    }

    /// Shows it no more.
    pub(crate) fn remove(&self, plugin: &str) {
        if self.plugins.load().contains_key(plugin) {
            self.change(|plugins| drop(plugins.remove(plugin)));
        }
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<Arc<str>, Arc<PluginUi>>)) {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut plugins = HashMap::clone(&self.plugins.load());
        change(&mut plugins);
        self.plugins.store(Arc::new(plugins));
    }

    /// A plugin's, if it runs.
    #[must_use]
    pub fn of(&self, plugin: &str) -> Option<Arc<PluginUi>> {
        self.plugins.load().get(plugin).cloned()
    }

    /// All of a plugin's, for operators.
    #[must_use]
    pub fn views(&self, plugin: &str) -> ContributionsView {
        self.of(plugin).map(|ui| ui.contributions.clone()).unwrap_or_default()
    }

    /// What this caller may see of all plugins'.
    #[must_use]
    pub fn shown_to(&self, caller: &Caller) -> ContributionsView {
        let mut shown = ContributionsView::default();
        for ui in self.plugins.load().values() {
            shown.add(&ui.contributions, |common| caller.may(&common.permissions));
        }
        shown.sort();
        shown
    }
}

#[cfg(test)]
mod tests {
    use streamspace_plugin::ui::ContributionKind;

    use super::*;

    fn insert(contributions: &Contributions, plugin: &str, widgets: &[(&str, u32, &[&str])]) {
        let specs = widgets.iter().flat_map(|(id, order, permissions)| {
            [ContributionKind::WIDGET, ContributionKind::ADMIN_WIDGET].map(|kind| {
                let mut spec = ContributionSpec::new(kind, id, "Title");
                spec.view = br#"{"type":"markdown","text":"x"}"#.to_vec().into();
                spec.order = Some(*order).into();
                spec.permissions = permissions.iter().map(|permission| (*permission).into()).collect();
                spec
            })
        });
        let specs: Vec<_> = specs.collect();
        let ui = PluginUi::new(plugin, &specs, &Declared::default(), Assets::default()).expect("valid");
        contributions.insert(&plugin.into(), &Arc::new(ui));
    }

    fn ids(widgets: &[WidgetView]) -> Vec<String> {
        widgets.iter().map(|widget| format!("{}/{}", widget.common.plugin, widget.common.id)).collect()
    }

    #[test]
    fn a_caller_sees_what_is_permitted_of_all_plugins_in_one_order() {
        let contributions = Contributions::default();
        insert(&contributions, "p-2", &[("open", 5, &[]), ("closed", 1, &["usage.read"])]);
        insert(&contributions, "p-1", &[("open", 5, &[]), ("last", 6, &[])]);
        let admin = contributions.shown_to(&Caller::admin());
        let all = ["p-2/closed", "p-1/open", "p-2/open", "p-1/last"];
        assert_eq!(
            (ids(&admin.widgets), ids(&admin.admin_widgets)),
            (all.map(str::to_owned).to_vec(), all.map(str::to_owned).to_vec())
        );
        let other = contributions.shown_to(&Caller::nobody());
        assert_eq!(ids(&other.widgets), ["p-1/open", "p-2/open", "p-1/last"]);
        assert!(other.admin_widgets.is_empty());
        contributions.remove("p-1");
        assert_eq!(ids(&contributions.shown_to(&Caller::admin()).widgets), ["p-2/closed", "p-2/open"]);
    }
}
