//! Looks after consumers and jobs: reports those that hang or lag, and asks long calls to make room.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use slog::{error, warn};

use super::Runtime;
use crate::{events::Consumer, scheduler::Job, streams::Tap};

const TICK: Duration = Duration::from_millis(100);

/// A call that runs longer than this is asked to end after the event it is at, so that its progress can be seen.
const LONG_CALL: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Seen {
    dropped: u64,
    hanging: bool,
    /// How many events were acknowledged, every few seconds of the last minute.
    delivered: VecDeque<(Instant, u64)>,
}

#[derive(Default)]
struct SeenTap {
    lost_bytes: u64,
    lapses: u64,
    hanging: bool,
    /// When its last loss was told of.
    told: Option<Instant>,
}

/// What a slow tap loses all the time is told of this often.
const LOSSES: Duration = Duration::from_secs(10);

/// How often acknowledged events are counted, and over what time their rate is taken.
const SAMPLE: Duration = Duration::from_secs(5);
const RATE_OVER: Duration = Duration::from_secs(60);

impl Seen {
    /// The rate over the last minute, in thousandths of an event a second, or over the time since it was first seen.
    fn rate_milli(&mut self, now: Instant, delivered: u64) -> u64 {
        match self.delivered.back() {
            // Whatever it has acknowledged by now, it began with nothing.
            None => self.delivered.push_back((now, 0)),
            Some((at, _)) if now.duration_since(*at) >= SAMPLE => self.delivered.push_back((now, delivered)),
            Some(_) => {}
        }
        while self.delivered.len() > 1 && self.delivered[1].0 + RATE_OVER <= now {
            self.delivered.pop_front();
        }
        let Some((since, before)) = self.delivered.front() else { return 0 };
        // A new consumer has no rate of its first moment.
        let millis = now.duration_since(*since).max(Duration::from_secs(1)).as_millis();
        let count = u128::from(delivered.saturating_sub(*before));
        u64::try_from(count * 1_000_000 / millis).unwrap_or(u64::MAX)
    }
}

/// Starts looking, until the runtime is gone.
pub(super) fn start(runtime: &Arc<Runtime>) -> std::io::Result<()> {
    let runtime = Arc::downgrade(runtime);
    thread::Builder::new().name("ss:watch".to_owned()).spawn(move || look(&runtime)).map(drop)
}

fn look(runtime: &Weak<Runtime>) {
    let mut seen: HashMap<(Arc<str>, String), Seen> = HashMap::new();
    let mut taps: HashMap<(Arc<str>, String), SeenTap> = HashMap::new();
    while let Some(runtime) = runtime.upgrade() {
        let consumers = runtime.bus().consumers();
        for consumer in &consumers {
            let key = (Arc::clone(consumer.plugin()), consumer.options().name.clone());
            check(&runtime, consumer, seen.entry(key).or_default());
        }
        seen.retain(|(plugin, name), _| {
            consumers.iter().any(|consumer| consumer.plugin() == plugin && consumer.options().name == *name)
        });
        for job in runtime.scheduler().jobs() {
            check_job(&runtime, &job);
        }
        let attached = runtime.streams().attached();
        for tap in &attached {
            let key = (Arc::clone(tap.plugin()), tap.options().name.clone());
            check_tap(&runtime, tap, taps.entry(key).or_default());
        }
        taps.retain(|(plugin, name), _| {
            attached.iter().any(|tap| tap.plugin() == plugin && tap.options().name == *name)
        });
        drop(runtime);
        thread::sleep(TICK);
    }
}

