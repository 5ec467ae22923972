//! Which consumers a topic reaches. The cost of a look-up depends on the tokens of the topic and on the consumers that
//! match, not on how many there are.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;

use super::{InvalidTopic, check_topic, consumer::Consumer, tap::Tap};
use crate::topic;

/// How many topics are remembered with their consumers. Beyond it a topic is looked up token by token each time.
const REMEMBERED_TOPICS: usize = 1024;

type Topics = HashMap<Box<str>, Arc<Audience>, RandomState>;

/// The consumers of one topic.
#[derive(Debug)]
pub(crate) struct Audience {
    pub(crate) topic: Arc<str>,
    pub(crate) consumers: Box<[Arc<Consumer>]>,
    /// Those who watch.
    pub(crate) taps: Box<[Arc<Tap>]>,
    /// Whether its events are written to the log.
    pub(crate) durable: bool,
}

/// An immutable snapshot of all consumers by their filters.
#[derive(Debug, Default)]
pub(crate) struct Index {
    consumers: Vec<Arc<Consumer>>,
    taps: Vec<Arc<Tap>>,
    root: Node,
    remembered: ArcSwap<Topics>,
    /// Topics that are written to the log whoever wants them.
    durable: Arc<[String]>,
}

#[derive(Debug, Default)]
struct Node {
    exact: HashMap<Box<str>, Node, RandomState>,
    any: Option<Box<Node>>,
    /// Consumers whose filter ends here.
    here: Vec<usize>,
    /// Consumers whose filter ends here with `>`.
    rest: Vec<usize>,
}

impl Index {
    pub(crate) fn new(consumers: Vec<Arc<Consumer>>, taps: Vec<Arc<Tap>>, durable: Arc<[String]>) -> Self {
        let mut root = Node::default();
        for (number, consumer) in consumers.iter().enumerate() {
            for filter in consumer.filters() {
                root.insert(filter, number);
            }
        }
        // Taps are numbered behind the consumers.
        for (number, tap) in (consumers.len()..).zip(&taps) {
            for filter in tap.filters() {
                root.insert(filter, number);
            }
        }
        Self { consumers, taps, root, remembered: ArcSwap::default(), durable }
    }

    pub(crate) fn taps(&self) -> &[Arc<Tap>] {
        &self.taps
    }

    pub(crate) fn consumers(&self) -> &[Arc<Consumer>] {
        &self.consumers
    }

    /// Runs `f` with the consumers of `topic`. Takes no lock.
    pub(crate) fn with_audience<R>(
        &self,
        topic: &str,
        f: impl FnOnce(&Audience) -> R,
    ) -> Result<R, InvalidTopic> {
        // Held, not cloned: all emitters would meet at its count.
        if let Some(audience) = self.remembered.load().get(topic) {
            return Ok(f(audience));
        }
        check_topic(topic)?;
        let audience = Arc::new(self.find(topic));
        // Topics come from outside: once the memory is full it stays as it is, so that ever new topics cost a look-up
        // each and nothing more. A change of consumers starts a new one.
        if self.remembered.load().len() < REMEMBERED_TOPICS {
            self.remembered.rcu(|remembered| {
                let mut remembered = HashMap::clone(remembered);
                remembered.insert(topic.into(), Arc::clone(&audience));
                remembered
            });
        }
        Ok(f(&audience))
    }

    fn find(&self, topic: &str) -> Audience {
        let mut found = Vec::new();
        let tokens: Vec<&str> = topic.split('.').collect();
        self.root.find(&tokens, &mut found);
        // A consumer with several filters may match more than once, and gets the event once.
        found.sort_unstable();
        found.dedup();
        let (found, watching) = found.split_at(found.partition_point(|found| *found < self.consumers.len()));
        let consumers: Box<[_]> = found.iter().map(|number| Arc::clone(&self.consumers[*number])).collect();
        let tap = |number: &usize| Arc::clone(&self.taps[*number - self.consumers.len()]);
        let taps = watching.iter().map(tap).collect();
        let durable = consumers.iter().any(|consumer| consumer.id().is_some())
            || self.durable.iter().any(|filter| topic::matches(filter, topic));
        Audience { topic: topic.into(), consumers, taps, durable }
    }
}

