//! A desktop that was not written here: TigerVNC's server, with programs on it.

use std::{
    env,
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use crate::DEADLINE;

/// TigerVNC's Xvnc on loopback. It and what was started on it end when it is dropped.
#[derive(Debug)]
pub struct Xvnc {
    server: Child,
    programs: Vec<Child>,
    port: u16,
    display: String,
}

/// Pixels: red, green, blue, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Three bytes each.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// Of red, green, blue and a fourth byte, as browsers have them.
    #[must_use]
    pub fn of_rgba(width: usize, height: usize, rgba: &[u8]) -> Self {
        let rgb = rgba.chunks_exact(4).flat_map(|pixel| pixel[..3].iter().copied()).collect();
        Self { width, height, rgb }
    }

    /// How many pixels are other ones; all, if the size is.
    #[must_use]
    pub fn differences(&self, other: &Self) -> usize {
        if (self.width, self.height) != (other.width, other.height) {
            return self.width * self.height;
        }
        self.rgb.chunks_exact(3).zip(other.rgb.chunks_exact(3)).filter(|(one, other)| one != other).count()
    }

    /// Where the first of them is, from the left and from the top.
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<(usize, usize)> {
        let mut pairs = self.rgb.chunks_exact(3).zip(other.rgb.chunks_exact(3));
        let at = pairs.position(|(one, other)| one != other)?;
        Some((at % self.width, at / self.width))
    }

    /// How many colours there are on it.
    #[must_use]
    pub fn colours(&self) -> usize {
        self.rgb.chunks_exact(3).collect::<std::collections::HashSet<_>>().len()
    }
}

impl Xvnc {
    /// Starts one. `None`, with a line that says so, where it is not installed; a failure if `CI` is `true`.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn start(width: u16, height: u16) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let started = Command::new("Xvnc")
            .args(["-geometry", &format!("{width}x{height}"), "-depth", "24", "-displayfd", "1"])
            .args(["-rfbport", &port.to_string(), "-interface", "127.0.0.1", "-SecurityTypes", "None"])
            .args(["-nolisten", "tcp", "-ac", "-AlwaysShared", "-AcceptSetDesktopSize", "-nocursor"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut server) = started else {
            skipped("TigerVNC's server: sudo apt-get install tigervnc-standalone-server");
            return None;
        };
        // It writes the number of its display once it takes connections.
        let output = server.stdout.take().unwrap();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            if BufReader::new(output).read_line(&mut line).is_ok() {
                sender.send(line.trim().to_owned()).ok();
            }
        });
        let display = receiver.recv_timeout(DEADLINE).ok().filter(|display| !display.is_empty());
        let mut desktop = Self { server, programs: Vec::new(), port, display: String::new() };
        desktop.display = format!(":{}", display.expect("Xvnc says its display"));
        Some(desktop)
    }

    /// Where it speaks RFB.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts a program on it.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn run(&mut self, program: &str, arguments: &[&str]) {
        let started = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.programs.push(
            started.unwrap_or_else(|why| panic!("{program}: {why}; sudo apt-get install x11-apps xterm")),
        );
    }

    /// Ends what was started on it.
    pub fn end_programs(&mut self) {
        for mut program in self.programs.drain(..) {
            program.kill().ok();
            program.wait().ok();
        }
    }

    /// Fills what is behind all windows with a colour, such as `#336699`.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub fn fill(&self, colour: &str) {
        let status = self.command("xsetroot").args(["-solid", colour]).status();
        assert!(status.unwrap().success(), "xsetroot: sudo apt-get install x11-xserver-utils");
    }

    /// What is on its screen, as X11's own tool reads it.
    ///
    /// # Panics
    ///
    /// When that fails.
    #[must_use]
    pub fn picture(&self) -> Picture {
        let output = self.command("xwd").args(["-root", "-silent"]).output().unwrap();
        assert!(output.status.success(), "xwd: sudo apt-get install x11-apps");
        of_xwd(&output.stdout)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DISPLAY", &self.display);
        command
    }
}

impl Drop for Xvnc {
    fn drop(&mut self) {
        self.end_programs();
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// X11's `XWDFile.h`, version 7: numbers of 32 bits, the most significant byte first. Pixels as the server has them.
fn of_xwd(bytes: &[u8]) -> Picture {
    let number = |at: usize| u32::from_be_bytes(bytes[at * 4..][..4].try_into().unwrap()) as usize;
    let (head, width, height) = (number(0), number(4), number(5));
    let (bits, row, colours) = (number(11), number(12), number(19));
    assert_eq!((number(1), number(7), bits), (7, 0, 32), "least significant byte first, 32 bits");
    let pixels = &bytes[head + colours * 12..];
    let rows = (0..height).flat_map(|y| pixels[y * row..][..width * 4].chunks_exact(4));
    Picture { width, height, rgb: rows.flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect() }
}

/// Says that a test shows nothing, unless it must.
#[expect(clippy::print_stderr, reason = "a test that shows nothing says so")]
pub(crate) fn skipped(needed: &str) {
    assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "this test needs {needed}");
    eprintln!("Skipped: this test needs {needed}");
}
