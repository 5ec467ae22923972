//! Whether the folder of recordings is there. It may be on a disk that is not mounted: its mount point is an empty folder then, and
//! nothing that is missing in it is lost.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use streamspace_plugin::{prelude::*, routes::Problem};

use crate::{desk::Desk, private};

/// The file in the folder that says that it is the folder, and not a mount point.
const MARKER: &str = ".streamspace-recordings";
/// What stands in it, for whoever comes by.
const SAYS: &str = "Recordings of sessions are kept here. Without this file the folder is taken for one that is not mounted, and nothing is recorded.\n";
/// The key of the storage that has the folders which were marked.
const MARKED: &str = "marked-folders";

/// Makes the folder of recordings when it is used for the first time. Later it is never made again.
///
/// # Errors
///
/// When it cannot be made or written to.
pub(crate) fn prepare(context: &Context, folder: &Path) -> Result<()> {
    let storage = context.storage();
    let mut marked: Vec<String> = storage.get(MARKED)?.unwrap_or_default();
    let name = folder.to_string_lossy();
    if marked.iter().any(|marked| *marked == name) {
        if !matches!(is_there(folder), Ok(true)) {
            warn!(context.logger(), "Nothing is recorded until the folder of recordings is there."; "reason" => away(folder));
        }
        return Ok(());
    }
    make(folder).map_err(|why| {
        Error::new(format!(
            "the folder of recordings, {}, cannot be made: {why}. Make it for the host's user, or set `storagePath`",
            folder.display()
        ))
    })?;
    // Behind the file, so that a folder which is known has one.
    marked.push(name.into_owned());
    storage.set(MARKED, &marked)?;
    Ok(())
}

/// A folder that nobody else reads, with its marker.
fn make(folder: &Path) -> io::Result<()> {
    private::folder(folder)?;
    let mut marker = File::create(folder.join(MARKER))?;
    marker.write_all(SAYS.as_bytes())?;
    marker.sync_all()?;
    // Windows has no handle of a folder that could be synced.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Whether a folder is there that recordings are in.
///
/// # Errors
///
/// When nobody can tell.
pub(crate) fn is_there(folder: &Path) -> io::Result<bool> {
    folder.join(MARKER).try_exists()
}

fn away(folder: &Path) -> String {
    format!(
        "the folder of recordings, {}, is not mounted: expected the file `{MARKER}` in it. Mount it; if it is to be a new one, make that file",
        folder.display()
    )
}

impl Desk {
    /// Whether the folder of recordings is there.
    pub(crate) fn is_mounted(&self) -> Result<bool> {
        is_there(&self.folder).map_err(|why| Error::new(format!("{}: {why}", self.folder.display())))
    }

    /// Sees that it is there.
    pub(crate) fn mounted(&self) -> Result<()> {
        if self.is_mounted()? { Ok(()) } else { Err(Problem::new(503, away(&self.folder)).into()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_mount_point_is_not_the_folder() {
        let root = tempfile::tempdir().expect("a folder");
        let (folder, aside) = (root.path().join("a/recordings"), root.path().join("aside"));
        make(&folder).expect("made");
        make(&folder).expect("there already");
        assert!(is_there(&folder).expect("known"));
        fs::rename(&folder, &aside).expect("unmounted");
        assert!(!is_there(&folder).expect("known"), "nothing is there");
        fs::create_dir(&folder).expect("a mount point");
        assert!(!is_there(&folder).expect("known"));
        // What cannot be looked at is not said to be missing.
        fs::remove_dir(&folder).expect("removed");
        fs::write(&folder, "no folder").expect("a file");
        assert!(is_there(&folder).is_err());
    }
}
