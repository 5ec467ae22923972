//! Deflating, in streams that live as long as the connection.

use flate2::{Compress, Compression, FlushCompress};

use crate::error::Error;

/// A stream; made when it is first needed.
#[derive(Debug)]
pub(super) struct Deflater {
    stream: Option<Compress>,
    level: u8,
}

impl Deflater {
    pub(super) fn new(level: u8) -> Self {
        Self { stream: None, level }
    }

    /// Appends what it deflates to, up to the last byte.
    pub(super) fn deflate(&mut self, from: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let stream =
            self.stream.get_or_insert_with(|| Compress::new(Compression::new(self.level.into()), true));
        let start = stream.total_in();
        loop {
            // What deflates badly grows a little; the rest is for the flush.
            let read = (stream.total_in() - start) as usize;
            out.reserve((from.len() - read) / 2 + 256);
            stream.compress_vec(&from[read..], out, FlushCompress::Sync).map_err(|error| Error::Zlib {
                what: "the deflated pixels",
                why: error.to_string(),
                at: read as u64,
            })?;
            // Room that is left over says that there was nothing more to write.
            if (stream.total_in() - start) as usize == from.len() && out.len() < out.capacity() {
                return Ok(());
            }
        }
    }
}
