//! Events, and many of them.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};

use crate::Api;

/// A CloudEvents 1.0 event in structured mode, with an id that is used once.
#[must_use]
pub fn cloud_event(topic: &str, data: &Value) -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    json!({
        "specversion": "1.0",
        "id": format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        "source": "/tests",
        "type": topic,
        "datacontenttype": "application/json",
        "data": data,
    })
}

/// Emits numbered events, as `fixture-counter` checks them, in batches over a connection of its own.
#[derive(Debug)]
pub struct Emitter {
    api: Api,
    topic: String,
    number: u64,
    next: u64,
    body: String,
}

impl Emitter {
    /// Emits to `topic` as the emitter `number`.
    #[must_use]
    pub fn new(api: &Api, topic: &str, number: u64) -> Self {
        Self { api: api.another(), topic: topic.to_owned(), number, next: 0, body: String::new() }
    }

    /// Emits `count` events in one batch.
    ///
    /// # Panics
    ///
    /// When the batch is not accepted.
    pub fn batch(&mut self, count: u64) {
        let answered = self.try_batch(count).expect("the host answers");
        assert!(answered, "a batch of {count} events was refused");
    }

    /// Emits `count` events in one batch and answers whether they were accepted; `None` when the host is gone.
    pub fn try_batch(&mut self, count: u64) -> Option<bool> {
        self.body.clear();
        for n in self.next..self.next + count {
            let separator = if n == self.next { '[' } else { ',' };
            write!(
                self.body,
                r#"{separator}{{"specversion":"1.0","id":"{n}","source":"/tests/{0}","type":"{1}","data":{{"n":{n},"emitter":{0}}}}}"#,
                self.number, self.topic
            )
            .unwrap();
        }
        self.body.push(']');
        let headers = [("Content-Type", "application/cloudevents-batch+json")];
        let answer = self.api.try_send("POST", "/api/v1/events", &headers, Some(self.body.as_bytes()))?;
        self.next += count;
        Some(answer.status == 202)
    }
}
