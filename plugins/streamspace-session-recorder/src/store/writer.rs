//! Writing a recording.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    DataKey, Error, Limits, Options, Subject,
    canvas::Canvas,
    files,
    format::{Hash, Kind, LARGEST_BLOCK},
    head::{CIPHER, Head},
    record::{AGAIN, Gathered},
    segment::{Segment, Tools},
};
use crate::scene::{Moment, Scene, Sink};

/// Writes a recording. What is put is gathered, compressed and written on the caller's thread; now and then it waits for the disk.
///
/// After an error of writing it takes no more: [`end_interrupted`](super::end_interrupted) ends what is readable.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    head: Head,
    options: Options,
    limits: Limits,
    gathered: Gathered,
    /// None after writing failed.
    segment: Option<Segment>,
    canvas: Canvas,
    keyframe: Keyframe,
    last: u64,
    synced: u64,
    /// When it was synced, in the recording's time.
    synced_at: u64,
    /// Bytes of the segments before this one.
    before: u64,
}

/// When the next keyframe is due.
#[derive(Debug, Default)]
struct Keyframe {
    at: u64,
    /// Bytes that it had before they were compressed.
    bytes: u64,
    /// Bytes of what changed since, in the same way.
    since: u64,
}

/// What a finished recording has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The hash over everything. Kept elsewhere, it shows that nobody wrote the whole recording anew.
    pub hash: Hash,
    /// Bytes of all segments.
    pub bytes: u64,
    /// How many segments.
    pub segments: u32,
    /// How long it is.
    pub length: Moment,
}

