//! A running host.

use std::{fs, ops::Deref, process::ExitStatus, time::Duration};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    Answer, Api, DEADLINE, Installation, Log, LogLine, Process, cloud_event, wait::within, wait_for,
};

const START: Duration = Duration::from_secs(30);

/// A running host. Dereferences to its [`Installation`], on which the command line works.
#[derive(Debug)]
pub struct Host {
    process: Process,
    api: Api,
    address: String,
    installation: Installation,
}

/// A host that ended, with what it left.
#[derive(Debug)]
pub struct Stopped {
    /// Its data, to be started again.
    pub installation: Installation,
    /// How it ended.
    pub status: ExitStatus,
    /// What it logged.
    pub log: Log,
    /// What it wrote to its standard error.
    pub stderr: Log,
}

impl Deref for Host {
    type Target = Installation;

    fn deref(&self) -> &Installation {
        &self.installation
    }
}

impl Host {
    pub(crate) fn start(installation: Installation) -> Self {
        let mut process = Process::spawn(&mut installation.command(&["serve"]));
        let listening = |line: &LogLine| line.message() == "Listening.";
        wait_for(START, "the host to listen", || {
            if let Some(status) = process.exited() {
                panic!("the host ended ({status}):\n{}\n{}", process.stdout.tail(), process.stderr.tail());
            }
            process.stdout.has(listening).then_some(())
        });
        let line = process.stdout.wait(START, "the address", listening);
        let address = line.text("address").to_owned();
        let token = fs::read_to_string(installation.data().join("admin.token")).unwrap();
        let api = Api::new(&address, token.trim());
        Self { process, api, address, installation }
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The id of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it takes of memory, in KiB.
    ///
    /// # Panics
    ///
    /// When it has ended.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// A client with the administrator's token.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// What it logs.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.process.stdout
    }

    /// The lines it has logged.
    #[must_use]
    pub fn log_lines(&self) -> Vec<LogLine> {
        self.log().lines()
    }

    /// Waits for a line in the log.
    #[track_caller]
    pub fn logged(&self, what: &str, such: impl Fn(&LogLine) -> bool) -> LogLine {
        self.log().wait(DEADLINE, what, such)
    }

    /// Waits for `condition`; when it does not come about, the end of the log is part of the failure.
    ///
    /// # Panics
    ///
    /// When it does not within `deadline`.
    pub fn wait_for<T>(&self, deadline: Duration, what: &str, condition: impl FnMut() -> Option<T>) -> T {
        let found = within(deadline, condition);
        found.unwrap_or_else(|| {
            panic!("waited {deadline:?} in vain for {what}. The log:\n{}", self.log().tail())
        })
    }

    /// Posts an event and sees that it is accepted.
    pub fn post_event(&self, topic: &str, data: &Value) -> Answer {
        self.api.event(&cloud_event(topic, data)).expect(202)
    }

    /// What the host says about a plugin.
    #[must_use]
    pub fn plugin(&self, name: &str) -> Value {
        self.api.get(&format!("/api/v1/plugins/{name}")).expect(200).json()
    }

    /// Waits until a plugin is in `state`, and answers with what the host says about it.
    pub fn wait_state(&self, name: &str, state: &str) -> Value {
        self.wait_for(DEADLINE, &format!("{name} to be {state}"), || {
            Some(self.plugin(name)).filter(|plugin| plugin["state"] == state)
        })
    }

    /// What the host says about a consumer.
    ///
    /// # Panics
    ///
    /// When there is none of that name.
    #[must_use]
    pub fn consumer(&self, plugin: &str, name: &str) -> Value {
        let plugin = self.plugin(plugin);
        let consumers = plugin["consumers"].as_array().into_iter().flatten();
        let found = consumers.into_iter().find(|consumer| consumer["name"] == name).cloned();
        found.unwrap_or_else(|| panic!("there is no consumer `{name}` in {plugin}"))
    }

    /// Waits until a number of a consumer is at least `least`, and answers with what the host says about it.
    pub fn wait_count(&self, plugin: &str, consumer: &str, number: &str, least: u64) -> Value {
        let what = format!("`{number}` of {plugin}'s consumer {consumer} to be {least}");
        self.wait_for(DEADLINE, &what, || {
            Some(self.consumer(plugin, consumer)).filter(|consumer| consumer[number].as_u64() >= Some(least))
        })
    }

    /// Waits until a plugin has this many dead letters, which are written a moment after they are counted, and answers
    /// with what the host says about the plugin.
    pub fn wait_dead_letters(&self, plugin: &str, count: usize) -> Value {
        self.wait_for(DEADLINE, &format!("{plugin} to have {count} dead letters"), || {
            let there =
                |plugin: &Value| plugin["dead_letters"].as_array().is_some_and(|all| all.len() == count);
            Some(self.plugin(plugin)).filter(there)
        })
    }

    /// Everything it said to anyone: log, standard error, command line and HTTP.
    #[must_use]
    pub fn everything_said(&self) -> String {
        let parts =
            [self.log().text(), self.process.stderr.text(), self.api.said(), self.installation.said()];
        parts.join("\n")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Sends it a signal and waits for its end.
    ///
    /// # Panics
    ///
    /// When it does not end within `deadline`.
    #[must_use]
    pub fn end(mut self, signal: Signal, deadline: Duration) -> Stopped {
        self.signal(signal);
        let status = self.process.wait(deadline);
        let Self { process, installation, .. } = self;
        let (log, stderr) = (process.stdout.clone(), process.stderr.clone());
        Stopped { installation, status, log, stderr }
    }

    /// Stops it as an operator does, and sees that it went well: exit code 0, and every line of the log is one.
    ///
    /// # Panics
    ///
    /// When it did not.
    pub fn stop(self) -> Stopped {
        let stopped = self.end(Signal::TERM, DEADLINE);
        assert_eq!(stopped.status.code(), Some(0), "{}", stopped.log.tail());
        let lines = stopped.log.lines();
        let odd: Vec<_> = lines.iter().filter(|line| !line.is_well_formed()).map(|line| &line.raw).collect();
        assert!(odd.is_empty(), "lines that are no log lines: {odd:#?}");
        stopped
    }
}
