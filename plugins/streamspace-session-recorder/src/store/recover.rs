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
    format::Kind,
    head::Head,
    open::{Found, Opener},
    segment::{Existing, Segment, Tools},
    walk::Walk,
};
use crate::scene::Moment;

/// Ends a recording that a crash left open. What is behind its last whole block is moved into a file beside it, `NNNNN.cut`, and the
/// segment says how much that was. Nothing is changed if it is finished.
///
/// # Errors
///
/// [`Error::Fault`] if something is wrong with the last segment that a crash does not do: nothing is changed then. [`Error::Locked`] if it
/// is encrypted and there is no key, [`Error::Unexpected`] if there is no recording, [`Error::Io`].
pub fn end_interrupted(folder: &Path, key: Option<&DataKey>) -> Result<Finished, Error> {
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
    let found = Found::look(&mut walk, &mut Opener::new(cipher.clone())?)?;
    let length = Moment(found.to);
    if found.finished == Some(true) {
        let bytes = before + walk.length();
        return Ok(Finished { hash: found.hash, bytes, segments: number + 1, length });
    }
    let options = Options::default();
    let tools = Tools::new(options.block_bytes, options.level, cipher)?;
    let to = found.to;
    if found.finished.is_some() {
        // It ended before the next segment was there.
        let bytes = before + walk.length();
        let previous = Some(found.hash.to_string());
        let next = Head { segment: number + 1, begins: to, size: None, previous, ..head };
        let (hash, more) = Segment::create(folder, &next, tools)?.end(to, true)?;
        return Ok(Finished { hash, bytes: bytes + more, segments: number + 2, length });
    }
    let behind = walk.length() - found.end;
    let account = keep(&mut walk, behind)?;
    drop(walk);
    let existing =
        Existing { path, length: found.end, number: found.blocks, hash: found.hash, to, index: found.index };
    let mut segment = Segment::open(existing, tools)?;
    segment.seal(Kind::CUT, 0, &account, 0, to, to)?;
    let (hash, bytes) = segment.end(to, true)?;
    Ok(Finished { hash, bytes: before + bytes, segments: number + 1, length })
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
