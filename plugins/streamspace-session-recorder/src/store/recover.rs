//! Ending what a crash left open.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use sha2::{Digest, Sha256};

use super::{
    DataKey, Error, Finished, Limits, Options, Wrong,
    files::{self, segment_path, segments},
    format::{Hash, Kind},
    head::Head,
    open::{Found, Opener},
    segment::{Existing, Segment, Tools},
    walk::Walk,
};
use crate::scene::Moment;

/// What was found when a recording was opened for append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The number of the last segment.
    pub segment: u32,
    /// Whether it was finished already. If so, nothing of it was changed.
    pub was_finished: bool,
    /// Bytes behind its last whole block, which were moved into `NNNNN.cut` beside it.
    pub cut_bytes: u64,
    /// How long the recording is.
    pub length: Moment,
    /// Bytes of all segments.
    pub bytes: u64,
    /// The final hash of the last segment.
    pub hash: Hash,
}

/// Ends a recording that a crash left open, without going on. Nothing is changed if it is finished.
///
/// # Errors
///
/// As of [`Writer::open_for_append`](super::Writer::open_for_append).
pub fn end_interrupted(folder: &Path, key: Option<&DataKey>) -> Result<Finished, Error> {
    let (head, recovered, _) = end(folder, key, &Options::default(), true)?;
    let Recovered { length, bytes, hash, .. } = recovered;
    Ok(Finished { hash, bytes, segments: head.segment + 1, length })
}

/// Ends the last segment if it is not finished. Answers its head and what the next one needs.
pub(super) fn end(
    folder: &Path,
    key: Option<&DataKey>,
    options: &Options,
    last: bool,
) -> Result<(Head, Recovered, Tools), Error> {
    let paths = segments(folder, &Limits::default())?;
    let mut before = 0;
    for path in &paths[..paths.len() - 1] {
        before += fs::metadata(path).map_err(files::failed("reading", path))?.len();
    }
    let number = (paths.len() - 1) as u32;
    let path = segment_path(folder, number);
    let (mut walk, head) = Walk::open(&path)?;
    if head.segment != number {
        let wrong = Wrong::order(format!("segment {number}"), format!("segment {}", head.segment));
        return Err(walk.wrong(wrong));
    }
    if head.is_encrypted() && key.is_none() {
        return Err(Error::Locked { recording: head.recording, file: super::key::FILE });
    }
    let cipher = key.filter(|_| head.is_encrypted()).map(DataKey::cipher);
    let tools = Tools::new(options.block_bytes, options.level, cipher.clone())?;
    let found = Found::look(&mut walk, &mut Opener::new(cipher)?)?;
    let mut recovered = Recovered {
        segment: number,
        was_finished: found.finished.is_some(),
        cut_bytes: 0,
        length: Moment(found.to),
        bytes: before + walk.length(),
        hash: found.hash,
    };
    if recovered.was_finished {
        return Ok((head, recovered, tools));
    }
    recovered.cut_bytes = walk.length() - found.end;
    let account = keep(&mut walk, recovered.cut_bytes)?;
    drop(walk);
    let to = found.to;
    let existing =
        Existing { path, length: found.end, number: found.blocks, hash: found.hash, to, index: found.index };
    let mut segment = Segment::open(existing, tools)?;
    segment.seal(Kind::CUT, 0, &account, 0, to, to)?;
    let (hash, bytes) = segment.end(to, last)?;
    (recovered.hash, recovered.bytes) = (hash, before + bytes);
    Ok((head, recovered, segment.tools()))
}

/// Keeps what is cut off in a file beside the segment, before it is cut. Answers the account that goes into the segment: how many bytes,
/// their SHA-256, and when.
fn keep(walk: &mut Walk, bytes: u64) -> Result<Vec<u8>, Error> {
    let mut sha = Sha256::new();
    if bytes > 0 {
        let path = walk.path().with_extension("cut");
        // What an attempt before this one left there stays.
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        let mut file = opened.map_err(files::failed("opening", &path))?;
        walk.rest(|piece| {
            sha.update(piece);
            file.write_all(piece).map_err(files::failed("writing", &path))
        })?;
        file.sync_all().map_err(files::failed("syncing", &path))?;
        files::sync_folder(path.parent().unwrap_or(Path::new(".")))?;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
    let mut account = bytes.to_le_bytes().to_vec();
    account.extend(now.to_le_bytes());
    account.extend(sha.finalize());
    Ok(account)
}
