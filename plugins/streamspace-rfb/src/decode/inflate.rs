//! What was deflated, in streams that live as long as the connection.

use flate2::{Decompress, FlushDecompress};

use crate::error::Error;

/// A stream; made when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Inflater {
    stream: Option<Decompress>,
}

impl Inflater {
    /// The next bytes are those of a new stream.
    pub(crate) fn reset(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.reset(true);
        }
    }

    /// Inflates all of `from` into `out`, of which the first bytes are overwritten. It may be `most` bytes; how many it is, is
    /// returned.
    pub(crate) fn inflate(
        &mut self,
        what: &'static str,
        from: &[u8],
        most: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        // One byte more, to see whether there is more. What is short inflates to little as a rule, so it gets little at first: twice
        // as much is enough for photographs, whose memory is what counts. What inflates to more has its room doubled.
        let end = most + 1;
        let mut room = out.len().max(from.len().saturating_mul(2)).clamp(4096, end.max(4096)).min(end);
        let stream = self.stream.get_or_insert_with(|| Decompress::new(true));
        let (mut read, mut written) = (0, 0);
        while read < from.len() {
            if written == room {
                room = room.saturating_mul(2).min(end);
            }
            if out.len() < room {
                out.resize(room, 0);
            }
            let before = (stream.total_in(), stream.total_out());
            let refused = |why: String| Error::Zlib { what, why, at: read as u64 };
            stream
                .decompress(&from[read..], &mut out[written..room], FlushDecompress::Sync)
                .map_err(|error| refused(error.to_string()))?;
            let (taken, given) = (stream.total_in() - before.0, stream.total_out() - before.1);
            if (taken, given) == (0, 0) {
                return Err(refused("a stream that is over".to_owned()));
            }
            // Both are parts of slices.
            read += taken as usize;
            written += given as usize;
            Error::check(what, written, most as u64, 0)?;
        }
        Ok(written)
    }

    /// The same, where it must be so many bytes.
    pub(crate) fn exactly<'a>(
        &mut self,
        what: &'static str,
        from: &[u8],
        length: usize,
        out: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], Error> {
        let written = self.inflate(what, from, length, out)?;
        match length - written {
            0 => Ok(&out[..length]),
            missing => Err(Error::Short { what, missing: missing as u64, at: written as u64 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    fn deflate(stream: &mut Compress, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 1000);
        stream.compress_vec(bytes, &mut out, FlushCompress::Sync).expect("it deflates");
        out
    }

    #[test]
    fn a_stream_goes_on_from_piece_to_piece() {
        let mut stream = Compress::new(Compression::fast(), true);
        let mut inflater = Inflater::default();
        let mut out = Vec::new();
        for piece in [&b"one and one"[..], b"", b"one and one and one", &[7; 100_000]] {
            let deflated = deflate(&mut stream, piece);
            assert_eq!(inflater.exactly("it", &deflated, piece.len(), &mut out).expect("it inflates"), piece);
        }
    }

    #[test]
    fn what_hardly_gets_smaller_has_little_memory() {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 26) as u8
        };
        let noise: Vec<u8> = (0..1_000_000).map(|_| next()).collect();
        let deflated = deflate(&mut Compress::new(Compression::fast(), true), &noise);
        let mut out = Vec::new();
        let written =
            Inflater::default().inflate("it", &deflated, 10_000_000, &mut out).expect("it inflates");
        assert_eq!(written, noise.len());
        assert!(out.capacity() < 2_200_000, "{} bytes of memory for {written}", out.capacity());
    }

    #[test]
    fn what_inflates_to_more_or_less_is_refused() {
        let deflated = deflate(&mut Compress::new(Compression::best(), true), &vec![0; 10_000_000]);
        let mut out = Vec::new();
        let refused = Inflater::default().exactly("it", &deflated, 1000, &mut out).expect_err("more");
        assert!(matches!(refused, Error::TooMuch { limit: 1000, .. }), "{refused}");
        assert!(out.len() < 2000);
        let refused = Inflater::default().exactly("it", &deflated[..100], 1_000_000, &mut out);
        assert!(matches!(refused, Err(Error::Short { .. })), "{refused:?}");
        let mut small = Vec::new();
        assert!(Inflater::default().exactly("it", &deflated[..20], 1 << 30, &mut small).is_err());
        assert!(small.len() < 1 << 20, "{} bytes of memory for 20", small.len());
        let refused = Inflater::default().exactly("it", b"no zlib", 1000, &mut out);
        assert!(matches!(refused, Err(Error::Zlib { .. })), "{refused:?}");
    }
}
