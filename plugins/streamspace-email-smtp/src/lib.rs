//! Sends session, user and quota events by mail.
//!
//! `config` says where, `render` writes what a mail says and `mail` its bytes, `smtp` speaks with the server, `deliver` knows who
//! has it.
#![forbid(unsafe_code)]

mod config;
mod deliver;
mod dkim;
mod mail;
mod people;
mod render;
mod routes;
mod smtp;
mod suppression;
mod unsubscribe;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use lettre::{Address, message::Mailbox};
use streamspace_notifier::{Delivery, Kind, Notification, Notifier, Outcome, Provider, Settings, Verdict};
use streamspace_plugin::prelude::*;

use crate::{
    config::{Config, Recipients, Sender, Style, Target},
    deliver::{Progress, of_trouble},
    mail::Envelope,
    people::Person,
    render::Message,
    smtp::{Connection, Security, Trouble},
    suppression::{Cause, Suppression},
    unsubscribe::{Link, Links},
};

/// For a whole mail, whatever the server does: less than the host waits for a plugin that it stops, so that a server that hangs can
/// be replaced by another one.
const TIMEOUT: Duration = Duration::from_secs(8);
/// How often a mail to a list is tried for those who are left, when others have it: for about 13 min, which outlasts greylisting.
const LIST_TRIES: u32 = 6;
/// How often a mail to a user is tried: for half a minute, since mails to others wait behind it.
const USER_TRIES: u32 = 4;
/// How long it is known that somebody was waited for in vain. Their next mails are tried once.
const SLOW: Duration = Duration::from_secs(3600);
/// Longest story that is a thread, in bytes: longer than any session's id, shorter than what a key of the storage may be.
const MAX_STORY: usize = 200;
/// How long it is known with which mail a session's story began.
const THREADS: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a connection that nobody uses stays open.
const IDLE: Duration = Duration::from_secs(30);
/// How often it is looked whether one is. The manifest names the job.
const CONNECTIONS: &str = "connections";

/// Mail, as the notifiers see it.
struct Email {
    context: Context,
    sender: Sender,
    links: Links,
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
        let links = Links::new(context, sender.public_url.as_deref())?;
        Ok((
            Self { context: context.clone(), sender, links, idle: Mutex::default() },
            config.into_settings()?,
        ))
    }

    /// Digests are of several people's events: what goes to the one whom it is about waits instead.
    fn folds(&self, _: &Notification, to: &Target) -> bool {
        !matches!(to.to, Recipients::Affected)
    }

    fn render(&self, notification: &Notification, to: &Target) -> Message {
        render::message(notification, &to.style, None)
    }

    fn register(&self, on: &mut Registrar<Notifier<Self>>) {
        on.job_of_manifest(CONNECTIONS, |notifier: &Notifier<Self>, _| notifier.provider().close_idle());
        routes::register(on);
    }

    fn send(&self, message: &Message, to: &Target, delivery: &Delivery<'_>) -> Outcome {
        match self.deliver(message, to, delivery) {
            Ok(outcome) => outcome,
            Err(why) => Verdict::Again { after: None, reason: why.to_string() }.into(),
        }
    }
}

/// One mail: to whom it goes, and what is peculiar to it.
struct Letter {
    pending: Vec<Address>,
    bytes: Vec<u8>,
}

