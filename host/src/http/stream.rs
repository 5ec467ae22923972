//! `GET /api/v1/stream`: live changes as server-sent events (WHATWG HTML, 9.2).
//!
//! Whoever watches has a tap on the bus, which is looked at ten times a second. What a client missed is read from the
//! event log first, after the tap was opened, so that there is nothing between the two.

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{self, HeaderName},
    },
    rt::time::sleep,
    web::{self, Bytes},
};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::{
    Edge, Problem,
    auth::{self, SignedIn},
    observe::EventView,
    query::{Query, understood},
};
use crate::{
    events::{Bus, Event, EventRecords, Item, Page, Place, Tap, check_filter},
    platform::access::rights::{HostObserve, Right, SessionsRead, UsersRead},
    routes::Caller,
};

/// How often a tap is looked at: an emit wakes nobody.
const LOOK: Duration = Duration::from_millis(100);
/// After how much silence a comment is sent, so that neither side takes the other for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What is watched unless something else is asked for.
const DEFAULT_TOPICS: [&str; 2] = ["plugin.*", "system.*"];
const MAX_TOPICS: usize = 16;
/// The most that is read from the log, or taken from the tap, at once.
const PIECE: usize = 256;

/// What is to be watched.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Filters of topics, with commas between them.
    topics: Option<String>,
    /// The number of the last event that the client has; `Last-Event-ID` comes first.
    after: Option<u64>,
}

/// Whether a caller may see what is emitted under a topic, and news about dead letters and jobs.
pub(super) fn may_see(caller: &Caller, topic: &str) -> bool {
    let right = match topic.split('.').next() {
        Some("session") => SessionsRead::NAME,
        Some("user" | "group") => UsersRead::NAME,
        _ => HostObserve::NAME,
    };
    caller.is_permitted(right)
}

/// Refuses who would see nothing.
fn must_see_any(caller: &Caller) -> Result<(), Problem> {
    if ["session", "user"].iter().any(|topic| may_see(caller, topic)) {
        return Ok(());
    }
    auth::must_be_permitted(caller, HostObserve::NAME)
}

/// `GET /api/v1/stream`
///
/// Live changes, as server-sent events (WHATWG HTML, 9.2). It ends when the host stops, the client goes, or the caller may
/// watch no more.
///
/// What the caller may not see is left out: `session.*` takes `sessions.read`, `user.*` and `group.*` take `users.read`, and
/// everything else `host.observe`.
#[utoipa::path(
    get,
    path = "/api/v1/stream",
    params(
        Asked,
        ("Last-Event-ID" = Option<u64>, Header, description = "As `after`; comes first"),
    ),
    responses(
        (status = 200, description = "The events, each with an `EventView`", body = String, content_type = "text/event-stream"),
        (status = 400, description = "The query, a filter of topics or `Last-Event-ID` is not understood"),
        (status = 403, description = "The caller may see none of them: this takes `host.observe`, `sessions.read` or `users.read`"),
    ),
)]
pub(super) async fn stream(
    SignedIn(identity): SignedIn,
    request: HttpRequest,
    query: Query<Asked>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    must_see_any(&identity.caller)?;
    let Asked { topics, after } = understood(query)?;
    let filters: Vec<String> = match topics.as_deref() {
        Some(topics) => topics.split(',').map(|topic| topic.trim().to_owned()).collect(),
        None => DEFAULT_TOPICS.map(str::to_owned).to_vec(),
    };
    if filters.len() > MAX_TOPICS {
        return Err(Problem::bad_request(
            "SSP-API-003",
            format_args!("`topics`: expected at most {MAX_TOPICS} filters"),
        ));
    }
    for filter in &filters {
        check_filter(filter).map_err(|why| Problem::bad_request("SSP-EVT-001", why))?;
    }
    let after = match request.headers().get("Last-Event-ID") {
        None => after,
        Some(id) => {
            let number = id.to_str().ok().and_then(|id| id.trim().parse().ok());
            Some(number.ok_or_else(|| {
                Problem::bad_request("SSP-API-003", "`Last-Event-ID`: expected the number of an event")
            })?)
        }
    };
    let mut answer = HttpResponse::Ok();
    answer
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Proxies of nginx's kind hold back what they do not know to be a stream.
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"));
    if request.method() == Method::HEAD {
        return Ok(answer.finish());
    }
    let tap = edge.bus.tap(filters, true, edge.max_streams)?;
    let log = edge.bus.log();
    // After the tap was opened: what is up to here is the past.
    let head = log.map_or(0, |log| log.offered());
    let watch = Watch {
        // Looked at again at once: something may have changed since.
        proof: Some(Proof { changes: None, looked_at: Instant::now(), edge: edge.clone(), request }),
        caller: identity.caller,
        records: log.map(|log| log.records()),
        open: Open { bus: Arc::clone(&edge.bus), tap },
        past: after.filter(|after| *after < head),
        seen: head,
        said_at: Instant::now(),
        greeting: Some(format!(
            "retry: 2000\nid: {0}\nevent: streamspace:open\ndata: {{\"number\":{0}}}\n\n",
            after.map_or(head, |after| after.min(head))
        )),
        ended: false,
    };
    Ok(answer.streaming(stream::unfold(watch, |mut watch| async move {
        let piece = watch.next().await?;
        Some((Ok::<Bytes, std::convert::Infallible>(piece), watch))
    })))
}

