//! How recordings end: what is written down then, and who is told.

use std::path::Path;

use serde_json::{Value, json};
use streamspace_plugin::{database::Timestamp, prelude::*};

use crate::{
    contained::contained,
    desk::{Desk, seconds},
    lock::Lock,
    mount,
    rules::{
        retention,
        state::{State, Step},
    },
    studio::{Ending, Finished},
    tables::recordings::{self, End, Recording},
};

/// How much is kept of what a desktop says, in bytes.
const MAX_ERROR: usize = 1 << 10;

impl Desk {
    pub(crate) fn end_unbegun(&self, new: &Recording, why: &str) {
        self.write_end(
            &new.id,
            &Finished::nothing(Ending::Failed(why.to_owned())),
            "failure",
            new.retention_days,
        );
    }

    /// Writes down how a recording ended, and tells of it.
    pub(crate) fn write_end(&self, id: &str, finished: &Finished, by: &str, days: u32) {
        let step = match (finished.is_playable, finished.is_cut) {
            (false, _) => Step::Fail,
            (true, true) => Step::Truncate,
            (true, false) => Step::Complete,
        };
        let status = State::Finalising.after(step).unwrap_or(State::Failed);
        let error = match &finished.ending {
            Ending::Stopped | Ending::Long => {
                (!finished.is_playable).then_some("there was nothing to be seen")
            }
            Ending::Session(why) => (!finished.is_playable).then_some(why.as_str()),
            Ending::Desktop(why) | Ending::Failed(why) => Some(why.as_str()),
        };
        let error = error.map(sentence);
        let at = Timestamp::now();
        let end = End {
            status,
            bytes: finished.bytes,
            seconds: seconds(finished.length),
            hash: finished.hash.as_deref(),
            error: error.as_deref(),
            by,
            at,
            expires: retention::expiry(at, days, self.config.retention.enabled),
        };
        match recordings::end(self.context.database(), id, &end) {
            Ok(true) if status == State::Failed => {
                let tried = self.tried(id);
                if let Some(tried) = tried.as_ref().filter(|tried| tried.is_automatic) {
                    self.in_vain(&tried.session, id);
                }
                // Of a desktop that never answers is told once.
                if !tried.is_some_and(|tried| tried.is_again) {
                    self.announce("recording.failed", id);
                }
            }
            Ok(true) => self.announce("recording.completed", id),
            Ok(false) => {}
            // It is found when it is looked for what was left.
            Err(why) => {
                warn!(self.context.logger(), "The end of a recording cannot be written down."; "recording" => id, "reason" => %why);
            }
        }
    }

    /// Emits an event about a recording, with what is known of it.
    pub(crate) fn announce(&self, event: &str, id: &str) {
        let told = recordings::get(self.context.database(), id).map_err(Error::from).and_then(|found| {
            let Some(recording) = found else { return Ok(()) };
            let mut payload = json!({
                "recording_id": recording.id, "session_id": recording.session_id, "id": recording.session_id,
                "user": recording.user_id, "user_id": recording.user_id, "template": recording.template,
                "created_by": recording.created_by, "is_automatic": recording.is_automatic, "reason": recording.reason,
                "status": recording.status.name(), "policy": recording.policy_name, "duration_seconds": recording.duration_seconds,
                "file_size_bytes": recording.file_size_bytes, "ended_by": recording.ended_by, "error": recording.error_message,
            });
            if recording.notified {
                payload["notice"] = Value::from(self.config.consent_banner.as_str());
            }
            self.context.events().emit(event, Some(&recording.session_id), &payload)?;
            Ok(())
        });
        if let Err(why) = told {
            warn!(self.context.logger(), "Nobody is told of a recording."; "event" => event, "recording" => id, "reason" => %why);
        }
    }

    /// Brings to an end what nobody has in hand any more. Answers how many that were.
    pub(crate) fn salvage(&self) -> Result<usize> {
        let mut salvaged = 0;
        // Nor can anybody say of a recording that it is in hand.
        if !self.is_mounted()? {
            return Ok(0);
        }
        for left in recordings::unfinished(self.context.database())? {
            let folder = Path::new(&left.storage_path);
            // What is on a disk that is not mounted may be read later.
            if self.has(&left.id)
                || !mount::is_there(folder.parent().unwrap_or(&self.folder)).unwrap_or(false)
            {
                continue;
            }
            let lock = match Lock::take(self.lock_path(&left.id)) {
                Ok(Some(lock)) => lock,
                // Another version of this plugin has it in hand.
                Ok(None) => continue,
                Err(why) => return Err(Error::new(format!("{}: {why}", self.folder.display()))),
            };
            // One that cannot be read must not keep the others from their end.
            let found = contained(|| self.studio.salvage(&left.id, folder, &self.key));
            let finished = found.unwrap_or_else(|why| Err(Error::new(why))).unwrap_or_else(|why| {
                let why = format!("its process ended, and nothing of it can be read: {why}");
                Finished::nothing(Ending::Failed(why))
            });
            self.write_end(&left.id, &finished, "crash", left.retention_days);
            salvaged += 1;
            drop(lock);
            self.decode(&left.id, folder);
        }
        Ok(salvaged)
    }
}

/// Somebody else's words as a table takes them, and whoever reads them: without control characters, and of [`MAX_ERROR`] bytes at most.
fn sentence(why: &str) -> String {
    let mut plain = String::with_capacity(why.len().min(MAX_ERROR));
    for c in why.chars() {
        let c = if c.is_whitespace() { ' ' } else { c };
        if plain.len() + c.len_utf8() > MAX_ERROR {
            break;
        }
        if !c.is_control() {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_desktop_says_is_one_plain_sentence() {
        assert_eq!(sentence("Too many\0"), "Too many");
        assert_eq!(sentence("a\r\nb\u{1b}[31m"), "a  b[31m");
        assert_eq!(sentence("ä").as_str(), "ä");
        // Cut where a character ends.
        let long = sentence(&format!("x{}", "ä".repeat(MAX_ERROR)));
        assert_eq!((long.len(), long.chars().count()), (MAX_ERROR - 1, MAX_ERROR / 2));
    }
}
