//! Plugins' lives: one state machine, one place that changes a state, and every change logged and emitted.
//!
//! Plugin code runs on threads of its own here, never under a lock and never on a thread of the network loop. Each call
//! into a plugin's life has a deadline; a plugin that does not answer by it is left where it hangs and marked as failed.

mod failures;
mod instance;
mod jobs;
mod replace;
mod state;
mod taps;
mod watch;
mod workers;

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use slog::{debug, error, info, warn};
use tokio::runtime::Handle as Network;

use self::instance::{Instance, deadline, hung};
pub use self::{
    instance::StartError,
    replace::{Replaced, Step},
    state::State,
    workers::Workers,
};
use crate::{
    config,
    database::{Databases, PluginDatabase},
    events::{Bus, Consumer},
    figures::Figures,
    loader::{Admitted, Identity, Loader},
    log::{Logs, Redactor},
    outbound::Outbound,
    platform::{Users, sessions::Sessions},
    routes::Routes,
    scheduler::Scheduler,
    storage::Storage,
    store::Store,
    streams::Streams,
    thread_name::thread_name,
    ui::{Contributions, Declared},
};

/// Everything the runtime needs to start one plugin.
#[derive(Clone)]
pub struct PluginSpec {
    /// The plugin's name.
    pub name: String,
    /// The version of its manifest.
    pub version: String,
    /// Its library, at a path that is never written to again.
    pub library: PathBuf,
    /// The permissions it was granted.
    pub permissions: Vec<String>,
    /// Its configuration: a JSON object, valid, with the defaults applied.
    pub config: String,
    /// The secrets in the configuration, to be kept out of the log.
    pub secrets: Vec<String>,
    /// The names and expressions of the manifest's jobs.
    pub jobs: Vec<(String, String)>,
    /// What its manifest declares of contributions to the console.
    pub declared: Declared,
}

impl PluginSpec {
    /// The folder of its files.
    #[must_use]
    pub fn package(&self) -> &Path {
        self.library.parent().unwrap_or(&self.library)
    }
}

impl std::fmt::Debug for PluginSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The configuration holds secrets.
        f.debug_struct("PluginSpec")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What instances use.
#[derive(Debug, Clone)]
pub struct Services {
    /// The bus.
    pub bus: Arc<Bus>,
    /// The log.
    pub logs: Logs,
    /// Outbound HTTP.
    pub outbound: Arc<Outbound>,
    /// Plugins' tables.
    pub databases: Arc<Databases>,
    /// Plugins' keys and values.
    pub storage: Arc<Storage>,
    /// Jobs by the clock.
    pub scheduler: Arc<Scheduler>,
    /// Plugins' routes.
    pub routes: Arc<Routes>,
    /// Desktop sessions.
    pub sessions: Arc<Sessions>,
    /// Users, as plugins are told of them.
    pub users: Arc<dyn Users>,
    /// What plugins show in the console.
    pub ui: Arc<Contributions>,
    /// Streams of desktops, and their taps.
    pub streams: Arc<Streams>,
    /// What loads libraries.
    pub loader: Arc<Loader>,
    /// The installed plugins: who is in quarantine stays there when the host is started again.
    pub store: Arc<Store>,
    /// Where outbound requests run.
    pub network: Network,
    /// What is counted of plugins.
    pub figures: Arc<Figures>,
    /// How many records a plugin may log in a second.
    pub lines_per_second: u32,
}

/// Why an operation on a plugin was not done.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The state does not allow it.
    #[error("the plugin `{plugin}` is {state}: {what} is not possible now")]
    State {
        /// The plugin.
        plugin: String,
        /// Its state.
        state: &'static str,
        /// What was asked for.
        what: &'static str,
    },
    /// The host is stopping.
    #[error("the host is stopping: the plugin `{plugin}` is not started any more")]
    Stopping {
        /// The plugin.
        plugin: String,
    },
    /// It did not start. It is `failed` now, with this reason.
    #[error("the plugin `{plugin}` did not start: {reason}")]
    Start {
        /// The plugin.
        plugin: String,
        /// Why.
        reason: String,
    },
    /// Another version was not taken, and the one before runs on.
    #[error("the plugin `{plugin}` was not replaced by version {version}: {reason}")]
    Replace {
        /// The plugin.
        plugin: String,
        /// The version that was refused.
        version: String,
        /// Why.
        reason: String,
    },
    /// It did not stop in time. It is `failed` now, with this reason.
    #[error("the plugin `{plugin}` did not stop: {reason}")]
    Stop {
        /// The plugin.
        plugin: String,
        /// Why.
        reason: String,
    },
}

