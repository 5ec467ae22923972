//! A notification as the JSON that incoming webhooks and `chat.postMessage` take.
//!
//! The sentence is the message's own text: it is what a phone shows, and the only place where a mention notifies. The
//! rest are blocks in one attachment, because only attachments have a colour.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use streamspace_notifier::{
    Field, Link, Notification, Severity,
    text::{self, plain, web_address},
};

use crate::config::Style;

/// The limits of <https://docs.slack.dev/reference/block-kit/blocks>, in characters and pieces.
pub(crate) mod limit {
    /// `text` of a `header`.
    pub(crate) const HEADER: usize = 150;
    /// Any other text object, and what we take of a message's own text, which Slack would cut at 40 000.
    pub(crate) const TEXT: usize = 3000;
    /// One of the `fields` of a `section`.
    pub(crate) const FIELD: usize = 2000;
    /// `fields` of a `section`.
    pub(crate) const FIELDS: usize = 10;
    /// `text` of a `button`.
    pub(crate) const BUTTON: usize = 75;
    /// `url` of a `button`.
    pub(crate) const URL: usize = 3000;
    /// `elements` of an `actions` block.
    pub(crate) const ACTIONS: usize = 25;
    /// Blocks of a message.
    pub(crate) const BLOCKS: usize = 50;
    /// Of a field's text, its label; the value has the rest. Ours, not Slack's.
    pub(crate) const LABEL: usize = 100;
}

/// Blocks that are not sections: header, actions and context.
const OTHER_BLOCKS: usize = 3;

/// The first second of the year 10000, which neither Slack nor the form of HTTP dates can write.
const END_OF_TIME: u64 = 253_402_300_800;

/// The body of the request that posts `notification` in this style.
pub(crate) fn message(notification: &Notification, style: &Style) -> Value {
    let mut message = Map::new();
    message.insert("text".into(), text(notification, style).into());
    for (key, value) in
        [("channel", &style.channel), ("username", &style.username), ("icon_emoji", &style.icon_emoji)]
    {
        if !value.trim().is_empty() {
            message.insert(key.into(), value.trim().into());
        }
    }
    // An address in a name or an error shall not grow a preview.
    message.insert("unfurl_links".into(), false.into());
    message.insert("unfurl_media".into(), false.into());
    message.insert(
        "attachments".into(),
        json!([{ "color": notification.color.hex(), "blocks": blocks(notification) }]),
    );
    Value::Object(message)
}

/// Slack reads `&`, `<` and `>` as control characters (<https://docs.slack.dev/messaging/formatting-message-text>): unescaped, a
/// user named `<!channel>` would notify everybody. `*`, `_`, `~` and the backtick have no escape in Slack; they change only how
/// the text looks and stay as they are, so that a name can be copied from a message.
fn escaped(text: &str, limit: usize) -> String {
    text::escaped(text, limit, text::entities)
}

fn text(notification: &Notification, style: &Style) -> String {
    let mention = match (&style.mention, notification.severity) {
        (Some(mention), Severity::Critical) => mention.markup() + " ",
        _ => String::new(),
    };
    let summary = escaped(&notification.summary, limit::TEXT - mention.len());
    mention + &summary
}

fn blocks(notification: &Notification) -> Vec<Value> {
    let title = plain(&notification.title, limit::HEADER);
    let header = (!title.is_empty()).then(|| json!({ "type": "header", "text": plain_text(&title) }));
    let fields: Vec<Value> = notification.fields.iter().filter_map(field).collect();
    let sections = fields
        .chunks(limit::FIELDS)
        .take(limit::BLOCKS - OTHER_BLOCKS)
        .map(|fields| json!({ "type": "section", "fields": fields }));
    let buttons: Vec<Value> = notification.links.iter().filter_map(button).take(limit::ACTIONS).collect();
    let actions = (!buttons.is_empty()).then(|| json!({ "type": "actions", "elements": buttons }));
    let context = json!({ "type": "context", "elements": [mrkdwn(&context(notification))] });
    header.into_iter().chain(sections).chain(actions).chain([context]).collect()
}

/// `*label*`, and the value on the next line; nothing if either is empty.
fn field(field: &Field) -> Option<Value> {
    let label = escaped(&field.label, limit::LABEL);
    let marks = "**\n".len();
    let value = escaped(&field.value, limit::FIELD - label.chars().count() - marks);
    (!label.is_empty() && !value.is_empty()).then(|| mrkdwn(&format!("*{label}*\n{value}")))
}

fn button(link: &Link) -> Option<Value> {
    web_address(&link.url, limit::URL).then(|| {
        json!({ "type": "button", "text": plain_text(&plain(link.label, limit::BUTTON)), "url": link.url })
    })
}

/// When, what, and from where. Each reader sees the time in their own time zone.
fn context(notification: &Notification) -> String {
    let topic = escaped(&notification.topic, limit::LABEL);
    let seconds = notification.occurred_at.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let when = (seconds < END_OF_TIME).then(|| date(seconds, notification.occurred_at));
    let parts: Vec<String> =
        when.into_iter().chain([topic, "StreamSpace".to_owned()]).filter(|part| !part.is_empty()).collect();
    parts.join(" · ")
}

fn date(seconds: u64, time: SystemTime) -> String {
    format!("<!date^{seconds}^{{date_short_pretty}} at {{time}}|{}>", httpdate::fmt_http_date(time))
}

