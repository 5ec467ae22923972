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
use crate::{hex::hex, store::open_without_waiting};

/// The largest library that is loaded, in bytes.
const MAX_BYTES: u64 = 512 * 1024 * 1024;
/// The most that is read of a file to find out what it is, in bytes. A release build's headers, version needs and note
/// have some 10 KiB.
const BUDGET: u64 = 4 * 1024 * 1024;
/// The longest name that is read, in bytes with its end. [`ReadCache`] looks no further either.
const MAX_NAME: u64 = 4096;
/// What a read costs at least, in bytes. It is how much of a name [`ReadCache`] reads at a time, and less than what it
/// takes to remember a read.
const LEAST: u64 = 256;

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
    let file = open_without_waiting(path).map_err(unreadable)?;
    kind(&file.metadata().map_err(unreadable)?).map_err(not)?;
    Ok(file)
}

/// Which file it is, and as of when: another that is put in its place is told from it, and so is one that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Which {
    #[cfg(unix)]
    place: (u64, u64),
    #[cfg(unix)]
    changed: (i64, i64),
    modified: Option<std::time::SystemTime>,
    bytes: u64,
}

impl Which {
    pub(super) fn of(metadata: io::Result<fs::Metadata>, path: &Path) -> Result<Self, Refusal> {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        let unreadable = |why| Refusal::new(Rule::Readable, path, "a file that this host may read", why);
        let metadata = metadata.map_err(unreadable)?;
        Ok(Self {
            #[cfg(unix)]
            place: (metadata.dev(), metadata.ino()),
            #[cfg(unix)]
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            modified: metadata.modified().ok(),
            bytes: metadata.len(),
        })
    }
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
    Ok(hex(&hash.finalize()))
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
        self.left.set(self.left.get().checked_sub(size.max(LEAST)).ok_or(())?);
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
        let left = self.left.get();
        if left == 0 {
            return Err(());
        }
        let end = range.end.min(range.start.saturating_add(MAX_NAME));
        let name = self.bytes.read_bytes_at_until(range.start..end, delimiter);
        // Only now is it known how long the name is. So the last one may cost more than was left.
        let read = name.map_or(MAX_NAME, |name| (name.len() as u64 + 1).next_multiple_of(LEAST));
        self.left.set(left.saturating_sub(read));
        name
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// How many of `reads` succeed, from memory and from a file.
    fn succeeding(content: &[u8], reads: impl Fn(&mut dyn FnMut(Read) -> bool) -> usize) -> [usize; 2] {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(content).expect("writable");
        let source = Source::new(&file);
        let left = Cell::new(0);
        let memory = Bounded::new(content, &left);
        [reads(&mut |read| read.of(memory)), reads(&mut |read| read.of(source.bytes()))]
    }

    enum Read {
        Bytes(u64, u64),
        Name(u64),
    }

    impl Read {
        fn of<'a>(self, bytes: impl ReadRef<'a>) -> bool {
            match self {
                Self::Bytes(offset, size) => bytes.read_bytes_at(offset, size).is_ok(),
                Self::Name(offset) => {
                    let end = bytes.len().expect("a size");
                    bytes.read_bytes_at_until(offset..end, 0).is_ok()
                }
            }
        }
    }

    #[test]
    fn another_file_in_its_place_is_not_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.so");
        let which = || Which::of(fs::metadata(&path), &path).expect("readable");
        fs::write(&path, "one").expect("written");
        let first = which();
        assert_eq!(
            first,
            Which::of(File::open(&path).and_then(|file| file.metadata()), &path).expect("readable")
        );
        let other = folder.path().join("b.so");
        fs::write(&other, "two").expect("written");
        fs::rename(&other, &path).expect("moved");
        assert_ne!(first, which());
        let second = which();
        fs::write(&path, "longer").expect("written");
        assert_ne!(second, which());
    }

    #[test]
    fn no_more_is_read_than_the_budget() {
        let content = vec![0; 1 << 20];
        for size in [1 << 10, 1 << 20] {
            let reads = succeeding(&content, |read| {
                (0..100_000).filter(|at| read(Read::Bytes(at % 1000, size - at % 1000))).count()
            });
            assert!(
                reads.iter().all(|count| *count as u64 <= BUDGET / (size - 1000).max(LEAST)),
                "{reads:?}"
            );
            assert_eq!(reads[0], reads[1]);
        }
    }

    #[test]
    fn a_read_that_is_refused_leaves_the_budget_to_smaller_ones() {
        let reads = succeeding(&[0; 1000], |read| {
            assert!(!read(Read::Bytes(0, BUDGET + 1)));
            assert!(!read(Read::Bytes(0, u64::MAX)));
            usize::from(read(Read::Bytes(0, 1000)))
        });
        assert_eq!(reads, [1, 1]);
    }

    /// Each read is remembered, with its place, until the file is done with.
    #[test]
    fn many_small_reads_use_the_budget_up() {
        let content = vec![0; 1 << 20];
        let reads =
            succeeding(&content, |read| (0..100_000).filter(|at| read(Read::Bytes(at * 4, 4))).count());
        assert_eq!(reads, [(BUDGET / LEAST) as usize; 2]);
    }

    #[test]
    fn a_long_name_costs_what_is_read_of_it() {
        let mut content = vec![b'a'; 1 << 20];
        for end in (0..content.len()).skip(3999).step_by(4000) {
            content[end] = 0;
        }
        let reads =
            succeeding(&content, |read| (0..100_000).filter(|at| read(Read::Name(at % 250 * 4000))).count());
        assert_eq!(reads, [(BUDGET / 4096) as usize; 2]);
    }

    #[test]
    fn a_name_without_an_end_is_not_looked_for_in_the_whole_file() {
        let content = vec![b'a'; 1 << 20];
        let left_after = |names: u64| {
            succeeding(&content, |read| {
                assert!((0..names).all(|at| !read(Read::Name(at))));
                usize::from(read(Read::Bytes(0, 1)))
            })
        };
        assert_eq!(left_after(BUDGET / 4096 - 1), [1, 1]);
        assert_eq!(left_after(BUDGET / 4096), [0, 0]);
    }
}