/// The plugins that this host knows of, and those that run.
#[derive(Debug)]
pub struct Runtime {
    services: Services,
    limits: config::Plugins,
    slots: Mutex<BTreeMap<String, Slot>>,
    /// Whether the host is stopping.
    stopping: AtomicBool,
    this: Weak<Self>,
}

#[derive(Debug)]
struct Slot {
    version: String,
    state: State,
    instance: Option<Instance>,
    panics: VecDeque<Instant>,
}

impl Runtime {
    /// A runtime without plugins.
    #[must_use]
    pub fn new(services: Services, limits: config::Plugins) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            services,
            limits,
            slots: Mutex::default(),
            stopping: AtomicBool::new(false),
            this: Weak::clone(this),
        })
    }

    /// Starts to look after the consumers and jobs of all plugins, until the runtime is dropped.
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread.
    pub fn look_after_consumers(self: &Arc<Self>) -> std::io::Result<()> {
        watch::start(self)
    }

    /// The bus.
    #[must_use]
    pub fn bus(&self) -> &Arc<Bus> {
        &self.services.bus
    }

    /// Jobs by the clock.
    #[must_use]
    pub fn scheduler(&self) -> &Arc<Scheduler> {
        &self.services.scheduler
    }

    /// The log.
    #[must_use]
    pub fn logs(&self) -> &Logs {
        &self.services.logs
    }

    /// Makes a plugin known without starting it. One that is known stays as it is.
    pub fn add(&self, name: &str, version: &str, state: State) {
        self.services.logs.keep(name);
        let slot = Slot { version: version.to_owned(), state, instance: None, panics: VecDeque::new() };
        self.slots().entry(name.to_owned()).or_insert(slot);
    }

    /// A plugin's state, if it is known.
    #[must_use]
    pub fn state(&self, plugin: &str) -> Option<State> {
        self.slots().get(plugin).map(|slot| slot.state.clone())
    }

    /// The state of each plugin that is known, by name.
    #[must_use]
    pub fn states(&self) -> Vec<(String, State)> {
        self.slots().iter().map(|(plugin, slot)| (plugin.clone(), slot.state.clone())).collect()
    }

    /// How often a plugin's handlers panicked within `plugins.panic_window_secs`, and how often is too often.
    #[must_use]
    pub fn panics(&self, plugin: &str) -> (usize, u32) {
        let window = Duration::from_secs(self.limits.panic_window_secs);
        let slots = self.slots();
        let panics = slots.get(plugin).map(|slot| &slot.panics);
        let recent = panics.into_iter().flatten().filter(|panic| panic.elapsed() <= window).count();
        (recent, self.limits.panic_limit)
    }

    /// What is counted of plugins.
    #[must_use]
    pub fn figures(&self) -> &Arc<Figures> {
        &self.services.figures
    }

    /// Plugins' routes.
    #[must_use]
    pub fn routes(&self) -> &Arc<Routes> {
        &self.services.routes
    }

    /// Streams of desktops, and their taps.
    #[must_use]
    pub fn streams(&self) -> &Arc<Streams> {
        &self.services.streams
    }

    /// A plugin's consumers.
    #[must_use]
    pub fn consumers(&self, plugin: &str) -> Vec<Arc<Consumer>> {
        let mut consumers = self.services.bus.consumers();
        consumers.retain(|consumer| &**consumer.plugin() == plugin);
        consumers
    }

    /// Whether no plugin is on its way up or down.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !self
            .slots()
            .values()
            .any(|slot| matches!(slot.state, State::Loading | State::Retiring | State::Upgrading))
    }

    /// Starts a plugin and waits until it runs or failed. Blocks.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::State`] if it runs already; [`RuntimeError::Start`] with the reason, which is its state's too.
    pub fn start(&self, spec: PluginSpec) -> Result<(), RuntimeError> {
        let (name, version) = (spec.name.clone(), spec.version.clone());
        self.services.logs.keep(&name);
        {
            let mut slots = self.slots();
            let slot = slots.entry(name.clone()).or_insert_with(|| Slot {
                version: version.clone(),
                state: State::Installed,
                instance: None,
                panics: VecDeque::new(),
            });
            slot.version = version;
        }
        if self.stopping.load(Ordering::Relaxed) {
            return Err(RuntimeError::Stopping { plugin: name });
        }
        self.change(&name, State::is_at_rest, State::Loading, "starting it")?;
        if let Some(slot) = self.slots().get_mut(&name) {
            slot.panics.clear();
        }
        self.start_loading(spec)
    }

    /// Starts a plugin that is `loading`.
    fn start_loading(&self, spec: PluginSpec) -> Result<(), RuntimeError> {
        let name = spec.name.clone();
        let known = !self.consumers(&name).is_empty();
        let services = &self.services;
        // Before the deadline of `load` begins, which is for the plugin's own code; the child has one of its own.
        let identity = Identity { name: &spec.name, version: &spec.version };
        let admitted = services.loader.admit(&spec.library, &spec.library, identity);
        let admitted = admitted.map_err(|refusal| StartError::Library(Box::new(refusal)).to_string());
        // So does this: migrations may take long.
        let ready = admitted.and_then(|admitted| {
            let permissions = spec.permissions.iter().map(String::as_str);
            let database = services.databases.prepare(&spec.name, permissions, spec.package());
            Ok((admitted, database.map_err(|why| StartError::Database(why).to_string())?))
        });
        let started = ready.and_then(|(admitted, database)| self.load(spec, admitted, database));
        let enabled = started.and_then(|mut instance| match instance.register(&self.services) {
            Ok(()) => self.enable(&name, instance),
            Err(why) => {
                let left = self.bring_down(instance);
                Err(left.err().map_or(why.to_string(), |hanging| format!("{why}; and {hanging}")))
            }
        });
        match enabled {
            Ok(instance) => self.running(&name, instance),
            Err(reason) => {
                self.fail(&name, &reason);
                if !known {
                    // What it registered goes with it, unless it had run before and has events waiting.
                    self.services.bus.forget(&name);
                }
                Err(RuntimeError::Start { plugin: name, reason })
            }
        }
    }

    /// Loads a library that was admitted, on a thread of the plugin's name.
    fn load(
        &self,
        spec: PluginSpec,
        admitted: Admitted,
        database: PluginDatabase,
    ) -> Result<Instance, String> {
        let (services, this, name) = (self.services.clone(), Weak::clone(&self.this), spec.name.clone());
        self.in_setup_thread(&name, self.limits.load_deadline_secs, "`load`", move || {
            let secrets = Redactor::new(&spec.secrets);
            Instance::load(&spec, &admitted, database, &services, &this).map_err(|why| {
                if let StartError::Layout { mismatch, .. } = &why {
                    // Hundreds of lines: not for the reason.
                    debug!(
                        services.logs.logger(), "A table's layout differs.";
                        "detail" => mismatch.detail(), "plugin" => &spec.name
                    );
                }
                secrets.text(&why.to_string()).into_owned()
            })
        })
    }

    fn running(&self, name: &str, instance: Instance) -> Result<(), RuntimeError> {
        if let Some(slot) = self.slots().get_mut(name) {
            slot.instance = Some(instance);
        }
        self.change(name, State::is_loading, State::Running, "starting it")
    }

    fn enable(&self, name: &str, instance: Instance) -> Result<Instance, String> {
        let services = self.services.clone();
        let seconds = self.limits.load_deadline_secs;
        let (instance, enabled) = self.in_setup_thread(name, seconds, "`enable`", move || {
            let enabled = instance.enable(&services);
            Ok((instance, enabled))
        })?;
        match enabled {
            Ok(()) => Ok(instance),
            Err(why) => {
                // Nothing of a plugin that failed to start stays behind.
                let reason = instance.log.redact(&why.message);
                let left = self.bring_down(instance);
                Err(left.err().map_or(reason.clone(), |hanging| format!("{reason}; and {hanging}")))
            }
        }
    }

    /// Stops a plugin: closes its intake, lets its handlers run out, ends it. Blocks. `then` is its state afterwards.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::State`] if it is on its way up or down; [`RuntimeError::Stop`] if it hangs.
    pub fn stop(&self, plugin: &str, then: State) -> Result<(), RuntimeError> {
        match self.state(plugin) {
            Some(State::Running) => self.change(plugin, State::is_running, State::Retiring, "stopping it")?,
            Some(state) if state == then => return Ok(()),
            // On its way up or down it belongs to whoever moves it.
            Some(_) => return self.change(plugin, State::is_at_rest, then, "stopping it"),
            None => return Ok(()),
        }
        self.finish_stop(plugin, then)
    }

    /// Ends a plugin that this call has made `retiring`.
    fn finish_stop(&self, plugin: &str, then: State) -> Result<(), RuntimeError> {
        let instance = self.slots().get_mut(plugin).and_then(|slot| slot.instance.take());
        let result = match instance {
            Some(instance) => self.bring_down(instance),
            None => Ok(()),
        };
        match result {
            Ok(()) => self.change(plugin, State::is_retiring, then, "stopping it"),
            Err(reason) => {
                self.fail(plugin, &reason);
                Err(RuntimeError::Stop { plugin: plugin.to_owned(), reason })
            }
        }
    }

    /// Gives a running plugin a new configuration: by its own hand if it takes it over, else by a new start. A plugin
    /// that does not run is started with it. Blocks.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start) and [`stop`](Self::stop).
    pub fn configure(&self, spec: PluginSpec) -> Result<(), RuntimeError> {
        if !matches!(self.state(&spec.name), Some(State::Running)) {
            return self.start(spec);
        }
        self.change(&spec.name, State::is_running, State::Loading, "changing its configuration")?;
        let instance = self.slots().get_mut(&spec.name).and_then(|slot| slot.instance.take());
        let Some(instance) = instance else {
            return self.start_loading(spec);
        };
        match self.reconfigure(&spec, instance) {
            Ok(Some(instance)) => self.running(&spec.name, instance),
            Ok(None) => self.start_loading(spec),
            Err(reason) => {
                self.fail(&spec.name, &reason);
                Err(RuntimeError::Start { plugin: spec.name, reason })
            }
        }
    }

    /// Asks the plugin to take over a configuration while no handler runs. Answers the instance if it did; otherwise
    /// the instance was ended.
    fn reconfigure(&self, spec: &PluginSpec, instance: Instance) -> Result<Option<Instance>, String> {
        let seconds = self.limits.drain_deadline_secs;
        let until = deadline(seconds);
        self.services.scheduler.close(&instance.jobs);
        // Every one is waited for, also behind one that hangs.
        let routes = instance.pause_routes(until);
        let events = self.services.bus.pause(&instance.consumers, until);
        let jobs = self.services.scheduler.drain(&instance.jobs, until);
        let taps = instance.pause_taps(until);
        if !(routes.is_empty() && events && jobs.is_empty() && taps) {
            // Nothing more is handed to it.
            instance.detach_taps();
            let _ = instance.drain_taps(Instant::now());
            std::mem::forget(instance);
            return Err(hung("a handler", seconds).message.into());
        }
        instance.config.replace(spec.config.clone());
        instance.log.add_secrets(&spec.secrets);
        let (instance, taken) = self.in_setup_thread(&spec.name, seconds, "`configure`", move || {
            let taken = instance.configure();
            Ok((instance, taken))
        })?;
        match taken {
            Ok(true) => {
                instance.resume(&self.services);
                return Ok(Some(instance));
            }
            Ok(false) => {}
            Err(why) => warn!(
                self.services.logs.logger(), "A plugin cannot take over its configuration and is started anew.";
                "error" => instance.log.redact(&why.message), "plugin" => &spec.name
            ),
        }
        // What its ephemeral consumers hold is handed over before they go.
        instance.resume(&self.services);
        self.bring_down(instance)?;
        Ok(None)
    }

    /// Starts no plugin from now on, and waits until those that are on their way up or down have arrived. Blocks.
    pub fn settle(&self, deadline: Instant) {
        self.stopping.store(true, Ordering::Relaxed);
        while !self.is_settled() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops all plugins at once, each with its own deadline. Blocks.
    pub fn stop_all(&self) {
        let running: Vec<String> = {
            let slots = self.slots();
            let running = slots.iter().filter(|(_, slot)| slot.state == State::Running);
            running.map(|(plugin, _)| plugin.clone()).collect()
        };
        thread::scope(|scope| {
            for plugin in &running {
                scope.spawn(move || {
                    if let Err(why) = self.stop(plugin, State::Installed) {
                        warn!(
                            self.services.logs.logger(), "A plugin was left behind.";
                            "error" => %why, "plugin" => plugin
                        );
                    }
                });
            }
        });
    }

    /// Forgets a plugin that does not run, its durable consumers included.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::State`] if it runs.
    pub fn remove(&self, plugin: &str) -> Result<(), RuntimeError> {
        self.change(plugin, State::is_at_rest, State::Gone, "removing it")?;
        let version = self.slots().remove(plugin).map(|slot| slot.version).unwrap_or_default();
        self.announce_done("plugin.uninstalled", plugin, &version);
        self.services.bus.forget(plugin);
        self.services.figures.forget(plugin);
        self.services.logs.forget(plugin);
        Ok(())
    }

    /// Counts a panic of a handler, and takes the plugin out if there were too many.
    pub(crate) fn note_panic(&self, plugin: &Arc<str>, said: &str) {
        let window = Duration::from_secs(self.limits.panic_window_secs);
        let panics = {
            let mut slots = self.slots();
            let Some(slot) = slots.get_mut(&**plugin) else { return };
            let now = Instant::now();
            slot.panics.push_back(now);
            slot.panics.retain(|panic| now.duration_since(*panic) <= window);
            self.services.figures.of(plugin).panics.fetch_add(1, Ordering::Relaxed);
            slot.panics.len()
        };
        if panics < self.limits.panic_limit as usize {
            return;
        }
        // Whoever makes it `retiring` stops it: one of many panics.
        if self.change(plugin, State::is_running, State::Retiring, "quarantining it").is_err() {
            return;
        }
        let reason = format!(
            "its handlers panicked {panics} times within {} s, the last time: {said}. Enable it again once it is mended",
            self.limits.panic_window_secs
        );
        let (this, name) = (Weak::clone(&self.this), Arc::clone(plugin));
        // Not on this thread: it is the one whose handler has to run out first.
        let spawned = thread::Builder::new().name(thread_name(plugin)).spawn(move || {
            let Some(runtime) = this.upgrade() else { return };
            let logger = runtime.logs().logger();
            // Before anybody can see it, and stop the host.
            if let Err(why) = runtime.services.store.quarantine(&name, &reason) {
                error!(logger, "That a plugin is in quarantine cannot be written: it would be started with the host again."; "error" => %why, "plugin" => &*name);
            }
            if let Err(why) = runtime.finish_stop(&name, State::Quarantined(reason)) {
                warn!(logger, "A plugin that is quarantined was left behind."; "error" => %why);
            }
        });
        if let Err(why) = spawned {
            self.fail(
                plugin,
                &format!("its handlers keep panicking, and the system gives no thread to stop it: {why}"),
            );
        }
    }

    /// Closes the intake, waits for the handlers, and ends the plugin.
    fn bring_down(&self, instance: Instance) -> Result<(), String> {
        self.services.ui.remove(&instance.name);
        self.services.routes.remove(&instance.name);
        self.services.scheduler.remove(&instance.name);
        self.services.streams.remove(&instance.name);
        self.end(instance)
    }

    /// Waits for the handlers of an instance that nothing new reaches, but what it had found before, and ends it.
    fn end(&self, instance: Instance) -> Result<(), String> {
        let seconds = self.limits.drain_deadline_secs;
        let until = deadline(seconds);
        // All intakes are closed before any is waited for.
        instance.close_routes();
        instance.detach_taps();
        let scheduler = &self.services.scheduler;
        scheduler.close(&instance.jobs);
        let consumers = self.services.bus.detach(&instance.consumers, until);
        let jobs = scheduler.drain(&instance.jobs, until);
        let requests = instance.pause_routes(until);
        let taps = instance.drain_taps(until);
        let names = consumers.iter().map(|consumer| consumer.options().name.as_str());
        let names = names.chain(jobs.iter().map(|job| job.options().name.as_str()));
        let hanging: Vec<_> = names.chain(requests.iter().chain(&taps).map(String::as_str)).collect();
        if !hanging.is_empty() {
            // Its code is still running on its state: it must never be dropped.
            std::mem::forget(instance);
            return Err(hung(&format!("the handler of `{}`", hanging.join("`, `")), seconds).message.into());
        }
        let name = Arc::clone(&instance.name);
        let services = self.services.clone();
        self.in_setup_thread(&name, seconds, "`disable` and `unload`", move || {
            instance.stop(&services);
            Ok(())
        })
    }

    /// Runs plugin code on a thread of the plugin's name and waits for it, up to a deadline.
    ///
    /// If the deadline passes, the thread is left behind with all that it holds: what it returns later is leaked,
    /// because code that was given up on must not be run again.
    fn in_setup_thread<T: Send + 'static>(
        &self,
        plugin: &str,
        seconds: u64,
        what: &str,
        code: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name(thread_name(plugin))
            .spawn(move || {
                if let Err(mpsc::SendError(late)) = sender.send(code()) {
                    std::mem::forget(late);
                }
            })
            .map_err(|why| format!("the system gives no thread for it: {why}"))?;
        match receiver.recv_timeout(Duration::from_secs(seconds)) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(hung(what, seconds).message.into()),
            // The plugin's panics are contained on its side, so this is one of the host's own.
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(format!("the host failed in {what}: see its log"))
            }
        }
    }

    /// Makes a plugin `failed`, from wherever it is.
    fn fail(&self, plugin: &str, reason: &str) {
        // Whatever of it hangs keeps hanging; nothing more is handed to it or queued for it.
        self.services.bus.detach(&self.consumers(plugin), Instant::now());
        self.services.scheduler.remove(plugin);
        self.services.routes.remove(plugin);
        self.services.streams.remove(plugin);
        self.services.ui.remove(plugin);
        // Refused only if the plugin is gone already, and then there is nothing to mark.
        let _ = self.change(plugin, |_| true, State::Failed(reason.to_owned()), "marking it as failed");
    }

    /// Marks a plugin that does not run as failed.
    pub(crate) fn refuse(&self, plugin: &str, reason: &str) {
        // One that runs, or is being started by somebody else, is not refused.
        let _ =
            self.change(plugin, State::is_at_rest, State::Failed(reason.to_owned()), "marking it as failed");
    }

    /// The one place where a state changes: from one that `from` accepts to `next`, or not at all.
    fn change(
        &self,
        plugin: &str,
        from: impl Fn(&State) -> bool,
        next: State,
        what: &'static str,
    ) -> Result<(), RuntimeError> {
        let (before, version) = {
            let mut slots = self.slots();
            let Some(slot) = slots.get_mut(plugin) else {
                return Err(RuntimeError::State { plugin: plugin.to_owned(), state: "not known", what });
            };
            if !from(&slot.state) || !slot.state.may_become(&next) {
                return Err(RuntimeError::State {
                    plugin: plugin.to_owned(),
                    state: slot.state.name(),
                    what,
                });
            }
            (std::mem::replace(&mut slot.state, next.clone()), slot.version.clone())
        };
        let logger = self.services.logs.logger();
        let fields = slog::o!(
            "from" => before.name(), "state" => next.name(), "version" => version.clone(), "plugin" => plugin.to_owned()
        );
        match next.reason() {
            Some(reason) => error!(logger, "A plugin's state changed."; "reason" => reason, fields),
            None => info!(logger, "A plugin's state changed."; fields),
        }
        let told = json!({
            "name": plugin, "plugin_name": plugin, "version": version, "state": next.name(), "reason": next.reason(),
        });
        let ended = before.is_retiring() && next.is_at_rest() && !matches!(next, State::Failed(_));
        // That all plugins end with the host is what `system.shutdown` says.
        if ended && !self.stopping.load(Ordering::Relaxed) {
            self.announce("plugin.unloaded", plugin, told.clone());
        }
        // Which version runs after an upgrade is what `plugin.updated` says.
        if let Some(topic) = next.topic().filter(|_| !before.is_upgrading()) {
            self.announce(topic, plugin, told);
        }
        if let Some(reason) = next.reason() {
            // The platform's console knows both names.
            self.announce(
                "plugin.error",
                plugin,
                json!({
                    "name": plugin, "plugin_name": plugin, "version": version, "state": next.name(),
                    "error": reason, "error_message": reason,
                }),
            );
        }
        Ok(())
    }

    /// Tells the platform that something was done with a plugin: `plugin.installed`, `plugin.enabled`.
    pub(crate) fn announce_done(&self, topic: &str, plugin: &str, version: &str) {
        self.announce(topic, plugin, json!({"name": plugin, "plugin_name": plugin, "version": version}));
    }

    /// Tells the platform that a plugin has another configuration.
    pub(crate) fn announce_updated(&self, plugin: &str, version: &str) {
        self.announce("plugin.updated", plugin, json!({
            "name": plugin, "plugin_name": plugin, "version": version, "new_version": version, "changed": "config",
        }));
    }

    /// Tells the platform that a plugin is another version now.
    pub(crate) fn announce_upgraded(&self, plugin: &str, from: &str, to: &str) {
        self.announce("plugin.updated", plugin, json!({
            "name": plugin, "plugin_name": plugin, "version": from, "new_version": to, "changed": "version",
        }));
    }

    /// Emits an event of the host about a plugin.
    pub(crate) fn announce(&self, topic: &str, plugin: &str, data: serde_json::Value) {
        self.services.bus.announce(topic, plugin, &data, self.services.logs.logger());
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Slot>> {
        // No plugin code runs under this lock.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
