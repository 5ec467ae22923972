//! The host's half of `routes/1`: plugins' HTTP routes, and how a request reaches a handler.
//!
//! Knows nothing of the web server: the edge hands in a [`Request`] and gets a [`Reply`].

mod call;
mod caller;
mod error;
mod path;
mod request;
mod socket;
mod stream;
mod table;
mod threads;

use std::{
    collections::{BTreeMap, HashMap},
    fmt, io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use streamspace_plugin::{
    abi::{Fault, Handle, Responder},
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
    request::{HeaderViews, Headers, Lent, Request},
    socket::{Entered, Handshake},
    stream::{Broken, Pieces},
    table::{Route, RouteLimits, RouteView, SocketRoute},
};
use crate::{figures::PluginFigures, tickets::Tickets, websocket::Places};

/// Where requests go: an instance of a plugin.
pub(crate) trait Target: fmt::Debug + Send + Sync {
    /// Runs the handler of a route.
    fn handle(
        &self,
        route: u32,
        request: IncomingView<'_>,
        responder: Responder<'_>,
    ) -> Result<OutgoingAnswer, Fault>;

    /// Runs the handler of a socket, for as long as that is open. `Some` is an answer to the handshake.
    fn serve(
        &self,
        socket_route: u32,
        request: IncomingView<'_>,
        socket: Handle,
    ) -> Result<Option<OutgoingAnswer>, Fault>;

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
    /// The file that the plugin answered with cannot be read.
    Unreadable(&'a Path, &'a io::Error),
}

/// Hashed with a seed at random, since names come from outside.
type ByPlugin = HashMap<Arc<str>, Arc<PluginRoutes>, RandomState>;

/// The routes of all plugins that run.
#[derive(Debug)]
pub struct Routes {
    // Read for each request, written when a plugin comes or goes: readers take no lock.
    plugins: ArcSwap<ByPlugin>,
    writer: Mutex<()>,
    limits: RouteLimits,
    threads: Threads,
    /// Where a stream's writer waits for a client that takes no more.
    network: runtime::Handle,
    /// How many sockets of all plugins are open.
    open_sockets: Arc<AtomicUsize>,
    /// What lets browsers into sockets, each for one path.
    pub tickets: Tickets<Arc<Caller>>,
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
            open_sockets: Arc::default(),
            tickets: Tickets::default(),
        }
    }

    /// What holds over what routes ask for.
    #[must_use]
    pub fn limits(&self) -> RouteLimits {
        self.limits
    }

    /// Routes of a plugin, which nobody finds yet. They answer nothing until they are [opened](PluginRoutes::open).
    pub(crate) fn make(
        &self,
        plugin: &Arc<str>,
        table: Table,
        target: Arc<dyn Target>,
        figures: Arc<PluginFigures>,
    ) -> Arc<PluginRoutes> {
        Arc::new(PluginRoutes {
            name: Arc::clone(plugin),
            table,
            target,
            max_requests: self.limits.max_requests,
            running: AtomicUsize::new(0),
            closed: AtomicBool::new(true),
            sockets: Arc::default(),
            figures,
        })
    }

    /// From now on, requests find these routes of a plugin. Those that found others keep them, until they are closed.
    pub(crate) fn replace(&self, plugin: &Arc<str>, routes: Option<&Arc<PluginRoutes>>) {
        self.change(|plugins| {
            drop(match routes {
                Some(routes) => plugins.insert(Arc::clone(plugin), Arc::clone(routes)),
                None => plugins.remove(plugin),
            });
        });
    }

    /// Tells all sockets that the host stops.
    pub(crate) fn end_sockets(&self) {
        for routes in self.plugins.load().values() {
            routes.sockets.close();
        }
    }

    /// Forgets a plugin's routes. Requests that run go on; sockets are told to end.
    pub(crate) fn remove(&self, plugin: &str) {
        let removed = self.plugins.load().get(plugin).cloned();
        if let Some(removed) = removed {
            removed.close();
            self.change(|plugins| drop(plugins.remove(plugin)));
        }
    }

    fn change(&self, change: impl FnOnce(&mut ByPlugin)) {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut plugins = ByPlugin::clone(&self.plugins.load());
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
    sockets: Arc<Places>,
    figures: Arc<PluginFigures>,
}

