//! Recordings whose files are gone. That they are is said only where the disk is there that they were on, and is taken back when they
//! are there again.

use std::{ops::ControlFlow, path::Path};

use streamspace_plugin::prelude::*;

use crate::{
    desk::Desk,
    mount,
    rules::state::State,
    tables::recordings::{self, GONE},
    tidy::Swept,
};

/// A recording that is not as its files are.
struct Changed {
    id: String,
    path: String,
    /// Whether its files are there.
    is_there: bool,
    error: Option<String>,
    ended_by: Option<String>,
}

impl Desk {
    /// Looks whether the files are there of what can be played, and of what was lost.
    pub(crate) fn look_for_files(&self, swept: &mut Swept) -> Result<()> {
        let database = self.context.database();
        let mut changed = Vec::new();
        let failed = database.for_each(
            &recordings::with_files(),
            params![],
            |(id, path, status, error, ended_by): (String, String, State, Option<String>, Option<String>)| {
                match Path::new(&path).try_exists() {
                    Ok(is_there) if is_there == status.is_playable() => {}
                    Ok(is_there) => changed.push(Changed { id, path, is_there, error, ended_by }),
                    // Nobody can tell, and not of those behind it either.
                    Err(why) => return ControlFlow::Break(format!("{path}: {why}")),
                }
                ControlFlow::Continue(())
            },
        )?;
        if let Some(why) = failed {
            return Err(Error::new(why));
        }
        for one in changed {
            if one.is_there {
                swept.brought_back += u64::from(self.bring_back(&one)?);
                continue;
            }
            let root = Path::new(&one.path).parent().unwrap_or(&self.folder);
            if mount::is_there(root).map_err(|why| Error::new(format!("{}: {why}", root.display())))? {
                swept.without_files += u64::from(self.lose(&one)?);
            } else {
                swept.not_mounted += 1;
            }
        }
        Ok(())
    }

    fn lose(&self, one: &Changed) -> Result<bool> {
        let why =
            one.error.as_ref().map_or(GONE.to_owned(), |before| format!("{GONE}; before that: {before}"));
        let is_lost = recordings::lose(self.context.database(), &one.id, &why)?;
        if is_lost {
            warn!(self.context.logger(), "The files of a recording are gone."; "recording" => &one.id);
            self.announce("recording.failed", &one.id);
        }
        Ok(is_lost)
    }

    fn bring_back(&self, one: &Changed) -> Result<bool> {
        let before =
            one.error.as_deref().and_then(|why| why.strip_prefix(GONE)?.strip_prefix("; before that: "));
        let status = match one.ended_by.as_deref() {
            Some("crash" | "failure") => State::Truncated,
            _ => State::Completed,
        };
        let is_back = recordings::bring_back(self.context.database(), &one.id, status, before)?;
        if is_back {
            info!(self.context.logger(), "The files of a recording that were gone are there again."; "recording" => &one.id);
            self.announce("recording.completed", &one.id);
        }
        Ok(is_back)
    }
}
