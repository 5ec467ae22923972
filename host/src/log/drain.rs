//! Where records go, and which are kept.

use std::{
    collections::HashMap,
    fmt, io,
    io::IsTerminal,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use slog::{Drain, FnValue, Level, Logger, PushFnValue, o};

use super::PluginLog;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// [`Json`](Self::Json), or [`Text`](Self::Text) if the standard output is a terminal.
    Auto,
    /// One JSON object a line.
    Json,
    /// A line for people.
    Text,
}

/// The host's logger, the levels, and the plugins' parts in both.
#[derive(Debug, Clone)]
pub struct Logs {
    logger: Logger,
    level: Arc<AtomicUsize>,
    plugins: Arc<Mutex<Plugins>>,
}

#[derive(Debug, Default)]
struct Plugins {
    levels: HashMap<String, Level>,
    open: Vec<Arc<PluginLog>>,
}

/// Writes what is still waiting when it is dropped. Keep it until the very end.
pub struct LogGuard(#[expect(dead_code, reason = "kept for its drop")] Option<slog_async::AsyncGuard>);

impl fmt::Debug for LogGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogGuard")
    }
}

impl Logs {
    /// A log on the standard output. `levels` are those of single plugins.
    #[must_use]
    pub fn to_stdout(format: Format, level: Level, levels: HashMap<String, Level>) -> (Self, LogGuard) {
        let text = format == Format::Text || (format == Format::Auto && io::stdout().is_terminal());
        // A full channel drops records and says how many; a slow reader of the log never stops the host.
        let (drain, guard) = if text {
            let decorator = slog_term::TermDecorator::new().stdout().build();
            let drain = slog_term::FullFormat::new(decorator).use_local_timestamp().build().fuse();
            slog_async::Async::new(drain).chan_size(4096).build_with_guard()
        } else {
            slog_async::Async::new(json(io::stdout()).fuse()).chan_size(4096).build_with_guard()
        };
        let level = Arc::new(AtomicUsize::new(level.as_usize()));
        let logger = Logger::root(Kept { level: Arc::clone(&level), drain: drain.fuse() }, o!());
        (Self::new(logger, level, levels), LogGuard(Some(guard)))
    }

    fn new(logger: Logger, level: Arc<AtomicUsize>, levels: HashMap<String, Level>) -> Self {
        Self { logger, level, plugins: Arc::new(Mutex::new(Plugins { levels, open: Vec::new() })) }
    }

    /// The host's own logger.
    pub fn logger(&self) -> &Logger {
        &self.logger
    }

    /// The level that holds for a plugin.
    #[must_use]
    pub fn level_of(&self, plugin: &str) -> Level {
        let plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        plugins
            .levels
            .get(plugin)
            .copied()
            .or_else(|| Level::from_usize(self.level.load(Ordering::Relaxed)))
            .unwrap_or(Level::Info)
    }

    /// Changes the level of a plugin from its next record on; `None` for the host's own.
    pub fn set_level_of(&self, plugin: &str, level: Option<Level>) {
        {
            let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
            match level {
                Some(level) => plugins.levels.insert(plugin.to_owned(), level),
                None => plugins.levels.remove(plugin),
            };
        }
        let level = self.level_of(plugin);
        let plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        for log in plugins.open.iter().filter(|log| log.plugin() == plugin) {
            log.set_level(level);
        }
    }

    /// Remembers a plugin's log, so that a change of its level reaches it.
    pub(crate) fn add_plugin(&self, log: &Arc<PluginLog>) {
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        plugins.open.retain(|other| Arc::strong_count(other) > 1);
        plugins.open.push(Arc::clone(log));
    }
}

/// Keeps the records of the host's level. Those of a plugin have passed the plugin's own, and carry the mark of it.
struct Kept<D> {
    level: Arc<AtomicUsize>,
    drain: D,
}

/// The tag of records that passed a plugin's level.
pub(super) const PASSED: &str = "plugin";

impl<D: Drain<Ok = (), Err = slog::Never>> Drain for Kept<D> {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &slog::Record<'_>, values: &slog::OwnedKVList) -> Result<(), slog::Never> {
        if record.tag() == PASSED || record.level().as_usize() <= self.level.load(Ordering::Relaxed) {
            return self.drain.log(record, values);
        }
        Ok(())
    }
}

/// One JSON object a line: `time`, `level`, `message`, then the fields.
fn json<W: io::Write + Send>(out: W) -> slog_json::Json<W> {
    slog_json::Json::new(out)
        .add_key_value(o!(
            "message" => PushFnValue(|record, serializer| serializer.emit(record.msg())),
            "level" => FnValue(|record| level_name(record.level())),
            "time" => FnValue(|_| jiff::Timestamp::now().to_string()),
        ))
        .build()
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Critical => "critical",
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}
