//! A plugin's log: `log/1`, behind `slog` and the `log` crate.

mod table;

use std::{fmt, sync::RwLock};

use slog::{Drain, KV, Key, Logger, Never, OwnedKVList, Serializer};

pub use self::table::{Field, ID, LevelNumber, Log, LogRef, Record};
use crate::abi::{self, Bound, RSlice, RStr};

/// A `slog::Logger` that hands its records to the host.
pub(crate) fn logger(log: Bound<LogRef>) -> Logger {
    Logger::root(HostDrain(log), slog::o!())
}

/// Sends the `log` crate's macros and the panics of the plugin's own threads to the host too.
///
/// A library is loaded once and may be started several times, one instance after the other: the latest one's handle
/// is used.
pub(crate) fn install(log: Bound<LogRef>) {
    if let Ok(mut current) = CURRENT.write() {
        *current = Some(log);
    }
    if ::log::set_logger(&HostLog).is_ok() {
        // The host's level can change at any time and is asked for at each record.
        ::log::set_max_level(::log::LevelFilter::Trace);
    }
    abi::on_stray_panic(|said| {
        if let Some(log) = current() {
            write(log, slog::Level::Error.as_usize() as LevelNumber, said, "", "", 0, &[]);
        }
    });
}

static CURRENT: RwLock<Option<Bound<LogRef>>> = RwLock::new(None);

fn current() -> Option<Bound<LogRef>> {
    CURRENT.read().ok().and_then(|log| *log)
}

fn enabled(log: Bound<LogRef>, level: usize) -> bool {
    level <= usize::from(log.table.level()(log.handle))
}

fn write(
    log: Bound<LogRef>,
    level: LevelNumber,
    message: &str,
    module: &str,
    file: &str,
    line: u32,
    fields: &[(Key, String, bool)],
) {
    let fields: Vec<Field<'_>> = fields
        .iter()
        .map(|(key, value, literal)| Field {
            key: RStr::from_str(AsRef::<str>::as_ref(key)),
            value: RStr::from_str(value),
            literal: *literal,
        })
        .collect();
    log.table.write()(
        log.handle,
        Record {
            level,
            message: RStr::from_str(message),
            module: RStr::from_str(module),
            file: RStr::from_str(file),
            line,
            fields: RSlice::from_slice(&fields),
        },
    );
}

#[derive(Clone, Copy)]
struct HostDrain(Bound<LogRef>);

impl fmt::Debug for HostDrain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostDrain")
    }
}

impl Drain for HostDrain {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &slog::Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        let level = record.level().as_usize();
        if !enabled(self.0, level) {
            return Ok(());
        }
        let mut fields = Fields::default();
        // A value that fails to serialize is left out; the record itself must not be lost for it.
        let _ = record.kv().serialize(record, &mut fields);
        let _ = values.serialize(record, &mut fields);
        write(
            self.0,
            level as LevelNumber,
            &record.msg().to_string(),
            record.module(),
            record.file(),
            record.line(),
            &fields.0,
        );
        Ok(())
    }

    fn is_enabled(&self, level: slog::Level) -> bool {
        enabled(self.0, level.as_usize())
    }
}

/// Collects fields as key, text and "is a JSON literal".
#[derive(Default)]
struct Fields(Vec<(Key, String, bool)>);

macro_rules! literals {
    ($($name:ident: $kind:ty,)*) => {
        $(fn $name(&mut self, key: Key, value: $kind) -> slog::Result {
            self.0.push((key, value.to_string(), true));
            Ok(())
        })*
    };
}

impl Serializer for Fields {
    fn emit_arguments(&mut self, key: Key, value: &fmt::Arguments<'_>) -> slog::Result {
        self.0.push((key, value.to_string(), false));
        Ok(())
    }

    fn emit_unit(&mut self, key: Key) -> slog::Result {
        self.emit_none(key)
    }

    fn emit_none(&mut self, key: Key) -> slog::Result {
        self.0.push((key, "null".to_owned(), true));
        Ok(())
    }

    fn emit_f64(&mut self, key: Key, value: f64) -> slog::Result {
        // JSON has no infinity and no NaN.
        self.0.push((key, value.to_string(), value.is_finite()));
        Ok(())
    }

    fn emit_f32(&mut self, key: Key, value: f32) -> slog::Result {
        self.0.push((key, value.to_string(), value.is_finite()));
        Ok(())
    }

    literals! {
        emit_bool: bool, emit_u8: u8, emit_i8: i8, emit_u16: u16, emit_i16: i16, emit_u32: u32, emit_i32: i32,
        emit_u64: u64, emit_i64: i64, emit_usize: usize, emit_isize: isize,
    }
}

struct HostLog;

impl ::log::Log for HostLog {
    fn enabled(&self, metadata: &::log::Metadata<'_>) -> bool {
        current().is_some_and(|log| enabled(log, slog_level(metadata.level()).as_usize()))
    }

    fn log(&self, record: &::log::Record<'_>) {
        let Some(log) = current() else {
            return;
        };
        let level = slog_level(record.level()).as_usize();
        if enabled(log, level) {
            write(
                log,
                level as LevelNumber,
                &record.args().to_string(),
                record.module_path().unwrap_or_default(),
                record.file().unwrap_or_default(),
                record.line().unwrap_or_default(),
                &[],
            );
        }
    }

    fn flush(&self) {}
}

fn slog_level(level: ::log::Level) -> slog::Level {
    match level {
        ::log::Level::Error => slog::Level::Error,
        ::log::Level::Warn => slog::Level::Warning,
        ::log::Level::Info => slog::Level::Info,
        ::log::Level::Debug => slog::Level::Debug,
        ::log::Level::Trace => slog::Level::Trace,
    }
}
