//! Steering a replay from elsewhere.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    player::{PlayError, Player},
    span::Span,
    speed::Speed,
    stage::Marks,
};
use crate::scene::{Moment, Source};

/// Steers a replay, and tells where it is. Copies steer the same one.
///
/// What is asked for takes effect within a twentieth of a second. Of what is asked for in that time, the last counts, so that
/// nothing piles up.
#[derive(Debug, Clone, Default)]
pub struct Controls(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    wishes: Mutex<Wishes>,
    status: Mutex<Status>,
    ended: AtomicBool,
}

/// Where to go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// To a moment.
    To(Moment),
    /// So many microseconds on, or back.
    By(i64),
    /// To the end.
    End,
}

impl Seek {
    /// This one, and then another.
    fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::To(to), Self::By(by)) => Self::To(Moment(to.0.saturating_add_signed(by))),
            (Self::By(one), Self::By(other)) => Self::By(one.saturating_add(other)),
            // As far back as that: whoever asks for it wants what is before the end.
            (Self::End, Self::By(0..)) => Self::End,
            (_, next) => next,
        }
    }
}

#[derive(Debug, Default, PartialEq)]
struct Wishes {
    playing: Option<bool>,
    toggles: bool,
    seek: Option<Seek>,
    speed: Option<Speed>,
    doublings: i32,
    idle: Option<Option<Duration>>,
}

/// How a replay is.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// What is shown.
    pub position: Moment,
    /// How long the recording is.
    pub length: Moment,
    /// Whether it is played.
    pub playing: bool,
    /// Whether the position is the recording's end.
    pub at_end: bool,
    /// How fast it is played: times of how fast it was recorded.
    pub speed: f64,
    /// How long nothing must change so that it is skipped; none if it is not.
    pub skip_idle: Option<Duration>,
    /// Width and height of what is shown.
    pub size: (u16, u16),
    /// Whether there is a viewer whose handshake is over.
    pub has_viewer: bool,
    /// Whether the replay is over.
    pub over: bool,
    /// Markers, gaps and pauses.
    pub marks: Marks,
    /// Stretches that were skipped.
    pub skipped: Vec<Span>,
    /// What the viewer was shown.
    pub watched: Vec<Span>,
    /// Bytes that were sent to the viewer.
    pub sent: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in them is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Controls {
    /// For one replay.
    pub fn new() -> Self {
        Self::default()
    }

    /// Plays from here on.
    pub fn play(&self) {
        let mut wishes = lock(&self.0.wishes);
        (wishes.playing, wishes.toggles) = (Some(true), false);
    }

    /// Stands still from here on.
    pub fn pause(&self) {
        let mut wishes = lock(&self.0.wishes);
        (wishes.playing, wishes.toggles) = (Some(false), false);
    }

    /// Plays if it stands still, stands still if it plays.
    pub fn toggle(&self) {
        lock(&self.0.wishes).toggles ^= true;
    }

    /// Goes elsewhere. Beyond the ends is to the ends.
    pub fn seek(&self, seek: Seek) {
        let mut wishes = lock(&self.0.wishes);
        wishes.seek = Some(wishes.seek.map_or(seek, |before| before.then(seek)));
    }

    /// Plays so fast from here on.
    pub fn set_speed(&self, speed: Speed) {
        let mut wishes = lock(&self.0.wishes);
        (wishes.speed, wishes.doublings) = (Some(speed), 0);
    }

    /// Plays twice as fast, or half as fast.
    pub fn change_speed(&self, faster: bool) {
        let mut wishes = lock(&self.0.wishes);
        // Sixty-four times lie between the slowest and the fastest.
        wishes.doublings = (wishes.doublings + if faster { 1 } else { -1 }).clamp(-6, 6);
    }

    /// Skips stretches in which nothing changes for longer than this; none skips nothing.
    pub fn skip_idle(&self, idle: Option<Duration>) {
        lock(&self.0.wishes).idle = Some(idle);
    }

    /// Ends the replay: the viewer is disconnected.
    pub fn end(&self) {
        self.0.ended.store(true, Ordering::Release);
    }

    /// Whether somebody has ended it.
    pub fn is_ended(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }

    /// How it is.
    pub fn status(&self) -> Status {
        lock(&self.0.status).clone()
    }

    /// Does what was asked for. Answers whether anything was.
    pub(super) fn obey<S: Source>(
        &self,
        player: &mut Player<S>,
        now: Duration,
    ) -> Result<bool, PlayError<S::Error>> {
        let wishes = std::mem::take(&mut *lock(&self.0.wishes));
        if wishes == Wishes::default() {
            return Ok(false);
        }
        let Wishes { playing, toggles, seek, speed, doublings, idle } = wishes;
        if let Some(idle) = idle {
            player.skip_idle(idle, now);
        }
        let faster = Speed::new(speed.unwrap_or(player.speed()).times() * f64::from(doublings).exp2());
        if faster != player.speed() {
            player.set_speed(faster, now);
        }
        if let Some(seek) = seek {
            let to = match seek {
                Seek::To(to) => to,
                Seek::By(by) => Moment(player.position().0.saturating_add_signed(by)),
                Seek::End => player.length(),
            };
            player.seek(to, now)?;
        }
        match playing.unwrap_or(player.is_playing()) != toggles {
            true => player.play(now),
            false if player.is_playing() => player.pause(now),
            false => {}
        }
        Ok(true)
    }

    pub(super) fn publish<S: Source>(&self, player: &Player<S>, has_viewer: bool, sent: u64) {
        let mut status = lock(&self.0.status);
        status.position = player.position();
        status.length = player.length();
        status.playing = player.is_playing();
        status.at_end = player.is_at_end();
        status.speed = player.speed().times();
        status.skip_idle = player.idle();
        status.size = (player.screen().width(), player.screen().height());
        (status.has_viewer, status.sent) = (has_viewer, sent);
        status.marks.clone_from(player.marks());
        player.skipped().as_slice().clone_into(&mut status.skipped);
        player.watched().as_slice().clone_into(&mut status.watched);
    }

    pub(super) fn publish_end(&self) {
        let mut status = lock(&self.0.status);
        (status.over, status.playing, status.has_viewer) = (true, false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wish_counts_and_steps_add_up() {
        let controls = Controls::new();
        controls.seek(Seek::By(10));
        controls.seek(Seek::By(-30));
        assert_eq!(lock(&controls.0.wishes).seek, Some(Seek::By(-20)));
        controls.seek(Seek::To(Moment(5)));
        controls.seek(Seek::By(-30));
        assert_eq!(lock(&controls.0.wishes).seek, Some(Seek::To(Moment(0))));
        controls.play();
        controls.toggle();
        controls.pause();
        let wishes = lock(&controls.0.wishes);
        assert_eq!((wishes.playing, wishes.toggles), (Some(false), false));
    }
}
