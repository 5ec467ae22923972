//! Reading a password: from the terminal without showing it, or a line of the standard input. Never from the command line,
//! which other users of the machine can see.

use std::io::{self, Read, Write};

use anyhow::{Context, bail, ensure};

/// The longest line that is read, in bytes.
const LONGEST: u64 = 4096;
/// What Ctrl-C types.
const INTERRUPT: u8 = 3;

/// Reads a new password.
pub(super) fn read_new() -> anyhow::Result<String> {
    let terminal = terminal::Quiet::new();
    if terminal.is_none() {
        return line(None);
    }
    let first = asked("Password: ")?;
    let second = asked("Again: ")?;
    ensure!(first == second, "the two are not the same");
    Ok(first)
}

/// Reads a password that there is already.
pub(super) fn read(question: &str) -> anyhow::Result<String> {
    let terminal = terminal::Quiet::new();
    if terminal.is_some() { asked(question) } else { line(None) }
}

fn asked(question: &str) -> anyhow::Result<String> {
    let mut terminal = io::stderr().lock();
    write!(terminal, "{question}")?;
    terminal.flush()?;
    let line = line(Some(INTERRUPT));
    // The end of the line was not shown either.
    writeln!(terminal)?;
    line
}

/// Reads a line, up to its end or to the byte `until`, which breaks it off.
fn line(until: Option<u8>) -> anyhow::Result<String> {
    let mut line = Vec::new();
    for byte in io::stdin().lock().take(LONGEST).bytes() {
        match byte.context("cannot read the password")? {
            b'\n' => break,
            byte if Some(byte) == until => bail!("interrupted: nothing was done"),
            byte => line.push(byte),
        }
    }
    let line = String::from_utf8(line).context("the password is no text in UTF-8")?;
    let password = line.trim_end_matches('\r');
    ensure!(!password.is_empty(), "expected the password on the standard input, in one line");
    Ok(password.to_owned())
}

#[cfg(unix)]
mod terminal {
    use std::io;

    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

    /// Does not show what is typed, for as long as it is there. Ctrl-C ends a line then, in place of the program, which would
    /// leave a terminal behind that shows nothing.
    pub(super) struct Quiet(Termios);

    impl Quiet {
        /// `None`: the standard input is no terminal.
        pub(super) fn new() -> Option<Self> {
            let before = tcgetattr(io::stdin()).ok()?;
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
            quiet.special_codes[SpecialCodeIndex::VEOL] = super::INTERRUPT;
            tcsetattr(io::stdin(), OptionalActions::Flush, &quiet).ok()?;
            Some(Self(before))
        }
    }

    impl Drop for Quiet {
        fn drop(&mut self) {
            // There is nobody to tell.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        }
    }
}

#[cfg(not(unix))]
mod terminal {
    pub(super) struct Quiet;

    impl Quiet {
        /// Only lines of the standard input are read here.
        pub(super) fn new() -> Option<Self> {
            None
        }
    }
}
