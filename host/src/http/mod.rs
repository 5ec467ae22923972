//! The edge: the only place with types of the web server.

mod auth;
mod body;
mod catalogs;
mod catalogued;
mod cloud_events;
mod dead_letters;
mod events;
mod gateway;
mod groups;
mod headers;
mod health;
mod jobs;
mod json_parts;
mod logs;
mod metrics;
mod needs;
mod observe;
mod openapi;
mod operations;
mod origin;
mod packages;
mod plugins;
mod problem;
mod query;
mod sessions;
mod sign_in;
mod stream;
mod tokens;
mod trust;
mod ui;
mod users;
pub mod viewer;
mod vnc;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use actix_http::{Request, Response};
use actix_service::{Service, apply_fn_factory};
use actix_web::{
    App, HttpServer,
    dev::{Server, ServiceResponse},
    guard, web,
};
use futures_util::{
    TryFutureExt,
    future::{Either, ready},
};

use self::auth::AdminToken;
pub(crate) use self::observe::{EventPage, EventView, Status};
pub use self::{openapi::host_document, problem::Problem};
use crate::{
    catalog::Catalogues,
    config::{self, SignIn},
    events::Bus,
    install::Plugins,
    platform::{sessions::Sessions, users::Accounts},
    routes::Routes,
    runtime::Runtime,
    streams::Streams,
    ui::Contributions,
};

/// What the handlers use.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The bus.
    pub bus: Arc<Bus>,
    /// Administration of plugins.
    pub plugins: Arc<Plugins>,
    /// Catalogues of plugins.
    pub catalogues: Arc<Catalogues>,
    /// Plugins' lives.
    pub runtime: Arc<Runtime>,
    /// Plugins' routes.
    pub routes: Arc<Routes>,
    /// Who may call.
    pub accounts: Arc<Accounts>,
    /// How browsers sign in.
    pub sign_in: Arc<SignIn>,
    /// Desktop sessions.
    pub sessions: Arc<Sessions>,
    /// What plugins show in the console.
    pub ui: Arc<Contributions>,
    /// Whether the host has started and is not stopping.
    pub ready: Arc<Ready>,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// How many may watch live changes at a time.
    pub max_streams: usize,
    /// Streams of desktops.
    pub streams: Arc<Streams>,
    /// Who may read the metrics.
    pub metrics: config::Metrics,
    /// When the host started: for spans of time, and as microseconds since 1970-01-01 UTC.
    pub started: Instant,
    /// The same as a time of day.
    pub started_us: u64,
    /// `sqlite` or `postgres`.
    pub database: &'static str,
}

impl Edge {
    /// Whether it is to end what goes on for long.
    fn is_stopping(&self) -> bool {
        self.ready.is_stopping()
    }
}

/// Whether the host has started and is not stopping.
#[derive(Debug, Default)]
pub struct Ready {
    started: AtomicBool,
    stopping: AtomicBool,
}

impl Ready {
    /// It has started.
    pub fn start(&self) {
        self.started.store(true, Ordering::Relaxed);
    }

    /// It stops.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether it stops.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Asks.
    #[must_use]
    pub fn get(&self) -> bool {
        self.started.load(Ordering::Relaxed) && !self.is_stopping()
    }
}

/// How long a client may take nothing of what waits for it.
#[cfg(target_os = "linux")]
const TAKES_NOTHING: std::time::Duration = std::time::Duration::from_secs(120);

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
    let logger = edge.runtime.logs().logger().clone();
    let edge = web::Data::new(edge);
    let token = web::Data::new(AdminToken::new(token));
    let mut server = HttpServer::new(move || {
        let (logger, at_the_door) = (logger.clone(), edge.clone());
        let app = App::new()
            .wrap_fn(move |request, app| {
                let (answered, logger) = (app.call(request), logger.clone());
                async move {
                    let (request, mut response) = answered.await?.into_parts();
                    headers::complete(&mut response, request.uri().path(), &logger);
                    Ok(ServiceResponse::new(request, response))
                }
            })
            .app_data(edge.clone())
            .app_data(token.clone())
            .configure(routes)
            .default_service(web::to(problem::not_found));
        apply_fn_factory(app, move |request: Request, app| {
            match gateway::at_once::answer(&request, &at_the_door) {
                Some(response) => Either::Left(ready(Ok(response))),
                None => Either::Right(app.call(request).map_ok(Response::from)),
            }
        })
    })
    .disable_signals()
    // A desktop's small changes, events, lines of logs: none waits for the acknowledgement of the one before.
    .tcp_nodelay(true)
    .on_connect(|connection, _| {
        // Whoever takes nothing of what waits is as good as gone, and would be kept in memory until it goes.
        #[cfg(target_os = "linux")]
        if let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>() {
            // Without it the connection is as good as any.
            let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(TAKES_NOTHING));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = connection;
    })
    .shutdown_timeout(shutdown_secs);
    if workers > 0 {
        server = server.workers(workers);
    }
    Ok((server.listen(listener)?.run(), bound))
}

fn routes(app: &mut web::ServiceConfig) {
    // First, since the others are gone through one after the other. Not in the list: plugins say which routes there
    // are, and each is described while its plugin runs.
    app.service(
        web::scope("/api/plugins")
            .guard(guard::fn_guard(|request| !is_below(request.head().uri.path(), "/api/plugins/ui")))
            .default_service(web::to(gateway::serve)),
    );
    operations::mount(app);
}

/// Whether `path` is `folder`, or below it.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
