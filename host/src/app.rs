//! The composition root: builds everything, in order, and takes it down in reverse.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use serde_json::json;
use slog::{Logger, error, info, warn};
use streamspace_plugin::abi;

use crate::{
    catalog::Catalogues,
    clock,
    config::{self, Config},
    database::Databases,
    events::{Bus, Limits, Scheduler},
    http::{self, Edge, Ready},
    install::{Kept, Packages, Plugins},
    loader::Loader,
    log::{Format, Logs, WRITTEN_ONLY},
    outbound::Outbound,
    platform::{
        Users,
        sessions::Sessions,
        users::{Accounts, UserError},
    },
    routes::{RouteLimits, Routes},
    runtime::{Runtime, Services, Workers},
    scheduler,
    storage::Storage,
    store::{DataDir, DataDirError, Database, Lock, Server, Store},
    streams::Streams,
    ui::Contributions,
    websocket::SocketLimits,
};

/// Runs the host until it is told to stop by SIGINT or SIGTERM.
///
/// # Errors
///
/// Whatever keeps it from starting.
pub fn serve(config: &Config) -> anyhow::Result<()> {
    let (started, started_us) = (Instant::now(), clock::unix_time_us());
    let data = DataDir::open(&config.data_dir)?;
    let lock = own(&data)?;
    // Of a host that was killed.
    data.remove_server();
    let (logs, log_guard) = Logs::to_stdout(
        config.log.format.into(),
        config.log.level.into(),
        config.log.plugins.iter().map(|(plugin, level)| (plugin.clone(), (*level).into())).collect(),
        config.log.keep_bytes,
    );
    let logger = logs.logger().clone();
    abi::on_stray_panic({
        let logger = logger.clone();
        move |said| error!(logger, "{}", said)
    });
    let token = data.admin_token()?;

    let network = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("ss:network")
        .enable_all()
        .build()
        .context("cannot start the threads for outbound HTTP")?;
    let outbound = Arc::new(Outbound::new(&config.outbound)?);
    if !outbound.has_roots() {
        warn!(
            logger,
            "No root certificates were found: every https request of a plugin will fail. Install the system's \
             (`ca-certificates`), or set `outbound.ca_file`."
        );
    }
    let database = Database::open(data.path(), &config.database, network.handle());
    let database = Arc::new(database.map_err(|why| anyhow!("{why} ({})", why.code()))?);
    let on_postgres = database.postgres().is_some();
    let store = Arc::new(Store::open(&data, Arc::clone(&database))?);
    let storage = Arc::new(Storage::new(config, database.postgres().cloned()));
    let workers = Arc::new(Workers::start(logger.clone()).context("cannot start the worker threads")?);
    let limits = Limits {
        max_data_bytes: config.events.max_data_bytes,
        max_pending: config.events.max_pending,
        handler_deadline: Duration::from_secs(config.plugins.handler_deadline_secs),
    };
    let bus = Bus::open(limits, &config.events, &database, &logger).context("cannot open the event log")?;
    bus.run_on(Arc::clone(&workers) as Arc<dyn Scheduler>);
    let accounts = Arc::new(Accounts::new(Arc::clone(&bus), Arc::clone(&database), &config.sign_in));
    make_first_admin(&accounts, &logger)?;
    let jobs = scheduler::Scheduler::start(Arc::clone(&database), &logger)
        .context("cannot start the threads for jobs")?;
    let loader = Arc::new(Loader::open(&data, &config.plugins, &logger)?);
    let databases = Arc::new(Databases::new(&data, &config.database, database.postgres()));
    let route_limits = RouteLimits {
        max_body_bytes: config.server.max_body_bytes,
        timeout: Duration::from_secs(config.plugins.handler_deadline_secs),
        max_requests: config.plugins.max_requests as usize,
        sockets: SocketLimits {
            max_open: config.server.max_sockets,
            max_of_plugin: config.plugins.max_sockets,
            max_message_bytes: config.plugins.max_message_bytes,
            send_deadline: Duration::from_secs(config.plugins.socket_send_deadline_secs),
            silence: Duration::from_secs(config.plugins.socket_silence_secs),
        },
    };
    let routes = Arc::new(Routes::new(route_limits, network.handle().clone()));
    let keep_deleted = Duration::from_secs(config.sessions.keep_deleted_secs);
    let sessions = Arc::new(Sessions::new(Arc::clone(&bus), Arc::clone(&database), keep_deleted));
    sessions.end_left_over().context("cannot end the connections that an earlier process had to desktops")?;
    sessions.look_after(&logger).context("cannot start the thread that forgets old sessions")?;
    let catalogues = Arc::new(Catalogues::new(Arc::clone(&database), data.path(), &config.catalog));
    catalogues.look_after(&logger).context("cannot start the thread that syncs catalogues")?;
    let ui = Arc::new(Contributions::default());
    let streams = Streams::new(config.server.max_viewers);
    let runtime = Runtime::new(
        Services {
            bus: Arc::clone(&bus),
            logs: logs.clone(),
            outbound,
            databases: Arc::clone(&databases),
            storage: Arc::clone(&storage),
            scheduler: Arc::clone(&jobs),
            routes: Arc::clone(&routes),
            sessions: Arc::clone(&sessions),
            users: Arc::clone(&accounts) as Arc<dyn Users>,
            ui: Arc::clone(&ui),
            streams: Arc::clone(&streams),
            loader: Arc::clone(&loader),
            store: Arc::clone(&store),
            network: network.handle().clone(),
            figures: Arc::default(),
            lines_per_second: config.log.plugin_lines_per_second,
        },
        config.plugins.clone(),
    );
    runtime.look_after_consumers().context("cannot start the thread that looks after consumers")?;
    let packages = Packages::new(&data, &database, config);
    let kept = Kept { databases, storage };
    let plugins = Arc::new(Plugins::running(store, loader, kept, packages, Arc::clone(&runtime)));
    plugins.recover(&logger).context("cannot bring to an end what was begun with plugins")?;
    let ready = Arc::new(Ready::default());

    let edge = Edge {
        bus,
        plugins: Arc::clone(&plugins),
        catalogues: Arc::clone(&catalogues),
        runtime: Arc::clone(&runtime),
        routes,
        accounts,
        sign_in: Arc::new(config.sign_in.clone()),
        sessions: Arc::clone(&sessions),
        ui,
        ready: Arc::clone(&ready),
        max_body_bytes: config.server.max_body_bytes,
        max_streams: config.server.max_streams,
        streams,
        metrics: config.server.metrics,
        started,
        started_us,
        database: if on_postgres { "postgres" } else { "sqlite" },
    };
    let result = actix_web::rt::System::new().block_on(async {
        let (server, address) = http::listen(
            edge,
            &token,
            config.server.address,
            config.server.workers,
            config.server.shutdown_deadline_secs,
        )
        .with_context(|| format!("cannot listen on {} (`server.address`)", config.server.address))?;
        data.write_server(&Server { address: reachable(address), pid: std::process::id() })?;
        let starting = {
            let (plugins, runtime, ready) = (Arc::clone(&plugins), Arc::clone(&runtime), Arc::clone(&ready));
            std::thread::Builder::new().name("ss:starting".to_owned()).spawn(move || {
                plugins.start_all();
                runtime.announce("system.startup", "", json!({"version": env!("CARGO_PKG_VERSION")}));
                ready.start();
            })
        };
        starting.context("cannot start the thread that starts the plugins")?;
        info!(logger, "Listening."; "address" => address.to_string(), "version" => env!("CARGO_PKG_VERSION"));

        let handle = server.handle();
        let server = actix_web::rt::spawn(server);
        let mut server = pin!(server);
        let signal = tokio::select! {
            signal = stop_signal() => signal?,
            ended = &mut server => {
                ended.context("the server ended in a panic")?.context("the server failed")?;
                anyhow::bail!("the server ended by itself");
            }
        };
        info!(logger, "Stopping."; "signal" => signal, "deadline_secs" => config.server.shutdown_deadline_secs);
        ready.stop();
        // They have no end of their own.
        runtime.bus().close_taps();
        runtime.routes().end_sockets();
        handle.stop(true).await;
        server.await.context("the server ended in a panic")?.context("the server failed")
    });

    // In reverse: no request comes in any more; then the plugins, then what they stood on.
    runtime.settle(Instant::now() + Duration::from_secs(config.server.shutdown_deadline_secs));
    runtime.announce("system.shutdown", "", json!({"version": env!("CARGO_PKG_VERSION")}));
    // Events that live in memory alone are delivered now, or not at all.
    if !runtime.bus().drain(Instant::now() + Duration::from_secs(config.plugins.drain_deadline_secs)) {
        warn!(logger, "Not all handlers were done in time.");
    }
    runtime.stop_all();
    jobs.stop();
    sessions.stop();
    catalogues.stop();
    if let Some(log) = runtime.bus().log() {
        log.stop(Instant::now() + Duration::from_secs(config.events.commit_deadline_secs));
    }
    let busy = workers.stop(Instant::now() + Duration::from_secs(1));
    if busy > 0 {
        warn!(logger, "Handlers that did not end were left behind."; "threads" => busy);
    }
    network.shutdown_timeout(Duration::from_secs(1));
    data.remove_server();
    info!(logger, "Stopped.");
    drop((logger, runtime, plugins, logs, log_guard, lock));
    result
}