impl Email {
    fn deliver(&self, message: &Message, target: &Target, delivery: &Delivery<'_>) -> Result<Outcome> {
        let mut progress: Progress = serde_json::from_value(delivery.progress.clone()).unwrap_or_default();
        let person = match &target.to {
            Recipients::List { .. } => None,
            Recipients::Affected => match self.reader(delivery.notification)? {
                Ok(person) => Some(person),
                Err(reason) => return Ok(Verdict::Skipped { reason }.into()),
            },
        };
        let story = delivery.notification.thread.as_ref().filter(|story| story.len() <= MAX_STORY);
        let story = story.map(|story| format!("thread/{}", story.replace('\0', " ")));
        let first: Option<String> = match &story {
            Some(story) => delivery.remembered(story)?,
            None => None,
        };
        // The same at every try, so that who gets it twice sees that it is one.
        let id = format!("<{}@{}>", delivery.id, self.sender.from.email.domain());
        let letters = match (&target.to, &person) {
            (Recipients::List { to, cc }, _) => {
                self.to_list(message, [to, cc], &id, &first, delivery, &mut progress)?
            }
            (Recipients::Affected, Some(person)) => {
                self.to_person(target, person, &id, &first, delivery, &mut progress)?
            }
            (Recipients::Affected, None) => Vec::new(),
        };
        let mut bounced = Vec::new();
        let mut status = None;
        let done = if letters.is_empty() {
            Ok(())
        } else {
            self.connected(|connection| {
                for Letter { pending, bytes } in &letters {
                    let sent = connection.send(&self.sender.bounce, pending, bytes)?;
                    status = sent.message.as_ref().or(sent.recipients.last()).map(|reply| reply.code);
                    bounced.extend(progress.take(pending, &sent));
                    if !connection.usable {
                        break;
                    }
                }
                Ok(())
            })
        };
        for (address, reply) in bounced {
            // The mail is what matters: a list that cannot be written does not send it again.
            let why = Suppression::now(Cause::Bounce, reply.to_string());
            if let Err(why) = suppression::add(&self.context, address.as_ref(), &why) {
                warn!(self.context.logger(), "An address cannot be put on the suppression list."; "reason" => %why);
            }
        }
        if let (Some(story), None, false) = (&story, &first, progress.sent.is_empty())
            && let Err(why) = delivery.remember(story, &id, THREADS)
        {
            // Sent is sent: only the next mail does not answer this one.
            warn!(self.context.logger(), "The beginning of a thread cannot be written down."; "reason" => %why);
        }
        let outcome = match done {
            Ok(()) => {
                // Without a storage nobody is given up.
                let patience = self.patience(target, &progress, delivery.attempt).unwrap_or(true);
                Outcome { status, ..progress.verdict(patience).into() }
            }
            Err(trouble) => of_trouble(&trouble),
        };
        // The lines of a digest go to all again: who has it would get them with every try for somebody else.
        let is_digest = delivery.notification.kind == Kind::Digest;
        let verdict = match outcome.verdict {
            Verdict::Again { reason, .. } if is_digest && !progress.sent.is_empty() => {
                warn!(self.context.logger(), "Not everybody has got a digest."; "reason" => &reason);
                Verdict::Sent
            }
            verdict => verdict,
        };
        Ok(Outcome { verdict, progress: serde_json::to_value(&progress)?, ..outcome })
    }

    /// Whether those who do not have it yet are still waited for. What comes behind waits too, in its order.
    fn patience(&self, target: &Target, progress: &Progress, attempt: u32) -> Result<bool, StorageError> {
        let tries = match target.to {
            // There is nobody else who would get the next mail.
            Recipients::List { .. } if progress.sent.is_empty() => return Ok(true),
            Recipients::List { .. } => LIST_TRIES,
            Recipients::Affected => USER_TRIES,
        };
        let storage = self.context.storage();
        let mut patience = false;
        for address in progress.waiting.keys() {
            let key = format!("slow/{address}");
            if attempt >= tries {
                storage.set_for(&key, &true, SLOW)?;
            } else if storage.get::<bool>(&key)?.is_none() {
                patience = true;
            }
        }
        if !patience && !progress.waiting.is_empty() {
            let all: Vec<&str> = progress.waiting.keys().map(String::as_str).collect();
            warn!(self.context.logger(), "Some recipients are not waited for any longer."; "recipients" => all.join(", "));
        }
        Ok(patience)
    }

