//! What was recorded: read, looked through, made into something else.

use std::{
    io::{BufWriter, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use streamspace_plugin::prelude::*;

use super::{
    Ending, Export, Finished, Picture, Verified,
    keys::{self, Sealed},
};
use crate::{
    capture,
    config::{Format, MasterKey},
    export::{fbs, webm},
    private,
    replay::{Bounds, thumbnail as small},
    scene::{Moment, Scene, Source},
    store::{self, Fault, Limits, Reader, Wrong},
};

/// The size of small pictures.
const SMALL: Bounds = Bounds { width: 480, height: 320 };
/// In how many scenes the first picture is looked for.
const BEGINNING: usize = 1000;

/// The folder, in a recording's own, of its pictures, if they are decoded of what went over the wire.
pub(super) const PICTURES: &str = "pictures";

/// The folder, in a recording's own, of what went over the wire, if it was recorded so.
pub(super) fn wire(folder: &Path) -> PathBuf {
    folder.join("wire")
}

/// Where what was recorded is.
fn recorded(folder: &Path) -> PathBuf {
    let wire = wire(folder);
    if wire.is_dir() { wire } else { folder.to_owned() }
}

/// Where pictures are.
fn pictures(folder: &Path) -> PathBuf {
    if wire(folder).is_dir() { folder.join(PICTURES) } else { folder.to_owned() }
}

/// Whether pictures have still to be made of a recording.
pub(crate) fn is_undecoded(folder: &Path) -> bool {
    wire(folder).is_dir() && !folder.join(PICTURES).is_dir()
}

/// Opens a recording.
pub(crate) fn open(id: &str, folder: &Path, key: &MasterKey) -> Result<Reader> {
    let folder = pictures(folder);
    let key = keys::open(id, &folder, key)?;
    Reader::open(&folder, key.as_ref(), Limits::default()).map_err(Error::new)
}

/// Folders in which there may be a key of a recording.
fn keyed(folder: &Path) -> [PathBuf; 3] {
    [folder.to_owned(), wire(folder), folder.join(PICTURES)]
}

/// With which master key a recording is sealed: with a former one, if any part of it is.
pub(super) fn sealed(id: &str, folder: &Path, key: &MasterKey) -> Result<Sealed> {
    let mut all = Sealed::Not;
    for part in keyed(folder) {
        match keys::sealed(id, &part, key)? {
            Sealed::Not => {}
            Sealed::Current if all == Sealed::Formerly => {}
            one => all = one,
        }
    }
    Ok(all)
}

/// Seals a recording with the current master key.
pub(super) fn rewrap(id: &str, folder: &Path, key: &MasterKey) -> Result<()> {
    keyed(folder).iter().try_for_each(|part| keys::rewrap(id, part, key))
}

/// Brings to an end what was not.
pub(super) fn salvage(id: &str, folder: &Path, key: &MasterKey) -> Result<Finished> {
    end(id, folder, Some(key))
}

/// The same, where there may be no key.
pub(super) fn end(id: &str, folder: &Path, key: Option<&MasterKey>) -> Result<Finished> {
    let folder = recorded(folder);
    let key = key.map(|key| keys::open(id, &folder, key)).transpose()?.flatten();
    let ended = store::end_interrupted(&folder, key.as_ref()).map_err(Error::new)?;
    let mut reader = Reader::open(&folder, key.as_ref(), Limits::default()).map_err(Error::new)?;
    Ok(Finished {
        bytes: ended.bytes,
        length: ended.length.0,
        hash: Some(ended.hash.to_string()),
        is_playable: has_picture(&mut reader),
        is_cut: true,
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

/// Looks through all of a recording. Its hash is that of what was recorded; pictures that were decoded of it have to be whole as well.
pub(super) fn verify(id: &str, folder: &Path, key: &MasterKey) -> Result<Verified> {
    let mut verified = look(id, &recorded(folder), key)?;
    if wire(folder).is_dir() && !is_undecoded(folder) {
        let decoded = look(id, &pictures(folder), key)?;
        verified.is_whole &= decoded.is_whole;
        verified.report["decoded"] = decoded.report;
        verified.report["decoded"]["hash"] = decoded.hash.into();
    }
    Ok(verified)
}

/// Looks through the files in one folder.
fn look(id: &str, folder: &Path, key: &MasterKey) -> Result<Verified> {
    // Without its key it is held against sums and hashes alone.
    let (key, locked) = match keys::open(id, folder, key) {
        Ok(key) => (key, None),
        Err(why) => (None, Some(why.to_string())),
    };
    let found = store::verify(folder, key.as_ref(), &Limits::default()).map_err(Error::new)?;
    // Its head is good, and says that there is a key.
    let is_keyless = key.is_none() && locked.is_none() && found.blocks > 0 && !found.opened;
    let locked = locked.or_else(|| {
        is_keyless
            .then(|| "the recording is encrypted: expected its key in the file `key`, found none".to_owned())
    });
    let fault: Option<Value> = found.fault.clone().or_else(|| without_end(folder, &found)).map(|fault| {
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

/// What is missing at the end of a recording in which all is good that there is.
fn without_end(folder: &Path, found: &store::Verified) -> Option<Fault> {
    if found.finished {
        return None;
    }
    let number = if found.goes_on { found.segments } else { found.segments.saturating_sub(1) };
    let path = store::segment_path(folder, number);
    let wrong = match found.goes_on {
        true => Wrong::Order { expected: format!("segment {number}"), found: "none".into() },
        false => Wrong::Truncated { missing: 1 },
    };
    let offset = path.metadata().map_or(0, |file| file.len());
    Some(Fault { path, block: None, offset, at: found.length, wrong })
}

/// Makes a file of a recording.
pub(super) fn export(wish: &Export<'_>, goes_on: &dyn Fn() -> bool) -> Result<Option<u64>> {
    let Export { id, folder, key, format, to } = wish;
    let mut reader = open(id, folder, key)?;
    reader.seek(Moment(0)).map_err(Error::new)?;
    let failed = |why: std::io::Error| Error::new(format!("{}: {why}", to.display()));
    let file = private::new_file(to).map_err(failed)?;
    let go_on = || match goes_on() {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    };
    let made = match format {
        Format::Vnc => {
            let options = fbs::Options { name: format!("Recording {id}"), ..fbs::Options::default() };
            let mut out = BufWriter::new(&file);
            match fbs::export(&mut reader, &mut out, &options, |_| go_on()) {
                Ok(exported) => {
                    out.flush().map_err(failed)?;
                    Some(exported.bytes)
                }
                Err(fbs::Error::Stopped) => None,
                Err(why) => return Err(Error::new(why)),
            }
        }
        Format::Webm | Format::Mp4 => {
            match webm::export(&mut reader, &file, &webm::Options::default(), |_| go_on()) {
                Ok(exported) => Some(exported.bytes),
                Err(webm::Error::Stopped) => None,
                Err(why) => return Err(Error::new(why)),
            }
        }
    };
    file.sync_all().map_err(failed)?;
    Ok(made)
}

/// What was to be seen at a moment.
pub(super) fn thumbnail(id: &str, folder: &Path, key: &MasterKey, at: u64) -> Result<Picture> {
    let mut reader = open(id, folder, key)?;
    let drawn = small(&mut reader, Moment(at), SMALL, capture::Options::LIMITS).map_err(Error::new)?;
    let drawn = drawn.ok_or_else(|| Error::new("nothing was on the screen then"))?;
    Ok(Picture { bytes: drawn.png, media_type: "image/png" })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        scene::Sink,
        store::{Options, Subject, Writer},
    };

    #[test]
    fn an_export_stops_when_it_is_told_and_is_for_nobody_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = folder.path().join("recording");
        fs::create_dir(&of).expect("a folder");
        let subject = Subject { recording: "rec".into(), session: "s-1".into(), started_at: 0 };
        let mut writer = Writer::create(&of, &subject, None, Options::default()).expect("it begins");
        let pixels = vec![[1, 2, 3, 255]; 64 * 48];
        writer
            .put(Moment(0), &Scene::Picture { width: 64, height: 48, pixels: &pixels })
            .expect("it is kept");
        writer.finish(Moment(1_000_000)).expect("it is finished");

        let key = MasterKey::new([0; 32]);
        for (format, name) in [(Format::Vnc, "fbs"), (Format::Webm, "webm")] {
            let made = |name: &str, goes_on: bool| {
                let to = folder.path().join(name);
                let wish = Export { id: "rec", folder: &of, key: &key, format, to: &to };
                (export(&wish, &|| goes_on), to)
            };
            assert!(matches!(made(&format!("stopped.{name}"), false).0, Ok(None)), "{name}");
            let (bytes, to) = made(name, true);
            let file = fs::metadata(&to).expect("a file");
            assert_eq!(bytes.expect("it is made"), Some(file.len()), "{name}");
            #[cfg(unix)]
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777, 0o600, "{name}");
            assert!(made(name, true).0.is_err(), "somebody else may be writing it");
        }
    }

    #[test]
    fn what_went_over_the_wire_is_beside_its_pictures() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = folder.path();
        assert_eq!((recorded(of), pictures(of), is_undecoded(of)), (of.into(), of.into(), false));
        fs::create_dir(of.join("wire")).expect("a folder");
        assert_eq!((recorded(of), is_undecoded(of)), (of.join("wire"), true));
        assert!(open("rec", of, &MasterKey::new([0; 32])).is_err(), "there are no pictures yet");
        fs::create_dir(of.join("pictures")).expect("a folder");
        let both = (recorded(of), pictures(of), is_undecoded(of));
        assert_eq!(both, (of.join("wire"), of.join("pictures"), false));
    }

    #[test]
    fn all_parts_of_a_recording_are_sealed_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = folder.path();
        let (old, new) = (MasterKey::new([1; 32]), MasterKey::new([2; 32]));
        let both = new.clone().after([old.clone()]);
        for (part, key) in [("wire", &old), ("pictures", &new)] {
            fs::create_dir(of.join(part)).expect("a folder");
            keys::make("rec", &of.join(part), key).expect("a key");
        }
        assert_eq!(sealed("rec", of, &both).expect("both are there"), Sealed::Formerly);
        rewrap("rec", of, &both).expect("it is sealed anew");
        assert_eq!(sealed("rec", of, &new).expect("one is enough"), Sealed::Current);
        assert!(keys::open("rec", &of.join("wire"), &new).expect("a key").is_some());
    }
}