/// Makes an administrator where there is none, and says its password this once.
fn make_first_admin(accounts: &Accounts, logger: &Logger) -> anyhow::Result<()> {
    match accounts.first_admin() {
        Ok(None) => {}
        Ok(Some(password)) => warn!(
            logger, #WRITTEN_ONLY,
            "There was no administrator: this one was made. Sign in with this password, which is shown this once, and \
             change it.";
            "username" => "admin", "password" => password.reveal()
        ),
        Err(why @ UserError::Taken { .. }) => {
            warn!(logger, "There is no administrator: make one with `streamspace user add`."; "error" => %why);
        }
        Err(why) => return Err(anyhow!("{why} ({})", why.code())),
    }
    Ok(())
}

/// Takes the data folder. A command that holds it lets it go in a moment; another host does not.
fn own(data: &DataDir) -> Result<Lock, DataDirError> {
    let until = Instant::now() + Duration::from_secs(3);
    loop {
        match data.try_lock()? {
            Some(lock) => return Ok(lock),
            None if Instant::now() < until => std::thread::sleep(Duration::from_millis(50)),
            None => return Err(DataDirError::InUse { path: data.path().to_owned() }),
        }
    }
}

/// Where commands on this machine reach a host that listens on `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback =
            if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    address
}

/// Waits for SIGINT or SIGTERM and says which it was.
async fn stop_signal() -> anyhow::Result<&'static str> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
        tokio::select! {
            _ = terminate.recv() => Ok("SIGTERM"),
            _ = interrupt.recv() => Ok("SIGINT"),
        }
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
        Ok("Ctrl-C")
    }
}

impl From<config::Level> for slog::Level {
    fn from(level: config::Level) -> Self {
        match level {
            config::Level::Trace => Self::Trace,
            config::Level::Debug => Self::Debug,
            config::Level::Info => Self::Info,
            config::Level::Warning => Self::Warning,
            config::Level::Error => Self::Error,
            config::Level::Critical => Self::Critical,
        }
    }
}

impl From<config::Format> for Format {
    fn from(format: config::Format) -> Self {
        match format {
            config::Format::Auto => Self::Auto,
            config::Format::Json => Self::Json,
            config::Format::Text => Self::Text,
        }
    }
}
