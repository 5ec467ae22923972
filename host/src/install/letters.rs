//! Administration of dead letters.

use uuid::Uuid;

use super::{DEAD_LETTERS_SHOWN, DeadLetterView, InstallError, Plugins};
use crate::events::Which;

impl Plugins {
    /// The first `limit` of a plugin's dead letters after the first `skip`, oldest first, without their payloads.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotInstalled`]; [`InstallError::Database`].
    pub fn dead_letters(
        &self,
        name: &str,
        which: &Which,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<DeadLetterView>, InstallError> {
        self.installed(name)?;
        let letters = self.letters.list(name, which, skip, limit)?;
        Ok(letters.into_iter().map(DeadLetterView::from).collect())
    }

    /// One dead letter of a plugin, with its payload, for each consumer that gave the event up.
    ///
    /// # Errors
    ///
    /// [`InstallError::NoDeadLetter`]; as [`dead_letters`](Self::dead_letters).
    pub fn dead_letter(&self, name: &str, event: Uuid) -> Result<Vec<DeadLetterView>, InstallError> {
        self.installed(name)?;
        let which = Which { event: Some(event), ..Which::default() };
        let letters = self.letters.list(name, &which, 0, DEAD_LETTERS_SHOWN)?;
        if letters.is_empty() {
            return Err(InstallError::NoDeadLetter { plugin: name.to_owned(), event });
        }
        Ok(letters.into_iter().map(DeadLetterView::whole).collect())
    }

    /// Has dead letters of a plugin tried again, as if for the first time: now if it runs, else when it does. Answers how
    /// many.
    ///
    /// # Errors
    ///
    /// [`InstallError::NoDeadLetter`] if one is named that is not there; [`InstallError::Database`].
    pub fn replay(&self, name: &str, which: &Which) -> Result<u64, InstallError> {
        self.installed(name)?;
        let count = match &self.runtime {
            Some(runtime) => runtime.bus().replay(&self.letters, name, which)?,
            None => self.letters.replay(name, which)?.len() as u64,
        };
        found(name, which, count)
    }

    /// Drops dead letters of a plugin for good. Answers how many.
    ///
    /// # Errors
    ///
    /// As [`replay`](Self::replay).
    pub fn drop_dead_letters(&self, name: &str, which: &Which) -> Result<u64, InstallError> {
        self.installed(name)?;
        let count = match &self.runtime {
            Some(runtime) => runtime.bus().drop_dead_letters(&self.letters, name, which)?,
            None => self.letters.drop(name, which)?.into_iter().map(|(_, count)| count).sum(),
        };
        found(name, which, count)
    }
}

/// A dead letter that is named and not there is a mistake; that there is none at all is not.
fn found(plugin: &str, which: &Which, count: u64) -> Result<u64, InstallError> {
    match which.event {
        Some(event) if count == 0 => Err(InstallError::NoDeadLetter { plugin: plugin.to_owned(), event }),
        _ => Ok(count),
    }
}
