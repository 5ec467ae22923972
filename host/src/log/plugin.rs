//! The host's half of `log/1`: a plugin's records.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use serde_json::Value;
use slog::{Key, Level, Logger, Serializer};
use streamspace_plugin::{
    abi::{Capability, Handle, IntoTable, guard},
    log::{Field, LevelNumber, Log, LogRef, Record},
};

use super::{Redactor, drain::PASSED};
use crate::{
    clock,
    figures::PluginFigures,
    handles::{Handles, Opened},
};

const MAX_MESSAGE_BYTES: usize = 8 * 1024;
const MAX_FIELD_BYTES: usize = 2 * 1024;
const MAX_FIELDS: usize = 64;

/// One plugin's way into the log.
#[derive(Debug)]
pub(crate) struct PluginLog {
    plugin: String,
    logger: Logger,
    level: AtomicU8,
    /// Of the configuration that is in use, and of those before it.
    redactor: ArcSwap<Redactor>,
    lines_per_second: u32,
    /// The second that is being counted, in the upper half, and its records, in the lower.
    window: AtomicU64,
    figures: Arc<PluginFigures>,
}

impl PluginLog {
    pub(crate) fn new(
        plugin: &str,
        logger: &Logger,
        level: Level,
        redactor: Redactor,
        lines_per_second: u32,
        figures: Arc<PluginFigures>,
    ) -> Self {
        Self {
            plugin: plugin.to_owned(),
            logger: logger.clone(),
            level: AtomicU8::new(level.as_usize() as u8),
            redactor: ArcSwap::from_pointee(redactor),
            lines_per_second,
            window: AtomicU64::new(0),
            figures,
        }
    }

    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    pub(crate) fn set_level(&self, level: Level) {
        self.level.store(level.as_usize() as u8, Ordering::Relaxed);
    }

    /// Takes the secrets out of a text of this plugin that the host itself is going to write.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.redactor.load().text(text).into_owned()
    }

    /// Keeps these secrets out too: a configuration changed, and the plugin may still speak of the old one.
    pub(crate) fn add_secrets(&self, secrets: &[String]) {
        self.redactor.rcu(|redactor| redactor.and(secrets));
    }

    fn write(&self, record: Record<'_>) {
        let Some(level) = Level::from_usize(usize::from(record.level)) else {
            return;
        };
        if record.level > self.level.load(Ordering::Relaxed) {
            return;
        }
        if !self.admits() {
            self.figures.lines_left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.figures.lines.note(level.as_usize() - 1);
        let redactor = self.redactor.load();
        // Redacted before it is cut, so that no half of a secret is left at the end.
        let message = redactor.text(cut(record.message.as_str(), 2 * MAX_MESSAGE_BYTES));
        let message = cut(&message, MAX_MESSAGE_BYTES);
        let fields = Fields {
            plugin: &self.plugin,
            module: record.module.as_str(),
            fields: record.fields.as_slice().get(..MAX_FIELDS).unwrap_or(record.fields.as_slice()),
            redactor: &redactor,
        };
        static SITE: slog::RecordLocation =
            slog::RecordLocation { file: "", line: 0, column: 0, function: "", module: "" };
        let site = slog::RecordStatic { location: &SITE, level, tag: PASSED };
        self.logger.log(&slog::Record::new(&site, &format_args!("{message}"), slog::BorrowedKV(&fields)));
    }

    /// Counts a record of the plugin, or one of the host about what the plugin did, against the plugin's limit. Answers
    /// whether it is to be written.
    pub(crate) fn admits(&self) -> bool {
        let second = (clock::unix_time_us() / 1_000_000) & 0xffff_ffff;
        let before = self
            .window
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |window| {
                Some(if window >> 32 == second { window + 1 } else { second << 32 | 1 })
            })
            .unwrap_or_default();
        let limit = u64::from(self.lines_per_second);
        let counted = before & 0xffff_ffff;
        if before >> 32 == second {
            return counted < limit;
        }
        if counted > limit {
            slog::warn!(
                self.logger, "Left out records of a plugin that logs too much.";
                "left_out" => counted - limit, "lines_per_second" => limit, "plugin" => &self.plugin
            );
        }
        true
    }
}

/// The longest prefix of `text` of at most `bytes` bytes that ends between characters.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

struct Fields<'a> {
    plugin: &'a str,
    module: &'a str,
    fields: &'a [Field<'a>],
    redactor: &'a Redactor,
}

impl slog::KV for Fields<'_> {
    fn serialize(&self, _: &slog::Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        for field in self.fields {
            let key = Key::from(cut(field.key.as_str(), 64).to_owned());
            let value = cut(field.value.as_str(), 2 * MAX_MESSAGE_BYTES);
            let masked = self.redactor.field(field.key.as_str(), value);
            let literal =
                if field.literal && *masked == *value { serde_json::from_str(value).ok() } else { None };
            // A literal that was masked, or that is not one, is written as a text.
            match literal {
                Some(Value::Number(number)) => {
                    if let Some(number) = number.as_i64() {
                        serializer.emit_i64(key, number)?;
                    } else if let Some(number) = number.as_u64() {
                        serializer.emit_u64(key, number)?;
                    } else {
                        serializer.emit_f64(key, number.as_f64().unwrap_or_default())?;
                    }
                }
                Some(Value::Bool(value)) => serializer.emit_bool(key, value)?,
                Some(Value::Null) => serializer.emit_none(key)?,
                _ => serializer.emit_str(key, cut(&masked, MAX_FIELD_BYTES))?,
            }
        }
        if !self.module.is_empty() {
            serializer.emit_str("module".into(), cut(self.module, 256))?;
        }
        serializer.emit_str("plugin".into(), self.plugin)
    }
}

static LOGS: LazyLock<Handles<PluginLog>> = LazyLock::new(Handles::new);

/// Gives a plugin its half.
pub(crate) fn open(log: Arc<PluginLog>) -> (Capability, Opened) {
    let opened = LOGS.open(log);
    (Capability::new(table(), opened.handle()), opened)
}

fn table() -> LogRef {
    static TABLE: LazyLock<LogRef> = LazyLock::new(|| Log { level, write }.leak_into_prefix());
    *TABLE
}

extern "C" fn level(handle: Handle) -> LevelNumber {
    // A plugin that is gone logs nothing.
    LOGS.with(handle, |log| Ok(log.level.load(Ordering::Relaxed))).unwrap_or(0)
}

extern "C" fn write(handle: Handle, record: Record<'_>) {
    // There is nobody to tell: the answer of a log is no answer.
    let _ = guard("the host's `log`", || {
        LOGS.with(handle, |log| {
            log.write(record);
            Ok(())
        })
    });
}
