//! Catalogues, on a host that runs and on one that does not.

use std::path::Path;

use anyhow::anyhow;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use streamspace_package::PublicKey;

use super::{Client, Method, Target, UPGRADED};
use crate::{
    catalog::{
        CatalogEntry, CatalogError, CatalogPage, CatalogView, Catalogues, NewCatalog, Search, SyncView,
    },
    install::{
        CratesView, ExactVersion, Lock, LockError, LockPlan, OutdatedView, Plan, PlanError, PlanView,
        Planner, PluginView, wish,
    },
    progress::Quiet,
};

/// Makes a list of what is at `key`.
fn list<T: DeserializeOwned>(mut answer: Value, key: &str) -> anyhow::Result<Vec<T>> {
    Ok(serde_json::from_value(answer[key].take())?)
}

impl Target {
    fn on_catalogs<T>(
        &self,
        running: impl FnOnce(&Client) -> anyhow::Result<T>,
        stopped: impl FnOnce(&Catalogues) -> Result<T, CatalogError>,
    ) -> anyhow::Result<T> {
        match self {
            Self::Running(client) => running(client),
            Self::Stopped { database, config, .. } => {
                let catalogues = Catalogues::new(database.clone(), &config.data_dir, &config.catalog);
                stopped(&catalogues).map_err(|why| anyhow!("{why} ({})", why.code()))
            }
        }
    }

