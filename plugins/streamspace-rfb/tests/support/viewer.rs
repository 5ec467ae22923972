//! A client on a real connection.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use streamspace_rfb::{
    Applied, Area, Decoder, Encoding, Framebuffer, Limits, PixelFormat,
    message::{
        ClientMessage, Encodings, Fence, Progress, SecurityType, ServerMessage, ServerParser, Version,
    },
};

use super::xserver::{DEADLINE, XServer};

pub(crate) struct Viewer {
    stream: TcpStream,
    parser: ServerParser,
    decoder: Decoder,
    pub(crate) screen: Framebuffer,
    received: Vec<u8>,
    /// Encodings of the rectangles that came.
    pub(crate) seen: Vec<Encoding>,
    /// What rectangles without pixels said.
    pub(crate) said: Vec<Applied>,
    pub(crate) fences: usize,
    pub(crate) continuous: bool,
}

impl Viewer {
    pub(crate) fn connect(server: &XServer, version: Version) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("the server");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        let limits = Limits::default();
        let mut viewer = Self {
            stream,
            parser: ServerParser::new(limits),
            decoder: Decoder::new(limits),
            screen: Framebuffer::new(0, 0, &limits).expect("none"),
            received: Vec::new(),
            seen: Vec::new(),
            said: Vec::new(),
            fences: 0,
            continuous: false,
        };
        viewer.handshake(version);
        viewer
    }

    pub(crate) fn send(&mut self, message: &ClientMessage<'_>) {
        self.parser.heard(message);
        self.stream.write_all(&message.to_bytes()).expect("sent");
    }

    fn handshake(&mut self, version: Version) {
        while !self.parser.is_ready() {
            let answer = self.next(|viewer, message| match *message {
                ServerMessage::Version(_) => Some(ClientMessage::Version(version)),
                ServerMessage::SecurityTypes(types) => {
                    assert!(types.contains(&SecurityType::NONE.0), "{types:?}");
                    Some(ClientMessage::Security(SecurityType::NONE))
                }
                ServerMessage::Security(chosen) => {
                    assert_eq!(chosen, SecurityType::NONE);
                    Some(ClientMessage::Init { shared: true })
                }
                ServerMessage::SecurityResult { code, .. } => {
                    assert_eq!(code, 0);
                    Some(ClientMessage::Init { shared: true })
                }
                ServerMessage::Init(init) => {
                    viewer.resize(init.width, init.height);
                    None
                }
                ref other => panic!("unexpected: {other:?}"),
            });
            let chosen = matches!(answer, Some(ClientMessage::Security(_)));
            answer.inspect(|answer| self.send(answer));
            // Of this version there is no result if there is no password.
            if chosen && version == Version::V3_7 {
                self.send(&ClientMessage::Init { shared: true });
            }
        }
    }

    fn resize(&mut self, width: u16, height: u16) {
        self.screen.resize(width, height, &Limits::default()).expect("a desktop's size");
    }

    /// Waits for a message.
    fn next<T>(&mut self, take: impl FnOnce(&mut Self, &ServerMessage<'_>) -> T) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let received = std::mem::take(&mut self.received);
            let progress = self.parser.parse(&received).unwrap_or_else(|error| panic!("{error}"));
            match progress {
                Progress::Message { consumed, message } => {
                    let taken = take(self, &message);
                    self.received = received;
                    self.received.drain(..consumed);
                    return taken;
                }
                Progress::Need { .. } => self.received = received,
            }
            assert!(Instant::now() < deadline, "the server is silent");
            let mut chunk = [0; 65_536];
            let length = self.stream.read(&mut chunk).expect("the server sends something");
            assert!(length > 0, "the server has gone");
            self.received.extend_from_slice(&chunk[..length]);
        }
    }

    /// Takes one message, or one rectangle. Answers whether an update has ended.
    pub(crate) fn step(&mut self) -> bool {
        let (ended, answer) = self.next(|viewer, message| match message {
            ServerMessage::Rect(rect) => {
                let applied =
                    viewer.decoder.apply(&mut viewer.screen, rect).unwrap_or_else(|error| panic!("{error}"));
                viewer.seen.push(rect.encoding);
                if applied != Applied::Pixels {
                    viewer.said.push(applied);
                }
                (rect.last, None)
            }
            ServerMessage::Fence(fence) if fence.flags & Fence::REQUEST != 0 => {
                viewer.fences += 1;
                let flags = fence.flags & (Fence::BEFORE | Fence::AFTER | Fence::SYNC);
                (false, Some(ClientMessage::Fence(Fence { flags, payload: fence.payload }).to_bytes()))
            }
            ServerMessage::EndOfContinuousUpdates => {
                viewer.continuous = true;
                (false, None)
            }
            ServerMessage::Update { rects: 0 } => (true, None),
            _ => (false, None),
        });
        answer.inspect(|answer| self.stream.write_all(answer).expect("sent"));
        ended
    }

    pub(crate) fn ask(&mut self, format: Option<PixelFormat>, encodings: &[Encoding]) {
        if let Some(format) = format {
            self.send(&ClientMessage::SetPixelFormat(format));
        }
        let numbers = Encodings::to_bytes(encodings);
        self.send(&ClientMessage::SetEncodings(Encodings::from_bytes(&numbers)));
    }

    /// Asks for an update, and waits until it was drawn.
    pub(crate) fn update(&mut self, incremental: bool) {
        let area = self.screen.area();
        self.send(&ClientMessage::UpdateRequest { incremental, area });
        while !self.step() {}
    }

    /// Asks for what has changed until the screen is as wanted.
    pub(crate) fn until(&mut self, mut wanted: impl FnMut(&Framebuffer) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !wanted(&self.screen) {
            assert!(Instant::now() < deadline, "the screen does not become what was drawn");
            self.update(true);
        }
    }

    pub(crate) fn all(&self) -> Area {
        self.screen.area()
    }
}
