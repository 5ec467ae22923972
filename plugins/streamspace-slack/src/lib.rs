//! Sends session, user and quota events to Slack through incoming webhooks.
//!
//! An event's way: `message` says it in plain text, `routing` decides whether the destination wants it, `destination`
//! whether it may go now, `render` writes it as Slack wants it, `verdict` reads the answer.
#![forbid(unsafe_code)]

mod config;
mod destination;
mod generic;
#[cfg(test)]
mod golden;
mod message;
mod mrkdwn;
mod pacing;
mod render;
mod routing;
mod verdict;

use std::time::{Duration, Instant};

use streamspace_plugin::prelude::*;

use crate::{
    config::Config,
    destination::{Destination, Outcome},
    verdict::Answer,
};

/// For the whole of one request.
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);
/// Most events in one call, each of which may take the whole timeout.
const BATCH: u32 = 4;
/// For one call: all its requests, and some time to spare.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often a message is tried before it becomes a dead letter: with the default back-off, about half an hour.
const MAX_DELIVER: u32 = 8;
/// Slack answers with one word; this is a page of somebody else's.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// The plugin: a consumer for each destination.
struct Slack {
    context: Context,
    destinations: Vec<Destination>,
}

impl Plugin for Slack {
    type Config = Config;

    fn load(context: &Context, config: Config) -> Result<Self> {
        let destinations: Vec<_> = config.into_targets()?.into_iter().map(Destination::new).collect();
        let names: Vec<_> = destinations.iter().map(|to| to.target().name.as_str()).collect();
        info!(context.logger(), "Sending to Slack."; "destinations" => names.join(", "));
        for idle in destinations.iter().filter(|to| to.target().topics.is_empty()) {
            warn!(
                context.logger(), "Nothing is sent to this destination: every `notifyOn…` switch is off.";
                "destination" => &idle.target().name
            );
        }
        Ok(Self { context: context.clone(), destinations })
    }

    fn register(&self, on: &mut Registrar<Self>) {
        for (i, destination) in self.destinations.iter().enumerate() {
            let target = destination.target();
            if target.topics.is_empty() {
                continue;
            }
            on.consumer(&format!("to-{}", target.name))
                .topics(target.topics.iter().map(String::as_str))
                .durable()
                .max_deliver(MAX_DELIVER)
                .batch(BATCH)
                .deadline(DEADLINE)
                .handle(move |slack: &Self, event| slack.deliver(&slack.destinations[i], event));
        }
    }
}

impl Slack {
    fn deliver(&self, destination: &Destination, event: &Event<'_>) -> Handled {
        let target = destination.target();
        let outcome = destination.deliver(event, Instant::now(), |body| {
            let request = Request::post(target.url.expose())
                .header("Content-Type", "application/json; charset=utf-8")
                .body(body)
                .timeout(HTTP_TIMEOUT)
                .max_response_bytes(MAX_ANSWER_BYTES);
            self.context.http().send(&request).map(|response| Answer::from(&response))
        });
        match outcome {
            Outcome::Settled(handled) => handled,
            Outcome::Broke { reason } => {
                error!(
                    self.context.logger(),
                    "A destination is broken; its messages are rejected until the configuration changes.";
                    "destination" => &target.name, "reason" => &reason
                );
                Handled::reject(reason)
            }
        }
    }
}

streamspace_plugin::export!(Slack);
