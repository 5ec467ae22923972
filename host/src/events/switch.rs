//! Another version of a plugin takes over its consumers, while events flow.
//!
//! [`successors`](Bus::successors) makes the new version's consumers and shows them to nobody. [`switch`](Bus::switch) puts them in
//! the places of the old ones: what those had in memory and where they were in the log goes to the new ones, so that nothing
//! waits for the disk. What the new version does not ask for any more is kept, at its place, until
//! [`keep_only`](Bus::keep_only) says that there is no way back.

use std::{
    sync::{Arc, PoisonError},
    time::Instant,
};

use streamspace_plugin::events::ConsumerSpec;

use super::{Bus, Consumer, SubscribeError, Target};

impl Bus {
    /// Makes the consumers that another version of a plugin asks for. Events still go to the ones that are there. With
    /// `whatever`, those that are known are made also if the database does not take it. Blocks.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]; nothing is made then.
    pub(crate) fn successors(
        &self,
        plugin: &Arc<str>,
        specs: &[ConsumerSpec],
        whatever: bool,
    ) -> Result<Vec<Arc<Consumer>>, SubscribeError> {
        let wanted = self.wanted(specs)?;
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let made = self.make(plugin, wanted, &self.of(plugin), whatever)?;
        Ok(made.into_iter().map(|(consumer, _)| consumer).collect())
    }

    /// Takes back [`successors`](Self::successors). Blocks.
    pub(crate) fn withdraw(&self, plugin: &str, prepared: &[Arc<Consumer>]) {
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let there = self.of(plugin);
        let is_there = |consumer: &Consumer| there.iter().any(|other| other.id() == consumer.id());
        let new: Vec<_> = prepared.iter().filter(|consumer| !is_there(consumer)).cloned().collect();
        self.forget_all(&new);
        let Some(log) = &self.log else { return };
        for consumer in there.iter().filter(|consumer| consumer.id().is_some()) {
            // If it cannot be written now, the plugin's next start does it.
            let _ = log.register(plugin, consumer.options(), consumer.id(), false);
        }
    }

    /// Has `consumers`, which were [prepared](Self::successors), take the places of those of the same names, and take in events
    /// for `target`. They hand over none before [`resume`](Self::resume). The calls that run are waited for; if one does not
    /// end, everything goes on as before, unless it is to be done `whatever` happens. Blocks.
    ///
    /// # Errors
    ///
    /// The names of those whose handlers did not end by the deadline.
    pub(crate) fn switch(
        &self,
        plugin: &str,
        consumers: &[Arc<Consumer>],
        target: Option<&Arc<dyn Target>>,
        deadline: Instant,
        whatever: bool,
    ) -> Result<(), Vec<String>> {
        let continued = |before: &Arc<Consumer>| {
            let is_next = |consumer: &&Arc<Consumer>| takes_over(consumer, before);
            consumers.iter().find(is_next).map(|consumer| (Arc::clone(consumer), Arc::clone(before)))
        };
        // Only one at a time does something with a plugin: nobody else takes or makes its consumers meanwhile.
        let there = self.of(plugin);
        let pairs: Vec<_> = there.iter().filter_map(continued).collect();
        let is_replaced =
            |consumer: &Arc<Consumer>| pairs.iter().any(|(_, before)| Arc::ptr_eq(before, consumer));
        // Ephemeral ones that are asked for no more hand over what they have.
        let held: Vec<_> =
            there.iter().filter(|before| before.id().is_some() || is_replaced(before)).cloned().collect();
        if !self.pause(&held, deadline) && !whatever {
            let hanging = held.iter().filter(|before| before.running_for().is_some());
            let hanging = hanging.map(|before| before.options().name.clone()).collect();
            let ready: Vec<_> = held.iter().filter(|before| before.go_on()).cloned().collect();
            self.schedule(&ready);
            return Err(hanging);
        }
        for (consumer, target) in consumers.iter().zip(target.into_iter().cycle()) {
            consumer.stand_by(Arc::clone(target));
        }
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.consumers();
        all.retain(|consumer| {
            // A durable one that is asked for no more keeps its place, for the case that its version comes back.
            &**consumer.plugin() != plugin || (consumer.id().is_some() && !is_replaced(consumer))
        });
        all.extend(consumers.iter().cloned());
        // First this: what is accepted from here on is offered to the new ones, and what was accepted before is in the log
        // or in the hands of the old ones.
        self.replace_consumers(all);
        for (consumer, before) in &pairs {
            consumer.take_over(before);
            if let Some(log) = self.log.as_ref().filter(|_| consumer.id().is_some()) {
                // What the one before had to be written is this one's now.
                log.settled(Arc::clone(consumer));
            }
        }
        Ok(())
    }

    /// Forgets what a plugin's other consumers hold: those that its version does not ask for.
    pub(crate) fn keep_only(&self, plugin: &str, consumers: &[Arc<Consumer>]) {
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_other = |other: &Arc<Consumer>| {
            &**other.plugin() == plugin && !consumers.iter().any(|consumer| Arc::ptr_eq(consumer, other))
        };
        let (gone, left): (Vec<_>, Vec<_>) = self.consumers().into_iter().partition(is_other);
        if !gone.is_empty() {
            self.forget_all(&gone);
            self.replace_consumers(left);
        }
    }

    fn of(&self, plugin: &str) -> Vec<Arc<Consumer>> {
        self.consumers().into_iter().filter(|consumer| &**consumer.plugin() == plugin).collect()
    }
}

/// Whether a consumer goes on where another one is.
fn takes_over(consumer: &Consumer, before: &Consumer) -> bool {
    consumer.options().name == before.options().name && consumer.id() == before.id()
}
