//! The configuration, and the destinations that it describes.

use serde::Deserialize;
use serde_json::{Value, json};
use streamspace_notifier::{Common, DEFAULT, Entry, Secret, Settings, switched};
use streamspace_plugin::prelude::{Error, Result};

use crate::{
    markdown::length,
    render::is_well_formed,
    webhook::{Webhook, is_number},
};

/// Of a webhook's name (<https://docs.discord.com/developers/resources/webhook#create-webhook>), in characters.
const NAME: usize = 80;
/// Of the name of a forum's post (<https://docs.discord.com/developers/resources/channel#channel-object>), in characters.
const POST_NAME: usize = 100;
/// Tags of a forum's post (<https://docs.discord.com/developers/resources/channel#channel-object>).
const TAGS: usize = 5;

/// The plugin's configuration. The manifest's `configSchema` describes the same, and has the defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the switches of the platform's configuration")]
pub(crate) struct Config {
    #[serde(default)]
    webhook_url: Option<Secret>,
    username: String,
    #[serde(default)]
    avatar_url: String,
    #[serde(flatten)]
    to: Where,
    edit_in_place: bool,
    notify_on_session_created: bool,
    notify_on_session_hibernated: bool,
    notify_on_user_created: bool,
    #[serde(flatten)]
    common: Common,
    destinations: Vec<Entry<To>>,
}

/// Where an entry of `destinations` leads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct To {
    webhook_url: Secret,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    avatar_url: Option<String>,
    #[serde(flatten)]
    to: Where,
    #[serde(default)]
    edit_in_place: Option<bool>,
}

/// What belongs to one webhook, since it is about that webhook's channel and server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Where {
    thread_id: Option<String>,
    thread_name: Option<String>,
    applied_tags: Vec<String>,
    mention: Option<Mention>,
}

/// Where messages go and what they look like there.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) webhook: Webhook,
    pub(crate) style: Style,
    /// Whether messages of one session are one message.
    pub(crate) edits: bool,
}

/// How the messages of one destination look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Style {
    /// Empty for the webhook's own.
    pub(crate) username: String,
    /// Empty for the webhook's own.
    pub(crate) avatar_url: String,
    pub(crate) place: Place,
    /// Whom a critical message notifies.
    pub(crate) mention: Option<Mention>,
}

/// Where in the webhook's channel messages are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the channel itself.
    #[default]
    Channel,
    /// In this thread of it.
    Thread(String),
    /// In a post of the forum that it is, which is made if need be.
    Forum { name: String, tags: Vec<String> },
}

impl Config {
    /// The destinations, with the one at the top first.
    ///
    /// # Errors
    ///
    /// When there is none, two have the same name, or Discord would not take what one says.
    pub(crate) fn into_settings(self) -> Result<Settings<Target>> {
        let topics = switched(&[
            (self.notify_on_session_created, "session.created"),
            (self.notify_on_session_hibernated, "session.hibernated"),
            (self.notify_on_user_created, "user.created"),
        ]);
        let (username, avatar, edits) = (self.username, self.avatar_url, self.edit_in_place);
        let top = match self.webhook_url {
            None if self.to.is_something() => {
                return Err(Error::permanent(
                    "`threadId`, `threadName`, `appliedTags` and `mention` at the top belong to the `webhookUrl` at the top, and \
                     there is none",
                ));
            }
            None => None,
            Some(url) => Some(target(DEFAULT, &url, self.to, &username, &avatar, edits)?),
        };
        let entries = self.destinations.into_iter().map(|entry| {
            entry.map(|name, to| {
                let username = to.username.as_deref().unwrap_or(&username);
                let avatar = to.avatar_url.as_deref().unwrap_or(&avatar);
                target(name, &to.webhook_url, to.to, username, avatar, to.edit_in_place.unwrap_or(edits))
            })
        });
        Settings::new(self.common, &topics, top, entries.collect::<Result<_>>()?)
    }
}

impl Where {
    fn is_something(&self) -> bool {
        self.thread_id.is_some()
            || self.thread_name.is_some()
            || !self.applied_tags.is_empty()
            || self.mention.is_some()
    }
}

