//! A bus, and what is subscribed to it and emitted on it.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use streamspace_host::events::{Bus, Limits, NewEvent};
use streamspace_plugin::events::ConsumerSpec;

/// A bus with the limits of the defaults.
pub(crate) fn new() -> Arc<Bus> {
    Arc::new(Bus::new(Limits {
        max_data_bytes: 1024 * 1024,
        max_pending: 65_536,
        handler_deadline: Duration::from_secs(60),
    }))
}

/// An ephemeral consumer with the defaults.
pub(crate) fn consumer(name: &str, filter: &str) -> ConsumerSpec {
    ConsumerSpec { filters: vec![filter.into()].into(), ..ConsumerSpec::named(name) }
}

/// An event; `data` is shared, not copied.
pub(crate) fn event<'a>(topic: &'a str, subject: &'a str, data: &Bytes) -> NewEvent<'a> {
    static SOURCE: LazyLock<Arc<str>> = LazyLock::new(|| "/streamspace/bench".into());
    NewEvent {
        topic,
        source: Arc::clone(&SOURCE),
        subject,
        time_us: None,
        data: Bytes::clone(data),
        attributes: Bytes::new(),
    }
}
