//! Administration of plugins: what the command line and the HTTP interface offer, on a running host and on a stopped
//! one.

mod alias;
mod audit;
mod configure;
mod consumers;
mod error;
mod grants;
mod health;
mod installing;
mod jobs;
mod journal;
mod letters;
mod listed;
mod lock;
mod package;
mod plan;
mod planner;
pub mod preflight;
mod present;
mod removal;
mod replacing;
pub mod resolve;
mod trust;
mod turn;
mod versions;
mod view;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slog::{error, warn};

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
use self::{configure::schema, turn::Turns};
use crate::{
    database::Databases,
    events::{DeadLetters, Which},
    loader::{Blocked, Loader},
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
    /// Whose turn it is to change what is installed, from the look whether there is one already to the end. Nothing that only
    /// reads waits for it.
    turns: Turns,
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
            turns: Turns::default(),
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
            turns: Turns::default(),
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
        let name = &*self.own_name(name)?;
        let plugin = self.installed(name)?;
        let mut view = self.view(&plugin);
        view.jobs = Some(self.jobs(name)?);
        view.dead_letters = Some(self.dead_letters(name, &Which::default(), 0, DEAD_LETTERS_SHOWN)?);
        Ok(view)
    }

    /// Has a plugin run, now and after the next start of the host. Takes one out of quarantine.
    ///
    /// # Errors
    ///
    /// [`InstallError`]. A plugin that does not start is no error: its view says why.
    pub fn enable(&self, name: &str) -> Result<PluginView, InstallError> {
        let name = &*self.own_name(name)?;
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
        let name = &*self.own_name(name)?;
        let plugin = self.change(name, |plugin| {
            plugin.record.enabled = false;
            Ok(())
        })?;
        if let Some(runtime) = &self.runtime {
            runtime.stop(name, State::Disabled)?;
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

/// The state of a plugin that does not run.
fn at_rest(record: &Record) -> State {
    match &record.quarantine {
        Some(reason) if record.enabled => State::Quarantined(reason.clone()),
        _ if record.enabled => State::Installed,
        _ => State::Disabled,
    }
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