    fn planning<T>(
        &self,
        running: impl FnOnce(&Client) -> anyhow::Result<T>,
        stopped: impl FnOnce(Planner<'_>) -> Result<T, Coded>,
    ) -> anyhow::Result<T> {
        match self {
            Self::Running(client) => running(client),
            Self::Stopped { plugins, database, config, .. } => {
                let catalogues = Catalogues::new(database.clone(), &config.data_dir, &config.catalog);
                stopped(Planner::new(plugins, &catalogues)).map_err(|Coded(why)| why)
            }
        }
    }

    pub(in crate::cli) fn catalogs(&self) -> anyhow::Result<Vec<CatalogView>> {
        self.on_catalogs(
            |client| list(client.call(Method::Get, &["catalogs"], None)?, "catalogs"),
            Catalogues::list,
        )
    }

    pub(in crate::cli) fn add_catalog(
        &self,
        location: &str,
        key: PublicKey,
        name: Option<String>,
    ) -> anyhow::Result<CatalogView> {
        let body = json!({"location": location, "key": key.to_string(), "name": name});
        let new = NewCatalog { location: location.to_owned(), key, name };
        self.on_catalogs(
            |client| client.call(Method::Post, &["catalogs"], Some(body)),
            |catalogues| catalogues.add(&new),
        )
    }

    pub(in crate::cli) fn remove_catalog(&self, name: &str) -> anyhow::Result<()> {
        self.on_catalogs(
            |client| client.call::<Value>(Method::Delete, &["catalogs", name], None).map(drop),
            |catalogues| catalogues.remove(name),
        )
    }

    pub(in crate::cli) fn sync_catalogs(&self, name: Option<&str>) -> anyhow::Result<Vec<SyncView>> {
        self.on_catalogs(
            |client| {
                let body = Some(json!({"name": name}));
                list(client.call(Method::Post, &["catalogs", "sync"], body)?, "catalogs")
            },
            |catalogues| catalogues.sync(name),
        )
    }

    pub(in crate::cli) fn import_catalog(
        &self,
        file: &Path,
        name: Option<String>,
    ) -> anyhow::Result<CatalogView> {
        let body = json!({"path": file, "name": name});
        self.on_catalogs(
            |client| client.call(Method::Post, &["catalogs", "import"], Some(body)),
            |catalogues| catalogues.import(file, name.as_deref()),
        )
    }

    pub(in crate::cli) fn search_catalogs(&self, search: &Search) -> anyhow::Result<CatalogPage> {
        self.on_catalogs(
            |client| {
                let mut query = vec![
                    ("sort", search.sort.name().to_owned()),
                    ("skip", search.skip.to_string()),
                    ("limit", search.limit.to_string()),
                ];
                let narrowing = [
                    ("search", &search.text),
                    ("category", &search.category),
                    ("tag", &search.tag),
                    ("type", &search.kind),
                ];
                query.extend(narrowing.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))));
                client.call_with(Method::Get, &["plugins", "catalog"], &query, None)
            },
            |catalogues| catalogues.search(search),
        )
    }

    pub(in crate::cli) fn catalog_entry(&self, name: &str) -> anyhow::Result<CatalogEntry> {
        self.on_catalogs(
            |client| client.call(Method::Get, &["plugins", "catalog", name], None),
            |catalogues| catalogues.show(name),
        )
    }

    /// What would be done for what is asked for.
    pub(in crate::cli) fn resolve(&self, asked: &[String], newest: bool) -> anyhow::Result<PlanView> {
        self.planning(
            |client| {
                let body = json!({"plugins": asked, "newest": newest});
                client.call(Method::Post, &["install-plans"], Some(body))
            },
            |planner| {
                let wishes = asked.iter().map(|text| wish(text, newest)).collect::<Result<Vec<_>, _>>()?;
                Ok(planner.plan(&wishes)?)
            },
        )
    }

    pub(in crate::cli) fn outdated(&self) -> anyhow::Result<Vec<OutdatedView>> {
        self.planning(
            |client| list(client.call(Method::Get, &["outdated-plugins"], None)?, "plugins"),
            |planner| Ok(planner.outdated()?),
        )
    }

    /// What installing exactly these would change, whose packages may have been downloaded before.
    pub(in crate::cli) fn plans(&self, exact: &[ExactVersion]) -> anyhow::Result<Vec<Plan>> {
        self.planning(
            |client| client.installations(&["installations", "plan"], exact, &[]),
            |planner| Ok(planner.plans(exact, &Quiet)?),
        )
    }

    /// Does a plan, whose packages may have been downloaded before, after `remove` was uninstalled.
    pub(in crate::cli) fn carry_out(
        &self,
        exact: &[ExactVersion],
        remove: &[String],
    ) -> anyhow::Result<Vec<PluginView>> {
        self.planning(
            |client| client.installations(&["installations"], exact, remove),
            |planner| Ok(planner.carry_out(exact, remove, &Quiet)?),
        )
    }

    /// Whether what this process downloads is not where the host looks for it.
    pub(in crate::cli) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Running(client) if client.is_elsewhere)
    }

    /// The installed plugins as a lock.
    pub(in crate::cli) fn lock(&self, partial: bool) -> anyhow::Result<Lock> {
        self.planning(
            |client| {
                let query = [("partial", partial.to_string())];
                client.call_with(Method::Get, &["plugin-lock"], &query, None)
            },
            |planner| planner.lock(partial).map_err(Coded::from),
        )
    }

    /// What has to be done to be as a lock says.
    pub(in crate::cli) fn compare_lock(&self, lock: &Lock) -> anyhow::Result<LockPlan> {
        self.planning(
            |client| {
                let body = Some(serde_json::to_value(lock)?);
                client.call(Method::Post, &["plugin-lock", "compare"], body)
            },
            |planner| planner.compare(lock).map_err(Coded::from),
        )
    }

    /// What the library of a plugin was built of.
    pub(in crate::cli) fn crates(&self, name: &str) -> anyhow::Result<CratesView> {
        match self {
            Self::Running(client) => client.call(Method::Get, &["plugins", name, "crates"], None),
            Self::Stopped { plugins, .. } => super::coded(plugins.crates(name)),
        }
    }
}

impl Client {
    /// Waits for as long as the upgrades of all of them may take, one after the other.
    fn installations<T: DeserializeOwned>(
        &self,
        path: &[&str],
        exact: &[ExactVersion],
        remove: &[String],
    ) -> anyhow::Result<Vec<T>> {
        let count = exact.len() + remove.len();
        let patience = UPGRADED.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX).max(1));
        let body = json!({"plugins": exact, "remove": remove});
        list(self.call_within(patience, Method::Post, path, &[], Some(body))?, "plugins")
    }
}

/// An error as a running host's has it: with its code.
#[derive(Debug)]
struct Coded(anyhow::Error);

impl From<PlanError> for Coded {
    fn from(why: PlanError) -> Self {
        Self(anyhow!("{why} ({})", why.code()))
    }
}

impl From<LockError> for Coded {
    fn from(why: LockError) -> Self {
        Self(anyhow!("{why} ({})", why.code()))
    }
}
