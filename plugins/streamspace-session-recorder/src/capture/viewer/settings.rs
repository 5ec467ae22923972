//! How a session is viewed.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use streamspace_rfb::Encoding;

/// What the desktop is asked to encode its screen in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encode {
    /// ZRLE.
    #[default]
    Zrle,
    /// Tight, without loss.
    Tight,
    /// Tight, with JPEG of this quality, 0 to 9, where the desktop finds it better.
    TightJpeg(u8),
    /// Hextile.
    Hextile,
    /// Raw.
    Raw,
}

/// How updates come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// Each is asked for, so that the desktop encodes no more than what is kept.
    #[default]
    Asked,
    /// By themselves, as often as the desktop likes, where it can: what is too often is thrown away here.
    Continuous,
}

/// How a session is viewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What the desktop is asked to encode its screen in. ZRLE.
    pub encode: Encode,
    /// How updates come. Asked for.
    pub pace: Pace,
    /// How long the handshake may take. 10 s.
    pub handshake: Duration,
    /// How long sending may take, and the rest of a message or of an update that has begun. 30 s.
    pub stall: Duration,
    /// After how long a silence the desktop is asked whether it is there, if it can answer that: 30 s.
    pub probe: Duration,
    /// How often the end, a pause and a wish for the whole screen are looked for. 100 ms.
    pub look: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            encode: Encode::default(),
            pace: Pace::default(),
            handshake: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            probe: Duration::from_secs(30),
            look: Duration::from_millis(100),
        }
    }
}

impl Settings {
    /// What is asked for, the best first. Extended Clipboard is not: without it, the desktop sends a text when it is cut.
    pub(super) fn encodings(&self) -> Vec<Encoding> {
        let first = match self.encode {
            Encode::Zrle => Encoding::ZRLE,
            Encode::Tight | Encode::TightJpeg(_) => Encoding::TIGHT,
            Encode::Hextile => Encoding::HEXTILE,
            Encode::Raw => Encoding::RAW,
        };
        let mut encodings = vec![first, Encoding::COPY_RECT];
        let rest = [Encoding::ZRLE, Encoding::TIGHT, Encoding::HEXTILE, Encoding::RAW];
        encodings.extend(rest.into_iter().filter(|encoding| *encoding != first));
        encodings.extend([
            Encoding::LAST_RECT,
            Encoding::CURSOR_WITH_ALPHA,
            Encoding::CURSOR,
            Encoding::VMWARE_CURSOR_POSITION,
            Encoding::EXTENDED_DESKTOP_SIZE,
            Encoding::DESKTOP_SIZE,
            Encoding::DESKTOP_NAME,
            Encoding::FENCE,
            // Little is saved by more: the desktop is near, and its processor is what the session needs.
            Encoding::compression(1),
        ]);
        if self.pace == Pace::Continuous {
            encodings.push(Encoding::CONTINUOUS_UPDATES);
        }
        if let Encode::TightJpeg(quality) = self.encode {
            encodings.push(Encoding::jpeg_quality(quality));
        }
        encodings
    }
}

/// What somebody else wants of a viewer that runs. It is looked at after each piece, and every [`Settings::look`]; whether it is to
/// end also before each message, since few bytes can be much to draw.
#[derive(Debug, Default)]
pub struct Control {
    stopped: OnceLock<Instant>,
    pause: AtomicBool,
    resync: AtomicBool,
    /// In microseconds.
    interval: AtomicU64,
}

impl Control {
    /// Ends it.
    pub fn stop(&self) {
        self.stopped.get_or_init(Instant::now);
    }

    /// Pauses it, or has it go on. While it is paused it asks for nothing.
    pub fn pause(&self, pause: bool) {
        self.pause.store(pause, Relaxed);
    }

    /// Has it ask for the whole screen.
    pub fn resync(&self) {
        self.resync.store(true, Relaxed);
    }

    /// Has it ask and keep not more often than once in this time, or than its options say if that is less often.
    pub fn slow_to(&self, interval: Duration) {
        self.interval.store(u64::try_from(interval.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// How often it asks and keeps at most; nothing if that is for its options alone to say.
    pub fn interval(&self) -> Duration {
        Duration::from_micros(self.interval.load(Relaxed))
    }

    pub(super) fn stops(&self) -> bool {
        self.stopped.get().is_some()
    }

    /// Whether it was ended so long ago.
    pub fn is_overdue(&self, grace: Duration) -> bool {
        self.stopped.get().is_some_and(|stopped| stopped.elapsed() >= grace)
    }

    pub(super) fn pauses(&self) -> bool {
        self.pause.load(Relaxed)
    }

    pub(super) fn resyncs(&self) -> bool {
        self.resync.swap(false, Relaxed)
    }
}

/// How long to wait before the next try: from half a second, twice as long each time, to half a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const MOST: Duration = Duration::from_secs(30);

    /// Another try was in vain.
    pub fn wait(&mut self) -> Duration {
        let wait = Self::FIRST.saturating_mul(1 << self.tries.min(16)).min(Self::MOST);
        self.tries = self.tries.saturating_add(1);
        wait
    }

    /// It went well.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}
