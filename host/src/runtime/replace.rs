//! Another version of a plugin in the place of the one that runs, without a moment in which neither serves.
//!
//! The new one is loaded beside the old one. Then requests, events, jobs and what the console shows go over to it, all at
//! once. For a while it is watched. Whatever goes wrong until then, the old one goes on: it is there still, with its
//! intake closed, and neither `disable` nor `unload` was called.

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use slog::{error, info, warn};

use super::{
    PluginSpec, Runtime, RuntimeError, StartError, State,
    instance::{Instance, deadline, hung},
};
use crate::{events::Consumer, loader::Identity};

/// How often it is looked whether a new version fails.
const LOOK: Duration = Duration::from_millis(20);

/// A step of a replacement, in their order. Whoever keeps a journal is told before each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The new version is looked at, tried in a child process, and its migrations are applied. A crash from here on until
    /// [`Keep`](Self::Keep) leaves the old one: its next start takes the migrations back.
    Prepare,
    /// It is loaded and enabled beside the old one.
    Load,
    /// Requests, events, jobs and contributions go over to it.
    Switch,
    /// It passed: **here the record is to be written**, which makes it the version that is installed. A failure takes
    /// everything back. After this nothing is taken back any more.
    Keep,
    /// The old one is ended. Failures of the call are of no consequence from here on.
    Retire,
    /// Something went wrong: everything goes back to the old one. What was written at [`Keep`](Self::Keep), if that is
    /// what failed, is to be undone: it may be there all the same. A failure of the call is of no consequence here.
    TakeBack,
}

/// A version was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The version that ran.
    pub from: String,
    /// The version that runs now.
    pub to: String,
    /// Why something of the old one was left behind.
    pub left_behind: Option<String>,
}

impl Runtime {
    /// Puts the version of `spec` in the place of the one of this name that runs. While it lasts, the state is
    /// [`Upgrading`](super::State::Upgrading), and nothing else is done with the plugin. `before` is told of each [`Step`], and
    /// refuses it by an error. Blocks, for as long as the load, the drains and `plugins.health_gate_secs` take.
    ///
    /// `spec.library` must be at another path than the old one's, unless it is the same file. Both are mapped
    /// afterwards. `spec.config` is what the new version is given; the old one keeps its own.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::State`] if no version runs; [`RuntimeError::Stopping`]; [`RuntimeError::Replace`] if the new version was not
    /// taken: the old one runs then, as before, unless the reason says otherwise.
    pub fn replace(
        &self,
        spec: PluginSpec,
        before: &mut dyn FnMut(Step) -> Result<(), String>,
    ) -> Result<Replaced, RuntimeError> {
        let (name, to) = (spec.name.clone(), spec.version.clone());
        if self.stopping.load(Ordering::Relaxed) {
            return Err(RuntimeError::Stopping { plugin: name });
        }
        self.change(&name, State::is_running, State::Upgrading, "upgrading it")?;
        let taken = self.slots().get_mut(&name).and_then(|slot| slot.instance.take());
        let Some(mut old) = taken else {
            let reason = "the host has lost the version that runs: restart the host";
            self.fail(&name, reason);
            return Err(RuntimeError::Replace { plugin: name, version: to, reason: reason.to_owned() });
        };
        let from = old.version.clone();
        let logger = self.services.logs.logger();
        info!(logger, "A plugin is being upgraded."; "new_version" => &to, "version" => &from, "plugin" => &name);
        match self.put_in_place(&mut old, &spec, before) {
            Ok(new) => {
                // Nothing depends on it any more.
                let _ = before(Step::Retire);
                let left_behind = self.end(old).err();
                if let Some(reason) = &left_behind {
                    warn!(logger, "A version that was replaced was left behind."; "error" => reason, "version" => &from, "plugin" => &name);
                }
                self.settle_on(&name, new);
                self.change(&name, State::is_upgrading, State::Running, "upgrading it")?;
                info!(logger, "A plugin was upgraded."; "new_version" => &to, "version" => &from, "plugin" => &name);
                self.announce_upgraded(&name, &from, &to);
                Ok(Replaced { from, to, left_behind })
            }
            Err(reason) => {
                self.settle_on(&name, old);
                self.change(&name, State::is_upgrading, State::Running, "upgrading it")?;
                error!(
                    logger, "A plugin was not upgraded: the version before runs on.";
                    "reason" => &reason, "new_version" => &to, "version" => &from, "plugin" => &name
                );
                self.announce("plugin.error", &name, json!({
                    "name": name, "plugin_name": name, "version": from, "new_version": to, "state": "running",
                    "error": reason, "error_message": reason,
                }));
                Err(RuntimeError::Replace { plugin: name, version: to, reason })
            }
        }
    }

