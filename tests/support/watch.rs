//! Watching live changes: server-sent events.

use std::{
    io::{BufRead, BufReader},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::Api;

/// One server-sent event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// The id, if it has one.
    pub id: Option<u64>,
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: Value,
}

/// A stream that is read on a thread of its own.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<(Vec<Change>, bool)>,
    changed: Condvar,
}

impl Watch {
    /// Opens the stream at `path`, and waits until it is open.
    ///
    /// # Panics
    ///
    /// When it cannot be opened.
    #[must_use]
    pub fn open(api: &Api, path: &str, last_id: Option<u64>) -> Self {
        let id = last_id.map(|id| id.to_string());
        let headers: Vec<(&str, &str)> = id.iter().map(|id| ("Last-Event-ID", id.as_str())).collect();
        let source = api.open(path, &headers);
        let watch = Self::default();
        let Self(shared) = watch.clone();
        thread::spawn(move || {
            let mut change = Change::default();
            for line in BufReader::new(source).lines() {
                let Ok(line) = line else { break };
                match line.split_once(": ") {
                    Some(("id", id)) => change.id = id.parse().ok(),
                    Some(("event", name)) => change.name = name.to_owned(),
                    Some(("data", data)) => change.data = serde_json::from_str(data).unwrap_or_default(),
                    _ if line.is_empty() && !change.name.is_empty() => {
                        shared.state.lock().unwrap().0.push(std::mem::take(&mut change));
                        shared.changed.notify_all();
                    }
                    _ => {}
                }
            }
            shared.state.lock().unwrap().1 = true;
            shared.changed.notify_all();
        });
        watch.wait("the stream to be open", |change| change.name == "streamspace:open");
        watch
    }

    /// Waits for the first change that is such.
    ///
    /// # Panics
    ///
    /// When none comes, or the stream ends without it.
    #[track_caller]
    pub fn wait(&self, what: &str, such: impl Fn(&Change) -> bool) -> Change {
        let end = Instant::now() + crate::DEADLINE;
        let mut state = self.0.state.lock().unwrap();
        loop {
            if let Some(change) = state.0.iter().find(|change| such(change)) {
                return change.clone();
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!state.1 && !left.is_zero(), "no change for {what}: {state:#?}");
            state = self.0.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits for a change of this name.
    #[track_caller]
    pub fn wait_for(&self, name: &str) -> Change {
        self.wait(name, |change| change.name == name)
    }

    /// Waits until the stream ends, and answers with everything that came.
    ///
    /// # Panics
    ///
    /// When it does not within `deadline`.
    #[must_use]
    pub fn end(&self, deadline: Duration) -> Vec<Change> {
        let state = self.0.state.lock().unwrap();
        let (state, _) = self.0.changed.wait_timeout_while(state, deadline, |state| !state.1).unwrap();
        assert!(state.1, "the stream did not end within {deadline:?}");
        state.0.clone()
    }

    /// What came so far.
    #[must_use]
    pub fn so_far(&self) -> Vec<Change> {
        self.0.state.lock().unwrap().0.clone()
    }
}
