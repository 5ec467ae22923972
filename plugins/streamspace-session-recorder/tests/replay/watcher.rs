//! A viewer that is not the replay's own: parser and decoder of streamspace-rfb, and what it was sent.

use std::collections::VecDeque;

use streamspace_rfb::{
    Applied, Area, Cursor, Decoder, Encoding, Framebuffer, Limits, PixelFormat,
    message::{
        ClientMessage, Encodings, Fence, Progress, SecurityType, ServerMessage, ServerParser, Version,
    },
};

pub(crate) struct Watcher {
    parser: ServerParser,
    decoder: Decoder,
    version: Version,
    pub(crate) screen: Framebuffer,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) name: String,
    /// What is to be sent.
    pub(crate) out: VecDeque<u8>,
    received: Vec<u8>,
    /// Encodings of rectangles that came.
    pub(crate) seen: Vec<Encoding>,
    pub(crate) updates: usize,
    pub(crate) bells: usize,
    pub(crate) fences: usize,
    pub(crate) refused: Option<Vec<u8>>,
    pub(crate) wishes_refused: usize,
    /// Whether it asks for the next update when it has one.
    pub(crate) asks: bool,
    pub(crate) answers_fences: bool,
    pub(crate) continuous: bool,
}

impl Watcher {
    pub(crate) fn new(version: Version) -> Self {
        let limits = Limits::default();
        Self {
            parser: ServerParser::new(limits),
            decoder: Decoder::new(limits),
            version,
            screen: Framebuffer::new(0, 0, &limits).expect("nothing"),
            cursor: None,
            name: String::new(),
            out: VecDeque::new(),
            received: Vec::new(),
            seen: Vec::new(),
            updates: 0,
            bells: 0,
            fences: 0,
            refused: None,
            wishes_refused: 0,
            asks: true,
            answers_fences: true,
            continuous: false,
        }
    }

    pub(crate) fn say(&mut self, message: &ClientMessage<'_>) {
        self.parser.heard(message);
        self.out.extend(message.to_bytes());
    }

    pub(crate) fn want(&mut self, format: PixelFormat, encodings: &[Encoding]) {
        self.say(&ClientMessage::SetPixelFormat(format));
        let numbers = Encodings::to_bytes(encodings);
        self.say(&ClientMessage::SetEncodings(Encodings::from_bytes(&numbers)));
    }

    pub(crate) fn ask(&mut self, incremental: bool) {
        self.say(&ClientMessage::UpdateRequest { incremental, area: self.screen.area() });
    }

    pub(crate) fn press(&mut self, symbol: u32) {
        self.say(&ClientMessage::Key { down: true, symbol });
        self.say(&ClientMessage::Key { down: false, symbol });
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.parser.is_ready()
    }

    /// Takes what the server sent.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        let received = std::mem::take(&mut self.received);
        let mut at = 0;
        while let Progress::Message { consumed, message } =
            self.parser.parse(&received[at..]).unwrap_or_else(|error| panic!("{error}"))
        {
            at += consumed;
            self.take(&message);
        }
        self.received = received[at..].to_vec();
    }

    fn take(&mut self, message: &ServerMessage<'_>) {
        match message {
            ServerMessage::Version(_) => self.say(&ClientMessage::Version(self.version)),
            ServerMessage::SecurityTypes(types) => {
                assert_eq!(*types, [SecurityType::NONE.0]);
                self.say(&ClientMessage::Security(SecurityType::NONE));
                if self.version == Version::V3_7 {
                    self.say(&ClientMessage::Init { shared: true });
                }
            }
            ServerMessage::Security(chosen) => {
                assert_eq!(*chosen, SecurityType::NONE);
                self.say(&ClientMessage::Init { shared: true });
            }
            ServerMessage::SecurityResult { code: 0, .. } => self.say(&ClientMessage::Init { shared: true }),
            ServerMessage::SecurityResult { reason, .. } => {
                self.refused = Some(reason.unwrap_or_default().to_vec());
            }
            ServerMessage::Init(init) => {
                self.screen.resize(init.width, init.height, &Limits::default()).expect("a size");
                self.name = String::from_utf8_lossy(init.name).into_owned();
            }
            ServerMessage::Update { rects } => {
                self.updates += 1;
                assert!(*rects > 0, "an update of nothing");
            }
            ServerMessage::Rect(rect) => {
                self.seen.push(rect.encoding);
                match self.decoder.apply(&mut self.screen, rect).unwrap_or_else(|error| panic!("{error}")) {
                    Applied::Cursor(cursor) => self.cursor = Some(cursor),
                    Applied::Layout(layout) if layout.status != 0 => self.wishes_refused += 1,
                    _ => {}
                }
                if rect.last && self.asks && !self.continuous {
                    self.ask(true);
                }
            }
            ServerMessage::SetColours(colours) => self.decoder.set_colours(colours),
            ServerMessage::Bell => self.bells += 1,
            ServerMessage::EndOfContinuousUpdates => {
                self.continuous = true;
                let area = Area::new(0, 0, u16::MAX, u16::MAX);
                self.say(&ClientMessage::ContinuousUpdates { enable: true, area });
            }
            ServerMessage::Fence(fence) if fence.flags & Fence::REQUEST != 0 => {
                self.fences += 1;
                let flags = fence.flags & (Fence::BEFORE | Fence::AFTER | Fence::SYNC);
                if self.answers_fences {
                    self.say(&ClientMessage::Fence(Fence { flags, payload: fence.payload }));
                }
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
}
