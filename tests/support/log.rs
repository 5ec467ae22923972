//! The host's log, as it writes it.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// How many lines of it a failure shows.
const TAIL: usize = 40;

/// One line.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// The line as it was written.
    pub raw: String,
    json: Option<Value>,
}

impl LogLine {
    fn new(raw: String) -> Self {
        let json = serde_json::from_str(&raw).ok().filter(Value::is_object);
        Self { raw, json }
    }

    /// The field `name`, or `null`.
    #[must_use]
    pub fn field(&self, name: &str) -> &Value {
        self.json.as_ref().map_or(&Value::Null, |json| &json[name])
    }

    /// The field `name`, if it is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.field(name).as_str().unwrap_or_default()
    }

    /// `message`.
    #[must_use]
    pub fn message(&self) -> &str {
        self.text("message")
    }

    /// `level`.
    #[must_use]
    pub fn level(&self) -> &str {
        self.text("level")
    }

    /// Whether it is a plugin's, or about it.
    #[must_use]
    pub fn is_of(&self, plugin: &str) -> bool {
        self.text("plugin") == plugin
    }

    /// Whether the line has `text` anywhere.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.raw.contains(text)
    }

    /// Whether it is a JSON object with a time, a level and a message.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        const LEVELS: [&str; 6] = ["critical", "error", "warning", "info", "debug", "trace"];
        self.text("time").len() >= "2026-01-01T00:00:00Z".len()
            && LEVELS.contains(&self.level())
            && !self.message().is_empty()
    }
}

/// The lines that a process wrote, as they come.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Lines>);

#[derive(Debug, Default)]
struct Lines {
    state: Mutex<(Vec<LogLine>, bool)>,
    changed: Condvar,
}

impl Log {
    /// Reads lines from `source` on a thread of its own until it ends.
    pub fn read(source: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let Self(lines) = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(source).split(b'\n') {
                let Ok(line) = line else { break };
                let line = LogLine::new(String::from_utf8_lossy(&line).into_owned());
                lines.state.lock().unwrap_or_else(PoisonError::into_inner).0.push(line);
                lines.changed.notify_all();
            }
            lines.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
            lines.changed.notify_all();
        });
        log
    }

    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<LogLine> {
        self.0.state.lock().unwrap().0.clone()
    }

    /// Whether a line so far is such.
    pub fn has(&self, such: impl Fn(&LogLine) -> bool) -> bool {
        self.0.state.lock().unwrap().0.iter().any(such)
    }

    /// How many lines so far are such.
    pub fn count(&self, such: impl Fn(&LogLine) -> bool) -> usize {
        self.0.state.lock().unwrap().0.iter().filter(|line| such(line)).count()
    }

    /// Waits for the first line that is such.
    ///
    /// # Panics
    ///
    /// When none comes within `deadline`, or the source ends; the message says `what` was waited for and shows the
    /// last lines.
    #[must_use]
    pub fn wait(&self, deadline: Duration, what: &str, such: impl Fn(&LogLine) -> bool) -> LogLine {
        let end = Instant::now() + deadline;
        let mut seen = 0;
        let mut state = self.0.state.lock().unwrap();
        loop {
            if let Some(line) = state.0[seen..].iter().find(|line| such(line)) {
                return line.clone();
            }
            seen = state.0.len();
            let left = end.saturating_duration_since(Instant::now());
            if state.1 || left.is_zero() {
                let ended = state.1;
                drop(state);
                panic!("no line in the log for {what} (ended: {ended}). The last lines:\n{}", self.tail());
            }
            state = self.0.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits until the source has ended.
    ///
    /// # Panics
    ///
    /// When it has not within `deadline`.
    pub fn wait_for_end(&self, deadline: Duration) {
        let state = self.0.state.lock().unwrap();
        let (state, _) = self.0.changed.wait_timeout_while(state, deadline, |state| !state.1).unwrap();
        assert!(state.1, "the log did not end within {deadline:?}");
    }

    /// Everything so far as one text.
    #[must_use]
    pub fn text(&self) -> String {
        self.last(usize::MAX)
    }

    /// The last lines as one text.
    #[must_use]
    pub fn tail(&self) -> String {
        self.last(TAIL)
    }

    fn last(&self, count: usize) -> String {
        let lines = &self.0.state.lock().unwrap().0;
        let from = lines.len().saturating_sub(count);
        lines[from..].iter().map(|line| line.raw.as_str()).collect::<Vec<_>>().join("\n")
    }
}
