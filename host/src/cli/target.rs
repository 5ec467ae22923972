//! The host that a command is about: one that runs, over its HTTP interface, or the data folder of one that does not.

mod accounts;
mod catalogs;
mod packages;

pub(in crate::cli) use self::packages::Package;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};
use uuid::Uuid;

use super::progress::Bars;
use crate::{
    config::Config,
    database::Databases,
    events::Which,
    http::{EventPage, Problem, Status},
    install::{
        ConsumerState, DeadLetterView, GrantView, Health, InstallError, JobView, Kept, Packages, PluginView,
        Plugins,
    },
    loader::{Blocked, Loader},
    log::LogPage,
    routes::RouteView,
    storage::Storage,
    store::{DataDir, Database, Lock, Store},
    ui::ContributionsView,
};

/// How long a host that is starting may take to say where it listens.
const STARTING: Duration = Duration::from_secs(5);
/// How long an answer may take: longer than a plugin may take to start and to stop.
const ANSWER: Duration = Duration::from_secs(150);
/// How long an upgrade may take: as much, and the longest `plugins.health_gate_secs`.
const UPGRADED: Duration = Duration::from_secs(150 + 3600);

/// What a command works on.
#[derive(Debug)]
pub(super) enum Target {
    /// A host that runs.
    Running(Client),
    /// The data folder of a host that does not, locked for as long as the command takes.
    Stopped {
        plugins: Plugins,
        database: Arc<Database>,
        config: Box<Config>,
        #[expect(dead_code, reason = "kept for its drop")]
        network: tokio::runtime::Runtime,
        #[expect(dead_code, reason = "kept for its drop")]
        lock: Lock,
    },
}

