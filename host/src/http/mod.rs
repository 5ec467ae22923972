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
mod openapi;
mod operations;
mod plugins;
mod problem;
mod query;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actix_web::{App, HttpServer, dev::Server, web};

use self::auth::AdminToken;
pub use self::{openapi::host_document, problem::Problem};
use crate::{events::Bus, install::Plugins, routes::Routes, runtime::Runtime};

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
    // First, since the others are gone through one after the other. Not in the list: plugins say which routes there
    // are, and each is described while its plugin runs.
    app.service(web::scope("/api/plugins").default_service(web::to(gateway::serve)));
    operations::mount(app);
}
