//! Replays that run, by what they are steered by.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::replay::Controls;

#[derive(Debug, Default)]
pub(crate) struct Replays(Mutex<HashMap<String, Controls>>);

impl Replays {
    /// Answers whether there was none of this key.
    pub(crate) fn begin(&self, key: &str, controls: &Controls) -> bool {
        let mut all = self.all();
        let is_new = !all.contains_key(key);
        if is_new {
            all.insert(key.to_owned(), controls.clone());
        }
        is_new
    }

    pub(crate) fn get(&self, key: &str) -> Option<Controls> {
        self.all().get(key).cloned()
    }

    pub(crate) fn end(&self, key: &str) {
        self.all().remove(key);
    }

    /// Has all of them end.
    pub(crate) fn close(&self) {
        self.all().values().for_each(Controls::end);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Controls>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
