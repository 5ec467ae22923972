//! Every metric that there is. `docs/metrics.md` has the same.

/// What kind of metric it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Grows. `_total` is added to its name.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Times, in seconds.
    Histogram,
}

/// Series of one name.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Bounded all of them: names that a plugin has when it is loaded, and words of the host. Never what comes from
    /// outside, such as topics and paths.
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

const fn family(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family { name, kind, labels, help }
}

const CONSUMER: &[&str] = &["plugin", "consumer"];
const PLUGIN: &[&str] = &["plugin"];
const TAP: &[&str] = &["plugin", "tap"];

pub(super) const FAMILIES: &[Family] = &[
    family("streamspace_build_info", Kind::Gauge, &["version"], "1, with the version of the host"),
    family(
        "streamspace_ready",
        Kind::Gauge,
        &[],
        "1 if the plugins were started and the host is not stopping",
    ),
    family(
        "process_start_time_seconds",
        Kind::Gauge,
        &[],
        "When the process started, seconds since 1970-01-01 UTC",
    ),
    family("process_resident_memory_bytes", Kind::Gauge, &[], "Memory of the process, plugins included"),
    family("process_threads", Kind::Gauge, &[], "Threads of the process"),
    family("process_open_fds", Kind::Gauge, &[], "Open files of the process"),
    family(
        "streamspace_plugin_state",
        Kind::Gauge,
        &["plugin", "state"],
        "1, with the state that a plugin is in",
    ),
    family("streamspace_plugin_threads", Kind::Gauge, PLUGIN, "Threads that work for a plugin now"),
    family("streamspace_plugin_panics", Kind::Counter, PLUGIN, "Panics of a plugin's handlers"),
    family("streamspace_events_delivered", Kind::Counter, CONSUMER, "Events that a consumer acknowledged"),
    family(
        "streamspace_events_retried",
        Kind::Counter,
        CONSUMER,
        "Tries that were put off or failed and are made again",
    ),
    family("streamspace_events_dead_lettered", Kind::Counter, CONSUMER, "Events that were given up"),
    family(
        "streamspace_events_dropped",
        Kind::Counter,
        CONSUMER,
        "Events that an ephemeral consumer had no room for",
    ),
    family(
        "streamspace_events_failed",
        Kind::Counter,
        CONSUMER,
        "Events that failed in the handler of an ephemeral consumer",
    ),
    family(
        "streamspace_events_missed",
        Kind::Counter,
        CONSUMER,
        "Events that the log removed before a durable consumer had them",
    ),
    family(
        "streamspace_events_pending",
        Kind::Gauge,
        CONSUMER,
        "Events that wait, are being handled, or wait for their next try",
    ),
    family("streamspace_events_in_flight", Kind::Gauge, CONSUMER, "Events that a handler has now"),
    family("streamspace_dead_letters", Kind::Gauge, CONSUMER, "Dead letters that there are"),
    family(
        "streamspace_consumer_lag",
        Kind::Gauge,
        CONSUMER,
        "Numbers of the event log that a durable consumer is behind the newest",
    ),
    family(
        "streamspace_handler_seconds",
        Kind::Histogram,
        CONSUMER,
        "How long calls of a consumer's handler took, each with one batch of events",
    ),
    family(
        "streamspace_requests",
        Kind::Counter,
        &["plugin", "status"],
        "Requests to a plugin's routes, by the class of their status",
    ),
    family(
        "streamspace_request_seconds",
        Kind::Histogram,
        PLUGIN,
        "How long requests to a plugin's routes took, until the answer or its beginning",
    ),
    family("streamspace_requests_running", Kind::Gauge, PLUGIN, "Requests that are with a plugin now"),
    family("streamspace_sockets", Kind::Gauge, PLUGIN, "WebSockets of a plugin that are open"),
    family(
        "streamspace_sockets_closed",
        Kind::Counter,
        &["plugin", "reason"],
        "WebSockets of a plugin that were closed, by why",
    ),
    family(
        "streamspace_socket_messages",
        Kind::Counter,
        &["plugin", "direction"],
        "Messages of a plugin's WebSockets",
    ),
    family(
        "streamspace_socket_bytes",
        Kind::Counter,
        &["plugin", "direction"],
        "Bytes in messages of a plugin's WebSockets",
    ),
    family(
        "streamspace_jobs",
        Kind::Counter,
        &["plugin", "job", "outcome"],
        "Runs of a job, by what became of them",
    ),
    family("streamspace_jobs_running", Kind::Gauge, &["plugin", "job"], "1 if a job runs now"),
    family(
        "streamspace_outbound_requests",
        Kind::Counter,
        &["plugin", "outcome"],
        "Outbound HTTP requests of a plugin, by what became of them",
    ),
    family("streamspace_plugin_log_lines", Kind::Counter, &["plugin", "level"], "Lines that a plugin logged"),
    family(
        "streamspace_plugin_log_lines_left_out",
        Kind::Counter,
        PLUGIN,
        "Lines that a plugin logged beyond its limit",
    ),
    family("streamspace_log_lines", Kind::Counter, &["level"], "Lines of the host's own"),
    family("streamspace_viewers", Kind::Gauge, &[], "Viewers of desktops that are connected"),
    family("streamspace_viewer_bytes", Kind::Counter, &["direction"], "Bytes between viewers and desktops"),
    family("streamspace_viewers_ended", Kind::Counter, &["reason"], "Viewers that have left, by why"),
    family(
        "streamspace_tap_streams",
        Kind::Gauge,
        TAP,
        "Streams between viewers and desktops that a tap has",
    ),
    family("streamspace_tap_chunks", Kind::Counter, TAP, "Chunks that were handed to a tap"),
    family("streamspace_tap_bytes", Kind::Counter, TAP, "Bytes that were handed to a tap"),
    family("streamspace_tap_lost_bytes", Kind::Counter, TAP, "Bytes that a tap had no room for"),
    family(
        "streamspace_tap_gaps",
        Kind::Counter,
        TAP,
        "How often bytes passed a tap by, however many in a row",
    ),
    family("streamspace_tap_lapses", Kind::Counter, TAP, "How often a stream waited for a tap in vain"),
    family("streamspace_event_log_head", Kind::Gauge, &[], "The number of the newest event in the log"),
    family("streamspace_event_log_bytes", Kind::Gauge, &[], "Data in the event log"),
    family("streamspace_streams", Kind::Gauge, &[], "Streams of live changes that are open"),
    family(
        "streamspace_streams_lagged",
        Kind::Counter,
        &[],
        "Streams of live changes that were too slow and were cut",
    ),
];
