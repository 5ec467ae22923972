//! Building a plugin's crate with cargo.

use std::{
    env,
    ffi::OsString,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use super::PackagingError;

/// A build of a crate.
#[derive(Debug)]
pub struct Compile<'a> {
    /// The crate's folder.
    pub folder: &'a Path,
    /// The profile of Cargo.toml that plugins are shipped with.
    pub profile: &'a str,
    /// Whether cargo-auditable writes the list of crates into the library.
    pub auditable: bool,
}

/// One of the messages of `cargo build --message-format=json`:
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages>.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

impl Compile<'_> {
    /// Builds the library for `triple`, or for this machine, and answers where it is. What cargo says goes to the standard
    /// error.
    ///
    /// There is no deadline: how long a build takes only its author knows, who sees how far cargo is. Ctrl-C goes to cargo as
    /// well, which is in the same group of processes. If this process ends otherwise, cargo does with the next crate that it
    /// reports, since nobody reads on.
    ///
    /// # Errors
    ///
    /// [`PackagingError::Cargo`] when cargo fails, [`PackagingError::NoLibrary`] when what it built is no library.
    pub fn run(&self, triple: Option<&str>) -> Result<PathBuf, PackagingError> {
        let manifest = self.folder.join("Cargo.toml");
        let mut command = cargo();
        if self.auditable {
            command.arg("auditable");
        }
        command.args([
            "build",
            "--lib",
            "--message-format=json-render-diagnostics",
            "--profile",
            self.profile,
        ]);
        if let Some(triple) = triple {
            command.args(["--target", triple]);
        }
        command.arg("--manifest-path").arg(&manifest);
        let build = if self.auditable { "cargo auditable build" } else { "cargo build" };
        let shown = format!("`{build} --profile {}` in {}", self.profile, self.folder.display());
        let failed = |reason: String| PackagingError::Cargo { command: shown.clone(), reason };
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|why| failed(format!("it cannot be started: {why}")))?;
        let found = child.stdout.take().map(|said| self.library_in(BufReader::new(said), &manifest));
        let status = child.wait().map_err(|why| failed(why.to_string()))?;
        if !status.success() {
            return Err(failed(status.to_string()));
        }
        match found {
            Some(Ok(Some(library))) => Ok(library),
            Some(Err(why)) => Err(failed(format!("what it said cannot be read: {why}"))),
            Some(Ok(None)) | None => Err(PackagingError::NoLibrary { folder: self.folder.to_owned() }),
        }
    }

    /// The library among what cargo says that it made, to the end of it: cargo would wait if nobody read on.
    fn library_in(&self, said: impl BufRead, manifest: &Path) -> io::Result<Option<PathBuf>> {
        let manifest = manifest.canonicalize().unwrap_or_else(|_| manifest.to_owned());
        let mut library = None;
        for line in said.lines() {
            // What macros print comes in between, and messages of other kinds have other members.
            let Ok(message) = serde_json::from_str::<Message>(&line?) else { continue };
            let is_own = message.reason == "compiler-artifact"
                && message.manifest_path.canonicalize().is_ok_and(|path| path == manifest)
                && message
                    .target
                    .is_some_and(|target| target.crate_types.iter().any(|kind| kind == "cdylib"));
            if is_own {
                let is_library = |file: &PathBuf| {
                    file.extension()
                        .is_some_and(|end| ["so", "dylib", "dll"].iter().any(|known| end == *known))
                };
                library = message.filenames.into_iter().find(is_library);
            }
        }
        Ok(library)
    }
}

/// Whether `cargo auditable` is installed.
#[must_use]
pub fn has_auditable() -> bool {
    let listed = cargo().arg("--list").stdin(Stdio::null()).output();
    listed.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .any(|line| line.split_whitespace().next() == Some("auditable"))
    })
}

/// The one that runs this program, if one does.
fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}
