//! Text from strangers: on one line, never longer than the provider takes, and escaped as it wants.

use std::time::SystemTime;

use jiff::Timestamp;

/// Marks where a text was cut.
const MARKER: char = '…';

/// `text` on one line, at most `limit` characters: cleaned, and cut with `…`.
#[must_use]
pub fn plain(text: &str, limit: usize) -> String {
    escaped(text, limit, |_| "")
}

/// As [`plain`], with each character replaced by what `entity` says, unless that is empty. `limit` counts characters of what
/// is sent; an entity is written whole or not at all.
#[must_use]
pub fn escaped(text: &str, limit: usize, entity: impl Fn(char) -> &'static str) -> String {
    let mut out = String::with_capacity(text.len().min(limit));
    let mut length = 0;
    // Where to cut if the rest does not fit: the longest prefix that leaves room for the marker.
    let mut cut = 0;
    for c in one_line(text) {
        let entity = entity(c);
        let added = if entity.is_empty() { 1 } else { entity.len() };
        if length + added > limit {
            out.truncate(cut);
            out.truncate(out.trim_end().len());
            if limit > 0 {
                out.push(MARKER);
            }
            return out;
        }
        if entity.is_empty() {
            out.push(c);
        } else {
            out.push_str(entity);
        }
        length += added;
        if length < limit {
            cut = out.len();
        }
    }
    out
}

/// `text` without what a name has no use for and a forger has: line breaks and other controls become one blank,
/// characters that turn the direction of writing go, blanks at either end go.
fn one_line(text: &str) -> impl Iterator<Item = char> + '_ {
    let mut blank = true;
    let mut owed = false;
    text.chars()
        .filter(|c| !turns_direction(*c))
        .flat_map(move |c| {
            if c.is_whitespace() || c.is_control() {
                owed |= !blank;
                blank = true;
                return [None, None];
            }
            blank = false;
            [std::mem::take(&mut owed).then_some(' '), Some(c)]
        })
        .flatten()
}

/// The explicit directional characters of Unicode's bidirectional algorithm (UAX #9, section 2).
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The entities of `&`, `<` and `>`, for [`escaped`].
#[must_use]
pub fn entities(c: char) -> &'static str {
    match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        _ => "",
    }
}

/// Whether an address may stand behind a button: plainly one of http or https, at most `limit` bytes. One with a user before
/// the host is none, since it can look like an address of somebody else.
#[must_use]
pub fn web_address(url: &str, limit: usize) -> bool {
    let rest = ["https://", "http://"].iter().find_map(|scheme| {
        url.split_at_checked(scheme.len())
            .filter(|(start, _)| start.eq_ignore_ascii_case(scheme))
            .map(|(_, rest)| rest)
    });
    let Some(rest) = rest else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    url.len() <= limit
        && url
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b'\\' | b'^' | b'`' | b'|'))
        && authority.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        && authority
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'))
}

/// A time as RFC 3339 writes it, in UTC, to the second; the bounds of the calendar for one beyond them.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    timestamp(time).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A time as `jiff` has it; the bounds of its calendar for one beyond them.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(if time > SystemTime::UNIX_EPOCH {
        Timestamp::MAX
    } else {
        Timestamp::MIN
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, limit: usize) -> String {
        super::escaped(text, limit, entities)
    }

    #[test]
    fn markup_is_escaped_and_other_characters_are_kept() {
        assert_eq!(
            escaped("<!channel> & <@U1> *ada* _x_", 100),
            "&lt;!channel&gt; &amp; &lt;@U1&gt; *ada* _x_"
        );
        assert_eq!(escaped("&lt;", 100), "&amp;lt;");
        assert_eq!(plain("<!channel> & *", 100), "<!channel> & *");
    }

    #[test]
    fn a_text_at_the_limit_is_whole_and_one_above_is_cut() {
        assert_eq!(plain("abcde", 5), "abcde");
        assert_eq!(plain("abcdef", 5), "abcd…");
        assert_eq!(plain("abcdef", 1), "…");
        assert_eq!(plain("abcdef", 0), "");
        assert_eq!(plain("", 5), "");
    }

    #[test]
    fn characters_of_several_bytes_count_once_and_stay_whole() {
        assert_eq!(plain("äöüßé", 5), "äöüßé");
        assert_eq!(plain("äöüßéx", 5), "äöüß…");
        assert_eq!(plain("🦀🦀🦀", 2), "🦀…");
        assert_eq!(escaped("日本語です", 3), "日本…");
    }

    #[test]
    fn an_entity_is_written_whole_or_not_at_all() {
        assert_eq!(escaped("a&b", 7), "a&amp;b");
        for limit in 2..=5 {
            assert_eq!(escaped("a&b", limit), "a…", "limit {limit}");
        }
        assert_eq!(escaped("a&b", 6), "a…", "the entity ends at the limit and leaves no room for the marker");
        assert_eq!(escaped("a&", 6), "a&amp;");
        assert_eq!(escaped("&&", 6), "&amp;…");
        assert_eq!(escaped(">>>", 4), "…");
    }

    #[test]
    fn no_limit_is_ever_exceeded() {
        let text = "a<b&c>ä 🦀 \n日 本&<>".repeat(20);
        for limit in 0..400 {
            for out in [escaped(&text, limit), plain(&text, limit)] {
                assert!(out.chars().count() <= limit, "{limit}: {out}");
            }
            let out = escaped(&text, limit);
            for rest in out.split('&').skip(1) {
                assert!(["amp;", "lt;", "gt;"].iter().any(|e| rest.starts_with(e)), "{limit}: {out}");
            }
        }
    }

    #[test]
    fn a_forged_line_stays_on_its_line() {
        assert_eq!(plain("  ada\n\r\n*Tier*\u{2028}\tadmin\0 ", 100), "ada *Tier* admin");
        assert_eq!(plain("gpj\u{202e}exe.\u{2066}", 100), "gpjexe.");
        assert_eq!(plain("\n \u{200f}", 100), "");
    }

    #[test]
    fn an_address_of_the_web_is_told_from_others() {
        let long = |length: usize| format!("https://a.example/{}", "x".repeat(length - 18));
        for good in
            ["https://a.example/s/1?x=1&y=2#z", "http://10.0.0.1:8080", "HTTPS://[2001:db8::1]/", &long(3000)]
        {
            assert!(web_address(good, 3000), "{good}");
        }
        for bad in [
            "",
            "https://",
            "https:///x",
            "javascript:alert(1)",
            "ftp://a.example/",
            "//a.example",
            "/sessions/1",
            "https://user@a.example/",
            "https://a.example/ b",
            "https://a.example/\n",
            "https://a.example/é",
            "https://a.example/<x>",
            &long(3001),
        ] {
            assert!(!web_address(bad, 3000), "{bad}");
        }
    }

    #[test]
    fn a_time_is_written_in_utc() {
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_767_323_045_678);
        assert_eq!(rfc3339(time), "2026-01-02T03:04:05Z");
        assert!(
            rfc3339(SystemTime::UNIX_EPOCH + std::time::Duration::from_micros(u64::MAX)).starts_with("9999-")
        );
    }
}
