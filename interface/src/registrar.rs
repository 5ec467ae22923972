//! What a plugin wants to be called for.

use std::fmt;

use crate::events::{Consumer, ConsumerBuilder};

/// Collects a plugin's registrations in [`Plugin::register`](crate::Plugin::register). They belong to the host: when
/// the plugin goes, all of them go.
pub struct Registrar<P> {
    consumers: Vec<Consumer<P>>,
}

impl<P> Registrar<P> {
    pub(crate) fn new() -> Self {
        Self { consumers: Vec::new() }
    }

    /// Describes a consumer of events. `name` is unique within the plugin and stays the same over its versions: it is
    /// what a durable consumer is recognised by. Lower-case letters, digits and `-`, at most 64.
    pub fn consumer(&mut self, name: &str) -> ConsumerBuilder<'_, P> {
        ConsumerBuilder::new(self, name)
    }

    pub(crate) fn add_consumer(&mut self, consumer: Consumer<P>) {
        self.consumers.push(consumer);
    }

    pub(crate) fn into_consumers(self) -> Vec<Consumer<P>> {
        self.consumers
    }
}

impl<P> fmt::Debug for Registrar<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registrar").field("consumers", &self.consumers.len()).finish()
    }
}