/// A tap that is closed when it is dropped.
struct Open {
    bus: Arc<Bus>,
    tap: Arc<Tap>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.bus.untap(&self.tap);
    }
}

/// What one who watches proved with who it is.
struct Proof {
    request: HttpRequest,
    edge: web::Data<Edge>,
    /// How often rights had changed when this was looked at last, and when that was.
    changes: Option<u64>,
    looked_at: Instant,
}

impl Proof {
    /// Whether it is to be looked at again: a sign-in ends, a token is revoked, an account has less than before.
    fn is_old(&mut self) -> bool {
        let changes = Some(self.edge.accounts.changes());
        let is_old = changes != self.changes || self.looked_at.elapsed() >= HEARTBEAT;
        if is_old {
            (self.changes, self.looked_at) = (changes, Instant::now());
        }
        is_old
    }
}

/// One who watches.
struct Watch {
    /// `None`: whoever it is stays so.
    proof: Option<Proof>,
    caller: Arc<Caller>,
    records: Option<EventRecords>,
    open: Open,
    /// After which number of the log there is something to be read still.
    past: Option<u64>,
    /// Up to which number of the log nothing is sent any more.
    seen: u64,
    said_at: Instant,
    greeting: Option<String>,
    ended: bool,
}

impl Watch {
    /// What is to be sent next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(greeting) = self.greeting.take() {
            return self.say(greeting);
        }
        loop {
            if self.ended || self.open.tap.is_closed() || !self.is_known_still().await {
                return None;
            }
            let text = match self.past {
                Some(after) => self.read(after).await,
                None => self.look(),
            };
            if !text.is_empty() {
                return self.say(text);
            }
            if self.past.is_some() {
                continue;
            }
            if self.said_at.elapsed() >= HEARTBEAT {
                return self.say(": still here\n\n".to_owned());
            }
            sleep(LOOK).await;
        }
    }

    /// Whether this is still somebody who may watch.
    async fn is_known_still(&mut self) -> bool {
        let Some(proof) = self.proof.as_mut() else { return true };
        if !proof.is_old() {
            return true;
        }
        match auth::identify(&proof.request).await {
            Ok(Some(identity)) => {
                self.caller = identity.caller;
                must_see_any(&self.caller).is_ok()
            }
            Ok(None) | Err(_) => false,
        }
    }

    fn say(&mut self, text: String) -> Option<Bytes> {
        self.said_at = Instant::now();
        Some(text.into())
    }

    /// A piece of the log. What comes after its end is in the tap.
    async fn read(&mut self, after: u64) -> String {
        let Some(records) = self.records.clone() else {
            self.past = None;
            return String::new();
        };
        let filters = self.open.tap.filters().to_vec();
        let page = web::block(move || records.page(&filters, Place::After(after), PIECE)).await;
        let Ok(Ok(page)) = page else {
            // It comes again, with the number that it has.
            self.ended = true;
            return String::new();
        };
        let Page { events, looked_at, more, oldest } = page;
        let mut text = String::new();
        let oldest = oldest.unwrap_or(self.seen + 1);
        if oldest > after + 1 {
            // Numbers have no gaps but those that retention makes.
            tell(&mut text, None, "streamspace:removed", &json!({"after": after, "oldest": oldest}));
        }
        let read_to = looked_at.map_or(after, |(_, last)| last);
        for (number, event) in &events {
            self.tell(&mut text, *number, event);
        }
        self.past = more.then_some(read_to);
        if !more {
            self.seen = self.seen.max(read_to);
        }
        text
    }

    /// What went by.
    fn look(&mut self) -> String {
        let mut text = String::new();
        let items = self.open.tap.take(PIECE);
        let rest = items.len() == PIECE;
        for item in items {
            match item {
                Item::Event(number, _) if number > 0 && number <= self.seen => {}
                Item::Event(number, event) => self.tell(&mut text, number, &event),
                Item::Notice(kind, data) => {
                    if may_see(&self.caller, kind) {
                        // JSON in one line.
                        let _ = write!(text, "event: {kind}\ndata: {data}\n\n");
                    }
                }
            }
        }
        let lost = if rest { 0 } else { self.open.tap.lost() };
        if lost > 0 {
            // Cut: a client that comes back with the last number it has gets from the log what is there.
            tell(&mut text, None, "streamspace:lagged", &json!({"lost": lost}));
            self.ended = true;
        }
        text
    }

    fn tell(&self, text: &mut String, number: u64, event: &Event) {
        if may_see(&self.caller, &event.topic) {
            let view = serde_json::to_value(EventView::new(number, event)).unwrap_or_default();
            tell(text, Some(number).filter(|number| *number > 0), &event.topic, &view);
        }
    }
}

