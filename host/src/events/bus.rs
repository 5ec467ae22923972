//! The bus: takes events and hands them to the consumers that want them.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use slog::error;
use smallvec::SmallVec;
use streamspace_plugin::events::ConsumerSpec;
use uuid::Uuid;

use super::{
    Consumer, EmitError, Event, EventLog, Limits, LogError, NewEvent, Options, Scheduler, SubscribeError,
    Target, check_filter, check_topic,
    consumer::Stored,
    id::Ids,
    index::{Audience, Index},
    log::{Append, DeadLetters, Done, Entry, Which},
    tap::{Item, Tap, TapError},
};
use crate::{
    config,
    store::{Database, DatabaseError},
};

/// Takes events and queues them for the consumers that want them.
pub struct Bus {
    // Read by every emit, replaced when a plugin comes or goes: emitters take no lock for it.
    index: ArcSwap<Index>,
    /// Serializes changes of `index`.
    pub(super) changes: Mutex<()>,
    scheduler: OnceLock<Arc<dyn Scheduler>>,
    ids: Ids,
    limits: Limits,
    /// Where durable events go. `None`: there are none.
    pub(super) log: Option<Arc<EventLog>>,
    /// Topics whose events are durable whoever wants them.
    durable: Arc<[String]>,
    /// Whether nobody may watch any more.
    taps_closed: AtomicBool,
    /// How many of those who watched were too slow.
    taps_lagged: AtomicU64,
}

/// A consumer, and the one whose place it takes.
pub(super) type Made = (Arc<Consumer>, Option<Arc<Consumer>>);

/// What became of events that were accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The ids that they were given.
    pub ids: Vec<Uuid>,
    /// Whether all of them are written to the log.
    pub durable: bool,
}

