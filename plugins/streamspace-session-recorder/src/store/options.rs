//! How recordings are written, and how much is read.

use std::time::Duration;

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The recording's id.
    pub recording: String,
    /// The session's id.
    pub session: String,
    /// When its first moment was: microseconds since 1970, UTC.
    pub started_at: u64,
}

/// How a recording is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bytes of scenes that are compressed together. 512 KiB; 16 KiB to 4 MiB.
    pub block_bytes: usize,
    /// How long scenes are gathered before they are written. 1 s.
    pub block_time: Duration,
    /// After how much of the recording there is a keyframe, if anything changed. 10 s.
    pub keyframe_after: Duration,
    /// After how much of it there is none yet, however much changes. 2 s.
    pub keyframe_not_before: Duration,
    /// How long what was written may be lost if the machine stops. 2 s.
    pub sync_after: Duration,
    /// How much of it may be lost then, in bytes. 4 MiB.
    pub sync_bytes: u64,
    /// When a segment ends and the next one begins, in bytes. 10 GiB. A segment is larger by at most a keyframe and a block.
    pub max_file_bytes: u64,
    /// How well scenes are compressed: zstd's level. 1.
    pub level: i32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            block_bytes: 512 << 10,
            block_time: Duration::from_secs(1),
            keyframe_after: Duration::from_secs(10),
            keyframe_not_before: Duration::from_secs(2),
            sync_after: Duration::from_secs(2),
            sync_bytes: 4 << 20,
            max_file_bytes: 10 << 30,
            level: 1,
        }
    }
}

/// How much is taken from a file. Whatever is beyond is refused before anything is allocated for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Width and height of a picture, in pixels. 16,384.
    pub side: u16,
    /// Pixels of a picture. 67,108,864: eight screens of 3840x2160.
    pub pixels: u32,
    /// Width and height of a cursor, in pixels. 2,048.
    pub cursor: u16,
    /// Bytes of a text, or of what is kept as it was on the wire. 16 MiB.
    pub bytes: u32,
    /// Segments of a recording. 100,000.
    pub segments: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { side: 16_384, pixels: 1 << 26, cursor: 2_048, bytes: 16 << 20, segments: 100_000 }
    }
}
