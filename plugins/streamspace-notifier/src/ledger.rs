//! What became of each message: kept in the plugin's storage, so that it survives restarts.
//!
//! ```text
//! delivery/TIME/NAME/ID   a delivery: one event to one destination. TIME runs backwards, so that the newest comes first
//! said/NAME/ABOUT         what was said last of something, and by which event, as long as a repetition is not sent
//! digest/NAME/ID          a line of the next digest
//! memory/NAME/KEY         what the provider remembers of a destination
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use streamspace_plugin::prelude::StorageError;
use uuid::Uuid;

use crate::{
    keys::{Change, Keys},
    notification::{Claim, Kind, Severity},
};

/// How long it is known what became of a message.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);
/// Longest name of what something is said of, in bytes; what has a longer one never repeats.
const MAX_ABOUT: usize = 300;
/// Most keys that one page of deliveries looks through.
const MAX_SCANNED: usize = 5_000;
/// Keys that are read, or removed, at once.
const PAGE: u32 = 500;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The provider has it.
    Sent,
    /// It did not work yet, and is tried again.
    Retrying,
    /// It will not be tried again by itself: the host has it as a dead letter.
    Dead,
    /// It is, or was, a line of a digest.
    Folded,
    /// It repeated another one.
    Suppressed,
    /// There was nothing to be sent.
    Skipped,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Of what.
    pub kind: Kind,
    /// What became of it.
    pub state: State,
    /// The event's topic.
    pub topic: String,
    /// What it is about; may be empty.
    pub subject: String,
    /// How much it matters.
    pub severity: Severity,
    /// The message's title.
    pub title: String,
    /// When it happened, in milliseconds since 1970.
    pub occurred_ms: u64,
    /// When this was last changed, in milliseconds since 1970.
    pub changed_ms: u64,
    /// How often it was sent.
    pub attempts: u32,
    /// What the provider answered last.
    pub status: Option<u16>,
    /// Why it is as it is, if it was not simply sent.
    pub reason: Option<String>,
    /// How far it came.
    #[serde(default)]
    pub progress: Value,
    /// The event, for sending it again. `None` if it is too large, or there is none.
    pub event: Option<StoredEvent>,
}

/// What of an event is needed to send it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Its source.
    pub source: String,
    /// Its subject.
    pub subject: String,
    /// When it happened, in microseconds since 1970.
    pub time_us: u64,
    /// Its payload, as it came.
    pub data: String,
}

/// A line of the next digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) topic: String,
    pub(crate) severity: Severity,
    pub(crate) summary: String,
    pub(crate) occurred_ms: u64,
}

/// What was said last of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    says: String,
    pub(crate) by: Uuid,
}

/// A claim, and for how long a repetition of it is not sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimed<'a> {
    claim: &'a Claim,
    window: Duration,
}

impl<'a> Claimed<'a> {
    /// `None` if nothing repeats.
    pub(crate) fn new(claim: Option<&'a Claim>, window: Duration) -> Option<Self> {
        let claim = claim.filter(|claim| claim.about.len() <= MAX_ABOUT && !window.is_zero())?;
        Some(Self { claim, window })
    }

    fn change(self, to: &str, by: Uuid) -> Result<Change, StorageError> {
        let key = said_key(to, &self.claim.about);
        let said = written(&key, &Said { says: self.claim.says.clone(), by })?;
        Ok(Change::Set(key, said, Some(self.window)))
    }
}

/// Some deliveries, and where the next page begins.
pub(crate) type Page = (Vec<(String, Record)>, Option<String>);

/// What became of each message.
#[derive(Debug)]
pub struct Ledger {
    keys: Box<dyn Keys>,
}

impl Ledger {
    pub(crate) fn new(keys: impl Keys + 'static) -> Self {
        Self { keys: Box::new(keys) }
    }

    pub(crate) fn record(&self, to: &str, id: Uuid) -> Result<Option<Record>, StorageError> {
        read(&delivery(to, id), self.keys.get(&delivery(to, id))?)
    }

    /// Writes down what became of a delivery, and what it has said.
    pub(crate) fn write(
        &self,
        to: &str,
        id: Uuid,
        record: &Record,
        said: Option<Claimed<'_>>,
    ) -> Result<(), StorageError> {
        let key = delivery(to, id);
        let mut changes = vec![Change::Set(key.clone(), written(&key, record)?, Some(RETENTION))];
        changes.extend(said.map(|said| said.change(to, id)).transpose()?);
        self.keys.apply(changes)
    }

    /// The delivery that `claimed` repeats: it said the same of the same, nothing else was said since, and it is not too long
    /// ago.
    pub(crate) fn repeated(&self, to: &str, claimed: Claimed<'_>) -> Result<Option<Uuid>, StorageError> {
        let key = said_key(to, &claimed.claim.about);
        let said: Option<Said> = read(&key, self.keys.get(&key)?)?;
        Ok(said.filter(|said| said.says == claimed.claim.says).map(|said| said.by))
    }

