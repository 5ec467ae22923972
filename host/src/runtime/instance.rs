//! One started plugin: a library's instance, the capabilities it was given, and its consumers.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock, OnceLock, Weak},
    time::Instant,
};

use slog::{debug, error, warn};
use streamspace_plugin::{
    abi::{
        Bound, Capability, Fault, FaultKind, Handle, LayoutMismatch, Outcome, Peer, ROption, RStr, RVec,
        Responder, Table,
    },
    config, database, events,
    events::{Batch, ConsumerSpec, ConsumersRef, Progress, Verdict},
    http, lifecycle,
    lifecycle::LifecycleRef,
    log, platform, routes,
    routes::{IncomingView, OutgoingAnswer, RoutesRef},
    scheduler,
    scheduler::JobsRef,
    storage, streams,
    streams::TapsRef,
    ui,
    ui::ContributionsRef,
    websocket,
    websocket::WebSocketsRef,
};

use super::{PluginSpec, Runtime, Services, failures::Failures, jobs::Runner, taps::Tapper};
use crate::{
    database::{DatabaseError, PluginDatabase, open_database},
    events::{Consumer, Fate, PluginEmitter, Refused, SubscribeError, Target, open_emitter},
    handles::{Handles, Opened},
    loader::{Admitted, Refusal, Rule},
    log::{PluginLog, Redactor, open_plugin_log},
    outbound::{AllowedHosts, InvalidPermission, PluginHttp, open_http},
    platform::{PluginPlatform, open_platform},
    plugin_config::{PluginConfig, open_config},
    routes::{Failure, PluginRoutes, RouteError, Target as RouteTarget, What},
    scheduler::{InvalidJob, Job, Options, PluginJobs, open_timetable},
    storage::open_storage,
    store,
    streams::{Connections, PluginStreams, Tap, TapError, TapOptions, open_streams},
    ui::{Assets, PluginUi, UiError},
};

/// What those who watch are told of dead letters, and of jobs. No topic has a colon.
const DEAD_LETTER: &str = "streamspace:dead-letter";
pub(super) const JOB: &str = "streamspace:job";

