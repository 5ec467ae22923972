//! The timeline.

mod idle;

use std::time::Duration;

use streamspace_rfb::{Cursor, Framebuffer, Limits};

use super::{
    ahead::Ahead,
    pointer::Pointer,
    span::{Span, Spans},
    speed::Speed,
    stage::{Marks, Stage, Wrong},
};
use crate::scene::{Moment, Source};

/// Why a recording cannot be played on.
#[derive(Debug, thiserror::Error)]
pub enum PlayError<E: std::error::Error + 'static> {
    /// It cannot be read.
    #[error("the recording cannot be read at {} s: {source}", seconds(*at))]
    Source {
        /// Where it was read.
        at: Moment,
        /// What its source says.
        source: E,
    },
    /// A scene is not as it must be.
    #[error("a scene of the recording at {} s: {why}", seconds(*at))]
    Scene {
        /// When the scene is.
        at: Moment,
        /// What is wrong with it.
        why: String,
    },
}

fn seconds(at: Moment) -> f64 {
    at.0 as f64 / 1e6
}

/// What [`Player::advance`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// The bell rang.
    pub bell: bool,
    /// The end was reached.
    pub ended: bool,
    /// There was more to show than is shown at once. Playing goes on from there, later than it was due.
    pub late: bool,
}

/// A recording that is played.
///
/// It has no clock. `now` is the time since any moment that stays the same, and is never earlier than it was before.
///
/// What is idle is skipped if that is asked for ([`Player::skip_idle`]): where nothing that is seen changes for longer than so
/// long, half a second is played of it, and the position goes to the next change. What was not recorded, because recording was
/// paused or something was lost, is always shortened like that. [`Player::skipped`] says which stretches were.
#[derive(Debug)]
pub struct Player<S> {
    source: S,
    stage: Stage,
    ahead: Ahead,
    /// The source has no more.
    end: bool,
    /// The latest moment that was read.
    read: Moment,
    playing: bool,
    speed: Speed,
    idle: Option<u64>,
    position: Moment,
    /// When the position was `anchor`. Both stay until somebody steers, so that nothing adds up that is rounded.
    since: Duration,
    anchor: Moment,
    /// When something that is seen has changed last.
    changed: Moment,
    skipped: Spans,
    watched: Spans,
    is_watched: bool,
}

/// Pixels that are shown at once: a second's worth for a slow machine, so that whoever steers is heard.
const MOST_PIXELS: usize = 1 << 27;
/// What a scene costs besides its pixels, in pixels.
const SCENE: usize = 1 << 10;

impl<S: Source> Player<S> {
    /// At the beginning of a recording, standing still. A picture beyond the limits is an error.
    ///
    /// # Errors
    ///
    /// [`PlayError`] if the beginning cannot be shown.
    pub fn new(source: S, limits: Limits) -> Result<Self, PlayError<S::Error>> {
        let stage = Stage::new(limits, Marks::default()).map_err(|error| wrong(Moment(0), error.into()))?;
        let mut player = Self {
            source,
            stage,
            ahead: Ahead::default(),
            end: false,
            read: Moment(0),
            playing: false,
            speed: Speed::NORMAL,
            idle: None,
            position: Moment(0),
            since: Duration::ZERO,
            anchor: Moment(0),
            changed: Moment(0),
            skipped: Spans::default(),
            watched: Spans::default(),
            is_watched: false,
        };
        player.seek(Moment(0), Duration::ZERO)?;
        Ok(player)
    }

    /// What is shown at the position. Its damage is the caller's to take.
    pub fn screen(&self) -> &Framebuffer {
        &self.stage.screen
    }

    /// The same, to take the damage.
    pub fn screen_mut(&mut self) -> &mut Framebuffer {
        &mut self.stage.screen
    }

    /// What the pointer looks like; none if that was not recorded, or if the desktop draws it.
    pub fn cursor(&self) -> Option<&Cursor> {
        self.stage.cursor.as_ref()
    }

    /// Changes whenever [`Player::cursor`] does.
    pub fn cursor_version(&self) -> u64 {
        self.stage.cursors
    }

    /// Where the pointer was, if that was recorded.
    pub fn pointer(&self) -> Option<(u16, u16)> {
        self.stage.pointer
    }

    /// What is shown, to draw the pointer on it and take it away again.
    pub(super) fn with_pointer(&mut self) -> (&mut Framebuffer, Pointer<'_>) {
        let Stage { screen, cursor, cursors, pointer, .. } = &mut self.stage;
        (screen, Pointer { cursor: cursor.as_ref(), version: *cursors, at: *pointer })
    }

    /// How long the recording is.
    pub fn length(&self) -> Moment {
        self.source.length().max(self.read)
    }

    /// What is shown.
    pub fn position(&self) -> Moment {
        self.position
    }

    /// Whether it is played.
    pub fn is_playing(&self) -> bool {
        self.playing
    }

    /// Whether the position is the recording's end.
    pub fn is_at_end(&self) -> bool {
        self.end && self.ahead.first().is_none() && self.position >= self.length()
    }

    /// How fast it is played.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// How long nothing must change so that it is skipped; none if it is not.
    pub fn idle(&self) -> Option<Duration> {
        self.idle.map(Duration::from_micros)
    }

    /// Markers, gaps and pauses: those that were come by.
    pub fn marks(&self) -> &Marks {
        &self.stage.marks
    }

    /// Stretches that were skipped, since nothing changed in them.
    pub fn skipped(&self) -> &Spans {
        &self.skipped
    }

