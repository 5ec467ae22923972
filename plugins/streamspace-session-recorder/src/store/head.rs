//! The head of a segment.

use serde::{Deserialize, Serialize};

use super::{
    Wrong,
    format::{BEHIND, FRONT, Hash, LONGEST_DOCUMENT, MAGIC, VERSION, le32},
};

/// What the head of a segment says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The recording's id.
    pub recording: String,
    /// The session's id.
    pub session: String,
    /// When the recording's first moment was: microseconds since 1970, UTC.
    pub started_at: u64,
    /// The segment's number, from 0.
    pub segment: u32,
    /// When it begins: microseconds since the recording's first moment.
    pub begins: u64,
    /// The size of the screen when it began, in pixels; none if there was no picture yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[u16; 2]>,
    /// How blocks are encrypted: `aes-256-gcm`, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// The final hash of the segment before, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}

pub(super) const CIPHER: &str = "aes-256-gcm";

impl Head {
    /// Whether blocks are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.encryption.is_some()
    }

    /// Its bytes, and the hash with which the chain begins.
    pub(super) fn to_bytes(&self) -> Result<(Vec<u8>, Hash), Wrong> {
        let wrong = |found: String| Wrong::content("the head of a segment", "at most 64 KiB of JSON", found);
        let document = serde_json::to_vec(self).map_err(|error| wrong(error.to_string()))?;
        if document.len() > LONGEST_DOCUMENT {
            return Err(wrong(document.len().to_string()));
        }
        let mut bytes = Vec::with_capacity(FRONT + document.len() + BEHIND);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend((document.len() as u32).to_le_bytes());
        bytes.extend(document);
        let hash = Hash::of(&[&bytes]);
        bytes.extend(hash.0);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        Ok((bytes, hash))
    }

    /// How many bytes the head has behind these.
    pub(super) fn rest(front: &[u8; FRONT]) -> Result<usize, Wrong> {
        if front[..8] != MAGIC {
            let found = front[..8].escape_ascii();
            return Err(Wrong::content("the first bytes of a segment", MAGIC.escape_ascii(), found));
        }
        let version = u16::from_le_bytes([front[8], front[9]]);
        if version != VERSION || front[10..12] != [0; 2] {
            return Err(Wrong::content("the version of a segment", VERSION, version));
        }
        match le32(front, 12) as usize {
            length @ 0..=LONGEST_DOCUMENT => Ok(length + BEHIND),
            length => Err(Wrong::content("the bytes of a segment's head", LONGEST_DOCUMENT, length)),
        }
    }

    /// From all of its bytes.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, Hash), Wrong> {
        let behind = bytes.len().saturating_sub(BEHIND);
        let (front, hash) = bytes.split_at(behind);
        let (written, found) = (le32(hash, 32), crc32c::crc32c(&bytes[..bytes.len() - 4]));
        if written != found {
            return Err(Wrong::Crc { written, found });
        }
        let found = Hash::of(&[front]);
        if hash[..32] != found.0 {
            return Err(Wrong::Chain);
        }
        let document = front.get(FRONT..).unwrap_or_default();
        let head: Self = serde_json::from_slice(document)
            .map_err(|error| Wrong::content("the head of a segment", "its keys", error))?;
        if head.encryption.as_ref().is_some_and(|encryption| encryption != CIPHER) {
            let found = head.encryption.unwrap_or_default();
            return Err(Wrong::content("the encryption of a segment", CIPHER, found));
        }
        Ok((head, found))
    }
}