fn target(
    name: &str,
    url: &Secret,
    to: Where,
    username: &str,
    avatar_url: &str,
    edits: bool,
) -> Result<Target> {
    let refused = |why: &str| Error::permanent(format!("the destination `{name}`: {why}"));
    let (webhook, thread) =
        Webhook::parse(url.expose()).map_err(|why| refused(&format!("`webhookUrl`: {why}")))?;
    let (username, avatar_url) = (username.trim(), avatar_url.trim());
    if let Some(why) = refuses_name(username) {
        return Err(refused(&format!("`username`: {why}")));
    }
    if !avatar_url.is_empty() && !is_well_formed(avatar_url) {
        return Err(refused("`avatarUrl`: expected an address such as https://example.com/icon.png"));
    }
    if let (Some(one), Some(other)) = (&thread, &to.thread_id)
        && one != other
    {
        return Err(refused(
            "`threadId` and the `thread_id` of its `webhookUrl` are two threads: give it one of them",
        ));
    }
    let place = match (to.thread_id.or(thread), to.thread_name) {
        (Some(_), Some(_)) => {
            return Err(refused("it has both a thread to post to and a `threadName`: give it one of them"));
        }
        (_, None) if !to.applied_tags.is_empty() => {
            return Err(refused("`appliedTags` are of the post that `threadName` names: give it one"));
        }
        (Some(id), None) if is_number(&id) => Place::Thread(id),
        (Some(_), None) => {
            return Err(refused("`threadId`: expected the number that Discord copies as the thread's id"));
        }
        (None, Some(name)) => {
            let name = name.trim();
            if name.is_empty() || length(name) > POST_NAME {
                return Err(refused(&format!("`threadName`: expected 1 to {POST_NAME} characters")));
            }
            if to.applied_tags.len() > TAGS || !to.applied_tags.iter().all(|tag| is_number(tag)) {
                return Err(refused(&format!(
                    "`appliedTags`: expected up to {TAGS} ids of tags, which are numbers"
                )));
            }
            Place::Forum { name: name.to_owned(), tags: to.applied_tags }
        }
        (None, None) => Place::Channel,
    };
    let style = Style {
        username: username.to_owned(),
        avatar_url: avatar_url.to_owned(),
        place,
        mention: to.mention,
    };
    Ok(Target { webhook, style, edits })
}

/// Why Discord does not take a sender's name, if it does not
/// (<https://docs.discord.com/developers/resources/user#usernames-and-nicknames>). An empty one is the webhook's own.
fn refuses_name(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    if length(name) > NAME {
        return Some(format!("Discord takes up to {NAME} characters"));
    }
    if let Some(part) = ["discord", "clyde", "@", "#", ":", "```"].iter().find(|part| lower.contains(**part))
    {
        return Some(format!("Discord takes no name with `{part}` in it"));
    }
    ["everyone", "here"].contains(&lower.as_str()).then(|| format!("Discord takes no name that is `{lower}`"))
}

/// Whom a message notifies. A fixed vocabulary, so that nothing else can be mentioned.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Mention {
    /// Who is online and sees the channel.
    Here,
    /// Who sees the channel.
    Everyone,
    /// Who has a role, by its id.
    Role(String),
}

impl Mention {
    /// As Discord writes it.
    pub(crate) fn markup(&self) -> String {
        match self {
            Self::Here => "@here".into(),
            Self::Everyone => "@everyone".into(),
            Self::Role(id) => format!("<@&{id}>"),
        }
    }

    /// The `allowed_mentions` of a message with it
    /// (<https://docs.discord.com/developers/resources/message#allowed-mentions-object>).
    pub(crate) fn allowed(&self) -> Value {
        match self {
            Self::Here | Self::Everyone => json!({ "parse": ["everyone"] }),
            Self::Role(id) => json!({ "parse": [], "roles": [id] }),
        }
    }
}

