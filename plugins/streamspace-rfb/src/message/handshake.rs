//! What both sides agree on first.

use std::fmt;

use crate::{
    error::Error,
    limits::Limits,
    pixel::PixelFormat,
    wire::{Put, Reader, Stop},
};

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// 3.3: the server says which security type there is.
    V3_3,
    /// 3.7: the client chooses.
    V3_7,
    /// 3.8: there is a result in any case, with a reason.
    V3_8,
}

impl Version {
    /// What is sent.
    pub const fn text(self) -> &'static [u8; 12] {
        match self {
            Self::V3_3 => b"RFB 003.003\n",
            Self::V3_7 => b"RFB 003.007\n",
            Self::V3_8 => b"RFB 003.008\n",
        }
    }

    /// Others than the three exist: 3.5 and 3.889 for example are to be taken as 3.3 and 3.8 (RFC 6143, 7.1.1; Apple's).
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Stop> {
        const EXPECTED: &str = "`RFB 003.008` and a line feed, or another version";
        let at = reader.at();
        let text = reader.array::<12>()?;
        let digits = |from: usize| {
            text[from..from + 3].iter().try_fold(0_u16, |number, digit| {
                digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0'))
            })
        };
        let version = (text.starts_with(b"RFB ") && text[7] == b'.' && text[11] == b'\n')
            .then(|| digits(4).zip(digits(8)))
            .flatten();
        match version {
            Some((3, 8..) | (4.., _)) => Ok(Self::V3_8),
            Some((3, 7)) => Ok(Self::V3_7),
            Some((3, 3..=6)) => Ok(Self::V3_3),
            _ => {
                Err(Error::unexpected("the version of the protocol", EXPECTED, text.escape_ascii(), at)
                    .into())
            }
        }
    }
}

/// How a client shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecurityType(pub u8);

impl SecurityType {
    /// Not at all.
    pub const NONE: Self = Self(1);
    /// By a password, with which it encrypts a challenge.
    pub const VNC: Self = Self(2);
    /// RA2, a type of its own. What follows cannot be read.
    pub const RA2: Self = Self(5);
    /// Tight's types. What follows is not read here.
    pub const TIGHT: Self = Self(16);
    /// TLS. What follows cannot be read.
    pub const VENCRYPT: Self = Self(19);

    /// Whether what follows is in the clear and known here.
    pub const fn is_readable(self) -> bool {
        matches!(self, Self::NONE | Self::VNC)
    }
}

impl fmt::Display for SecurityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::NONE => "None",
            Self::VNC => "VNC authentication",
            Self::RA2 => "RA2",
            Self::TIGHT => "Tight",
            Self::VENCRYPT => "VeNCrypt",
            _ => return write!(f, "security type {}", self.0),
        };
        write!(f, "security type {} ({name})", self.0)
    }
}

/// The challenge, or what a client made of it. Whoever has both can try passwords; it is not shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<'a>(pub &'a [u8; 16]);

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'a> Secret<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Stop> {
        let bytes = reader.take(16)?;
        Ok(Self(bytes.try_into().map_err(|_| Stop::Need(16 - bytes.len()))?))
    }
}

/// What a server says of its desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerInit<'a> {
    /// Width of the framebuffer.
    pub width: u16,
    /// Height of the framebuffer.
    pub height: u16,
    /// How pixels are written until the client asks for something else.
    pub format: PixelFormat,
    /// What the desktop is called; UTF-8 as a rule.
    pub name: &'a [u8],
}

impl<'a> ServerInit<'a> {
    pub(super) fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, Stop> {
        let at = reader.at();
        let (width, height) = (reader.u16()?, reader.u16()?);
        limits.check_size(width, height).map_err(|error| error.based(at as u64))?;
        let format = PixelFormat::read(reader)?;
        let name = text(reader, "the desktop's name", limits)?;
        Ok(Self { width, height, format, name })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.u16(self.width);
        out.u16(self.height);
        self.format.write(out);
        out.text(self.name);
    }
}

/// A length and as many bytes.
pub(super) fn text<'a>(
    reader: &mut Reader<'a>,
    what: &'static str,
    limits: &Limits,
) -> Result<&'a [u8], Stop> {
    let at = reader.at();
    let length = reader.u32()?;
    Error::check(what, length, limits.name.into(), at)?;
    reader.take(length as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_between_are_taken_as_the_one_below() {
        let read = |text: &[u8]| Version::read(&mut Reader::new(text)).ok();
        assert_eq!(read(b"RFB 003.003\n"), Some(Version::V3_3));
        assert_eq!(read(b"RFB 003.005\n"), Some(Version::V3_3));
        assert_eq!(read(b"RFB 003.007\n"), Some(Version::V3_7));
        assert_eq!(read(b"RFB 003.008\n"), Some(Version::V3_8));
        assert_eq!(read(b"RFB 003.889\n"), Some(Version::V3_8));
        assert_eq!(read(b"RFB 004.001\n"), Some(Version::V3_8));
        for wrong in [b"RFB 003.002\n", b"RFB 003.008\r", b"RFB 3.0008 \n", b"HTTP/1.1 400"] {
            assert_eq!(read(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(format!("{:?}", Secret(&[7; 16])), "Secret(…)");
    }
}