/// `verbatim`: Slack makes no links or mentions of its own out of `@channel`, `#general` or an address.
fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn plain_text(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use streamspace_notifier::{Color, testing::Sample};

    use super::*;
    use crate::{config::Mention, rules::assert_within_limits};

    /// One that says little.
    fn notification() -> Notification {
        let notification = Sample::new("session.created", json!({})).notification();
        Notification {
            color: Color::BLUE,
            occurred_at: UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            ..notification
        }
    }

    fn rendered(notification: &Notification) -> Value {
        let message = message(notification, &Style::default());
        assert_within_limits(&message);
        message
    }

    fn types(message: &Value) -> Vec<&str> {
        message["attachments"][0]["blocks"]
            .as_array()
            .expect("blocks")
            .iter()
            .map(|block| block["type"].as_str().expect("a type"))
            .collect()
    }

    #[test]
    fn user_text_notifies_nobody_and_forges_no_markup() {
        let name = "<!channel> & * <@U1> <https://evil.example|ok>";
        let message = rendered(&Notification {
            title: name.into(),
            summary: format!("{name}'s session"),
            topic: name.into(),
            fields: vec![Field { label: name.into(), value: name.into() }],
            ..notification()
        });
        let escaped = "&lt;!channel&gt; &amp; * &lt;@U1&gt; &lt;https://evil.example|ok&gt;";
        assert_eq!(message["text"], format!("{escaped}'s session"));
        let blocks = &message["attachments"][0]["blocks"];
        assert_eq!(blocks[0]["text"], json!({"type": "plain_text", "text": name, "emoji": false}));
        assert_eq!(
            blocks[1]["fields"][0],
            json!({"type": "mrkdwn", "text": format!("*{escaped}*\n{escaped}"), "verbatim": true})
        );
        let context = blocks[2]["elements"][0]["text"].as_str().expect("a text");
        assert_eq!(context.matches('<').count(), 1, "only the date is markup: {context}");
    }

    #[test]
    fn every_text_is_cut_at_its_limit() {
        for text in ["x", "🦀", "ä", "&", "<é"] {
            let long = text.repeat(5000);
            let message = rendered(&Notification {
                title: long.clone(),
                summary: long.clone(),
                topic: long.clone(),
                fields: vec![Field { label: long.clone(), value: long.clone() }; 3],
                ..notification()
            });
            for path in
                ["/text", "/attachments/0/blocks/0/text/text", "/attachments/0/blocks/1/fields/2/text"]
            {
                let cut = message.pointer(path).and_then(Value::as_str).expect("a text");
                assert!(cut.ends_with('…'), "{path}: {cut}");
            }
        }
    }

    #[test]
    fn a_field_is_as_long_as_slack_takes_it() {
        let message = rendered(&Notification {
            fields: vec![Field { label: "Error".into(), value: "é".repeat(2000) }],
            ..notification()
        });
        let text = message["attachments"][0]["blocks"][1]["fields"][0]["text"].as_str().expect("a text");
        assert_eq!(text.chars().count(), limit::FIELD);
    }

    #[test]
    fn many_fields_become_several_sections_and_never_too_many() {
        let fields = |count: usize| Notification {
            fields: vec![Field { label: "a".into(), value: "b".into() }; count],
            ..notification()
        };
        assert_eq!(types(&rendered(&fields(0))), ["header", "context"]);
        assert_eq!(types(&rendered(&fields(11))), ["header", "section", "section", "context"]);
        assert_eq!(types(&rendered(&fields(1000))).len(), limit::BLOCKS - 1);
    }

    #[test]
    fn what_is_blank_after_cleaning_is_left_out() {
        let message = rendered(&Notification {
            title: "\u{202e}".into(),
            fields: vec![Field { label: "a".into(), value: "\u{200f}\n".into() }],
            ..notification()
        });
        assert_eq!(types(&message), ["context"]);
    }

    #[test]
    fn a_button_needs_an_address_of_the_web() {
        let buttons = |url: &str| {
            let links = vec![Link { label: "Open session", url: url.into() }];
            types(&rendered(&Notification { links, ..notification() })).contains(&"actions")
        };
        assert!(buttons("https://a.example/s/1"));
        assert!(!buttons("javascript:alert(1)"));
    }

    #[test]
    fn only_what_is_critical_mentions() {
        let text = |mention, severity| {
            let style = Style { mention, ..Style::default() };
            message(&Notification { severity, ..notification() }, &style)["text"].clone()
        };
        let plain = "A session was created.";
        assert_eq!(text(None, Severity::Critical), plain);
        assert_eq!(text(Some(Mention::Here), Severity::Warning), plain);
        assert_eq!(text(Some(Mention::Here), Severity::Critical), format!("<!here> {plain}"));
        assert_eq!(text(Some(Mention::Channel), Severity::Critical), format!("<!channel> {plain}"));
        let team = Mention::Subteam("S0614TZR7".into());
        assert_eq!(text(Some(team), Severity::Critical), format!("<!subteam^S0614TZR7> {plain}"));
    }

    #[test]
    fn a_mention_counts_towards_the_limit() {
        let style = Style { mention: Some(Mention::Here), ..Style::default() };
        let long = Notification { severity: Severity::Critical, summary: "x".repeat(4000), ..notification() };
        assert_within_limits(&message(&long, &style));
    }

    #[test]
    fn what_the_webhook_decides_is_not_sent() {
        let keys = |style: &Style| {
            let message = message(&notification(), style);
            message.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(keys(&Style::default()), "text unfurl_links unfurl_media attachments");
        let style = Style {
            channel: "#ops".into(),
            username: " ".into(),
            icon_emoji: ":x:".into(),
            ..Style::default()
        };
        assert_eq!(keys(&style), "text channel icon_emoji unfurl_links unfurl_media attachments");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_left_out() {
        let occurred_at = UNIX_EPOCH + Duration::from_micros(u64::MAX);
        let message = rendered(&Notification { occurred_at, ..notification() });
        assert_eq!(
            message["attachments"][0]["blocks"][1]["elements"][0]["text"],
            "session.created · StreamSpace"
        );
    }
}
