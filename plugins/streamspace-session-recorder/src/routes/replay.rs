//! Playing a recording to a plain viewer of RFB, such as noVNC, and steering that.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use streamspace_plugin::{
    prelude::*,
    routes::{Problem, Request, Response},
    websocket::{self, SocketError, Upgrade},
};

use super::{MAX_BODY, note, playable, recording};
use crate::{
    SessionRecorder, capture,
    desk::Desk,
    replay::{Controls, Options, Player, Received, Seek, Socket, Span, Speed, serve},
    rules::rights::Act,
    scene::Moment,
    studio::shelf,
};

/// The largest message of a viewer, in bytes: a viewer sends keys, and where its pointer is.
const MAX_MESSAGE: u64 = 64 * 1024;
/// Longest name of a replay, in bytes.
const MAX_NAME: usize = 64;
/// Stretches that are written down of what somebody watched.
const MAX_SPANS: usize = 8;

pub(super) fn register(on: &mut Registrar<SessionRecorder>) {
    on.websocket("/recordings/{id}/replay", replay)
        .protocols(["binary"])
        .max_message_bytes(MAX_MESSAGE)
        .describe("Plays a recording to a viewer of RFB: `name` to steer it by, `from_ms`, `speed`, `skip_idle_ms`, `paused`");
    on.get("/recordings/{id}/replays/{name}", status).describe("Where a replay of the caller's is");
    on.post("/recordings/{id}/replays/{name}", steer).body_limit(MAX_BODY).describe(
        "Steers a replay of the caller's: `play`, `seek_ms`, `speed` from 0.25 to 16, `skip_idle_ms`, `end`",
    );
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    name: Option<String>,
    from_ms: u64,
    speed: Option<f64>,
    skip_idle_ms: Option<u64>,
    paused: bool,
}

fn speed(times: f64) -> Result<Speed, Problem> {
    match times.is_finite() && (0.25..=16.0).contains(&times) {
        true => Ok(Speed::new(times)),
        false => Err(Problem::new(422, "`speed`: expected 0.25 to 16")),
    }
}

fn key(request: &Request<'_>, recording: &str, name: &str) -> String {
    format!("{recording}/{}/{name}", request.caller().name())
}

fn replay(plugin: &SessionRecorder, request: &Request<'_>, upgrade: Upgrade) -> Result<()> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Play)?;
    let folder = playable(desk, &found)?;
    let wanted: Wanted = request.query()?;
    // Without a name nobody steers it, and it is beside others.
    let name = wanted.name.clone().unwrap_or_else(|| request.id().to_owned());
    if name.len() > MAX_NAME {
        return Err(Problem::new(422, format!("`name`: expected up to {MAX_NAME} bytes")).into());
    }
    let controls = Controls::new();
    if let Some(times) = wanted.speed {
        controls.set_speed(speed(times)?);
    }
    controls.skip_idle(wanted.skip_idle_ms.map(Duration::from_millis));
    let reader = shelf::open(&found.id, &folder, &desk.key)
        .map_err(|why| Problem::new(409, format!("the recording cannot be read: {why}")))?;
    let player = Player::new(reader, capture::Options::LIMITS);
    let mut player =
        player.map_err(|why| Problem::new(409, format!("the recording cannot be played: {why}")))?;
    let key = key(request, &found.id, &name);
    if !desk.replays.begin(&key, &controls) {
        return Err(Problem::new(409, "a replay of this name runs: end it, or give this one another").into());
    }
    let _ends = Ends { desk, key: &key };
    note(desk, request, &found, "playback", "replay")?;
    let socket = upgrade.accept(Some("binary"))?;
    let options = Options {
        name: format!("Recording of {}", found.session_id),
        plays: !wanted.paused,
        from: Moment(wanted.from_ms.saturating_mul(1000)),
        ..Options::default()
    };
    let began = Instant::now();
    let served = serve(&mut player, &mut Wire(socket), &controls, &options, || began.elapsed());
    // What was watched counts, however it ended.
    note(desk, request, &found, "watched", &spans(&controls.status().watched))?;
    match served {
        Ok(_) => Ok(()),
        Err(why) => Err(Error::new(why)),
    }
}

