//! Raises alerts in PagerDuty, and ends them when what was wrong is right again.
//!
//! `config` says where, `plan` what an event means for the alerts, `render` writes it as PagerDuty wants it, `alert` remembers
//! which alerts are open, `answer` reads what PagerDuty says.
#![forbid(unsafe_code)]

mod alert;
mod answer;
mod config;
mod plan;
mod render;
#[cfg(test)]
mod rules;

use std::time::SystemTime;

use serde_json::{Value, json};
use streamspace_notifier::{
    Delivery, Limit, Notification, Notifier, Outcome, Provider, Settings, Verdict, http,
};
use streamspace_plugin::prelude::*;

use crate::{
    alert::Alert,
    config::{Config, Target},
    plan::{Action, Plan},
    render::{Message, Piece},
};

/// PagerDuty, as the notifiers see it.
struct PagerDuty {
    context: Context,
}

impl Provider for PagerDuty {
    const NAME: &'static str = "PagerDuty";

    /// About 120 calls in any minute and integration key
    /// (<https://developer.pagerduty.com/docs/events-api-v2-rate-limits>).
    const LIMITS: &'static [Limit] = &[Limit::new(120, 60)];

    type Config = Config;
    type Target = Target;
    type Message = Message;

    fn configure(context: &Context, config: Config) -> Result<(Self, Settings<Target>)> {
        Ok((Self { context: context.clone() }, config.into_settings(context.name())?))
    }

    fn wants(&self, notification: &Notification, to: &Target) -> bool {
        !Plan::of(notification, to).is_empty()
    }

    /// Alerts are no lines of a digest, and no limit of the operator's holds them back.
    fn folds(&self, notification: &Notification, to: &Target) -> bool {
        !Plan::of(notification, to).is_about_alerts()
    }

    /// What is open decides whether an alert is told of again, not what was said last: a session may fail, start and fail in
    /// one minute.
    fn suppresses(&self, notification: &Notification, to: &Target) -> bool {
        !Plan::of(notification, to).is_about_alerts()
    }

    fn skips(
        &self,
        notification: &Notification,
        to: &Target,
        delivery: &Delivery<'_>,
    ) -> Result<Option<String>, StorageError> {
        let plan = Plan::of(notification, to);
        if plan.change {
            return Ok(None);
        }
        let mut reason = None;
        for (action, key) in &plan.alerts {
            let alert = Alert::remembered(delivery, key)?;
            match alert::permits(alert.as_ref(), *action, delivery.id, SystemTime::now(), to.window) {
                Ok(()) => return Ok(None),
                Err(why) => reason = Some(why.to_owned()),
            }
        }
        Ok(reason)
    }

    fn render(&self, notification: &Notification, to: &Target) -> Message {
        render::message(notification, to)
    }

    fn send(&self, message: &Message, to: &Target, delivery: &Delivery<'_>) -> Outcome {
        self.tell(message, to, delivery)
            .unwrap_or_else(|why| Verdict::Again { after: None, reason: why.to_string() }.into())
    }
}

impl PagerDuty {
    /// Sends one piece after the other, up to the first that PagerDuty does not take. At the next try, those that it has taken
    /// are left out.
    fn tell(&self, message: &Message, to: &Target, delivery: &Delivery<'_>) -> Result<Outcome, StorageError> {
        let mut told = Vec::new();
        let mut last: Outcome =
            Verdict::Skipped { reason: "it is nothing that PagerDuty is to be told".to_owned() }.into();
        for piece in &message.requests {
            let outcome = match &piece.alert {
                Some((action, key)) => self.alert(piece, *action, key, to, delivery)?,
                None => self.post(piece.path, &piece.body, to),
            };
            match outcome.verdict {
                Verdict::Sent => {
                    told.push(piece.name());
                    last = outcome;
                }
                Verdict::Skipped { .. } if told.is_empty() => last = outcome,
                Verdict::Skipped { .. } => {}
                _ => return Ok(outcome),
            }
        }
        Ok(Outcome { progress: if told.is_empty() { Value::Null } else { json!({ "told": told }) }, ..last })
    }

    /// Tells of an alert. It is written down before that it will be, since PagerDuty may know of it although its answer is
    /// lost, and afterwards that it was.
    fn alert(
        &self,
        piece: &Piece,
        action: Action,
        key: &str,
        to: &Target,
        delivery: &Delivery<'_>,
    ) -> Result<Outcome, StorageError> {
        let (id, now) = (delivery.id, SystemTime::now());
        let before = Alert::remembered(delivery, key)?;
        if let Err(reason) = alert::permits(before.as_ref(), action, id, now, to.window) {
            return Ok(Verdict::Skipped { reason: reason.to_owned() }.into());
        }
        // PagerDuty wakes nobody for what fails again while somebody is said to take care of it. It is another alert.
        if action == Action::Trigger && before.as_ref().is_some_and(Alert::is_acknowledged) {
            let outcome = self.post(piece.path, &render::follow_up(Action::Resolve, key), to);
            if outcome.verdict != Verdict::Sent {
                return Ok(outcome);
            }
        }
        let noted = Alert::new(action, id, now).remember(delivery, key);
        // Somebody has to know, whether or not there is room to write it down.
        if action != Action::Trigger {
            noted?;
        }
        let outcome = self.post(piece.path, &piece.body, to);
        match &outcome.verdict {
            Verdict::Sent => {
                if let Err(why) = Alert::new(action, id, now).told().remember(delivery, key) {
                    warn!(
                        self.context.logger(), "PagerDuty was told of an alert, and it cannot be written down: it may not end by itself.";
                        "alert" => piece.name(), "reason" => %why
                    );
                }
            }
            // PagerDuty says that it does not have it: all is as before.
            Verdict::Refused { .. } => match before {
                Some(before) => before.remember(delivery, key)?,
                None => Alert::forget(delivery, key)?,
            },
            _ => {}
        }
        Ok(outcome)
    }

    /// Sends a body, with the key that says which service it is for.
    fn post(&self, path: &str, body: &Value, to: &Target) -> Outcome {
        let mut body = body.clone();
        body["routing_key"] = to.routing_key.expose().into();
        let request = Request::post(format!("{}{path}", to.region.address()))
            .header("Content-Type", "application/json")
            .body(body.to_string());
        answer::of(&http::send(&self.context, request), SystemTime::now())
    }
}

streamspace_plugin::export!(Notifier<PagerDuty>);

#[cfg(test)]
mod tests {
    use streamspace_notifier::testing::golden;

    use super::*;

    #[test]
    fn golden_messages() {
        golden(env!("CARGO_MANIFEST_DIR"), |sample| {
            let message = render::message(&sample.notification(), &config::tests::everything());
            rules::assert_within_limits(&message);
            serde_json::to_value(message).expect("JSON")
        });
    }
}
