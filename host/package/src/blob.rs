//! Files in the package, each pressed together alone.

use std::io::{self, BufReader, Read, Write};

use ruzstd::decoding::StreamingDecoder;
use sha2::{Digest, Sha256};

use crate::{Blob, ContentHash, PackageError};

/// The largest window of zstd, as RFC 8878, section 3.1.1.1.2 recommends for all decoders: 8 MiB.
const MAX_WINDOW: u64 = 8 * 1024 * 1024;
/// As a power of two.
const WINDOW_LOG: u32 = 23;
/// The level that is packed with. It is part of the format's determinism: another one makes other bytes.
const LEVEL: i32 = 19;
/// How much is read and written at once.
const PIECE: usize = 64 * 1024;

/// Packs bytes.
pub(crate) fn pack(bytes: &[u8]) -> io::Result<(Blob, Vec<u8>)> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(false)?;
    encoder.include_contentsize(true)?;
    encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
    encoder.window_log(WINDOW_LOG)?;
    encoder.write_all(bytes)?;
    let packed = encoder.finish()?;
    let blob = Blob {
        sha256: ContentHash::of(bytes),
        size: bytes.len() as u64,
        compressed_sha256: ContentHash::of(&packed),
        compressed_size: packed.len() as u64,
    };
    Ok((blob, packed))
}

/// Checks the hash of what is packed. `source` stands behind it afterwards.
pub(crate) fn check_packed(source: &mut impl Read, file: &str, blob: &Blob) -> Result<(), PackageError> {
    let mut packed = source.take(blob.compressed_size);
    let mut hasher = Sha256::new();
    let found = each_piece(&mut packed, |piece| {
        hasher.update(piece);
        Ok(())
    })
    .map_err(PackageError::io(format!("read {file}")))?;
    if found != blob.compressed_size {
        return Err(differs(file, "the compressed size", blob.compressed_size, found));
    }
    let found = ContentHash::finished(hasher);
    if found != blob.compressed_sha256 {
        return Err(differs(file, "the compressed SHA-256", blob.compressed_sha256, found));
    }
    Ok(())
}

/// Decodes a blob from where `source` stands: one frame, exactly as long as the blob, with exactly its bytes.
pub(crate) fn decode(
    source: &mut impl Read,
    file: &str,
    blob: &Blob,
    out: &mut impl Write,
) -> Result<(), PackageError> {
    let expected = blob.size;
    let undecodable = |found: String| PackageError::Decode { file: file.to_owned(), expected, found };
    let packed = BufReader::new(source.take(blob.compressed_size));
    let mut decoder = StreamingDecoder::new_with_max_window_size(packed, MAX_WINDOW)
        .map_err(|why| undecodable(why.to_string()))?;
    let mut hasher = Sha256::new();
    let mut size = 0;
    let mut piece = vec![0; PIECE];
    loop {
        let read = decoder.read(&mut piece).map_err(|why| undecodable(why.to_string()))?;
        if read == 0 {
            break;
        }
        size += read as u64;
        // Before anything of it is written: what is too much may be endless.
        if size > expected {
            return Err(undecodable("more bytes".to_owned()));
        }
        hasher.update(&piece[..read]);
        out.write_all(&piece[..read]).map_err(PackageError::io(format!("write {file}")))?;
    }
    if size != expected {
        return Err(undecodable(format!("{size} bytes")));
    }
    let packed = decoder.into_inner();
    if !packed.buffer().is_empty() || packed.get_ref().limit() > 0 {
        return Err(undecodable("something behind the frame".to_owned()));
    }
    let found = ContentHash::finished(hasher);
    if found != blob.sha256 {
        return Err(differs(file, "SHA-256", blob.sha256, found));
    }
    out.flush().map_err(PackageError::io(format!("write {file}")))
}

fn differs(
    file: &str,
    what: &'static str,
    expected: impl std::fmt::Display,
    found: impl std::fmt::Display,
) -> PackageError {
    PackageError::Blob {
        file: file.to_owned(),
        what,
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

/// Reads to the end, and answers with how much that was.
fn each_piece(source: &mut impl Read, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let mut piece = vec![0; PIECE];
    let mut all = 0;
    loop {
        match source.read(&mut piece) {
            Ok(0) => return Ok(all),
            Ok(read) => {
                take(&piece[..read])?;
                all += read as u64;
            }
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
}