impl TryFrom<String> for Mention {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "here" => Ok(Self::Here),
            "everyone" => Ok(Self::Everyone),
            id if is_number(id) => Ok(Self::Role(text)),
            _ => Err("expected `here`, `everyone`, or the id of a role, which is a number"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use streamspace_notifier::testing::Schema;

    use super::*;

    /// An address of the right form that no webhook has.
    fn address(end: &str) -> String {
        format!("https://discord.com/api/webhooks/100000000000000000/{end}")
    }

    fn settings(value: &Value) -> Result<Settings<Target>, String> {
        let config: Config = Schema::of(include_str!("../manifest.json")).read(value)?;
        config.into_settings().map_err(|why| why.to_string())
    }

    fn only(value: &Value) -> Target {
        settings(value).unwrap_or_else(|why| panic!("{value}: {why}")).destinations.remove(0).target
    }

    /// The style of a configuration with nothing but the webhook.
    pub(crate) fn target() -> Style {
        only(&json!({ "webhookUrl": address("x") })).style
    }

    fn with(change: Value) -> Value {
        let mut entry = json!({"name": "ops", "webhookUrl": address("x")});
        entry.as_object_mut().expect("object").extend(change.as_object().expect("object").clone());
        json!({ "destinations": [entry] })
    }

    #[test]
    fn the_example_is_valid_and_read() {
        let example: Value = serde_json::from_str(include_str!("../config.example.json")).expect("JSON");
        let settings = settings(&example).expect("settings");
        assert_eq!(settings.destinations[0].name, DEFAULT);
        assert!(settings.destinations.len() > 1, "the example shows routing");
    }

    #[test]
    fn what_the_platform_calls_its_defaults_are_ours() {
        let settings = settings(&json!({ "webhookUrl": address("x") })).expect("settings");
        let to = &settings.destinations[0];
        assert_eq!(to.topics, ["session.created", "session.hibernated", "user.created"]);
        assert_eq!(to.per_hour, Some(20));
        assert!(!settings.details);
        assert_eq!(
            (to.target.style.username.as_str(), to.target.style.avatar_url.as_str()),
            ("StreamSpace", "")
        );
        assert!(to.target.edits);
    }

    #[test]
    fn what_is_right_is_taken() {
        for good in [
            json!({"webhookUrl": "https://canary.discord.com/api/v10/webhooks/1/x-_Y"}),
            json!({"webhookUrl": "https://ptb.discord.com/api/webhooks/1/x"}),
            json!({"webhookUrl": address("x"), "avatarUrl": "https://example.com/a.png", "username": ""}),
            json!({"webhookUrl": address("x"), "rateLimit": 12.5, "avatarUrl": "", "destinations": []}),
            with(
                json!({"mention": "everyone", "minSeverity": "error", "topics": ["session.*", "plugin.>", ">"], "editInPlace": false,
                        "quietHours": {"from": "22:00", "to": "06:00", "timeZone": "Europe/Berlin"}}),
            ),
            with(json!({"threadName": "Desks", "appliedTags": ["1", "2"]})),
        ] {
            settings(&good).unwrap_or_else(|why| panic!("{good}: {why}"));
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let top = |change: Value| {
            let mut config = json!({"webhookUrl": address("x")});
            config.as_object_mut().expect("object").extend(change.as_object().expect("object").clone());
            config
        };
        for bad in [
            json!({}),
            json!({"destinations": []}),
            json!({"webhookUrl": "http://discord.com/api/webhooks/1/x"}),
            json!({"webhookUrl": "https://discord.com.example.org/api/webhooks/1/x"}),
            json!({"webhookUrl": "https://discord.com/api/webhooks/1/x/slack"}),
            json!({"webhookUrl": "https://discord.com/api/webhooks/1/x?with_components=true"}),
            json!({"mention": "here", "destinations": [{"name": "ops", "webhookUrl": address("x")}]}),
            top(json!({"webhookURL": "y"})),
            top(json!({"rateLimit": -1})),
            top(json!({"avatarUrl": "icon.png"})),
            top(json!({"avatarUrl": "http://localhost/icon.png"})),
            top(json!({"username": "Discord bot"})),
            top(json!({"username": "my cLyde"})),
            top(json!({"username": "a@b"})),
            top(json!({"username": "Here"})),
            top(json!({"username": "x".repeat(81)})),
            top(json!({"username": "🦀".repeat(41)})),
            top(json!({"threadId": "x"})),
            top(json!({"threadId": "1", "threadName": "Desks"})),
            top(json!({"webhookUrl": address("x?thread_id=1"), "threadId": "2"})),
            top(json!({"webhookUrl": address("x?thread_id=1"), "threadName": "Desks"})),
            top(json!({"appliedTags": ["1"]})),
            top(json!({"threadName": "Desks", "appliedTags": ["1", "2", "3", "4", "5", "6"]})),
            top(json!({"threadName": "Desks", "appliedTags": ["urgent"]})),
            top(json!({"threadName": " "})),
            top(json!({"threadName": "x".repeat(101)})),
            top(json!({"messages": {"session.created": {"title": "{{"}}})),
            json!({"destinations": [{"name": "ops"}]}),
            with(json!({"mention": "@everyone"})),
            with(json!({"mention": "1> <@2"})),
            with(json!({"minSeverity": "fatal"})),
            with(json!({"name": "Ops Team"})),
            with(json!({"topics": []})),
        ] {
            assert!(settings(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_thread_may_stand_in_the_address_or_beside_it() {
        let thread = Place::Thread("7".into());
        assert_eq!(only(&json!({"webhookUrl": address("x?thread_id=7")})).style.place, thread);
        assert_eq!(only(&json!({"webhookUrl": address("x"), "threadId": "7"})).style.place, thread);
        assert_eq!(
            only(&json!({"webhookUrl": address("x?thread_id=7"), "threadId": "7"})).style.place,
            thread
        );
    }

    #[test]
    fn the_sender_is_that_of_the_top_unless_a_destination_has_its_own() {
        let settings = settings(&json!({
            "username": "Desk", "editInPlace": false,
            "destinations": [
                {"name": "a", "webhookUrl": address("x")},
                {"name": "b", "webhookUrl": address("y"), "username": "Failures", "editInPlace": true},
            ],
        }))
        .expect("settings");
        let told: Vec<_> = settings
            .destinations
            .iter()
            .map(|to| (to.target.style.username.as_str(), to.target.edits))
            .collect();
        assert_eq!(told, [("Desk", false), ("Failures", true)]);
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let value = json!({
            "webhookUrl": address("hunter2"), "destinations": [{"name": "ops", "webhookUrl": address("hunter2")}],
        });
        let shown = format!("{:?}", settings(&value).expect("settings"));
        assert!(!shown.contains("hunter2") && !shown.contains("discord.com"), "{shown}");
        let mut wrong = value;
        wrong["threadId"] = "1".into();
        wrong["threadName"] = "x".into();
        let why = settings(&wrong).expect_err("two places");
        assert!(!why.contains("hunter2"), "{why}");
    }
}
