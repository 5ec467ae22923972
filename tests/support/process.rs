//! A process whose output is collected, and that does not outlive its test.

use std::{
    fs,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::{Log, wait_for};

/// A running process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// What it writes to its standard output.
    pub stdout: Log,
    /// What it writes to its standard error.
    pub stderr: Log,
}

impl Process {
    /// Starts it with nothing to read.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("{command:?} does not start: {why}"));
        let stdout = Log::read(child.stdout.take().unwrap());
        let stderr = Log::read(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        // Not yet waited for, so the id is still its own.
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and answers with how many bytes it has read in all.
    ///
    /// # Panics
    ///
    /// When it does not end within `deadline`.
    pub fn bytes_read(&mut self, deadline: Duration) -> u64 {
        // Its figures go when it is waited for in earnest.
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let process = Pid::from_child(&self.child);
        wait_for(deadline, "the end of a process", || waitid(WaitId::Pid(process), ended).unwrap());
        let figures = fs::read_to_string(format!("/proc/{}/io", self.id())).unwrap();
        let read = figures.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
        read.parse().unwrap()
    }

    /// Waits for its end, and for the last of its output.
    ///
    /// # Panics
    ///
    /// When it does not end within `deadline`.
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let what = format!("the end of process {}", self.id());
        let status = wait_for(deadline, &what, || self.exited());
        self.stdout.wait_for_end(deadline);
        self.stderr.wait_for_end(deadline);
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Neither can fail in a way that matters here: it is gone, or it is gone now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
