//! The assets in a plugin's folder: the files below `ui/`, which browsers are given.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{StoreError, error::failed};

/// The folder that they are in.
pub(crate) const ASSETS: &str = "ui";
/// The most of them.
const MAX_ASSETS: usize = 1000;
/// The largest of them, in bytes.
pub(crate) const MAX_ASSET_BYTES: u64 = 8 * 1024 * 1024;
/// The most bytes of all of them.
const MAX_TOTAL_BYTES: u64 = 64 * 1024 * 1024;
/// The most folders within each other, `ui/` among them.
const MAX_DEPTH: usize = 8;

/// What is served, by the end of its name. No documents: a component draws itself within the console's.
const TYPES: [(&str, &str); 17] = [
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("ico", "image/vnd.microsoft.icon"),
    ("woff2", "font/woff2"),
    ("wasm", "application/wasm"),
];

/// The media type of a file that is served.
pub(crate) fn content_type(file: &str) -> Option<&'static str> {
    let (_, end) = file.rsplit_once('.')?;
    TYPES.iter().find(|(known, _)| *known == end).map(|(_, media)| *media)
}

/// The assets in a plugin's folder, by their paths below `ui/` and in order, with `/` between the segments.
///
/// # Errors
///
/// [`StoreError`] for what is no regular file, for links, for names and types that are not served, and for too much.
pub(crate) fn asset_files(folder: &Path) -> Result<Vec<String>, StoreError> {
    let root = folder.join(ASSETS);
    match fs::symlink_metadata(&root) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(unacceptable(root, "a folder", "something else")),
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(failed("read", &root)(why)),
    }
    let mut found = Found { root, files: Vec::new(), bytes: 0, entries: 0 };
    found.walk("", 1)?;
    found.files.sort();
    Ok(found.files)
}

struct Found {
    root: PathBuf,
    files: Vec<String>,
    bytes: u64,
    entries: usize,
}

impl Found {
    fn walk(&mut self, below: &str, depth: usize) -> Result<(), StoreError> {
        let folder = self.root.join(below);
        if depth > MAX_DEPTH {
            return Err(unacceptable(
                folder,
                format!("at most {MAX_DEPTH} folders within each other"),
                "more",
            ));
        }
        for entry in fs::read_dir(&folder).map_err(failed("read", &folder))? {
            let entry = entry.map_err(failed("read", &folder))?;
            let path = entry.path();
            self.entries += 1;
            if self.entries > MAX_ASSETS {
                return Err(unacceptable(
                    self.root.clone(),
                    format!("at most {MAX_ASSETS} files and folders"),
                    "more",
                ));
            }
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            // Editors and systems leave files such as `.DS_Store` behind.
            if name.starts_with('.') {
                continue;
            }
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if name.is_empty() || name.len() > 100 || !name.bytes().all(plain) {
                let expected = "a name of letters, digits, `-`, `.` and `_`, at most 100";
                return Err(unacceptable(path, expected, "another one"));
            }
            let file = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            // Of the entry itself: what a link leads to may be anywhere.
            let metadata = fs::symlink_metadata(&path).map_err(failed("read", &path))?;
            if metadata.is_dir() {
                self.walk(&file, depth + 1)?;
                continue;
            }
            if !metadata.is_file() {
                let found = if metadata.is_symlink() { "a link" } else { "something else" };
                return Err(unacceptable(path, "a regular file", found));
            }
            if content_type(name).is_none() {
                let ends: Vec<_> = TYPES.iter().map(|(end, _)| *end).collect();
                let expected = format!("a file whose name ends with one of {}", ends.join(", "));
                return Err(unacceptable(path, expected, "another one"));
            }
            self.bytes = self.bytes.saturating_add(metadata.len());
            if self.bytes > MAX_TOTAL_BYTES {
                let root = self.root.clone();
                return Err(unacceptable(root, format!("at most {MAX_TOTAL_BYTES} bytes"), "more"));
            }
            self.files.push(file);
        }
        Ok(())
    }
}

fn unacceptable(path: PathBuf, expected: impl Into<String>, found: &str) -> StoreError {
    StoreError::File { path, expected: expected.into(), found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, "x").expect("a file");
        }
        folder
    }

    #[test]
    fn files_are_found_in_order_and_hidden_ones_left_out() {
        let folder = make(&["ui/b.js", "ui/a/icon.svg", "ui/.DS_Store", "elsewhere.js"]);
        assert_eq!(asset_files(folder.path()).expect("acceptable"), ["a/icon.svg", "b.js"]);
        assert_eq!(asset_files(make(&[]).path()).expect("acceptable"), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_served_is_not_accepted() {
        for file in ["ui/page.html", "ui/noend", "ui/a b.js", "ui/ü.js", "ui/x.JS", "ui/a\\b.js"] {
            assert!(asset_files(make(&[file]).path()).is_err(), "{file}");
        }
        assert!(asset_files(make(&["ui"]).path()).is_err());
        assert!(asset_files(make(&["ui/1/2/3/4/5/6/7/8/a.js"]).path()).is_err());
        assert!(asset_files(make(&["ui/1/2/3/4/5/6/7/a.js"]).path()).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_accepted_wherever_it_leads() {
        use std::os::unix::fs::symlink;
        for (link, to) in
            [("ui/l.js", "a.js"), ("ui/l.js", "/etc/passwd"), ("ui/l", "/etc"), ("ui/l.js", "gone.js")]
        {
            let folder = make(&["ui/a.js"]);
            symlink(to, folder.path().join(link)).expect("a link");
            assert!(asset_files(folder.path()).is_err(), "{link} to {to}");
        }
        let folder = make(&["other/a.js"]);
        symlink("other", folder.path().join("ui")).expect("a link");
        assert!(asset_files(folder.path()).is_err());
    }

    #[test]
    fn more_than_a_thousand_are_too_many() {
        let files: Vec<String> = (0..=MAX_ASSETS).map(|i| format!("ui/{i}.js")).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        assert!(asset_files(make(&files).path()).is_err());
        assert!(asset_files(make(&files[1..]).path()).is_ok());
    }
}
