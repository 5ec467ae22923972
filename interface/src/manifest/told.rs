//! What is told about a document: the first of many, and how many more there are.

use super::{Finding, Warning};

/// Most findings and most warnings told about one document.
const MAX: usize = 100;

/// Keeps the first [`MAX`] and counts the rest. What is not told is not put into words either: a document of a megabyte
/// may have 250,000 faults, each with a sentence of its own.
#[derive(Debug)]
pub(super) struct Told<T> {
    first: Vec<T>,
    more: usize,
}

impl<T> Told<T> {
    pub(super) fn nothing() -> Self {
        Self { first: Vec::new(), more: 0 }
    }

    pub(super) fn add(&mut self, word: impl FnOnce() -> T) {
        if self.first.len() < MAX {
            self.first.push(word());
        } else {
            self.more += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    pub(super) fn find(&mut self, is_it: impl Fn(&T) -> bool) -> Option<&mut T> {
        self.first.iter_mut().find(|one| is_it(one))
    }

    fn all(mut self, rest: impl FnOnce(usize) -> T) -> Vec<T> {
        if self.more > 0 {
            self.first.push(rest(self.more));
        }
        self.first
    }
}

impl Told<Finding> {
    pub(super) fn findings(self) -> Vec<Finding> {
        self.all(|more| Finding::new("", format!("{more} more faults are not listed")))
    }
}

impl Told<Warning> {
    pub(super) fn warnings(self) -> Vec<Warning> {
        self.all(|more| Warning::new("", format!("{more} more warnings are not listed")))
    }
}
