//! The routes of one plugin: checked, and found by path.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use matchit::{InsertError, Router};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use streamspace_plugin::{routes::RouteSpec, websocket::WebSocketSpec};

use super::RouteError;
use crate::websocket::SocketLimits;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// The longest path of a route, in bytes.
const MAX_PATH: usize = 512;
/// The most routes of a plugin.
const MAX_ROUTES: usize = 1000;

/// A route, as operators read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RouteView {
    /// The method.
    pub method: String,
    /// The whole path.
    pub path: String,
    /// What the caller must be permitted.
    pub permissions: Vec<String>,
    /// Whether anybody may call it.
    pub public: bool,
    /// Whether it runs on the server's own thread.
    pub inline: bool,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// After how many milliseconds the caller is told that the handler is late.
    pub timeout_ms: u64,
    /// What it is for.
    pub description: String,
    /// Whether it is a WebSocket. Its largest message is `max_body_bytes`.
    #[serde(default)]
    pub websocket: bool,
}

/// What holds over what routes ask for.
#[derive(Debug, Clone, Copy)]
pub struct RouteLimits {
    /// The largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// After what time a handler is late.
    pub timeout: Duration,
    /// How many requests of one plugin run at once.
    pub max_requests: usize,
    /// What holds over sockets.
    pub sockets: SocketLimits,
}

#[cfg(test)]
impl RouteLimits {
    pub(super) const OF_TESTS: Self = Self {
        max_body_bytes: 1000,
        timeout: Duration::from_secs(5),
        max_requests: 4,
        sockets: SocketLimits {
            max_open: 4,
            max_of_plugin: 4,
            max_message_bytes: 2000,
            send_deadline: Duration::from_secs(5),
            silence: Duration::from_secs(60),
        },
    };
}

/// What is special about a route for sockets.
#[derive(Debug)]
pub struct SocketRoute {
    /// Its position in the plugin's list of them.
    pub(super) number: u32,
    /// The sub-protocols that it speaks; all if there are none.
    pub protocols: Vec<String>,
}

impl SocketRoute {
    /// Whether a client that offers these sub-protocols can be spoken with.
    #[must_use]
    pub fn speaks(&self, offered: &[String]) -> bool {
        offered.is_empty()
            || self.protocols.is_empty()
            || offered.iter().any(|offer| self.protocols.contains(offer))
    }
}

/// A route that was checked.
#[derive(Debug)]
pub struct Route {
    /// Its position among the plugin's routes, sockets behind the others.
    pub(super) number: u32,
    /// What is special about it if it is for sockets.
    pub(super) socket: Option<SocketRoute>,
    pub(super) method: &'static str,
    pub(super) path: String,
    /// The names of the path's parameters.
    pub(super) names: Vec<String>,
    pub(super) permissions: Vec<String>,
    /// Whether anybody may call it.
    pub public: bool,
    /// Whether the handler runs on the server's own thread.
    pub inline: bool,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: usize,
    pub(super) timeout: Duration,
    description: String,
    /// How many requests are with its handler.
    pub(super) running: AtomicU32,
}

impl Route {
    /// As operators know it.
    pub(super) fn name(&self) -> String {
        let kind = if self.socket.is_some() { "WebSocket" } else { self.method };
        format!("{kind} {}", self.path)
    }
}

/// The routes of one path, by method.
type Methods = SmallVec<[usize; 2]>;

/// The routes of one plugin.
#[derive(Debug)]
pub(crate) struct Table {
    routes: Vec<Route>,
    paths: Router<Methods>,
}

/// Where in the path stands what a parameter matched.
pub(super) type Param = std::ops::Range<usize>;

