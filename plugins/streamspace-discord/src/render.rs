//! A notification as the JSON that a webhook takes: one embed, which has a colour, fields and a time. What stands beside it, as
//! the message's own text, is there for mentions alone: in an embed they notify nobody.

use serde_json::{Map, Value, json};
use streamspace_notifier::{
    Field, Kind, Notification, Severity,
    text::{self, web_address},
};

use crate::{
    config::{Place, Style},
    markdown::{escaped, length, plain, unmentioning},
};

/// Limits, in characters and pieces.
pub(crate) mod limit {
    /// <https://docs.discord.com/developers/resources/message#embed-object-embed-limits>.
    pub(crate) const TITLE: usize = 256;
    /// The same.
    pub(crate) const DESCRIPTION: usize = 4096;
    /// The same.
    pub(crate) const FIELDS: usize = 25;
    /// The same.
    pub(crate) const FIELD_NAME: usize = 256;
    /// The same.
    pub(crate) const FIELD_VALUE: usize = 1024;
    /// The same: everything that can be read in all embeds of a message.
    pub(crate) const EMBEDS: usize = 6000;
    /// <https://docs.discord.com/developers/resources/webhook#execute-webhook>.
    pub(crate) const CONTENT: usize = 2000;
    /// Discord names none; it is the one that its answers have for addresses in embeds.
    pub(crate) const URL: usize = 2048;
}

/// The field with what an edited message said before. Room is left for it in every message.
pub(crate) const EARLIER: &str = "Earlier";
/// What is short stands beside its neighbours, up to three in a row; in characters. Ours, not Discord's.
const SHORT: usize = 40;
/// Of a topic, what the footer shows. Ours: Discord takes 2048 characters there.
const TOPIC: usize = 200;

/// The body of the request that posts `notification` in this style.
pub(crate) fn message(notification: &Notification, style: &Style) -> Value {
    let mut message = Map::new();
    for (key, value) in [("username", &style.username), ("avatar_url", &style.avatar_url)] {
        if !value.is_empty() {
            message.insert(key.into(), value.as_str().into());
        }
    }
    let mention = style.mention.as_ref().filter(|_| notification.severity == Severity::Critical);
    if let Some(mention) = mention {
        let markup = mention.markup() + " ";
        let said = unmentioning(&notification.summary, limit::CONTENT - length(&markup));
        message.insert("content".into(), (markup + &said).trim_end().into());
    }
    message.insert("embeds".into(), json!([embed(notification)]));
    // Whatever a user is called: nobody is notified but who is named here.
    let allowed = mention.map_or_else(|| json!({ "parse": [] }), |mention| mention.allowed());
    message.insert("allowed_mentions".into(), allowed);
    if let Place::Forum { name, tags } = &style.place {
        message.insert("thread_name".into(), name.as_str().into());
        if !tags.is_empty() {
            message.insert("applied_tags".into(), tags.as_slice().into());
        }
    }
    Value::Object(message)
}

fn embed(notification: &Notification) -> Value {
    let mut embed = Map::new();
    let title = escaped(&notification.title, limit::TITLE);
    let link = notification.links.iter().find(|link| web_address(&link.url, limit::URL));
    let shown = link.map(|link| format!("[{}](<{}>)", link.label, link.url)).unwrap_or_default();
    let summary = escaped(&notification.summary, limit::DESCRIPTION - length(&shown) - "\n".len());
    let description = [summary, shown].map(|part| part.trim().to_owned()).join("\n");
    let description = description.trim();
    let topic = plain(&notification.topic, TOPIC);
    let footer = if topic.is_empty() { "StreamSpace".to_owned() } else { format!("{topic} · StreamSpace") };

    let said = length(&title) + length(description) + length(&footer);
    let earlier = length(EARLIER) + limit::FIELD_VALUE;
    let fields = fields(notification, limit::EMBEDS - said - earlier);

    if !title.is_empty() {
        embed.insert("title".into(), title.into());
    }
    if let Some(link) = link.filter(|link| is_well_formed(&link.url)) {
        embed.insert("url".into(), link.url.as_str().into());
    }
    if !description.is_empty() {
        embed.insert("description".into(), description.into());
    }
    embed.insert("color".into(), notification.color.0.into());
    if !fields.is_empty() {
        embed.insert("fields".into(), fields.into());
    }
    embed.insert("footer".into(), json!({ "text": footer }));
    embed.insert("timestamp".into(), text::rfc3339(notification.occurred_at).into());
    Value::Object(embed)
}

