//! What is shown of a plugin.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::JobView;
use crate::{
    clock,
    events::{Consumer, Counts, DeadLetter},
    runtime::State,
    store::{Generation, Installed, Record, TrustLevel},
};

/// A plugin, as listings and the HTTP interface show it. Holds no secret.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PluginView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its name for people.
    pub display_name: String,
    /// What it does.
    pub description: String,
    /// `installed`, `loading`, `running`, `upgrading`, `disabled`, `retiring`, `failed` or `quarantined`.
    pub state: String,
    /// Why it is `failed` or `quarantined`.
    pub reason: Option<String>,
    /// Whether it is to run.
    pub enabled: bool,
    /// When it was installed, RFC 3339.
    pub installed_at: String,
    /// What it is allowed.
    pub permissions: Vec<String>,
    /// Why its files are taken.
    pub trust: TrustLevel,
    /// Who signed it: the name of the key when it was installed, and its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The last day on which it may be unsigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsigned_until: Option<String>,
    /// The version that it stays at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    /// What is questionable in its manifest.
    pub warnings: Vec<String>,
    /// Its consumers.
    pub consumers: Vec<ConsumerView>,
    /// Its jobs; only where one plugin is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Vec<JobView>>,
    /// The events that it gave up; only where one plugin is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<Vec<DeadLetterView>>,
}

/// A consumer.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConsumerView {
    /// Its name.
    pub name: String,
    /// Its topics.
    pub filters: Vec<String>,
    /// Whether events wait for it.
    pub durable: bool,
    /// The most events that may be in memory for it.
    pub max_pending: u64,
    /// Seconds that its handler has been running for now.
    pub running_secs: Option<f64>,
    /// Its figures.
    #[serde(flatten)]
    pub counts: Counts,
}

/// An event that was given up.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeadLetterView {
    /// The consumer that gave up.
    pub consumer: String,
    /// The event's id.
    pub event_id: String,
    /// Its topic.
    pub topic: String,
    /// Who emitted it.
    #[serde(default)]
    pub source: String,
    /// What it is about.
    #[serde(default)]
    pub subject: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: String,
    /// When, RFC 3339.
    pub time: String,
    /// Its payload; only where one dead letter is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

impl PluginView {
    pub(super) fn new(plugin: &Installed, state: State, consumers: &[Arc<Consumer>]) -> Self {
        let Installed { record, manifest, .. } = plugin;
        Self {
            name: record.name.clone(),
            version: record.version.clone(),
            display_name: manifest.display_name.clone(),
            description: manifest.description.clone().unwrap_or_default(),
            state: state.name().to_owned(),
            reason: state.reason().map(str::to_owned),
            enabled: record.enabled,
            installed_at: clock::rfc3339(record.installed_us),
            permissions: record.permissions.clone(),
            trust: TrustLevel::Folder,
            signer: None,
            unsigned_until: None,
            pinned: None,
            warnings: manifest.warnings().iter().map(ToString::to_string).collect(),
            consumers: consumers.iter().map(|consumer| ConsumerView::new(consumer)).collect(),
            jobs: None,
            dead_letters: None,
        }
    }
}

impl PluginView {
    /// What is shown of a plugin whose files cannot be read.
    pub(super) fn damaged(name: String, reason: String) -> Self {
        Self {
            display_name: name.clone(),
            name,
            version: String::new(),
            description: String::new(),
            state: State::Failed(String::new()).name().to_owned(),
            reason: Some(reason),
            enabled: false,
            installed_at: String::new(),
            permissions: Vec::new(),
            trust: TrustLevel::Folder,
            signer: None,
            unsigned_until: None,
            pinned: None,
            warnings: Vec::new(),
            consumers: Vec::new(),
            jobs: None,
            dead_letters: None,
        }
    }
}

impl ConsumerView {
    pub(super) fn new(consumer: &Consumer) -> Self {
        let options = consumer.options();
        Self {
            name: options.name.clone(),
            filters: options.filters.clone(),
            durable: options.durable,
            max_pending: options.max_pending as u64,
            running_secs: consumer.running_for().map(|time| time.as_secs_f64()),
            counts: consumer.counts(),
        }
    }
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        let event = &letter.event;
        Self {
            consumer: letter.consumer,
            event_id: event.id.to_string(),
            topic: event.topic.to_string(),
            source: event.source.to_string(),
            subject: event.subject.to_string(),
            attempts: letter.attempts,
            reason: letter.reason,
            time: clock::rfc3339(letter.time_us),
            data: None,
        }
    }
}

impl DeadLetterView {
    /// With the payload, for where one is shown.
    pub(super) fn whole(letter: DeadLetter) -> Self {
        // What was accepted is JSON.
        let data = serde_json::from_slice(&letter.event.data).unwrap_or_default();
        Self { data: Some(data), ..letter.into() }
    }
}

/// A version whose files are kept.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GenerationView {
    /// The version.
    pub version: String,
    /// Whether it is the one that is installed.
    pub current: bool,
    /// Why its files are taken.
    pub trust: TrustLevel,
    /// Who signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The SHA-256 of its `package.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The folder of its files.
    pub content: String,
    /// When it was installed, RFC 3339.
    pub installed_at: String,
}

impl GenerationView {
    pub(super) fn new(generation: &Generation, record: &Record) -> Self {
        Self {
            version: generation.version.clone(),
            current: generation.content == record.content,
            trust: generation.provenance.trust,
            signer: signer(generation),
            package: generation.provenance.package.clone(),
            content: generation.content.clone(),
            installed_at: clock::rfc3339(generation.installed_us),
        }
    }
}

/// Who signed a version, for people.
pub(super) fn signer(generation: &Generation) -> Option<String> {
    let provenance = &generation.provenance;
    let key = provenance.key.as_deref()?;
    Some(format!("{} ({key})", provenance.signer.as_deref().unwrap_or("a key without a name")))
}
