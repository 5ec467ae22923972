//! Names and folders.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{Error, Limits};

/// An error of the operating system, with what was tried.
pub(super) fn failed<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + use<'a> {
    move |source| Error::Io { doing, path: path.into(), source }
}

/// Makes names durable that were added to a folder.
pub(super) fn sync_folder(folder: &Path) -> Result<(), Error> {
    // Windows has no handle of a folder that could be synced.
    if cfg!(unix) {
        let opened = File::open(folder).map_err(failed("opening", folder))?;
        opened.sync_all().map_err(failed("syncing", folder))?;
    }
    Ok(())
}

/// Where a segment is.
pub fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:05}.ssrec"))
}

/// The segments of a recording, in their order: from 0 on, up to the last file that there is.
///
/// # Errors
///
/// [`Error::Io`]; [`Error::Unexpected`] if there is none, or more than the limit.
pub fn segments(folder: &Path, limits: &Limits) -> Result<Vec<PathBuf>, Error> {
    let mut last = None;
    for entry in fs::read_dir(folder).map_err(failed("reading", folder))? {
        let name = entry.map_err(failed("reading", folder))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".ssrec"));
        let number = number.filter(|number| number.len() >= 5 && number.bytes().all(|b| b.is_ascii_digit()));
        last = last.max(number.and_then(|number| number.parse::<u32>().ok()));
    }
    let unexpected =
        |expected, found: String| Error::Unexpected { what: "a recording's segments", expected, found };
    match last {
        None => Err(unexpected("`00000.ssrec` at least", "none".into())),
        Some(last) if last >= limits.segments => Err(unexpected("at most the limit", last.to_string())),
        // One that is missing in between is found when it is opened.
        Some(last) => Ok((0..=last).map(|number| segment_path(folder, number)).collect()),
    }
}
