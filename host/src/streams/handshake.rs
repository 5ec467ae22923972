//! What a viewer and a desktop agree on first, and where in it secrets are.

use std::ops::Range;

use streamspace_rfb::{
    Error, Limits,
    message::{ClientMessage, ClientParser, Progress, SecurityType, ServerMessage, ServerParser, Version},
};

/// Most bytes that are kept because they are no whole message. The longest is a desktop's name, of 64 KiB.
const MOST_PENDING: usize = 128 * 1024;

/// A handshake, for as long as it lasts.
pub(super) struct Handshake {
    desktop: Side<ServerParser>,
    viewer: Side<ClientParser>,
    /// What the desktop has offered.
    highest: Option<Version>,
    offered: Vec<u8>,
}

struct Side<P> {
    parser: P,
    /// The beginning of a message.
    pending: Vec<u8>,
    /// Whether the next message is a secret.
    has_secret: bool,
    is_over: bool,
}

/// What was found in a piece.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Where secrets are in the piece, or what may be one.
    pub(super) secrets: Vec<Range<usize>>,
    /// The messages that are whole now. They may have begun in an earlier piece.
    pub(super) whole: Vec<u8>,
    /// Where secrets are in these.
    pub(super) secrets_of_whole: Vec<Range<usize>>,
    /// Where in the piece the client says whether others may stay connected.
    pub(super) shared_at: Option<usize>,
    /// Where in the piece the side's handshake was over.
    pub(super) over_at: Option<usize>,
    /// Why nothing more is understood.
    pub(super) lost: Option<String>,
}

impl<P> Side<P> {
    fn new(parser: P) -> Self {
        Self { parser, pending: Vec::new(), has_secret: false, is_over: false }
    }
}

impl Handshake {
    pub(super) fn new() -> Self {
        let limits = Limits::default();
        Self {
            desktop: Side::new(ServerParser::new(limits)),
            viewer: Side::new(ClientParser::new(limits)),
            highest: None,
            offered: Vec::new(),
        }
    }

    pub(super) fn is_over_for_viewer(&self) -> bool {
        self.viewer.is_over
    }

    pub(super) fn is_over(&self) -> bool {
        self.viewer.is_over && self.desktop.is_over
    }

    /// Hears what the desktop sends. With nothing, it tries again what could not be understood without the viewer's part.
    pub(super) fn hear_desktop(&mut self, piece: &[u8]) -> Found {
        let Self { desktop, viewer, highest, offered } = self;
        let mut place = Place::new(&mut desktop.pending, piece, desktop.is_over);
        while !desktop.is_over && !place.rest().is_empty() {
            match desktop.parser.parse(place.rest()) {
                Ok(Progress::Message { consumed, message }) => {
                    viewer.parser.heard(&message);
                    match message {
                        ServerMessage::Version(version) => *highest = Some(version),
                        ServerMessage::SecurityTypes(types) => types.clone_into(offered),
                        ServerMessage::Security(SecurityType::VNC) => {
                            (desktop.has_secret, viewer.has_secret) = (true, true);
                        }
                        ServerMessage::Init(_) | ServerMessage::Refused { .. } => desktop.is_over = true,
                        ServerMessage::SecurityResult { code, .. } => desktop.is_over = code != 0,
                        _ => {}
                    }
                    let is_secret = matches!(message, ServerMessage::Challenge(_));
                    desktop.has_secret &= !is_secret;
                    place.take(consumed, is_secret);
                }
                Ok(Progress::Need { .. }) => return place.wait(&mut desktop.pending, desktop.has_secret),
                // Nobody knows what it is before the viewer has had its turn.
                Err(Error::Unheard { .. }) => return place.wait(&mut desktop.pending, true),
                Err(why) => return place.lose(why.to_string()),
            }
        }
        match desktop.is_over {
            true => place.over(),
            false => place.wait(&mut desktop.pending, false),
        }
    }

