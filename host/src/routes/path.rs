//! The path of a request, from the bytes that were sent.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The plugin's name and the decoded path below its own, from what stands behind `/api/plugins/`.
///
/// `None` for a path that could be read in two ways: with an empty segment, a segment `.` or `..`, encoded or not, or
/// with an encoded `/`, `\` or NUL. Nothing is ever normalised, so that what was matched is what the handler reads.
#[must_use]
pub fn split(sent: &str) -> Option<(&str, Cow<'_, str>)> {
    let (name, below) = sent.find('/').map_or((sent, "/"), |at| sent.split_at(at));
    let decoded = match below.contains('%') {
        true => percent_decode_str(below).decode_utf8().ok()?,
        false => Cow::Borrowed(below),
    };
    let slashes = |path: &str| path.bytes().filter(|byte| *byte == b'/').count();
    let is_ambiguous = match &decoded {
        Cow::Borrowed(path) => is_ambiguous(path),
        // A `/` that was encoded.
        Cow::Owned(path) => is_ambiguous(path) || slashes(path) != slashes(below),
    };
    if is_ambiguous {
        return None;
    }
    Some((name, decoded))
}

/// Whether a path that begins with `/` could be read in two ways, in one pass: every request pays for it.
fn is_ambiguous(path: &str) -> bool {
    let bytes = path.as_bytes();
    let mut segment = 1;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'\\' | b'\0' => return true,
            b'/' if matches!(&bytes[segment..at], b"" | b"." | b"..") => return true,
            b'/' => segment = at + 1,
            _ => {}
        }
    }
    // What stands behind a last `/` is empty, and a path of its own.
    matches!(&bytes[segment..], b"." | b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_in_two_ways_is_no_path() {
        for sent in [
            "p/..",
            "p/../q",
            "p/a/../b",
            "p/.",
            "p/a/./b",
            "p//",
            "p//a",
            "p/a//b",
            "p/%2e%2e/q",
            "p/.%2E/q",
            "p/a%2fb",
            "p/a%2Fb",
            "p/%2f",
            "p/a%5cb",
            "p/a\\b",
            "p/a%00b",
            "p/%2e",
            "p/%ff",
            "p/..%2fq",
        ] {
            assert_eq!(split(sent), None, "{sent}");
        }
    }

    #[test]
    fn a_path_is_decoded_once() {
        assert_eq!(split("p"), Some(("p", "/".into())));
        assert_eq!(split("p/"), Some(("p", "/".into())));
        assert_eq!(split("p/a%20b/%C3%BC"), Some(("p", "/a b/ü".into())));
        assert_eq!(split("p/%252e%252e"), Some(("p", "/%2e%2e".into())));
        assert_eq!(split("p/..."), Some(("p", "/...".into())));
    }
}
