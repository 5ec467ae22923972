//! zlib, for what only has to be read again.

/// `data` as a stream of zlib in which nothing is compressed.
///
/// # Panics
///
/// When it is longer than a block may be, which is 65,535 bytes.
#[must_use]
pub fn zlib_stored(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    let mut all = vec![0x78, 0x01, 0x01];
    all.extend(length.to_le_bytes());
    all.extend((!length).to_le_bytes());
    all.extend(data);
    all.extend(((b << 16) | a).to_be_bytes());
    all
}
