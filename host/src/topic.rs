//! Topics and filters: dot-separated tokens; in a filter `*` is any one token and a final `>` any rest of one or more.

/// The longest topic, in bytes.
const MAX_BYTES: usize = 255;
/// The most tokens of a topic.
const MAX_TOKENS: usize = 16;

/// A topic or filter that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} `{shown}` is not valid: {why}. Expected dot-separated tokens of letters, digits, `_` and `-`, such as `session.created`"
)]
pub struct InvalidTopic {
    what: &'static str,
    shown: String,
    why: &'static str,
}

/// Checks that `topic` is one.
///
/// # Errors
///
/// [`InvalidTopic`] says what is wrong.
pub fn check_topic(topic: &str) -> Result<(), InvalidTopic> {
    check(topic, "the topic", |token, _| !token.is_empty() && token.bytes().all(is_token_byte))
}

/// Checks that `filter` is one.
///
/// # Errors
///
/// [`InvalidTopic`] says what is wrong.
pub fn check_filter(filter: &str) -> Result<(), InvalidTopic> {
    check(filter, "the filter", |token, last| {
        token == "*" || (token == ">" && last) || (!token.is_empty() && token.bytes().all(is_token_byte))
    })
}

/// Whether a topic is one of those that a filter names. Both were checked.
#[must_use]
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    let mut topic = topic.split('.');
    for token in filter.split('.') {
        match (token, topic.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (token, Some(found)) if token == found => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn check(text: &str, what: &'static str, valid: impl Fn(&str, bool) -> bool) -> Result<(), InvalidTopic> {
    let invalid = |why| Err(InvalidTopic { what, shown: text.chars().take(80).collect(), why });
    if text.is_empty() {
        return invalid("it is empty");
    }
    if text.len() > MAX_BYTES {
        return invalid("it is longer than 255 bytes");
    }
    let tokens = text.split('.').count();
    if tokens > MAX_TOKENS {
        return invalid("it has more than 16 tokens");
    }
    for (position, token) in text.split('.').enumerate() {
        if !valid(token, position + 1 == tokens) {
            return invalid(if token.is_empty() {
                "a token is empty"
            } else {
                "a token has a character that is not allowed there"
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics() {
        for topic in ["a", "session.created", "plugin.my-plugin.some_event.V2"] {
            assert_eq!(check_topic(topic), Ok(()), "{topic}");
        }
        for topic in
            ["", ".", "a.", ".a", "a..b", "a b", "a.*", "a.>", "ä", &"x".repeat(256), &"a.".repeat(16)]
        {
            assert!(check_topic(topic).is_err(), "{topic}");
        }
    }

    #[test]
    fn a_filter_names_the_topics_that_the_index_finds_for_it() {
        let cases = [
            ("a.b", "a.b", true),
            ("a.b", "a", false),
            ("a", "a.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("a.*", "a", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
            ("*.b", "a.b", true),
            ("a.*.c", "a.b.c", true),
            ("a.b", "ab", false),
        ];
        for (filter, topic, expected) in cases {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn filters() {
        for filter in ["*", ">", "session.*", "*.created", "session.>", "a.*.c"] {
            assert_eq!(check_filter(filter), Ok(()), "{filter}");
        }
        for filter in ["", "a.>.b", "session*", "a.**", ">."] {
            assert!(check_filter(filter).is_err(), "{filter}");
        }
    }
}
