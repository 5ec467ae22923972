//! What a viewer sends once it is let in: whether somebody does something, and what may pass of one who only looks on.

use std::mem;

use streamspace_rfb::{
    Area, Encoding, Error, Limits, PixelFormat,
    message::{ClientMessage, ClientParser, Progress, Rect, ServerMessage},
};

/// The type of the message with a text that was cut.
const CUT_TEXT: u8 = 6;
/// Of an extended text that was cut, what says that the viewer has one, or sends it. The other actions are answers that no user
/// has a part in (the community's specification, 7.5.6.1).
const NOTIFIES_OR_PROVIDES: u32 = 1 << 27 | 1 << 28;
/// The General Input Interface: whoever asks for it sends messages of lengths that are agreed on in others.
const GII: Encoding = Encoding(-305);
/// What is kept of a message that has not come as a whole, in bytes, beyond which memory is given back.
const KEPT: usize = 64 * 1024;

/// Reads what a viewer sends, behind the handshake.
#[derive(Debug)]
pub(super) struct Messages {
    parser: ClientParser,
    /// The beginning of a message. Shorter than the longest one that is no text: 16 KiB of encodings.
    pending: Vec<u8>,
    /// What is to come of a text. It may be 16 MiB long, and is never kept.
    skip: usize,
}

impl Messages {
    pub(super) fn new(limits: Limits) -> Self {
        Self { parser: ClientParser::after_handshake(limits), pending: Vec::new(), skip: 0 }
    }

    /// Whether somebody does something with these bytes. What is no message counts, since it may be one that is not known here:
    /// better a session that stays than one that is taken for idle. The next piece is then read as the beginning of a message.
    pub(super) fn watch(&mut self, bytes: &[u8]) -> bool {
        self.read(bytes, None).unwrap_or(true)
    }

    /// Appends to `passed` whatever changes nothing but what this viewer is sent.
    ///
    /// # Errors
    ///
    /// For what is no message: the desktop might take it for one.
    pub(super) fn filter(&mut self, bytes: &[u8], passed: &mut Vec<u8>) -> Result<(), Error> {
        self.read(bytes, Some(passed)).map(drop)
    }

    fn read(&mut self, bytes: &[u8], mut passed: Option<&mut Vec<u8>>) -> Result<bool, Error> {
        let mut joined = mem::take(&mut self.pending);
        let is_joined = !joined.is_empty();
        if is_joined {
            joined.extend_from_slice(bytes);
        }
        let all = if is_joined { &joined[..] } else { bytes };
        let (mut at, mut input) = (0, false);
        loop {
            let rest = &all[at..];
            let skipped = self.skip.min(rest.len());
            if skipped > 0 {
                (at, self.skip) = (at + skipped, self.skip - skipped);
                continue;
            }
            match rest.first() {
                None => break,
                Some(&CUT_TEXT) => match cut_text(rest)? {
                    Some((length, is_input)) => {
                        input |= is_input;
                        self.skip = length;
                    }
                    None => break,
                },
                Some(_) => match self.parser.parse(rest)? {
                    Progress::Message { consumed, message } => {
                        input |= is_input(&message);
                        match &mut passed {
                            Some(passed) => pass(&message, &rest[..consumed], passed),
                            None => self.expect(&message),
                        }
                        at += consumed;
                    }
                    Progress::Need { .. } => break,
                },
            }
        }
        self.pending = if is_joined {
            joined.drain(..at);
            joined
        } else {
            all[at..].to_vec()
        };
        if self.pending.capacity() > KEPT {
            self.pending.shrink_to_fit();
        }
        Ok(input)
    }

    /// The desktop would say whether it takes more than eight buttons, in the midst of its updates, which are not read. Whoever
    /// asks for that is taken at its word: a message that is read wrongly for it costs a note of something done.
    fn expect(&mut self, message: &ClientMessage<'_>) {
        if let ClientMessage::SetEncodings(encodings) = message
            && encodings.iter().any(|encoding| encoding == Encoding::EXTENDED_MOUSE_BUTTONS)
        {
            self.parser.heard(&ServerMessage::Rect(Rect {
                area: Area::new(0, 0, 0, 0),
                encoding: Encoding::EXTENDED_MOUSE_BUTTONS,
                format: PixelFormat::BGRX,
                payload: &[],
                last: true,
            }));
        }
    }
}

fn is_input(message: &ClientMessage<'_>) -> bool {
    matches!(
        message,
        ClientMessage::Key { .. }
            | ClientMessage::Pointer { .. }
            | ClientMessage::ExtendedKey { .. }
            | ClientMessage::Xvp { .. }
    )
}

/// How long a message with a text is, and whether its user has cut one; `None` until enough of it has come.
fn cut_text(bytes: &[u8]) -> Result<Option<(usize, bool)>, Error> {
    const HEAD: usize = 8;
    let number = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes);
    let Some(length) = number(4).map(u32::cast_signed) else { return Ok(None) };
    let limit = Limits::default().cut_text;
    let long = length.unsigned_abs();
    if long > limit {
        let what = "a cut text";
        return Err(Error::TooMuch { what, limit: limit.into(), found: long.into(), at: 4 });
    }
    let is_input = match length {
        0.. => true,
        -3..0 => {
            return Err(Error::Unexpected {
                what: "an extended cut text",
                expected: "at least the 4 bytes of its flags",
                found: long.to_string(),
                at: 4,
            });
        }
        _ => match number(HEAD) {
            Some(flags) => flags & NOTIFIES_OR_PROVIDES != 0,
            None => return Ok(None),
        },
    };
    Ok(Some((HEAD + long as usize, is_input)))
}

/// Appends a message of one who only looks on, unless it does something to the session.
fn pass(message: &ClientMessage<'_>, bytes: &[u8], passed: &mut Vec<u8>) {
    match message {
        ClientMessage::SetEncodings(encodings) => {
            // These would change what the viewer's own messages look like.
            let is_kept = |encoding: &Encoding| ![Encoding::EXTENDED_MOUSE_BUTTONS, GII].contains(encoding);
            let kept: Vec<Encoding> = encodings.iter().filter(is_kept).collect();
            passed.extend_from_slice(&bytes[..2]);
            // No more than there were.
            passed.extend_from_slice(&(kept.len() as u16).to_be_bytes());
            for Encoding(number) in kept {
                passed.extend_from_slice(&number.to_be_bytes());
            }
        }
        ClientMessage::SetPixelFormat(_)
        | ClientMessage::UpdateRequest { .. }
        | ClientMessage::ContinuousUpdates { .. }
        | ClientMessage::Fence(_)
        | ClientMessage::Audio { .. } => passed.extend_from_slice(bytes),
        // Keys, pointers, sizes, shutdowns, and whatever is added to the protocol.
        _ => {}
    }
}
