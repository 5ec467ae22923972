//! The address of a webhook: whoever knows it can post.

use std::fmt;

/// All of Discord's hosts are one service, so that requests need go to one of them alone.
const API: &str = "https://discord.com/api/v10/webhooks";
/// Hosts that Discord gives out addresses with.
const HOSTS: [&str; 6] = [
    "discord.com",
    "ptb.discord.com",
    "canary.discord.com",
    "discordapp.com",
    "ptb.discordapp.com",
    "canary.discordapp.com",
];

/// A webhook. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Webhook {
    /// `ID/TOKEN`.
    path: String,
}

impl Webhook {
    /// Reads an address in any of the forms that Discord has given out, and the thread that it names.
    ///
    /// # Errors
    ///
    /// What it is not. The message shows nothing of it.
    pub(crate) fn parse(address: &str) -> Result<(Self, Option<String>), &'static str> {
        const FORM: &str = "expected the address of a webhook as Discord shows it: https://discord.com/api/webhooks/ID/TOKEN";
        let (rest, query) = address.split_once('?').unwrap_or((address, ""));
        let (host, path) = rest.strip_prefix("https://").and_then(|rest| rest.split_once('/')).ok_or(FORM)?;
        let mut parts: Vec<&str> = path.split('/').collect();
        if parts.get(1).is_some_and(|part| part.strip_prefix('v').is_some_and(is_number)) {
            parts.remove(1);
        }
        let ["api", "webhooks", id, token] = parts[..] else { return Err(FORM) };
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !HOSTS.contains(&host) || !is_number(id) || token.is_empty() || !token.bytes().all(is_token) {
            return Err(FORM);
        }
        let mut thread = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("thread_id", id)) if is_number(id) => thread = Some(id.to_owned()),
                // It is asked for anyway.
                Some(("wait", "true" | "false")) => {}
                _ => return Err("expected nothing but `thread_id` behind the `?` of the webhook's address"),
            }
        }
        Ok((Self { path: format!("{id}/{token}") }, thread))
    }

    /// The webhook's id, which is no secret.
    pub(crate) fn id(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Where a message is posted. With `wait` Discord answers with the message, or with why there is none
    /// (<https://docs.discord.com/developers/resources/webhook#execute-webhook>).
    pub(crate) fn to_post(&self, thread: Option<&str>) -> String {
        let thread = thread.map(|id| format!("&thread_id={id}")).unwrap_or_default();
        format!("{API}/{}?wait=true{thread}", self.path)
    }

    /// Where a message is edited
    /// (<https://docs.discord.com/developers/resources/webhook#edit-webhook-message>).
    pub(crate) fn to_edit(&self, message: &str, thread: Option<&str>) -> String {
        let thread = thread.map(|id| format!("?thread_id={id}")).unwrap_or_default();
        format!("{API}/{}/messages/{message}{thread}", self.path)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Whether a text is a snowflake, as Discord calls its ids, or another plain number.
pub(crate) fn is_number(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_is_the_same_webhook() {
        for form in [
            "https://discord.com/api/webhooks/12/a_B-9",
            "https://discordapp.com/api/webhooks/12/a_B-9",
            "https://ptb.discord.com/api/webhooks/12/a_B-9",
            "https://canary.discord.com/api/webhooks/12/a_B-9",
            "https://canary.discordapp.com/api/webhooks/12/a_B-9",
            "https://discord.com/api/v10/webhooks/12/a_B-9",
            "https://discord.com/api/v9/webhooks/12/a_B-9?wait=true",
        ] {
            let (webhook, thread) = Webhook::parse(form).unwrap_or_else(|why| panic!("{form}: {why}"));
            assert_eq!((webhook.id(), thread), ("12", None));
            assert_eq!(
                webhook.to_post(None),
                "https://discord.com/api/v10/webhooks/12/a_B-9?wait=true",
                "{form}"
            );
        }
    }

    #[test]
    fn a_thread_of_the_address_is_found() {
        let (webhook, thread) =
            Webhook::parse("https://discord.com/api/webhooks/12/t?wait=true&thread_id=34")
                .expect("a webhook");
        assert_eq!(thread.as_deref(), Some("34"));
        assert_eq!(
            webhook.to_post(Some("34")),
            "https://discord.com/api/v10/webhooks/12/t?wait=true&thread_id=34"
        );
        assert_eq!(
            webhook.to_edit("56", Some("34")),
            "https://discord.com/api/v10/webhooks/12/t/messages/56?thread_id=34"
        );
        assert_eq!(webhook.to_edit("56", None), "https://discord.com/api/v10/webhooks/12/t/messages/56");
    }

    #[test]
    fn anything_else_is_refused_and_not_shown() {
        for bad in [
            "",
            "http://discord.com/api/webhooks/12/t0ken",
            "https://discord.com.example.org/api/webhooks/12/t0ken",
            "https://user@discord.com/api/webhooks/12/t0ken",
            "https://discord.com:8443/api/webhooks/12/t0ken",
            "https://discord.com/api/webhooks/12/t0ken/slack",
            "https://discord.com/api/webhooks/12/t0ken/../../users",
            "https://discord.com/api/webhooks/12/",
            "https://discord.com/api/webhooks/me/t0ken",
            "https://discord.com/api/vx/webhooks/12/t0ken",
            "https://discord.com/webhooks/12/t0ken",
            "https://discord.com/api/webhooks/12/t0ken?thread_id=x",
            "https://discord.com/api/webhooks/12/t0ken?with_components=true",
            "https://discord.com/api/webhooks/12/t0ken#x",
        ] {
            let why = Webhook::parse(bad).expect_err(bad);
            assert!(!why.contains("t0ken"), "{why}");
        }
    }

    #[test]
    fn it_is_not_shown() {
        let (webhook, _) = Webhook::parse("https://discord.com/api/webhooks/12/t0ken").expect("a webhook");
        assert_eq!(format!("{webhook:?}"), "[secret]");
    }
}
