//! Text from strangers, for texts that are read as Markdown.
//!
//! Cards take a part of CommonMark: emphasis, links and lists
//! (<https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features>). A backslash before a punctuation mark makes it
//! a mark like any other (<https://spec.commonmark.org/0.31.2/#backslash-escapes>).

use streamspace_notifier::text;

/// `text` on one line, cut to `limit` characters with `…`, so that it is shown as it is: no emphasis, link, list, mention or
/// date. The escapes come on top of the limit.
pub(crate) fn escaped(text: &str, limit: usize) -> String {
    let plain = text::plain(text, limit);
    let mut out = String::with_capacity(plain.len() + 8);
    let begins_list = list_marker(&plain);
    for (at, c) in plain.char_indices() {
        let rest = &plain[at + c.len_utf8()..];
        let special = match c {
            // `<at>` is a mention where it has the text of one; `{{DATE(…)}}` is a date.
            '\\' | '*' | '_' | '[' | ']' | '`' | '<' | '>' | '~' => true,
            '{' => rest.starts_with('{') || plain[..at].ends_with('{'),
            '&' => is_entity(rest),
            _ => begins_list == Some(at),
        };
        if special {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Where the mark is that makes a list or heading of a text: `-`, `+`, `#`, or the point behind a number.
fn list_marker(text: &str) -> Option<usize> {
    if text.starts_with(['-', '+', '#', '=']) {
        return Some(0);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0 && text[digits..].starts_with(['.', ')'])).then_some(digits)
}

/// Whether what follows a `&` makes an entity of it.
fn is_entity(rest: &str) -> bool {
    rest.split_once(';').is_some_and(|(name, _)| {
        !name.is_empty() && name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_shown_as_it_is() {
        for (text, expected) in [
            ("ada", "ada"),
            ("ada-firefox-7f3a", "ada-firefox-7f3a"),
            ("*a* _b_ `c` ~~d~~", r"\*a\* \_b\_ \`c\` \~\~d\~\~"),
            ("[ok](https://evil.example)", r"\[ok\](https://evil.example)"),
            ("<at>Ops</at>", r"\<at\>Ops\</at\>"),
            (r"a\*b", r"a\\\*b"),
            ("{{DATE(2026-01-02T03:04:05Z)}} {x}", r"\{\{DATE(2026-01-02T03:04:05Z)}} {x}"),
            ("{{{TIME(x)}}}", r"\{\{\{TIME(x)}}}"),
            ("R&D; &lt;b&gt; &#42; a & b;", r"R\&D; \&lt;b\&gt; \&#42; a & b;"),
            ("- a", r"\- a"),
            ("# a", r"\# a"),
            ("1. a", r"1\. a"),
            ("12) a", r"12\) a"),
            ("2Gi", "2Gi"),
            ("1000m", "1000m"),
            ("a - b 1. c", "a - b 1. c"),
            ("a\n- b", "a - b"),
        ] {
            assert_eq!(escaped(text, 100), expected, "{text}");
        }
    }

    #[test]
    fn the_limit_counts_what_is_read() {
        assert_eq!(escaped("*****", 3), r"\*\*…");
        assert_eq!(escaped("*****", 0), "");
        assert_eq!(escaped("🦀🦀🦀", 2), "🦀…");
    }
}
