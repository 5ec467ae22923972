//! The first load of a library, in a child process: a file that crashes or hangs its loader does so there.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use streamspace_plugin::Facts;

use super::{Library, Refusal, Rule};

/// The most that a child's answer is read of, in bytes: a library's initializers may print too.
const MAX_ANSWER: u64 = 1024 * 1024;

/// How often a child is looked at.
const POLL: Duration = Duration::from_millis(1);
/// How long a child may take to get to the library, whatever else the machine does.
const BEGINNING: Duration = Duration::from_secs(30);
/// How long the answer of a child that has ended may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What comes before the answer, so that it is told from what the library prints.
const MARK: &str = "streamspace-probe:";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    /// The library is about to be loaded: what happens from here on is its doing.
    Begun,
    /// With what its root says.
    Loads(Box<Facts>),
    Refused(Refusal),
}

/// How a child ended.
enum End {
    Answered(ExitStatus, Result<Box<Facts>, Refusal>),
    Silent(ExitStatus),
    Late,
    /// It did not get to the library.
    NotBegun(String),
}

/// Loads the library at `path` in a child of this program (which must be `streamspace`), for as long as `deadline`.
pub(super) fn probe(path: &Path, deadline: Duration) -> Result<Facts, Refusal> {
    let refuse = |rule: Rule, found: String| {
        Err(Refusal::new(rule, path, "a library that loads, and does it in time", found))
    };
    match run(path, deadline) {
        Ok(End::Answered(_, Err(refusal))) => Err(refusal),
        Ok(End::Answered(status, Ok(facts))) if status.success() => Ok(*facts),
        Ok(End::Answered(status, Ok(_))) => {
            refuse(Rule::Survivable, format!("that its finalizers end the process: {status}"))
        }
        Ok(End::Silent(status)) => {
            refuse(Rule::Survivable, format!("that its initializers end the process: {status}"))
        }
        Ok(End::Late) => {
            refuse(Rule::Timely, format!("that it was not loaded within {} s", deadline.as_secs_f32()))
        }
        Ok(End::NotBegun(why)) => refuse(Rule::Tried, why),
        Err(why) => refuse(Rule::Tried, why.to_string()),
    }
}

fn run(path: &Path, deadline: Duration) -> io::Result<End> {
    let mut command = Command::new(this_program()?);
    // The child has no business with what this process knows, but must find the same libraries.
    command.env_clear();
    command.envs(
        ["PATH", "LD_LIBRARY_PATH"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))),
    );
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // Of its own, so that what the library starts is ended with it.
        command.process_group(0);
    }
    let mut child = command
        .arg("probe")
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let end = wait(&mut child, deadline);
    end_group(&child);
    // It is over already, or will be in a moment.
    let _ = child.kill();
    let _ = child.wait();
    end
}

/// This very program, also when its file was replaced since it was started.
fn this_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// Ends the child and what it started.
fn end_group(child: &Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // Nothing is left of most.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = child;
}

fn wait(child: &mut Child, deadline: Duration) -> io::Result<End> {
    let output = child.stdout.take().ok_or_else(|| io::Error::other("the child has no standard output"))?;
    let (sender, receiver) = mpsc::channel();
    let begun = Arc::new(OnceLock::<Instant>::new());
    let seen = Arc::clone(&begun);
    thread::Builder::new().name("ss:probe".to_owned()).spawn(move || {
        // Nobody listens any more once the deadline has passed.
        let mut output = BufReader::new(output);
        let _ = sender.send(answer(&mut output, &seen));
        // What it says while it ends has to go somewhere.
        let _ = io::copy(&mut output, &mut io::sink());
    })?;
    let started = Instant::now();
    let mut said = None;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        match begun.get() {
            Some(begun) if begun.elapsed() > deadline => return Ok(End::Late),
            None if started.elapsed() > BEGINNING => {
                let why = "a child process that did not begin in time: the machine is very busy";
                return Ok(End::NotBegun(why.to_owned()));
            }
            _ => {}
        }
        match said {
            None => said = receiver.recv_timeout(POLL).ok(),
            Some(_) => thread::sleep(POLL),
        }
    };
    let answer = match said {
        Some(answer) => answer?,
        None => {
            // All that it said is in the pipe, but what it started may keep that open.
            end_group(child);
            receiver.recv_timeout(LAST_WORDS).unwrap_or(Ok(None))?
        }
    };
    Ok(match answer {
        Some(answer) => End::Answered(status, answer),
        None if begun.get().is_some() => End::Silent(status),
        None => End::NotBegun(format!("a child process that ended before it began: {status}")),
    })
}

/// The child's answer, as soon as it is there: what the library started may keep the output open.
fn answer(
    output: &mut impl BufRead,
    begun: &OnceLock<Instant>,
) -> io::Result<Option<Result<Box<Facts>, Refusal>>> {
    let mut output = output.take(MAX_ANSWER);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        let text = line.trim_ascii().strip_prefix(MARK.as_bytes());
        match text.and_then(|text| serde_json::from_slice(text).ok()) {
            Some(Answer::Begun) => {
                begun.get_or_init(Instant::now);
            }
            Some(Answer::Loads(facts)) => return Ok(Some(Ok(facts))),
            Some(Answer::Refused(refusal)) => return Ok(Some(Err(refusal))),
            None => {}
        }
        line.clear();
    }
    Ok(None)
}

/// The child's part: loads the library, checks its root without creating anything, and writes what came of it.
///
/// # Errors
///
/// When it cannot be written.
pub fn probed(path: &Path, output: &mut impl Write) -> io::Result<()> {
    alone();
    say(output, &Answer::Begun)?;
    let answer = match Library::open(path) {
        Ok(library) => Answer::Loads(Box::new(library.facts)),
        Err(refusal) => Answer::Refused(refusal),
    };
    say(output, &answer)
}

fn say(output: &mut impl Write, answer: &Answer) -> io::Result<()> {
    // On a line of its own, whatever the library printed before.
    writeln!(output, "\n{MARK}{}", serde_json::to_string(answer)?)?;
    output.flush()
}

/// Leaves no core dump behind, and does not outlive the host. Where the system does not let it, it does without.
fn alone() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }
}
