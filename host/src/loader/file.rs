//! Opening a file that may be anything, and reading a bounded part of it.

use std::{
    cell::Cell,
    fs::{self, File},
    io,
    ops::Range,
    path::Path,
};

use object::{ReadCache, ReadRef};
use sha2::{Digest, Sha256};

use super::{Refusal, Rule};

/// The largest library that is loaded, in bytes.
const MAX_BYTES: u64 = 512 * 1024 * 1024;
/// The most that is read of a file to find out what it is, in bytes. A release build's headers, version needs and note
/// have some 10 KiB.
const BUDGET: u64 = 4 * 1024 * 1024;

/// Opens a regular file, and waits for nothing: not for the writer of a FIFO, nor for a device.
pub(super) fn open(path: &Path) -> Result<File, Refusal> {
    let unreadable =
        |why: io::Error| Refusal::new(Rule::Readable, path, "a file that this host may read", why);
    let kind = |metadata: &fs::Metadata| {
        if metadata.is_file() {
            return match metadata.len() {
                0 => Err("an empty file".to_owned()),
                size if size > MAX_BYTES => Err(format!("a file of {size} bytes, more than {MAX_BYTES}")),
                _ => Ok(()),
            };
        }
        Err(if metadata.is_dir() { "a folder" } else { "neither a file nor a folder" }.to_owned())
    };
    let not = |found: String| Refusal::new(Rule::Library, path, "a dynamic library", found);
    // Before opening, since opening some devices does something; and after, for what was put there in between.
    kind(&fs::metadata(path).map_err(unreadable)?).map_err(not)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    let file = options.open(path).map_err(unreadable)?;
    kind(&file.metadata().map_err(unreadable)?).map_err(not)?;
    Ok(file)
}

/// The SHA-256 of a whole file, in hexadecimal.
pub(super) fn hash(mut file: &File) -> io::Result<String> {
    use std::io::{Read, Seek};

    file.rewind()?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(buffer.get(..count).unwrap_or_default()),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a file's reader has, and how much it may still read.
#[derive(Debug)]
pub(super) struct Source<'a> {
    cache: ReadCache<&'a File>,
    left: Cell<u64>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a File) -> Self {
        Self { cache: ReadCache::new(file), left: Cell::new(BUDGET) }
    }

    pub(super) fn bytes(&self) -> Bounded<'_, &ReadCache<&'a File>> {
        Bounded { bytes: &self.cache, left: &self.left }
    }
}

/// Bytes of which only so many may be read: a header may claim whatever it wants.
#[derive(Debug)]
pub(super) struct Bounded<'a, R> {
    bytes: R,
    left: &'a Cell<u64>,
}

impl<R: Copy> Clone for Bounded<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Copy> Copy for Bounded<'_, R> {}

impl<'a, R> Bounded<'a, R> {
    pub(super) fn new(bytes: R, left: &'a Cell<u64>) -> Self {
        left.set(BUDGET);
        Self { bytes, left }
    }

    fn spend(&self, size: u64) -> Result<(), ()> {
        self.left.set(self.left.get().checked_sub(size).ok_or(())?);
        Ok(())
    }
}

impl<'a, R: ReadRef<'a>> ReadRef<'a> for Bounded<'a, R> {
    fn len(self) -> Result<u64, ()> {
        self.bytes.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        self.spend(size)?;
        self.bytes.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        // The cache reads 256 bytes at a time.
        self.spend(256)?;
        self.bytes.read_bytes_at_until(range, delimiter)
    }
}
