//! Sends session, user and quota events to Discord, through webhooks.
//!
//! `config` and `webhook` say where, `render` and `markdown` write a message as Discord wants it, `story` makes one message of
//! what happens to a session, `answer` reads what Discord says.
#![forbid(unsafe_code)]

mod answer;
mod config;
mod markdown;
mod render;
#[cfg(test)]
mod rules;
mod story;
mod webhook;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use streamspace_notifier::{Delivery, Notification, Notifier, Outcome, Provider, Settings, Verdict, http};
use streamspace_plugin::prelude::*;

use crate::{
    answer::{Answer, Posted},
    config::{Config, Place, Target},
    story::{Line, Told},
};

/// How long it is known which message tells of a session, and which post of a forum messages go to, since it was last used.
const KNOWN: Duration = Duration::from_secs(30 * 24 * 3600);
/// After that time, what was begun is not begun anew within the same try: a request may take two thirds of what a try may.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a wait is longer than Discord says, for clocks that are not quite alike.
const MARGIN: Duration = Duration::from_millis(100);
/// Under which key the post of a forum is remembered.
const FORUM: &str = "forum";
/// Discord asks every client to say what it is (<https://docs.discord.com/developers/reference#user-agent>).
const USER_AGENT: &str = concat!("DiscordBot (StreamSpace, ", env!("CARGO_PKG_VERSION"), ")");

/// Discord, as the notifiers see it.
struct Discord {
    context: Context,
    /// Until when nothing may be sent, to whichever webhook.
    nothing_before: Mutex<Option<Instant>>,
}

/// The post of a forum that messages go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Post {
    webhook: String,
    name: String,
    thread: String,
}

/// Where a message goes.
enum Way<'a> {
    /// It becomes what that message says.
    Edit(Told),
    /// It is posted to the channel, or to a thread of it.
    Post(Option<&'a str>),
    /// It is posted to the post that was made for earlier ones.
    Follow(Post),
}

impl Provider for Discord {
    const NAME: &'static str = "Discord";

    type Config = Config;
    type Target = Target;
    type Message = Value;

    fn configure(context: &Context, config: Config) -> Result<(Self, Settings<Target>)> {
        let discord = Self { context: context.clone(), nothing_before: Mutex::default() };
        Ok((discord, config.into_settings()?))
    }

    fn render(&self, notification: &Notification, to: &Target) -> Value {
        render::message(notification, &to.style)
    }

    fn send(&self, message: &Value, to: &Target, delivery: &Delivery<'_>) -> Outcome {
        if let Some(after) = self.held() {
            let reason = "Discord takes no more messages now, from any of its webhooks".to_owned();
            return Verdict::Limited { after, reason }.into();
        }
        match self.deliver(message, to, delivery) {
            Ok(outcome) => outcome,
            Err(why) => Verdict::Again { after: None, reason: why.to_string() }.into(),
        }
    }
}

impl Discord {
    /// Edits the message of the story or posts one, again for what turns out to be gone.
    fn deliver(
        &self,
        message: &Value,
        to: &Target,
        delivery: &Delivery<'_>,
    ) -> Result<Outcome, StorageError> {
        let began = Instant::now();
        let line = Line::of(delivery.id, delivery.notification);
        let key = delivery.notification.thread.as_deref().filter(|_| to.edits).and_then(story::key);
        loop {
            let told: Option<Told> = match &key {
                Some(key) => delivery.remembered(key)?,
                None => None,
            };
            let way = way(to, told.as_ref(), &line, delivery)?;
            let answer = self.ask(message, to, &way, &line);
            if answer.gone {
                // Each of the two can be gone once; without them there is nothing to be gone.
                match (&way, &key) {
                    (Way::Edit(_), Some(key)) => delivery.forget(key)?,
                    _ => delivery.forget(FORUM)?,
                }
                if began.elapsed() < PATIENCE {
                    continue;
                }
                let reason = "what was to be edited or gone on with is gone".to_owned();
                return Ok(Verdict::Again { after: Some(Duration::ZERO), reason }.into());
            }
            if let Some(wait) = answer.everywhere {
                self.hold(wait);
            }
            let mut outcome = answer.outcome;
            if let Verdict::Limited { after, .. } = outcome.verdict {
                outcome.hold = outcome.hold.max(Some(after));
            }
            outcome.hold = outcome.hold.map(|wait| wait + MARGIN);
            if let Some(posted) = answer.posted {
                outcome.progress = json!({ "message": posted.id, "edited": matches!(way, Way::Edit(_)) });
                let remembered = remember(delivery, to, way, posted, line, told.as_ref(), key.as_deref());
                if let Err(why) = remembered {
                    // It was sent: trying again would send it twice.
                    warn!(self.context.logger(), "Which message was posted cannot be remembered."; "reason" => %why);
                }
            }
            return Ok(outcome);
        }
    }

