//! Player and viewer, joined over a connection.

use std::{collections::VecDeque, time::Duration};

use super::{
    controls::{Controls, Seek},
    player::{PlayError, Player, Step},
    pointer::Drawn,
    span::Spans,
    viewer::{Viewer, ViewerError},
};
use crate::scene::{Moment, Source};

/// A connection to a viewer, such as a WebSocket whose messages are binary. Where a message begins and ends means nothing.
pub trait Socket {
    /// Why there is no connection any more.
    type Error: std::error::Error + 'static;

    /// Waits for bytes, for so long at most, and appends them to `into`. Zero waits for nothing.
    ///
    /// # Errors
    ///
    /// When the connection has failed.
    fn receive(&mut self, wait: Duration, into: &mut Vec<u8>) -> Result<Received, Self::Error>;

    /// Sends bytes. Waits for room, not for ever.
    ///
    /// # Errors
    ///
    /// When the connection has failed, or there was no room for too long.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// What [`Socket::receive`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Bytes were appended.
    Bytes,
    /// None came in that time.
    Nothing,
    /// The viewer has gone.
    Closed,
}

/// How a recording is replayed.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the viewer is told that the desktop is called. Cut at 1 KiB.
    pub name: String,
    /// Whether the viewer's keys steer. Yes.
    pub keys: bool,
    /// Whether the pointer is drawn where it was, if that was recorded, in place of telling the viewer what its own looks like. No.
    pub pointer: bool,
    /// Whether it plays as soon as the viewer asks for a picture. Yes.
    pub plays: bool,
    /// Where it begins.
    pub from: Moment,
    /// How long the viewer may take for the handshake. 10 s.
    pub handshake: Duration,
    /// After how long the replay ends if it stands still, or waits for the viewer, and neither the viewer nor whoever steers says
    /// anything. An hour.
    pub silence: Duration,
    /// For how long it is played to a viewer that does not ask for what has changed; then it waits for the viewer. 2 s.
    pub patience: Duration,
    /// Bytes of one message at most. 64 KiB.
    pub message: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "Recording".to_owned(),
            keys: true,
            pointer: false,
            plays: true,
            from: Moment(0),
            handshake: Duration::from_secs(10),
            silence: Duration::from_secs(3_600),
            patience: Duration::from_secs(2),
            message: 64 << 10,
        }
    }
}

/// Why a replay is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The viewer has gone.
    Closed,
    /// [`Controls::end`].
    Ended,
    /// The viewer did not finish the handshake in time.
    Handshake,
    /// Nobody has said anything for too long.
    Silence,
}

/// What became of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Why it is over.
    pub why: Why,
    /// What the viewer was shown.
    pub watched: Spans,
    /// Bytes that were sent.
    pub sent: u64,
    /// Bytes that came.
    pub received: u64,
}

/// Why a replay failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError<P: std::error::Error + 'static, K: std::error::Error + 'static> {
    /// The recording cannot be played on.
    #[error(transparent)]
    Play(PlayError<P>),
    /// The viewer cannot be served any more.
    #[error(transparent)]
    Viewer(ViewerError),
    /// The connection has failed.
    #[error("the connection to the viewer: {0}")]
    Socket(K),
}

/// How long the viewer is waited for at most until whoever steers is listened to: a wait cannot be ended from outside.
const LISTEN: Duration = Duration::from_millis(50);

/// Plays a recording to a viewer, on this thread, until one of [`Why`]. `clock` tells the time since any moment that stays the
/// same.
///
/// What was watched is in `controls` after an error as well.
///
/// # Errors
///
/// [`ServeError`], which says whose fault it is.
pub fn serve<S: Source, K: Socket>(
    player: &mut Player<S>,
    socket: &mut K,
    controls: &Controls,
    options: &Options,
    clock: impl Fn() -> Duration,
) -> Result<Served, ServeError<S::Error, K::Error>> {
    let mut out = Vec::new();
    let viewer = Viewer::new(&options.name, &mut out);
    let drawn = Drawn::default();
    let mut connection =
        Connection { viewer, drawn, out, sent: 0, received: 0, socket, controls, options, clock };
    let why = connection.run(player);
    player.watch(false);
    let Connection { viewer, sent, received, .. } = connection;
    controls.publish(player, viewer.is_ready(), sent);
    controls.publish_end();
    Ok(Served { why: why?, watched: player.watched().clone(), sent, received })
}

