//! Errors on the wire: problem documents (RFC 9457) with a stable code.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{ALLOW, HeaderValue},
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    events::{EmitError, LogError, TapError},
    install::InstallError,
    loader::{Refusal, Rule, VerdictsError},
    runtime::RuntimeError,
};

/// A problem document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:streamspace:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What happened, to what, expected and found, and what to do.
    pub detail: String,
    /// Stable; what a program matches on.
    pub code: String,
    /// More about a library that is refused.
    #[serde(flatten)]
    pub refusal: Option<Box<RefusalMembers>>,
}

/// What a problem document says besides, of a library that is refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RefusalMembers {
    /// The plugin, if it is known.
    pub plugin: Option<String>,
    /// The name of the rule that the library breaks.
    pub rule: Rule,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// What to do.
    pub action: String,
}

impl From<&Refusal> for RefusalMembers {
    fn from(refusal: &Refusal) -> Self {
        Self {
            plugin: refusal.plugin.clone().map(Into::into),
            rule: refusal.rule,
            expected: refusal.expected.clone().into(),
            found: refusal.found.clone().into(),
            action: refusal.action(),
        }
    }
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &str, detail: impl fmt::Display) -> Self {
        Self {
            kind: format!("urn:streamspace:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.to_string(),
            code: code.to_owned(),
            refusal: None,
        }
    }

    pub(super) fn bad_request(code: &str, detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if self.code.starts_with("SSP-EVT-") && self.status == 503 {
            // In seconds.
            response.insert_header(("Retry-After", "1"));
        }
        if self.status == 401 {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        let body = serde_json::to_string(self).unwrap_or_default();
        response.content_type("application/problem+json").body(body)
    }
}

impl From<EmitError> for Problem {
    fn from(error: EmitError) -> Self {
        match error {
            EmitError::Topic(_) => Self::bad_request("SSP-EVT-001", error),
            EmitError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "SSP-EVT-002", error),
            EmitError::Nul(_) => Self::bad_request("SSP-EVT-005", error),
            EmitError::Log(why) => why.into(),
        }
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        let code = match error {
            LogError::Unavailable { .. } => "SSP-EVT-006",
            LogError::Full => "SSP-EVT-007",
            LogError::Late { .. } => "SSP-EVT-008",
            LogError::Stopping => "SSP-EVT-009",
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, error)
    }
}

impl From<TapError> for Problem {
    fn from(error: TapError) -> Self {
        let code = match error {
            TapError::Full(_) => "SSP-STR-001",
            TapError::Stopping => "SSP-API-503",
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, error)
    }
}

impl From<InstallError> for Problem {
    fn from(error: InstallError) -> Self {
        use crate::store::{RecordError, StoreError};
        let status = match &error {
            InstallError::NotInstalled { .. }
            | InstallError::NoDeadLetter { .. }
            | InstallError::NoJob { .. }
            | InstallError::Verdicts(VerdictsError::NotBlocked { .. }) => StatusCode::NOT_FOUND,
            InstallError::AlreadyInstalled { .. }
            | InstallError::NotRun { .. }
            | InstallError::Runtime(RuntimeError::State { .. }) => StatusCode::CONFLICT,
            InstallError::Runtime(RuntimeError::Stopping { .. })
            | InstallError::Database(_)
            | InstallError::Storage(_)
            | InstallError::Tables(_)
            | InstallError::Store(StoreError::Database(_) | StoreError::Record(RecordError::Database(_))) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            InstallError::Config { .. }
            | InstallError::NotAnObject { .. }
            | InstallError::Library(_)
            | InstallError::Verdicts(VerdictsError::Ambiguous { .. })
            | InstallError::Store(
                StoreError::Manifest { .. } | StoreError::NoLibrary { .. } | StoreError::File { .. },
            ) => StatusCode::UNPROCESSABLE_ENTITY,
            InstallError::Store(StoreError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            InstallError::Store(_) | InstallError::Verdicts(_) | InstallError::Runtime(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        let refusal = match &error {
            InstallError::Library(refusal) => Some(Box::new(refusal.as_ref().into())),
            _ => None,
        };
        Self { refusal, ..Self::new(status, error.code(), &error) }
    }
}

pub(super) async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(StatusCode::NOT_FOUND, "SSP-API-404", "there is nothing at this path"))
}

pub(super) async fn method_not_allowed(methods: &'static str) -> HttpResponse {
    let detail = format!("this path takes {methods}");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "SSP-API-405", detail);
    let mut response = problem.error_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}
