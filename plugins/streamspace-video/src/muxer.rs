//! The file: a subset of Matroska that browsers play and seek in.
//!
//! ```text
//! EBML head
//! Segment
//!   SeekHead   where the others are; filled at the end
//!   Info       with the duration; filled at the end
//!   Tracks     one of video
//!   Cluster …  at most five seconds each; a key frame begins one
//!   Chapters   if there are any
//!   Cues       a point for each key frame
//! ```

use std::io::{self, Seek, SeekFrom, Write};

use crate::ebml::{Elements, UNKNOWN_SIZE, id, long_size, size};

/// What a cluster has at most, in time and in bytes: what is kept in memory. A frame that is larger has one for itself.
const CLUSTER_MS: u64 = 5_000;
const CLUSTER_BYTES: usize = 4 << 20;

/// Room for the list of the other elements.
const SEEK_HEAD_BYTES: usize = 128;

/// The track of video.
#[derive(Debug, Clone)]
pub struct Track {
    /// In pixels.
    pub width: u16,
    /// In pixels.
    pub height: u16,
    /// What a decoder has to know before the first frame: [`Packet::head`](crate::Packet::head).
    pub codec: Vec<u8>,
}

/// Something to go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    /// In milliseconds.
    pub at_ms: u64,
    /// What is there.
    pub text: String,
}

/// A file that is being written. What is there before [`finish`](Muxer::finish) plays, and has neither duration nor places to go to.
#[derive(Debug)]
pub struct Muxer<O> {
    out: O,
    /// Where the output was at the beginning.
    base: u64,
    /// Bytes that were written.
    written: u64,
    /// Where the segment's elements begin. Positions in the file count from there.
    segment: u64,
    info: u64,
    tracks: u64,
    duration: u64,
    cluster: Elements,
    cluster_at: Option<u64>,
    cues: Vec<(u64, u64)>,
    last_ms: u64,
}

impl<O: Write + Seek> Muxer<O> {
    /// Begins a file where the output is.
    ///
    /// `app` is what makes it, with its version.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn new(mut out: O, app: &str, track: &Track) -> io::Result<Self> {
        let base = out.stream_position()?;
        let mut head = Elements::default();
        head.master(id::EBML, |ebml| {
            ebml.number(id::EBML_VERSION, 1)
                .number(id::EBML_READ_VERSION, 1)
                .number(id::EBML_MAX_ID_LENGTH, 4)
                .number(id::EBML_MAX_SIZE_LENGTH, 8)
                .text(id::DOC_TYPE, "webm")
                .number(id::DOC_TYPE_VERSION, 4)
                .number(id::DOC_TYPE_READ_VERSION, 2);
        });
        head.id(id::SEGMENT).0.extend(UNKNOWN_SIZE);
        let segment = head.0.len() as u64;
        head.void(SEEK_HEAD_BYTES);
        let info = head.0.len() as u64;
        head.master(id::INFO, |info| {
            // Times are in milliseconds. The duration is last, where it is found again.
            info.number(id::TIMESTAMP_SCALE, 1_000_000)
                .text(id::MUXING_APP, app)
                .text(id::WRITING_APP, app)
                .bytes(id::DURATION, &0_f64.to_be_bytes());
        });
        let tracks = head.0.len() as u64;
        head.master(id::TRACKS, |tracks| {
            tracks.master(id::TRACK_ENTRY, |entry| write_track(entry, track));
        });
        out.write_all(&head.0)?;
        Ok(Self {
            out,
            base,
            written: head.0.len() as u64,
            segment,
            info,
            tracks,
            duration: tracks - 8,
            cluster: Elements::default(),
            cluster_at: None,
            cues: Vec::new(),
            last_ms: 0,
        })
    }

    /// Adds a frame, at its time in milliseconds. Times do not go back.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn frame(&mut self, at_ms: u64, key: bool, data: &[u8]) -> io::Result<()> {
        let at_ms = at_ms.max(self.last_ms);
        self.last_ms = at_ms;
        let full = self.cluster.0.len() + data.len() > CLUSTER_BYTES;
        let begun = match self.cluster_at {
            Some(begun) if !key && !full && at_ms - begun < CLUSTER_MS => begun,
            _ => {
                self.end_cluster()?;
                self.cluster.number(id::TIMESTAMP, at_ms);
                self.cluster_at = Some(at_ms);
                if key {
                    self.cues.push((at_ms, self.written - self.segment));
                }
                at_ms
            }
        };
        let block = &mut self.cluster;
        block.id(id::SIMPLE_BLOCK).0.extend(size(4 + data.len() as u64));
        // The track; the time since the cluster's, which is below five seconds; whether it is a key frame.
        block.0.push(0x81);
        block.0.extend(((at_ms - begun) as u16).to_be_bytes());
        block.0.push(if key { 0x80 } else { 0 });
        block.0.extend(data);
        Ok(())
    }

    /// Bytes of the file so far.
    pub fn bytes(&self) -> u64 {
        self.written + self.cluster.0.len() as u64
    }

    fn end_cluster(&mut self) -> io::Result<()> {
        if self.cluster_at.take().is_some() {
            let mut head = Elements::default();
            head.id(id::CLUSTER).0.extend(size(self.cluster.0.len() as u64));
            self.write(&head.0)?;
            self.out.write_all(&self.cluster.0)?;
            self.written += self.cluster.0.len() as u64;
            self.cluster.0.clear();
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Ends the file, and says how many bytes it has. The output is at its end then.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(mut self, duration_ms: u64, chapters: &[Chapter]) -> io::Result<u64> {
        self.end_cluster()?;
        let mut places = vec![(id::INFO, self.info), (id::TRACKS, self.tracks)];
        let mut tail = Elements::default();
        if !chapters.is_empty() {
            places.push((id::CHAPTERS, self.written));
            write_chapters(&mut tail, chapters);
        }
        if !self.cues.is_empty() {
            places.push((id::CUES, self.written + tail.0.len() as u64));
            tail.master(id::CUES, |cues| self.cues.iter().for_each(|cue| write_cue(cues, *cue)));
        }
        self.write(&tail.0)?;

        let mut seek = Elements::default();
        seek.master(id::SEEK_HEAD, |seek| {
            for (id, at) in places {
                seek.master(id::SEEK, |seek| {
                    seek.bytes(id::SEEK_ID, &id.to_be_bytes()).number(id::SEEK_POSITION, at - self.segment);
                });
            }
        });
        seek.void(SEEK_HEAD_BYTES - seek.0.len());
        let length = self.written - self.segment;
        self.patch(self.segment - 8, &long_size(length))?;
        self.patch(self.segment, &seek.0)?;
        self.patch(self.duration, &(duration_ms as f64).to_be_bytes())?;
        self.out.seek(SeekFrom::Start(self.base + self.written))?;
        self.out.flush()?;
        Ok(self.written)
    }

    fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.out.seek(SeekFrom::Start(self.base + at))?;
        self.out.write_all(bytes)
    }
}

