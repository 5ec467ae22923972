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
    fn filters() {
        for filter in ["*", ">", "session.*", "*.created", "session.>", "a.*.c"] {
            assert_eq!(check_filter(filter), Ok(()), "{filter}");
        }
        for filter in ["", "a.>.b", "session*", "a.**", ">."] {
            assert!(check_filter(filter).is_err(), "{filter}");
        }
    }
}
