//! Reading and writing numbers.

use crate::error::Error;

/// Why reading stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// So many more bytes at least.
    Need(usize),
    Bad(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Bad(error)
    }
}

impl Stop {
    /// Where there will be no more bytes.
    pub(crate) fn at_the_end(self, what: &'static str, at: usize) -> Error {
        match self {
            Self::Need(missing) => Error::Short { what, missing: missing as u64, at: at as u64 },
            Self::Bad(error) => error,
        }
    }
}

/// Reads from borrowed bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> usize {
        self.bytes.len() - self.at
    }

    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        match self.bytes[self.at..].get(..count) {
            Some(taken) => {
                self.at += count;
                Ok(taken)
            }
            None => Err(Stop::Need(count - self.rest())),
        }
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        match self.bytes[self.at..].first_chunk() {
            Some(taken) => {
                self.at += N;
                Ok(*taken)
            }
            None => Err(Stop::Need(N - self.rest())),
        }
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Stop> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, Stop> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, Stop> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Stop> {
        self.array().map(i32::from_be_bytes)
    }
}

/// Writing, as the protocol has numbers.
pub(crate) trait Put {
    fn u8(&mut self, value: u8);
    fn u16(&mut self, value: u16);
    fn u32(&mut self, value: u32);
    fn bytes(&mut self, bytes: &[u8]);
    fn padding(&mut self, count: usize);
    /// A length and as many bytes. What is longer than a length can say is cut.
    fn text(&mut self, text: &[u8]);
}

impl Put for Vec<u8> {
    fn u8(&mut self, value: u8) {
        self.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn padding(&mut self, count: usize) {
        self.resize(self.len() + count, 0);
    }

    fn text(&mut self, text: &[u8]) {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Put::u32(self, length);
        self.extend_from_slice(&text[..length as usize]);
    }
}