/// Forgets a replay when it is over.
struct Ends<'a> {
    desk: &'a Desk,
    key: &'a str,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.desk.replays.end(self.key);
    }
}

/// The socket, as replay sees it.
struct Wire(websocket::Socket);

impl Socket for Wire {
    type Error = SocketError;

    fn receive(&mut self, wait: Duration, into: &mut Vec<u8>) -> Result<Received, SocketError> {
        Ok(match self.0.receive(wait)? {
            websocket::Received::Message(message) => {
                into.extend_from_slice(message.as_bytes());
                Received::Bytes
            }
            websocket::Received::Nothing => Received::Nothing,
            websocket::Received::Closed(_) => Received::Closed,
        })
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), SocketError> {
        self.0.send(bytes)
    }
}

/// What was watched, in seconds.
fn spans(watched: &[Span]) -> String {
    let second = |at: Moment| at.0 as f64 / 1_000_000.0;
    let mut all: Vec<String> = watched
        .iter()
        .take(MAX_SPANS)
        .map(|span| format!("{:.1}-{:.1} s", second(span.from), second(span.to)))
        .collect();
    if watched.len() > MAX_SPANS {
        all.push(format!("and {} more", watched.len() - MAX_SPANS));
    }
    if all.is_empty() { "nothing".into() } else { all.join(", ") }
}

fn running(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Controls> {
    let desk = plugin.desk();
    let found = recording(desk, request, Act::Play)?;
    let name = request.param("name").unwrap_or_default();
    let controls = desk.replays.get(&key(request, &found.id, name));
    Ok(controls.ok_or_else(|| Problem::new(404, "there is no such replay of yours"))?)
}

fn told(controls: &Controls) -> Value {
    let status = controls.status();
    let millis = |moment: Moment| moment.0 / 1000;
    json!({
        "position_ms": millis(status.position), "length_ms": millis(status.length), "playing": status.playing,
        "at_end": status.at_end, "speed": status.speed,
        "skip_idle_ms": status.skip_idle.map(|idle| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)),
        "width": status.size.0, "height": status.size.1, "has_viewer": status.has_viewer,
        "watched": status.watched.iter().map(|span| [millis(span.from), millis(span.to)]).collect::<Vec<_>>(),
    })
}

fn status(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    Ok(Response::json(&told(&running(plugin, request)?)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Order {
    play: Option<bool>,
    seek_ms: Option<u64>,
    speed: Option<f64>,
    /// 0 skips nothing.
    skip_idle_ms: Option<u64>,
    end: bool,
}

fn steer(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let order: Order = request.json()?;
    let controls = running(plugin, request)?;
    if let Some(times) = order.speed {
        controls.set_speed(speed(times)?);
    }
    if let Some(at) = order.seek_ms {
        controls.seek(Seek::To(Moment(at.saturating_mul(1000))));
    }
    if let Some(idle) = order.skip_idle_ms {
        controls.skip_idle((idle > 0).then(|| Duration::from_millis(idle)));
    }
    match order.play {
        Some(true) => controls.play(),
        Some(false) => controls.pause(),
        None => {}
    }
    if order.end {
        controls.end();
    }
    Ok(Response::json(&told(&controls)).with_status(202))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_watched_is_told_in_seconds() {
        let span = |from, to| Span { from: Moment(from), to: Moment(to) };
        assert_eq!(spans(&[]), "nothing");
        assert_eq!(spans(&[span(0, 1_500_000), span(60_000_000, 61_000_000)]), "0.0-1.5 s, 60.0-61.0 s");
        let many: Vec<_> = (0..10).map(|at| span(at, at)).collect();
        assert!(spans(&many).ends_with("and 2 more"));
    }
}
