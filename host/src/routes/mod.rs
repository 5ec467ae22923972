//! The host's half of `routes/1`: plugins' HTTP routes, and how a request reaches a handler.
//!
//! Knows nothing of the web server: the edge hands in a [`Request`] and gets a [`Reply`].

mod call;
mod caller;
mod error;
mod path;
mod request;
mod stream;
mod table;
mod threads;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use streamspace_plugin::{
    abi::{Fault, Responder},
    routes::{IncomingView, OutgoingAnswer},
};
use tokio::runtime;

pub(crate) use self::table::Table;
use self::threads::Threads;
pub use self::{
    call::{CallError, Found, Reply},
    caller::Caller,
    error::RouteError,
    path::split,
    request::{Headers, Request},
    stream::{Broken, Pieces},
    table::{Route, RouteLimits, RouteView},
};
use crate::figures::PluginFigures;

/// Where requests go: an instance of a plugin.
pub(crate) trait Target: fmt::Debug + Send + Sync {
    /// Runs the handler of a route.
    fn handle(
        &self,
        route: u32,
        request: IncomingView<'_>,
        responder: Responder<'_>,
    ) -> Result<OutgoingAnswer, Fault>;

    /// Is told what went wrong.
    fn failed(&self, failure: &Failure<'_>);
}

/// What went wrong with a request.
pub(crate) struct Failure<'a> {
    /// `GET /things/{id}`.
    pub(crate) route: String,
    pub(crate) request_id: &'a str,
    pub(crate) what: What<'a>,
}

pub(crate) enum What<'a> {
    /// The handler panicked or failed.
    Fault(&'a Fault),
    /// The handler is late by now.
    Late(Duration),
}

/// The routes of all plugins that run.
#[derive(Debug)]
pub struct Routes {
    // Read for each request, written when a plugin comes or goes: readers take no lock.
    plugins: ArcSwap<HashMap<Arc<str>, Arc<PluginRoutes>>>,
    writer: Mutex<()>,
    limits: RouteLimits,
    threads: Threads,
    /// Where a stream's writer waits for a client that takes no more.
    network: runtime::Handle,
}

impl Routes {
    /// Routes of no plugin.
    #[must_use]
    pub fn new(limits: RouteLimits, network: runtime::Handle) -> Self {
        Self {
            plugins: ArcSwap::default(),
            writer: Mutex::default(),
            limits,
            threads: Threads::default(),
            network,
        }
    }

    pub(crate) fn limits(&self) -> RouteLimits {
        self.limits
    }

    /// Registers a plugin's routes. They answer nothing until they are [opened](PluginRoutes::open).
    pub(crate) fn insert(
        &self,
        plugin: &Arc<str>,
        table: Table,
        target: Arc<dyn Target>,
        figures: Arc<PluginFigures>,
    ) -> Arc<PluginRoutes> {
        let routes = Arc::new(PluginRoutes {
            name: Arc::clone(plugin),
            table,
            target,
            max_requests: self.limits.max_requests,
            running: AtomicUsize::new(0),
            closed: AtomicBool::new(true),
            figures,
        });
        self.change(|plugins| drop(plugins.insert(Arc::clone(plugin), Arc::clone(&routes))));
        routes
    }

    /// Forgets a plugin's routes. Requests that run go on.
    pub(crate) fn remove(&self, plugin: &str) {
        let removed = self.plugins.load().get(plugin).cloned();
        if let Some(removed) = removed {
            removed.closed.store(true, Ordering::SeqCst);
            self.change(|plugins| drop(plugins.remove(plugin)));
        }
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<Arc<str>, Arc<PluginRoutes>>)) {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut plugins = HashMap::clone(&self.plugins.load());
        change(&mut plugins);
        self.plugins.store(Arc::new(plugins));
    }

    /// A plugin's routes, if it has any.
    #[must_use]
    pub fn of(&self, plugin: &str) -> Option<Arc<PluginRoutes>> {
        self.plugins.load().get(plugin).cloned()
    }

    /// A plugin's routes, for operators.
    #[must_use]
    pub fn views(&self, plugin: &str) -> Vec<RouteView> {
        self.of(plugin).map(|routes| routes.table.views(plugin)).unwrap_or_default()
    }

    /// The routes of all plugins that take requests, by name.
    #[must_use]
    pub fn all_views(&self) -> BTreeMap<Arc<str>, Vec<RouteView>> {
        let plugins = self.plugins.load();
        let open = plugins.iter().filter(|(_, routes)| !routes.closed.load(Ordering::SeqCst));
        open.map(|(name, routes)| (Arc::clone(name), routes.table.views(name))).collect()
    }
}

/// The routes of one plugin that runs.
pub struct PluginRoutes {
    name: Arc<str>,
    table: Table,
    target: Arc<dyn Target>,
    max_requests: usize,
    /// How many requests are with the plugin.
    running: AtomicUsize,
    /// Whether no more are let in.
    closed: AtomicBool,
    figures: Arc<PluginFigures>,
}

impl PluginRoutes {
    /// Lets requests in.
    pub(crate) fn open(&self) {
        self.closed.store(false, Ordering::SeqCst);
    }

    /// Lets no more requests in.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// How many requests are with the plugin.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// What is counted of the plugin.
    pub(crate) fn figures(&self) -> &Arc<PluginFigures> {
        &self.figures
    }

    /// Waits until no request is with the plugin. Answers whether none is.
    pub(crate) fn drain(&self, deadline: Instant) -> bool {
        // Looked at again and again, since a request that ends would otherwise pay for waking somebody.
        while self.running.load(Ordering::SeqCst) > 0 {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// Lets one request in.
    fn enter(self: &Arc<Self>) -> Result<Permit, CallError> {
        let before = self.running.fetch_add(1, Ordering::SeqCst);
        let permit = Permit(Arc::clone(self));
        // After it was counted: either this sees that the routes were closed, or who closed them sees the request.
        if self.closed.load(Ordering::SeqCst) {
            return Err(CallError::Closed);
        }
        if before >= self.max_requests {
            return Err(CallError::Busy { limit: self.max_requests });
        }
        Ok(permit)
    }
}

impl fmt::Debug for PluginRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginRoutes").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A request that is with a plugin.
struct Permit(Arc<PluginRoutes>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