    fn settle_on(&self, name: &str, instance: Instance) {
        if let Some(slot) = self.slots().get_mut(name) {
            slot.version.clone_from(&instance.version);
            // Panics of a version that went are not this one's.
            slot.panics.clear();
            slot.instance = Some(instance);
        }
    }

    /// Everything up to the moment from which there is no way back. With an error, `old` serves.
    fn put_in_place(
        &self,
        old: &mut Instance,
        spec: &PluginSpec,
        before: &mut dyn FnMut(Step) -> Result<(), String>,
    ) -> Result<Instance, String> {
        before(Step::Prepare)?;
        let new = match self.bring_up_beside(old, spec, before) {
            Ok(new) => new,
            Err(reason) => {
                let _ = before(Step::TakeBack);
                self.withdraw(old, &[]);
                return Err(self.tables_back(old, spec, reason));
            }
        };
        let switched = before(Step::Switch).and_then(|()| {
            let until = deadline(self.limits.drain_deadline_secs);
            let hanging = |names: Vec<String>| {
                let what = format!("the handler of `{}` in the version that runs", names.join("`, `"));
                hung(&what, self.limits.drain_deadline_secs).message.to_string()
            };
            new.take_place(&self.services, until, false).map_err(hanging)
        });
        if let Err(reason) = switched {
            let _ = before(Step::TakeBack);
            self.withdraw(old, &new.consumers);
            let reason = self.taken_down(new, reason);
            return Err(self.tables_back(old, spec, reason));
        }
        let kept = self.watch(&new).and_then(|()| {
            let finished = self.services.databases.finish(&spec.name, &old.package, &new.package);
            finished.map_err(|why| StartError::Database(why).to_string())?;
            before(Step::Keep)
        });
        match kept {
            Ok(()) => {
                self.keep(&new);
                Ok(new)
            }
            Err(reason) => {
                let _ = before(Step::TakeBack);
                self.switch_back(old);
                let reason = self.taken_down(new, reason);
                Err(self.tables_back(old, spec, reason))
            }
        }
    }

    /// Loads and enables the new version. Nothing reaches it yet.
    fn bring_up_beside(
        &self,
        old: &Instance,
        spec: &PluginSpec,
        before: &mut dyn FnMut(Step) -> Result<(), String>,
    ) -> Result<Instance, String> {
        let services = &self.services;
        let identity = Identity { name: &spec.name, version: &spec.version };
        let admitted = services.loader.admit(&spec.library, &spec.library, identity);
        let admitted = admitted.map_err(|refusal| StartError::Library(Box::new(refusal)).to_string())?;
        let permissions = spec.permissions.iter().map(String::as_str);
        let database = services.databases.upgrade(&spec.name, permissions, &old.package, spec.package());
        let database = database.map_err(|why| StartError::Database(why).to_string())?;
        before(Step::Load)?;
        let mut new = self.load(spec.clone(), admitted, database)?;
        if let Err(why) = new.make_successors(services) {
            return Err(self.taken_down(new, why.to_string()));
        }
        let (seconds, consumers) = (self.limits.load_deadline_secs, new.consumers.clone());
        let enabled = self.in_setup_thread(&spec.name, seconds, "`enable`", move || {
            let enabled = new.enable_only();
            Ok((new, enabled))
        });
        match enabled {
            Ok((new, Ok(()))) => Ok(new),
            Ok((new, Err(why))) => {
                services.bus.withdraw(&new.name, &consumers);
                let reason = new.log.redact(&why.message);
                Err(self.taken_down(new, reason))
            }
            Err(reason) => {
                services.bus.withdraw(&spec.name, &consumers);
                Err(reason)
            }
        }
    }

