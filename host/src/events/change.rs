//! Changes of the host's tables together with the events that tell of them: one transaction, all or nothing.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use bytes::Bytes;
use diesel::result::Error;
use serde::Serialize;

use super::{
    Bus, Event, LogError, NewEvent,
    log::{Append, Work},
};
use crate::store::{Connection, breaks_connection};

/// Why work stops.
#[derive(Debug)]
pub enum Stop<E> {
    /// It is not to be done.
    Refused(E),
    /// The database does not do it.
    Database(Error),
}

impl<E> From<Error> for Stop<E> {
    fn from(why: Error) -> Self {
        Self::Database(why)
    }
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<E> {
    /// The work refused it.
    #[error("{0}")]
    Refused(E),
    /// The database does not take what the work writes.
    #[error("the database did not take the change: {reason}. Nothing was changed")]
    Database {
        /// What the database said.
        reason: String,
    },
    /// One of the events is not one.
    #[error("the change's event `{topic}` was not accepted: {reason}. Nothing was changed")]
    Event {
        /// Its topic.
        topic: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The log is not written. With [`LogError::Late`] it is not known whether the change was made.
    #[error("{0}")]
    Log(#[from] LogError),
}

/// The events of a change.
#[derive(Debug)]
pub struct Emitted<'a> {
    bus: &'a Bus,
    source: Arc<str>,
    events: Vec<Arc<Event>>,
    failed: Option<(String, String)>,
}

impl Emitted<'_> {
    /// Says who emits what follows. Until then it is the host.
    pub fn by(&mut self, source: impl Into<Arc<str>>) {
        self.source = source.into();
    }

    /// Emits an event if the change is made. It is durable, whatever its topic. One that is not accepted undoes the change.
    pub fn emit(&mut self, topic: &str, subject: &str, data: &impl Serialize) {
        match self.prepare(topic, subject, data) {
            Ok(event) => self.events.push(Arc::new(event)),
            Err(reason) => self.failed = self.failed.take().or(Some((topic.to_owned(), reason))),
        }
    }

    fn prepare(&self, topic: &str, subject: &str, data: &impl Serialize) -> Result<Event, String> {
        let data = serde_json::to_vec(data).map_err(|why| why.to_string())?;
        let source = Arc::clone(&self.source);
        let (data, attributes) = (Bytes::from(data), Bytes::new());
        let event = NewEvent { topic, source, subject, time_us: None, data, attributes };
        self.bus.prepare_durable(event).map_err(|why| why.to_string())
    }
}

type Answer<T, E> = Result<Result<T, ChangeError<E>>, Box<dyn Any + Send>>;

impl Bus {
    /// Runs `work` in one transaction of the host's database, and writes the events that it emits in the same: all of it
    /// counts, or nothing does. Nobody else writes these tables meanwhile, so what `work` has read stays so. Blocks, for
    /// `events.commit_deadline_secs` at most.
    ///
    /// Others wait for `work`, and their events may be in the same transaction: it does nothing but a few queries. It
    /// is undone if it stops, and is run again if the transaction fails for somebody else's fault.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing is changed then, unless it is [`LogError::Late`].
    ///
    /// # Panics
    ///
    /// When `work` does. It is undone.
    pub(crate) fn change<T, E>(
        self: &Arc<Self>,
        mut work: impl FnMut(&mut Connection, &mut Emitted<'_>) -> Result<T, Stop<E>> + Send + 'static,
    ) -> Result<T, ChangeError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let Some(log) = self.log() else {
            return Err(LogError::Unavailable { reason: "there is none".to_owned() }.into());
        };
        let answer: Arc<Mutex<Option<Answer<T, E>>>> = Arc::default();
        let work: Work = {
            let (bus, answer) = (Arc::clone(self), Arc::clone(&answer));
            Box::new(move |connection| {
                let done = catch_unwind(AssertUnwindSafe(|| bus.work_on(connection, &mut work)));
                let (result, events) = match done {
                    Ok(Ok((result, events))) => (Ok(Ok(result)), Some(events)),
                    Ok(Err(Stop::Database(why))) if breaks_connection(&why) => return Err(why),
                    Ok(Err(Stop::Database(why))) => {
                        (Ok(Err(ChangeError::Database { reason: why.to_string() })), None)
                    }
                    Ok(Err(Stop::Refused(why))) => (Ok(Err(why)), None),
                    Err(panic) => (Err(panic), None),
                };
                *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                Ok(events)
            })
        };
        let (done, wait) = mpsc::sync_channel(1);
        log.append_here(Append {
            entries: Vec::new(),
            work: Some(work),
            // Who waits may have gone: then nobody wants to know.
            done: Box::new(move |result| drop(done.send(result))),
        });
        let late = || LogError::Late { seconds: log.commit_deadline().as_secs() };
        wait.recv_timeout(log.commit_deadline()).map_err(|_| late())??;
        match answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(Ok(result)) => result,
            Some(Err(panic)) => resume_unwind(panic),
            None => Err(late().into()),
        }
    }

    /// The outer errors are refusals by the work, by the events, and by the database.
    #[expect(clippy::type_complexity, reason = "it is named nowhere else")]
    fn work_on<T, E>(
        &self,
        connection: &mut Connection,
        work: &mut impl FnMut(&mut Connection, &mut Emitted<'_>) -> Result<T, Stop<E>>,
    ) -> Result<(T, Vec<Arc<Event>>), Stop<ChangeError<E>>> {
        let mut emitted =
            Emitted { bus: self, source: "streamspace".into(), events: Vec::new(), failed: None };
        let result = work(connection, &mut emitted).map_err(|stop| match stop {
            Stop::Refused(why) => Stop::Refused(ChangeError::Refused(why)),
            Stop::Database(why) => Stop::Database(why),
        })?;
        match emitted.failed {
            Some((topic, reason)) => Err(Stop::Refused(ChangeError::Event { topic, reason })),
            None => Ok((result, emitted.events)),
        }
    }
}
