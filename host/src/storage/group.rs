//! Grouped commit: whoever comes while another commits leaves his write with him who commits next.
//!
//! There is no thread for it. A caller that comes alone commits at once, on its own thread.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    StorageError,
    change::{Answer, Write},
};

/// The most callers that one commit serves.
const MOST: usize = 256;
/// How long callers are waited for that were answered together and are about to come again: not longer than the commit
/// that is saved.
const COMPANY_WAIT: Duration = Duration::from_micros(100);

#[derive(Debug)]
pub(super) struct Group {
    queue: Mutex<Queue>,
    /// How long a caller waits for its turn.
    patience: Duration,
}

#[derive(Debug, Default)]
struct Queue {
    /// Whether somebody commits.
    led: bool,
    waiting: VecDeque<Arc<Ticket>>,
    /// How many callers the last commit served.
    company: usize,
}

/// A caller that waits. Its state is changed under the queue's lock, except for the answer.
#[derive(Debug)]
struct Ticket {
    write: Write<'static>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
enum State {
    Waiting,
    /// It is to commit.
    Leads,
    /// Another one is committing it.
    Taken,
    Done(Answer),
}

impl Group {
    pub(super) fn new(patience: Duration) -> Self {
        Self { queue: Mutex::default(), patience }
    }

    /// Has `write` committed: by `commit`, which gets it and those of all that wait, or by another caller's. `commit`
    /// answers for each.
    pub(super) fn submit(
        &self,
        write: Write<'_>,
        commit: impl FnOnce(&[&Write<'_>]) -> Vec<Answer>,
    ) -> Answer {
        if self.begin() {
            return self.lead(&write, commit);
        }
        // Copied outside of the lock: it may be large.
        let ticket = Arc::new(Ticket {
            write: write.into_owned(),
            state: Mutex::new(State::Waiting),
            changed: Condvar::new(),
        });
        {
            let mut queue = self.lock();
            if queue.led {
                queue.waiting.push_back(Arc::clone(&ticket));
            } else {
                queue.led = true;
                *ticket.lock() = State::Leads;
            }
        }
        match self.wait(&ticket) {
            Some(answer) => answer,
            None => self.lead(&ticket.write, commit),
        }
    }

    fn begin(&self) -> bool {
        !std::mem::replace(&mut self.lock().led, true)
    }

    fn lead(&self, own: &Write<'_>, commit: impl FnOnce(&[&Write<'_>]) -> Vec<Answer>) -> Answer {
        let mut taken = Taken(Vec::new());
        let turn = Turn(self);
        {
            let mut queue = self.lock();
            if queue.waiting.len() + 1 < queue.company {
                let until = Instant::now() + COMPANY_WAIT;
                while queue.waiting.len() + 1 < queue.company && Instant::now() < until {
                    drop(queue);
                    thread::yield_now();
                    queue = self.lock();
                }
            }
            let count = queue.waiting.len().min(MOST);
            taken.0.extend(queue.waiting.drain(..count));
            queue.company = count + 1;
            for ticket in &taken.0 {
                *ticket.lock() = State::Taken;
            }
        }
        let writes: Vec<&Write<'_>> =
            std::iter::once(own).chain(taken.0.iter().map(|ticket| &ticket.write)).collect();
        let mut answers = commit(&writes).into_iter();
        // Before the answers, which take their time: whoever comes again first leads then, and nobody has to be woken for it.
        drop(turn);
        let own = answers.next().unwrap_or(Err(StorageError::Failed));
        for (ticket, answer) in taken.0.iter().zip(answers) {
            ticket.change(State::Done(answer));
        }
        own
    }

    /// Waits for the answer; `None` if the caller is to commit itself.
    fn wait(&self, ticket: &Arc<Ticket>) -> Option<Answer> {
        let secs = self.patience.as_secs();
        let mut until = Instant::now() + self.patience;
        let mut taken_late = false;
        let mut state = ticket.lock();
        loop {
            match &mut *state {
                State::Done(answer) => return Some(std::mem::replace(answer, Err(StorageError::Failed))),
                State::Leads => return None,
                State::Waiting | State::Taken => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(state);
                let mut queue = self.lock();
                state = ticket.lock();
                match &*state {
                    State::Waiting => {
                        queue.waiting.retain(|other| !Arc::ptr_eq(other, ticket));
                        return Some(Err(StorageError::Busy { secs }));
                    }
                    // He who commits it has a deadline of his own.
                    State::Taken if !taken_late => {
                        taken_late = true;
                        until = Instant::now() + self.patience;
                    }
                    State::Taken => return Some(Err(StorageError::TimedOut { secs: 2 * secs })),
                    State::Leads | State::Done(_) => {}
                }
                continue;
            }
            state = ticket.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, to: State) {
        *self.lock() = to;
        self.changed.notify_one();
    }
}

/// Whose turn it is. The next one's begins when it is dropped.
struct Turn<'a>(&'a Group);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        match queue.waiting.pop_front() {
            Some(next) => next.change(State::Leads),
            None => queue.led = false,
        }
    }
}