/// Why a plugin did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The library is refused.
    #[error("{} ({})", .0, .0.code())]
    Library(Box<Refusal>),
    /// A permission is not one.
    #[error(transparent)]
    Permission(#[from] InvalidPermission),
    /// Its database cannot be used, or a migration failed.
    #[error("{0} ({code})", code = .0.code())]
    Database(DatabaseError),
    /// The plugin's table has another layout.
    #[error("the plugin's `{capability}`: {mismatch} ({})", Rule::CapabilityLayout.code())]
    Layout {
        /// The capability.
        capability: &'static str,
        /// What is wrong.
        mismatch: LayoutMismatch,
    },
    /// The plugin does not offer what every plugin must.
    #[error("the plugin does not offer `{}`, without which it cannot be run ({})", .0, Rule::CapabilityPresent.code())]
    Missing(&'static str),
    /// A job cannot be registered.
    #[error("{0} ({code})", code = .0.code())]
    Job(#[from] InvalidJob),
    /// Its routes are not valid.
    #[error("{0} ({code})", code = .0.code())]
    Routes(#[from] RouteError),
    /// Its taps are not permitted or not valid.
    #[error("{0} ({code})", code = .0.code())]
    Taps(#[from] TapError),
    /// What it contributes to the console is not valid.
    #[error("{0} ({code})", code = .0.code())]
    Ui(#[from] UiError),
    /// The plugin itself said no, or panicked.
    #[error("{0}")]
    Plugin(Fault),
}

/// Why what a plugin asks for is not registered.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegisterError {
    #[error(transparent)]
    Consumers(#[from] SubscribeError),
    #[error("{0} ({code})", code = .0.code())]
    Jobs(#[from] store::DatabaseError),
    #[error("the system gives no thread for a tap: {0}")]
    Taps(#[from] std::io::Error),
}

/// A plugin that was started.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) name: Arc<str>,
    pub(super) version: String,
    /// The folder of its files.
    pub(super) package: PathBuf,
    /// What went wrong in its handlers.
    pub(super) failures: Arc<Failures>,
    lifecycle: Bound<LifecycleRef>,
    config_sink: Option<Bound<config::ConfigSinkRef>>,
    pub(super) config: Arc<PluginConfig>,
    pub(super) log: Arc<PluginLog>,
    /// The consumers that it asks for.
    wanted: RVec<ConsumerSpec>,
    pub(super) consumers: Vec<Arc<Consumer>>,
    target: Option<Arc<Deliverer>>,
    /// The jobs that it asks for.
    pub(super) wanted_jobs: Vec<Options>,
    pub(super) jobs: Vec<Arc<Job>>,
    /// The same, for its timetable.
    own_jobs: Arc<OnceLock<Vec<Arc<Job>>>>,
    runner: Option<Arc<Runner>>,
    /// The routes that it asks for, until they are registered.
    wanted_routes: Option<(crate::routes::Table, Arc<dyn RouteTarget>)>,
    routes: Option<Arc<PluginRoutes>>,
    /// The taps that it asks for, until they are made.
    wanted_taps: Vec<TapOptions>,
    pub(super) taps: Vec<Arc<Tap>>,
    /// The same, for what it may ask of streams.
    own_taps: Arc<OnceLock<Vec<Arc<Tap>>>>,
    tapper: Option<Arc<Tapper>>,
    /// Its own connections to desktops.
    connections: Arc<Connections>,
    /// What it shows in the console.
    ui: Option<Arc<PluginUi>>,
    /// Closes the plugin's handles when the instance is dropped.
    #[expect(dead_code, reason = "kept for its drop")]
    grants: Vec<Opened>,
}

/// What one instance may look up.
struct Grants(Vec<(&'static str, Capability)>);

static GRANTS: LazyLock<Handles<Grants>> = LazyLock::new(Handles::new);

extern "C" fn lookup(host: Handle, id: RStr<'_>) -> ROption<Capability> {
    // No barrier needed: nothing in here can panic.
    let found = GRANTS.with(host, |grants| {
        Ok(grants.0.iter().find(|(known, _)| *known == id.as_str()).map(|(_, capability)| *capability))
    });
    found.ok().flatten().into()
}

impl Instance {
    /// Loads the library and the plugin in it. Registers nothing yet: if this takes too long it is given up, and what
    /// was given up must not come back later. `[setup]`: runs plugin code.
    pub(super) fn load(
        spec: &PluginSpec,
        admitted: &Admitted,
        plugin_database: PluginDatabase,
        services: &Services,
        runtime: &Weak<Runtime>,
    ) -> Result<Self, StartError> {
        let library =
            services.loader.load(admitted).map_err(|refusal| StartError::Library(Box::new(refusal)))?;
        let name: Arc<str> = spec.name.as_str().into();
        let figures = services.figures.of(&name);
        let log = Arc::new(PluginLog::new(
            &name,
            services.logs.logger(),
            services.logs.level_of(&name),
            Redactor::new(&spec.secrets),
            services.lines_per_second,
            Arc::clone(&figures),
        ));
        services.logs.add_plugin(&log);
        let plugin_config = Arc::new(PluginConfig::new(spec.config.clone()));
        let allowed = AllowedHosts::from_permissions(spec.permissions.iter().map(String::as_str))?;

        let (log_table, log_handle) = open_plugin_log(Arc::clone(&log));
        let (config_table, config_handle) = open_config(Arc::clone(&plugin_config));
        let (events_table, events_handle) = open_emitter(PluginEmitter {
            bus: Arc::clone(&services.bus),
            source: format!("plugin:{name}").into(),
            prefix: format!("plugin.{name}."),
        });
        let (http_table, http_handle) = open_http(PluginHttp {
            outbound: Arc::clone(&services.outbound),
            caller: services.outbound.caller(&*name, allowed),
            network: services.network.clone(),
            figures,
        });
        let storage = services.storage.of(&name).granted_by(spec.permissions.iter().map(String::as_str));
        let (storage_table, storage_handle) = open_storage(storage);
        let (database_table, database_handle) = open_database(plugin_database);
        let own_jobs = Arc::<OnceLock<_>>::default();
        let (jobs_table, jobs_handle) = open_timetable(PluginJobs {
            scheduler: Arc::clone(&services.scheduler),
            jobs: Arc::clone(&own_jobs),
        });
        let (platform_table, platform_handle) = open_platform(PluginPlatform {
            sessions: Arc::clone(&services.sessions),
            users: Arc::clone(&services.users),
            plugin: Arc::clone(&name),
            permissions: spec.permissions.clone(),
        });
        let own_taps = Arc::<OnceLock<_>>::default();
        let connections = Arc::<Connections>::default();
        let (streams_table, streams_handle) = open_streams(PluginStreams {
            streams: Arc::clone(&services.streams),
            sessions: Arc::clone(&services.sessions),
            plugin: Arc::clone(&name),
            permissions: spec.permissions.clone(),
            taps: Arc::clone(&own_taps),
            connections: Arc::clone(&connections),
            network: services.network.clone(),
        });
        let host = GRANTS.open(Arc::new(Grants(vec![
            (log::ID, log_table),
            (config::ID, config_table),
            (events::ID, events_table),
            (http::ID, http_table),
            (database::ID, database_table),
            (storage::ID, storage_table),
            (scheduler::ID, jobs_table),
            (platform::ID, platform_table),
            (websocket::ID, crate::websocket::table()),
            (streams::ID, streams_table),
        ])));
        let peer = Peer { handle: host.handle(), lookup };

        let plugin = (library.root.create())(peer).into_result().map_err(StartError::Plugin)?;
        let mut instance = Self {
            name,
            version: spec.version.clone(),
            package: spec.package().to_owned(),
            failures: Arc::default(),
            lifecycle: needed(plugin, lifecycle::ID)?,
            config_sink: None,
            config: plugin_config,
            log,
            wanted: RVec::new(),
            consumers: Vec::new(),
            target: None,
            wanted_jobs: Vec::new(),
            jobs: Vec::new(),
            own_jobs,
            runner: None,
            wanted_routes: None,
            routes: None,
            wanted_taps: Vec::new(),
            taps: Vec::new(),
            own_taps,
            tapper: None,
            connections,
            ui: None,
            grants: vec![
                host,
                log_handle,
                config_handle,
                events_handle,
                http_handle,
                storage_handle,
                database_handle,
                jobs_handle,
                platform_handle,
                streams_handle,
            ],
        };
        match instance.fill(plugin, spec, services, runtime) {
            Ok(()) => Ok(instance),
            Err(why) => {
                instance.release(services);
                Err(why)
            }
        }
    }

    fn fill(
        &mut self,
        plugin: Peer,
        spec: &PluginSpec,
        services: &Services,
        runtime: &Weak<Runtime>,
    ) -> Result<(), StartError> {
        self.config_sink = optional(plugin, config::ID)?;
        self.call(|table| table.load()).map_err(StartError::Plugin)?;
        self.fill_jobs(plugin, spec, services, runtime)?;
        self.fill_routes(plugin, services, runtime)?;
        self.fill_ui(plugin, spec, services)?;
        self.fill_taps(plugin, spec, services, runtime)?;
        let Some(consumers) = optional::<ConsumersRef>(plugin, events::ID)? else {
            return Ok(());
        };
        self.wanted = consumers.table.list()(consumers.handle).into_result().map_err(StartError::Plugin)?;
        self.target = Some(Arc::new(Deliverer {
            consumers,
            failures: Arc::clone(&self.failures),
            log: Arc::clone(&self.log),
            logger: services.logs.logger().clone(),
            runtime: Weak::clone(runtime),
        }));
        Ok(())
    }

    fn fill_routes(
        &mut self,
        plugin: Peer,
        services: &Services,
        runtime: &Weak<Runtime>,
    ) -> Result<(), StartError> {
        let Some(routes) = optional::<RoutesRef>(plugin, routes::ID)? else {
            return Ok(());
        };
        let specs = routes.table.list()(routes.handle).into_result().map_err(StartError::Plugin)?;
        let websockets = optional::<WebSocketsRef>(plugin, websocket::ID)?;
        let sockets = match websockets {
            Some(offered) => {
                offered.table.list()(offered.handle).into_result().map_err(StartError::Plugin)?
            }
            None => RVec::new(),
        };
        let table = crate::routes::Table::new(&specs, &sockets, services.routes.limits())?;
        let target = Server {
            routes,
            websockets,
            failures: Arc::clone(&self.failures),
            name: Arc::clone(&self.name),
            log: Arc::clone(&self.log),
            logger: services.logs.logger().clone(),
            runtime: Weak::clone(runtime),
        };
        self.wanted_routes = (!table.is_empty()).then(|| (table, Arc::new(target) as _));
        Ok(())
    }

    fn fill_taps(
        &mut self,
        plugin: Peer,
        spec: &PluginSpec,
        services: &Services,
        runtime: &Weak<Runtime>,
    ) -> Result<(), StartError> {
        let Some(taps) = optional::<TapsRef>(plugin, streams::ID)? else {
            return Ok(());
        };
        let specs = taps.table.list()(taps.handle).into_result().map_err(StartError::Plugin)?;
        let permissions = spec.permissions.iter().map(String::as_str);
        self.wanted_taps = TapOptions::read(&specs, permissions, services.bus.limits().handler_deadline)?;
        self.tapper =
            Some(Arc::new(Tapper::new(taps, &self.failures, &self.log, services.logs.logger(), runtime)));
        Ok(())
    }

    fn fill_ui(&mut self, plugin: Peer, spec: &PluginSpec, services: &Services) -> Result<(), StartError> {
        let registered = match optional::<ContributionsRef>(plugin, ui::ID)? {
            Some(offered) => {
                offered.table.list()(offered.handle).into_result().map_err(StartError::Plugin)?
            }
            // What its manifest declares is shown all the same.
            None => RVec::new(),
        };
        for note in spec.declared.notes() {
            warn!(services.logs.logger(), "The manifest's `ui` has a flaw."; "warning" => note, "plugin" => &*self.name);
        }
        let assets = Assets::of(spec.package())?;
        self.ui = Some(Arc::new(PluginUi::new(&self.name, &registered, &spec.declared, assets)?));
        Ok(())
    }

    fn fill_jobs(
        &mut self,
        plugin: Peer,
        spec: &PluginSpec,
        services: &Services,
        runtime: &Weak<Runtime>,
    ) -> Result<(), StartError> {
        let Some(jobs) = optional::<JobsRef>(plugin, scheduler::ID)? else {
            return Ok(());
        };
        let specs = jobs.table.list()(jobs.handle).into_result().map_err(StartError::Plugin)?;
        let manifest = &spec.jobs;
        let permissions = spec.permissions.iter().map(String::as_str);
        let deadline = services.bus.limits().handler_deadline;
        self.wanted_jobs = Options::read(&specs, manifest, permissions, deadline)?;
        for (name, _) in manifest.iter().filter(|(name, _)| !specs.iter().any(|spec| spec.name == *name)) {
            warn!(services.logs.logger(), "A job of the manifest is not registered by the plugin."; "job" => name, "plugin" => &*self.name);
        }
        self.runner =
            Some(Arc::new(Runner::new(jobs, &self.failures, &self.log, services.logs.logger(), runtime)));
        Ok(())
    }

    /// Registers the consumers, the jobs and the routes, and shows what it contributes to the console. Runs no plugin code.
    pub(super) fn register(&mut self, services: &Services) -> Result<(), RegisterError> {
        self.consumers = services.bus.subscribe(&self.name, &self.wanted)?;
        self.set_jobs(services.scheduler.register(&self.name, &self.wanted_jobs)?);
        self.make_taps()?;
        self.make_routes(services);
        if self.routes.is_some() {
            services.routes.replace(&self.name, self.routes.as_ref());
        }
        // Not by the plugin's own thread: one that was given up on would show it again.
        if let Some(ui) = &self.ui {
            services.ui.insert(&self.name, ui);
        }
        Ok(())
    }

    /// Makes all that [`register`](Self::register) registers, and shows it to nobody: another version serves.
    pub(super) fn make_successors(&mut self, services: &Services) -> Result<(), RegisterError> {
        self.set_jobs(services.scheduler.successors(&self.name, &self.wanted_jobs)?);
        self.consumers = services.bus.successors(&self.name, &self.wanted, false)?;
        self.make_taps()?;
        self.make_routes(services);
        Ok(())
    }

    fn make_taps(&mut self) -> Result<(), RegisterError> {
        let Some(tapper) = &self.tapper else { return Ok(()) };
        for (number, options) in (0..).zip(std::mem::take(&mut self.wanted_taps)) {
            let target = Arc::clone(tapper) as _;
            self.taps.push(Tap::start(&self.name, number, options, target)?);
        }
        let _ = self.own_taps.set(self.taps.clone());
        Ok(())
    }

    fn make_routes(&mut self, services: &Services) {
        let routes = self.wanted_routes.take();
        self.routes = routes.map(|(table, target)| {
            services.routes.make(&self.name, table, target, services.figures.of(&self.name))
        });
    }

    fn set_jobs(&mut self, jobs: Vec<Arc<Job>>) {
        self.jobs = jobs;
        // Once in its life: what it registers does not change.
        let _ = self.own_jobs.set(self.jobs.clone());
    }

    /// Makes its consumers anew, after another version had their places.
    pub(super) fn make_consumers_again(&mut self, services: &Services) {
        match services.bus.successors(&self.name, &self.wanted, true) {
            Ok(consumers) => self.consumers = consumers,
            Err(why) => error!(
                services.logs.logger(), "A plugin that has its place again cannot have its consumers: start it anew.";
                "error" => %why, "plugin" => &*self.name
            ),
        }
    }

    /// Puts all that was made in the place of what another version has: one moment for requests, jobs and the console. Events
    /// wait until that one's calls are over. If one does not end by the deadline nothing is changed, unless it is to be done
    /// `whatever` happens.
    pub(super) fn take_place(
        &self,
        services: &Services,
        deadline: Instant,
        whatever: bool,
    ) -> Result<(), Vec<String>> {
        let target = self.deliverer();
        services.bus.switch(&self.name, &self.consumers, target.as_ref(), deadline, whatever)?;
        if let Some(routes) = &self.routes {
            routes.open();
        }
        services.routes.replace(&self.name, self.routes.as_ref());
        services.scheduler.switch(&self.name, &self.jobs, self.job_runner().as_ref());
        services.streams.attach(&self.name, &self.taps);
        if let Some(ui) = &self.ui {
            services.ui.insert(&self.name, ui);
        }
        if let Some(target) = &target {
            services.bus.resume(&self.consumers, target);
        }
        Ok(())
    }

    /// Lets events and requests flow and jobs begin, and tells the plugin. `[setup]`
    pub(super) fn enable(&self, services: &Services) -> Result<(), Fault> {
        self.resume(services);
        self.enable_only()
    }

    /// Tells the plugin that it is to run. `[setup]`
    pub(super) fn enable_only(&self) -> Result<(), Fault> {
        self.call(|table| table.enable())
    }

    /// What of it runs for longer than it may.
    pub(super) fn hanging(&self) -> Option<String> {
        let consumer = self
            .consumers
            .iter()
            .find(|consumer| consumer.running_for().is_some_and(|time| time > consumer.options().deadline));
        let job = || {
            self.jobs.iter().find(|job| job.running_for().is_some_and(|time| time > job.options().deadline))
        };
        let tap = || {
            self.taps.iter().find(|tap| tap.running_for().is_some_and(|time| time > tap.options().deadline))
        };
        let consumer = consumer.map(|consumer| format!("the handler of `{}`", consumer.options().name));
        let consumer = consumer.or_else(|| job().map(|job| format!("the job `{}`", job.options().name)));
        consumer.or_else(|| tap().map(|tap| format!("the tap `{}`", tap.options().name)))
    }

    fn deliverer(&self) -> Option<Arc<dyn Target>> {
        self.target.as_ref().map(|target| Arc::clone(target) as Arc<dyn Target>)
    }

    fn job_runner(&self) -> Option<Arc<dyn crate::scheduler::Target>> {
        self.runner.as_ref().map(|runner| Arc::clone(runner) as _)
    }

    /// Lets no more requests in and waits for those that run. Answers the routes whose handlers have not ended.
    pub(super) fn pause_routes(&self, deadline: Instant) -> Vec<String> {
        let Some(routes) = &self.routes else { return Vec::new() };
        routes.close();
        routes.drain(deadline)
    }

    /// Hands nothing more over to taps, and waits for their calls. Answers whether they ended.
    pub(super) fn pause_taps(&self, deadline: Instant) -> bool {
        // Every one is waited for, also behind one that hangs.
        self.taps.iter().filter(|tap| !tap.pause(deadline)).count() == 0
    }

    /// Has the taps leave their streams, and closes the plugin's own connections.
    pub(super) fn detach_taps(&self) {
        self.taps.iter().for_each(|tap| tap.detach());
        self.connections.close_all();
    }

    /// Waits until the taps have left their streams. Answers those that have not.
    pub(super) fn drain_taps(&self, deadline: Instant) -> Vec<String> {
        let hanging = self.taps.iter().filter(|tap| !tap.drain(deadline));
        hanging.map(|tap| tap.options().name.clone()).collect()
    }

    /// Lets no more requests in.
    pub(super) fn close_routes(&self) {
        if let Some(routes) = &self.routes {
            routes.close();
        }
    }

    /// Lets events and requests flow and jobs begin.
    pub(super) fn resume(&self, services: &Services) {
        if let Some(routes) = &self.routes {
            routes.open();
        }
        if let Some(target) = self.deliverer() {
            services.bus.resume(&self.consumers, &target);
        }
        if let Some(runner) = self.job_runner() {
            services.scheduler.resume(&self.jobs, &runner);
        }
        self.taps.iter().for_each(|tap| tap.resume());
        services.streams.attach(&self.name, &self.taps);
    }

    /// Gives the plugin its new configuration, which is in place already. Answers whether it took it over. `[setup]`:
    /// events must not be flowing.
    pub(super) fn configure(&self) -> Result<bool, Fault> {
        match self.config_sink {
            Some(sink) => sink.table.changed()(sink.handle).into_result(),
            None => Ok(false),
        }
    }

    /// Ends the plugin, whose handlers are done. What goes wrong is logged and does not stop the rest. `[setup]`
    pub(super) fn stop(self, services: &Services) {
        for (what, result) in
            [("disable", self.call(|table| table.disable())), ("unload", self.call(|table| table.unload()))]
        {
            if let Err(why) = result {
                self.complain(services, what, &why);
            }
        }
        self.release(services);
    }

    fn release(self, services: &Services) {
        if let Err(why) = self.call(|table| table.release()) {
            self.complain(services, "drop", &why);
        }
    }

    fn complain(&self, services: &Services, call: &str, why: &Fault) {
        error!(
            services.logs.logger(), "A plugin failed while it was being stopped.";
            "error" => self.log.redact(&why.message), "call" => call, "plugin" => &*self.name
        );
    }

    fn call(
        &self,
        entry: impl FnOnce(LifecycleRef) -> extern "C" fn(Handle) -> Outcome<()>,
    ) -> Result<(), Fault> {
        entry(self.lifecycle.table)(self.lifecycle.handle).into_result()
    }
}

fn optional<T: Table>(plugin: Peer, capability: &'static str) -> Result<Option<Bound<T>>, StartError> {
    plugin.bind(capability).map_err(|mismatch| StartError::Layout { capability, mismatch })
}

fn needed<T: Table>(plugin: Peer, capability: &'static str) -> Result<Bound<T>, StartError> {
    optional(plugin, capability)?.ok_or(StartError::Missing(capability))
}

/// Hands batches to the plugin, and deals with what it refuses.
#[derive(Debug)]
struct Deliverer {
    consumers: Bound<ConsumersRef>,
    failures: Arc<Failures>,
    log: Arc<PluginLog>,
    logger: slog::Logger,
    runtime: Weak<Runtime>,
}

impl Target for Deliverer {
    fn deliver(&self, consumer: u32, batch: Batch<'_>) -> Progress {
        self.consumers.table.deliver()(self.consumers.handle, consumer, batch)
    }

    fn redact(&self, text: &str) -> String {
        self.log.redact(text)
    }

    fn refused(&self, consumer: &Consumer, refused: &Refused<'_>) {
        if refused.verdict != Verdict::DEFER {
            self.failures.note(&format!("consumer `{}`: {}", consumer.options().name, refused.reason));
        }
        // A handler that fails at full speed must not push others' records out of the log.
        if self.log.admits() {
            self.tell(consumer, refused);
        }
        let runtime = self.runtime.upgrade();
        if refused.fate == Fate::DeadLetter
            && let Some(runtime) = &runtime
        {
            runtime.bus().notice(DEAD_LETTER, || {
                serde_json::json!({
                    "plugin": **consumer.plugin(), "consumer": consumer.options().name,
                    "event_id": refused.event.id, "topic": *refused.event.topic, "subject": *refused.event.subject,
                    "attempts": refused.attempt, "reason": refused.reason,
                })
            });
        }
        if refused.verdict == Verdict::PANICKED
            && let Some(runtime) = runtime
        {
            runtime.note_panic(consumer.plugin(), refused.reason);
        }
    }
}

impl Deliverer {
    fn tell(&self, consumer: &Consumer, refused: &Refused<'_>) {
        let event = refused.event;
        let after_secs = match refused.fate {
            Fate::Retry(after) => Some(after.as_secs_f64()),
            Fate::DeadLetter | Fate::Dropped => None,
        };
        let fields = slog::o!(
            "after_secs" => after_secs, "attempt" => refused.attempt, "reason" => refused.reason.to_owned(),
            "event_id" => event.id.to_string(), "topic" => event.topic.to_string(),
            "consumer" => consumer.options().name.clone(), "plugin" => consumer.plugin().to_string(),
        );
        if refused.verdict == Verdict::PANICKED {
            error!(self.logger, "A handler panicked."; &fields);
        }
        match refused.fate {
            Fate::Retry(_) if refused.verdict == Verdict::DEFER => {
                debug!(self.logger, "An event was put off."; fields);
            }
            Fate::Retry(_) => warn!(self.logger, "An event will be tried again."; fields),
            Fate::DeadLetter => {
                error!(self.logger, "An event was given up: it is a dead letter now."; fields)
            }
            Fate::Dropped => warn!(self.logger, "An event was dropped: its handler failed."; fields),
        }
    }
}

/// Hands requests to the plugin, and deals with what goes wrong.
#[derive(Debug)]
struct Server {
    routes: Bound<RoutesRef>,
    websockets: Option<Bound<WebSocketsRef>>,
    failures: Arc<Failures>,
    name: Arc<str>,
    log: Arc<PluginLog>,
    logger: slog::Logger,
    runtime: Weak<Runtime>,
}

impl RouteTarget for Server {
    fn handle(
        &self,
        route: u32,
        request: IncomingView<'_>,
        responder: Responder<'_>,
    ) -> Result<OutgoingAnswer, Fault> {
        self.routes.table.handle()(self.routes.handle, route, request, responder).into_result()
    }

    fn serve(
        &self,
        socket_route: u32,
        request: IncomingView<'_>,
        socket: Handle,
    ) -> Result<Option<OutgoingAnswer>, Fault> {
        let Some(websockets) = self.websockets else {
            return Err(Fault::new(FaultKind::UNSUPPORTED, "the plugin offers no WebSockets"));
        };
        let served = websockets.table.serve()(websockets.handle, socket_route, request, socket);
        served.into_result().map(ROption::into_option)
    }

    fn failed(&self, failure: &Failure<'_>) {
        let fields = slog::o!(
            "route" => failure.route.clone(), "request_id" => failure.request_id.to_owned(),
            "plugin" => self.name.to_string(),
        );
        let runtime = self.runtime.upgrade();
        match failure.what {
            What::Fault(fault) => {
                let panicked = fault.kind == FaultKind::PANICKED;
                let said = self.log.redact(&fault.message);
                self.failures.note(&format!("{}: {said}", failure.route));
                // A handler that fails at full speed must not push others' records out of the log.
                if self.log.admits() {
                    let text = if panicked { "A handler panicked." } else { "A request failed." };
                    error!(self.logger, "{}", text; "reason" => &said, fields);
                }
                if let Some(runtime) = runtime.filter(|_| panicked) {
                    runtime.note_panic(&self.name, &said);
                }
            }
            What::Unreadable(file, why) => {
                if self.log.admits() {
                    let file = self.log.redact(&file.to_string_lossy());
                    error!(self.logger, "A file that a plugin answers with cannot be read."; "error" => %why, "file" => &file, fields);
                }
            }
            What::Late(after) => {
                self.failures.note(&format!("{}: it did not answer in time", failure.route));
                error!(self.logger, "A handler hangs."; "millis" => after.as_millis(), fields);
                if let Some(runtime) = runtime {
                    let name = &*self.name;
                    let data = serde_json::json!({
                        "name": name, "plugin_name": name, "route": failure.route, "seconds": after.as_secs(),
                    });
                    runtime.announce("plugin.hanging", name, data);
                }
            }
        }
    }
}

/// When to give up waiting, from now.
pub(super) fn deadline(secs: u64) -> Instant {
    Instant::now() + std::time::Duration::from_secs(secs)
}

/// A fault for a plugin that cannot be used any further.
pub(super) fn hung(what: &str, secs: u64) -> Fault {
    Fault::new(FaultKind::TIMED_OUT, format_args!("{what} did not end within {secs} s"))
}
