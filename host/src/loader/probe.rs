//! The first load of a library, in a child process: a file that crashes or hangs its loader does so there.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use streamspace_plugin::Facts;

use super::Library;

/// How long the child may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// The most that a child's answer is read of, in bytes: a library's initializers may print too.
const MAX_ANSWER: u64 = 1024 * 1024;

/// Why a library was not found to be a plugin.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The child could not be started or heard.
    #[error("cannot try the library in a process of its own: {0}")]
    Child(#[from] io::Error),
    /// The library was refused; the text is a [`LoadError`](super::LoadError)'s.
    #[error("{0}")]
    Refused(String),
    /// The child ended before it could answer.
    #[error(
        "loading the library ends the process that loads it ({0}): it is damaged, or its initializers crash"
    )]
    Crashed(ExitStatus),
    /// The child did not answer in time.
    #[error("loading the library did not end within {} s: its initializers hang", DEADLINE.as_secs())]
    TimedOut,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Facts(Facts),
    Refused(String),
}

/// What comes before the answer, so that it is told from what the library prints.
const MARK: &str = "streamspace-probe:";

/// Loads the library at `path` in a child of this program (which must be `streamspace`) and answers with what it says
/// of itself.
///
/// # Errors
///
/// [`ProbeError`] says why it is not a plugin.
pub fn probe(path: &Path) -> Result<Facts, ProbeError> {
    let mut command = Command::new(this_program()?);
    // The child has no business with what this process knows, but must find the same libraries.
    command.env_clear();
    command.envs(
        ["PATH", "LD_LIBRARY_PATH"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))),
    );
    let mut child = command
        .arg("probe")
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let result = wait(&mut child);
    if result.is_err() {
        // It may be over already, and then there is nothing to end.
        let _ = child.kill();
        let _ = child.wait();
    }
    match result? {
        (_, Some(Answer::Facts(facts))) => Ok(facts),
        (_, Some(Answer::Refused(why))) => Err(ProbeError::Refused(why)),
        (status, None) => Err(ProbeError::Crashed(status)),
    }
}

/// This very program, also when its file was replaced since it was started.
fn this_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

fn wait(child: &mut Child) -> Result<(ExitStatus, Option<Answer>), ProbeError> {
    let output = child.stdout.take().ok_or_else(|| io::Error::other("the child has no standard output"))?;
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("ss:probe".to_owned()).spawn(move || {
        let mut text = Vec::new();
        let read = output.take(MAX_ANSWER).read_to_end(&mut text);
        // Nobody listens any more once the deadline has passed.
        let _ = sender.send(read.map(|_| text));
    })?;
    let until = Instant::now() + DEADLINE;
    let text = receiver.recv_timeout(DEADLINE).map_err(|_| ProbeError::TimedOut)??;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            return Err(ProbeError::TimedOut);
        }
        thread::sleep(Duration::from_millis(1));
    };
    let text = String::from_utf8_lossy(&text);
    let answer = text.lines().rev().find_map(|line| line.strip_prefix(MARK));
    Ok((status, answer.and_then(|answer| serde_json::from_str(answer).ok())))
}

/// The child's part: loads the library and answers with the line to print.
#[must_use]
pub fn probed(path: &Path) -> String {
    let answer = match Library::open(path) {
        Ok(library) => Answer::Facts(library.facts),
        Err(why) => Answer::Refused(why.to_string()),
    };
    format!("{MARK}{}", serde_json::to_string(&answer).unwrap_or_default())
}
