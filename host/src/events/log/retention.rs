//! Removing what is old.
//!
//! An event that every durable consumer has goes when it is older than `events.keep_secs` or the log larger than
//! `events.keep_bytes`. One that a consumer does not have yet is held for it: until it is older than `events.hold_secs`
//! or the log larger than `events.hold_bytes`. A consumer that loses events so is told of in the log, in its figures, and
//! by the event `plugin.lagging`.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::json;
use slog::error;

use super::{super::Consumer, reader::Reader, rows};
use crate::{clock, config, topic};

/// How often it is looked for what is old.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);
/// How many events are removed in one transaction: nobody is to wait long for it.
const CHUNK: i64 = 1000;

/// How long events stay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep {
    keep_us: u64,
    keep_bytes: u64,
    hold_us: u64,
    hold_bytes: u64,
}

impl Keep {
    pub(super) fn new(config: &config::Events) -> Self {
        let micros = |secs: u64| secs.saturating_mul(1_000_000);
        Self {
            keep_us: micros(config.keep_secs),
            keep_bytes: config.keep_bytes,
            hold_us: micros(config.hold_secs),
            hold_bytes: config.hold_bytes,
        }
    }
}

impl Reader<'_> {
    /// Writes down how far the consumers came that had nothing to say for a while, and removes what is old.
    pub(super) fn remove_old(&mut self) {
        let offered = self.log.offered.load(Ordering::Acquire);
        let Some(bus) = self.log.bus() else { return };
        let consumers: Vec<_> =
            bus.consumers().into_iter().filter(|consumer| consumer.id().is_some()).collect();
        let mut slowest = offered;
        for consumer in &consumers {
            let (saved, position) = consumer.positions(offered);
            if position > saved {
                self.log.settled(Arc::clone(consumer));
            }
            slowest = slowest.min(position);
        }
        while self.remove_some(&consumers, slowest, offered) {}
    }

    /// Removes one piece. Answers whether there may be more.
    fn remove_some(&mut self, consumers: &[Arc<Consumer>], slowest: u64, offered: u64) -> bool {
        let Keep { keep_us, keep_bytes, hold_us, hold_bytes } = self.log.keep;
        let Some(oldest) = self.with(|connection| rows::headers(connection, 0, CHUNK)) else { return false };
        let now = clock::unix_time_us();
        let mut bytes = self.log.bytes();
        let (mut up_to, mut count, mut freed) = (0, 0, 0);
        // The newest stays, since its number says which comes next.
        for header in oldest.iter().filter(|header| header.seq < offered) {
            let age = now.saturating_sub(header.stored_us);
            let kept = age <= keep_us && bytes <= keep_bytes;
            let held = header.seq > slowest && age <= hold_us && bytes <= hold_bytes;
            if kept || held {
                break;
            }
            (up_to, count) = (header.seq, count + 1);
            freed += header.bytes;
            bytes = bytes.saturating_sub(header.bytes);
        }
        if count == 0 {
            return false;
        }
        // Those that had not come so far.
        let mut lost = Vec::new();
        for consumer in consumers {
            let (_, position) = consumer.positions(offered);
            if position >= up_to || consumer.is_gone() {
                continue;
            }
            let Some(topics) = self.with(|connection| rows::topics(connection, position, up_to)) else {
                return false;
            };
            let wanted = |topic: &str| consumer.filters().iter().any(|filter| topic::matches(filter, topic));
            let count = topics.iter().filter(|(topic, _)| wanted(topic)).map(|(_, count)| count).sum::<u64>();
            lost.push((consumer, count));
        }
        let removed = self.with(|connection| {
            connection.write(|connection| {
                for (consumer, count) in &lost {
                    if let Some(id) = consumer.id() {
                        rows::add_missed(connection, id, up_to, *count)?;
                    }
                }
                rows::trim(connection, up_to)
            })
        });
        if removed.is_none() {
            return false;
        }
        // Appending adds to it meanwhile.
        let less = |bytes: u64| Some(bytes.saturating_sub(freed));
        let _ = self.log.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        for (consumer, count) in lost {
            consumer.miss(up_to, count);
            if count > 0 {
                self.report(consumer, count);
            }
        }
        count == oldest.len()
    }

    fn report(&self, consumer: &Consumer, count: u64) {
        let (plugin, name) = (&**consumer.plugin(), consumer.options().name.as_str());
        error!(
            self.log.logger,
            "A consumer was away for too long: events that waited for it were removed from the log.";
            "missed" => count, "missed_in_all" => consumer.counts().missed, "consumer" => name, "plugin" => plugin
        );
        if let Some(bus) = self.log.bus() {
            let data = json!({"name": plugin, "plugin_name": plugin, "consumer": name, "missed": count});
            bus.announce("plugin.lagging", plugin, &data, &self.log.logger);
        }
    }
}