/// Writes one event of the stream. Neither a topic nor JSON has a line break in it.
fn tell(text: &mut String, id: Option<u64>, name: &str, data: &Value) {
    if let Some(id) = id {
        let _ = writeln!(text, "id: {id}");
    }
    let _ = write!(text, "event: {name}\ndata: {data}\n\n");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::events::{Limits, NewEvent};

    fn watch(bus: &Arc<Bus>, said_at: Instant) -> Watch {
        let tap = bus.tap(vec!["t".to_owned()], true, 1).expect("a tap");
        Watch {
            proof: None,
            caller: Caller::admin(),
            records: None,
            open: Open { bus: Arc::clone(bus), tap },
            past: None,
            seen: 0,
            said_at,
            greeting: None,
            ended: false,
        }
    }

    fn bus() -> Arc<Bus> {
        let handler_deadline = Duration::from_secs(60);
        Arc::new(Bus::new(Limits { max_data_bytes: 100, max_pending: 10, handler_deadline }))
    }

    fn emit(bus: &Bus) {
        let event = NewEvent {
            topic: "t",
            source: "test".into(),
            subject: "",
            time_us: None,
            data: Bytes::from_static(b"{\"a\":\"two\\nlines\"}"),
            attributes: Bytes::new(),
        };
        bus.emit(event).expect("accepted");
    }

    async fn next(watch: &mut Watch) -> Option<String> {
        watch.next().await.map(|piece| String::from_utf8_lossy(&piece).into_owned())
    }

    #[actix_web::test]
    async fn silence_is_broken_by_a_comment() {
        let bus = bus();
        let before = Instant::now().checked_sub(HEARTBEAT).expect("the machine has been running for longer");
        let mut watch = watch(&bus, before);
        assert_eq!(next(&mut watch).await.as_deref(), Some(": still here\n\n"));
        emit(&bus);
        let text = next(&mut watch).await.unwrap_or_default();
        assert!(text.starts_with("event: t\ndata: {") && text.ends_with("}\n\n"), "{text}");
        assert_eq!(text.lines().count(), 3, "data is one line: {text}");
    }

    #[actix_web::test]
    async fn one_that_lagged_gets_what_it_has_is_told_and_ends() {
        let bus = bus();
        let mut watch = watch(&bus, Instant::now());
        while watch.open.tap.lost() < 3 {
            emit(&bus);
        }
        let mut all = String::new();
        while let Some(text) = next(&mut watch).await {
            all.push_str(&text);
        }
        assert_eq!(all.matches("event: t\n").count(), 1024);
        assert!(all.ends_with("event: streamspace:lagged\ndata: {\"lost\":3}\n\n"), "{all:.200}");
        drop(watch);
        assert_eq!(bus.taps(), (0, 1));
    }

    #[actix_web::test]
    async fn it_ends_with_the_host() {
        let bus = bus();
        let mut watch = watch(&bus, Instant::now());
        bus.close_taps();
        assert_eq!(next(&mut watch).await, None);
    }
}
