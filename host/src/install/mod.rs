//! Administration of plugins: what the command line and the HTTP interface offer, on a running host and on a stopped
//! one.

mod audit;
mod consumers;
mod error;
mod grants;
mod health;
mod jobs;
mod listed;
mod lock;
mod package;
mod plan;
mod planner;
mod present;
mod recover;
mod removal;
pub mod resolve;
mod transaction;
mod trust;
mod versions;
mod view;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use slog::{error, warn};
use uuid::Uuid;

pub use self::{
    audit::{Advisories, AuditError, AuditFinding, CrateView, CratesView},
    consumers::ConsumerState,
    error::InstallError,
    grants::GrantView,
    health::{Health, HealthWord},
    jobs::{JobRunView, JobView},
    listed::ExactVersion,
    lock::{Lock, LockError, LockPlan, Locked, MAX_LOCK_BYTES},
    package::{AllowUnsigned, Source, sign_locally},
    plan::{Consent, PREAPPROVED, Plan, PlanChange, PlanKind},
    planner::{BrokenOff, OutdatedView, PlanError, PlanView, Planner, StepView, wish},
    trust::{KeyView, Packages, RevocationView, Revoked, TrustView, UnsignedView},
    view::{ConsumerView, DeadLetterView, GenerationView, PluginView},
};
use crate::{
    database::Databases,
    events::{DeadLetters, Which},
    loader::{Blocked, Loader},
    plugin_config::{ConfigSchema, merge_patch},
    runtime::{PluginSpec, Runtime, RuntimeError, State},
    scheduler::JobRecords,
    storage::Storage,
    store::{Installed, Listed, Record, Store},
    ui::Declared,
};

/// What plugins keep.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Tables.
    pub databases: Arc<Databases>,
    /// Keys and values.
    pub storage: Arc<Storage>,
}

/// How many dead letters are shown with a plugin.
const DEAD_LETTERS_SHOWN: u32 = 100;

/// The installed plugins and, on a running host, their lives. Everything here blocks.
#[derive(Debug)]
pub struct Plugins {
    store: Arc<Store>,
    loader: Arc<Loader>,
    letters: DeadLetters,
    jobs: Arc<JobRecords>,
    kept: Kept,
    packages: Packages,
    /// `None` on a stopped host.
    runtime: Option<Arc<Runtime>>,
    /// Serializes changes of records. Not held while plugin code runs.
    records: Mutex<()>,
    /// Serializes changes of what is installed, from the look whether there is one already to the end.
    installs: Mutex<()>,
}

impl Plugins {
    /// The plugins of a running host.
    #[must_use]
    pub fn running(
        store: Arc<Store>,
        loader: Arc<Loader>,
        kept: Kept,
        packages: Packages,
        runtime: Arc<Runtime>,
    ) -> Self {
        let letters = DeadLetters::new(Arc::clone(store.database()));
        let jobs = Arc::clone(runtime.scheduler().records());
        Self {
            store,
            loader,
            letters,
            jobs,
            kept,
            packages,
            runtime: Some(runtime),
            records: Mutex::default(),
            installs: Mutex::default(),
        }
    }

    /// The plugins of a stopped host.
    #[must_use]
    pub fn stopped(store: Arc<Store>, loader: Arc<Loader>, kept: Kept, packages: Packages) -> Self {
        let letters = DeadLetters::new(Arc::clone(store.database()));
        let jobs = Arc::new(JobRecords::stopped(Arc::clone(store.database())));
        Self {
            store,
            loader,
            letters,
            jobs,
            kept,
            packages,
            runtime: None,
            records: Mutex::default(),
            installs: Mutex::default(),
        }
    }

    /// Starts every plugin that is enabled, each on a thread of its own, and waits until each runs or failed.
    pub fn start_all(&self) {
        let Some(runtime) = &self.runtime else { return };
        let logger = runtime.logs().logger();
        let installed = match self.store.list() {
            Ok(installed) => installed,
            Err(why) => {
                error!(logger, "The installed plugins cannot be read."; "error" => %why);
                return;
            }
        };
        std::thread::scope(|scope| {
            for Listed { name, plugin } in installed {
                match plugin {
                    Ok(plugin) => {
                        let record = &plugin.record;
                        runtime.add(&record.name, &record.version, at_rest(record));
                        if record.enabled && record.quarantine.is_none() {
                            scope.spawn(move || {
                                if let Err(why) = self.start(runtime, &plugin) {
                                    // Somebody else was quicker.
                                    warn!(runtime.logs().logger(), "A plugin was not started."; "error" => %why);
                                }
                            });
                        }
                    }
                    Err(why) => {
                        error!(
                            logger, "An installed plugin is damaged and is left out.";
                            "error" => %why, "plugin" => name
                        );
                    }
                }
            }
        });
    }