/// Those whose writes are being committed. None of them is left without an answer.
struct Taken(Vec<Arc<Ticket>>);

impl Drop for Taken {
    fn drop(&mut self) {
        for ticket in &self.0 {
            let mut state = ticket.lock();
            if matches!(*state, State::Taken) {
                *state = State::Done(Err(StorageError::Failed));
                ticket.changed.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::mpsc,
    };

    use streamspace_plugin::storage::Applied;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn write() -> Write<'static> {
        Write::RemovePrefix("x".into())
    }

    /// Answers each write with how many there were.
    fn count(writes: &[&Write<'_>]) -> Vec<Answer> {
        let number = i64::try_from(writes.len()).expect("few");
        writes.iter().map(|_| Ok(vec![Applied { revision: 0, number }])).collect()
    }

    fn number(answer: Answer) -> i64 {
        answer.expect("an answer")[0].number
    }

    /// Runs `first` while a write of another thread waits, and answers with what became of that one.
    fn beside(group: &Group, first: impl FnOnce() + Send) -> Answer {
        thread::scope(|scope| {
            let (entered, inside) = mpsc::channel();
            let lead = scope.spawn(move || {
                let led = AssertUnwindSafe(|| {
                    group.submit(write(), |writes| {
                        entered.send(()).expect("waited for");
                        while group.lock().waiting.is_empty() {
                            thread::yield_now();
                        }
                        first();
                        count(writes)
                    })
                });
                catch_unwind(led).map(number)
            });
            inside.recv_timeout(PATIENCE).expect("the first one commits");
            let second = group.submit(write(), count);
            let _ = lead.join();
            second
        })
    }

    #[test]
    fn who_comes_alone_commits_alone() {
        let group = Group::new(PATIENCE);
        assert_eq!((number(group.submit(write(), count)), number(group.submit(write(), count))), (1, 1));
    }

    #[test]
    fn who_comes_meanwhile_commits_next() {
        let group = Group::new(PATIENCE);
        assert_eq!(number(beside(&group, || ())), 1);
        assert!(!group.lock().led);
    }

    #[test]
    fn all_that_wait_are_committed_at_once() {
        let group = Group::new(PATIENCE);
        let mut answers = thread::scope(|scope| {
            let (entered, inside) = mpsc::channel();
            let mut threads = Vec::new();
            threads.push(scope.spawn(|| {
                let _entered = entered;
                group.submit(write(), |writes| {
                    _entered.send(()).expect("waited for");
                    while group.lock().waiting.len() < 8 {
                        thread::yield_now();
                    }
                    count(writes)
                })
            }));
            inside.recv_timeout(PATIENCE).expect("the first one commits");
            threads.extend((0..8).map(|_| scope.spawn(|| group.submit(write(), count))));
            threads.into_iter().map(|thread| number(thread.join().expect("no panic"))).collect::<Vec<_>>()
        });
        answers.sort_unstable();
        assert_eq!(answers, [1, 8, 8, 8, 8, 8, 8, 8, 8]);
    }

    #[test]
    fn a_panic_passes_the_turn_on() {
        let group = Group::new(PATIENCE);
        assert_eq!(number(beside(&group, || panic!("in a commit"))), 1);
        assert_eq!(number(group.submit(write(), count)), 1);
    }

    #[test]
    fn who_waits_too_long_is_told_so_and_is_not_committed() {
        let group = Group::new(Duration::from_millis(20));
        let (told, telling) = mpsc::channel();
        thread::scope(|scope| {
            let (entered, inside) = mpsc::channel();
            let group = &group;
            let lead = scope.spawn(move || {
                group.submit(write(), |writes| {
                    entered.send(()).expect("waited for");
                    telling.recv_timeout(PATIENCE).expect("the second one is told");
                    count(writes)
                })
            });
            inside.recv_timeout(PATIENCE).expect("the first one commits");
            assert!(matches!(group.submit(write(), count), Err(StorageError::Busy { .. })));
            told.send(()).expect("waited for");
            assert_eq!(number(lead.join().expect("no panic")), 1);
        });
        assert!(!group.lock().led);
    }
}
