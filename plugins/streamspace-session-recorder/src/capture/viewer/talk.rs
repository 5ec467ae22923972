//! What a viewer answers.

use std::fmt;

use streamspace_rfb::{
    Area, Encoding, Framebuffer, PixelFormat,
    message::{ClientMessage, Encodings, Fence, Secret, SecurityType, ServerMessage, ServerParser, Version},
};

use super::{Ended, Pace, Settings, password};

/// The pixel format that is asked for: what most desktops have themselves, so that they need not convert.
const FORMAT: PixelFormat = PixelFormat::BGRX;

/// What a viewer answers, message by message. It does no input or output.
pub(super) struct Talk {
    /// To be sent.
    pub(super) say: Vec<u8>,
    /// There is no more to say.
    pub(super) ended: Option<Ended>,
    /// An update has ended, and had pixels in it or not.
    pub(super) updated: Option<bool>,
    /// The size may be another one.
    pub(super) resized: bool,
    /// Whether the desktop answers fences.
    pub(super) fences: bool,
    /// Whether updates come by themselves.
    pub(super) continuous: bool,
    pace: Pace,
    /// Whether updates may come by themselves now.
    coming: bool,
    encodings: Vec<[u8; 4]>,
    password: Option<Vec<u8>>,
    version: Version,
    ready: bool,
    size: Area,
    pixels: bool,
}

// Without the password.
impl fmt::Debug for Talk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Talk")
            .field("version", &self.version)
            .field("ready", &self.ready)
            .field("continuous", &self.continuous)
            .finish_non_exhaustive()
    }
}

impl Talk {
    pub(super) fn new(settings: &Settings, password: Option<&[u8]>) -> Self {
        Self {
            say: Vec::new(),
            ended: None,
            updated: None,
            resized: false,
            fences: false,
            continuous: false,
            pace: settings.pace,
            coming: true,
            encodings: Encodings::to_bytes(&settings.encodings()),
            password: password.map(<[u8]>::to_vec),
            version: Version::V3_3,
            ready: false,
            size: Area::default(),
            pixels: false,
        }
    }

    /// Whether the handshake is over.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Takes a message, and says what there is to say to it.
    pub(super) fn heard(&mut self, parser: &mut ServerParser, message: &ServerMessage<'_>) {
        match *message {
            ServerMessage::Version(version) => {
                self.version = version;
                self.say(parser, &ClientMessage::Version(version));
            }
            ServerMessage::SecurityTypes(types) => match self.choose(types) {
                Ok(chosen) => {
                    self.say(parser, &ClientMessage::Security(chosen));
                    // Of this version there is no result if there is no password.
                    if chosen == SecurityType::NONE && self.version != Version::V3_8 {
                        self.say(parser, &ClientMessage::Init { shared: true });
                    }
                }
                Err(ended) => self.end(ended),
            },
            ServerMessage::Security(offered) => match self.choose(&[offered.0]) {
                Ok(SecurityType::NONE) => self.say(parser, &ClientMessage::Init { shared: true }),
                Ok(_) => {}
                Err(ended) => self.end(ended),
            },
            ServerMessage::Challenge(Secret(challenge)) => match &self.password {
                Some(password) => {
                    let answer = password::answer(password, challenge);
                    self.say(parser, &ClientMessage::Response(Secret(&answer)));
                }
                None => self.end(Ended::Password),
            },
            ServerMessage::SecurityResult { code: 0, .. } => {
                self.say(parser, &ClientMessage::Init { shared: true });
            }
            ServerMessage::SecurityResult { reason, .. } => {
                self.refused(reason.unwrap_or(b"no reason is given"))
            }
            ServerMessage::Refused { reason, .. } => self.refused(reason),
            ServerMessage::Init(init) => {
                // Before anything is asked for, so that no update can be in another format.
                self.say(parser, &ClientMessage::SetPixelFormat(FORMAT));
                let encodings = std::mem::take(&mut self.encodings);
                self.say(parser, &ClientMessage::SetEncodings(Encodings::from_bytes(&encodings)));
                self.size = Area::new(0, 0, init.width, init.height);
                self.ready = true;
            }
            ServerMessage::Update { rects } => {
                self.pixels = false;
                if rects == 0 {
                    self.updated = Some(self.updated.unwrap_or(false));
                }
            }
            ServerMessage::Rect(rect) => {
                self.pixels |= rect.encoding.has_pixels();
                self.resized |=
                    matches!(rect.encoding, Encoding::DESKTOP_SIZE | Encoding::EXTENDED_DESKTOP_SIZE);
                if rect.last {
                    self.updated = Some(self.updated.unwrap_or(false) | self.pixels);
                }
            }
            ServerMessage::Fence(fence) if fence.flags & Fence::REQUEST != 0 => {
                self.fences = true;
                let flags = fence.flags & (Fence::BEFORE | Fence::AFTER | Fence::SYNC);
                self.say_fence(Fence { flags, payload: fence.payload });
            }
            // The first one says that the desktop has them; later ones, that they have ended.
            ServerMessage::EndOfContinuousUpdates if self.pace == Pace::Continuous && !self.continuous => {
                self.continuous = true;
                if self.coming {
                    self.say_continuous(true);
                }
            }
            _ => {}
        }
    }

    /// Asks for an update.
    pub(super) fn ask(&mut self, incremental: bool, area: Area) {
        ClientMessage::UpdateRequest { incremental, area }.write(&mut self.say);
    }

    pub(super) fn say_fence(&mut self, fence: Fence<'_>) {
        ClientMessage::Fence(fence).write(&mut self.say);
    }

    /// Whether updates that come by themselves are to come. Without a screen there are none yet.
    pub(super) fn keep_coming(&mut self, coming: bool, screen: Option<&Framebuffer>) {
        let changed = self.coming != coming;
        self.coming = coming;
        if let Some(screen) = screen.filter(|_| changed && self.continuous) {
            self.size = screen.area();
            self.say_continuous(coming);
        }
    }

    /// The desktop may have another size. Answers whether it has.
    pub(super) fn size(&mut self, screen: &Framebuffer) -> bool {
        let changed = self.size != screen.area();
        self.size = screen.area();
        if changed && self.continuous && self.coming {
            self.say_continuous(true);
        }
        changed
    }

    fn say_continuous(&mut self, enable: bool) {
        ClientMessage::ContinuousUpdates { enable, area: self.size }.write(&mut self.say);
    }

    fn say(&mut self, parser: &mut ServerParser, message: &ClientMessage<'_>) {
        parser.heard(message);
        message.write(&mut self.say);
    }

    fn choose(&self, offered: &[u8]) -> Result<SecurityType, Ended> {
        let has = |kind: SecurityType| offered.contains(&kind.0);
        match (has(SecurityType::NONE), has(SecurityType::VNC), &self.password) {
            (true, ..) => Ok(SecurityType::NONE),
            (false, true, Some(_)) => Ok(SecurityType::VNC),
            (false, true, None) => Err(Ended::Password),
            (false, false, _) => Err(Ended::Security { offered: offered.to_vec() }),
        }
    }

    fn refused(&mut self, reason: &[u8]) {
        self.end(Ended::Refused(String::from_utf8_lossy(reason).into_owned()));
    }

    fn end(&mut self, ended: Ended) {
        self.ended.get_or_insert(ended);
    }
}
