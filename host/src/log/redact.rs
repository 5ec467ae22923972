//! Keeps secrets out of the log.

use std::borrow::Cow;

use aho_corasick::AhoCorasick;

/// What a secret is replaced by.
const MASK: &str = "[secret]";

/// Parts of field names whose values are never written.
const SECRET_NAMES: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "authorization",
    "credential",
    "privatekey",
    "webhookurl",
];

/// Replaces the secrets of one plugin's configuration wherever they stand.
#[derive(Default)]
pub struct Redactor {
    known: Vec<String>,
    automaton: Option<AhoCorasick>,
}

impl Redactor {
    /// A redactor of these secrets. Very short ones are left alone: they would blot out ordinary words.
    #[must_use]
    pub fn new(secrets: &[String]) -> Self {
        let mut patterns: Vec<String> = Vec::new();
        for secret in secrets.iter().filter(|secret| secret.len() >= 6) {
            patterns.push(secret.clone());
            // The part of a URL that is the secret also appears without its scheme and host.
            if let Some(path) = url::Url::parse(secret).ok().map(|url| url.path().to_owned())
                && path.len() >= 12
            {
                patterns.push(path);
            }
        }
        // Longest first, so that a whole URL becomes one mask.
        let automaton =
            AhoCorasick::builder().match_kind(aho_corasick::MatchKind::LeftmostLongest).build(&patterns);
        Self { known: secrets.to_vec(), automaton: automaton.ok().filter(|_| !patterns.is_empty()) }
    }

    /// A redactor of these secrets too.
    #[must_use]
    pub fn and(&self, secrets: &[String]) -> Self {
        let mut all = self.known.clone();
        all.extend(secrets.iter().filter(|secret| !self.known.contains(secret)).cloned());
        Self::new(&all)
    }

    /// `text` without the secrets.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.automaton {
            Some(secrets) if secrets.is_match(text) => {
                let masks = vec![MASK; secrets.patterns_len()];
                Cow::Owned(secrets.replace_all(text, &masks))
            }
            _ => Cow::Borrowed(text),
        }
    }

    /// The value of a field, masked as a whole if the field's name says that it is a secret.
    #[must_use]
    pub fn field<'a>(&self, key: &str, value: &'a str) -> Cow<'a, str> {
        let key = key.to_ascii_lowercase().replace(['-', '_', '.'], "");
        if SECRET_NAMES.iter().any(|name| key.contains(name)) {
            return Cow::Borrowed(MASK);
        }
        self.text(value)
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("secrets", &self.known.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_wherever_they_stand() {
        let redactor =
            Redactor::new(&["https://hooks.slack.com/services/T0/B0/XYZ".to_owned(), "hunter2".to_owned()]);
        assert_eq!(
            redactor.text("POST https://hooks.slack.com/services/T0/B0/XYZ failed (hunter2)"),
            "POST [secret] failed ([secret])"
        );
        assert_eq!(redactor.text("path /services/T0/B0/XYZ"), "path [secret]");
        assert_eq!(redactor.text("nothing here"), "nothing here");
    }

    #[test]
    fn fields_with_telling_names_are_masked() {
        let redactor = Redactor::default();
        assert_eq!(redactor.field("Api-Key", "abc"), "[secret]");
        assert_eq!(redactor.field("slackWebhookUrl", "abc"), "[secret]");
        assert_eq!(redactor.field("webhook_url", "abc"), "[secret]");
        assert_eq!(redactor.field("user", "ada"), "ada");
    }
}
