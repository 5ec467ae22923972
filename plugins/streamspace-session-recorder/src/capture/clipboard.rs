//! Texts that are cut.

use std::io::Read;

use flate2::bufread::ZlibDecoder;
use streamspace_rfb::message::CutText;

use super::{Capture, Clipboard};
use crate::scene::{Moment, Scene, Side, Sink};

/// Bytes of a text that are kept at most: 1 MiB. Its length is that of all of it.
const TEXT: usize = 1 << 20;

/// Extended Clipboard: what is in it is the texts, and one of them is plain.
const PROVIDE: u32 = 1 << 28;
const PLAIN: u32 = 1;

impl<S: Sink> Capture<S> {
    pub(super) fn cut_text(&mut self, at: Moment, from: Side, text: &CutText<'_>) -> Result<(), S::Error> {
        let policy = self.options().clipboard;
        if policy == Clipboard::Off || self.is_paused() {
            return Ok(());
        }
        let Some((length, kept)) = read(text, policy == Clipboard::Text) else { return Ok(()) };
        let at = self.clamp(at);
        let text = kept.as_deref();
        self.sink_mut().put(at, &Scene::Clipboard { from, length, text })
    }
}

/// The length of a text, and the text if it is wanted; none if there is no text in it.
fn read(text: &CutText<'_>, wanted: bool) -> Option<(u32, Option<String>)> {
    match *text {
        // Latin-1, whose characters are the first of Unicode.
        CutText::Plain(text) => {
            let kept = || text[..text.len().min(TEXT)].iter().map(|byte| char::from(*byte)).collect();
            Some((u32::try_from(text.len()).unwrap_or(u32::MAX), wanted.then(kept)))
        }
        CutText::Extended { flags, data } if flags & PROVIDE != 0 && flags & PLAIN != 0 => {
            // The plain text is the first of what is in there: a length, and UTF-8 that ends with a zero.
            let mut inflated = ZlibDecoder::new(data);
            let mut length = [0; 4];
            inflated.read_exact(&mut length).ok()?;
            let length = u32::from_be_bytes(length);
            let kept = || {
                let most = u64::from(length).min(TEXT as u64);
                let mut bytes = Vec::new();
                // What does not inflate any further is cut there.
                inflated.take(most).read_to_end(&mut bytes).ok();
                String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()
            };
            Some((length.saturating_sub(1), wanted.then(kept)))
        }
        CutText::Extended { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::ZlibEncoder};

    use super::*;

    #[test]
    fn texts_of_both_kinds_are_read() {
        assert_eq!(read(&CutText::Plain(b"caf\xe9"), true), Some((4, Some("café".into()))));
        assert_eq!(read(&CutText::Plain(b"caf\xe9"), false), Some((4, None)));
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&[&[0, 0, 0, 6][..], "café\0".as_bytes()].concat()).expect("memory");
        let data = zlib.finish().expect("memory");
        let flags = PROVIDE | PLAIN;
        assert_eq!(read(&CutText::Extended { flags, data: &data }, true), Some((5, Some("café".into()))));
        assert_eq!(read(&CutText::Extended { flags, data: &data }, false), Some((5, None)));
        assert_eq!(read(&CutText::Extended { flags: 1 << 27 | PLAIN, data: &data }, true), None);
        assert_eq!(read(&CutText::Extended { flags, data: b"garbage" }, true), None);
    }

    #[test]
    fn a_text_is_bounded() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&u32::MAX.to_be_bytes()).expect("memory");
        (0..64).for_each(|_| zlib.write_all(&[b'x'; 1 << 16]).expect("memory"));
        let data = zlib.finish().expect("memory");
        let flags = PROVIDE | PLAIN;
        let (length, text) = read(&CutText::Extended { flags, data: &data }, true).expect("a text");
        assert_eq!((length, text.map(|text| text.len())), (u32::MAX - 1, Some(TEXT)));
    }
}