impl Target {
    /// Finds out which. `STREAMSPACE_URL` and `STREAMSPACE_TOKEN` name a host elsewhere.
    pub(super) fn find(config: &Config) -> anyhow::Result<Self> {
        if let Some(url) = variable("STREAMSPACE_URL") {
            // Never the token of this machine's data folder: it is not that host's business.
            let token = variable("STREAMSPACE_TOKEN").context(
                "STREAMSPACE_URL names a host, and STREAMSPACE_TOKEN, its administrator's token, is missing",
            )?;
            return Ok(Self::Running(Client { is_elsewhere: true, ..Client::new(url, token)? }));
        }
        let data = DataDir::open(&config.data_dir)?;
        let waiting_until = Instant::now() + STARTING;
        loop {
            if let Some(lock) = data.try_lock()? {
                // What a host that was killed left behind would lead others astray.
                data.remove_server();
                let logger = slog::Logger::root(slog::Discard, slog::o!());
                let loader = Arc::new(Loader::open(&data, &config.plugins, &logger)?);
                let network = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()
                    .context("cannot start a thread for the database")?;
                let database = Database::open(data.path(), &config.database, network.handle());
                let database = Arc::new(database.map_err(|why| anyhow!("{why} ({})", why.code()))?);
                let storage = Arc::new(Storage::new(config, database.postgres().cloned()));
                let databases = Arc::new(Databases::new(&data, &config.database, database.postgres()));
                let store = Store::open(&data, Arc::clone(&database));
                let store =
                    store.map_err(InstallError::from).map_err(|why| anyhow!("{why} ({})", why.code()))?;
                let packages = Packages::new(&data, &database, config).telling(Bars::default());
                let kept = Kept { databases, storage };
                let plugins = Plugins::stopped(Arc::new(store), loader, kept, packages);
                coded(plugins.recover(&logger))?;
                return Ok(Self::Stopped {
                    plugins,
                    database,
                    config: Box::new(config.clone()),
                    network,
                    lock,
                });
            }
            if let Some(server) = data.read_server()? {
                let client = Client::new(format!("http://{}", server.address), data.read_admin_token()?)?;
                return Ok(Self::Running(client));
            }
            if Instant::now() > waiting_until {
                bail!(
                    "a host or another command holds the data folder {} and does not say where it listens: try again",
                    data.path().display()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn install(&self, folder: &Path) -> anyhow::Result<PluginView> {
        let folder =
            folder.canonicalize().with_context(|| format!("cannot find the folder {}", folder.display()))?;
        match self {
            Self::Running(client) => client.call(Method::Post, &["plugins"], Some(json!({"path": folder}))),
            Self::Stopped { plugins, .. } => coded(plugins.install(&folder)),
        }
    }

    pub(super) fn upgrade(&self, folder: &Path) -> anyhow::Result<PluginView> {
        let folder =
            folder.canonicalize().with_context(|| format!("cannot find the folder {}", folder.display()))?;
        let name = coded(Store::read_manifest(&folder).map_err(InstallError::from))?.name.to_string();
        match self {
            Self::Running(client) => {
                let (path, body) = (["plugins", &name, "upgrade"], json!({"path": folder}));
                client.call_within(UPGRADED, Method::Post, &path, &[], Some(body))
            }
            Self::Stopped { plugins, .. } => coded(plugins.upgrade_folder(&name, &folder)),
        }
    }

    pub(super) fn list(&self) -> anyhow::Result<Vec<PluginView>> {
        match self {
            Self::Running(client) => {
                let mut answer: Value = client.call(Method::Get, &["plugins"], None)?;
                Ok(serde_json::from_value(answer["plugins"].take())?)
            }
            Self::Stopped { plugins, .. } => coded(plugins.list()),
        }
    }

    pub(super) fn show(&self, name: &str) -> anyhow::Result<PluginView> {
        match self {
            Self::Running(client) => client.call(Method::Get, &["plugins", name], None),
            Self::Stopped { plugins, .. } => coded(plugins.show(name)),
        }
    }

    pub(super) fn routes(&self, name: &str) -> anyhow::Result<Vec<RouteView>> {
        match self {
            Self::Running(client) => {
                let mut answer: Value = client.call(Method::Get, &["plugins", name, "routes"], None)?;
                Ok(serde_json::from_value(answer["routes"].take())?)
            }
            Self::Stopped { .. } => bail!("a plugin's routes are known while it runs: start the host first"),
        }
    }

    pub(super) fn enable(&self, name: &str) -> anyhow::Result<PluginView> {
        match self {
            Self::Running(client) => client.call(Method::Post, &["plugins", name, "enable"], None),
            Self::Stopped { plugins, .. } => coded(plugins.enable(name)),
        }
    }

    pub(super) fn disable(&self, name: &str) -> anyhow::Result<PluginView> {
        match self {
            Self::Running(client) => client.call(Method::Post, &["plugins", name, "disable"], None),
            Self::Stopped { plugins, .. } => coded(plugins.disable(name)),
        }
    }

    pub(super) fn config(&self, name: &str) -> anyhow::Result<Value> {
        match self {
            Self::Running(client) => client.call(Method::Get, &["plugins", name, "config"], None),
            Self::Stopped { plugins, .. } => coded(plugins.config(name)),
        }
    }

    pub(super) fn set_config(&self, name: &str, patch: Value) -> anyhow::Result<PluginView> {
        match self {
            Self::Running(client) => client.call(Method::Patch, &["plugins", name, "config"], Some(patch)),
            Self::Stopped { plugins, .. } => coded(plugins.set_config(name, patch)),
        }
    }

    pub(super) fn uninstall(&self, name: &str, purge: bool) -> anyhow::Result<()> {
        match self {
            Self::Running(client) => {
                let query = [("purge", purge.to_string())];
                client.call_with::<Value>(Method::Delete, &["plugins", name], &query, None).map(drop)
            }
            Self::Stopped { plugins, .. } => coded(plugins.uninstall(name, purge)),
        }
    }

    pub(super) fn dead_letters(
        &self,
        name: &str,
        which: &Which,
        limit: u32,
    ) -> anyhow::Result<Vec<DeadLetterView>> {
        match self {
            Self::Running(client) => {
                let mut query = vec![("limit", limit.to_string())];
                query.extend(which.consumer.clone().map(|consumer| ("consumer", consumer)));
                let path = ["plugins", name, "dead-letters"];
                let mut answer: Value = client.call_with(Method::Get, &path, &query, None)?;
                Ok(serde_json::from_value(answer["dead_letters"].take())?)
            }
            Self::Stopped { plugins, .. } => coded(plugins.dead_letters(name, which, 0, limit)),
        }
    }

    pub(super) fn dead_letter(&self, name: &str, event: Uuid) -> anyhow::Result<Vec<DeadLetterView>> {
        match self {
            Self::Running(client) => {
                let path = ["plugins", name, "dead-letters", &event.to_string()];
                let mut answer: Value = client.call(Method::Get, &path, None)?;
                Ok(serde_json::from_value(answer["dead_letters"].take())?)
            }
            Self::Stopped { plugins, .. } => coded(plugins.dead_letter(name, event)),
        }
    }

    pub(super) fn replay(&self, name: &str, which: &Which) -> anyhow::Result<Value> {
        match self {
            Self::Running(client) => {
                let event = which.event.map(|event| event.to_string());
                let mut path = vec!["plugins", name, "dead-letters"];
                path.extend(event.as_deref());
                path.push("replay");
                client.call_with(Method::Post, &path, &consumer_query(which), None)
            }
            Self::Stopped { plugins, .. } => {
                coded(plugins.replay(name, which)).map(|count| json!({"replayed": count}))
            }
        }
    }

    pub(super) fn drop_dead_letters(&self, name: &str, which: &Which) -> anyhow::Result<Value> {
        match self {
            Self::Running(client) => {
                let event = which.event.map(|event| event.to_string());
                let mut path = vec!["plugins", name, "dead-letters"];
                path.extend(event.as_deref());
                client.call_with(Method::Delete, &path, &consumer_query(which), None)
            }
            Self::Stopped { plugins, .. } => {
                coded(plugins.drop_dead_letters(name, which)).map(|count| json!({"dropped": count}))
            }
        }
    }

    pub(super) fn contributions(&self, name: &str) -> anyhow::Result<ContributionsView> {
        match self {
            Self::Running(client) => client.call(Method::Get, &["plugins", name, "contributions"], None),
            Self::Stopped { .. } => {
                bail!("what a plugin shows in the console is known while it runs: start the host first")
            }
        }
    }

    pub(super) fn jobs(&self, name: &str) -> anyhow::Result<Vec<JobView>> {
        match self {
            Self::Running(client) => {
                let mut answer: Value = client.call(Method::Get, &["plugins", name, "jobs"], None)?;
                Ok(serde_json::from_value(answer["jobs"].take())?)
            }
            Self::Stopped { plugins, .. } => coded(plugins.jobs(name)),
        }
    }

    pub(super) fn job(&self, name: &str, job: &str) -> anyhow::Result<JobView> {
        match self {
            Self::Running(client) => client.call(Method::Get, &["plugins", name, "jobs", job], None),
            Self::Stopped { plugins, .. } => coded(plugins.job(name, job)),
        }
    }

    pub(super) fn run_job(&self, name: &str, job: &str) -> anyhow::Result<JobView> {
        match self {
            Self::Running(client) => client.call(Method::Post, &["plugins", name, "jobs", job, "run"], None),
            Self::Stopped { plugins, .. } => coded(plugins.run_job(name, job)),
        }
    }

    pub(super) fn pause_job(&self, name: &str, job: &str, paused: bool) -> anyhow::Result<JobView> {
        match self {
            Self::Running(client) => {
                let verb = if paused { "pause" } else { "resume" };
                client.call(Method::Post, &["plugins", name, "jobs", job, verb], None)
            }
            Self::Stopped { plugins, .. } => coded(plugins.pause_job(name, job, paused)),
        }
    }

    /// Lines of the log of a plugin, or of the host, as the query asks for them.
    pub(super) fn logs(&self, plugin: Option<&str>, query: &[(&str, String)]) -> anyhow::Result<LogPage> {
        let path = plugin.map_or_else(|| vec!["logs"], |plugin| vec!["plugins", plugin, "logs"]);
        self.running("the latest lines of the log are kept by a host that runs")?.call_with(
            Method::Get,
            &path,
            query,
            None,
        )
    }

    pub(super) fn consumers(&self, name: &str) -> anyhow::Result<Vec<ConsumerState>> {
        let client = self.running("consumers are known while a host runs")?;
        let mut answer: Value = client.call(Method::Get, &["plugins", name, "consumers"], None)?;
        Ok(serde_json::from_value(answer["consumers"].take())?)
    }

    pub(super) fn events(&self, query: &[(&str, String)]) -> anyhow::Result<EventPage> {
        let client = self.running("the event log is read by a host that runs")?;
        client.call_with(Method::Get, &["events"], query, None)
    }

    pub(super) fn status(&self) -> anyhow::Result<Status> {
        self.running("there is no status")?.call(Method::Get, &["status"], None)
    }

    pub(super) fn health(&self, name: &str) -> anyhow::Result<Health> {
        match self {
            Self::Running(client) => client.call(Method::Get, &["plugins", name, "health"], None),
            Self::Stopped { plugins, .. } => coded(plugins.health(name)),
        }
    }

    pub(super) fn grants(&self, name: &str) -> anyhow::Result<Vec<GrantView>> {
        match self {
            Self::Running(client) => {
                let mut answer: Value = client.call(Method::Get, &["plugins", name, "grants"], None)?;
                Ok(serde_json::from_value(answer["grants"].take())?)
            }
            Self::Stopped { plugins, .. } => coded(plugins.grants(name)),
        }
    }

    /// The host that runs; without one, `why` there must be.
    pub(super) fn running(&self, why: &str) -> anyhow::Result<&Client> {
        match self {
            Self::Running(client) => Ok(client),
            Self::Stopped { .. } => {
                bail!("no host is running on this data folder, and {why}: start it with `streamspace serve`")
            }
        }
    }

    pub(super) fn rotate_secret_key(&self) -> anyhow::Result<Value> {
        match self {
            Self::Running(client) => client.call(Method::Post, &["secrets", "rotate"], None),
            Self::Stopped { plugins, .. } => {
                coded(plugins.rotate_secret_key()).map(|sealed| json!({"sealed": sealed}))
            }
        }
    }

    pub(super) fn blocked(&self) -> anyhow::Result<Vec<Blocked>> {
        match self {
            Self::Running(client) => {
                let mut answer: Value = client.call(Method::Get, &["blocked-libraries"], None)?;
                Ok(serde_json::from_value(answer["libraries"].take())?)
            }
            Self::Stopped { plugins, .. } => coded(plugins.blocked()),
        }
    }

    pub(super) fn unblock(&self, hash: &str) -> anyhow::Result<Blocked> {
        match self {
            Self::Running(client) => client.call(Method::Delete, &["blocked-libraries", hash], None),
            Self::Stopped { plugins, .. } => coded(plugins.unblock(hash)),
        }
    }
}

/// An error with its code, as a running host's has it.
fn coded<T>(result: Result<T, InstallError>) -> anyhow::Result<T> {
    result.map_err(|why| {
        let code = why.code();
        anyhow!("{why} ({code})")
    })
}

fn consumer_query(which: &Which) -> Vec<(&'static str, String)> {
    which.consumer.iter().map(|consumer| ("consumer", consumer.clone())).collect()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// Talks to a host that runs.
pub(super) struct Client {
    base: url::Url,
    token: String,
    client: reqwest::Client,
    /// Whether it may be on another machine, where it does not read this one's files.
    is_elsewhere: bool,
    runtime: tokio::runtime::Runtime,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token is a secret.
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    fn new(base: String, token: String) -> anyhow::Result<Self> {
        Ok(Self {
            base: base.parse().with_context(|| format!("`{base}` is not a URL"))?,
            token,
            is_elsewhere: false,
            client: reqwest::Client::builder().no_proxy().timeout(ANSWER).build()?,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        })
    }

    pub(super) fn post_event(&self, event: &Value) -> anyhow::Result<Value> {
        let request = self
            .client
            .post(self.url(&["events"])?)
            .header("Content-Type", "application/cloudevents+json")
            .body(event.to_string());
        self.send(request)
    }

    pub(super) fn call<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> anyhow::Result<T> {
        self.call_with(method, path, &[], body)
    }

    pub(super) fn call_with<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> anyhow::Result<T> {
        self.call_within(ANSWER, method, path, query, body)
    }

    fn call_within<T: serde::de::DeserializeOwned>(
        &self,
        patience: Duration,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> anyhow::Result<T> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = match method {
            Method::Get => self.client.get(url),
            Method::Post => self.client.post(url),
            Method::Put => self.client.put(url),
            Method::Patch => self.client.patch(url),
            Method::Delete => self.client.delete(url),
        };
        request = request.timeout(patience);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        Ok(serde_json::from_value(self.send(request)?)?)
    }

    fn url(&self, path: &[&str]) -> anyhow::Result<url::Url> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            // Segment by segment, so that a name with a slash in it stays one name.
            Ok(mut segments) => segments.pop_if_empty().extend(["api", "v1"]).extend(path),
            Err(()) => bail!("`{}` is not the URL of a host", self.base),
        };
        Ok(url)
    }

    fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let request = request.bearer_auth(&self.token);
        let (status, body) = self
            .runtime
            .block_on(async {
                let response = request.send().await?;
                let status = response.status();
                Ok::<_, reqwest::Error>((status, response.bytes().await?))
            })
            .with_context(|| format!("the host at {} does not answer", self.base))?;
        if status.is_success() {
            return if body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&body)?) };
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => bail!("{problem}"),
            Err(_) => bail!("the host at {} answered with status {status} and no explanation", self.base),
        }
    }
}