fn write_track(entry: &mut Elements, track: &Track) {
    entry
        .number(id::TRACK_NUMBER, 1)
        .number(id::TRACK_UID, 1)
        .number(id::TRACK_TYPE, 1)
        .number(id::FLAG_LACING, 0)
        .text(id::CODEC_ID, "V_AV1")
        .bytes(id::CODEC_PRIVATE, &track.codec)
        .master(id::VIDEO, |video| {
            video
                .number(id::PIXEL_WIDTH, track.width.into())
                .number(id::PIXEL_HEIGHT, track.height.into())
                .number(id::FLAG_INTERLACED, 2)
                .master(id::COLOUR, |colour| {
                    // BT.709 in all three; the range of broadcasting; a chroma sample in the middle of four pixels.
                    colour
                        .number(id::MATRIX_COEFFICIENTS, 1)
                        .number(id::BITS_PER_CHANNEL, 8)
                        .number(id::CHROMA_SUBSAMPLING_HORZ, 1)
                        .number(id::CHROMA_SUBSAMPLING_VERT, 1)
                        .number(id::CHROMA_SITING_HORZ, 2)
                        .number(id::CHROMA_SITING_VERT, 2)
                        .number(id::RANGE, 1)
                        .number(id::TRANSFER_CHARACTERISTICS, 1)
                        .number(id::PRIMARIES, 1);
                });
        });
}

fn write_chapters(tail: &mut Elements, chapters: &[Chapter]) {
    tail.master(id::CHAPTERS, |all| {
        all.master(id::EDITION_ENTRY, |edition| {
            for (number, chapter) in (1..).zip(chapters) {
                edition.master(id::CHAPTER_ATOM, |atom| {
                    atom.number(id::CHAPTER_UID, number)
                        .number(id::CHAPTER_TIME_START, chapter.at_ms.saturating_mul(1_000_000))
                        .master(id::CHAPTER_DISPLAY, |display| {
                            display.text(id::CHAP_STRING, &chapter.text).text(id::CHAP_LANGUAGE, "und");
                        });
                });
            }
        });
    });
}

fn write_cue(cues: &mut Elements, (at_ms, cluster): (u64, u64)) {
    cues.master(id::CUE_POINT, |point| {
        point.number(id::CUE_TIME, at_ms).master(id::CUE_TRACK_POSITIONS, |track| {
            track.number(id::CUE_TRACK, 1).number(id::CUE_CLUSTER_POSITION, cluster);
        });
    });
}
