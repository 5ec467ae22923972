//! Those whom events are about, and what they want to be told.

/// A kind of mail to the one whom it is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) topic: &'static str,
    /// Whether it is sent to those who have said nothing.
    pub(crate) default: bool,
    /// What it tells.
    pub(crate) about: &'static str,
}

/// All kinds. The defaults are the platform's.
pub(crate) const KINDS: [Kind; 11] = [
    Kind { topic: "session.created", default: false, about: "A session of yours was created" },
    Kind { topic: "session.idle", default: true, about: "A session of yours is not used" },
    Kind { topic: "session.hibernated", default: false, about: "A session of yours was put to rest" },
    Kind { topic: "session.failed", default: false, about: "A session of yours failed" },
    Kind { topic: "session.terminated", default: false, about: "A session of yours was ended" },
    Kind { topic: "session.shared", default: true, about: "Somebody shares a session with you" },
    Kind { topic: "quota.warning", default: true, about: "You have nearly reached a limit" },
    Kind { topic: "quota.exceeded", default: true, about: "You have reached a limit" },
    Kind { topic: "user.created", default: false, about: "Your account was created" },
    Kind { topic: "user.updated", default: false, about: "Your account was changed" },
    Kind { topic: "user.login", default: false, about: "Somebody signed in with your account" },
];
