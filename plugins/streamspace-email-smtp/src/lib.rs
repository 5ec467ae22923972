//! Sends session, user and quota events by mail.
//!
//! `config` says where, `render` writes what a mail says and `mail` its bytes, `smtp` speaks with the server, `deliver` knows who
//! has it.
#![forbid(unsafe_code)]

mod config;
mod deliver;
mod mail;
mod people;
mod render;
mod smtp;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use lettre::{Address, message::Mailbox};
use streamspace_notifier::{Delivery, Notification, Notifier, Outcome, Provider, Settings, Verdict};
use streamspace_plugin::prelude::*;

use crate::{
    config::{Config, Recipients, Sender, Target},
    deliver::{Progress, of_trouble},
    mail::Envelope,
    render::Message,
    smtp::{Connection, Security, Trouble},
};

/// For a whole mail, whatever the server does.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long it is known with which mail a session's story began.
const THREADS: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a connection that nobody uses stays open.
const IDLE: Duration = Duration::from_secs(30);

/// Mail, as the notifiers see it.
struct Email {
    context: Context,
    sender: Sender,
    /// A connection that the next mail may use, and since when it is idle.
    idle: Mutex<Option<(Instant, Connection)>>,
}

impl Provider for Email {
    const NAME: &'static str = "Email";

    type Config = Config;
    type Target = Target;
    type Message = Message;

    fn configure(context: &Context, config: Config) -> Result<(Self, Settings<Target>)> {
        let sender = config.sender()?;
        if matches!(sender.server.security, Security::None) {
            warn!(
                context.logger(), "Mail goes to the server in plain text, with the password if there is one.";
                "server" => &sender.server.host
            );
        }
        Ok((Self { context: context.clone(), sender, idle: Mutex::default() }, config.into_settings()?))
    }

    fn render(&self, notification: &Notification, to: &Target) -> Message {
        render::message(notification, &to.style, None)
    }

    fn send(&self, message: &Message, to: &Target, delivery: &Delivery<'_>) -> Outcome {
        match self.deliver(message, to, delivery) {
            Ok(outcome) => outcome,
            Err(why) => Verdict::Again { after: None, reason: why.to_string() }.into(),
        }
    }
}

impl Email {
    fn deliver(&self, message: &Message, target: &Target, delivery: &Delivery<'_>) -> Result<Outcome> {
        let Recipients::List { to, cc } = &target.to else {
            return Ok(Verdict::Skipped { reason: "not yet".into() }.into());
        };
        let mut progress: Progress = serde_json::from_value(delivery.progress.clone()).unwrap_or_default();
        let everybody: Vec<Address> = to.iter().chain(cc).cloned().collect();
        let pending = progress.pending(&everybody);
        let story = delivery.notification.thread.as_ref().map(|story| format!("thread/{story}"));
        let first: Option<String> = match &story {
            Some(story) => delivery.remembered(story)?,
            None => None,
        };
        let boxes = |all: &[Address]| all.iter().map(|one| Mailbox::new(None, one.clone())).collect();
        // The same at every try, so that who gets it twice sees that it is one.
        let id = format!("<{}@{}>", delivery.id, self.sender.from.email.domain());
        let envelope = Envelope {
            to: boxes(to),
            cc: boxes(cc),
            answers: first.clone().filter(|first| *first != id),
            unsubscribe: None,
            date: SystemTime::now(),
            id,
        };
        let bytes = mail::compose(&self.sender, &envelope, message)
            .map_err(|why| Error::new(format!("the mail cannot be written: {why}")))?;
        let sent = match self.connected(|connection| connection.send(&self.sender.bounce, &pending, &bytes)) {
            Ok(sent) => sent,
            Err(trouble) => {
                let outcome = of_trouble(&trouble);
                return Ok(Outcome { progress: serde_json::to_value(progress)?, ..outcome });
            }
        };
        progress.take(&pending, &sent);
        if let (Some(story), None, false) = (&story, &first, progress.sent.is_empty()) {
            delivery.remember(story, &envelope.id, THREADS)?;
        }
        let status = sent.message.as_ref().or(sent.recipients.last()).map(|reply| reply.code);
        Ok(Outcome { status, progress: serde_json::to_value(&progress)?, ..progress.verdict().into() })
    }

    /// Does something with a connection: that of the mail before, if it is there still.
    fn connected<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let until = Instant::now() + TIMEOUT;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let woken = idle.and_then(|(since, mut connection)| {
            (since.elapsed() < IDLE && connection.wake(until)).then_some(connection)
        });
        let mut connection = match woken {
            Some(connection) => connection,
            None => Connection::open(&self.sender.server, until)?,
        };
        let done = work(&mut connection)?;
        if connection.usable {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, before)) = idle.replace((Instant::now(), connection)) {
                drop(idle);
                before.close();
            }
        } else {
            connection.close();
        }
        Ok(done)
    }
}

impl Drop for Email {
    fn drop(&mut self) {
        if let Some((_, connection)) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take() {
            connection.close();
        }
    }
}

streamspace_plugin::export!(Notifier<Email>);

#[cfg(test)]
mod tests {
    use serde_json::to_value;
    use streamspace_notifier::testing::golden;

    use super::*;

    #[test]
    fn golden_messages() {
        golden(env!("CARGO_MANIFEST_DIR"), |sample| {
            to_value(render::message(&sample.notification(), &config::tests::style(), None)).expect("JSON")
        });
    }
}
