//! The plugin's routes, for administrators.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamspace_plugin::{
    abi::{RSlice, RStr},
    events::EventView,
    prelude::{Event, Registrar, Result},
    routes::{Problem, Request, Response},
};
use uuid::Uuid;

use crate::{
    Notifier,
    destination::{Destination, Health, Now},
    digest,
    ledger::{Record, State},
    notification::{Kind, Severity},
    provider::Provider,
    text,
};

/// Who may call them.
pub(crate) const PERMISSION: &str = "admin";
/// Largest body, in bytes.
const MAX_BODY: u64 = 256 * 1024;
/// For what sends: its request, and some time to spare.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Deliveries of a page, unless another number is asked for, and at most.
const PAGE: (usize, usize) = (50, 200);

pub(crate) fn register<P: Provider>(on: &mut Registrar<Notifier<P>>) {
    on.post("/preview", preview)
        .permission(PERMISSION)
        .body_limit(MAX_BODY)
        .describe("Shows the message that an event would become, and sends nothing");
    on.post("/test", test)
        .permission(PERMISSION)
        .body_limit(MAX_BODY)
        .timeout(TIMEOUT)
        .describe("Sends a test message to a destination");
    on.get("/deliveries", deliveries)
        .permission(PERMISSION)
        .describe("What became of messages, the newest first");
    on.post("/deliveries/{id}/replay", replay)
        .permission(PERMISSION)
        .body_limit(MAX_BODY)
        .timeout(TIMEOUT)
        .describe("Sends a message again");
    on.get("/health", health).permission(PERMISSION).describe("How each destination is");
    on.get("/metrics", metrics)
        .permission(PERMISSION)
        .describe("The figures of each destination, for Prometheus");
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Preview {
    #[serde(default)]
    destination: Option<String>,
    topic: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    time: Option<String>,
    #[serde(default)]
    data: Value,
}

fn preview<P: Provider>(notifier: &Notifier<P>, request: &Request<'_>) -> Result<Response> {
    let asked: Preview = request.json()?;
    let to = destination(notifier, asked.destination.as_deref())?;
    let time = asked.time.as_deref().map_or_else(|| Ok(Timestamp::now()), str::parse::<Timestamp>);
    let time_us = time.ok().and_then(|time| u64::try_from(time.as_microsecond()).ok()).ok_or_else(|| {
        Problem::new(422, "`time` is no time: expected one such as 2026-01-02T03:04:05Z, from 1970 on")
    })?;
    let data = if asked.data.is_null() { Vec::new() } else { serde_json::to_vec(&asked.data)? };
    let view = view(Uuid::now_v7(), &asked.topic, &asked.source, &asked.subject, time_us, &data);
    let event = Event::new(&view);
    let (notification, failed) =
        notifier.notification(&event).map_err(|why| Problem::new(422, format!("`data`: {why}")))?;
    let message = notifier.provider.render(&notification, &to.settings.target);
    Ok(Response::json(&json!({
        "destination": to.name(),
        "notification": notification,
        "message": message,
        "templateError": failed.map(|why| why.to_string()),
    })))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Test {
    destination: Option<String>,
}

fn test<P: Provider>(notifier: &Notifier<P>, request: &Request<'_>) -> Result<Response> {
    let asked: Test = if request.body().is_empty() { Test::default() } else { request.json()? };
    let to = destination(notifier, asked.destination.as_deref())?;
    let now = Now::read();
    let id = Uuid::now_v7();
    let notification = digest::test(P::NAME, to.name(), now.system);
    let record = to.send_now(&notifier.provider, &notifier.ledger, id, &notification, None, now)?;
    Ok(Response::json(&Shown::new(format!("{}.{id}", to.name()), record)))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    destination: Option<String>,
    state: Option<State>,
    limit: Option<usize>,
    after: Option<String>,
}

fn deliveries<P: Provider>(notifier: &Notifier<P>, request: &Request<'_>) -> Result<Response> {
    let asked: Wanted = request.query()?;
    let limit = asked.limit.unwrap_or(PAGE.0);
    if !(1..=PAGE.1).contains(&limit) {
        return Err(Problem::new(422, format!("`limit` is {limit}: expected 1 to {}", PAGE.1)).into());
    }
    let wanted = |to: &str, record: &Record| {
        asked.destination.as_deref().is_none_or(|name| name == to)
            && asked.state.is_none_or(|state| state == record.state)
    };
    let (page, next) = notifier.ledger.page(asked.after.as_deref(), limit, wanted)?;
    let items: Vec<Shown> = page.into_iter().map(|(id, record)| Shown::new(id, record)).collect();
    Ok(Response::json(&json!({ "items": items, "next": next })))
}

fn replay<P: Provider>(notifier: &Notifier<P>, request: &Request<'_>) -> Result<Response> {
    let named = request.param("id").unwrap_or_default();
    let unknown = || Problem::new(404, format!("there is no delivery `{named}`: GET /deliveries lists them"));
    let (name, id) = named.split_once('.').ok_or_else(unknown)?;
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let record = notifier.ledger.record(name, id)?.ok_or_else(unknown)?;
    let to = notifier.destinations.iter().find(|to| to.name() == name).ok_or_else(|| {
        Problem::new(409, format!("the destination `{name}` is not in the configuration any more"))
    })?;
    let Some(stored) = record.event.clone() else {
        let why = if record.kind == Kind::Event {
            "its event was too large to be kept"
        } else {
            "it is of no event"
        };
        return Err(Problem::new(409, format!("the delivery cannot be sent again: {why}")).into());
    };
    let view =
        view(id, &record.topic, &stored.source, &stored.subject, stored.time_us, stored.data.as_bytes());
    let (notification, _) =
        notifier.notification(&Event::new(&view)).map_err(|why| Problem::new(409, why.to_string()))?;
    // What has arrived, arrives once more; what came half of the way goes on there.
    let progress = if record.state == State::Sent { Value::Null } else { record.progress.clone() };
    let before = Record { progress, ..record };
    let record =
        to.send_now(&notifier.provider, &notifier.ledger, id, &notification, Some(before), Now::read())?;
    Ok(Response::json(&Shown::new(named.to_owned(), record)))
}

fn health<P: Provider>(notifier: &Notifier<P>, _: &Request<'_>) -> Response {
    let now = Now::read();
    let all: Vec<Health> = notifier.destinations.iter().map(|to| to.health(now)).collect();
    let is = |state: &str| all.iter().any(|health| health.state == state);
    let status = if is("broken") {
        "broken"
    } else if is("failing") || is("limited") {
        "degraded"
    } else {
        "ok"
    };
    let sum = |of: fn(&Health) -> u64| all.iter().map(of).sum::<u64>();
    Response::json(&json!({
        "status": status,
        "sent": sum(|health| health.figures.sent),
        "failed": sum(|health| health.figures.failed),
        "dead": sum(|health| health.figures.dead),
        "waiting": sum(|health| health.waiting),
        "destinations": all.iter().map(shown_health).collect::<Vec<_>>(),
    }))
}

fn shown_health(health: &Health) -> Value {
    let figures = &health.figures;
    let time = |ms: Option<u64>| ms.map(rfc3339);
    json!({
        "name": health.name, "state": health.state, "reason": health.reason, "waiting": health.waiting,
        "sent": figures.sent, "failed": figures.failed, "dead": figures.dead, "folded": figures.folded,
        "suppressed": figures.suppressed, "skipped": figures.skipped,
        "latencyMs": figures.tries_us.checked_div(figures.tries).map(|us| us as f64 / 1000.0),
        "queueAgeMs": figures.queue_age_ms,
        "lastSentAt": time(figures.last_sent_ms),
        "lastErrorAt": time(figures.last_error_ms), "lastError": figures.last_error,
        "failuresSinceSent": figures.failures,
    })
}

/// The text format of Prometheus.
fn metrics<P: Provider>(notifier: &Notifier<P>, _: &Request<'_>) -> Response {
    type Figure = (&'static str, &'static str, &'static str, fn(&Health) -> f64);
    const FIGURES: [Figure; 10] = [
        ("sent_total", "counter", "Messages that arrived", |health| health.figures.sent as f64),
        ("failed_total", "counter", "Tries that did not work", |health| health.figures.failed as f64),
        ("dead_total", "counter", "Messages that were given up", |health| health.figures.dead as f64),
        ("folded_total", "counter", "Events that became a line of a digest", |health| {
            health.figures.folded as f64
        }),
        ("suppressed_total", "counter", "Repetitions", |health| health.figures.suppressed as f64),
        ("skipped_total", "counter", "Messages without anything to send", |health| {
            health.figures.skipped as f64
        }),
        ("digest_lines", "gauge", "Lines of the next digest", |health| health.waiting as f64),
        ("queue_age_seconds", "gauge", "Age of the event that was sent last", |health| {
            health.figures.queue_age_ms as f64 / 1e3
        }),
        ("provider_seconds_sum", "counter", "Time that the provider took for all tries", |health| {
            health.figures.tries_us as f64 / 1e6
        }),
        ("provider_seconds_count", "counter", "Tries", |health| health.figures.tries as f64),
    ];
    let now = Now::read();
    let all: Vec<Health> = notifier.destinations.iter().map(|to| to.health(now)).collect();
    let mut out = String::new();
    for (name, kind, help, value) in FIGURES {
        // Writing into a string does not fail.
        let _ = writeln!(
            out,
            "# HELP streamspace_notifier_{name} {help}.\n# TYPE streamspace_notifier_{name} {kind}"
        );
        for health in &all {
            let _ = writeln!(
                out,
                "streamspace_notifier_{name}{{plugin=\"{}\",destination=\"{}\"}} {}",
                notifier.context.name(),
                health.name,
                value(health)
            );
        }
    }
    Response::bytes(out).header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
}

/// A delivery, as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: String,
    destination: String,
    kind: Kind,
    state: State,
    topic: String,
    subject: String,
    severity: Severity,
    title: String,
    occurred_at: String,
    changed_at: String,
    attempts: u32,
    status: Option<u16>,
    reason: Option<String>,
    #[serde(skip_serializing_if = "Value::is_null")]
    progress: Value,
    can_be_replayed: bool,
}

impl Shown {
    fn new(id: String, record: Record) -> Self {
        let Record {
            kind,
            state,
            topic,
            subject,
            severity,
            title,
            occurred_ms,
            changed_ms,
            attempts,
            status,
            reason,
            progress,
            event,
        } = record;
        Self {
            destination: id.split_once('.').map(|(name, _)| name.to_owned()).unwrap_or_default(),
            id,
            kind,
            state,
            topic,
            subject,
            severity,
            title,
            occurred_at: rfc3339(occurred_ms),
            changed_at: rfc3339(changed_ms),
            attempts,
            status,
            reason,
            progress,
            can_be_replayed: event.is_some(),
        }
    }
}

fn rfc3339(ms: u64) -> String {
    text::rfc3339(UNIX_EPOCH.checked_add(Duration::from_millis(ms)).unwrap_or(SystemTime::UNIX_EPOCH))
}

/// The destination of this name; without one, the first.
fn destination<'a, P: Provider>(
    notifier: &'a Notifier<P>,
    name: Option<&str>,
) -> Result<&'a Destination<P>, Problem> {
    let mut all = notifier.destinations.iter();
    let found = match name {
        Some(name) => all.find(|to| to.name() == name),
        None => all.next(),
    };
    found.ok_or_else(|| {
        let names: Vec<_> = notifier.destinations.iter().map(Destination::name).collect();
        Problem::new(
            404,
            format!("there is no destination `{}`: there are {}", name.unwrap_or_default(), names.join(", ")),
        )
    })
}

fn view<'a>(
    id: Uuid,
    topic: &'a str,
    source: &'a str,
    subject: &'a str,
    time_us: u64,
    data: &'a [u8],
) -> EventView<'a> {
    EventView {
        id: id.into_bytes(),
        time_us,
        attempt: 1,
        topic: RStr::from_str(topic),
        source: RStr::from_str(source),
        subject: RStr::from_str(subject),
        data: RSlice::from_slice(data),
        attributes: RSlice::from_slice(&[]),
    }
}
