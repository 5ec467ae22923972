//! EBML, the form that Matroska is written in (RFC 8794).

/// Ids of elements, with the bits that say their length (RFC 9559).
pub(crate) mod id {
    pub(crate) const EBML: u32 = 0x1A45_DFA3;
    pub(crate) const EBML_VERSION: u32 = 0x4286;
    pub(crate) const EBML_READ_VERSION: u32 = 0x42F7;
    pub(crate) const EBML_MAX_ID_LENGTH: u32 = 0x42F2;
    pub(crate) const EBML_MAX_SIZE_LENGTH: u32 = 0x42F3;
    pub(crate) const DOC_TYPE: u32 = 0x4282;
    pub(crate) const DOC_TYPE_VERSION: u32 = 0x4287;
    pub(crate) const DOC_TYPE_READ_VERSION: u32 = 0x4285;
    pub(crate) const VOID: u32 = 0xEC;
    pub(crate) const SEGMENT: u32 = 0x1853_8067;
    pub(crate) const SEEK_HEAD: u32 = 0x114D_9B74;
    pub(crate) const SEEK: u32 = 0x4DBB;
    pub(crate) const SEEK_ID: u32 = 0x53AB;
    pub(crate) const SEEK_POSITION: u32 = 0x53AC;
    pub(crate) const INFO: u32 = 0x1549_A966;
    pub(crate) const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
    pub(crate) const DURATION: u32 = 0x4489;
    pub(crate) const MUXING_APP: u32 = 0x4D80;
    pub(crate) const WRITING_APP: u32 = 0x5741;
    pub(crate) const TRACKS: u32 = 0x1654_AE6B;
    pub(crate) const TRACK_ENTRY: u32 = 0xAE;
    pub(crate) const TRACK_NUMBER: u32 = 0xD7;
    pub(crate) const TRACK_UID: u32 = 0x73C5;
    pub(crate) const TRACK_TYPE: u32 = 0x83;
    pub(crate) const FLAG_LACING: u32 = 0x9C;
    pub(crate) const CODEC_ID: u32 = 0x86;
    pub(crate) const CODEC_PRIVATE: u32 = 0x63A2;
    pub(crate) const VIDEO: u32 = 0xE0;
    pub(crate) const FLAG_INTERLACED: u32 = 0x9A;
    pub(crate) const PIXEL_WIDTH: u32 = 0xB0;
    pub(crate) const PIXEL_HEIGHT: u32 = 0xBA;
    pub(crate) const COLOUR: u32 = 0x55B0;
    pub(crate) const MATRIX_COEFFICIENTS: u32 = 0x55B1;
    pub(crate) const BITS_PER_CHANNEL: u32 = 0x55B2;
    pub(crate) const CHROMA_SUBSAMPLING_HORZ: u32 = 0x55B3;
    pub(crate) const CHROMA_SUBSAMPLING_VERT: u32 = 0x55B4;
    pub(crate) const CHROMA_SITING_HORZ: u32 = 0x55B7;
    pub(crate) const CHROMA_SITING_VERT: u32 = 0x55B8;
    pub(crate) const RANGE: u32 = 0x55B9;
    pub(crate) const TRANSFER_CHARACTERISTICS: u32 = 0x55BA;
    pub(crate) const PRIMARIES: u32 = 0x55BB;
    pub(crate) const CLUSTER: u32 = 0x1F43_B675;
    pub(crate) const TIMESTAMP: u32 = 0xE7;
    pub(crate) const SIMPLE_BLOCK: u32 = 0xA3;
    pub(crate) const CHAPTERS: u32 = 0x1043_A770;
    pub(crate) const EDITION_ENTRY: u32 = 0x45B9;
    pub(crate) const CHAPTER_ATOM: u32 = 0xB6;
    pub(crate) const CHAPTER_UID: u32 = 0x73C4;
    pub(crate) const CHAPTER_TIME_START: u32 = 0x91;
    pub(crate) const CHAPTER_DISPLAY: u32 = 0x80;
    pub(crate) const CHAP_STRING: u32 = 0x85;
    pub(crate) const CHAP_LANGUAGE: u32 = 0x437C;
    pub(crate) const CUES: u32 = 0x1C53_BB6B;
    pub(crate) const CUE_POINT: u32 = 0xBB;
    pub(crate) const CUE_TIME: u32 = 0xB3;
    pub(crate) const CUE_TRACK_POSITIONS: u32 = 0xB7;
    pub(crate) const CUE_TRACK: u32 = 0xF7;
    pub(crate) const CUE_CLUSTER_POSITION: u32 = 0xF1;
}

/// A size that says that the end of the element is not known yet.
pub(crate) const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

/// Elements, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Elements(pub(crate) Vec<u8>);

impl Elements {
    pub(crate) fn id(&mut self, id: u32) -> &mut Self {
        let bytes = id.to_be_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        self.0.extend(&bytes[zeros..]);
        self
    }

    pub(crate) fn bytes(&mut self, id: u32, bytes: &[u8]) -> &mut Self {
        self.id(id).0.extend(size(bytes.len() as u64));
        self.0.extend(bytes);
        self
    }

    pub(crate) fn text(&mut self, id: u32, text: &str) -> &mut Self {
        self.bytes(id, text.as_bytes())
    }

    pub(crate) fn number(&mut self, id: u32, number: u64) -> &mut Self {
        let bytes = number.to_be_bytes();
        let zeros = bytes.iter().take(7).take_while(|byte| **byte == 0).count();
        self.bytes(id, &bytes[zeros..])
    }

    /// An element of others.
    pub(crate) fn master(&mut self, id: u32, write: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inside = Self::default();
        write(&mut inside);
        self.bytes(id, &inside.0)
    }

    /// Bytes that mean nothing, `length` of them with their head; at least 9, so that their size has 8 bytes.
    pub(crate) fn void(&mut self, length: usize) -> &mut Self {
        self.id(id::VOID).0.extend(long_size(length.saturating_sub(9) as u64));
        self.0.resize(self.0.len() + length.saturating_sub(9), 0);
        self
    }
}

/// A size in as few bytes as can say it. All ones are not a size.
pub(crate) fn size(of: u64) -> Vec<u8> {
    let length = (1..8).find(|length| of < (1 << (7 * length)) - 1).unwrap_or(8);
    long_size(of)[8 - length..]
        .iter()
        .enumerate()
        .map(|(i, byte)| if i == 0 && length < 8 { byte | 1 << (8 - length) } else { *byte })
        .collect()
}

/// A size in eight bytes.
pub(crate) fn long_size(of: u64) -> [u8; 8] {
    (of & ((1 << 56) - 1) | 1 << 56).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_short_as_they_can_be() {
        for (of, bytes) in [
            (0, &[0x80][..]),
            (126, &[0xFE]),
            (127, &[0x40, 0x7F]),
            (16_382, &[0x7F, 0xFE]),
            (16_383, &[0x20, 0x3F, 0xFF]),
            (1 << 32, &[0x09, 0, 0, 0, 0]),
        ] {
            assert_eq!(size(of), bytes, "{of}");
        }
        assert_eq!(size((1 << 56) - 2), [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE]);
    }

    #[test]
    fn elements_hold_elements() {
        let mut all = Elements::default();
        all.master(id::CUE_POINT, |point| {
            point.number(id::CUE_TIME, 0).number(id::CUE_TRACK, 256);
        });
        assert_eq!(all.0, [0xBB, 0x87, 0xB3, 0x81, 0, 0xF7, 0x82, 1, 0]);
        all.void(20);
        assert_eq!(all.0.len(), 29);
    }
}