impl Bus {
    /// A bus without a log and without consumers: every event and every consumer is ephemeral.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            index: ArcSwap::default(),
            changes: Mutex::new(()),
            scheduler: OnceLock::new(),
            ids: Ids::new(),
            limits,
            log: None,
            durable: Arc::default(),
            taps_closed: AtomicBool::new(false),
            taps_lagged: AtomicU64::new(0),
        }
    }

    /// A bus with the log in `database`, and the durable consumers that are in there, waiting for their plugins.
    ///
    /// # Errors
    ///
    /// When the database cannot be read, or the operating system gives no threads.
    pub fn open(
        limits: Limits,
        config: &config::Events,
        database: &Arc<Database>,
        logger: &slog::Logger,
    ) -> anyhow::Result<Arc<Self>> {
        // Before anything is read: nobody else is to change it any more.
        let connection = database.connect_alone(config.sync)?;
        let log = Arc::new(EventLog::open(Arc::clone(database), config, logger)?);
        let durable: Arc<[String]> = config.durable.clone().into();
        let consumers = log.consumers()?;
        let bus = Arc::new(Self {
            index: ArcSwap::from_pointee(Index::new(consumers, Vec::new(), Arc::clone(&durable))),
            log: Some(Arc::clone(&log)),
            durable,
            ..Self::new(limits)
        });
        log.start(Arc::downgrade(&bus), connection)?;
        Ok(bus)
    }

    /// Says who runs the consumers. Once, before the first event.
    pub fn run_on(&self, scheduler: Arc<dyn Scheduler>) {
        let _ = self.scheduler.set(scheduler);
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The log, if there is one.
    #[must_use]
    pub fn log(&self) -> Option<&Arc<EventLog>> {
        self.log.as_ref()
    }

    /// Accepts an event: one that is durable is in the log then, which this waits for; any other is queued for every
    /// consumer that wants it. Waits for no plugin.
    ///
    /// # Errors
    ///
    /// [`EmitError`]; no consumer gets the event then, unless it is [`LogError::Late`].
    pub fn emit(&self, new: NewEvent<'_>) -> Result<Uuid, EmitError> {
        self.check(&new)?;
        let index = self.index.load();
        let prepared = index.with_audience(new.topic, |audience| {
            let (id, event) = self.prepare(new, audience);
            if audience.durable && self.log.is_some() {
                return (id, Some(event));
            }
            // The second is one more comparison, and the only thing that watching adds to what nobody watches.
            if !(audience.consumers.is_empty() && audience.taps.is_empty()) {
                self.offer(&Arc::new(event), 0, audience);
            }
            (id, None)
        });
        let (id, event) = prepared?;
        // Not held while this waits.
        drop(index);
        if let Some((event, log)) = event.zip(self.log.as_ref()) {
            Self::check_texts(&event)?;
            let (done, wait) = mpsc::sync_channel(1);
            log.append_here(Append {
                entries: vec![Entry { event: Arc::new(event), durable: true }],
                work: None,
                // The emitter may have gone: then nobody wants to know.
                done: Box::new(move |result| drop(done.send(result))),
            });
            let late = |_| LogError::Late { seconds: log.commit_deadline().as_secs() };
            wait.recv_timeout(log.commit_deadline()).map_err(late)??;
        }
        Ok(id)
    }

    /// Accepts events together, without waiting: `done` is called when it is known whether they are accepted, which
    /// for events that are not durable is at once. Of those that are durable all are accepted or none.
    ///
    /// # Errors
    ///
    /// [`EmitError`]; `done` is not called then, and no consumer gets any of them.
    pub(crate) fn emit_all(&self, new: Vec<NewEvent<'_>>, done: Done) -> Result<Receipt, EmitError> {
        for event in &new {
            self.check(event)?;
            check_topic(event.topic)?;
        }
        let index = self.index.load();
        let mut receipt =
            Receipt { ids: Vec::with_capacity(new.len()), durable: self.log.is_some() && !new.is_empty() };
        let mut entries = Vec::with_capacity(new.len());
        for event in new {
            entries.push(index.with_audience(event.topic, |audience| {
                let (id, event) = self.prepare(event, audience);
                receipt.ids.push(id);
                receipt.durable &= audience.durable;
                Entry { event: Arc::new(event), durable: audience.durable }
            })?);
        }
        for entry in entries.iter().filter(|entry| entry.durable) {
            Self::check_texts(&entry.event)?;
        }
        match &self.log {
            // One that is not durable goes with those that are, so that their order stays.
            Some(log) if entries.iter().any(|entry| entry.durable) => {
                log.append(Append { entries, work: None, done })
            }
            _ => {
                for entry in &entries {
                    self.hand_over(&entry.event, 0);
                }
                done(Ok(()));
            }
        }
        Ok(receipt)
    }

    /// Emits an event of the host itself, without waiting. What goes wrong is logged.
    pub(crate) fn announce(
        &self,
        topic: &str,
        subject: &str,
        data: &serde_json::Value,
        logger: &slog::Logger,
    ) {
        let event = NewEvent {
            topic,
            source: "streamspace".into(),
            subject,
            time_us: None,
            data: Bytes::from(data.to_string()),
            attributes: Bytes::new(),
        };
        let complain = {
            let (logger, topic) = (logger.clone(), topic.to_owned());
            move |why: &dyn std::fmt::Display| {
                error!(logger, "An event of the host was not emitted."; "error" => %why, "topic" => topic);
            }
        };
        let done = complain.clone();
        let done: Done = Box::new(move |result| {
            if let Err(why) = result {
                done(&why);
            }
        });
        if let Err(why) = self.emit_all(vec![event], done) {
            complain(&why);
        }
    }

    fn check(&self, new: &NewEvent<'_>) -> Result<(), EmitError> {
        let (found, limit) = (new.data.len(), self.limits.max_data_bytes);
        if found > limit {
            return Err(EmitError::TooLarge { found, limit });
        }
        Ok(())
    }

    /// Whether the log can hold it. Not asked of events that do not go there.
    fn check_texts(event: &Event) -> Result<(), EmitError> {
        for (what, text) in [("subject", &*event.subject), ("source", &*event.source)] {
            if text.contains('\0') {
                return Err(EmitError::Nul(what));
            }
        }
        Ok(())
    }

    fn prepare(&self, new: NewEvent<'_>, audience: &Audience) -> (Uuid, Event) {
        let (id, now_us) = self.ids.next();
        let event = Event {
            id,
            time_us: new.time_us.unwrap_or(now_us),
            topic: Arc::clone(&audience.topic),
            source: new.source,
            subject: new.subject.into(),
            data: new.data,
            attributes: new.attributes,
        };
        (id, event)
    }

    /// An event for the log, whoever wants it.
    pub(super) fn prepare_durable(&self, new: NewEvent<'_>) -> Result<Event, EmitError> {
        self.check(&new)?;
        let index = self.index.load();
        let (_, event) = index.with_audience(new.topic, |audience| self.prepare(new, audience))?;
        Self::check_texts(&event)?;
        Ok(event)
    }

    /// Hands an event that was accepted to the consumers that want it now: number `seq` of the log, or 0.
    pub(super) fn hand_over(&self, event: &Arc<Event>, seq: u64) {
        let index = self.index.load();
        // Its topic was checked when it was accepted.
        let _ = index.with_audience(&event.topic, |audience| self.offer(event, seq, audience));
    }

    fn offer(&self, event: &Arc<Event>, seq: u64, audience: &Audience) {
        // All queues first, so that the first consumer to run does not delay the push to the last.
        let ready: SmallVec<[Arc<Consumer>; 16]> =
            audience.consumers.iter().filter_map(|consumer| consumer.offer(event, seq)).collect();
        for tap in &audience.taps {
            tap.offer(Item::Event(seq, Arc::clone(event)));
        }
        self.schedule(&ready);
    }

    /// Has somebody watch what goes by: events of the topics that one of `filters` names, and news that is no event if
    /// `notices` says so. At most `limit` watch at a time; one that was too slow does not count. What an event costs an
    /// emitter grows by a push for each tap that wants it.
    ///
    /// # Errors
    ///
    /// [`TapError`].
    pub fn tap(&self, filters: Vec<String>, notices: bool, limit: usize) -> Result<Arc<Tap>, TapError> {
        let tap = Arc::new(Tap::new(filters, notices));
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let index = self.index.load();
        let mut taps = index.taps().to_vec();
        let before = taps.len();
        taps.retain(|tap| tap.lost() == 0);
        self.taps_lagged.fetch_add((before - taps.len()) as u64, Ordering::Relaxed);
        if taps.len() >= limit {
            return Err(TapError::Full(limit));
        }
        // Under the lock that closing takes.
        if self.taps_closed.load(Ordering::Relaxed) {
            return Err(TapError::Stopping);
        }
        taps.push(Arc::clone(&tap));
        self.index.store(Arc::new(Index::new(index.consumers().to_vec(), taps, Arc::clone(&self.durable))));
        Ok(tap)
    }

    /// Somebody watches no more.
    pub fn untap(&self, tap: &Arc<Tap>) {
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let index = self.index.load();
        let mut taps = index.taps().to_vec();
        let before = taps.len();
        taps.retain(|other| !Arc::ptr_eq(other, tap));
        if taps.len() == before {
            return;
        }
        self.taps_lagged.fetch_add(u64::from(tap.lost() > 0), Ordering::Relaxed);
        self.index.store(Arc::new(Index::new(index.consumers().to_vec(), taps, Arc::clone(&self.durable))));
    }

    /// Nobody is to watch any more.
    pub fn close_taps(&self) {
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        self.taps_closed.store(true, Ordering::Relaxed);
        for tap in self.index.load().taps() {
            tap.close();
        }
    }

    /// How many watch, and how many of those who did were too slow.
    #[must_use]
    pub fn taps(&self) -> (usize, u64) {
        (self.index.load().taps().len(), self.taps_lagged.load(Ordering::Relaxed))
    }

    /// Tells those who watch something that is no event. With nobody there, `news` is not made.
    pub(crate) fn notice(&self, kind: &'static str, news: impl FnOnce() -> serde_json::Value) {
        let index = self.index.load();
        let mut taps = index.taps().iter().filter(|tap| tap.wants_notices()).peekable();
        if taps.peek().is_none() {
            return;
        }
        let data: Arc<str> = news().to_string().into();
        taps.for_each(|tap| tap.offer_notice(kind, &data));
    }

    /// The log may have events that the consumers were not offered.
    pub(super) fn lost_track(&self) {
        let Some(log) = &self.log else { return };
        for consumer in self.consumers().into_iter().filter(|consumer| consumer.id().is_some()) {
            if consumer.fall_behind() {
                log.read(consumer);
            }
        }
    }

    /// Registers the consumers of a plugin. Nothing is delivered before [`resume`](Self::resume); until then what is
    /// meant for the durable ones waits in the log. A durable consumer that is known goes on where it was. Blocks.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]; nothing is registered then.
    pub fn subscribe(
        &self,
        plugin: &Arc<str>,
        specs: &[ConsumerSpec],
    ) -> Result<Vec<Arc<Consumer>>, SubscribeError> {
        let wanted = self.wanted(specs)?;
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.consumers();
        let before: Vec<_> = all.iter().filter(|consumer| consumer.plugin() == plugin).cloned().collect();
        let made = self.make(plugin, wanted, &before, false)?;
        let consumers: Vec<_> = made.iter().map(|(consumer, _)| Arc::clone(consumer)).collect();
        let continued: Vec<_> =
            made.into_iter().filter_map(|(consumer, known)| Some((consumer, known?))).collect();
        for (consumer, known) in &continued {
            consumer.take_over(known);
            if let Some(log) = &self.log {
                // What the one before had to be written is this one's now.
                log.settled(Arc::clone(consumer));
            }
        }
        let gone = before
            .into_iter()
            .filter(|before| !continued.iter().any(|(_, known)| Arc::ptr_eq(known, before)));
        self.forget_all(&gone.collect::<Vec<_>>());
        all.retain(|consumer| consumer.plugin() != plugin);
        all.extend(consumers.iter().cloned());
        self.replace_consumers(all);
        Ok(consumers)
    }

    /// What a plugin asks for, checked: and whether it begins at the oldest event.
    pub(super) fn wanted(&self, specs: &[ConsumerSpec]) -> Result<Vec<(Options, bool)>, SubscribeError> {
        let mut wanted: Vec<(Options, bool)> = Vec::with_capacity(specs.len());
        for spec in specs {
            let options = self.options(spec)?;
            if wanted.iter().any(|(other, _)| other.name == options.name) {
                return Err(SubscribeError::Duplicate(options.name));
            }
            wanted.push((options, spec.from_start));
        }
        Ok(wanted)
    }

    /// Makes consumers and writes the durable ones down, each with the durable one of its name among `before`. With
    /// `whatever`, one that is known is made also if that cannot be written down again.
    pub(super) fn make(
        &self,
        plugin: &Arc<str>,
        wanted: Vec<(Options, bool)>,
        before: &[Arc<Consumer>],
        whatever: bool,
    ) -> Result<Vec<Made>, SubscribeError> {
        let mut made = Vec::with_capacity(wanted.len());
        for (number, (options, from_start)) in (0..).zip(wanted) {
            let Some(log) = self.log.as_ref().filter(|_| options.durable) else {
                made.push((Arc::new(Consumer::new(Arc::clone(plugin), number, options)), None));
                continue;
            };
            let known = before
                .iter()
                .find(|before| before.id().is_some() && before.options().name == options.name)
                .cloned();
            let id = known.as_ref().and_then(|known| known.id());
            let stored = match (log.register(plugin, &options, id, from_start), id) {
                (Ok(stored), _) => stored,
                (Err(_), Some(id)) if whatever => Stored::known(id),
                (Err(why), _) => return Err(SubscribeError::Database(why.to_string())),
            };
            let consumer = Consumer::durable(Arc::clone(plugin), number, options, Arc::clone(log), stored);
            made.push((Arc::new(consumer), known));
        }
        Ok(made)
    }

    /// Lets events flow to a plugin.
    pub fn resume(&self, consumers: &[Arc<Consumer>], target: &Arc<dyn Target>) {
        let ready: Vec<_> =
            consumers.iter().filter(|consumer| consumer.resume(Arc::clone(target))).cloned().collect();
        self.schedule(&ready);
    }

    /// Holds back events until [`resume`](Self::resume), and waits until the handlers are done. Answers whether they
    /// are.
    #[must_use]
    pub fn pause(&self, consumers: &[Arc<Consumer>], deadline: Instant) -> bool {
        for consumer in consumers {
            consumer.hold();
        }
        // Every one is waited for, also behind one that hangs.
        let hanging = consumers.iter().filter(|consumer| !consumer.pause(deadline)).count();
        hanging == 0
    }

    /// Delivers nothing more to these consumers of a plugin and waits until their handlers are done. What the durable
    /// ones are meant to get waits for them from now on; the ephemeral ones are gone. Answers those whose handler did
    /// not end in time.
    pub fn detach(&self, consumers: &[Arc<Consumer>], deadline: Instant) -> Vec<Arc<Consumer>> {
        let (durable, ephemeral): (Vec<_>, Vec<_>) =
            consumers.iter().cloned().partition(|consumer| consumer.options().durable);
        if !ephemeral.is_empty() {
            self.change_consumers(|all| {
                all.retain(|consumer| !ephemeral.iter().any(|gone| Arc::ptr_eq(gone, consumer)))
            });
        }
        // All are told to stop before the first is waited for. What an ephemeral one has accepted would be lost: half
        // of the time is for that.
        for consumer in &durable {
            consumer.hold();
        }
        let half = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        for consumer in &ephemeral {
            consumer.drain(half);
        }
        durable.into_iter().chain(ephemeral).filter(|consumer| !consumer.close(deadline)).collect()
    }

    /// Waits until every event that lives in memory alone was handed to its plugins, those that wait for a next try
    /// apart. Answers whether that is so. What is in the log waits for the next start of the host.
    #[must_use]
    pub fn drain(&self, deadline: Instant) -> bool {
        let index = self.index.load();
        let ephemeral = index.consumers().iter().filter(|consumer| consumer.id().is_none());
        // Every one gets its chance, also behind one that hangs.
        let hanging = ephemeral.filter(|consumer| !consumer.drain(deadline)).count();
        hanging == 0
    }

    /// Forgets a plugin's consumers, durable ones and what they hold included.
    pub fn forget(&self, plugin: &str) {
        self.change_consumers(|all| {
            let (gone, left) =
                std::mem::take(all).into_iter().partition(|consumer| &**consumer.plugin() == plugin);
            *all = left;
            self.forget_all(&gone);
        });
    }

    pub(super) fn forget_all(&self, consumers: &[Arc<Consumer>]) {
        let ids: Vec<i64> = consumers.iter().filter_map(|consumer| consumer.id()).collect();
        for consumer in consumers {
            consumer.forget();
        }
        if let Some(log) = self.log.as_ref().filter(|_| !ids.is_empty()) {
            log.forget(ids);
        }
    }

    /// Has dead letters of a plugin tried again. Answers how many. Blocks.
    ///
    /// # Errors
    ///
    /// When the database cannot be used; nothing is changed then.
    pub fn replay(&self, letters: &DeadLetters, plugin: &str, which: &Which) -> Result<u64, DatabaseError> {
        let mut refused = letters.replay(plugin, which)?;
        let count = refused.len() as u64;
        for consumer in self.consumers() {
            let Some(id) = consumer.id() else { continue };
            let (of_it, others) = refused.into_iter().partition(|(of, _)| *of == id);
            refused = others;
            let of_it: Vec<_> = of_it.into_iter().map(|(_, refused)| refused).collect();
            if !of_it.is_empty() && consumer.replay(of_it) {
                self.schedule(&[consumer]);
            }
        }
        Ok(count)
    }

    /// Drops dead letters of a plugin for good. Answers how many. Blocks.
    ///
    /// # Errors
    ///
    /// When the database cannot be used; nothing is changed then.
    pub fn drop_dead_letters(
        &self,
        letters: &DeadLetters,
        plugin: &str,
        which: &Which,
    ) -> Result<u64, DatabaseError> {
        let dropped = letters.drop(plugin, which)?;
        for consumer in self.consumers() {
            let of_it = dropped.iter().find(|(id, _)| consumer.id() == Some(*id));
            consumer.dropped_dead_letters(of_it.map_or(0, |(_, count)| *count));
        }
        Ok(dropped.iter().map(|(_, count)| count).sum())
    }

    /// Whether an event of `topic` is written to the log before it is accepted.
    pub(super) fn is_durable(&self, topic: &str) -> bool {
        let durable = self.index.load().with_audience(topic, |audience| audience.durable);
        self.log.is_some() && durable.unwrap_or(false)
    }

    /// Whether an event of `topic` reaches `consumer`.
    #[must_use]
    pub fn reaches(&self, topic: &str, consumer: &Consumer) -> bool {
        let is_in =
            |audience: &Audience| audience.consumers.iter().any(|other| std::ptr::eq(&**other, consumer));
        self.index.load().with_audience(topic, is_in).unwrap_or(false)
    }

    /// All consumers.
    #[must_use]
    pub fn consumers(&self) -> Vec<Arc<Consumer>> {
        self.index.load().consumers().to_vec()
    }

    pub(super) fn schedule(&self, ready: &[Arc<Consumer>]) {
        if !ready.is_empty()
            && let Some(scheduler) = self.scheduler.get()
        {
            scheduler.ready(ready);
        }
    }

    fn change_consumers(&self, change: impl FnOnce(&mut Vec<Arc<Consumer>>)) {
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut consumers = self.consumers();
        change(&mut consumers);
        self.replace_consumers(consumers);
    }

    /// Under the lock of changes.
    pub(super) fn replace_consumers(&self, consumers: Vec<Arc<Consumer>>) {
        let taps = self.index.load().taps().to_vec();
        self.index.store(Arc::new(Index::new(consumers, taps, Arc::clone(&self.durable))));
    }

    /// What a consumer asks for, with the defaults where it says nothing and within the limits.
    fn options(&self, spec: &ConsumerSpec) -> Result<Options, SubscribeError> {
        let name = spec.name.as_str();
        let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(valid) {
            return Err(SubscribeError::Name(name.chars().take(80).collect()));
        }
        if spec.filters.is_empty() {
            return Err(SubscribeError::NoFilter(name.to_owned()));
        }
        for filter in &spec.filters {
            check_filter(filter).map_err(|why| SubscribeError::Filter { consumer: name.to_owned(), why })?;
        }
        let defaults = Options::named(name);
        let or = |asked: u32, default: usize| if asked == 0 { default } else { asked as usize };
        let max_pending = or(spec.max_pending, defaults.max_pending).min(self.limits.max_pending);
        Ok(Options {
            filters: spec.filters.iter().map(|filter| filter.to_string()).collect(),
            durable: spec.durable,
            max_deliver: if spec.max_deliver == 0 { defaults.max_deliver } else { spec.max_deliver },
            backoff: if spec.backoff_ms.is_empty() {
                defaults.backoff
            } else {
                spec.backoff_ms.iter().map(|ms| Duration::from_millis(*ms)).collect()
            },
            max_in_flight: or(spec.max_in_flight, 1).min(max_pending),
            batch: or(spec.batch, defaults.batch).min(4096).min(max_pending),
            max_pending,
            deadline: match spec.deadline_ms {
                0 => self.limits.handler_deadline,
                ms => Duration::from_millis(ms).min(self.limits.handler_deadline),
            },
            name: defaults.name,
        })
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("consumers", &self.index.load().consumers().len()).finish_non_exhaustive()
    }
}
