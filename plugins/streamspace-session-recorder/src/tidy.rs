//! What is deleted, and what was lost.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use streamspace_plugin::{
    database::{Database, Timestamp},
    prelude::*,
};

use crate::{
    desk::Desk,
    rules::retention,
    studio::Export,
    tables::{
        exports, holds,
        recordings::{self, Recording},
    },
};

/// Recordings that are deleted in one go.
const BATCH: u32 = 100;
/// What is younger may be about to be written down.
const YOUNG: Duration = Duration::from_secs(3600);
/// Where files go that nobody knows of.
pub(crate) const LOST: &str = "lost+found";

/// What became of expired recordings.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Cleaned {
    pub(crate) deleted: u64,
    pub(crate) freed_bytes: u64,
    pub(crate) tombstones_forgotten: u64,
}

/// What was found that does not belong together.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Swept {
    /// Files of recordings that were deleted.
    pub(crate) removed: u64,
    /// Files of recordings that nobody knows of: they are in `lost+found`.
    pub(crate) put_aside: u64,
    /// Recordings whose files are gone: they have failed.
    pub(crate) without_files: u64,
}

impl Desk {
    /// Deletes a recording with its files, and leaves a tombstone. Answers whether it did: not what runs or is under hold.
    pub(crate) fn delete(&self, dead: &Recording, by: &str, why: &str) -> Result<bool> {
        if !recordings::bury(self.context.database(), dead, by, why)? {
            return Ok(false);
        }
        if let Err(why) = self.remove_files(&dead.id, Path::new(&dead.storage_path)) {
            // The sweep finds them.
            warn!(self.context.logger(), "Files of a deleted recording cannot be removed."; "recording" => &dead.id, "reason" => %why);
        }
        let told = serde_json::json!({
            "recording_id": dead.id, "session_id": dead.session_id, "user": dead.user_id, "deleted_by": by, "why": why,
        });
        self.context.events().emit("recording.deleted", Some(&dead.session_id), &told)?;
        Ok(true)
    }

    fn remove_files(&self, id: &str, folder: &Path) -> std::io::Result<()> {
        // A path in the database is still only followed where recordings are.
        if folder.starts_with(&self.folder) && folder != self.folder {
            remove(folder)?;
        }
        for format in ["webm", "vnc"] {
            remove(&self.export_path(id, format))?;
        }
        Ok(())
    }

    pub(crate) fn export_path(&self, id: &str, format: &str) -> PathBuf {
        let extension = if format == "vnc" { "fbs" } else { "webm" };
        self.exports().join(format!("{id}.{extension}"))
    }

    /// Deletes what is over.
    pub(crate) fn clean_up(&self, by: &str) -> Result<Cleaned> {
        let (database, now) = (self.context.database(), Timestamp::now());
        let mut cleaned = Cleaned::default();
        loop {
            let expired = recordings::expired(database, now, BATCH)?;
            let mut gone = 0;
            for recording in &expired {
                if retention::is_over(recording.expires_at, recording.legal_hold, now)
                    && self.delete(recording, by, "its time was over")?
                {
                    gone += 1;
                    cleaned.freed_bytes += u64::try_from(recording.file_size_bytes).unwrap_or(0);
                }
            }
            cleaned.deleted += gone;
            if gone == 0 || self.is_closed() {
                break;
            }
        }
        let days = self.config.retention.tombstone_days;
        if days > 0 {
            let kept = i64::from(days) * 24 * 3600 * 1_000_000;
            let before =
                Timestamp::from_micros(now.as_micros().saturating_sub(kept)).unwrap_or(Timestamp::MIN);
            cleaned.tombstones_forgotten = holds::forget(database, before)?;
        }
        Ok(cleaned)
    }

