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
        let contributions = check::contributions(plugin, registered, declared, &assets)?;
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