impl Node {
    fn insert(&mut self, filter: &str, consumer: usize) {
        let (token, remaining) = match filter.split_once('.') {
            Some((token, remaining)) => (token, Some(remaining)),
            None => (filter, None),
        };
        let next = match token {
            ">" => return self.rest.push(consumer),
            "*" => self.any.get_or_insert_default(),
            exact => self.exact.entry(exact.into()).or_default(),
        };
        match remaining {
            Some(remaining) => next.insert(remaining, consumer),
            None => next.here.push(consumer),
        }
    }

    fn find(&self, tokens: &[&str], found: &mut Vec<usize>) {
        let Some((token, remaining)) = tokens.split_first() else {
            found.extend_from_slice(&self.here);
            return;
        };
        found.extend_from_slice(&self.rest);
        if let Some(next) = self.exact.get(*token) {
            next.find(remaining, found);
        }
        if let Some(next) = &self.any {
            next.find(remaining, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::consumer::Options;

    fn index(filters: &[&[&str]]) -> Index {
        Index::new(
            filters
                .iter()
                .enumerate()
                .map(|(number, filters)| {
                    let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
                    Arc::new(Consumer::new(
                        "p".into(),
                        number as u32,
                        Options { filters, ..Options::named("c") },
                    ))
                })
                .collect(),
            Vec::new(),
            Arc::default(),
        )
    }

    fn matches(index: &Index, topic: &str) -> Vec<u32> {
        let numbers =
            |audience: &Audience| audience.consumers.iter().map(|consumer| consumer.number()).collect();
        index.with_audience(topic, numbers).expect("a topic")
    }

    #[test]
    fn whole_tokens_match_and_prefixes_do_not() {
        let index = index(&[&["session.created"], &["session.*"], &["session.>"], &["*.created"], &[">"]]);
        assert_eq!(matches(&index, "session.created"), [0, 1, 2, 3, 4]);
        assert_eq!(matches(&index, "session.create"), [1, 2, 4]);
        assert_eq!(matches(&index, "session.created_x"), [1, 2, 4]);
        assert_eq!(matches(&index, "session.a.b"), [2, 4]);
        assert_eq!(matches(&index, "session"), [4]);
        assert_eq!(matches(&index, "user.created"), [3, 4]);
    }

    #[test]
    fn a_consumer_whose_filters_overlap_gets_an_event_once() {
        let index = index(&[&["session.*", "session.created", ">"]]);
        assert_eq!(matches(&index, "session.created"), [0]);
        assert_eq!(matches(&index, "session.created"), [0], "and so from memory");
    }

    #[test]
    fn those_who_watch_change_nothing_for_consumers() {
        let tap = Arc::new(Tap::new(vec!["session.*".to_owned(), ">".to_owned()], false));
        let own = index(&[&["session.created"], &["user.created"]]);
        let index = Index::new(own.consumers().to_vec(), vec![tap], Arc::default());
        let found = |topic: &str| {
            index.with_audience(topic, |audience| {
                (audience.consumers.len(), audience.taps.len(), audience.durable)
            })
        };
        assert_eq!(found("session.created"), Ok((1, 1, false)), "it gets an event once");
        assert_eq!(found("other"), Ok((0, 1, false)));
    }

    #[test]
    fn ever_new_topics_do_not_fill_the_memory() {
        let index = index(&[&["a.*"]]);
        for number in 0..2 * REMEMBERED_TOPICS {
            assert_eq!(matches(&index, &format!("a.t{number}")), [0]);
        }
        assert_eq!(index.remembered.load().len(), REMEMBERED_TOPICS);
    }
}
