//! The latest lines of the log, in memory: of the host and of each plugin.
//!
//! Whoever logs does not come here: lines are kept by the thread that writes the log, after it was handed them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use slog::Level;

use super::drain::level_name;
use crate::clock;

/// What a line costs besides its text, in bytes.
const OVERHEAD: usize = 96;

/// A line, as it was written.
#[derive(Debug)]
struct Line {
    number: u64,
    time_us: u64,
    level: Level,
    /// A JSON object, redacted.
    text: Box<[u8]>,
}

/// Lines, the newest of which have at most so many bytes together.
#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
    /// The number of the newest.
    newest: u64,
}

/// Whose lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// The host's own, those about plugins included.
    Host,
    /// A plugin's own, and the host's about it.
    Plugin(&'a str),
}

/// The rings.
#[derive(Debug)]
pub(super) struct Rings {
    /// Bytes of each; 0 keeps nothing.
    limit: usize,
    rings: Mutex<(Ring, BTreeMap<String, Ring>)>,
}

/// Which lines are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The least severe level.
    pub level: Level,
    /// Those after this number, the oldest of them; `None` for the newest.
    pub after: Option<u64>,
    /// The most.
    pub limit: usize,
}

/// Lines of the log.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogPage {
    /// In their order.
    pub lines: Vec<LogLine>,
    /// What to give as `after` for what comes next.
    pub next: u64,
    /// Whether there are more lines now, after these.
    pub more: bool,
    /// Whether lines after the number that was asked for are gone: newer ones took their place.
    pub lost: bool,
}

/// A line of the log.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogLine {
    /// Counts the lines of this log, since the host started.
    pub number: u64,
    /// When, RFC 3339.
    pub time: String,
    /// `critical`, `error`, `warning`, `info`, `debug` or `trace`.
    pub level: String,
    /// What is said.
    pub message: String,
    /// The plugin that says it, or that it is about.
    pub plugin: Option<String>,
    /// Everything else.
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
}

impl Ring {
    fn push(&mut self, limit: usize, time_us: u64, level: Level, text: &[u8]) {
        self.newest += 1;
        self.bytes += text.len() + OVERHEAD;
        self.lines.push_back(Arc::new(Line { number: self.newest, time_us, level, text: text.into() }));
        while self.bytes > limit
            && let Some(gone) = self.lines.pop_front()
        {
            self.bytes -= gone.text.len() + OVERHEAD;
        }
    }

    /// The lines that are wanted, what comes next, whether there are more, and whether some are gone.
    fn find(&self, wanted: Wanted) -> (Vec<Arc<Line>>, u64, bool, bool) {
        let passes = |line: &&Arc<Line>| line.level.as_usize() <= wanted.level.as_usize();
        // One that is larger than there are lines is of another life of the host.
        let after = wanted.after.map(|after| if after > self.newest { 0 } else { after });
        let Some(after) = after else {
            let newest = self.lines.iter().rev().filter(passes).take(wanted.limit);
            let mut found: Vec<_> = newest.cloned().collect();
            found.reverse();
            return (found, self.newest, false, false);
        };
        let oldest = self.lines.front().map_or(self.newest + 1, |line| line.number);
        let skipped = usize::try_from((after + 1).saturating_sub(oldest)).unwrap_or(usize::MAX);
        let mut rest = self.lines.iter().skip(skipped).filter(passes);
        let found: Vec<_> = rest.by_ref().take(wanted.limit).cloned().collect();
        let more = rest.next().is_some();
        let next = match found.last() {
            Some(last) if more => last.number,
            _ => self.newest,
        };
        (found, next, more, oldest > after + 1)
    }
}

