//! What a viewer and a desktop say to each other.

use streamspace_rfb::{
    Area, Encoder, Encoding, Framebuffer, PixelFormat,
    message::{ClientMessage, SecurityType, ServerInit, ServerMessage, Version},
};
use streamspace_session_recorder::scene::Side;

/// What a relay reads at once.
pub(crate) const PIECE: usize = 32 << 10;

/// One connection: its handshake, and updates.
pub(crate) struct Said {
    pub(crate) handshake: Vec<(Side, Vec<u8>)>,
    pub(crate) updates: Vec<Vec<u8>>,
}

impl Said {
    /// Of a desktop that sends these areas of these screens, which are all of one size. The first update is not counted.
    pub(crate) fn new<'a>(
        encoding: Encoding,
        updates: impl Iterator<Item = (&'a Framebuffer, Area)> + Clone,
    ) -> Self {
        let format = PixelFormat::BGRX;
        let (first, _) = updates.clone().next().expect("an update");
        let all = first.area();
        let init = ServerInit { width: all.width, height: all.height, format, name: b"" };
        let desktop = |message: ServerMessage<'_>| (Side::Desktop, message.to_bytes());
        let viewer = |message: ClientMessage<'_>| (Side::Viewer, message.to_bytes());
        let handshake = vec![
            desktop(ServerMessage::Version(Version::V3_8)),
            viewer(ClientMessage::Version(Version::V3_8)),
            desktop(ServerMessage::SecurityTypes(&[1])),
            viewer(ClientMessage::Security(SecurityType::NONE)),
            desktop(ServerMessage::SecurityResult { code: 0, reason: None }),
            viewer(ClientMessage::Init { shared: true }),
            desktop(ServerMessage::Init(init)),
            viewer(ClientMessage::UpdateRequest { incremental: true, area: all }),
        ];
        let mut encoder = Encoder::new(format).expect("a format");
        let update = |(screen, area): (&Framebuffer, Area)| {
            let mut bytes = Vec::new();
            encoder.update(screen, &[area], encoding, &mut bytes).expect("it is encoded");
            bytes
        };
        Self { handshake, updates: updates.map(update).collect() }
    }

    /// Bytes of the updates but the first.
    pub(crate) fn bytes(&self) -> usize {
        self.updates.iter().skip(1).map(Vec::len).sum()
    }
}