    /// Looks for files without a recording, and for recordings without a file.
    pub(crate) fn sweep(&self) -> Result<Swept> {
        let database = self.context.database();
        let mut swept = Swept::default();
        let failed = |what: &Path, why: std::io::Error| Error::new(format!("{}: {why}", what.display()));
        for folder in [self.folder.clone(), self.exports()] {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(why) if why.kind() == std::io::ErrorKind::NotFound => continue,
                Err(why) => return Err(failed(&folder, why)),
            };
            for entry in entries {
                let path = entry.map_err(|why| failed(&folder, why))?.path();
                let Some(id) = recording_of(&path) else { continue };
                if is_young(&path) || recordings::get(database, &id)?.is_some() {
                    continue;
                }
                if path.extension().is_some() || holds::has_tombstone(database, &id)? {
                    remove(&path).map_err(|why| failed(&path, why))?;
                    swept.removed += 1;
                } else {
                    // It may be evidence: nobody but an operator decides that it goes.
                    let aside = self.folder.join(LOST);
                    fs::create_dir_all(&aside).map_err(|why| failed(&aside, why))?;
                    fs::rename(&path, aside.join(&id)).map_err(|why| failed(&path, why))?;
                    swept.put_aside += 1;
                }
            }
        }
        swept.without_files = self.without_files(database)?;
        Ok(swept)
    }

    fn without_files(&self, database: &Database) -> Result<u64> {
        let mut missing = Vec::new();
        let sql =
            "SELECT id, storage_path FROM session_recordings WHERE status IN ('completed', 'truncated')";
        database.for_each(sql, params![], |(id, path): (String, String)| -> std::ops::ControlFlow<()> {
            if !Path::new(&path).exists() {
                missing.push(id);
            }
            std::ops::ControlFlow::Continue(())
        })?;
        let mut lost = 0;
        for id in missing {
            let sql = "UPDATE session_recordings SET status = 'failed', error_message = $1, updated_at = $2 \
                       WHERE id = $3 AND status IN ('completed', 'truncated')";
            let gone = "its files are gone, and nobody has deleted it";
            if database.exec(sql, params![gone, Timestamp::now(), id])? > 0 {
                lost += 1;
                warn!(self.context.logger(), "The files of a recording are gone."; "recording" => &id);
                self.announce("recording.failed", &id);
            }
        }
        Ok(lost)
    }

    /// Makes what is wanted of recordings, one after the other, until nothing waits.
    pub(crate) fn make_exports(&self) -> Result<()> {
        let database = self.context.database();
        while let Some(next) = exports::next(database)? {
            if self.is_closed() {
                break;
            }
            if !exports::take(database, &next.id)? {
                continue;
            }
            let came_to = match self.make_export(&next) {
                Ok(Some(bytes)) => Ok(bytes),
                // It was told to stop: the next start begins anew.
                Ok(None) => break,
                Err(why) => Err(why.to_string()),
            };
            exports::finish(database, &next.id, &came_to)?;
        }
        Ok(())
    }

    fn make_export(&self, export: &exports::Export) -> Result<Option<u64>> {
        let recording = recordings::get(self.context.database(), &export.recording_id)?
            .ok_or_else(|| Error::new("the recording was deleted"))?;
        let format = crate::config::Format::of(&export.format)
            .ok_or_else(|| Error::new("this format is not one that is made"))?;
        fs::create_dir_all(self.exports())
            .map_err(|why| Error::new(format!("{}: {why}", self.exports().display())))?;
        let to = Path::new(&export.storage_path);
        // Under its name is only what is whole.
        let part = to.with_extension("part");
        let wish = Export {
            id: &recording.id,
            folder: Path::new(&recording.storage_path),
            key: &self.key,
            format,
            to: &part,
        };
        let made = self.studio.export(&wish, &|| !self.is_closed());
        if !matches!(made, Ok(Some(_))) {
            // What is not there needs not to be removed, and what cannot be is swept.
            let _ = fs::remove_file(&part);
            return made;
        }
        fs::rename(&part, to).map_err(|why| Error::new(format!("{}: {why}", to.display())))?;
        made
    }
}

/// Removes a file or a folder, if it is there.
fn remove(path: &Path) -> std::io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The id of the recording that a file is of; none for what is not one of ours.
fn recording_of(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let is_ours = path
        .extension()
        .is_none_or(|extension| ["lock", "webm", "fbs", "part"].iter().any(|ours| extension == *ours));
    (is_ours && uuid::Uuid::parse_str(stem).is_ok()).then(|| stem.to_owned())
}

/// Whether something was changed a short while ago, or nobody knows.
fn is_young(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
    changed.is_ok_and(|changed| SystemTime::now().duration_since(changed).map_or(true, |age| age < YOUNG))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_as_ours_is_swept() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        for ours in ["", ".webm", ".fbs", ".part", ".lock"] {
            assert_eq!(recording_of(Path::new(&format!("/srv/{id}{ours}"))).as_deref(), Some(id));
        }
        for other in
            ["/srv/exports", "/srv/lost+found", "/srv/notes.txt", &format!("/srv/{id}.txt"), "/srv/a.webm"]
        {
            assert_eq!(recording_of(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn what_is_not_there_is_removed_already() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("a");
        fs::create_dir_all(inner.join("b")).expect("a folder");
        remove(&inner).expect("removed");
        assert!(!inner.exists());
        remove(&inner).expect("nothing to do");
    }
}