/// As many as Discord takes. Where they are too long together, each has the same share of the room.
fn fields(notification: &Notification, mut room: usize) -> Vec<Value> {
    let is_said = |field: &&Field| !plain(&field.label, 1).is_empty() && !plain(&field.value, 1).is_empty();
    let fields: Vec<&Field> = notification.fields.iter().filter(is_said).take(limit::FIELDS - 1).collect();
    let count = fields.len();
    let mut written = Vec::with_capacity(count);
    for (i, field) in fields.into_iter().enumerate() {
        let share = room / (count - i);
        let name = escaped(&field.label, limit::FIELD_NAME.min(share / 2));
        let value = escaped(&field.value, limit::FIELD_VALUE.min(share - length(&name)));
        room -= length(&name) + length(&value);
        // A digest's lines stand one below the other.
        let inline = notification.kind != Kind::Digest && length(&value) <= SHORT;
        written.push(json!({ "name": name, "value": value, "inline": inline }));
    }
    written
}

/// Whether Discord takes an address of the web behind a title or as a picture. It refuses a whole message for one that it takes
/// for none: its host must be a name with a dot, or an address of IPv4.
pub(crate) fn is_well_formed(url: &str) -> bool {
    if !web_address(url, limit::URL) {
        return false;
    }
    let rest = url.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_octet = |label: &&str| label.parse::<u8>().is_ok();
    let last_is_a_name =
        labels.last().is_some_and(|label| label.starts_with(|c: char| c.is_ascii_alphabetic()));
    labels.len() >= 2
        && labels.iter().all(is_label)
        && (last_is_a_name || (labels.len() == 4 && labels.iter().all(is_octet)))
        && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use streamspace_notifier::{Color, Link, testing::Sample};

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
        with(notification, &Style::default())
    }

    fn with(notification: &Notification, style: &Style) -> Value {
        let message = message(notification, style);
        assert_within_limits(&message);
        message
    }

    fn field(label: &str, value: &str) -> Field {
        Field { label: label.into(), value: value.into() }
    }

    #[test]
    fn user_text_notifies_nobody_and_forges_no_markup() {
        let name = "@everyone <@1> **x** [ok](https://evil.example)";
        let message = rendered(&Notification {
            title: name.into(),
            summary: format!("{name}'s session"),
            topic: name.into(),
            fields: vec![field(name, name)],
            ..notification()
        });
        let escaped = "@everyone \\<@1> \\*\\*x\\*\\* \\[ok\\](https\\://evil.example)";
        let embed = &message["embeds"][0];
        assert_eq!(embed["title"], escaped);
        assert_eq!(embed["description"], format!("{escaped}'s session"));
        assert_eq!(embed["footer"]["text"], format!("{name} · StreamSpace"), "no Markdown is read there");
        assert_eq!(embed["fields"][0]["name"], escaped);
        assert_eq!(embed["fields"][0]["value"], escaped);
        assert_eq!(message["allowed_mentions"], json!({"parse": []}));
        assert!(message.get("content").is_none());
    }

    #[test]
    fn only_what_is_critical_mentions_and_only_whom_the_operator_names() {
        let of = |mention, severity| {
            let style = Style { mention, ..Style::default() };
            let message = with(&Notification { severity, ..notification() }, &style);
            (message["content"].clone(), message["allowed_mentions"].clone())
        };
        let nobody = json!({"parse": []});
        assert_eq!(of(None, Severity::Critical), (Value::Null, nobody.clone()));
        assert_eq!(of(Some(Mention::Here), Severity::Error), (Value::Null, nobody));
        let said = "A session was created.";
        assert_eq!(
            of(Some(Mention::Here), Severity::Critical),
            (json!(format!("@here {said}")), json!({"parse": ["everyone"]}))
        );
        assert_eq!(
            of(Some(Mention::Everyone), Severity::Critical),
            (json!(format!("@everyone {said}")), json!({"parse": ["everyone"]}))
        );
        assert_eq!(
            of(Some(Mention::Role("81".into())), Severity::Critical),
            (json!(format!("<@&81> {said}")), json!({"parse": [], "roles": ["81"]}))
        );
    }

    #[test]
    fn a_user_cannot_widen_a_mention() {
        let style = Style { mention: Some(Mention::Here), ..Style::default() };
        let hostile = Notification {
            severity: Severity::Critical,
            summary: "@everyone's session failed: <@&81>".into(),
            ..notification()
        };
        let content = with(&hostile, &style)["content"].clone();
        assert_eq!(content, "@here @\u{200b}everyone's session failed\\: \\<@\u{200b}&81>");
    }

    #[test]
    fn every_text_is_cut_at_its_limit() {
        for text in ["x", "🦀", "ä", "*", "<é", "@"] {
            let long = text.repeat(9000);
            let style = Style { mention: Some(Mention::Role("81".into())), ..Style::default() };
            let url = format!("https://a.example/{}", "x".repeat(2000));
            let message = with(
                &Notification {
                    severity: Severity::Critical,
                    title: long.clone(),
                    summary: long.clone(),
                    topic: long.clone(),
                    fields: vec![field(&long, &long); 40],
                    links: vec![Link { label: "Open session", url: url.clone() }],
                    ..notification()
                },
                &style,
            );
            for path in
                ["/content", "/embeds/0/title", "/embeds/0/fields/0/value", "/embeds/0/fields/23/name"]
            {
                let cut = message.pointer(path).and_then(Value::as_str).expect("a text");
                assert!(cut.ends_with('…'), "{path}: {cut}");
            }
            let description = message["embeds"][0]["description"].as_str().expect("a text");
            assert!(description.ends_with(&format!("…\n[Open session](<{url}>)")), "{description}");
        }
    }

    #[test]
    fn a_field_is_as_long_as_discord_takes_it() {
        let message =
            rendered(&Notification { fields: vec![field("Error", &"é".repeat(2000))], ..notification() });
        assert_eq!(
            length(message["embeds"][0]["fields"][0]["value"].as_str().expect("a text")),
            limit::FIELD_VALUE
        );
    }

    #[test]
    fn a_whole_digest_of_long_lines_is_shown() {
        let fields: Vec<_> = (0..21).map(|n| field(&format!("line {n}"), &"y".repeat(4000))).collect();
        let message = rendered(&Notification { kind: Kind::Digest, fields, ..notification() });
        let fields = message["embeds"][0]["fields"].as_array().expect("fields").clone();
        assert_eq!(fields.len(), 21);
        assert!(fields.iter().all(|field| field["inline"] == false
            && field["value"].as_str().is_some_and(|value| value.len() > 200)));
    }

    #[test]
    fn what_is_blank_after_cleaning_is_left_out() {
        let message = rendered(&Notification {
            title: "\u{202e}".into(),
            summary: " ".into(),
            fields: vec![field("a", "\u{200f}\n"), field("\u{202e}", "b")],
            ..notification()
        });
        let keys: Vec<_> = message["embeds"][0].as_object().expect("an embed").keys().cloned().collect();
        assert_eq!(keys, ["color", "footer", "timestamp"]);
    }

    #[test]
    fn an_address_that_discord_would_refuse_is_a_link_in_the_text_alone() {
        let of = |url: &str| {
            let links = vec![Link { label: "Open session", url: url.into() }];
            let embed = rendered(&Notification { links, ..notification() })["embeds"][0].clone();
            (embed.get("url").is_some(), embed["description"].as_str().is_some_and(|text| text.contains(url)))
        };
        for (url, expected) in [
            ("https://a.example/s/1?x=(y)", (true, true)),
            ("http://10.0.0.1:8080/s", (true, true)),
            ("http://localhost:8080/s/1", (false, true)),
            ("https://[2001:db8::1]/s", (false, true)),
            ("https://a.example:x/s", (false, true)),
            ("https://a..example/s", (false, true)),
            ("https://a.1/s", (false, true)),
            ("javascript:alert(1)", (false, false)),
        ] {
            assert_eq!(of(url), expected, "{url}");
        }
    }

    #[test]
    fn a_post_of_a_forum_has_its_name_and_tags() {
        let place = Place::Forum { name: "Desks".into(), tags: vec!["5".into()] };
        let message = with(&notification(), &Style { place, username: "Desk".into(), ..Style::default() });
        assert_eq!(message["thread_name"], "Desks");
        assert_eq!(message["applied_tags"], json!(["5"]));
        assert_eq!(message["username"], "Desk");
        assert!(message.get("avatar_url").is_none());
    }

    #[test]
    fn a_time_beyond_the_calendar_is_within_it() {
        let occurred_at = UNIX_EPOCH + Duration::from_micros(u64::MAX);
        let message = rendered(&Notification { occurred_at, ..notification() });
        assert!(message["embeds"][0]["timestamp"].as_str().is_some_and(|time| time.starts_with("9999-")));
    }
}
