//! Text for Slack: escaped, on one line, and never longer than Slack takes.
//!
//! Slack reads `&`, `<` and `>` as control characters (<https://docs.slack.dev/messaging/formatting-message-text>):
//! unescaped, a user named `<!channel>` would notify everybody. `*`, `_`, `~` and the backtick have no escape in Slack;
//! they change only how the text looks and stay as they are, so that a name can be copied from a message.

/// Marks where a text was cut.
const MARKER: char = '…';

/// `text` for a `mrkdwn` object: escaped, and at most `limit` characters of what is sent.
pub(crate) fn escaped(text: &str, limit: usize) -> String {
    bounded(text, limit, |c| match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        _ => "",
    })
}

/// `text` for a `plain_text` object, which resolves neither markup nor mentions and so needs no escape: at most `limit`
/// characters.
pub(crate) fn plain(text: &str, limit: usize) -> String {
    bounded(text, limit, |_| "")
}

/// Writes `text` with each character replaced by what `entity` says, unless that is empty. An entity is written whole
/// or not at all.
fn bounded(text: &str, limit: usize, entity: impl Fn(char) -> &'static str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_slack_are_escaped_and_others_kept() {
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
}