    /// Looks for a while whether the new version does its work.
    fn watch(&self, new: &Instance) -> Result<(), String> {
        let until = deadline(self.limits.health_gate_secs);
        loop {
            let (failures, last) = new.failures.so_far();
            if failures > self.limits.health_gate_failures {
                return Err(format!(
                    "{failures} calls of its handlers failed, and {} may (`plugins.health_gate_failures`); the last: {last}",
                    self.limits.health_gate_failures
                ));
            }
            if let Some(what) = new.hanging() {
                return Err(format!("{what} hangs"));
            }
            if self.stopping.load(Ordering::Relaxed) {
                return Err("the host is stopping".to_owned());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(LOOK));
        }
    }

    /// There is no way back any more: what the old version had and the new one does not ask for goes.
    fn keep(&self, new: &Instance) {
        let services = &self.services;
        services.bus.keep_only(&new.name, &new.consumers);
        let left = services.scheduler.keep_only(&new.name, &new.wanted_jobs).map_err(|why| why.to_string());
        let left = left.and_then(|()| services.databases.keep(&new.name).map_err(|why| why.to_string()));
        if let Err(why) = left {
            warn!(services.logs.logger(), "What a version has left behind goes at the plugin's next start."; "error" => why, "plugin" => &*new.name);
        }
    }

    /// Gives everything back to the old version: the same as before, the other way round.
    fn switch_back(&self, old: &mut Instance) {
        let services = &self.services;
        old.make_consumers_again(services);
        // A handler that hangs keeps its event, which is given to the old version too: at least once.
        let patience = deadline(self.limits.drain_deadline_secs);
        if let Err(hanging) = old.take_place(services, patience, true) {
            error!(services.logs.logger(), "Consumers were not given back."; "consumers" => hanging.join(", "), "plugin" => &*old.name);
        }
        services.bus.keep_only(&old.name, &old.consumers);
        self.withdraw(old, &[]);
    }

    /// What was written down for a new version is as the old one has it again.
    fn withdraw(&self, old: &Instance, prepared: &[Arc<Consumer>]) {
        let services = &self.services;
        services.bus.withdraw(&old.name, prepared);
        let scheduler = &services.scheduler;
        let written = scheduler.successors(&old.name, &old.wanted_jobs).map(drop);
        if let Err(why) = written.and_then(|()| scheduler.keep_only(&old.name, &old.wanted_jobs)) {
            warn!(services.logs.logger(), "The jobs of a plugin are written down again at its next start."; "error" => %why, "plugin" => &*old.name);
        }
    }

    /// Ends the new version. Answers why it went.
    fn taken_down(&self, new: Instance, reason: String) -> String {
        match self.end(new) {
            Ok(()) => reason,
            Err(hanging) => format!("{reason}; and {hanging}"),
        }
    }

    /// Brings the tables back to what the old version knows. Answers what is to be said.
    fn tables_back(&self, old: &Instance, spec: &PluginSpec, reason: String) -> String {
        let back = self.services.databases.take_back(&spec.name, &old.package, spec.package());
        match back {
            Ok(()) => reason,
            Err(why) => format!(
                "{reason}; and its tables are as the new version left them, until its next start at least: {}",
                StartError::Database(why)
            ),
        }
    }
}
