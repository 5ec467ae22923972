//! What is begun with a plugin is brought to an end: done, taken back or finished. In one way, whether it failed, or the host
//! was killed meanwhile.

use slog::{Logger, info, warn};

use super::{InstallError, Plugins};
use crate::store::{Operation, OperationKind, OperationStep};

impl Plugins {
    /// Does something that is written into the journal before it begins, and taken out of it when it is done. If it fails it is
    /// taken back or finished at once; where that fails too, it is before the next thing is begun with the plugin, or at the next
    /// start. For whoever has the turn.
    pub(super) fn as_one<T>(
        &self,
        operation: &mut Operation,
        work: impl FnOnce(&mut Operation) -> Result<T, InstallError>,
    ) -> Result<T, InstallError> {
        let plugin = operation.plugin.clone();
        self.turns.say(format!("`{plugin}` is being {}", operation.kind.participle()));
        self.end_begun(&plugin)?;
        self.store.note(operation)?;
        let result = work(operation);
        let ended = match &result {
            Ok(_) => self.store.done(&plugin).map_err(InstallError::from),
            // How far it came is what the database says: a commit may have been one though it was reported as failed.
            Err(_) => self.end_begun(&plugin).map(drop),
        };
        if let Err(why) = ended {
            self.warn(
                "What was begun with a plugin cannot be brought to an end now: it is later.",
                &why,
                &plugin,
            );
        }
        result
    }

    /// Brings to an end what was begun with a plugin before and is not done. Answers what it was. For whoever has the turn.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotEnded`]; it stays in the journal.
    pub(super) fn end_begun(&self, plugin: &str) -> Result<Option<Operation>, InstallError> {
        let Some(operation) = self.store.begun_with(plugin)? else { return Ok(None) };
        self.bring_to_end(&operation).map_err(|source| InstallError::NotEnded {
            plugin: plugin.to_owned(),
            what: operation.kind.name(),
            source: Box::new(source),
        })?;
        Ok(Some(operation))
    }

    /// Brings to an end what was begun and is not done, and removes files that nothing names. To be called once, before
    /// anything is started or changed.
    ///
    /// # Errors
    ///
    /// [`InstallError`] when the database cannot be used. What cannot be brought to an end now stays in the journal.
    pub fn recover(&self, logger: &Logger) -> Result<(), InstallError> {
        let mut left = Vec::new();
        for operation in self.store.begun()? {
            let Operation { plugin, kind, step, .. } = &operation;
            match self.bring_to_end(&operation) {
                Ok(became) => info!(
                    logger, "What was begun with a plugin and broken off is {}.", became;
                    "plugin" => plugin, "operation" => kind.name(), "step" => step.name()
                ),
                Err(why) => {
                    warn!(
                        logger, "What was begun with a plugin and broken off cannot be brought to an end. It is tried again \
                         before anything else is begun with the plugin, and at the next start.";
                        "error" => %why, "plugin" => plugin, "operation" => kind.name(), "step" => step.name()
                    );
                    left.push(operation);
                }
            }
        }
        if let Err(why) = self.packages.incoming.clear() {
            warn!(logger, "Packages that nobody waits for any more cannot be removed."; "error" => %why);
        }
        let swept = self.store.sweep(&left)?;
        for folder in swept.removed {
            info!(logger, "Files of a plugin that nothing names are removed."; "path" => %folder.display());
        }
        for folder in swept.unknown {
            warn!(
                logger, "There are files of a plugin that the database does not know. They stay: remove them, if it is the \
                 right database.";
                "path" => %folder.display()
            );
        }
        for (plugin, why) in swept.failed {
            warn!(logger, "Files of a plugin that nothing names cannot be removed."; "error" => %why, "plugin" => plugin);
        }
        Ok(())
    }

    /// Takes back or finishes one thing. Answers which. The journal forgets it last: until then it can be done again.
    fn bring_to_end(&self, operation: &Operation) -> Result<&'static str, InstallError> {
        let Operation { plugin, from, to, .. } = operation;
        let folder = |content: &str| self.store.folder(plugin, content);
        let became = match (operation.kind, operation.step) {
            (OperationKind::Uninstall, OperationStep::Remove) => {
                self.finish_uninstall(operation)?;
                "finished"
            }
            (_, OperationStep::Start | OperationStep::Prune) => {
                if let Some(content) = self.store.content(plugin)? {
                    // There is no way back from here on.
                    self.kept.databases.recover(plugin, &folder(&content))?;
                    self.store.prune(plugin, &content, self.packages.keep)?;
                }
                "finished"
            }
            (OperationKind::Upgrade | OperationKind::Rollback, OperationStep::Switch) => {
                if let (Some(from), Some(to)) = (from, to) {
                    // Before the new version's files go, since they say how.
                    self.kept.databases.take_back(plugin, &folder(from), &folder(to))?;
                }
                "taken back"
            }
            _ => "taken back",
        };
        self.store.sweep_plugin(plugin)?;
        self.store.done(plugin)?;
        Ok(became)
    }

    /// Tells a running host's log. Of a stopped host the journal tells.
    pub(super) fn warn(&self, text: &str, why: &dyn std::fmt::Display, plugin: &str) {
        if let Some(runtime) = &self.runtime {
            warn!(runtime.logs().logger(), "{}", text; "error" => %why, "plugin" => plugin);
        }
    }
}