/// What is at a path.
pub(super) enum At<'t> {
    /// Nothing.
    Nothing,
    /// Something, for these methods.
    Others(Vec<&'static str>),
    /// The route.
    Route(&'t Route, SmallVec<[Param; 2]>),
}

impl Table {
    /// Checks what a plugin asks for.
    pub(crate) fn new(
        specs: &[RouteSpec],
        sockets: &[WebSocketSpec],
        limits: RouteLimits,
    ) -> Result<Self, RouteError> {
        let mut routes: Vec<Route> = Vec::with_capacity(specs.len() + sockets.len());
        let mut by_path: BTreeMap<&str, Methods> = BTreeMap::new();
        let of_routes = specs.iter().map(|spec| (spec.path.as_str(), Wish::Route(spec)));
        let of_sockets =
            sockets.iter().zip(0..).map(|(spec, at)| (spec.path.as_str(), Wish::Socket(spec, at)));
        for (number, (path, wish)) in of_routes.chain(of_sockets).enumerate() {
            let route = match wish {
                Wish::Route(spec) => check(number, spec, limits)?,
                Wish::Socket(spec, at) => check_socket(number, at, spec, limits)?,
            };
            let methods = by_path.entry(path).or_default();
            if methods.iter().any(|known| routes[*known].method == route.method) {
                return Err(RouteError::Duplicate { method: route.method.to_owned(), path: route.path });
            }
            methods.push(number);
            routes.push(route);
        }
        let mut paths = Router::new();
        for (path, methods) in by_path {
            let method = routes[methods[0]].method;
            paths.insert(path, methods).map_err(|why| match why {
                InsertError::Conflict { with } => RouteError::Conflict { path: path.to_owned(), with },
                why => RouteError::Path {
                    method: method.to_owned(),
                    path: path.to_owned(),
                    why: why.to_string(),
                },
            })?;
        }
        Ok(Self { routes, paths })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    pub(super) fn at(&self, method: &str, path: &str) -> At<'_> {
        let Ok(found) = self.paths.at(path) else {
            return At::Nothing;
        };
        let mut of_path = found.value.iter().map(|number| &self.routes[*number]);
        let Some(route) = of_path.clone().find(|route| route.method == method) else {
            return At::Others(of_path.by_ref().map(|route| route.method).collect());
        };
        // A parameter's value is a part of the path: where it stands is kept, for the path goes to another thread.
        let params = found.params.iter().map(|(_, value)| {
            let start = value.as_ptr().addr() - path.as_ptr().addr();
            start..start + value.len()
        });
        At::Route(route, params.collect())
    }

    pub(super) fn route(&self, number: u32) -> &Route {
        &self.routes[number as usize]
    }

    /// The routes whose handlers run.
    pub(super) fn running(&self) -> Vec<String> {
        let running = self.routes.iter().filter(|route| route.running.load(Ordering::Relaxed) > 0);
        running.map(Route::name).collect()
    }

    pub(super) fn views(&self, plugin: &str) -> Vec<RouteView> {
        let view = |route: &Route| RouteView {
            method: route.method.to_owned(),
            path: format!("/api/plugins/{plugin}{}", route.path),
            permissions: route.permissions.clone(),
            public: route.public,
            inline: route.inline,
            max_body_bytes: route.max_body_bytes,
            timeout_ms: u64::try_from(route.timeout.as_millis()).unwrap_or(u64::MAX),
            description: route.description.clone(),
            websocket: route.socket.is_some(),
        };
        self.routes.iter().map(view).collect()
    }
}

/// What a plugin asks for.
enum Wish<'s> {
    Route(&'s RouteSpec),
    /// With its position among those.
    Socket(&'s WebSocketSpec, u32),
}

/// A socket begins as a `GET`.
fn check_socket(
    number: usize,
    at: u32,
    spec: &WebSocketSpec,
    limits: RouteLimits,
) -> Result<Route, RouteError> {
    let mut asked = RouteSpec::at("GET", &spec.path);
    asked.permissions.clone_from(&spec.permissions);
    asked.public = spec.public;
    asked.max_body_bytes = spec.max_message_bytes;
    asked.description.clone_from(&spec.description);
    let limits = RouteLimits { max_body_bytes: limits.sockets.max_message_bytes, ..limits };
    let mut route = check(number, &asked, limits)?;
    let protocols: Vec<String> = spec.protocols.iter().map(ToString::to_string).collect();
    // RFC 6455, 4.1: a token of HTTP.
    let is_token = |text: &String| {
        let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.len() <= 64 && text.bytes().all(of_token)
    };
    if protocols.len() > 32 || !protocols.iter().all(is_token) {
        let why = "expected at most 32 sub-protocols, each of up to 64 letters, digits and marks of a token";
        return Err(RouteError::Invalid { method: "WebSocket".to_owned(), path: route.path, why });
    }
    route.socket = Some(SocketRoute { number: at, protocols });
    Ok(route)
}

fn check(number: usize, spec: &RouteSpec, limits: RouteLimits) -> Result<Route, RouteError> {
    let (method, path) = (spec.method.to_string(), spec.path.to_string());
    let invalid = |why| RouteError::Invalid { method: method.clone(), path: path.clone(), why };
    let Some(known) = METHODS.iter().copied().find(|known| **known == method) else {
        return Err(invalid("expected the method GET, POST, PUT, PATCH or DELETE"));
    };
    if number >= MAX_ROUTES {
        return Err(invalid("expected at most 1000 routes of one plugin"));
    }
    if spec.public && !spec.permissions.is_empty() {
        return Err(invalid("it is public and asks for permissions: expected one of the two"));
    }
    if let Some(why) = wrong_path(&path) {
        return Err(RouteError::Path { method, path, why: why.to_owned() });
    }
    let asked = usize::try_from(spec.max_body_bytes).unwrap_or(usize::MAX);
    let max_body_bytes = if asked == 0 { limits.max_body_bytes } else { asked.min(limits.max_body_bytes) };
    let asked = Duration::from_millis(spec.timeout_ms);
    let timeout = if asked.is_zero() { limits.timeout } else { asked.min(limits.timeout) };
    Ok(Route {
        number: u32::try_from(number).unwrap_or(u32::MAX),
        socket: None,
        method: known,
        names: names(&path),
        path,
        permissions: spec.permissions.iter().map(ToString::to_string).collect(),
        public: spec.public,
        inline: spec.inline,
        max_body_bytes,
        timeout,
        description: spec.description.to_string(),
        running: AtomicU32::new(0),
    })
}

/// The names of a path's parameters. `{{` and `}}` stand for the braces themselves.
fn names(path: &str) -> Vec<String> {
    let path = path.replace("{{", "").replace("}}", "");
    let parts = path.split('{').skip(1).filter_map(|part| part.split_once('}'));
    parts.map(|(name, _)| name.strip_prefix('*').unwrap_or(name).to_owned()).collect()
}

/// What no path of a route may have; the rest is checked where it is inserted.
fn wrong_path(path: &str) -> Option<&'static str> {
    let Some(rest) = path.strip_prefix('/') else {
        return Some("expected a path that begins with `/`");
    };
    if path.len() > MAX_PATH {
        return Some("expected a path of at most 512 bytes");
    }
    if path.contains(['?', '#', '%', '\\']) || path.chars().any(char::is_control) {
        return Some("expected a path without `?`, `#`, `%`, `\\` and control characters");
    }
    let segments = || rest.split('/');
    if segments().any(|segment| segment == "." || segment == "..") {
        return Some("expected no segment `.` or `..`");
    }
    if !rest.is_empty() && segments().any(str::is_empty) {
        return Some("expected no empty segment");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RouteLimits = RouteLimits::OF_TESTS;

    fn spec(method: &str, path: &str) -> RouteSpec {
        RouteSpec::at(method, path)
    }

    fn code(specs: &[RouteSpec]) -> &'static str {
        Table::new(specs, &[], LIMITS).expect_err("not accepted").code()
    }

    #[test]
    fn a_path_that_could_leave_the_plugins_own_is_not_accepted() {
        for path in [
            "", "a", "//", "/a//b", "/a/", "/..", "/a/../b", "/./a", "/a%2fb", "/a?b", "/a#b", "/a\\b",
            "/a\0",
        ] {
            assert_eq!(code(&[spec("GET", path)]), "SSP-RTE-001", "{path:?}");
        }
        for path in ["/{", "/{}", "/{a}{b}", "/{*a}/b"] {
            assert_eq!(code(&[spec("GET", path)]), "SSP-RTE-001", "{path:?}");
        }
    }

    #[test]
    fn routes_that_match_the_same_are_not_accepted() {
        assert_eq!(code(&[spec("GET", "/a"), spec("GET", "/a")]), "SSP-RTE-002");
        assert_eq!(code(&[spec("GET", "/{a}"), spec("POST", "/{b}")]), "SSP-RTE-003");
        assert_eq!(code(&[spec("HEAD", "/a")]), "SSP-RTE-004");
        assert_eq!(code(&[spec("get", "/a")]), "SSP-RTE-004");
        let mut both = spec("GET", "/a");
        both.public = true;
        both.permissions = vec!["x".into()].into();
        assert_eq!(code(&[both]), "SSP-RTE-004");
    }

    #[test]
    fn a_route_is_found_with_its_parameters() {
        let specs =
            [spec("GET", "/"), spec("GET", "/a/{id}"), spec("PUT", "/a/{id}"), spec("GET", "/f/{*rest}")];
        let table = Table::new(&specs, &[], LIMITS).expect("good routes");
        let found = |method, path: &str| match table.at(method, path) {
            At::Nothing => "nothing".to_owned(),
            At::Others(methods) => methods.join(","),
            At::Route(route, params) => {
                let params = route
                    .names
                    .iter()
                    .zip(&params)
                    .map(|(name, at)| format!(" {name}={}", &path[at.clone()]));
                route.number.to_string() + &params.collect::<String>()
            }
        };
        assert_eq!(found("GET", "/"), "0");
        assert_eq!(found("GET", "/a/7"), "1 id=7");
        assert_eq!(found("PUT", "/a/ü x"), "2 id=ü x");
        assert_eq!(found("GET", "/f/b/c"), "3 rest=b/c");
        assert_eq!(found("DELETE", "/a/7"), "GET,PUT");
        assert_eq!(found("GET", "/a"), "nothing");
        assert_eq!(found("GET", "/a/7/"), "nothing");
    }

    #[test]
    fn a_socket_takes_the_place_of_a_get_and_has_limits_of_its_own() {
        let mut socket = WebSocketSpec::at("/s/{id}");
        socket.max_message_bytes = u64::MAX;
        let table = Table::new(&[spec("POST", "/s/{id}")], &[socket.clone()], LIMITS).expect("good routes");
        let At::Route(route, _) = table.at("GET", "/s/7") else { panic!("no route") };
        assert_eq!((route.number, route.max_body_bytes), (1, LIMITS.sockets.max_message_bytes));
        assert_eq!(route.socket.as_ref().map(|socket| socket.number), Some(0));
        assert_eq!(route.name(), "WebSocket /s/{id}");
        let both = Table::new(&[spec("GET", "/s/{id}")], &[socket.clone()], LIMITS);
        assert_eq!(both.expect_err("not accepted").code(), "SSP-RTE-002");
        socket.protocols = vec!["a b".into()].into();
        assert_eq!(Table::new(&[], &[socket], LIMITS).expect_err("not accepted").code(), "SSP-RTE-004");
    }

    #[test]
    fn a_client_that_offers_what_is_not_spoken_is_told_apart() {
        let offers = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let route = SocketRoute { number: 0, protocols: offers(&["a", "b"]) };
        assert!(route.speaks(&[]) && route.speaks(&offers(&["x", "b"])) && !route.speaks(&offers(&["x"])));
        assert!(SocketRoute { number: 0, protocols: Vec::new() }.speaks(&offers(&["x"])));
    }

    #[test]
    fn names_of_parameters_are_those_between_single_braces() {
        assert_eq!(names("/a/{id}/x{n}.json/{{b}}/{*rest}"), ["id", "n", "rest"]);
        assert!(names("/a").is_empty());
    }

    #[test]
    fn the_hosts_limits_hold_over_those_of_a_route() {
        let mut greedy = spec("GET", "/a");
        (greedy.max_body_bytes, greedy.timeout_ms) = (u64::MAX, u64::MAX);
        let mut modest = spec("GET", "/b");
        (modest.max_body_bytes, modest.timeout_ms) = (10, 20);
        let table = Table::new(&[greedy, modest], &[], LIMITS).expect("good routes");
        let limits: Vec<_> =
            table.views("p").into_iter().map(|view| (view.max_body_bytes, view.timeout_ms)).collect();
        assert_eq!(limits, [(1000, 5000), (10, 20)]);
    }
}
