//! What a consumer holds in memory.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Consumer, Event, Next, Target, tail::Tail};
use crate::clock;

#[derive(Default)]
pub(super) struct Queue {
    pub(super) target: Option<Arc<dyn Target>>,
    pub(super) paused: bool,
    /// Another consumer of the same name has taken its place, or none is to.
    pub(super) replaced: bool,
    /// Which one.
    pub(super) successor: Option<Arc<Consumer>>,
    /// Whether the consumer is in the hands of the workers: waiting for one, or running.
    pub(super) scheduled: bool,
    pub(super) pending: VecDeque<Delivery>,
    pub(super) parked: Vec<Parked>,
    /// When the workers will wake this consumer.
    pub(super) timer: Option<Instant>,
    /// Whether the handler is being called.
    pub(super) running: bool,
    /// Events of the running call that are not settled yet.
    pub(super) in_flight: usize,
    /// Those of them that were refused before: they are not in the log's order.
    pub(super) tried_again: Vec<Delivery>,
    /// The number of the first event of the running call that came from the log in its order.
    pub(super) first_in_flight: Option<u64>,
    pub(super) high_water: usize,
    /// Threads that wait for the end of a call.
    pub(super) waiting: usize,
    /// Where a durable consumer is in the log.
    pub(super) tail: Tail,
}

/// An event on its way to the handler.
#[derive(Clone)]
pub(super) struct Delivery {
    pub(super) event: Arc<Event>,
    pub(super) attempt: u32,
    /// Its number in the log; 0 if it is not in it.
    pub(super) seq: u64,
    /// Whether it was refused before, so that the database has it as a refusal.
    pub(super) refused: bool,
}

pub(super) struct Parked {
    pub(super) due: Instant,
    pub(super) delivery: Delivery,
}

impl Parked {
    /// One that the database has; `due_us` is a time of day.
    pub(super) fn stored(event: Arc<Event>, seq: u64, attempts: u32, due_us: u64) -> Self {
        let wait = Duration::from_micros(due_us.saturating_sub(clock::unix_time_us()));
        let delivery = Delivery { event, attempt: attempts.saturating_add(1), seq, refused: true };
        Self { due: Instant::now() + wait, delivery }
    }
}

impl Queue {
    pub(super) fn held(&self) -> usize {
        self.pending.len() + self.parked.len() + self.in_flight
    }

    pub(super) fn is_open(&self) -> bool {
        !self.paused && !self.replaced && self.target.is_some()
    }

    /// Leaves the hands of the workers, and asks them for a timer if an event waits for its next try and none is set.
    pub(super) fn rest(&mut self) -> Next {
        self.scheduled = false;
        match self.parked.iter().map(|parked| parked.due).min() {
            Some(due) if self.is_open() && self.timer.is_none_or(|timer| due < timer) => {
                self.timer = Some(due);
                Next::At(due)
            }
            _ => Next::Nothing,
        }
    }

    /// Queues an event that is not in the log.
    pub(super) fn push(&mut self, event: &Arc<Event>) {
        self.pending.push_back(Delivery { event: Arc::clone(event), attempt: 1, seq: 0, refused: false });
    }

    /// Takes the consumer into the workers' hands, unless it is there. Answers whether it was taken.
    pub(super) fn schedule(&mut self) -> bool {
        !std::mem::replace(&mut self.scheduled, true)
    }
}
