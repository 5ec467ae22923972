//! What a plugin gets from the host.

use std::sync::Arc;

use slog::Logger;

use crate::{
    abi::{Bound, Fault, FaultKind, HOST_TABLES, Peer, RStr, Table},
    config::ConfigSourceRef,
    database::{self, Database, DatabaseRef},
    events::{self, EmitterRef, Events},
    http::{self, Http, HttpRef},
    log::{self, LogRef},
    platform::{self, Platform, PlatformRef},
    scheduler::{self, Scheduler, TimetableRef},
    storage::{self, Storage, StorageRef},
    streams::{self, Streams, SwitchboardRef},
    websocket::{self, SocketRef},
};

/// A plugin's way to the host: its logger, events and outbound HTTP. Cheap to clone, usable from every thread.
#[derive(Debug, Clone)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    logger: Logger,
    config: Bound<ConfigSourceRef>,
    events: Events,
    http: Http,
    database: Database,
    storage: Storage,
    scheduler: Scheduler,
    platform: Platform,
    streams: Streams,
    sockets: Option<Bound<SocketRef>>,
}

impl Context {
    /// Asks the host for everything this SDK knows. Fails if it lacks one of `needs`: not every host reads what a
    /// library's file says before it loads it.
    pub(crate) fn connect(name: &'static str, host: Peer, needs: &[&str]) -> Result<Self, Fault> {
        let lacks = |id: &&&str| (host.lookup)(host.handle, RStr::from_str(id)).is_none();
        if let Some(id) = needs.iter().find(lacks) {
            return Err(missing(id));
        }
        let log: Bound<LogRef> = needed(host, log::ID)?;
        log::install(log);
        Ok(Self(Arc::new(Inner {
            name,
            logger: log::logger(log),
            config: needed(host, crate::config::ID)?,
            events: Events::new(name, optional::<EmitterRef>(host, events::ID)?),
            http: Http::new(optional::<HttpRef>(host, http::ID)?),
            database: Database::new(optional::<DatabaseRef>(host, database::ID)?),
            storage: Storage::new(optional::<StorageRef>(host, storage::ID)?),
            scheduler: Scheduler::new(optional::<TimetableRef>(host, scheduler::ID)?),
            platform: Platform::new(optional::<PlatformRef>(host, platform::ID)?),
            streams: Streams::new(optional::<SwitchboardRef>(host, streams::ID)?),
            sockets: optional::<SocketRef>(host, websocket::ID)?,
        })))
    }

    /// `[any]` The plugin's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// `[any]` The plugin's logger. Its records appear in the host's log with the plugin's name. So do those of the
    /// `log` crate's macros, in the plugin and in what it depends on.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn started(context: &Context, port: u16) {
    ///     info!(context.logger(), "Listening."; "port" => port);
    /// }
    /// ```
    pub fn logger(&self) -> &Logger {
        &self.0.logger
    }

    /// Emits events. Not to be called where blocking is not allowed.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.0.events
    }

    /// Sends HTTP requests. Not to be called where blocking is not allowed.
    #[must_use]
    pub fn http(&self) -> &Http {
        &self.0.http
    }

    /// The plugin's own tables. Not to be called where blocking is not allowed.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// The plugin's own keys and values. Not to be called where blocking is not allowed.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.0.storage
    }

    /// Changes when jobs of this plugin run.
    #[must_use]
    pub fn scheduler(&self) -> &Scheduler {
        &self.0.scheduler
    }

    /// The platform's sessions and users. Not to be called where blocking is not allowed.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.0.platform
    }

    /// What passes between viewers and the desktops of sessions. Not to be called where blocking is not allowed.
    #[must_use]
    pub fn streams(&self) -> &Streams {
        &self.0.streams
    }

    pub(crate) fn sockets(&self) -> Option<Bound<SocketRef>> {
        self.0.sockets
    }

    pub(crate) fn config_source(&self) -> &Bound<ConfigSourceRef> {
        &self.0.config
    }
}

fn optional<T: Table>(host: Peer, id: &str) -> Result<Option<Bound<T>>, Fault> {
    host.bind(id)
        .map_err(|mismatch| Fault::new(FaultKind::UNSUPPORTED, format_args!("capability `{id}`: {mismatch}")))
}

fn needed<T: Table>(host: Peer, id: &str) -> Result<Bound<T>, Fault> {
    optional(host, id)?.ok_or_else(|| missing(id))
}

fn missing(id: &str) -> Fault {
    let since = HOST_TABLES.iter().find(|table| table.id == id).map_or("?", |table| table.since);
    Fault::new(
        FaultKind::UNSUPPORTED,
        format_args!(
            "the plugin needs the capability `{id}`, which this host does not have: hosts have it from version \
             {since} on"
        ),
    )
}
