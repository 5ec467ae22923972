//! What a server answers.

use std::{fmt, io};

use lettre::transport::smtp::response::Response;
use streamspace_notifier::text::plain;

/// How much of a server's text is shown, in characters.
const MAX_TEXT: usize = 200;

/// An answer: a code, an enhanced code (RFC 3463) if there is one, and some words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    /// As `5.1.1`.
    pub(crate) enhanced: Option<String>,
    /// On one line and cut; the server's own words.
    pub(crate) text: String,
    lines: Vec<String>,
}

impl Reply {
    pub(super) fn new(response: &Response) -> Self {
        let lines: Vec<String> = response.message().map(str::to_owned).collect();
        let code = u16::from(response.code());
        let enhanced = response.first_word().filter(|word| is_enhanced(word, code)).map(str::to_owned);
        let rest = |line: &String| match &enhanced {
            Some(enhanced) => line.strip_prefix(enhanced.as_str()).unwrap_or(line).trim().to_owned(),
            None => line.clone(),
        };
        let text = plain(&lines.iter().map(rest).collect::<Vec<_>>().join(" "), MAX_TEXT);
        Self { code, enhanced, text, lines }
    }

    pub(crate) fn is_good(&self) -> bool {
        matches!(self.code, 200..=399)
    }

    /// It may be another one later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.code, 400..=499)
    }

    /// Whether it says that there is nobody under an address, now and later: the codes of RFC 3463, section 3.2 and 3.3, that say
    /// it, with `5.1.10` of RFC 7505. A bare 550 may as well be a matter of policy.
    pub(crate) fn is_hard_bounce(&self) -> bool {
        const NOBODY: [&str; 6] = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"];
        self.enhanced.as_deref().is_some_and(|code| NOBODY.contains(&code))
    }

    /// What a server offers: a keyword of its answer to `EHLO`, with what stands behind it.
    pub(super) fn offers(&self, keyword: &str) -> Option<&str> {
        self.lines.iter().skip(1).find_map(|line| {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            word.eq_ignore_ascii_case(keyword).then_some(rest)
        })
    }

    /// The code and the enhanced code.
    pub(crate) fn codes(&self) -> String {
        match &self.enhanced {
            Some(enhanced) => format!("{} {enhanced}", self.code),
            None => self.code.to_string(),
        }
    }

    pub(super) fn response(&self) -> Option<Response> {
        format!("{} {}\r\n", self.code, self.lines.first()?).parse().ok()
    }
}

/// With the server's words.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.codes())?;
        if self.text.is_empty() { Ok(()) } else { write!(f, " ({})", self.text) }
    }
}

fn is_enhanced(word: &str, code: u16) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    parts.len() == 3
        && parts[0].parse() == Ok(code / 100)
        && parts.iter().all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
}

/// Why a dialogue did not come to its end.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server cannot be reached, is silent, or went away.
    Network(&'static str, io::Error),
    /// The server speaks something else.
    Protocol(&'static str),
    /// The server said no to what comes before any message.
    Said(&'static str, Reply),
    /// The server does not take who we are.
    Credentials(Reply),
    /// The server cannot do what the configuration asks for.
    Missing(&'static str),
    /// The server does not take messages of this size.
    TooLarge,
}

impl Trouble {
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Said(_, reply) | Self::Credentials(reply) => Some(reply.code),
            Self::Network(..) | Self::Protocol(_) | Self::Missing(_) | Self::TooLarge => None,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(doing, why) if why.kind() == io::ErrorKind::TimedOut => {
                write!(f, "the server did not answer in time {doing}")
            }
            Self::Network(doing, why) => {
                write!(f, "the connection failed {doing}: {}", plain(&why.to_string(), MAX_TEXT))
            }
            Self::Protocol(what) => write!(f, "the server speaks no SMTP that is understood: {what}"),
            Self::Said(doing, reply) => write!(f, "the server answered {reply} {doing}"),
            // Servers repeat what they were told, and this was a secret.
            Self::Credentials(reply) => write!(f, "the server answered {} to the credentials", reply.codes()),
            Self::Missing(what) => f.write_str(what),
            Self::TooLarge => f.write_str("the server does not take messages of this size"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn reply(text: &str) -> Reply {
        Reply::new(&text.parse().expect("a reply"))
    }

    #[test]
    fn codes_and_words_are_told_apart() {
        let one = reply("550-5.1.1 No such user\r\n550 5.1.1 here\r\n");
        assert_eq!(
            (one.code, one.enhanced.as_deref(), one.text.as_str()),
            (550, Some("5.1.1"), "No such user here")
        );
        assert!(one.is_hard_bounce() && !one.is_transient());
        assert_eq!(one.to_string(), "550 5.1.1 (No such user here)");
        let bare = reply("451 4.7.1x later\r\n");
        assert_eq!((bare.enhanced.as_deref(), bare.is_transient()), (None, true));
        assert!(!reply("550 5.7.1 Policy\r\n").is_hard_bounce());
        assert!(!reply("550 No\r\n").is_hard_bounce());
        assert_eq!(reply("250 2.0.0 ok\r\n").to_string(), "250 2.0.0 (ok)");
    }

    #[test]
    fn a_long_text_is_cut_and_on_one_line() {
        let one = reply(&format!("554 5.6.0 a\u{202e}\tb{}\r\n", "x".repeat(500)));
        assert_eq!(one.text.chars().count(), MAX_TEXT);
        assert!(one.text.starts_with("a bx"), "{}", one.text);
    }

    #[test]
    fn what_a_server_offers_is_found_in_any_case() {
        let hello = reply("250-mail.example\r\n250-size 1000\r\n250-StartTLS\r\n250 AUTH PLAIN LOGIN\r\n");
        assert_eq!(hello.offers("SIZE"), Some("1000"));
        assert_eq!(hello.offers("STARTTLS"), Some(""));
        assert_eq!(hello.offers("AUTH"), Some("PLAIN LOGIN"));
        assert_eq!(hello.offers("mail.example"), None, "that is its name");
    }
}
