//! A message in plain text, before it is any provider's.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// How much a message matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Somebody should look at it.
    Warning,
    /// Something does not work.
    Error,
    /// Somebody cannot work.
    Critical,
}

impl Severity {
    /// As configurations and payloads write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// One message, in plain text: nothing is escaped or cut yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// What it is made of.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// The colour beside it.
    pub color: Color,
    /// A few words.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// What is known, one by one.
    pub fields: Vec<Field>,
    /// Where to go from here.
    pub links: Vec<Link>,
    /// The event's topic; of a digest or a test, a name of ours.
    pub topic: String,
    /// The event's subject, such as a session's id; may be empty.
    pub subject: String,
    /// When it happened.
    #[serde(serialize_with = "rfc3339")]
    pub occurred_at: SystemTime,
    /// What routes look at.
    pub about: About,
    /// The story that it belongs to, such as `session/ID`: what providers put into one thread.
    pub thread: Option<String>,
    /// What it says of what, to know whether it only repeats what was said last. `None` for what never repeats.
    pub claim: Option<Claim>,
    /// The problems that begin, are acknowledged or end with it.
    pub problems: Vec<Problem>,
}

/// What a message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One event.
    Event,
    /// Several, that had to wait.
    Digest,
    /// None: somebody wants to know whether messages arrive.
    Test,
}

/// A label and what stands under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// One or two words.
    pub label: String,
    /// Plain text.
    pub value: String,
}

/// A button, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What is on the button.
    pub label: &'static str,
    /// The address, as the event has it: see [`text::web_address`](crate::text::web_address).
    pub url: String,
}

/// What routes look at. A user may be known by several names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// Names and ids of one user.
    pub users: Vec<String>,
    /// The user's teams, as far as the event names them.
    pub teams: Vec<String>,
    /// Names of one template.
    pub templates: Vec<String>,
}

impl About {
    /// Of these names, those that are given.
    pub fn of(users: impl IntoIterator<Item = String>, templates: impl IntoIterator<Item = String>) -> Self {
        let is_given = |name: &String| !name.is_empty();
        Self {
            users: users.into_iter().filter(is_given).collect(),
            teams: Vec::new(),
            templates: templates.into_iter().filter(is_given).collect(),
        }
    }
}

/// What a message says of what. It repeats another one if both say the same of the same, and nothing else was said in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Such as `session/ID`.
    pub about: String,
    /// Such as `failed`.
    pub says: String,
}

impl Claim {
    /// One about something that is known; `None` if its name is empty.
    pub fn about(kind: &str, name: &str, says: impl Into<String>) -> Option<Self> {
        (!name.trim().is_empty()).then(|| Self { about: format!("{kind}/{name}"), says: says.into() })
    }
}

/// Something that is wrong for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The same from its beginning to its end, such as `session/ID/failed`.
    pub key: String,
    /// What became of it.
    pub phase: Phase,
}

/// What became of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It is there.
    Opened,
    /// Somebody does something about it.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// A colour, `0xrrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color(pub u32);

impl Color {
    /// Something began well.
    pub const GREEN: Self = Self(0x2e_9e5b);
    /// Something changed.
    pub const BLUE: Self = Self(0x3a_6fd8);
    /// Something ended.
    pub const GREY: Self = Self(0x8a_8f98);
    /// Somebody should look.
    pub const AMBER: Self = Self(0xd9_a514);
    /// Something is wrong.
    pub const RED: Self = Self(0xc9_302c);

    /// Where the event itself says nothing more precise.
    #[must_use]
    pub fn of(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::BLUE,
            Severity::Warning => Self::AMBER,
            Severity::Error | Severity::Critical => Self::RED,
        }
    }

    /// `#rrggbb`.
    #[must_use]
    pub fn hex(self) -> String {
        format!("#{:06x}", self.0)
    }
}

impl Serialize for Color {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

fn rfc3339<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::text::rfc3339(*time))
}
