//! What a viewer and a desktop say to each other, made up.

use streamspace_rfb::{
    Area, Encoder, Encoding, Framebuffer, Limits, PixelFormat,
    message::{ClientMessage, Encodings, Rect, Secret, SecurityType, ServerInit, ServerMessage, Version},
};
use streamspace_session_recorder::{
    capture::{Capture, Following, Tee},
    scene::{Moment, Side},
};

use super::reel::Reel;

/// What a viewer and a desktop say to each other, in its order.
pub(crate) struct Conversation {
    pub(crate) pieces: Vec<(Side, Vec<u8>)>,
    /// What is on the desktop.
    pub(crate) screen: Framebuffer,
    encoder: Encoder,
    format: PixelFormat,
}

impl Conversation {
    /// Nothing was said yet.
    pub(crate) fn new(width: u16, height: u16) -> Self {
        let format = PixelFormat::BGRX;
        Self {
            pieces: Vec::new(),
            screen: Framebuffer::new(width, height, &Limits::default()).expect("within the limits"),
            encoder: Encoder::new(format).expect("a format"),
            format,
        }
    }

    /// The handshake is over, and an update was asked for.
    pub(crate) fn begun(width: u16, height: u16) -> Self {
        let mut conversation = Self::new(width, height);
        conversation.handshake(Version::V3_8, SecurityType::NONE);
        conversation
    }

    pub(crate) fn desktop(&mut self, message: &ServerMessage<'_>) {
        self.pieces.push((Side::Desktop, message.to_bytes()));
    }

    pub(crate) fn viewer(&mut self, message: &ClientMessage<'_>) {
        self.pieces.push((Side::Viewer, message.to_bytes()));
    }

    pub(crate) fn handshake(&mut self, version: Version, security: SecurityType) {
        self.desktop(&ServerMessage::Version(Version::V3_8));
        self.viewer(&ClientMessage::Version(version));
        if version == Version::V3_3 {
            self.desktop(&ServerMessage::Security(security));
        } else {
            self.desktop(&ServerMessage::SecurityTypes(&[19, security.0]));
            self.viewer(&ClientMessage::Security(security));
        }
        if security == SecurityType::VNC {
            // As the relay masks them.
            self.desktop(&ServerMessage::Challenge(Secret(&[0; 16])));
            self.viewer(&ClientMessage::Response(Secret(&[0; 16])));
        }
        if version == Version::V3_8 || security == SecurityType::VNC {
            self.desktop(&ServerMessage::SecurityResult { code: 0, reason: None });
        }
        self.viewer(&ClientMessage::Init { shared: true });
        let (width, height) = (self.screen.width(), self.screen.height());
        let format = PixelFormat::RGB565;
        self.desktop(&ServerMessage::Init(ServerInit { width, height, format, name: b"made up" }));
        self.viewer(&ClientMessage::SetPixelFormat(self.format));
        let encodings = Encodings::to_bytes(&[Encoding::ZRLE]);
        self.viewer(&ClientMessage::SetEncodings(Encodings::from_bytes(&encodings)));
        self.ask();
    }

    pub(crate) fn ask(&mut self) {
        self.viewer(&ClientMessage::UpdateRequest { incremental: true, area: self.screen.area() });
    }

    /// Has another format from the next update on.
    pub(crate) fn set_format(&mut self, format: PixelFormat) {
        self.format = format;
        self.encoder.set_format(format).expect("a format");
    }

    /// Sends what is in an area, and asks for more.
    pub(crate) fn update(&mut self, area: Area, encoding: Encoding) {
        let mut bytes = Vec::new();
        self.encoder.update(&self.screen, &[area], encoding, &mut bytes).expect("it is encoded");
        self.pieces.push((Side::Desktop, bytes));
        self.ask();
    }

    /// Draws something, and sends it.
    pub(crate) fn fill(&mut self, area: Area, red: u8, encoding: Encoding) {
        self.screen.fill(area, [red, 1, 2, 255]).expect("inside");
        self.update(area, encoding);
    }

    /// An update of one rectangle.
    pub(crate) fn rect(&mut self, area: Area, encoding: Encoding, payload: &[u8]) {
        let mut bytes = ServerMessage::Update { rects: 1 }.to_bytes();
        ServerMessage::Rect(Rect { area, encoding, format: self.format, payload, last: true })
            .write(&mut bytes);
        self.pieces.push((Side::Desktop, bytes));
        self.ask();
    }

    pub(crate) fn copy(&mut self, from: (u16, u16), to: Area) {
        self.screen.copy(from, to).expect("inside");
        let [x, y] = [from.0, from.1].map(u16::to_be_bytes);
        self.rect(to, Encoding::COPY_RECT, &[x, y].concat());
    }

    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.screen.resize(width, height, &Limits::default()).expect("within the limits");
        self.rect(Area::new(0, 0, width, height), Encoding::DESKTOP_SIZE, &[]);
    }

    /// What was said since the last time.
    pub(crate) fn take(&mut self) -> Vec<(Side, Vec<u8>)> {
        std::mem::take(&mut self.pieces)
    }
}

/// Hands all of it over, in pieces of at most so many bytes.
pub(crate) fn follow(
    tee: &mut Tee,
    capture: &mut Capture<Reel>,
    at: Moment,
    pieces: &[(Side, Vec<u8>)],
    most: usize,
) -> Following {
    let mut following = Following::Yes;
    for (from, bytes) in pieces {
        for piece in bytes.chunks(most) {
            following = tee.take(at, *from, 0, piece, capture).expect("a reel takes all");
        }
    }
    following
}

/// Whether both show the same.
#[track_caller]
pub(crate) fn assert_same(one: Option<&Framebuffer>, other: &Framebuffer) {
    let one = one.expect("a screen");
    assert_eq!(one.area(), other.area());
    let different = one.pixels().iter().zip(other.pixels()).filter(|(one, other)| one != other).count();
    assert_eq!(different, 0, "pixels are different");
}