    /// Sees that what is about to be loaded is what was installed, and is trusted still.
    fn admissible(&self, plugin: &Installed) -> Result<(), InstallError> {
        let generation = self.store.generation_of(&plugin.record)?;
        self.packages.trust.check(&generation)?;
        Ok(self.store.check(&generation)?)
    }

    /// Starts a plugin. That it does not start is no error here: its state says why.
    fn start(&self, runtime: &Runtime, plugin: &Installed) -> Result<(), InstallError> {
        for warning in plugin.manifest.warnings() {
            warn!(runtime.logs().logger(), "A manifest has a flaw."; "warning" => %warning, "plugin" => &plugin.record.name);
        }
        match self.admissible(plugin).and_then(|()| spec(plugin)) {
            Ok(spec) => match runtime.start(spec) {
                Ok(()) | Err(RuntimeError::Start { .. }) => Ok(()),
                Err(why) => Err(why.into()),
            },
            Err(why) => {
                runtime.refuse(&plugin.record.name, &why.to_string());
                Ok(())
            }
        }
    }

    /// All installed plugins, by name.
    ///
    /// # Errors
    ///
    /// [`InstallError`] when the store cannot be read.
    pub fn list(&self) -> Result<Vec<PluginView>, InstallError> {
        let mut views = Vec::new();
        for Listed { name, plugin } in self.store.list()? {
            views.push(match plugin {
                Ok(plugin) => self.view(&plugin),
                Err(why) => PluginView::damaged(name, why.to_string()),
            });
        }
        Ok(views)
    }

    /// One installed plugin, with its jobs and its dead letters.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotInstalled`].
    pub fn show(&self, name: &str) -> Result<PluginView, InstallError> {
        let plugin = self.installed(name)?;
        let mut view = self.view(&plugin);
        view.jobs = Some(self.jobs(name)?);
        view.dead_letters = Some(self.dead_letters(name, &Which::default(), 0, DEAD_LETTERS_SHOWN)?);
        Ok(view)
    }

