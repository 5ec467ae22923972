//! Sealing the keys of recordings with another master key.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use streamspace_plugin::{prelude::*, routes::Problem};

use crate::{
    desk::Desk,
    lock::Lock,
    rules::state::State,
    studio::Sealed,
    tables::access::{self, By},
    tidy::LOST,
};

/// How long it is gone on with. What is left then is for the next time.
const AT_ONCE: Duration = Duration::from_secs(60);
/// Recordings that are named with what is wrong with them.
const MAX_NAMED: usize = 20;

/// What came of it, in recordings.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Rewrapped {
    /// Were sealed anew.
    rewrapped: u64,
    /// Had been already.
    current: u64,
    /// Are not encrypted.
    not_encrypted: u64,
    /// Are still to be looked at: somebody has them in hand, or there was no more time.
    left: u64,
    /// Are not where they should be.
    missing: u64,
    /// Could not be.
    failed: u64,
    /// What is wrong with some of those.
    failures: Vec<Failure>,
}

#[derive(Debug, serde::Serialize)]
struct Failure {
    recording_id: String,
    reason: String,
}

/// A folder of a recording.
struct Place {
    id: String,
    /// Its state; none for one that no row names.
    state: Option<State>,
}

impl Desk {
    /// Seals the keys of all recordings with the current master key that a former one has sealed. What one is broken off at, the next
    /// one does: each recording is sealed with either at any time.
    pub(crate) fn rewrap(&self, by: &By<'_>) -> Result<Rewrapped> {
        self.mounted()?;
        let lock = self.folder.join("rewrap.lock");
        let failed = |why| Error::new(format!("{}: {why}", lock.display()));
        let Some(_lock) = Lock::take(lock.clone()).map_err(failed)? else {
            return Err(Problem::new(409, "recordings are being sealed already").into());
        };
        let until = Instant::now() + AT_ONCE;
        let mut came_to = Rewrapped::default();
        for (folder, place) in self.places()? {
            if self.is_closed() || Instant::now() >= until {
                came_to.left += 1;
                continue;
            }
            if let Err(why) = self.rewrap_one(&folder, &place, by, &mut came_to) {
                warn!(self.context.logger(), "A recording cannot be sealed with the current master key."; "recording" => &place.id, "reason" => %why);
                came_to.failed += 1;
                if came_to.failures.len() < MAX_NAMED {
                    came_to.failures.push(Failure { recording_id: place.id, reason: why.to_string() });
                }
            }
        }
        info!(
            self.context.logger(), "Recordings were sealed with the current master key.";
            "rewrapped" => came_to.rewrapped, "left" => came_to.left, "missing" => came_to.missing, "failed" => came_to.failed
        );
        Ok(came_to)
    }

    fn rewrap_one(&self, folder: &Path, place: &Place, by: &By<'_>, came_to: &mut Rewrapped) -> Result<()> {
        if !is_there(folder)? {
            // One that begins has none yet, and is sealed with the current one when it has.
            let is_over = place.state.is_some_and(State::is_over);
            *(if is_over { &mut came_to.missing } else { &mut came_to.left }) += 1;
            return Ok(());
        }
        match self.studio.sealed(&place.id, folder, &self.key)? {
            Sealed::Not => came_to.not_encrypted += 1,
            Sealed::Current => came_to.current += 1,
            Sealed::Formerly => {
                let lock = Lock::take(self.lock_path(&place.id)).map_err(Error::new)?;
                let Some(_lock) = lock else {
                    came_to.left += 1;
                    return Ok(());
                };
                if place.state.is_some() {
                    access::log(self.context.database(), &place.id, by, "rewrap", "")?;
                }
                self.studio.rewrap(&place.id, folder, &self.key)?;
                came_to.rewrapped += 1;
            }
        }
        Ok(())
    }

    /// Where recordings are: all that are known, and those that nobody knows of, since they may be given back.
    fn places(&self) -> Result<BTreeMap<PathBuf, Place>> {
        let mut places = BTreeMap::new();
        for folder in [self.folder.clone(), self.folder.join(LOST)] {
            for id in ids_in(&folder)? {
                places.insert(folder.join(&id), Place { id, state: None });
            }
        }
        let sql = "SELECT id, storage_path, status FROM session_recordings";
        self.context.database().for_each(
            sql,
            params![],
            |(id, path, state): (String, String, State)| -> ControlFlow<()> {
                places.insert(PathBuf::from(path), Place { id, state: Some(state) });
                ControlFlow::Continue(())
            },
        )?;
        Ok(places)
    }
}

fn is_there(folder: &Path) -> Result<bool> {
    folder.try_exists().map_err(|why| Error::new(format!("{}: {why}", folder.display())))
}

/// The folders in this one that are named as recordings are.
fn ids_in(folder: &Path) -> Result<Vec<String>> {
    let failed = |why: std::io::Error| Error::new(format!("{}: {why}", folder.display()));
    let entries = match fs::read_dir(folder) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let id = entry.file_name().into_string().ok().filter(|id| uuid::Uuid::parse_str(id).is_ok());
        if let Some(id) = id
            && entry.file_type().map_err(failed)?.is_dir()
        {
            ids.push(id);
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_recordings_are_found_and_nothing_else() {
        let home = tempfile::tempdir().expect("a folder");
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(ids_in(&home.path().join("gone")).expect("nothing"), [""; 0]);
        for folder in [id, "exports", "lost+found"] {
            fs::create_dir(home.path().join(folder)).expect("a folder");
        }
        fs::write(home.path().join("01890a5d-ac96-774b-bcce-b302099a8058"), "").expect("a file");
        assert_eq!(ids_in(home.path()).expect("they are read"), [id]);
        assert!(is_there(home.path()).expect("it is"));
    }
}
