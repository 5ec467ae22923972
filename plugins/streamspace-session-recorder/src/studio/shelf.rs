//! What was recorded: read, looked through, made into something else.

use std::{fs::File, io::BufWriter, path::Path};

use serde_json::{Value, json};
use streamspace_plugin::prelude::*;

use super::{Ending, Finished, Picture, Verified, keys};
use crate::{
    capture,
    config::{Format, MasterKey},
    export::fbs,
    replay::{Bounds, thumbnail as small},
    scene::{Moment, Scene, Source},
    store::{self, Limits, Reader},
};

/// The size of small pictures.
const SMALL: Bounds = Bounds { width: 480, height: 320 };
/// In how many scenes the first picture is looked for.
const BEGINNING: usize = 1000;

/// Opens a recording.
pub(crate) fn open(id: &str, folder: &Path, key: &MasterKey) -> Result<Reader> {
    let key = keys::open(id, folder, key)?;
    Reader::open(folder, key.as_ref(), Limits::default()).map_err(Error::new)
}

/// Brings to an end what was not.
pub(super) fn salvage(id: &str, folder: &Path, key: &MasterKey) -> Result<Finished> {
    end(id, folder, Some(key))
}

/// The same, where there may be no key.
pub(super) fn end(id: &str, folder: &Path, key: Option<&MasterKey>) -> Result<Finished> {
    let key = key.map(|key| keys::open(id, folder, key)).transpose()?.flatten();
    let ended = store::end_interrupted(folder, key.as_ref()).map_err(Error::new)?;
    let mut reader = Reader::open(folder, key.as_ref(), Limits::default()).map_err(Error::new)?;
    Ok(Finished {
        bytes: ended.bytes,
        length: ended.length.0,
        hash: Some(ended.hash.to_string()),
        is_playable: has_picture(&mut reader),
        ending: Ending::Failed("its process ended".into()),
    })
}

fn has_picture(reader: &mut Reader) -> bool {
    if reader.seek(Moment(0)).is_err() {
        return false;
    }
    for _ in 0..BEGINNING {
        match reader.next() {
            Ok(Some((_, Scene::Picture { .. } | Scene::Wire { .. }))) => return true,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return false,
        }
    }
    false
}

/// Looks through all of a recording.
pub(super) fn verify(id: &str, folder: &Path, key: &MasterKey) -> Result<Verified> {
    // Without its key it is held against sums and hashes alone.
    let (key, locked) = match keys::open(id, folder, key) {
        Ok(key) => (key, None),
        Err(why) => (None, Some(why.to_string())),
    };
    let found = store::verify(folder, key.as_ref(), &Limits::default()).map_err(Error::new)?;
    let fault: Option<Value> = found.fault.as_ref().map(|fault| {
        json!({
            "what": fault.to_string(), "at_ms": fault.at.0 / 1000, "block": fault.block, "offset": fault.offset,
            "file": fault.path.file_name().map(|name| name.to_string_lossy().into_owned()),
        })
    });
    Ok(Verified {
        is_whole: found.is_whole() && locked.is_none(),
        hash: found.is_whole().then(|| found.hash.to_string()),
        report: json!({
            "segments": found.segments, "blocks": found.blocks, "bytes": found.bytes, "length_ms": found.length.0 / 1000,
            "finished": found.finished, "opened": found.opened, "fault": fault, "key": locked,
        }),
    })
}

/// Makes a file of a recording.
pub(super) fn export(id: &str, folder: &Path, key: &MasterKey, format: Format, to: &Path) -> Result<u64> {
    let mut reader = open(id, folder, key)?;
    reader.seek(Moment(0)).map_err(Error::new)?;
    let failed = |why: &dyn std::fmt::Display| Error::new(format!("{}: {why}", to.display()));
    match format {
        Format::Vnc => {
            let file = File::create(to).map_err(|why| failed(&why))?;
            let options = fbs::Options { name: format!("Recording {id}"), ..fbs::Options::default() };
            let mut out = BufWriter::new(file);
            let exported = fbs::export(&mut reader, &mut out, &options).map_err(Error::new)?;
            let file = out.into_inner().map_err(|why| failed(&why))?;
            file.sync_all().map_err(|why| failed(&why))?;
            Ok(exported.bytes)
        }
        Format::Webm | Format::Mp4 => Err(Error::permanent("this version makes no videos: ask for `vnc`")),
    }
}

/// What was to be seen at a moment.
pub(super) fn thumbnail(id: &str, folder: &Path, key: &MasterKey, at: u64) -> Result<Picture> {
    let mut reader = open(id, folder, key)?;
    let drawn = small(&mut reader, Moment(at), SMALL, capture::Options::LIMITS).map_err(Error::new)?;
    let drawn = drawn.ok_or_else(|| Error::new("nothing was on the screen then"))?;
    Ok(Picture { bytes: drawn.png, media_type: "image/png" })
}
