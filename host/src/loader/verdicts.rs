//! What became of the first load of each library, by the SHA-256 of its file.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::store::{DataDir, make_private_dir, remove_half_written, write_private};

/// The largest verdict, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Why the verdicts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VerdictsError {
    /// A file of theirs cannot be used.
    #[error("cannot {what} {}: {source}. Check who owns the data folder (`data_dir`)", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Nothing of this hash is blocked.
    #[error(
        "no library with the hash `{hash}` is blocked; `streamspace plugin blocked` shows those that are"
    )]
    NotBlocked {
        /// What was asked for.
        hash: String,
    },
    /// Several libraries begin like this.
    #[error(
        "`{hash}` does not tell which of the blocked libraries is meant ({count} begin with it): \
         give 8 digits of the hash at least, and as many as it takes"
    )]
    Ambiguous {
        /// What was asked for.
        hash: String,
        /// How many.
        count: usize,
    },
}

impl VerdictsError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "SSP-LIB-101",
            Self::NotBlocked { .. } => "SSP-LIB-102",
            Self::Ambiguous { .. } => "SSP-LIB-103",
        }
    }
}

/// A verdict, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Verdict {
    /// The version of the host that tried it.
    host: String,
    /// When, RFC 3339.
    at: String,
    /// Why it is blocked; it loads if there is nothing.
    blocked: Option<Refusal>,
}

/// A library that crashed or hung the process that tried it, and is not tried again until it is unblocked.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Blocked {
    /// The SHA-256 of its file, in hexadecimal.
    pub hash: String,
    /// The plugin that it says it is.
    pub plugin: Option<String>,
    /// Where it was when it was tried.
    #[schema(value_type = String)]
    pub file: PathBuf,
    /// The code of the rule that it broke.
    pub code: String,
    /// What happened.
    pub reason: String,
    /// When, RFC 3339.
    pub blocked_at: String,
}

/// What is known of libraries that were tried before.
#[derive(Debug)]
pub struct Verdicts {
    folder: PathBuf,
    /// Whether what is found out is written down.
    keeps: bool,
}

impl Verdicts {
    /// Those of a data folder.
    ///
    /// # Errors
    ///
    /// [`VerdictsError::Io`] when their folder cannot be made.
    pub fn open(data: &DataDir) -> Result<Self, VerdictsError> {
        let folder = data.path().join("verdicts");
        make_private_dir(&folder).map_err(failed("make the folder", &folder))?;
        remove_half_written(&folder).map_err(failed("remove what was half written in", &folder))?;
        Ok(Self { folder, keeps: true })
    }

    /// What is blocked in a data folder, to look into it: nothing is written there, and whatever is not blocked counts as
    /// not tried.
    pub(super) fn look_into(data: &DataDir) -> Self {
        Self { folder: data.path().join("verdicts"), keeps: false }
    }

    /// Whether a library with this hash was loaded by this version of the host. `None`: it was not tried.
    ///
    /// # Errors
    ///
    /// [`VerdictsError`] when it cannot be known.
    pub(super) fn of(&self, hash: &str, host: &str) -> Result<Option<Result<(), Refusal>>, VerdictsError> {
        Ok(match self.read(hash)? {
            Some(Verdict { blocked: Some(refusal), .. }) => Some(Err(refusal)),
            // A newer host is another program to load it.
            Some(verdict) if self.keeps && verdict.host == host => Some(Ok(())),
            _ => None,
        })
    }

    /// Writes a verdict down.
    ///
    /// # Errors
    ///
    /// [`VerdictsError::Io`].
    pub(super) fn set(&self, hash: &str, host: &str, blocked: Option<&Refusal>) -> Result<(), VerdictsError> {
        if !self.keeps {
            return Ok(());
        }
        let at = jiff::Timestamp::now().to_string();
        let verdict = Verdict { host: host.to_owned(), at, blocked: blocked.cloned() };
        let path = self.path(hash);
        let text = serde_json::to_vec(&verdict).unwrap_or_default();
        write_private(&path, &text).map_err(failed("write", &path))
    }