impl PluginRoutes {
    /// Lets requests in.
    pub(crate) fn open(&self) {
        self.closed.store(false, Ordering::SeqCst);
        self.sockets.let_in();
    }

    /// Lets no more requests in, and tells the sockets that are open to end.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.sockets.close();
    }

    /// How many sockets are open.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.sockets.count()
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

    /// Waits until neither a request nor a socket is with the plugin. Answers the routes whose handlers have not ended at the deadline.
    pub(crate) fn drain(&self, deadline: Instant) -> Vec<String> {
        // Looked at again and again, since a request that ends would otherwise pay for waking somebody.
        while self.running.load(Ordering::SeqCst) > 0 || self.sockets.served() > 0 {
            if Instant::now() >= deadline {
                return self.table.running();
            }
            thread::sleep(Duration::from_millis(2));
        }
        Vec::new()
    }

    /// Lets one request in, to the route of this number.
    fn enter(self: &Arc<Self>, route: u32) -> Result<Permit, CallError> {
        let before = self.running.fetch_add(1, Ordering::SeqCst);
        self.table.route(route).running.fetch_add(1, Ordering::Relaxed);
        let permit = Permit { routes: Arc::clone(self), route };
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
pub struct Permit {
    routes: Arc<PluginRoutes>,
    route: u32,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("route", &self.route).finish_non_exhaustive()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.routes.table.route(self.route).running.fetch_sub(1, Ordering::Relaxed);
        self.routes.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use streamspace_plugin::{abi::RVec, routes::RouteSpec};

    use super::*;

    #[derive(Debug)]
    struct Silent;

    impl Target for Silent {
        fn handle(&self, _: u32, _: IncomingView<'_>, _: Responder<'_>) -> Result<OutgoingAnswer, Fault> {
            let kind = streamspace_plugin::routes::BodyKind::BYTES;
            Ok(OutgoingAnswer { status: 204, headers: RVec::new(), kind, body: RVec::new() })
        }

        fn serve(&self, _: u32, _: IncomingView<'_>, _: Handle) -> Result<Option<OutgoingAnswer>, Fault> {
            Ok(None)
        }

        fn failed(&self, _: &Failure<'_>) {}
    }

    const LIMITS: RouteLimits = RouteLimits { max_requests: 1, ..RouteLimits::OF_TESTS };

    fn routes(specs: &[RouteSpec]) -> Arc<PluginRoutes> {
        let network = runtime::Builder::new_current_thread().build().expect("a runtime");
        let all = Routes::new(LIMITS, network.handle().clone());
        let table = Table::new(specs, &[], LIMITS).expect("good routes");
        let routes = all.make(&"p".into(), table, Arc::new(Silent), Arc::default());
        routes.open();
        routes
    }

    fn found(routes: &Arc<PluginRoutes>, path: &str) -> Found {
        Arc::clone(routes).find("GET", path).expect("a route")
    }

    #[test]
    fn a_route_admits_only_who_is_permitted_what_it_asks_for() {
        let mut asks = RouteSpec::at("GET", "/asks");
        asks.permissions.push("things.write".into());
        let routes = routes(&[asks, RouteSpec::at("GET", "/free")]);
        assert!(found(&routes, "/asks").lacks(&Caller::nobody()).is_some());
        assert!(found(&routes, "/asks").lacks(&Caller::admin()).is_none());
        assert!(found(&routes, "/free").lacks(&Caller::nobody()).is_none());
    }

    #[test]
    fn a_request_is_let_in_or_told_why_not_and_one_that_hangs_is_named() {
        let routes = routes(&[RouteSpec::at("GET", "/a"), RouteSpec::at("GET", "/b")]);
        let permit = routes.enter(1).expect("the first one");
        assert_eq!(routes.enter(0).err(), Some(CallError::Busy { limit: 1 }));
        assert_eq!(routes.drain(Instant::now()), ["GET /b"]);
        drop(permit);
        routes.close();
        assert_eq!(routes.enter(0).err(), Some(CallError::Closed));
        assert!(routes.drain(Instant::now()).is_empty());
    }
}
