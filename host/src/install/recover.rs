//! What a crash has left: taken back or finished, before anything is loaded.

use slog::{Logger, info, warn};

use super::{InstallError, Plugins};
use crate::store::{Operation, OperationKind, OperationStep};

impl Plugins {
    /// Brings to an end what was begun and is not done, and removes files that nothing names. To be called once, before
    /// anything is started or changed.
    ///
    /// # Errors
    ///
    /// [`InstallError`] when the database cannot be used. What cannot be brought to an end now stays in the journal, and
    /// is tried again at the next start.
    pub fn recover(&self, logger: &Logger) -> Result<(), InstallError> {
        let begun = self.store.begun()?;
        let mut plugins = Vec::new();
        for operation in &begun {
            let Operation { plugin, kind, step, .. } = operation;
            match self.end(operation) {
                Ok(became) => {
                    info!(
                        logger, "What was begun with a plugin and broken off is {}.", became;
                        "plugin" => plugin, "operation" => kind.name(), "step" => step.name()
                    );
                    plugins.push(plugin.clone());
                }
                Err(why) => warn!(
                    logger, "What was begun with a plugin and broken off cannot be brought to an end. It is tried again at \
                     the next start.";
                    "error" => %why, "plugin" => plugin, "operation" => kind.name(), "step" => step.name()
                ),
            }
        }
        self.packages.incoming.clear()?;
        let swept = self.store.sweep(&plugins, &begun)?;
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
        // Last: until the files are gone, there is something to do.
        for plugin in plugins {
            self.store.done(&plugin)?;
        }
        Ok(())
    }

    /// Takes back or finishes one of them. Answers which.
    fn end(&self, operation: &Operation) -> Result<&'static str, InstallError> {
        match (operation.kind, operation.step) {
            (OperationKind::Uninstall, OperationStep::Remove) => {
                self.finish_uninstall(operation)?;
                Ok("finished")
            }
            (_, OperationStep::Start | OperationStep::Prune) => {
                if let Some(record) = self.store.record(&operation.plugin)? {
                    self.store.prune(&record, self.packages.keep)?;
                }
                Ok("finished")
            }
            (OperationKind::Upgrade | OperationKind::Rollback, OperationStep::Switch) => {
                if let (Some(from), Some(to)) = (&operation.from, &operation.to) {
                    let folder = |content: &str| self.store.folder(&operation.plugin, content);
                    // Before the new version's files go, since they say how.
                    self.kept.databases.take_back(&operation.plugin, &folder(from), &folder(to))?;
                }
                Ok("taken back")
            }
            _ => Ok("taken back"),
        }
    }
}