    /// The first `limit` of a plugin's dead letters after the first `skip`, oldest first, without their payloads.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotInstalled`]; [`InstallError::Database`].
    pub fn dead_letters(
        &self,
        name: &str,
        which: &Which,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<DeadLetterView>, InstallError> {
        self.installed(name)?;
        let letters = self.letters.list(name, which, skip, limit)?;
        Ok(letters.into_iter().map(DeadLetterView::from).collect())
    }

    /// One dead letter of a plugin, with its payload, for each consumer that gave the event up.
    ///
    /// # Errors
    ///
    /// [`InstallError::NoDeadLetter`]; as [`dead_letters`](Self::dead_letters).
    pub fn dead_letter(&self, name: &str, event: Uuid) -> Result<Vec<DeadLetterView>, InstallError> {
        self.installed(name)?;
        let which = Which { event: Some(event), ..Which::default() };
        let letters = self.letters.list(name, &which, 0, DEAD_LETTERS_SHOWN)?;
        if letters.is_empty() {
            return Err(InstallError::NoDeadLetter { plugin: name.to_owned(), event });
        }
        Ok(letters.into_iter().map(DeadLetterView::whole).collect())
    }

    /// Has dead letters of a plugin tried again, as if for the first time: now if it runs, else when it does. Answers how
    /// many.
    ///
    /// # Errors
    ///
    /// [`InstallError::NoDeadLetter`] if one is named that is not there; [`InstallError::Database`].
    pub fn replay(&self, name: &str, which: &Which) -> Result<u64, InstallError> {
        self.installed(name)?;
        let count = match &self.runtime {
            Some(runtime) => runtime.bus().replay(&self.letters, name, which)?,
            None => self.letters.replay(name, which)?.len() as u64,
        };
        found(name, which, count)
    }

    /// Drops dead letters of a plugin for good. Answers how many.
    ///
    /// # Errors
    ///
    /// As [`replay`](Self::replay).
    pub fn drop_dead_letters(&self, name: &str, which: &Which) -> Result<u64, InstallError> {
        self.installed(name)?;
        let count = match &self.runtime {
            Some(runtime) => runtime.bus().drop_dead_letters(&self.letters, name, which)?,
            None => self.letters.drop(name, which)?.into_iter().map(|(_, count)| count).sum(),
        };
        found(name, which, count)
    }

    /// Has a plugin run, now and after the next start of the host. Takes one out of quarantine.
    ///
    /// # Errors
    ///
    /// [`InstallError`]. A plugin that does not start is no error: its view says why.
    pub fn enable(&self, name: &str) -> Result<PluginView, InstallError> {
        let mut changed = false;
        let plugin = self.change(name, |plugin| {
            changed = !plugin.record.enabled || plugin.record.quarantine.is_some();
            plugin.record.enabled = true;
            plugin.record.quarantine = None;
            Ok(())
        })?;
        if let Some(runtime) = &self.runtime {
            if changed {
                runtime.announce_done("plugin.enabled", name, &plugin.record.version);
            }
            if runtime.state(name) != Some(State::Running) {
                self.start(runtime, &plugin)?;
            }
        }
        Ok(self.view(&plugin))
    }

    /// Has a plugin not run, now and after the next start of the host.
    ///
    /// # Errors
    ///
    /// [`InstallError`], also when it does not stop in time.
    pub fn disable(&self, name: &str) -> Result<PluginView, InstallError> {
        let plugin = self.change(name, |plugin| {
            plugin.record.enabled = false;
            Ok(())
        })?;
        if let Some(runtime) = &self.runtime {
            runtime.stop(name, State::Disabled)?;
        }
        Ok(self.view(&plugin))
    }

    /// The configuration in use, with the defaults and without the secrets.
    ///
    /// # Errors
    ///
    /// [`InstallError`].
    pub fn config(&self, name: &str) -> Result<Value, InstallError> {
        let plugin = self.installed(name)?;
        let schema = schema(&plugin)?;
        let config = match schema.effective(&plugin.record.config) {
            Ok(effective) => effective.into_value(),
            // It is not complete yet: what there is of it.
            Err(_) => Value::Object(plugin.record.config.clone()),
        };
        Ok(schema.redact(&config))
    }

    /// Changes the configuration by a JSON merge patch (RFC 7396) and gives it to the plugin. A secret that comes back
    /// as it was shown stays what it is.
    ///
    /// # Errors
    ///
    /// [`InstallError::Config`] names everything that breaks the schema; nothing is changed then.
    pub fn set_config(&self, name: &str, patch: Value) -> Result<PluginView, InstallError> {
        if !patch.is_object() {
            return Err(InstallError::NotAnObject { plugin: name.to_owned() });
        }
        if self.runtime.is_some() {
            // It may have to be loaded again with it.
            self.admissible(&self.installed(name)?)?;
        }
        let plugin = self.change(name, |plugin| {
            let schema = schema(plugin)?;
            let old = Value::Object(plugin.record.config.clone());
            let mut new = old.clone();
            merge_patch(&mut new, patch);
            let Value::Object(new) = schema.unredact(new, &old) else {
                return Err(InstallError::NotAnObject { plugin: name.to_owned() });
            };
            let effective = schema.effective(&new);
            effective.map_err(|source| InstallError::Config { plugin: name.to_owned(), source })?;
            plugin.record.config = new;
            // It is started anew with it.
            plugin.record.quarantine = None;
            Ok(())
        })?;
        if let Some(runtime) = &self.runtime {
            runtime.announce_updated(name, &plugin.record.version);
        }
        if let Some(runtime) = &self.runtime
            && plugin.record.enabled
        {
            match runtime.configure(spec(&plugin)?) {
                // Its state says why it does not run.
                Ok(()) | Err(RuntimeError::Start { .. }) => {}
                Err(why) => return Err(why.into()),
            }
        }
        Ok(self.view(&plugin))
    }

    /// Seals all secrets in the database with a new key. Answers how many configurations were sealed.
    ///
    /// # Errors
    ///
    /// [`InstallError::Store`]; nothing is lost then, and it can be repeated.
    pub fn rotate_secret_key(&self) -> Result<usize, InstallError> {
        // Nobody reads or writes a record meanwhile.
        let _records = self.records();
        Ok(self.store.rotate_key()?)
    }

    /// The libraries that crashed or hung the process that tried them, by time.
    ///
    /// # Errors
    ///
    /// [`InstallError::Verdicts`] when that cannot be known.
    pub fn blocked(&self) -> Result<Vec<Blocked>, InstallError> {
        Ok(self.loader.blocked()?)
    }

    /// Has the blocked library whose hash begins with `hash` tried again at its next load.
    ///
    /// # Errors
    ///
    /// [`InstallError::Verdicts`] when there is none, or more than one.
    pub fn unblock(&self, hash: &str) -> Result<Blocked, InstallError> {
        Ok(self.loader.unblock(hash)?)
    }

    /// Changes a record, unless its plugin is on its way up or down: what is written down is what will be done.
    fn change(
        &self,
        name: &str,
        change: impl FnOnce(&mut Installed) -> Result<(), InstallError>,
    ) -> Result<Installed, InstallError> {
        let _records = self.records();
        let mut plugin = self.installed(name)?;
        self.is_settled(name)?;
        change(&mut plugin)?;
        self.store.save(&plugin.record)?;
        Ok(plugin)
    }

    /// Sees that a plugin is not on its way up or down.
    fn is_settled(&self, name: &str) -> Result<(), InstallError> {
        if let Some(state) = self.runtime.as_ref().and_then(|runtime| runtime.state(name))
            && !state.is_at_rest()
            && state != State::Running
        {
            let (plugin, what) = (name.to_owned(), "changing it");
            return Err(RuntimeError::State { plugin, state: state.name(), what }.into());
        }
        Ok(())
    }

    /// Sees that a plugin is installed.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotInstalled`] if it is not.
    pub fn exists(&self, name: &str) -> Result<(), InstallError> {
        self.installed(name).map(drop)
    }

    fn installed(&self, name: &str) -> Result<Installed, InstallError> {
        self.store
            .get(name)?
            .ok_or_else(|| InstallError::NotInstalled { plugin: name.chars().take(80).collect() })
    }

    fn view(&self, plugin: &Installed) -> PluginView {
        let name = &plugin.record.name;
        let state = self
            .runtime
            .as_ref()
            .and_then(|runtime| runtime.state(name))
            .unwrap_or_else(|| at_rest(&plugin.record));
        let consumers = self.runtime.as_ref().map(|runtime| runtime.consumers(name)).unwrap_or_default();
        let mut view = PluginView::new(plugin, state, &consumers);
        self.view_trust(&plugin.record, &mut view);
        view
    }

    fn records(&self) -> MutexGuard<'_, ()> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A dead letter that is named and not there is a mistake; that there is none at all is not.
fn found(plugin: &str, which: &Which, count: u64) -> Result<u64, InstallError> {
    match which.event {
        Some(event) if count == 0 => Err(InstallError::NoDeadLetter { plugin: plugin.to_owned(), event }),
        _ => Ok(count),
    }
}

/// The state of a plugin that does not run.
fn at_rest(record: &Record) -> State {
    match &record.quarantine {
        Some(reason) if record.enabled => State::Quarantined(reason.clone()),
        _ if record.enabled => State::Installed,
        _ => State::Disabled,
    }
}

fn schema(plugin: &Installed) -> Result<ConfigSchema, InstallError> {
    ConfigSchema::compile(&plugin.manifest)
        .map_err(|source| InstallError::Config { plugin: plugin.record.name.clone(), source })
}

/// What the runtime needs to start a plugin.
fn spec(plugin: &Installed) -> Result<PluginSpec, InstallError> {
    let record = &plugin.record;
    let schema = schema(plugin)?;
    let effective = schema
        .effective(&record.config)
        .map_err(|source| InstallError::Config { plugin: record.name.clone(), source })?
        .into_value();
    Ok(PluginSpec {
        name: record.name.clone(),
        version: record.version.clone(),
        library: plugin.library.clone(),
        permissions: record.permissions.clone(),
        secrets: schema.secrets(&effective),
        jobs: plugin
            .manifest
            .scheduler
            .jobs
            .iter()
            .map(|job| (job.name.clone(), job.schedule.clone()))
            .collect(),
        declared: Declared::by(&plugin.manifest),
        config: effective.to_string(),
    })
}
