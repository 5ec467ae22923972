//! The archive around it: ustar, of which one form of header is allowed.
//!
//! A header is made from a name and a size, and one that is read must be the same 512 bytes. What else ustar, PAX and GNU
//! know is only known by name, to say what was found.

use crate::{PackageError, error::shown};

/// The size of a header, and what a file is filled up to.
pub(crate) const BLOCK: u64 = 512;
/// Two blocks of zeros end the archive.
pub(crate) const END: u64 = 2 * BLOCK;
/// The largest file: eleven octal digits.
pub(crate) const MAX_SIZE: u64 = 0o77_777_777_777;

/// The header of a regular file. The name has at most 100 bytes, the size at most [`MAX_SIZE`].
pub(crate) fn header(name: &str, size: u64) -> [u8; BLOCK as usize] {
    let mut header = [0; BLOCK as usize];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0"); // mode
    put(108, b"0000000\0"); // owner
    put(116, b"0000000\0"); // group
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0"); // time
    put(148, b"        "); // the sum is made as if it were blanks
    put(156, b"0"); // a regular file
    put(257, b"ustar\x0000"); // and its version
    put(329, b"0000000\0"); // device
    put(337, b"0000000\0");
    let sum = checksum(&header);
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// How many bytes a file takes, filled up to whole blocks.
pub(crate) fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK) * BLOCK
}

/// What the header of `name` says of its size, if it is exactly the header for that.
pub(crate) fn size_in(bytes: &[u8; BLOCK as usize], name: &str) -> Result<u64, PackageError> {
    let digits = |byte: &u8| (b'0'..=b'7').contains(byte);
    let field = &bytes[124..135];
    if field.iter().all(digits) {
        let size = field.iter().fold(0, |size, digit| size * 8 + u64::from(digit - b'0'));
        if *bytes == header(name, size) {
            return Ok(size);
        }
    }
    Err(refusal(bytes, name))
}

/// Checks that a header is that of `name` with `size`.
pub(crate) fn expect(bytes: &[u8; BLOCK as usize], name: &str, size: u64) -> Result<(), PackageError> {
    let found = size_in(bytes, name)?;
    if found == size {
        return Ok(());
    }
    Err(PackageError::Header {
        entry: name.to_owned(),
        field: "the size",
        expected: size.to_string(),
        found: found.to_string(),
    })
}

fn checksum(header: &[u8; BLOCK as usize]) -> u32 {
    let blank = |at: usize| (148..156).contains(&at);
    header.iter().enumerate().map(|(at, byte)| u32::from(if blank(at) { b' ' } else { *byte })).sum()
}

/// What is wrong with a header that is not the one of `name`: the first thing that a person would want to know.
fn refusal(bytes: &[u8; BLOCK as usize], name: &str) -> PackageError {
    let until_nul = |field: &[u8]| field.split(|byte| *byte == 0).next().map_or_else(String::new, shown);
    if bytes.iter().all(|byte| *byte == 0) {
        return PackageError::Entry { expected: name.to_owned(), found: "the end of the archive".to_owned() };
    }
    let differs = |field: &'static str, expected: String, found: String| PackageError::Header {
        entry: name.to_owned(),
        field,
        expected,
        found,
    };
    let found_name = until_nul(&bytes[..100]);
    // PAX and GNU archives have their own kinds of entries, which say more than that they are of GNU.
    let kind = match bytes[156] {
        b'0' => None,
        0 => Some("a file of a tar older than ustar"),
        b'1' => Some("a hard link"),
        b'2' => Some("a symbolic link"),
        b'3' => Some("a character device"),
        b'4' => Some("a block device"),
        b'5' => Some("a folder"),
        b'6' => Some("a pipe"),
        b'7' => Some("a contiguous file"),
        b'x' => Some("a PAX header"),
        b'g' => Some("a global PAX header"),
        b'L' => Some("a GNU long name"),
        b'K' => Some("a GNU long link"),
        b'S' => Some("a GNU sparse file"),
        b'D' => Some("a GNU folder"),
        b'M' => Some("a GNU continuation"),
        b'V' => Some("a GNU volume"),
        _ => Some("an entry of an unknown kind"),
    };
    let is_tar = bytes[257..].starts_with(b"ustar");
    if let (true, Some(kind)) = (is_tar, kind) {
        return PackageError::EntryKind { entry: found_name, found: kind.to_owned() };
    }
    if !bytes[257..].starts_with(b"ustar\x0000") {
        return differs("the magic", "`ustar\\x0000`".to_owned(), shown(&bytes[257..265]));
    }
    let wanted = format!("`{name}`");
    let prefixed = bytes[345..500].iter().any(|byte| *byte != 0);
    if found_name != wanted || prefixed {
        let found =
            if prefixed { format!("{found_name} below {}", until_nul(&bytes[345..500])) } else { found_name };
        return PackageError::Entry { expected: name.to_owned(), found };
    }
    let sum = format!("{:06o}\0 ", checksum(bytes));
    if bytes[148..156] != *sum.as_bytes() {
        return differs("the checksum", shown(sum.as_bytes()), shown(&bytes[148..156]));
    }
    let right = header(name, 0);
    let fields = [
        ("the name", 0..100),
        ("the mode", 100..108),
        ("the owner", 108..116),
        ("the group", 116..124),
        ("the time", 136..148),
        ("the name of a link", 157..257),
        ("the names of owner and group", 265..329),
        ("the device", 329..345),
        ("the rest", 345..512),
    ];
    for (field, range) in fields {
        if bytes[range.clone()] != right[range.clone()] {
            let text = |bytes: &[u8]| match bytes.iter().all(|byte| *byte == 0) {
                true => "zeros".to_owned(),
                false => shown(bytes),
            };
            return differs(field, text(&right[range.clone()]), text(&bytes[range]));
        }
    }
    differs("the size", "eleven octal digits and a NUL".to_owned(), shown(&bytes[124..136]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_its_size_and_nothing_else_passes() {
        for size in [0, 1, 511, 512, 1 << 20, MAX_SIZE] {
            assert_eq!(size_in(&header("package.json", size), "package.json").ok(), Some(size));
        }
        let right = header("package.json", 1234);
        for at in 0..right.len() {
            for bit in 0..8 {
                let mut wrong = right;
                wrong[at] ^= 1 << bit;
                let refused = size_in(&wrong, "package.json").expect_err("one bit is another");
                assert!(!refused.to_string().is_empty());
            }
        }
    }
}
