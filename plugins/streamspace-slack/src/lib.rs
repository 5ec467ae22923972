//! Sends session, user and quota events to Slack, through incoming webhooks or as an app.
//!
//! `config` says where, `render` writes a message as Slack wants it, `answer` reads what Slack says to it.
#![forbid(unsafe_code)]

mod answer;
mod config;
mod render;
#[cfg(test)]
mod rules;

use std::time::{Duration, SystemTime};

use serde_json::Value;
use streamspace_notifier::{
    Delivery, Limit, Notification, Notifier, Outcome, Provider, Settings, Verdict, http,
};
use streamspace_plugin::prelude::*;

use crate::config::{Config, Target, Way};

/// Where an app posts (<https://docs.slack.dev/reference/methods/chat.postMessage>).
const POST_MESSAGE: &str = "https://slack.com/api/chat.postMessage";
/// How long it is known where a session's thread began.
const THREADS: Duration = Duration::from_secs(30 * 24 * 3600);

/// Longest story that is a thread, in bytes: longer than any session's id, shorter than what a key of the storage may be.
const MAX_STORY: usize = 200;

/// Slack, as the notifiers see it.
struct Slack {
    context: Context,
}

impl Provider for Slack {
    const NAME: &'static str = "Slack";

    /// One message a second and channel, with short bursts, of which Slack does not say how long
    /// (<https://docs.slack.dev/apis/web-api/rate-limits>).
    const LIMITS: &'static [Limit] = &[Limit::new(3, 3)];

    type Config = Config;
    type Target = Target;
    type Message = Value;

    fn configure(context: &Context, config: Config) -> Result<(Self, Settings<Target>)> {
        Ok((Self { context: context.clone() }, config.into_settings()?))
    }

    fn render(&self, notification: &Notification, to: &Target) -> Value {
        render::message(notification, &to.style)
    }

    fn send(&self, message: &Value, to: &Target, delivery: &Delivery<'_>) -> Outcome {
        match &to.way {
            Way::Webhook(url) => {
                let request = json(Request::post(url.expose()), message);
                answer::of_webhook(&http::send(&self.context, request), SystemTime::now())
            }
            Way::Bot(token) => match self.post(token.expose(), message, delivery) {
                Ok(outcome) => outcome,
                Err(why) => Verdict::Again { after: None, reason: why.to_string() }.into(),
            },
        }
    }
}

impl Slack {
    /// Posts as an app: into the thread of the message's story, or as its beginning.
    fn post(&self, token: &str, message: &Value, delivery: &Delivery<'_>) -> Result<Outcome, StorageError> {
        let story = delivery.notification.thread.as_ref().filter(|story| story.len() <= MAX_STORY);
        let story = story.map(|story| format!("thread/{}", story.replace('\0', " ")));
        let thread: Option<String> = match &story {
            Some(story) => delivery.remembered(story)?,
            None => None,
        };
        let mut message = message.clone();
        if let Some(thread) = &thread {
            message["thread_ts"] = thread.as_str().into();
        }
        let request =
            json(Request::post(POST_MESSAGE).header("Authorization", format!("Bearer {token}")), &message);
        let (outcome, posted) = answer::of_app(&http::send(&self.context, request), SystemTime::now());
        if let (Some(story), None, Some(posted)) = (&story, &thread, &posted) {
            // Sent is sent: only the next message begins a thread of its own.
            if let Err(why) = delivery.remember(story, posted, THREADS) {
                warn!(self.context.logger(), "The beginning of a thread cannot be written down."; "reason" => %why);
            }
        }
        if let (Some(story), true) = (&story, answer::lost_its_thread(&outcome)) {
            delivery.forget(story)?;
        }
        Ok(outcome)
    }
}

fn json(request: Request, message: &Value) -> Request {
    request.header("Content-Type", "application/json; charset=utf-8").body(message.to_string())
}

streamspace_plugin::export!(Notifier<Slack>);

#[cfg(test)]
mod tests {
    use streamspace_notifier::testing::golden;

    use super::*;

    #[test]
    fn golden_messages() {
        golden(env!("CARGO_MANIFEST_DIR"), |sample| {
            let to = config::tests::target();
            let message = render::message(&sample.notification(), &to.style);
            rules::assert_within_limits(&message);
            message
        });
    }
}
