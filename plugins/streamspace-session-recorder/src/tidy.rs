//! What is deleted, and what was lost.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use streamspace_plugin::{database::Timestamp, prelude::*};

use crate::{
    desk::Desk,
    private,
    rules::retention,
    tables::{
        holds,
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
    /// Files of recordings that were deleted, and of exports that were not made to their end.
    pub(crate) removed: u64,
    /// Files of recordings that nobody knows of: they are in `lost+found`.
    pub(crate) put_aside: u64,
    /// Recordings whose files are gone: they have failed.
    pub(crate) without_files: u64,
    /// Recordings that had failed so, and whose files are there again.
    pub(crate) brought_back: u64,
    /// Recordings of which nobody can tell, since the folder is not mounted that they are in.
    pub(crate) not_mounted: u64,
    /// Exports whose time was over.
    pub(crate) expired_exports: u64,
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

    pub(crate) fn remove_files(&self, id: &str, folder: &Path) -> std::io::Result<()> {
        // A path in the database is still only followed where recordings are.
        if folder.starts_with(&self.folder) && folder != self.folder {
            remove(folder)?;
        }
        self.remove_exports(id)
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
        if self.is_mounted()? {
            for entry in fs::read_dir(&self.folder).map_err(|why| failed(&self.folder, why))? {
                let path = entry.map_err(|why| failed(&self.folder, why))?.path();
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
                    private::folder(&aside).map_err(|why| failed(&aside, why))?;
                    fs::rename(&path, aside.join(&id)).map_err(|why| failed(&path, why))?;
                    swept.put_aside += 1;
                }
            }
            swept.expired_exports = self.expire_exports()?;
            swept.removed += self.sweep_exports()?;
        }
        self.look_for_files(&mut swept)?;
        Ok(swept)
    }
}

/// Removes a file or a folder, if it is there.
pub(crate) fn remove(path: &Path) -> std::io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The id of the recording that a file is of; none for what is not one of ours.
fn recording_of(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let is_ours = path.extension().is_none_or(|extension| extension == "lock");
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
        for ours in ["", ".lock"] {
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
