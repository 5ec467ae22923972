//! The durable consumers that the database knows.

use std::sync::Arc;

use super::{
    super::{Consumer, Options, consumer::Stored},
    EventLog, rows,
};
use crate::{clock, store::DatabaseError, topic};

impl EventLog {
    /// All of them, without their plugins yet.
    pub(in crate::events) fn consumers(self: &Arc<Self>) -> Result<Vec<Arc<Consumer>>, DatabaseError> {
        let found = self.database.with("read the durable consumers", rows::consumers)?;
        let head = self.head();
        let mut consumers = Vec::with_capacity(found.len());
        for stored in found {
            let waiting = self.waiting(&stored.filters, stored.position, head)?;
            let options = Options { filters: stored.filters, durable: true, ..Options::named(&stored.name) };
            let here = Stored {
                id: stored.id,
                position: stored.position,
                missed: stored.missed,
                waiting,
                dead: stored.dead,
                parked: stored.parked,
            };
            let plugin = stored.plugin.into();
            consumers.push(Arc::new(Consumer::durable(plugin, 0, options, Arc::clone(self), here)));
        }
        Ok(consumers)
    }

    /// Writes down that a plugin has a durable consumer, which is new or `known` by its number. A new one begins at the
    /// oldest event of the log if it asks for that, else at the next one.
    pub(in crate::events) fn register(
        &self,
        plugin: &str,
        options: &Options,
        known: Option<i64>,
        from_start: bool,
    ) -> Result<Stored, DatabaseError> {
        let filters = serde_json::Value::from(options.filters.clone()).to_string();
        let now = clock::unix_time_us();
        // What is accepted from here on has a higher number.
        let head = self.head();
        let position = if from_start { 0 } else { head };
        let id = self.database.with("write a durable consumer", |connection| match known {
            Some(id) => rows::change_consumer(connection, id, &filters, now).map(|()| id),
            None => rows::add_consumer(connection, plugin, &options.name, &filters, position, now),
        })?;
        let waiting = if known.is_none() { self.waiting(&options.filters, position, head)? } else { 0 };
        Ok(Stored { position, waiting, ..Stored::known(id) })
    }

    /// How many events that one of `filters` names are after a number and up to another.
    fn waiting(&self, filters: &[String], after: u64, up_to: u64) -> Result<u64, DatabaseError> {
        if after >= up_to {
            return Ok(0);
        }
        let topics = self.database.with("count the events of the log", |c| rows::topics(c, after, up_to))?;
        let wanted = |topic: &str| filters.iter().any(|filter| topic::matches(filter, topic));
        Ok(topics.iter().filter(|(topic, _)| wanted(topic)).map(|(_, count)| count).sum())
    }
}
