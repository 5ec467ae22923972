//! Reading what there is.

use std::sync::atomic::Ordering;

use super::{Found, Value, process::Process};
use crate::{
    events::{Bus, Consumer},
    figures::{CLOSED, DIRECTIONS, Figures, LEVELS, OUTBOUND_OUTCOMES, STATUS_CLASSES},
    runtime::Runtime,
    streams::Streams,
};

/// What is read.
#[derive(Debug)]
pub struct Sources<'a> {
    /// Plugins' lives, and what they are made of.
    pub runtime: &'a Runtime,
    /// Whether the host is ready.
    pub ready: bool,
    /// When it started, microseconds since 1970-01-01 UTC.
    pub started_us: u64,
}

/// Reads everything. Blocks for a moment: it asks the operating system for threads.
#[must_use]
pub fn gather(sources: &Sources<'_>) -> Found {
    let mut found = Found::default();
    let Sources { runtime, ready, started_us } = sources;
    found.gauge("streamspace_build_info", &[env!("CARGO_PKG_VERSION")], 1.0);
    found.gauge("streamspace_ready", &[], f64::from(u8::from(*ready)));
    found.gauge("process_start_time_seconds", &[], *started_us as f64 / 1e6);
    plugins(&mut found, runtime);
    events(&mut found, runtime.bus());
    figures(&mut found, runtime.figures());
    jobs(&mut found, runtime);
    viewers(&mut found, runtime.streams());
    taps(&mut found, runtime);
    for (level, count) in LEVELS.iter().zip(runtime.logs().lines()) {
        found.count("streamspace_log_lines", &[level], count);
    }
    found
}

fn plugins(found: &mut Found, runtime: &Runtime) {
    let process = Process::read();
    let known = [
        ("process_resident_memory_bytes", process.resident),
        ("process_threads", process.all_threads()),
        ("process_open_fds", process.files),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            found.gauge(name, &[], value as f64);
        }
    }
    let states = runtime.states();
    for (plugin, state) in &states {
        found.gauge("streamspace_plugin_state", &[plugin, state.name()], 1.0);
        if let Some(routes) = runtime.routes().of(plugin) {
            found.gauge("streamspace_requests_running", &[plugin], routes.running() as f64);
            found.gauge("streamspace_sockets", &[plugin], routes.sockets() as f64);
        }
    }
    let names: Vec<&str> = states.iter().map(|(plugin, _)| plugin.as_str()).collect();
    for (plugin, threads) in process.threads_of(&names) {
        found.gauge("streamspace_plugin_threads", &[plugin], threads as f64);
    }
}

fn events(found: &mut Found, bus: &Bus) {
    if let Some(log) = bus.log() {
        found.gauge("streamspace_event_log_head", &[], log.head() as f64);
        found.gauge("streamspace_event_log_bytes", &[], log.bytes() as f64);
    }
    let (streams, lagged) = bus.taps();
    found.gauge("streamspace_streams", &[], streams as f64);
    found.count("streamspace_streams_lagged", &[], lagged);
    for consumer in bus.consumers() {
        self::consumer(found, &consumer);
    }
}

fn consumer(found: &mut Found, consumer: &Consumer) {
    let labels = [&**consumer.plugin(), consumer.options().name.as_str()];
    let (counts, condition) = (consumer.counts(), consumer.condition());
    found.count("streamspace_events_delivered", &labels, counts.delivered);
    found.count("streamspace_events_retried", &labels, counts.retried);
    found.count("streamspace_events_dead_lettered", &labels, consumer.dead_lettered());
    found.count("streamspace_events_dropped", &labels, counts.dropped);
    found.count("streamspace_events_failed", &labels, counts.failed);
    found.count("streamspace_events_missed", &labels, counts.missed);
    found.gauge("streamspace_events_pending", &labels, counts.pending as f64);
    found.gauge("streamspace_events_in_flight", &labels, condition.in_flight as f64);
    found.gauge("streamspace_dead_letters", &labels, counts.dead as f64);
    if let Some(lag) = condition.lag {
        found.gauge("streamspace_consumer_lag", &labels, lag as f64);
    }
    let (times, sum) = consumer.call_time().read();
    found.add("streamspace_handler_seconds", &labels, Value::Times(times, sum));
}

fn figures(found: &mut Found, figures: &Figures) {
    for (plugin, figures) in figures.all() {
        let plugin = plugin.as_str();
        for (class, count) in STATUS_CLASSES.iter().zip(figures.requests.read()) {
            found.count("streamspace_requests", &[plugin, class], count);
        }
        let (times, sum) = figures.request_time.read();
        found.add("streamspace_request_seconds", &[plugin], Value::Times(times, sum));
        for (reason, count) in CLOSED.iter().zip(figures.sockets_closed.read()) {
            found.count("streamspace_sockets_closed", &[plugin, reason], count);
        }
        for (direction, count) in DIRECTIONS.iter().zip(figures.socket_messages.read()) {
            found.count("streamspace_socket_messages", &[plugin, direction], count);
        }
        for (direction, count) in DIRECTIONS.iter().zip(figures.socket_bytes.read()) {
            found.count("streamspace_socket_bytes", &[plugin, direction], count);
        }
        for (outcome, count) in OUTBOUND_OUTCOMES.iter().zip(figures.outbound.read()) {
            found.count("streamspace_outbound_requests", &[plugin, outcome], count);
        }
        for (level, count) in LEVELS.iter().zip(figures.lines.read()) {
            found.count("streamspace_plugin_log_lines", &[plugin, level], count);
        }
        let left_out = figures.lines_left_out.load(Ordering::Relaxed);
        found.count("streamspace_plugin_log_lines_left_out", &[plugin], left_out);
        found.count("streamspace_plugin_panics", &[plugin], figures.panics.load(Ordering::Relaxed));
    }
}

fn jobs(found: &mut Found, runtime: &Runtime) {
    for job in runtime.scheduler().jobs() {
        let (plugin, name) = (&**job.plugin(), job.options().name.as_str());
        for (outcome, count) in job.outcomes() {
            found.count("streamspace_jobs", &[plugin, name, outcome], count);
        }
        let running = job.running_for().is_some();
        found.gauge("streamspace_jobs_running", &[plugin, name], f64::from(u8::from(running)));
    }
}

fn viewers(found: &mut Found, streams: &Streams) {
    found.gauge("streamspace_viewers", &[], streams.open() as f64);
    let [to_viewers, to_desktops] = streams.passed();
    for (direction, bytes) in DIRECTIONS.iter().zip([to_desktops, to_viewers]) {
        found.count("streamspace_viewer_bytes", &[direction], bytes);
    }
    for (reason, count) in streams.ended() {
        found.count("streamspace_viewers_ended", &[reason], count);
    }
}

fn taps(found: &mut Found, runtime: &Runtime) {
    for tap in runtime.streams().attached() {
        let (labels, figures) = ([&**tap.plugin(), tap.options().name.as_str()], tap.figures());
        found.gauge("streamspace_tap_streams", &labels, figures.streams.load(Ordering::Relaxed) as f64);
        let counters = [
            ("streamspace_tap_chunks", &figures.chunks),
            ("streamspace_tap_bytes", &figures.bytes),
            ("streamspace_tap_lost_bytes", &figures.lost_bytes),
            ("streamspace_tap_gaps", &figures.gaps),
            ("streamspace_tap_lapses", &figures.lapses),
        ];
        for (name, count) in counters {
            found.count(name, &labels, count.load(Ordering::Relaxed));
        }
    }
}