fn check(runtime: &Runtime, consumer: &Consumer, seen: &mut Seen) {
    let (plugin, name) = (&**consumer.plugin(), consumer.options().name.as_str());
    let logger = runtime.logs().logger();

    let running = consumer.running_for();
    if running.is_some_and(|time| time > LONG_CALL) {
        consumer.ask_to_yield();
    }
    let hanging = running.filter(|time| *time > consumer.options().deadline);
    match hanging {
        Some(time) if !seen.hanging => {
            error!(
                logger, "A handler hangs.";
                "seconds" => time.as_secs(), "deadline_secs" => consumer.options().deadline.as_secs(),
                "consumer" => name, "plugin" => plugin
            );
            runtime.announce(
                "plugin.hanging",
                plugin,
                json!({"name": plugin, "plugin_name": plugin, "consumer": name, "seconds": time.as_secs()}),
            );
        }
        _ => {}
    }
    seen.hanging = hanging.is_some();

    let counts = consumer.counts();
    consumer.set_rate_milli(seen.rate_milli(Instant::now(), counts.delivered));
    if counts.dropped > seen.dropped {
        warn!(
            logger, "A consumer lags: events were dropped.";
            "dropped" => counts.dropped - seen.dropped, "dropped_in_all" => counts.dropped,
            "pending" => counts.pending, "max_pending" => consumer.options().max_pending,
            "topic" => "plugin.lagging", "consumer" => name, "plugin" => plugin
        );
        // A consumer of this very event is not told of its own lag: that would feed it.
        if !runtime.bus().reaches("plugin.lagging", consumer) {
            runtime.announce(
                "plugin.lagging",
                plugin,
                json!({"name": plugin, "plugin_name": plugin, "consumer": name,
                       "dropped": counts.dropped - seen.dropped, "dropped_in_all": counts.dropped}),
            );
        }
    }
    seen.dropped = counts.dropped;
}

fn check_job(runtime: &Runtime, job: &Job) {
    let (plugin, name) = (&**job.plugin(), job.options().name.as_str());
    for run in runtime.scheduler().hanging(job) {
        let seconds = run.time().as_secs();
        error!(
            runtime.logs().logger(), "A job hangs.";
            "seconds" => seconds, "deadline_secs" => job.options().deadline.as_secs(), "job" => name, "plugin" => plugin
        );
        runtime.announce(
            "plugin.hanging",
            plugin,
            json!({"name": plugin, "plugin_name": plugin, "job": name, "seconds": seconds}),
        );
    }
}

fn check_tap(runtime: &Runtime, tap: &Tap, seen: &mut SeenTap) {
    let (plugin, name) = (&**tap.plugin(), tap.options().name.as_str());
    let logger = runtime.logs().logger();
    let deadline = tap.options().deadline;
    let hanging = tap.running_for().filter(|time| *time > deadline);
    if let Some(time) = hanging.filter(|_| !seen.hanging) {
        error!(
            logger, "A handler hangs.";
            "seconds" => time.as_secs(), "deadline_secs" => deadline.as_secs(), "tap" => name, "plugin" => plugin
        );
        let data = json!({"name": plugin, "plugin_name": plugin, "tap": name, "seconds": time.as_secs()});
        runtime.announce("plugin.hanging", plugin, data);
    }
    seen.hanging = hanging.is_some();

    let figures = tap.figures();
    let lapses = figures.lapses.load(Ordering::Relaxed);
    // Fewer than before: the plugin was started anew.
    if lapses > seen.lapses {
        warn!(
            logger, "A tap held a stream up for too long: the stream goes on without waiting for it.";
            "times" => lapses - seen.lapses, "times_in_all" => lapses, "tap" => name, "plugin" => plugin
        );
    }
    seen.lapses = lapses;
    let lost_bytes = figures.lost_bytes.load(Ordering::Relaxed);
    if lost_bytes < seen.lost_bytes {
        seen.lost_bytes = 0;
    }
    let lost = lost_bytes - seen.lost_bytes;
    if lost > 0 && seen.told.is_none_or(|told| told.elapsed() >= LOSSES) {
        warn!(
            logger, "A tap lags: bytes passed it by.";
            "lost_bytes" => lost, "lost_bytes_in_all" => lost_bytes, "topic" => "plugin.lagging",
            "tap" => name, "plugin" => plugin
        );
        let data = json!({
            "name": plugin, "plugin_name": plugin, "tap": name, "lost_bytes": lost, "lost_bytes_in_all": lost_bytes,
        });
        runtime.announce("plugin.lagging", plugin, data);
        seen.lost_bytes = lost_bytes;
        seen.told = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_minute() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        let mut at = |secs: u64, delivered| seen.rate_milli(start + Duration::from_secs(secs), delivered);
        assert_eq!(at(0, 100), 100_000, "what it did before it was looked at is its own");
        assert_eq!(at(10, 200), 20_000);
        for secs in (15..=130).step_by(5) {
            at(secs, 200);
        }
        assert_eq!(at(131, 200), 0);
        assert_eq!(at(132, 260), 60 * 1_000_000 / 62_000);
    }
}
