//! One mail to several people: who has it, who never will, and who may later.

use std::collections::BTreeMap;

use lettre::Address;
use serde::{Deserialize, Serialize};
use streamspace_notifier::{Outcome, Verdict};

use crate::smtp::{Reply, Sent, Trouble};

/// How far a mail came. What the next try, and the list of deliveries, know of the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    /// Who has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) sent: Vec<String>,
    /// Whom the server does not take, and in what words.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) refused: BTreeMap<String, String>,
    /// Whom the server does not take now.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) waiting: BTreeMap<String, String>,
    /// Who gets none, because earlier mails did not arrive or because they do not want any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) suppressed: Vec<String>,
}

impl Progress {
    /// Of these people, those who are still to get it. If that is nobody, somebody has asked for another try by hand: then it
    /// is those who were refused.
    pub(crate) fn pending(&mut self, all: &[Address]) -> Vec<Address> {
        let open: Vec<Address> =
            all.iter().filter(|to| !self.sent.contains(&to.to_string())).cloned().collect();
        let pending: Vec<Address> =
            open.iter().filter(|to| !self.refused.contains_key(&to.to_string())).cloned().collect();
        if pending.is_empty() {
            self.refused.clear();
            return open;
        }
        pending
    }

    /// Takes in what the server said to these people, and to the message. Answers with those under whose address there is nobody.
    pub(crate) fn take(&mut self, to: &[Address], sent: &Sent) -> Vec<(Address, Reply)> {
        let mut bounced = Vec::new();
        for (i, address) in to.iter().enumerate() {
            let key = address.to_string();
            self.waiting.remove(&key);
            // Of somebody whom the server was not asked about, its last word holds.
            let Some(reply) = sent.recipients.get(i).or(sent.recipients.last()) else { continue };
            let reply = match (reply.is_good(), &sent.message) {
                (true, Some(message)) => message,
                _ => reply,
            };
            if reply.is_good() && sent.message.is_some() {
                self.sent.push(key);
            } else if reply.is_good() || reply.is_transient() {
                self.waiting.insert(key, reply.to_string());
            } else {
                if reply.is_hard_bounce() {
                    bounced.push((address.clone(), reply.clone()));
                }
                self.refused.insert(key, reply.to_string());
            }
        }
        bounced
    }

    /// What this means for the mail. Without patience, nobody is waited for any more.
    pub(crate) fn verdict(&self, patience: bool) -> Verdict {
        let of = |answers: &BTreeMap<String, String>| {
            let first = answers.iter().next().map(|(to, said)| format!("{to}: {said}")).unwrap_or_default();
            match answers.len() {
                0 | 1 => first,
                more => format!("{first}, and {} more", more - 1),
            }
        };
        if !self.waiting.is_empty() {
            let reason = format!("not every recipient has it yet: {}", of(&self.waiting));
            match (patience, self.sent.is_empty()) {
                (true, _) => return Verdict::Again { after: None, reason },
                (false, true) => return Verdict::Refused { reason: format!("given up, {reason}") },
                (false, false) => {}
            }
        }
        match (self.sent.is_empty(), self.refused.is_empty()) {
            (false, _) => Verdict::Sent,
            (true, false) => {
                Verdict::Refused { reason: format!("the server takes no recipient: {}", of(&self.refused)) }
            }
            (true, true) => Verdict::Skipped { reason: "every recipient is on the suppression list".into() },
        }
    }
}