    /// All that is blocked, by time.
    ///
    /// # Errors
    ///
    /// [`VerdictsError`] when it cannot be known.
    pub fn blocked(&self) -> Result<Vec<Blocked>, VerdictsError> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed("read", &self.folder))? {
            let name = entry.map_err(failed("read", &self.folder))?.file_name();
            let Some(hash) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            if let Some(Verdict { at, blocked: Some(refusal), .. }) = self.read(hash)? {
                all.push(Blocked {
                    hash: hash.to_owned(),
                    code: refusal.code().to_owned(),
                    reason: refusal.found.into(),
                    plugin: refusal.plugin.map(Into::into),
                    file: refusal.file.into(),
                    blocked_at: at,
                });
            }
        }
        all.sort_by(|a, b| a.blocked_at.cmp(&b.blocked_at));
        Ok(all)
    }

    /// Forgets the verdict on the one blocked library whose hash begins with `hash`, so that it is tried again.
    ///
    /// # Errors
    ///
    /// [`VerdictsError::NotBlocked`], [`VerdictsError::Ambiguous`].
    pub fn unblock(&self, hash: &str) -> Result<Blocked, VerdictsError> {
        let wanted = hash.to_ascii_lowercase();
        let mut found: Vec<Blocked> = self.blocked()?;
        found.retain(|blocked| blocked.hash.starts_with(&wanted));
        let shown = || hash.chars().take(80).collect();
        if found.len() > 1 || (hash.len() < 8 && !found.is_empty()) {
            return Err(VerdictsError::Ambiguous { hash: shown(), count: found.len() });
        }
        let blocked = found.pop().ok_or_else(|| VerdictsError::NotBlocked { hash: shown() })?;
        let path = self.path(&blocked.hash);
        fs::remove_file(&path).map_err(failed("delete", &path))?;
        Ok(blocked)
    }

    fn read(&self, hash: &str) -> Result<Option<Verdict>, VerdictsError> {
        let path = self.path(hash);
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(failed("read", &path)(why)),
        };
        let mut text = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut text).map_err(failed("read", &path))?;
        // One that is damaged is none: the library is tried again, in a child, and its verdict written anew.
        Ok(serde_json::from_slice(&text).ok())
    }

    fn path(&self, hash: &str) -> PathBuf {
        self.folder.join(format!("{hash}.json"))
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> VerdictsError {
    let path = path.to_owned();
    move |source| VerdictsError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::Rule;

    fn refusal() -> Refusal {
        Refusal::new(Rule::Survivable, Path::new("/p/liba.so"), "a library that loads", "signal 11").of("a")
    }

    #[test]
    fn a_verdict_is_kept_by_hash_and_holds_for_one_version_of_the_host() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = DataDir::open(folder.path()).expect("a data folder");
        let verdicts = Verdicts::open(&data).expect("verdicts");
        let hash = "ab".repeat(32);
        assert_eq!(verdicts.of(&hash, "1").expect("readable"), None);
        verdicts.set(&hash, "1", None).expect("written");
        assert_eq!(verdicts.of(&hash, "1").expect("readable"), Some(Ok(())));
        assert_eq!(verdicts.of(&hash, "2").expect("readable"), None);
        assert!(verdicts.blocked().expect("readable").is_empty());
    }

    #[test]
    fn who_looks_into_a_folder_knows_what_is_blocked_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = DataDir::open(folder.path()).expect("a data folder");
        let looking = Verdicts::look_into(&data);
        let (one, two) = ("ab".repeat(32), "cd".repeat(32));
        looking.set(&one, "1", Some(&refusal())).expect("left");
        assert_eq!(looking.of(&one, "1").expect("readable"), None);
        assert!(!folder.path().join("verdicts").exists());
        let verdicts = Verdicts::open(&data).expect("verdicts");
        verdicts.set(&one, "1", Some(&refusal())).expect("written");
        verdicts.set(&two, "1", None).expect("written");
        assert_eq!(looking.of(&one, "2").expect("readable"), Some(Err(refusal())));
        assert_eq!(looking.of(&two, "1").expect("readable"), None, "it is tried again");
    }

    #[test]
    fn what_is_blocked_stays_so_until_it_is_unblocked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = DataDir::open(folder.path()).expect("a data folder");
        let verdicts = Verdicts::open(&data).expect("verdicts");
        let (one, two) = ("ab".repeat(32), format!("{}{}", "ab".repeat(31), "cd"));
        verdicts.set(&one, "1", Some(&refusal())).expect("written");
        verdicts.set(&two, "1", Some(&refusal())).expect("written");
        assert_eq!(verdicts.of(&one, "2").expect("readable"), Some(Err(refusal())));
        let code = |error: Result<Blocked, VerdictsError>| error.expect_err("refused").code();
        assert_eq!(code(verdicts.unblock("ab")), "SSP-LIB-103");
        assert_eq!(code(verdicts.unblock("abababababab")), "SSP-LIB-103");
        assert_eq!(code(verdicts.unblock("ffffffff")), "SSP-LIB-102");
        assert_eq!(code(verdicts.unblock("../../admin")), "SSP-LIB-102");
        let freed = verdicts.unblock(&one.to_uppercase()).expect("unblocked");
        assert_eq!((freed.hash.as_str(), freed.code.as_str()), (one.as_str(), "SSP-LIB-016"));
        assert_eq!(verdicts.of(&one, "1").expect("readable"), None);
        assert_eq!(verdicts.blocked().expect("readable").len(), 1);
    }
}