    /// Makes a delivery a line of the next digest.
    pub(crate) fn fold(
        &self,
        to: &str,
        id: Uuid,
        record: &Record,
        line: &Line,
        said: Option<Claimed<'_>>,
    ) -> Result<(), StorageError> {
        let (key, line_key) = (delivery(to, id), format!("digest/{to}/{id}"));
        let mut changes = vec![
            Change::Set(key.clone(), written(&key, record)?, Some(RETENTION)),
            Change::Set(line_key.clone(), written(&line_key, line)?, None),
        ];
        changes.extend(said.map(|said| said.change(to, id)).transpose()?);
        self.keys.apply(changes)
    }

    /// How many lines the next digest has.
    pub(crate) fn waiting(&self, to: &str) -> Result<u64, StorageError> {
        self.keys.count(&format!("digest/{to}/"))
    }

    /// The oldest lines of the next digest, at most `limit`, with their keys.
    pub(crate) fn lines(&self, to: &str, limit: usize) -> Result<Vec<(String, Line)>, StorageError> {
        let prefix = format!("digest/{to}/");
        let mut lines: Vec<(String, Line)> = Vec::new();
        while lines.len() < limit {
            let after = lines.last().map(|(key, _)| key.clone());
            let page = self.keys.list(&prefix, after.as_deref(), PAGE)?;
            if page.is_empty() {
                break;
            }
            for (key, value) in page {
                if let Some(line) = read(&key, Some(value))? {
                    lines.push((key, line));
                }
            }
        }
        lines.truncate(limit);
        Ok(lines)
    }

    /// Removes lines that were sent.
    pub(crate) fn remove_lines(&self, lines: &[(String, Line)]) -> Result<(), StorageError> {
        for some in lines.chunks(PAGE as usize) {
            self.keys.apply(some.iter().map(|(key, _)| Change::Delete(key.clone())).collect())?;
        }
        Ok(())
    }

    /// Deliveries that `wanted` takes, the newest first, behind `after`, with their ids; at most `limit`. The page ends early
    /// after a certain number of others.
    pub(crate) fn page(
        &self,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&str, &Record) -> bool,
    ) -> Result<Page, StorageError> {
        let mut found = Vec::new();
        let mut after = after.map(|after| format!("delivery/{after}"));
        let mut scanned = 0;
        loop {
            let page = self.keys.list("delivery/", after.as_deref(), PAGE)?;
            if page.is_empty() {
                return Ok((found, None));
            }
            for (key, value) in page {
                let next = key.trim_start_matches("delivery/").to_owned();
                scanned += 1;
                let mut parts = next.split('/').skip(1);
                if let (Some(to), Some(id), Some(record)) =
                    (parts.next(), parts.next(), read::<Record>(&key, Some(value))?)
                    && wanted(to, &record)
                {
                    found.push((format!("{to}.{id}"), record));
                }
                if found.len() == limit || scanned == MAX_SCANNED {
                    return Ok((found, Some(next)));
                }
                after = Some(key);
            }
        }
    }

    pub(crate) fn remembered<T: DeserializeOwned>(
        &self,
        to: &str,
        key: &str,
    ) -> Result<Option<T>, StorageError> {
        let key = format!("memory/{to}/{key}");
        read(&key, self.keys.get(&key)?)
    }

    pub(crate) fn remember<T: Serialize>(
        &self,
        to: &str,
        key: &str,
        value: &T,
        time: Duration,
    ) -> Result<(), StorageError> {
        let key = format!("memory/{to}/{key}");
        let value = written(&key, value)?;
        self.keys.apply(vec![Change::Set(key, value, Some(time))])
    }

    pub(crate) fn forget(&self, to: &str, key: &str) -> Result<(), StorageError> {
        self.keys.apply(vec![Change::Delete(format!("memory/{to}/{key}"))])
    }
}

/// The present, in milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Ids of version 7 begin with their time; turned around, the newest comes first.
fn delivery(to: &str, id: Uuid) -> String {
    format!("delivery/{:032x}/{to}/{id}", !id.as_u128())
}

fn said_key(to: &str, about: &str) -> String {
    // Keys have no NUL; nothing that people read comes of this one.
    format!("said/{to}/{}", about.replace('\0', " "))
}

fn read<T: DeserializeOwned>(key: &str, value: Option<Value>) -> Result<Option<T>, StorageError> {
    value.map(serde_json::from_value).transpose().map_err(|why| StorageError::Decode {
        key: key.to_owned(),
        path: String::new(),
        reason: why.to_string(),
    })
}

fn written<T: Serialize>(key: &str, value: &T) -> Result<Value, StorageError> {
    serde_json::to_value(value)
        .map_err(|why| StorageError::Encode { key: key.to_owned(), reason: why.to_string() })
}
