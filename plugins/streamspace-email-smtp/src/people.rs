//! Those whom events are about, and what they want to be told.
//!
//! ```text
//! preferences/USER   by topic, whether it is wanted; what is not there has the default
//! ```

use std::collections::BTreeMap;

use lettre::Address;
use streamspace_notifier::Notification;
use streamspace_plugin::prelude::{Context, Result, StorageError};

use crate::config::usable;

/// A kind of mail to the one whom it is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) topic: &'static str,
    /// Whether it is sent to those who have said nothing.
    pub(crate) default: bool,
    /// What it tells.
    pub(crate) about: &'static str,
}

/// All kinds. The defaults are the platform's.
pub(crate) const KINDS: [Kind; 11] = [
    Kind { topic: "session.created", default: false, about: "A session of yours was created" },
    Kind { topic: "session.idle", default: true, about: "A session of yours is not used" },
    Kind { topic: "session.hibernated", default: false, about: "A session of yours was put to rest" },
    Kind { topic: "session.failed", default: false, about: "A session of yours failed" },
    Kind { topic: "session.terminated", default: false, about: "A session of yours was ended" },
    Kind { topic: "session.shared", default: true, about: "Somebody shares a session with you" },
    Kind { topic: "quota.warning", default: true, about: "You have nearly reached a limit" },
    Kind { topic: "quota.exceeded", default: true, about: "You have reached a limit" },
    Kind { topic: "user.created", default: false, about: "Your account was created" },
    Kind { topic: "user.updated", default: false, about: "Your account was changed" },
    Kind { topic: "user.login", default: false, about: "Somebody signed in with your account" },
];

/// Somebody, and where their mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// The account's id; a name if there is no account.
    pub(crate) id: String,
    pub(crate) address: Address,
}

/// By topic, what somebody wants beside the defaults.
pub(crate) type Wishes = BTreeMap<String, bool>;

/// The kind of mail that is sent for a topic.
pub(crate) fn kind(topic: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.topic == topic)
}

/// Whom a notification is about, with an address; or why there is nobody.
///
/// # Errors
///
/// When the platform does not say.
pub(crate) fn affected(context: &Context, notification: &Notification) -> Result<Result<Person, String>> {
    let names = names(notification);
    for name in &names {
        let Some(user) = context.platform().users().get(name)? else { continue };
        if user.disabled {
            return Ok(Err(format!("the account of {} is disabled", user.username)));
        }
        return Ok(match usable(&user.email) {
            Some(address) => Ok(Person { id: user.id, address }),
            None => Err(format!("{} has no address that mail can be sent to", user.username)),
        });
    }
    // Of users whom the platform keeps elsewhere, the event may say the address.
    let told = field(notification, "Email").filter(|_| notification.topic.starts_with("user."));
    Ok(match (told.and_then(usable), names.first()) {
        (Some(address), Some(id)) => Ok(Person { id: (*id).to_owned(), address }),
        (_, None) => Err("it is about no user".into()),
        (None, Some(name)) => Err(format!("there is no user {name}")),
    })
}

/// Names and ids of the one whom it is about; all of the same user.
fn names(notification: &Notification) -> Vec<&str> {
    match notification.topic.as_str() {
        // The owner knows.
        "session.shared" => field(notification, "sharedWith").into_iter().collect(),
        _ => notification.about.users.iter().map(String::as_str).collect(),
    }
}

fn field<'a>(notification: &'a Notification, label: &str) -> Option<&'a str> {
    notification.fields.iter().find(|field| field.label == label).map(|field| field.value.as_str())
}

/// The same with words for the one whom it is about, where there are none but the topic.
pub(crate) fn addressed(notification: &Notification) -> Notification {
    let mut told = notification.clone();
    if told.title != told.topic {
        return told;
    }
    let id = field(notification, "id").unwrap_or(&notification.subject);
    let owner = notification.about.users.first().map_or("Somebody", String::as_str);
    let (title, summary) = match told.topic.as_str() {
        "session.idle" => ("Session not used", format!("Your session {id} is not being used.")),
        "session.shared" => ("Session shared with you", format!("{owner} shares the session {id} with you.")),
        _ => return told,
    };
    told.title = title.into();
    told.summary = summary;
    told
}

/// What somebody has said.
///
/// # Errors
///
/// [`StorageError`].
pub(crate) fn wishes(context: &Context, id: &str) -> Result<Wishes, StorageError> {
    Ok(context.storage().get(&key(id))?.unwrap_or_default())
}

/// Adds to what somebody has said.
///
/// # Errors
///
/// [`StorageError`].
pub(crate) fn wish(context: &Context, id: &str, more: Wishes) -> Result<Wishes, StorageError> {
    let mut wishes = wishes(context, id)?;
    wishes.extend(more);
    context.storage().set(&key(id), &wishes)?;
    Ok(wishes)
}

/// Whether somebody wants mails of a kind.
pub(crate) fn wants(wishes: &Wishes, kind: &Kind) -> bool {
    wishes.get(kind.topic).copied().unwrap_or(kind.default)
}

fn key(id: &str) -> String {
    format!("preferences/{}", id.replace('\0', " "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use streamspace_notifier::testing::Sample;

    use super::*;

    #[test]
    fn a_shared_session_is_told_to_the_one_it_is_shared_with() {
        let shared = json!({"id": "s-1", "user": "ada", "sharedWith": "bob", "permissions": ["view"]});
        let told = Sample::new("session.shared", shared).notification();
        assert_eq!(names(&told), ["bob"]);
        let told = addressed(&told);
        assert_eq!(told.summary, "ada shares the session s-1 with you.");
        let idle = Sample::new("session.idle", json!({"id": "s-1", "user": "ada", "idleDuration": 900}))
            .notification();
        assert_eq!(names(&idle), ["ada"]);
        assert_eq!(addressed(&idle).title, "Session not used");
    }

    #[test]
    fn other_words_stay() {
        let told = Sample::new("quota.warning", json!({"user": "ada", "quota": "memory"})).notification();
        assert_eq!(addressed(&told), told);
    }

    #[test]
    fn the_defaults_are_those_of_the_platform() {
        let by_default: Vec<_> =
            KINDS.iter().filter(|kind| wants(&Wishes::new(), kind)).map(|kind| kind.topic).collect();
        assert_eq!(by_default, ["session.idle", "session.shared", "quota.warning", "quota.exceeded"]);
        let mut wishes = Wishes::new();
        wishes.insert("session.idle".into(), false);
        assert!(!wants(&wishes, kind("session.idle").expect("a kind")));
    }
}