    /// Mails to a list: one for all; of digests one for each, if each can be told how to get no more.
    fn to_list(
        &self,
        message: &Message,
        [to, cc]: [&Vec<Address>; 2],
        id: &str,
        first: &Option<String>,
        delivery: &Delivery<'_>,
        progress: &mut Progress,
    ) -> Result<Vec<Letter>> {
        let mut everybody: Vec<Address> = Vec::new();
        progress.suppressed.clear();
        for address in to.iter().chain(cc) {
            if suppression::has(&self.context, address.as_ref())? {
                progress.suppressed.push(address.to_string());
            } else if !everybody.contains(address) {
                everybody.push(address.clone());
            }
        }
        let pending = progress.pending(&everybody);
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        let envelope = self.envelope(id, first);
        if delivery.notification.kind == Kind::Digest && self.sender.public_url.is_some() {
            return pending
                .into_iter()
                .enumerate()
                .map(|(i, address)| {
                    let unsubscribe = self.links.address(&Link::Address(address.to_string()));
                    let style = Style { html: message.html.is_some(), prefix: self.sender.prefix.clone() };
                    let message = render::message(delivery.notification, &style, unsubscribe.as_deref());
                    let id = id.replacen('<', &format!("<{i}."), 1);
                    let envelope = Envelope { to: boxes([&address]), id, unsubscribe, ..envelope.clone() };
                    self.letter(vec![address], &envelope, &message)
                })
                .collect();
        }
        let envelope = Envelope { to: boxes(to), cc: boxes(cc), ..envelope };
        Ok(vec![self.letter(pending, &envelope, message)?])
    }

    /// The mail to the one whom it is about.
    fn to_person(
        &self,
        target: &Target,
        person: &Person,
        id: &str,
        first: &Option<String>,
        delivery: &Delivery<'_>,
        progress: &mut Progress,
    ) -> Result<Vec<Letter>> {
        if suppression::has(&self.context, person.address.as_ref())? {
            progress.suppressed = vec![person.address.to_string()];
            return Ok(Vec::new());
        }
        let pending = progress.pending(std::slice::from_ref(&person.address));
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        let topic = delivery.notification.topic.clone();
        let unsubscribe = self.links.address(&Link::Kind { user: person.id.clone(), topic });
        let notification = people::addressed(delivery.notification);
        let message = render::message(&notification, &target.style, unsubscribe.as_deref());
        let envelope = Envelope { to: boxes([&person.address]), unsubscribe, ..self.envelope(id, first) };
        Ok(vec![self.letter(pending, &envelope, &message)?])
    }

    /// The one whom it is about, if there is an address, and a wish to be told; or why not.
    fn reader(&self, notification: &Notification) -> Result<Result<Person, String>> {
        let person = match people::affected(&self.context, notification)? {
            Ok(person) => person,
            Err(why) => return Ok(Err(why)),
        };
        let wishes = people::wishes(&self.context, &person.id)?;
        let wanted = people::kind(&notification.topic).is_some_and(|kind| people::wants(&wishes, kind));
        Ok(if wanted { Ok(person) } else { Err("the user wants no mails of this kind".into()) })
    }

    fn envelope(&self, id: &str, first: &Option<String>) -> Envelope {
        Envelope {
            to: Vec::new(),
            cc: Vec::new(),
            id: id.to_owned(),
            answers: first.clone().filter(|first| first != id),
            unsubscribe: None,
            date: SystemTime::now(),
        }
    }

    fn letter(&self, pending: Vec<Address>, envelope: &Envelope, message: &Message) -> Result<Letter> {
        let bytes = mail::compose(&self.sender, envelope, message)
            .map_err(|why| Error::new(format!("the mail cannot be written: {why}")))?;
        let bytes = match &self.sender.signer {
            Some(signer) => signer.sign(&bytes, envelope.date)?,
            None => bytes,
        };
        Ok(Letter { pending, bytes })
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

    /// Says good-bye to a server that nothing was sent to for a while.
    fn close_idle(&self) {
        let old = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.as_ref().is_some_and(|(since, _)| since.elapsed() >= IDLE) { idle.take() } else { None }
        };
        if let Some((_, connection)) = old {
            connection.close();
        }
    }
}

fn boxes<'a>(all: impl IntoIterator<Item = &'a Address>) -> Vec<Mailbox> {
    all.into_iter().map(|one| Mailbox::new(None, one.clone())).collect()
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