/// What it means that a mail did not come as far as to its recipients.
pub(crate) fn of_trouble(trouble: &Trouble) -> Outcome {
    let said = trouble.to_string();
    let broken = |remedy: &str| Verdict::Broken { reason: format!("{said}: {remedy}") };
    let verdict = match trouble {
        Trouble::Missing(what) if what.contains("STARTTLS") => broken(
            "no mail is sent in plain text; use `smtpPort` 465 with implicit TLS, or set `security` to `none` for a server \
             on the same machine",
        ),
        Trouble::Missing(_) => {
            broken("configure what it offers, or leave `username` empty for a server that asks for nothing")
        }
        Trouble::TooLarge => Verdict::Refused { reason: said },
        Trouble::Credentials(reply) if !reply.is_transient() => broken(
            "look at `username` and `password` or `oauthToken`; many providers want an application's own password",
        ),
        Trouble::Said(_, reply) if reply.code == 530 => {
            broken("it takes no mail from strangers; configure `username` and `password`")
        }
        Trouble::Said("to the sender", reply) if !reply.is_transient() => {
            // 5.3.4 and 552 are about this message alone.
            if reply.code == 552 || reply.enhanced.as_deref() == Some("5.3.4") {
                Verdict::Refused { reason: said }
            } else {
                broken("it takes no mail from `fromAddress` or `bounceAddress`")
            }
        }
        Trouble::Network(..) | Trouble::Protocol(_) | Trouble::Said(..) | Trouble::Credentials(_) => {
            Verdict::Again { after: None, reason: said }
        }
    };
    Outcome { status: trouble.code(), ..verdict.into() }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::smtp::reply;

    fn to(names: &[&str]) -> Vec<Address> {
        names.iter().map(|name| format!("{name}@example.com").parse().expect("an address")).collect()
    }

    fn sent(recipients: &[&str], message: Option<&str>) -> Sent {
        let read = |text: &&str| reply(&format!("{text}\r\n"));
        Sent { recipients: recipients.iter().map(read).collect(), message: message.map(|text| read(&text)) }
    }

    #[test]
    fn a_retry_goes_to_those_who_may_still_get_it() {
        let all = to(&["a", "b", "c", "d"]);
        let mut progress = Progress::default();
        let bounced = progress.take(
            &all,
            &sent(
                &["250 ok", "550 5.1.1 nobody", "451 4.7.1 later", "550 5.7.1 policy"],
                Some("250 2.0.0 ok"),
            ),
        );
        assert_eq!(bounced.iter().map(|(to, _)| to.to_string()).collect::<Vec<_>>(), ["b@example.com"]);
        let Verdict::Again { reason, .. } = progress.verdict(true) else { panic!("{progress:?}") };
        assert!(reason.ends_with("c@example.com: 451 4.7.1 (later)"), "{reason}");

        // As it is remembered.
        let mut progress: Progress =
            serde_json::from_value(serde_json::to_value(&progress).expect("JSON")).expect("progress");
        let pending = progress.pending(&all);
        assert_eq!(pending, to(&["c"]));
        progress.take(&pending, &sent(&["250 ok"], Some("250 ok")));
        assert_eq!(progress.verdict(true), Verdict::Sent);
        assert_eq!(progress.sent, ["a@example.com", "c@example.com"]);
        assert_eq!(progress.refused.len(), 2, "who never had it is still named");
    }

    #[test]
    fn the_message_itself_may_be_refused() {
        let all = to(&["a", "b"]);
        let mut progress = Progress::default();
        progress.take(&all, &sent(&["250 ok", "250 ok"], Some("554 5.6.0 no")));
        assert!(matches!(progress.verdict(true), Verdict::Refused { .. }), "{progress:?}");
        // By hand, all are tried again.
        assert_eq!(progress.pending(&all), all);

        let mut progress = Progress::default();
        progress.take(&all, &sent(&["250 ok", "250 ok"], Some("452 4.3.1 full")));
        assert!(matches!(progress.verdict(true), Verdict::Again { .. }), "{progress:?}");
    }

    #[test]
    fn a_server_that_leaves_in_the_middle_is_asked_again() {
        let all = to(&["a", "b", "c"]);
        let mut progress = Progress::default();
        progress.take(&all, &sent(&["250 ok", "421 4.3.2 bye"], None));
        assert!(progress.sent.is_empty());
        assert_eq!(progress.waiting.len(), 3, "{progress:?}");
    }

    #[test]
    fn who_is_waited_for_too_long_does_not_hold_up_others() {
        let all = to(&["a", "b"]);
        let mut progress = Progress::default();
        progress.take(&all, &sent(&["250 ok", "452 4.2.2 full"], Some("250 ok")));
        assert!(matches!(progress.verdict(true), Verdict::Again { .. }));
        assert_eq!(progress.verdict(false), Verdict::Sent);
        assert_eq!(progress.waiting.len(), 1, "who does not have it is named");

        let mut progress = Progress::default();
        progress.take(&all[1..], &sent(&["452 4.2.2 full"], None));
        let Verdict::Refused { reason } = progress.verdict(false) else { panic!("{progress:?}") };
        assert!(reason.contains("given up") && reason.contains("452 4.2.2"), "{reason}");
    }

    #[test]
    fn nobody_left_is_nothing_to_send() {
        let progress = Progress { suppressed: vec!["a@example.com".into()], ..Progress::default() };
        assert!(matches!(progress.verdict(true), Verdict::Skipped { .. }));
    }

    #[test]
    fn what_no_later_try_changes_breaks_the_destination() {
        let said = |doing, text: &str| of_trouble(&Trouble::Said(doing, reply(text))).verdict;
        for broken in [
            said("to the sender", "530 5.7.0 Authentication required\r\n"),
            said("to the sender", "553 5.7.1 not yours\r\n"),
            of_trouble(&Trouble::Credentials(reply("535 5.7.8 s3cret is wrong\r\n"))).verdict,
            of_trouble(&Trouble::Credentials(reply("534 5.7.9 app password\r\n"))).verdict,
            of_trouble(&Trouble::Missing("the server does not offer STARTTLS")).verdict,
        ] {
            let Verdict::Broken { reason } = broken else { panic!("{broken:?}") };
            assert!(!reason.contains("s3cret"), "{reason}");
        }
        for again in [
            said("to the sender", "451 4.3.0 later\r\n"),
            said("in place of a greeting", "554 no service\r\n"),
            said("to STARTTLS", "454 4.7.0 not now\r\n"),
            of_trouble(&Trouble::Credentials(reply("454 4.7.0 later\r\n"))).verdict,
            of_trouble(&Trouble::Network("to EHLO", io::ErrorKind::TimedOut.into())).verdict,
        ] {
            assert!(matches!(again, Verdict::Again { .. }), "{again:?}");
        }
        for refused in
            [said("to the sender", "552 5.3.4 too big\r\n"), of_trouble(&Trouble::TooLarge).verdict]
        {
            assert!(matches!(refused, Verdict::Refused { .. }), "{refused:?}");
        }
        assert_eq!(of_trouble(&Trouble::Credentials(reply("535 no\r\n"))).status, Some(535));
    }
}
