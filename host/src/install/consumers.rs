//! Consumers, as an operator looks at them.

use serde::{Deserialize, Serialize};

use super::{ConsumerView, InstallError, Plugins};
use crate::events::Consumer;

/// A consumer, and how it is doing.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConsumerState {
    /// Its plugin.
    pub plugin: String,
    /// `idle`, `busy`: its handler runs; `behind`: events wait; `blocked`: an event that waits for its next try, or the
    /// database, holds back those behind it; `hanging`: its handler is past its deadline; `stopped`: its plugin does not
    /// run.
    pub state: String,
    /// Of a durable consumer: how many numbers of the event log it is behind the newest. Events that it does not want
    /// count too, until they were passed by. `null` for an ephemeral one.
    pub lag: Option<u64>,
    /// Events that its handler has now.
    pub in_flight: u64,
    /// Events that wait for their next try.
    pub parked: u64,
    /// Events a second that were acknowledged, over the last minute.
    pub rate: f64,
    /// What it asked for, and its figures.
    #[serde(flatten)]
    pub view: ConsumerView,
}

impl ConsumerState {
    pub(super) fn new(consumer: &Consumer) -> Self {
        let condition = consumer.condition();
        Self {
            plugin: consumer.plugin().to_string(),
            state: condition.state.to_owned(),
            lag: condition.lag,
            in_flight: condition.in_flight,
            parked: condition.parked,
            rate: condition.rate,
            view: ConsumerView::new(consumer),
        }
    }
}

impl Plugins {
    /// The consumers of one plugin, or of all, by plugin and name. On a stopped host none are known.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotInstalled`] if one is named that is not there.
    pub fn consumers(&self, plugin: Option<&str>) -> Result<Vec<ConsumerState>, InstallError> {
        if let Some(plugin) = plugin {
            self.installed(plugin)?;
        }
        let Some(runtime) = &self.runtime else { return Ok(Vec::new()) };
        let consumers = plugin.map_or_else(|| runtime.bus().consumers(), |plugin| runtime.consumers(plugin));
        let mut states: Vec<_> = consumers.iter().map(|consumer| ConsumerState::new(consumer)).collect();
        states.sort_by(|one, other| (&one.plugin, &one.view.name).cmp(&(&other.plugin, &other.view.name)));
        Ok(states)
    }
}