impl Writer {
    /// Begins a recording in a folder, which is made. If there is a key, it is encrypted.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] if there is a recording already, [`Error::Io`], [`Error::Random`].
    pub fn create(
        folder: &Path,
        subject: &Subject,
        key: Option<&DataKey>,
        options: Options,
    ) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(files::failed("creating", folder))?;
        let head = Head {
            recording: subject.recording.clone(),
            session: subject.session.clone(),
            started_at: subject.started_at,
            segment: 0,
            begins: 0,
            size: None,
            encryption: key.map(|_| CIPHER.into()),
            previous: None,
        };
        let options = bounded(options);
        let tools = Tools::new(options.block_bytes, options.level, key.map(DataKey::cipher))?;
        let segment = Segment::create(folder, &head, tools)?;
        Ok(Self {
            folder: folder.into(),
            head,
            options,
            limits: Limits::default(),
            gathered: Gathered::new(options.block_bytes),
            segment: Some(segment),
            canvas: Canvas::default(),
            keyframe: Keyframe::default(),
            last: 0,
            synced: 0,
            synced_at: 0,
            before: 0,
        })
    }

    /// Writes and syncs what is due, when there is nothing to put. To be called about once a second.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Failed`] if writing failed before.
    pub fn tick(&mut self, at: Moment) -> Result<(), Error> {
        self.written(|writer, segment| writer.due(at.0.max(writer.last), segment))
    }

    /// Makes everything that was put durable. Answers up to when that is.
    ///
    /// # Errors
    ///
    /// As of [`Writer::tick`].
    pub fn sync(&mut self) -> Result<Moment, Error> {
        self.written(|writer, segment| {
            writer.gathered.seal(segment)?;
            segment.sync()?;
            (writer.synced, writer.synced_at) = (writer.last, writer.last);
            Ok(Moment(writer.last))
        })
    }

    /// Ends the recording, at this moment or after what was put last.
    ///
    /// # Errors
    ///
    /// As of [`Writer::tick`].
    pub fn finish(mut self, at: Moment) -> Result<Finished, Error> {
        let mut segment = self.segment.take().ok_or(Error::Failed)?;
        self.gathered.seal(&mut segment)?;
        let length = at.0.max(self.last);
        let (hash, bytes) = segment.end(length, true)?;
        let (bytes, segments) = (self.before + bytes, self.head.segment + 1);
        Ok(Finished { hash, bytes, segments, length: Moment(length) })
    }

    /// Up to when it is durable.
    pub fn synced(&self) -> Moment {
        Moment(self.synced)
    }

    /// When what was put last happened.
    pub fn length(&self) -> Moment {
        Moment(self.last)
    }

    /// Bytes of all segments, without what is gathered.
    pub fn bytes(&self) -> u64 {
        self.before + self.segment.as_ref().map_or(0, Segment::bytes)
    }

    /// The number of the segment that is being written, from 0.
    pub fn segment(&self) -> u32 {
        self.head.segment
    }

    /// Bytes of memory that it has: buffers, compressor, and the pixels that are on the screen.
    pub fn memory(&self) -> usize {
        let segment = self.segment.as_ref().map_or(0, Segment::memory);
        size_of::<Self>() + self.gathered.memory() + segment + self.canvas.memory()
    }

    /// Of these, bytes of the pixels that are on the screen.
    pub fn framebuffer_memory(&self) -> usize {
        self.canvas.memory()
    }

    /// Does something with the segment. After an error there is none.
    fn written<T>(
        &mut self,
        act: impl FnOnce(&mut Self, &mut Segment) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut segment = self.segment.take().ok_or(Error::Failed)?;
        let done = act(self, &mut segment)?;
        self.segment = Some(segment);
        Ok(done)
    }

    /// Ends the block, and syncs, if it is time.
    fn due(&mut self, now: u64, segment: &mut Segment) -> Result<(), Error> {
        let over = |since: u64, span: Duration| u128::from(now.saturating_sub(since)) >= span.as_micros();
        let sync =
            segment.unsynced() >= self.options.sync_bytes || over(self.synced_at, self.options.sync_after);
        if !self.gathered.is_empty() && (sync || over(self.gathered.from(), self.options.block_time)) {
            self.gathered.seal(segment)?;
        }
        if sync {
            segment.sync()?;
            (self.synced, self.synced_at) = (self.last, now);
        }
        Ok(())
    }

    fn add(&mut self, at: u64, scene: &Scene<'_>, segment: &mut Segment) -> Result<(), Error> {
        let is_picture = matches!(scene, Scene::Picture { .. });
        if segment.bytes() >= self.options.max_file_bytes || segment.is_full() {
            self.roll_over(segment, is_picture)?;
        } else if !is_picture && self.keyframe_is_due(at) {
            self.keyframe(segment)?;
        }
        if is_picture {
            self.gathered.begin(Kind::SCENES, segment)?;
        }
        let bytes = self.gathered.put(at, scene, 0, segment)?;
        self.last = at;
        self.canvas.take(scene);
        match scene {
            Scene::Picture { .. } => {
                if let Some(cursor) = self.canvas.cursor() {
                    self.gathered.put(at, &cursor, AGAIN, segment)?;
                }
                self.keyframe = Keyframe { at, bytes, since: 0 };
            }
            Scene::Patch { .. } | Scene::Cursor(_) => self.keyframe.since += bytes,
            _ => {}
        }
        self.due(at, segment)
    }

    fn keyframe_is_due(&self, at: u64) -> bool {
        let passed = u128::from(at.saturating_sub(self.keyframe.at));
        self.keyframe.since > 0
            && (passed >= self.options.keyframe_after.as_micros()
                || (passed >= self.options.keyframe_not_before.as_micros()
                    && self.keyframe.since > self.keyframe.bytes))
    }

    /// Writes what is on the screen once more, in blocks of its own.
    fn keyframe(&mut self, segment: &mut Segment) -> Result<(), Error> {
        let Some(picture) = self.canvas.picture() else { return Ok(()) };
        self.gathered.begin(Kind::AGAIN, segment)?;
        let mut bytes = self.gathered.put(self.last, &picture, AGAIN, segment)?;
        if let Some(cursor) = self.canvas.cursor() {
            bytes += self.gathered.put(self.last, &cursor, AGAIN, segment)?;
        }
        self.gathered.seal(segment)?;
        self.keyframe = Keyframe { at: self.last, bytes, since: 0 };
        Ok(())
    }

    /// Ends the segment and begins the next one, in which a reader can begin as well.
    fn roll_over(&mut self, segment: &mut Segment, is_picture: bool) -> Result<(), Error> {
        self.gathered.seal(segment)?;
        self.head.segment += 1;
        self.head.begins = self.last;
        self.head.size = self.canvas.size();
        self.before += segment.roll_over(&self.folder, &mut self.head)?;
        (self.synced, self.synced_at) = (self.last, self.last);
        if is_picture { Ok(()) } else { self.keyframe(segment) }
    }
}

impl Sink for Writer {
    type Error = Error;

    /// Takes a scene. A moment before the last one is taken as the last one.
    ///
    /// # Errors
    ///
    /// [`Error::Scene`] if it cannot stand here: the writer goes on without it. Others as of [`Writer::tick`].
    fn put(&mut self, at: Moment, scene: &Scene<'_>) -> Result<(), Error> {
        // Clocks are set back now and then, and a reader relies on the order.
        let at = at.0.max(self.last);
        self.canvas.check(Moment(at), scene, &self.limits)?;
        self.written(|writer, segment| writer.add(at, scene, segment))
    }
}

/// Options that cannot be are taken as the next ones that can.
fn bounded(options: Options) -> Options {
    Options {
        block_bytes: options.block_bytes.clamp(16 << 10, LARGEST_BLOCK),
        max_file_bytes: options.max_file_bytes.max(64 << 10),
        sync_bytes: options.sync_bytes.min(MOST_UNSYNCED),
        ..options
    }
}

/// More is never lost in a crash, so that whoever opens a recording knows how much may be wrong at its end.
const MOST_UNSYNCED: u64 = 8 << 20;
