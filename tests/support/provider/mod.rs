//! A provider that plugins send to: a real HTTP server on loopback, over TLS or not, that answers as it was told and
//! writes down what it was asked.

mod connection;
mod discord_rules;
mod pagerduty_rules;
mod reply;
mod slack_rules;
mod teams_rules;
mod tls;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustls::ServerConfig;
use serde_json::Value;

pub use self::{pagerduty_rules::Alert, reply::Reply};
use self::{reply::Ending, tls::Authority};

/// What the provider was asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path, with the query.
    pub path: String,
    /// The headers as they came; the names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When its last byte was there.
    pub arrived: Instant,
    /// The rule of the provider that it breaks, if any: what the provider answered.
    pub violation: Option<String>,
}

impl Request {
    /// The first header of that name, or nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Checks a request by the provider's rules.
type Rules = fn(&Request) -> Result<(), Reply>;

/// What the provider answers to a request that breaks no rule, the one of this number, unless it was told otherwise.
type Usual = fn(&Request, usize) -> Reply;

/// A provider. Ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    authority: Option<Authority>,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    tls: Option<Arc<ServerConfig>>,
    rules: Rules,
    usual: Usual,
    state: Mutex<State>,
    changed: Condvar,
    stopping: AtomicBool,
    next_connection: AtomicU64,
    connections: Mutex<HashMap<u64, Arc<TcpStream>>>,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    /// Of each request, whether the provider has what was sent.
    taken: Vec<bool>,
    replies: VecDeque<Reply>,
    /// What is answered to every request whose path contains the text.
    standing: Vec<(String, Reply)>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

impl Provider {
    /// One that stands in for `hooks.slack.com` and `slack.com`, and refuses what Slack refuses.
    #[must_use]
    pub fn slack() -> Self {
        Self::start(Some(Authority::new(&["hooks.slack.com", "slack.com"])), slack_rules::check)
    }

    /// One that stands in for flows of the Workflows app and for connectors, below `names`, and refuses what Teams refuses. What it
    /// takes, it answers as they do.
    #[must_use]
    pub fn teams(names: &[&str]) -> Self {
        Self::answering(Some(Authority::new(names)), teams_rules::check, |request, _| {
            teams_rules::taken(request)
        })
    }

    /// One that stands in for `events.pagerduty.com` and `events.eu.pagerduty.com`, and refuses what PagerDuty refuses.
    #[must_use]
    pub fn pagerduty() -> Self {
        let names = ["events.pagerduty.com", "events.eu.pagerduty.com"];
        Self::answering(Some(Authority::new(&names)), pagerduty_rules::check, pagerduty_rules::taken)
    }

    /// One that takes everything over HTTPS, with a certificate for `names`.
    #[must_use]
    pub fn https(names: &[&str]) -> Self {
        Self::start(Some(Authority::new(names)), |_| Ok(()))
    }

    /// One that takes everything over plain HTTP.
    #[must_use]
    pub fn http() -> Self {
        Self::start(None, |_| Ok(()))
    }

    /// One that stands in for `discord.com`, refuses what Discord refuses, and answers with messages that have an id: the first
    /// request's is 1001.
    #[must_use]
    pub fn discord() -> Self {
        Self::answering(Some(Authority::new(&["discord.com"])), discord_rules::check, discord_rules::message)
    }

    fn start(authority: Option<Authority>, rules: Rules) -> Self {
        Self::answering(authority, rules, |_, _| Reply::default())
    }

    fn answering(authority: Option<Authority>, rules: Rules, usual: Usual) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            tls: authority.as_ref().map(|authority| Arc::clone(&authority.server)),
            rules,
            usual,
            state: Mutex::default(),
            changed: Condvar::new(),
            stopping: AtomicBool::new(false),
            next_connection: AtomicU64::new(0),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopping.load(Ordering::SeqCst) {
                    break;
                }
                if let Ok(stream) = stream {
                    accepting.serve(stream);
                }
            }
        });
        Self { address, authority, shared, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The PEM file with the certificate of the authority that vouches for it; none over plain HTTP.
    #[must_use]
    pub fn ca_file(&self) -> Option<&Path> {
        self.authority.as_ref().map(|authority| authority.file.path())
    }

    /// Adds the answer to a request that is still to come, after those that were added before. Without one, and to
    /// what breaks no rule, the answer is 200 with the body `ok`, or what the provider stood in for answers.
    pub fn reply(&self, reply: Reply) {
        self.shared.lock().replies.push_back(reply);
    }

    /// From now on, the answer to every request whose path contains `part`, if it breaks no rule.
    pub fn always(&self, part: &str, reply: Reply) {
        self.shared.lock().standing.push((part.to_owned(), reply));
    }

    /// The requests so far, in the order in which they arrived.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// Waits for the first `count` requests.
    ///
    /// # Panics
    ///
    /// When fewer come within `deadline`.
    #[must_use]
    pub fn requests_wait(&self, count: usize, deadline: Duration) -> Vec<Request> {
        let fewer = |state: &mut State| state.requests.len() < count;
        let state = self.shared.lock();
        let (state, _) = self.shared.changed.wait_timeout_while(state, deadline, fewer).unwrap();
        let found = state.requests.len();
        assert!(found >= count, "waited {deadline:?} in vain for {count} requests; there were {found}");
        state.requests.clone()
    }

    /// PagerDuty's alerts, by integration key and `dedup_key`, as they are after the requests that it took.
    #[must_use]
    pub fn alerts(&self) -> BTreeMap<(String, String), Alert> {
        let state = self.shared.lock();
        let taken = state.requests.iter().zip(&state.taken).filter(|(_, taken)| **taken);
        pagerduty_rules::alerts(taken.map(|(request, _)| request))
    }

    /// The rules of the provider that requests broke.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.shared.lock().requests.iter().filter_map(|request| request.violation.clone()).collect()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees the flag.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for stream in self.shared.connections().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<u64, Arc<TcpStream>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves a connection on a thread of its own.
    fn serve(self: &Arc<Self>, stream: TcpStream) {
        let shared = Arc::clone(self);
        let stream = Arc::new(stream);
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        self.connections().insert(id, Arc::clone(&stream));
        thread::spawn(move || {
            connection::serve(&shared, stream, shared.tls.as_ref());
            shared.connections().remove(&id);
        });
    }

    /// Writes a request down and takes the answer to it.
    fn answer(&self, mut request: Request) -> Reply {
        let refusal = (self.rules)(&request).err();
        request.violation = refusal.as_ref().map(Reply::text);
        let mut state = self.lock();
        let usual = (self.usual)(&request, state.requests.len() + 1);
        let standing = state.standing.iter().find(|(part, _)| request.path.contains(part.as_str()));
        let standing = standing.map(|(_, reply)| reply.clone());
        state.requests.push(request);
        let reply = refusal.or(standing).or_else(|| state.replies.pop_front()).unwrap_or(usual);
        let arrives = matches!(reply.ending, Ending::Whole | Ending::Half);
        state.taken.push(arrives && (200..300).contains(&reply.status));
        self.changed.notify_all();
        reply
    }
}
