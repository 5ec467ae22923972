use super::State;
use crate::{
    events::{ChangeError, LogError},
    store::DatabaseError,
};

/// Why a session was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is none, or the one who asks may not see it.
    #[error("there is no session `{id:.80}`")]
    NotFound {
        /// Its id.
        id: String,
    },
    /// The state does not lead there.
    #[error(
        "the session `{id}` is {from}, and cannot become {to}: {}",
        allowed(from.next())
    )]
    Transition {
        /// The session.
        id: String,
        /// Its state.
        from: State,
        /// The one that was asked for.
        to: State,
    },
    /// A value is not one.
    #[error("`{field}`: expected {expected}, found {found}")]
    Invalid {
        /// Where.
        field: &'static str,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The id or the key is another request's.
    #[error(
        "{what} `{value}` belongs to a session that was created with another request: choose another one"
    )]
    Taken {
        /// `the id` or `the idempotency key`.
        what: &'static str,
        /// Which.
        value: String,
    },
    /// The state does not allow it.
    #[error("the session `{id}` is {state}: {what} takes one that is {expected}")]
    State {
        /// The session.
        id: String,
        /// Its state.
        state: State,
        /// What was asked for.
        what: &'static str,
        /// The states that allow it.
        expected: &'static str,
    },
    /// Nobody has said where its desktop is.
    #[error(
        "the session `{id}` runs, and nobody has said where its desktop speaks RFB: its controller sets `rfb_address`"
    )]
    NoDesktop {
        /// The session.
        id: String,
    },
    /// It has no such share or connection.
    #[error("the session `{id}` has no {what} `{name:.80}`")]
    Absent {
        /// The session.
        id: String,
        /// `share with` or `connection`.
        what: &'static str,
        /// Which.
        name: String,
    },
    /// There are as many as may be.
    #[error("the session `{id}` has {limit} {what} already, and takes no more")]
    Full {
        /// The session.
        id: String,
        /// Of what.
        what: &'static str,
        /// How many.
        limit: i64,
    },
    /// The one who asks may see it, and not do this.
    #[error("only its owner, or who may manage sessions, may {what} the session `{id}`")]
    Forbidden {
        /// The session.
        id: String,
        /// What.
        what: &'static str,
    },
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The database does not take the change.
    #[error("the session was not changed: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// The event log does not take it.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl SessionError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "SSP-SES-001",
            Self::Transition { .. } => "SSP-SES-002",
            Self::Invalid { .. } => "SSP-SES-003",
            Self::Taken { .. } => "SSP-SES-004",
            Self::State { .. } => "SSP-SES-005",
            Self::Absent { .. } => "SSP-SES-006",
            Self::Full { .. } => "SSP-SES-007",
            Self::Forbidden { .. } => "SSP-SES-008",
            Self::NoDesktop { .. } => "SSP-SES-009",
            Self::Database(why) => why.code(),
            Self::Refused { .. } => "SSP-DAT-006",
            Self::Log(why) => why.code(),
        }
    }
}

impl From<ChangeError<Self>> for SessionError {
    fn from(why: ChangeError<Self>) -> Self {
        match why {
            ChangeError::Refused(why) => why,
            ChangeError::Log(why) => Self::Log(why),
            why @ (ChangeError::Database { .. } | ChangeError::Event { .. }) => {
                Self::Refused { reason: why.to_string() }
            }
        }
    }
}

fn allowed(next: &[State]) -> String {
    match next {
        [] => "nothing follows this state".to_owned(),
        next => {
            let names: Vec<&str> = next.iter().map(|state| state.name()).collect();
            format!("expected {}", names.join(", "))
        }
    }
}