struct Connection<'a, K, C> {
    viewer: Viewer,
    drawn: Drawn,
    out: Vec<u8>,
    sent: u64,
    received: u64,
    socket: &'a mut K,
    controls: &'a Controls,
    options: &'a Options,
    clock: C,
}

impl<K: Socket, C: Fn() -> Duration> Connection<'_, K, C> {
    fn run<S: Source>(&mut self, player: &mut Player<S>) -> Result<Why, ServeError<S::Error, K::Error>> {
        let (controls, options) = (self.controls, self.options);
        let began = (self.clock)();
        let (mut heard, mut behind, mut watched) = (began, None::<Duration>, false);
        let (mut bytes, mut keys) = (Vec::new(), VecDeque::new());
        if options.from != Moment(0) {
            player.seek(options.from, began).map_err(ServeError::Play)?;
        }
        loop {
            let now = (self.clock)();
            if controls.is_ended() {
                return Ok(Why::Ended);
            }
            if !self.viewer.is_ready() && now.saturating_sub(began) > options.handshake {
                return Ok(Why::Handshake);
            }
            if now.saturating_sub(heard) > options.silence {
                return Ok(Why::Silence);
            }

            keys.drain(..).filter(|_| options.keys).for_each(|key| press(key, controls));
            // A viewer that does not keep up is waited for: what it is not shown, it has not watched.
            if behind.is_some_and(|since| now.saturating_sub(since) > options.patience) {
                player.hold(now);
            }
            if controls.obey(player, now).map_err(ServeError::Play)? {
                heard = now;
            }
            let Step { bell, .. } = player.advance(now).map_err(ServeError::Play)?;
            if bell {
                self.viewer.ring(&mut self.out);
            }
            let updated = self.show(player);
            if updated.map_err(ServeError::Viewer)? && !watched {
                watched = true;
                player.watch(true);
                if options.plays {
                    player.play(now);
                }
            }
            behind = if self.viewer.is_behind() { behind.or(Some(now)) } else { None };
            if player.is_playing() && behind.is_none() {
                heard = now;
            }
            controls.publish(player, self.viewer.is_ready(), self.sent);
            self.send().map_err(ServeError::Socket)?;
            let sent = (self.clock)();
            if sent.saturating_sub(now) > options.patience {
                player.hold(sent);
            }

            let due = player.due().map_or(LISTEN, |due| due.saturating_sub(sent).min(LISTEN));
            bytes.clear();
            match self.socket.receive(due, &mut bytes).map_err(ServeError::Socket)? {
                Received::Closed => return Ok(Why::Closed),
                Received::Nothing => {}
                Received::Bytes => {
                    heard = sent;
                    self.received += bytes.len() as u64;
                    let taken = self.viewer.receive(&bytes, &mut self.out, &mut keys);
                    if taken.is_err() {
                        // It may still learn why.
                        self.send().map_err(ServeError::Socket)?;
                    }
                    taken.map_err(ServeError::Viewer)?;
                }
            }
        }
    }

    /// An update, if there is one to be sent.
    fn show<S: Source>(&mut self, player: &mut Player<S>) -> Result<bool, ViewerError> {
        let Self { viewer, drawn, out, .. } = self;
        let (screen, pointer) = player.with_pointer();
        if !self.options.pointer {
            viewer.look(screen);
            return viewer.update(screen, pointer.cursor, pointer.version, out);
        }
        drawn.look(screen, &pointer);
        viewer.look(screen);
        drawn.draw(screen, &pointer);
        let updated = viewer.update(screen, None, 0, out);
        drawn.lift(screen);
        updated
    }

    /// Sends what there is, in messages that are not too long.
    fn send(&mut self) -> Result<(), K::Error> {
        for message in self.out.chunks(self.options.message.max(1)) {
            // A slow viewer does not keep a replay that was ended.
            if self.controls.is_ended() {
                break;
            }
            self.socket.send(message)?;
            self.sent += message.len() as u64;
        }
        self.out.clear();
        Ok(())
    }
}

/// How far the arrows go, in microseconds.
const ARROW: i64 = 10_000_000;

/// What a key does. Symbols are X11's.
fn press(symbol: u32, controls: &Controls) {
    match symbol {
        0x20 => controls.toggle(),
        0xFF50 => controls.seek(Seek::To(Moment(0))),
        0xFF51 => controls.seek(Seek::By(-ARROW)),
        0xFF52 => controls.change_speed(true),
        0xFF53 => controls.seek(Seek::By(ARROW)),
        0xFF54 => controls.change_speed(false),
        0xFF57 => controls.seek(Seek::End),
        _ => {}
    }
}