    /// Hears what the viewer sends. One that is kept from some of what a desktop takes must keep to what was offered: otherwise
    /// the desktop might read its bytes in another way than they are read here.
    pub(super) fn hear_viewer(&mut self, piece: &[u8], is_strict: bool) -> Found {
        let Self { desktop, viewer, highest, offered } = self;
        let mut place = Place::new(&mut viewer.pending, piece, viewer.is_over);
        while !viewer.is_over && !place.rest().is_empty() {
            match viewer.parser.parse(place.rest()) {
                Ok(Progress::Message { consumed, message }) => {
                    desktop.parser.heard(&message);
                    match message {
                        ClientMessage::Version(version) if is_strict && Some(version) > *highest => {
                            return place.lose("a version that the desktop has not".to_owned());
                        }
                        ClientMessage::Security(SecurityType(chosen))
                            if is_strict && !offered.contains(&chosen) =>
                        {
                            return place.lose("a security type that was not offered".to_owned());
                        }
                        ClientMessage::Security(SecurityType::VNC) => {
                            (desktop.has_secret, viewer.has_secret) = (true, true);
                        }
                        ClientMessage::Init { .. } => viewer.is_over = true,
                        _ => {}
                    }
                    let is_secret = matches!(message, ClientMessage::Response(_));
                    // One more viewer does not throw out the others.
                    if matches!(message, ClientMessage::Init { shared: false }) {
                        place.share();
                    }
                    viewer.has_secret &= !is_secret;
                    place.take(consumed, is_secret);
                }
                Ok(Progress::Need { .. }) => return place.wait(&mut viewer.pending, viewer.has_secret),
                Err(Error::Unheard { .. }) if !is_strict => return place.wait(&mut viewer.pending, true),
                Err(why) => return place.lose(why.to_string()),
            }
        }
        match viewer.is_over {
            true => place.over(),
            false => place.wait(&mut viewer.pending, false),
        }
    }
}

/// A walk through what was pending and a piece behind it.
struct Place {
    all: Vec<u8>,
    /// Where the piece begins.
    before: usize,
    at: usize,
    found: Found,
    was_over: bool,
}

impl Place {
    fn new(pending: &mut Vec<u8>, piece: &[u8], was_over: bool) -> Self {
        let mut all = std::mem::take(pending);
        let before = all.len();
        if !was_over {
            all.extend_from_slice(piece);
        }
        Self { all, before, at: 0, found: Found::default(), was_over }
    }

    fn rest(&self) -> &[u8] {
        &self.all[self.at..]
    }

    fn in_piece(&self, at: usize) -> usize {
        at.saturating_sub(self.before)
    }

    fn hide(&mut self, range: Range<usize>) {
        let range = self.in_piece(range.start)..self.in_piece(range.end);
        if !range.is_empty() {
            self.found.secrets.push(range);
        }
    }

    /// The byte at this place is the client's word on others, and becomes what it should be.
    fn share(&mut self) {
        if let Some(byte) = self.all.get_mut(self.at) {
            *byte = 1;
        }
        self.found.shared_at = self.at.checked_sub(self.before);
    }

    fn take(&mut self, count: usize, is_secret: bool) {
        let range = self.at..self.at + count;
        self.at = range.end;
        if is_secret {
            self.found.secrets_of_whole.push(range.clone());
            self.hide(range);
        }
    }

    fn whole(mut self) -> (Found, Vec<u8>) {
        let rest = self.all.split_off(self.at);
        self.found.whole = self.all;
        (self.found, rest)
    }

    /// For the rest of a message.
    fn wait(mut self, pending: &mut Vec<u8>, is_secret: bool) -> Found {
        if self.rest().len() > MOST_PENDING {
            return self.lose("a handshake that goes on and on".to_owned());
        }
        if is_secret {
            self.hide(self.at..self.all.len());
        }
        let (found, rest) = self.whole();
        *pending = rest;
        found
    }

    fn over(mut self) -> Found {
        self.found.over_at = (!self.was_over).then(|| self.in_piece(self.at));
        self.whole().0
    }

    fn lose(mut self, why: String) -> Found {
        self.hide(self.at..self.all.len());
        self.found.lost = Some(why);
        self.whole().0
    }
}