    fn ask(&self, message: &Value, to: &Target, way: &Way<'_>, line: &Line) -> Answer {
        let webhook = &to.webhook;
        let (request, remembered) = match way {
            Way::Edit(told) => {
                let edit = told.clone().telling(line.clone()).edit(message);
                (Request::patch(webhook.to_edit(&told.message, told.thread.as_deref())).json(&edit), true)
            }
            Way::Post(thread) => (Request::post(webhook.to_post(*thread)).json(message), false),
            Way::Follow(post) => {
                let mut message = message.clone();
                if let Some(message) = message.as_object_mut() {
                    message.retain(|key, _| key != "thread_name" && key != "applied_tags");
                }
                (Request::post(webhook.to_post(Some(&post.thread))).json(&message), true)
            }
        };
        let answer = http::send(&self.context, request.header("User-Agent", USER_AGENT));
        answer::of(&answer, remembered, SystemTime::now())
    }

    /// How long nothing may be sent to any webhook.
    fn held(&self) -> Option<Duration> {
        let until = *self.nothing_before.lock().unwrap_or_else(PoisonError::into_inner);
        until?.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
    }

    fn hold(&self, wait: Duration) {
        let mut until = self.nothing_before.lock().unwrap_or_else(PoisonError::into_inner);
        let then = Instant::now() + wait;
        *until = Some(until.map_or(then, |earlier| earlier.max(then)));
    }
}

fn way<'a>(
    to: &'a Target,
    told: Option<&Told>,
    line: &Line,
    delivery: &Delivery<'_>,
) -> Result<Way<'a>, StorageError> {
    if let Some(told) = told.filter(|told| told.is_edited_for(line, delivery.notification.severity)) {
        return Ok(Way::Edit(told.clone()));
    }
    Ok(match &to.style.place {
        Place::Channel => Way::Post(None),
        Place::Thread(id) => Way::Post(Some(id)),
        Place::Forum { name, .. } => {
            let post: Option<Post> = delivery.remembered(FORUM)?;
            let is_meant = |post: &Post| post.name == *name && post.webhook == to.webhook.id();
            post.filter(is_meant).map_or(Way::Post(None), Way::Follow)
        }
    })
}

/// Remembers what the next message needs to know of this one.
fn remember(
    delivery: &Delivery<'_>,
    to: &Target,
    way: Way<'_>,
    posted: Posted,
    line: Line,
    told: Option<&Told>,
    key: Option<&str>,
) -> Result<(), StorageError> {
    let thread = match way {
        Way::Edit(edited) => {
            let Some(key) = key else { return Ok(()) };
            return delivery.remember(key, &edited.telling(line), KNOWN);
        }
        Way::Follow(post) => {
            // For as long again.
            delivery.remember(FORUM, &post, KNOWN)?;
            Some(post.thread)
        }
        Way::Post(Some(thread)) => Some(thread.to_owned()),
        Way::Post(None) => match &to.style.place {
            // A message that makes a post is in the thread that it has made.
            Place::Forum { name, .. } => {
                let (webhook, thread) = (to.webhook.id().to_owned(), posted.channel_id.clone());
                delivery.remember(
                    FORUM,
                    &Post { webhook, name: name.clone(), thread: thread.clone() },
                    KNOWN,
                )?;
                Some(thread)
            }
            Place::Channel | Place::Thread(_) => None,
        },
    };
    match key {
        Some(key) if !told.is_some_and(|told| told.is_ahead_of(&line)) => {
            let told = Told { message: posted.id, thread, shown: line, earlier: Vec::new() };
            delivery.remember(key, &told, KNOWN)
        }
        _ => Ok(()),
    }
}

streamspace_plugin::export!(Notifier<Discord>);

#[cfg(test)]
mod tests;