    /// What was played, or stood still, while somebody watched ([`Player::watch`]).
    pub fn watched(&self) -> &Spans {
        &self.watched
    }

    /// Whether somebody watches from now on.
    pub fn watch(&mut self, watched: bool) {
        self.is_watched = watched;
        self.stood();
    }

    /// Plays from here on.
    pub fn play(&mut self, now: Duration) {
        if !self.playing {
            self.playing = true;
            self.count_from(now);
            // A recording that is still made may have become longer.
            self.end &= self.ahead.first().is_some();
        }
    }

    /// Stands still from here on.
    pub fn pause(&mut self, now: Duration) {
        self.settle(now);
        self.playing = false;
    }

    /// Plays so fast from here on.
    pub fn set_speed(&mut self, speed: Speed, now: Duration) {
        self.settle(now);
        self.speed = speed;
    }

    /// The time that has passed does not count: playing goes on from the position.
    pub fn hold(&mut self, now: Duration) {
        self.count_from(now);
    }

    /// Goes to a moment, or to the end if that is earlier. It goes on playing if it did.
    ///
    /// # Errors
    ///
    /// [`PlayError`] if it cannot be shown. What is shown then is of no moment.
    pub fn seek(&mut self, to: Moment, now: Duration) -> Result<(), PlayError<S::Error>> {
        let to = to.min(self.length());
        self.ahead.clear();
        let before = self.stage.cut();
        self.end = false;
        self.source.seek(to).map_err(|source| PlayError::Source { at: to, source })?;
        let mut begun = false;
        loop {
            let next = self.source.next().map_err(|source| PlayError::Source { at: to, source })?;
            let Some((at, scene)) = next else {
                self.end = true;
                break;
            };
            self.read = self.read.max(at);
            // What is seen first is seen from the beginning.
            if at > to && begun {
                self.ahead.put(at, &scene, &self.stage);
                break;
            }
            begun |= matches!(scene, crate::scene::Scene::Picture { .. });
            self.stage.show(at, &scene).map_err(|why| wrong(at, why))?;
        }
        self.stage.landed(before);
        (self.position, self.changed) = (to, to);
        self.count_from(now);
        self.stood();
        Ok(())
    }

    /// Shows what is due.
    ///
    /// # Errors
    ///
    /// [`PlayError`] if that cannot be. The position is where it was, or later.
    pub fn advance(&mut self, now: Duration) -> Result<Step, PlayError<S::Error>> {
        let mut step = Step::default();
        let mut left = MOST_PIXELS;
        loop {
            self.look_ahead()?;
            let due = self.due_at(now);
            if self.playing
                && let Some(jump) = self.jump()
                && due >= jump.from
            {
                self.reach(jump.from);
                self.skipped.add(jump);
                self.position = jump.to;
                self.count_from(now);
            }
            let due = self.due_at(now);
            match self.ahead.first() {
                Some(at) if at <= due => {
                    if left == 0 {
                        step.late = true;
                        self.count_from(now);
                        break;
                    }
                    self.reach(at);
                    let shown = self.show_next()?;
                    left = left.saturating_sub(shown + SCENE);
                }
                _ => {
                    self.reach(due);
                    break;
                }
            }
        }
        step.bell = std::mem::take(&mut self.stage.bell);
        step.ended = self.playing && self.is_at_end();
        self.playing &= !step.ended;
        Ok(step)
    }

    /// When [`Player::advance`] has something to do next, as far as is known; none if only whoever steers can change that.
    pub fn due(&self) -> Option<Duration> {
        if !self.playing {
            return None;
        }
        let next = self.ahead.first().unwrap_or_else(|| self.length());
        let next = self.jump().map_or(next, |jump| jump.from.min(next));
        Some(self.since + self.speed.time_of(next.0.saturating_sub(self.anchor.0)))
    }

    /// What is due at a time.
    fn due_at(&self, now: Duration) -> Moment {
        if !self.playing {
            return self.position;
        }
        let passed = self.speed.of(now.saturating_sub(self.since));
        Moment(self.anchor.0.saturating_add(passed)).min(self.length()).max(self.position)
    }

    /// Goes on counting from here, so that what changes now does not change what has passed.
    fn settle(&mut self, now: Duration) {
        let due = self.due_at(now);
        self.reach(due);
        self.count_from(now);
    }

    fn count_from(&mut self, now: Duration) {
        (self.anchor, self.since) = (self.position, now);
    }

    fn reach(&mut self, to: Moment) {
        if to > self.position {
            if self.is_watched {
                self.watched.add(Span { from: self.position, to });
            }
            self.position = to;
        }
    }

    /// What stands still is seen as well.
    fn stood(&mut self) {
        if self.is_watched {
            self.watched.add(Span { from: self.position, to: self.position });
        }
    }

    /// Shows the next scene, and answers how many pixels that took.
    fn show_next(&mut self) -> Result<usize, PlayError<S::Error>> {
        let visible = self.ahead.ends_visibly();
        let Some((at, held)) = self.ahead.take() else { return Ok(0) };
        if let Some(scene) = held.scene() {
            self.stage.show(at, &scene).map_err(|why| wrong(at, why))?;
        }
        if visible && self.ahead.first().is_none() {
            self.changed = at.max(self.position);
        }
        let pixels = held.pixels();
        self.ahead.done(held);
        Ok(pixels)
    }
}

fn wrong<E: std::error::Error>(at: Moment, why: Wrong) -> PlayError<E> {
    PlayError::Scene { at, why: why.to_string() }
}
