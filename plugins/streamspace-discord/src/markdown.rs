//! Text from strangers in Discord's Markdown: shown as it is, within limits.
//!
//! Discord does not say what it counts as a character. Its own builders count code units of UTF-16, of which a character has one
//! or two, so that what is within a limit by them is within it by any other count.

use std::cell::Cell;

use streamspace_notifier::text;

/// How long Discord may take a text to be.
pub(crate) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// On one line, where Discord reads no Markdown.
pub(crate) fn plain(text: &str, limit: usize) -> String {
    fitting(limit, |limit| text::plain(text, limit))
}

/// On one line, with everything escaped that Discord would read as Markdown, as a mention, a link or an emoji
/// (<https://docs.discord.com/developers/reference#message-formatting>). The line is the first of its text.
pub(crate) fn escaped(text: &str, limit: usize) -> String {
    fitting(limit, |limit| {
        let start = Cell::new(true);
        text::escaped(text, limit, |c| entity(c, start.replace(false)))
    })
}

/// As [`escaped`], for the part of a message in which a mention would notify: a blank of no width tears `@everyone` apart, which
/// a backslash does not.
pub(crate) fn unmentioning(text: &str, limit: usize) -> String {
    fitting(limit, |limit| {
        text::escaped(text, limit, |c| if c == '@' { "@\u{200b}" } else { entity(c, false) })
    })
}

fn entity(c: char, at_start: bool) -> &'static str {
    match c {
        '\\' => "\\\\",
        '*' => "\\*",
        '_' => "\\_",
        '~' => "\\~",
        '`' => "\\`",
        '|' => "\\|",
        '[' => "\\[",
        ']' => "\\]",
        // Mentions, emojis of a server, times, and links without a preview.
        '<' => "\\<",
        // Links by themselves, and emojis by name.
        ':' => "\\:",
        // Headings, small print, lists and quotations.
        '#' if at_start => "\\#",
        '-' if at_start => "\\-",
        '+' if at_start => "\\+",
        '>' if at_start => "\\>",
        _ => "",
    }
}

/// What `write` makes within the limit, when it counts characters itself.
fn fitting(limit: usize, write: impl Fn(usize) -> String) -> String {
    let mut most = limit;
    loop {
        let text = write(most);
        let over = length(&text).saturating_sub(limit);
        if over == 0 {
            return text;
        }
        // Each character that goes takes two units at most with it.
        most = most.saturating_sub(over.div_ceil(2).max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_as_markdown() {
        assert_eq!(
            escaped("**a** _b_ ~~c~~ `d` ||e|| [f](https://g.example) <@1> <#2> :skull: \\", 400),
            "\\*\\*a\\*\\* \\_b\\_ \\~\\~c\\~\\~ \\`d\\` \\|\\|e\\|\\| \\[f\\](https\\://g.example) \\<@1> \\<#2> \\:skull\\: \\\\"
        );
    }

    #[test]
    fn what_only_means_something_at_the_start_of_a_line_is_escaped_there() {
        for (text, expected) in [
            ("# a # b", "\\# a # b"),
            ("  - a - b", "\\- a - b"),
            ("-# a", "\\-# a"),
            (">>> a > b", "\\>>> a > b"),
            ("+ a", "\\+ a"),
            ("a\n# b", "a # b"),
        ] {
            assert_eq!(escaped(text, 100), expected);
        }
        assert_eq!(plain("# *a*", 100), "# *a*");
    }

    #[test]
    fn where_a_mention_notifies_nobody_can_be_mentioned() {
        assert_eq!(
            unmentioning("@everyone @here <@&1> a@b.c", 100),
            "@\u{200b}everyone @\u{200b}here \\<@\u{200b}&1> a@\u{200b}b.c"
        );
    }

    #[test]
    fn a_limit_holds_by_either_count_and_is_used() {
        for text in ["x", "ä", "🦀", "*", "🦀*", "@", "a b", "日本"] {
            let long = text.repeat(300);
            for limit in 1..120 {
                for cut in [plain(&long, limit), escaped(&long, limit), unmentioning(&long, limit)] {
                    assert!(length(&cut) <= limit, "{limit}: {cut}");
                    assert!(cut.ends_with('…'), "{limit}: {cut}");
                    let ended: usize =
                        cut.trim_end_matches('…').bytes().rev().take_while(|b| *b == b'\\').count();
                    assert!(ended.is_multiple_of(2), "{limit}: an escape without its character: {cut}");
                }
                assert!(length(&plain(&long, limit)) + 2 >= limit, "{limit}: {text}");
            }
        }
        assert_eq!(plain("🦀🦀", 4), "🦀🦀");
        assert_eq!(plain("🦀🦀🦀", 5), "🦀…");
        assert_eq!(plain("abc", 0), "");
    }
}
