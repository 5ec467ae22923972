//! Files that may be anything and anywhere: only regular ones are opened, only so much of them is read, and a name leads to no
//! other folder.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use super::{StoreError, error::failed};

/// Whether `name` is the name of one file and no way to another folder.
pub(super) fn is_file_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name)
        && !name.contains(['\\', '\0'])
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    let file = open_regular(path, limit)?;
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content).map_err(failed("read", path))?;
    if content.len() as u64 > limit {
        return Err(too_large(path, limit, "more"));
    }
    Ok(content)
}

/// Copies a regular file of at most `limit` bytes to a new, read-only one.
pub(super) fn copy(from: &Path, to: &Path, limit: u64) -> Result<(), StoreError> {
    let mut source = open_regular(from, limit)?.take(limit + 1);
    let mut target = File::create_new(to).map_err(failed("write", to))?;
    let mut buffer = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        let count = source.read(&mut buffer).map_err(failed("read", from))?;
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
        copied += count as u64;
        if copied > limit {
            return Err(too_large(from, limit, "more"));
        }
        target.write_all(part).map_err(failed("write", to))?;
    }
    let mut permissions = target.metadata().map_err(failed("read", to))?.permissions();
    permissions.set_readonly(true);
    target.set_permissions(permissions).map_err(failed("protect", to))
}

/// A file in a folder. One that is a link stays in it too: nobody's files are to get into the store by a name in it.
pub(super) fn within(folder: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_symlink() => {}
        // What is not there is found out where it is read.
        _ => return Ok(path),
    }
    let folder = folder.canonicalize().map_err(failed("read", folder))?;
    let target = path.canonicalize().map_err(failed("follow the link", &path))?;
    if target.starts_with(&folder) {
        return Ok(path);
    }
    Err(StoreError::File {
        path,
        expected: "a file in the folder".to_owned(),
        found: format!("a link to {}", target.display()),
    })
}

/// Opens a regular file of at most `limit` bytes, by whatever links.
pub(crate) fn open_regular(path: &Path, limit: u64) -> Result<File, StoreError> {
    let check = |metadata: fs::Metadata| {
        if !metadata.is_file() {
            return Err(StoreError::File {
                path: path.to_owned(),
                expected: "a regular file".to_owned(),
                found: "something else".to_owned(),
            });
        }
        if metadata.len() > limit {
            return Err(too_large(path, limit, &metadata.len().to_string()));
        }
        Ok(())
    };
    // Before opening, since opening some devices does something; and after, for what was put there in between.
    check(fs::metadata(path).map_err(failed("read", path))?)?;
    let file = open_without_waiting(path).map_err(failed("read", path))?;
    check(file.metadata().map_err(failed("read", path))?)?;
    Ok(file)
}

/// Opens a file for reading, and waits for nothing: not for the writer of a FIFO.
pub(crate) fn open_without_waiting(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    options.open(path)
}

fn too_large(path: &Path, limit: u64, found: &str) -> StoreError {
    StoreError::File {
        path: path.to_owned(),
        expected: format!("at most {limit} bytes"),
        found: found.to_owned(),
    }
}

/// Waits until what was moved into a folder, or removed from it, is so on the disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(failed("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_is_no_file_name() {
        for name in ["a", "a.so", "lib-a_1.so"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "/a", "a/", "./a", "a\\b", "a\0"] {
            assert!(!is_file_name(name), "{name}");
        }
    }
}