impl Rings {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, rings: Mutex::default() }
    }

    /// Keeps the lines of a plugin from now on.
    pub(super) fn add(&self, plugin: &str) {
        let mut rings = self.rings();
        if !rings.1.contains_key(plugin) {
            rings.1.insert(plugin.to_owned(), Ring::default());
        }
    }

    /// Forgets the lines of a plugin.
    pub(super) fn forget(&self, plugin: &str) {
        self.rings().1.remove(plugin);
    }

    /// Keeps a line. `plugin` is whose it is or whom it is about, `own` whether it is the plugin's own.
    pub(super) fn push(&self, plugin: Option<&str>, own: bool, level: Level, text: &[u8]) {
        if self.limit == 0 {
            return;
        }
        let time_us = clock::unix_time_us();
        let mut rings = self.rings();
        // Only of plugins that are known: what a record says is not to make rings.
        if let Some(ring) = plugin.and_then(|plugin| rings.1.get_mut(plugin)) {
            ring.push(self.limit, time_us, level, text);
        }
        if !own {
            rings.0.push(self.limit, time_us, level, text);
        }
    }

    /// The lines that are wanted; nothing of a plugin that is not known.
    pub(super) fn page(&self, whose: Whose<'_>, wanted: Wanted) -> LogPage {
        let found = {
            let rings = self.rings();
            let ring = match whose {
                Whose::Host => Some(&rings.0),
                Whose::Plugin(plugin) => rings.1.get(plugin),
            };
            ring.map(|ring| ring.find(wanted))
        };
        // Read outside of the lock.
        let (lines, next, more, lost) = found.unwrap_or_default();
        LogPage { lines: lines.iter().map(|line| LogLine::read(line)).collect(), next, more, lost }
    }

    fn rings(&self) -> MutexGuard<'_, (Ring, BTreeMap<String, Ring>)> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogLine {
    fn read(line: &Line) -> Self {
        // What was written is an object.
        let mut fields: Map<String, Value> = serde_json::from_slice(&line.text).unwrap_or_default();
        let mut text = |name: &str| match fields.shift_remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (message, plugin) = (text("message").unwrap_or_default(), text("plugin"));
        text("time");
        text("level");
        Self {
            number: line.number,
            time: clock::rfc3339(line.time_us),
            level: level_name(line.level).to_owned(),
            message,
            plugin,
            fields,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Wanted = Wanted { level: Level::Trace, after: None, limit: 100 };

    fn push(rings: &Rings, plugin: Option<&str>, own: bool, level: Level, message: &str) {
        let text = serde_json::json!({"message": message, "plugin": plugin, "more": 1}).to_string();
        rings.push(plugin, own, level, text.as_bytes());
    }

    fn messages(page: &LogPage) -> Vec<&str> {
        page.lines.iter().map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn a_plugin_has_its_own_lines_and_those_about_it() {
        let rings = Rings::new(10_000);
        rings.add("p");
        push(&rings, Some("p"), true, Level::Info, "its own");
        push(&rings, Some("p"), false, Level::Error, "about it");
        push(&rings, Some("stranger"), true, Level::Info, "nobody knows it");
        push(&rings, None, false, Level::Info, "the host's");
        let of_plugin = rings.page(Whose::Plugin("p"), ALL);
        assert_eq!(messages(&of_plugin), ["its own", "about it"]);
        assert_eq!(of_plugin.lines[0].plugin.as_deref(), Some("p"));
        assert_eq!(of_plugin.lines[0].fields.len(), 1);
        assert_eq!(messages(&rings.page(Whose::Host, ALL)), ["about it", "the host's"]);
        assert!(rings.page(Whose::Plugin("stranger"), ALL).lines.is_empty());
        rings.forget("p");
        assert!(rings.page(Whose::Plugin("p"), ALL).lines.is_empty());
    }

    #[test]
    fn the_newest_lines_stay_within_the_bytes() {
        let rings = Rings::new(2000);
        for number in 0..1000 {
            push(&rings, None, false, Level::Info, &number.to_string());
        }
        let page = rings.page(Whose::Host, ALL);
        assert!((5..20).contains(&page.lines.len()), "{}", page.lines.len());
        assert_eq!((page.next, page.lines.last().map(|line| line.number)), (1000, Some(1000)));
        assert!(rings.page(Whose::Host, Wanted { after: Some(1), ..ALL }).lost);
        assert!(rings.rings().0.bytes <= 2000);
    }

    #[test]
    fn a_reader_goes_on_where_it_was() {
        let rings = Rings::new(100_000);
        for number in 1..=9 {
            let level = if number % 3 == 0 { Level::Error } else { Level::Info };
            push(&rings, None, false, level, &number.to_string());
        }
        let page = |after, level, limit| rings.page(Whose::Host, Wanted { level, after, limit });
        assert_eq!(messages(&page(None, Level::Trace, 2)), ["8", "9"]);
        let first = page(Some(0), Level::Error, 2);
        assert_eq!((messages(&first), first.next, first.more, first.lost), (vec!["3", "6"], 6, true, false));
        let second = page(Some(first.next), Level::Error, 2);
        assert_eq!((messages(&second), second.next, second.more), (vec!["9"], 9, false));
        assert!(page(Some(9), Level::Trace, 5).lines.is_empty());
        assert_eq!(messages(&page(Some(5000), Level::Trace, 1)), ["1"], "a number of an earlier host");
    }

    #[test]
    fn with_no_room_nothing_is_kept() {
        let rings = Rings::new(0);
        push(&rings, None, false, Level::Info, "x");
        assert!(rings.page(Whose::Host, ALL).lines.is_empty());
    }
}
