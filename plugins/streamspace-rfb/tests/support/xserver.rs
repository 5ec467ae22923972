//! TigerVNC's server, and what is drawn on its screen by a client of X11 that knows no more than that.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use streamspace_rfb::{Area, Framebuffer};

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A running server, killed when it is dropped.
pub(crate) struct XServer {
    child: Child,
    pub(crate) port: u16,
    pub(crate) display: String,
}

impl XServer {
    /// None if it is not installed; that is a failure where CI=true says that it should be.
    pub(crate) fn start(width: u16, height: u16) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let started = Command::new("Xvnc")
            .args(["-geometry", &format!("{width}x{height}"), "-depth", "24", "-displayfd", "1"])
            .args(["-rfbport", &port.to_string(), "-interface", "127.0.0.1", "-SecurityTypes", "None"])
            .args(["-nolisten", "tcp", "-ac", "-AlwaysShared", "-CompareFB", "0", "-nocursor"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                let missing = format!(
                    "Xvnc does not start ({error}). Install it: apt-get install tigervnc-standalone-server"
                );
                assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
                #[expect(clippy::print_stderr, reason = "a test that shows nothing says so")]
                {
                    eprintln!("Skipped: {missing}");
                }
                return None;
            }
        };
        // It writes the number of its display once it takes connections.
        let output = child.stdout.take().expect("piped");
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            if BufReader::new(output).read_line(&mut line).is_ok() {
                sender.send(line.trim().to_owned()).ok();
            }
        });
        let display = receiver.recv_timeout(DEADLINE).ok().filter(|display| !display.is_empty());
        let mut server = Self { child, port, display: String::new() };
        server.display = display.expect("Xvnc says its display");
        Some(server)
    }
}

impl Drop for XServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A connection that draws on the root window.
pub(crate) struct Painter {
    stream: UnixStream,
    root: [u8; 4],
    context: [u8; 4],
}

impl Painter {
    pub(crate) fn connect(server: &XServer) -> Self {
        let path = format!("/tmp/.X11-unix/X{}", server.display);
        let mut stream = UnixStream::connect(path).expect("the display");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.write_all(&[b'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]).expect("sent");
        let mut head = [0; 8];
        stream.read_exact(&mut head).expect("an answer");
        assert_eq!(head[0], 1, "the display lets us in");
        let mut setup = vec![0; usize::from(u16::from_le_bytes([head[6], head[7]])) * 4];
        stream.read_exact(&mut setup).expect("the set-up");
        let vendor = usize::from(u16::from_le_bytes([setup[16], setup[17]])).next_multiple_of(4);
        let root = 32 + vendor + usize::from(setup[21]) * 8;
        let root = setup[root..root + 4].try_into().expect("a root window");
        let context = setup[4..8].try_into().expect("an id");
        let mut painter = Self { stream, root, context };
        painter.request(55, 0, &[context, root, [0; 4]].concat());
        painter
    }

    fn request(&mut self, code: u8, detail: u8, body: &[u8]) {
        let length = u16::try_from(1 + body.len() / 4).expect("a short request").to_le_bytes();
        self.stream.write_all(&[code, detail, length[0], length[1]]).expect("sent");
        self.stream.write_all(body).expect("sent");
    }

    /// Draws an area of a screen, and waits until it is drawn.
    pub(crate) fn put(&mut self, screen: &Framebuffer, area: Area) {
        for y in area.y..area.y + area.height {
            let mut body = [self.root, self.context].concat();
            for number in [area.width, 1, area.x, y] {
                body.extend(number.to_le_bytes());
            }
            body.extend([0, 24, 0, 0]);
            let row = &screen.row(y)[area.x.into()..][..area.width.into()];
            body.extend(row.iter().flat_map(|[red, green, blue, _]| [*blue, *green, *red, 0]));
            self.request(72, 2, &body);
        }
        self.sync();
    }

    /// Copies on the screen, as scrolling does.
    pub(crate) fn copy(&mut self, from: (u16, u16), to: Area) {
        let mut body = [self.root, self.root, self.context].concat();
        for number in [from.0, from.1, to.x, to.y, to.width, to.height] {
            body.extend(number.to_le_bytes());
        }
        self.request(62, 0, &body);
        self.sync();
    }

    /// Asks something, so that what was sent before is done.
    fn sync(&mut self) {
        self.request(43, 0, &[]);
        loop {
            let mut answer = [0; 32];
            self.stream.read_exact(&mut answer).expect("an answer");
            match answer[0] {
                0 => panic!("the display refused: {answer:?}"),
                1 => return,
                // Events, such as that nothing was hidden under what was copied.
                _ => {}
            }
        }
    }
}
