//! The plugin: a consumer for each destination.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use streamspace_plugin::prelude::*;

use crate::{
    console,
    destination::{Delivered, Destination, MAX_DELIVER, Now},
    ledger::Ledger,
    message,
    notification::Notification,
    provider::Provider,
    routes,
    settings::Settings,
    wording::Wording,
};

/// Most events in one call, each of which may take as long as a request may.
const BATCH: u32 = 4;
/// For one call: all its requests, and some time to spare.
const DEADLINE: Duration = Duration::from_secs(90);
/// How often it is looked whether a digest is due. The manifest names the job.
const DIGESTS: &str = "digests";
/// How long it is believed which groups a user is in.
const GROUPS_KNOWN: Duration = Duration::from_secs(60);
/// Most users whose groups are remembered.
const MAX_KNOWN: usize = 10_000;

/// The plugin that sends to a [`Provider`].
pub struct Notifier<P: Provider> {
    pub(crate) context: Context,
    pub(crate) provider: P,
    pub(crate) destinations: Vec<Destination<P>>,
    pub(crate) ledger: Ledger,
    pub(crate) wording: Wording,
    details: bool,
    window: Duration,
    groups: Mutex<HashMap<String, (Instant, Vec<String>)>>,
}

impl<P: Provider> Plugin for Notifier<P> {
    type Config = P::Config;

    fn load(context: &Context, config: P::Config) -> Result<Self> {
        let (provider, settings) = P::configure(context, config)?;
        let Settings { destinations, wording, details, duplicate_window } = settings;
        let ledger = Ledger::new(context.clone());
        let destinations = destinations
            .into_iter()
            .map(|to| {
                let waiting = ledger.waiting(&to.name)?;
                Ok(Destination::new(to, waiting))
            })
            .collect::<Result<Vec<_>>>()?;
        let names: Vec<_> = destinations.iter().map(Destination::name).collect();
        info!(context.logger(), "Sending to {}.", P::NAME; "destinations" => names.join(", "));
        for idle in destinations.iter().filter(|to| to.settings.topics.is_empty()) {
            warn!(
                context.logger(), "Nothing is sent to this destination: it has no topics, and every `notifyOn…` switch is off.";
                "destination" => idle.name()
            );
        }
        Ok(Self {
            context: context.clone(),
            provider,
            destinations,
            ledger,
            wording,
            details,
            window: duplicate_window,
            groups: Mutex::default(),
        })
    }

    fn register(&self, on: &mut Registrar<Self>) {
        for (i, destination) in self.destinations.iter().enumerate() {
            let settings = &destination.settings;
            if settings.topics.is_empty() {
                continue;
            }
            on.consumer(&format!("to-{}", settings.name))
                .topics(settings.topics.iter().map(String::as_str))
                .durable()
                .max_deliver(MAX_DELIVER)
                .batch(BATCH)
                .deadline(DEADLINE)
                .handle(move |notifier: &Self, event| notifier.deliver(&notifier.destinations[i], event));
        }
        on.job_of_manifest(DIGESTS, |notifier: &Self, _| notifier.send_digests()).deadline(DEADLINE);
        routes::register(on);
        console::register(on);
        self.provider.register(on);
    }
}

impl<P: Provider> Notifier<P> {
    /// The provider, for handlers that it registered.
    pub fn provider(&self) -> &P {
        &self.provider
    }

    /// The way to the host.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What an event says, in the operator's words. If these fail, in ours, and the log says so.
    ///
    /// # Errors
    ///
    /// When the payload does not have the shape of its topic.
    pub(crate) fn notification(&self, event: &Event<'_>) -> Result<(Notification, Option<Error>)> {
        let mut notification = message::notification(event, self.details)?;
        let failed = self.wording.apply(&mut notification, event).err();
        Ok((notification, failed))
    }

    fn deliver(&self, to: &Destination<P>, event: &Event<'_>) -> Handled {
        let mut notification = match self.notification(event) {
            Ok((notification, None)) => notification,
            Ok((notification, Some(why))) => {
                warn!(self.context.logger(), "A template failed; the message has its usual words."; "reason" => %why);
                notification
            }
            Err(why) => return Handled::reject(why.to_string()),
        };
        if !to.settings.route.teams.is_empty()
            && let Err(why) = self.add_teams(&mut notification)
        {
            return Handled::retry(format!("the groups of the user cannot be read: {why}"));
        }
        if !to.settings.route.wants(notification.severity, &notification.about)
            || !self.provider.wants(&notification, &to.settings.target)
        {
            return Handled::Ack;
        }
        let Delivered { handled, broke, unwritten } =
            to.deliver(&self.provider, &self.ledger, &notification, event, self.window, Now::read());
        if let Some(reason) = broke {
            self.report_broken(to, &reason);
        }
        if let Some(why) = unwritten {
            warn!(
                self.context.logger(),
                "A message was sent, and that is not written down: it is missing in the list, and a repetition is not known.";
                "destination" => to.name(), "reason" => %why
            );
        }
        handled
    }

    fn send_digests(&self) -> Result<()> {
        let mut failed = None;
        for to in &self.destinations {
            match to.send_digest(&self.provider, &self.ledger, Now::read()) {
                Ok(None) => {}
                Ok(Some(reason)) => self.report_broken(to, &reason),
                // The others have their turn all the same.
                Err(why) => failed = Some(why),
            }
        }
        failed.map_or(Ok(()), |why| Err(why.into()))
    }

    fn report_broken(&self, to: &Destination<P>, reason: &str) {
        error!(
            self.context.logger(),
            "A destination is broken; its messages are rejected until the configuration changes or a test arrives.";
            "destination" => to.name(), "reason" => reason
        );
    }

    /// Adds the groups of the platform that the notification's user is in.
    fn add_teams(&self, notification: &mut Notification) -> Result<(), PlatformError> {
        let about = &mut notification.about;
        for user in &about.users {
            let known = {
                let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
                groups
                    .get(user)
                    .filter(|(at, _)| at.elapsed() < GROUPS_KNOWN)
                    .map(|(_, groups)| groups.clone())
            };
            let groups = match known {
                Some(groups) => groups,
                None => {
                    let found = self.context.platform().users().get(user)?;
                    let found = found.map(|user| user.groups).unwrap_or_default();
                    let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
                    if groups.len() >= MAX_KNOWN {
                        groups.clear();
                    }
                    groups.insert(user.clone(), (Instant::now(), found.clone()));
                    found
                }
            };
            about.teams.extend(groups);
        }
        Ok(())
    }
}

impl<P: Provider> fmt::Debug for Notifier<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.destinations.iter().map(Destination::name).collect();
        f.debug_struct("Notifier").field("destinations", &names).finish_non_exhaustive()
    }
}
