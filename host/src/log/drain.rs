//! Where records go, and which are kept.

use std::{
    collections::HashMap,
    fmt, io,
    io::{IsTerminal, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use slog::{Drain, FnValue, Level, Logger, PushFnValue, o};

use super::{
    PluginLog,
    ring::{LogPage, Rings, Wanted, Whose},
};
use crate::figures::Counters;

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
    rings: Arc<Rings>,
    /// Lines of the host's own.
    lines: Arc<Counters<6>>,
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
    /// A log on the standard output. `levels` are those of single plugins; `keep_bytes` of the latest lines of each and of
    /// the host are kept in memory.
    #[must_use]
    pub fn to_stdout(
        format: Format,
        level: Level,
        levels: HashMap<String, Level>,
        keep_bytes: usize,
    ) -> (Self, LogGuard) {
        let text = format == Format::Text || (format == Format::Auto && io::stdout().is_terminal());
        // A full channel drops records and says how many; a slow reader of the log never stops the host.
        let rings = Arc::new(Rings::new(keep_bytes));
        let remembering = Remembering::new(Arc::clone(&rings), text);
        let (drain, guard) = slog_async::Async::new(remembering.fuse()).chan_size(4096).build_with_guard();
        let level = Arc::new(AtomicUsize::new(level.as_usize()));
        let lines = Arc::<Counters<6>>::default();
        let kept = Kept { level: Arc::clone(&level), lines: Arc::clone(&lines), drain: drain.fuse() };
        let logger = Logger::root(kept, o!());
        let plugins = Arc::new(Mutex::new(Plugins { levels, open: Vec::new() }));
        (Self { logger, level, plugins, rings, lines }, LogGuard(Some(guard)))
    }

    /// Keeps the latest lines of a plugin from now on.
    pub(crate) fn keep(&self, plugin: &str) {
        self.rings.add(plugin);
    }

    /// Forgets the lines of a plugin.
    pub(crate) fn forget(&self, plugin: &str) {
        self.rings.forget(plugin);
    }

    /// The latest lines.
    #[must_use]
    pub fn page(&self, whose: Whose<'_>, wanted: Wanted) -> LogPage {
        self.rings.page(whose, wanted)
    }

    /// How many lines of its own the host wrote, by level.
    pub(crate) fn lines(&self) -> [u64; 6] {
        self.lines.read()
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
    lines: Arc<Counters<6>>,
    drain: D,
}

/// The tag of records that passed a plugin's level.
pub(super) const PASSED: &str = "plugin";

/// The tag of a record that is written, and not kept: whoever may look at the latest lines is not to have it.
pub(crate) const WRITTEN_ONLY: &str = "written-only";

impl<D: Drain<Ok = (), Err = slog::Never>> Drain for Kept<D> {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &slog::Record<'_>, values: &slog::OwnedKVList) -> Result<(), slog::Never> {
        if record.tag() == PASSED || record.level().as_usize() <= self.level.load(Ordering::Relaxed) {
            if record.tag() != PASSED {
                self.lines.note(record.level().as_usize() - 1);
            }
            return self.drain.log(record, values);
        }
        Ok(())
    }
}

/// Writes records, and keeps the latest ones. Runs on the thread that writes the log.
struct Remembering {
    rings: Arc<Rings>,
    json: slog_json::Json<Buffer>,
    line: Buffer,
    /// `None`: the JSON is what is written.
    text: Option<Mutex<Text>>,
}

type Text = slog_term::FullFormat<slog_term::TermDecorator>;

impl Remembering {
    fn new(rings: Arc<Rings>, text: bool) -> Self {
        let line = Buffer::default();
        let text = text.then(|| {
            let decorator = slog_term::TermDecorator::new().stdout().build();
            Mutex::new(slog_term::FullFormat::new(decorator).use_local_timestamp().build())
        });
        Self { rings, json: json(line.clone()), line, text }
    }
}

impl Drain for Remembering {
    type Ok = ();
    type Err = io::Error;

    fn log(&self, record: &slog::Record<'_>, values: &slog::OwnedKVList) -> io::Result<()> {
        self.line.lock().clear();
        self.json.log(record, values)?;
        let line = self.line.lock();
        // Nobody can be told that the standard output is closed; the lines are in memory all the same.
        let _ = match &self.text {
            Some(text) => text.lock().unwrap_or_else(PoisonError::into_inner).log(record, values),
            None => io::stdout().lock().write_all(&line),
        };
        if record.tag() == WRITTEN_ONLY {
            return Ok(());
        }
        let mut plugin = PluginOf(None);
        // It looks for a text and answers nothing that could fail.
        let _ = slog::KV::serialize(&record.kv(), record, &mut plugin);
        let own = record.tag() == PASSED;
        self.rings.push(plugin.0.as_deref(), own, record.level(), line.trim_ascii_end());
        Ok(())
    }
}

/// What a line is made in.
#[derive(Debug, Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The plugin of a record: the last that it names, which the host does.
struct PluginOf(Option<String>);

impl slog::Serializer for PluginOf {
    fn emit_arguments(&mut self, key: slog::Key, value: &fmt::Arguments<'_>) -> slog::Result {
        if AsRef::<str>::as_ref(&key) == "plugin" {
            self.0 = Some(value.to_string());
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

pub(super) fn level_name(level: Level) -> &'static str {
    match level {
        Level::Critical => "critical",
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}
