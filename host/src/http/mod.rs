//! The edge: the only place with types of the web server.

mod auth;
mod body;
mod cloud_events;
mod dead_letters;
mod events;
mod gateway;
mod health;
mod jobs;
mod json_parts;
mod logs;
mod metrics;
mod observe;
mod plugins;
mod problem;
mod query;
mod stream;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use actix_web::{App, HttpServer, dev::Server, web};

use self::auth::AdminToken;
pub(crate) use self::observe::{EventPage, EventView, Status};
pub use self::problem::Problem;
use crate::{config, events::Bus, install::Plugins, routes::Routes, runtime::Runtime};

/// What the handlers use.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The bus.
    pub bus: Arc<Bus>,
    /// Administration of plugins.
    pub plugins: Arc<Plugins>,
    /// Plugins' lives.
    pub runtime: Arc<Runtime>,
    /// Plugins' routes.
    pub routes: Arc<Routes>,
    /// Whether the host has started and is not stopping.
    pub ready: Arc<Ready>,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// How many may watch live changes at a time.
    pub max_streams: usize,
    /// Who may read the metrics.
    pub metrics: config::Metrics,
    /// When the host started: for spans of time, and as microseconds since 1970-01-01 UTC.
    pub started: Instant,
    /// The same as a time of day.
    pub started_us: u64,
    /// `sqlite` or `postgres`.
    pub database: &'static str,
}

/// Whether the host has started and is not stopping.
#[derive(Debug, Default)]
pub struct Ready(AtomicBool);

impl Ready {
    /// Says so.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    /// Asks.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Starts to listen. `workers` is the number of threads, 0 for one per core. Signals are the caller's.
///
/// # Errors
///
/// When the address cannot be used.
pub fn listen(
    edge: Edge,
    token: &str,
    address: SocketAddr,
    workers: usize,
    shutdown_secs: u64,
) -> std::io::Result<(Server, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    let edge = web::Data::new(edge);
    let token = web::Data::new(AdminToken::new(token));
    let mut server = HttpServer::new(move || {
        App::new()
            .app_data(edge.clone())
            .app_data(token.clone())
            .configure(routes)
            .default_service(web::to(problem::not_found))
    })
    .disable_signals()
    .shutdown_timeout(shutdown_secs);
    if workers > 0 {
        server = server.workers(workers);
    }
    Ok((server.listen(listener)?.run(), bound))
}

fn routes(app: &mut web::ServiceConfig) {
    let resource = |path: &str, methods: &'static str| {
        web::resource(path).default_service(web::to(move || problem::method_not_allowed(methods)))
    };
    app.service(
        resource("/healthz", "GET, HEAD")
            .route(web::get().to(health::healthz))
            .route(web::head().to(health::healthz)),
    )
    .service(
        resource("/readyz", "GET, HEAD")
            .route(web::get().to(health::readyz))
            .route(web::head().to(health::readyz)),
    )
    .configure(observing)
    .service(
        resource("/api/v1/events", "GET, POST")
            .route(web::get().to(observe::events))
            .route(web::post().to(events::post)),
    )
    .service(
        resource("/api/v1/plugins", "GET, POST")
            .route(web::get().to(plugins::list))
            .route(web::post().to(plugins::install)),
    )
    .service(
        resource("/api/v1/plugins/{name}", "GET, DELETE")
            .route(web::get().to(plugins::show))
            .route(web::delete().to(plugins::uninstall)),
    )
    .service(resource("/api/v1/plugins/{name}/enable", "POST").route(web::post().to(plugins::enable)))
    .service(resource("/api/v1/plugins/{name}/disable", "POST").route(web::post().to(plugins::disable)))
    .service(
        resource("/api/v1/plugins/{name}/config", "GET, PATCH")
            .route(web::get().to(plugins::config))
            .route(web::patch().to(plugins::set_config)),
    )
    .service(
        resource("/api/v1/plugins/{name}/dead-letters", "GET, DELETE")
            .route(web::get().to(dead_letters::list))
            .route(web::delete().to(dead_letters::drop_all)),
    )
    .service(
        resource("/api/v1/plugins/{name}/dead-letters/replay", "POST")
            .route(web::post().to(dead_letters::replay_all)),
    )
    .service(
        resource("/api/v1/plugins/{name}/dead-letters/{event}", "GET, DELETE")
            .route(web::get().to(dead_letters::show))
            .route(web::delete().to(dead_letters::drop_one)),
    )
    .service(
        resource("/api/v1/plugins/{name}/dead-letters/{event}/replay", "POST")
            .route(web::post().to(dead_letters::replay_one)),
    )
    .service(resource("/api/v1/plugins/{name}/jobs", "GET").route(web::get().to(jobs::list)))
    .service(resource("/api/v1/plugins/{name}/jobs/{job}", "GET").route(web::get().to(jobs::show)))
    .service(resource("/api/v1/plugins/{name}/jobs/{job}/run", "POST").route(web::post().to(jobs::run)))
    .service(resource("/api/v1/plugins/{name}/jobs/{job}/pause", "POST").route(web::post().to(jobs::pause)))
    .service(resource("/api/v1/plugins/{name}/jobs/{job}/resume", "POST").route(web::post().to(jobs::resume)))
    .service(resource("/api/v1/plugins/{name}/routes", "GET").route(web::get().to(gateway::list)))
    .service(web::resource("/api/plugins/{tail:.*}").to(gateway::serve))
    .service(resource("/api/v1/secrets/rotate", "POST").route(web::post().to(plugins::rotate_secret_key)))
    .service(resource("/api/v1/blocked-libraries", "GET").route(web::get().to(plugins::blocked)))
    .service(resource("/api/v1/blocked-libraries/{hash}", "DELETE").route(web::delete().to(plugins::unblock)))
    .service(
        resource("/api/v1/plugins/{name}/log-level", "PUT").route(web::put().to(plugins::set_log_level)),
    );
}

/// What is only looked at.
fn observing(app: &mut web::ServiceConfig) {
    let get =
        |path: &str| web::resource(path).default_service(web::to(move || problem::method_not_allowed("GET")));
    app.service(get("/metrics").route(web::get().to(metrics::metrics)))
        .service(get("/api/v1/status").route(web::get().to(observe::status)))
        .service(get("/api/v1/logs").route(web::get().to(logs::host)))
        .service(get("/api/v1/consumers").route(web::get().to(observe::consumers)))
        .service(get("/api/v1/stream").route(web::get().to(stream::stream)))
        .service(get("/api/v1/plugins/{name}/logs").route(web::get().to(logs::plugin)))
        .service(get("/api/v1/plugins/{name}/consumers").route(web::get().to(observe::consumers_of)))
        .service(get("/api/v1/plugins/{name}/health").route(web::get().to(observe::health)))
        .service(get("/api/v1/plugins/{name}/grants").route(web::get().to(observe::grants)));
}
