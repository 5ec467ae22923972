//! A data directory and a configuration: what the command line works on, whether the host runs or not.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Backend, Builds, DEADLINE, Folder, Host, Log, Process, Provider, builds, wait_for};

/// One installation of the host, in a temporary directory.
#[derive(Debug)]
pub struct Installation {
    directory: TempDir,
    config: toml::Table,
    /// Everything that the command line printed.
    said: Arc<Mutex<String>>,
}

/// What a command did.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// The output itself, after a look at the exit code.
    ///
    /// # Panics
    ///
    /// When the exit code is another one.
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{self:?}");
        self
    }

    /// The standard output as JSON.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }
}

impl Default for Installation {
    fn default() -> Self {
        Self::new()
    }
}

impl Installation {
    /// An empty one that will listen on a free port.
    ///
    /// # Panics
    ///
    /// When the builds fail.
    #[must_use]
    pub fn new() -> Self {
        builds();
        let new =
            Self { directory: TempDir::new().unwrap(), config: toml::Table::new(), said: Arc::default() };
        let data = new.data().to_str().unwrap().to_owned();
        new.set("data_dir", data).set("server.address", "127.0.0.1:0").set("log.level", "debug")
    }

    /// As [`new`](Self::new), with its data on `backend`, which must outlive what runs on it.
    #[must_use]
    pub fn on(backend: &Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::new(),
            Backend::Postgres(database) => Self::new().set("database.url", database.url()),
        }
    }

    /// Sets a key of the configuration, such as `events.max_pending`.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<toml::Value>) -> Self {
        let (sections, name) = key.rsplit_once('.').unwrap_or(("", key));
        let mut table = &mut self.config;
        for section in sections.split('.').filter(|section| !section.is_empty()) {
            let empty = || toml::Value::Table(toml::Table::new());
            table = table.entry(section).or_insert_with(empty).as_table_mut().unwrap();
        }
        table.insert(name.to_owned(), value.into());
        fs::write(self.config_file(), toml::to_string(&self.config).unwrap()).unwrap();
        self
    }

    /// Lets plugins reach `provider` under these names, and trusts its certificates.
    #[must_use]
    pub fn provider(self, provider: &Provider, names: &[&str]) -> Self {
        let address = provider.address().to_string();
        let hosts: toml::Table =
            names.iter().map(|name| ((*name).to_owned(), toml::Value::from(address.clone()))).collect();
        let reachable =
            self.set("outbound.allow_addresses", vec!["127.0.0.0/8"]).set("outbound.hosts", hosts);
        match provider.ca_file() {
            Some(file) => reachable.set("outbound.ca_file", file.to_str().unwrap()),
            None => reachable,
        }
    }

    /// Installs a plugin with `config` laid over its defaults, while the host does not run.
    #[must_use]
    pub fn plugin(self, name: &str, config: &Value) -> Self {
        self.install(self.builds().plugin(name)).expect(0);
        self.configure(name, config).expect(0);
        self
    }

    /// Installs the plugin in `directory`, by the command line.
    pub fn install(&self, directory: &Path) -> Output {
        self.cli(&["plugin", "install", directory.to_str().unwrap()])
    }

    /// Lays `patch` over the configuration of a plugin, by the command line.
    pub fn configure(&self, name: &str, patch: &Value) -> Output {
        self.cli_with_input(&["plugin", "config", "set", name, "-"], &patch.to_string())
    }

    /// Where the builds are.
    #[must_use]
    pub fn builds(&self) -> &'static Builds {
        builds()
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.directory.path().join("streamspace.toml")
    }

    /// A directory for what a test makes itself.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// A copy of a plugin's folder under another name.
    #[must_use]
    pub fn copy(&self, plugin: &str, name: &str) -> Folder {
        Folder::copy(self.builds().plugin(plugin), self.scratch().join(name))
    }

    /// Everything that the command line printed so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Runs a command on this installation.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.cli_with_input(arguments, "")
    }

    /// Runs a command on this installation that reads `input`.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn cli_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = Log::read(child.stdout.take().unwrap());
        let stderr = Log::read(child.stderr.take().unwrap());
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // A command that does not read its input closes the pipe, and that is its right.
        thread::spawn(move || drop(std::io::Write::write_all(&mut stdin, input.as_bytes())));
        let what = format!("the end of `streamspace {}`", arguments.join(" "));
        let status = wait_for(DEADLINE, &what, || child.try_wait().unwrap());
        stdout.wait_for_end(DEADLINE);
        stderr.wait_for_end(DEADLINE);
        let output = Output { status: status.code(), stdout: stdout.text(), stderr: stderr.text() };
        let mut said = self.said.lock().unwrap();
        said.push_str(&output.stdout);
        said.push_str(&output.stderr);
        output
    }

    /// Starts a command on this installation, and does not wait for its end.
    #[must_use]
    pub fn spawn(&self, arguments: &[&str]) -> Process {
        Process::spawn(&mut self.command(arguments))
    }

    /// Starts the host and waits until it listens.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[must_use]
    pub fn start(self) -> Host {
        Host::start(self)
    }

    /// `streamspace --config FILE …`, with an environment that is not the test's.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.builds().host);
        command.arg("--config").arg(self.config_file()).args(arguments).current_dir(self.directory.path());
        command.env_remove("LD_LIBRARY_PATH");
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("STREAMSPACE_"))
        {
            command.env_remove(name);
        }
        command
    }
}
