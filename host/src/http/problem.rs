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
use utoipa::ToSchema;

use crate::{
    catalog::{CatalogError, FetchError},
    events::{EmitError, LogError, TapError},
    install::{InstallError, LockError, PlanError},
    loader::{Refusal, Rule, VerdictsError},
    platform::{sessions::State, users::UserError},
    runtime::RuntimeError,
    tickets::TicketError,
};

/// A problem document (RFC 9457). One of a library that is refused has the members of `RefusalMembers` too,
/// and one of a step of a session those of `TransitionMembers`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:streamspace:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    #[schema(value_type = String)]
    pub title: Box<str>,
    /// The status.
    pub status: u16,
    /// What happened, to what, expected and found, and what to do.
    pub detail: String,
    /// Stable; what a program matches on.
    pub code: String,
    /// More about a library that is refused.
    #[serde(flatten)]
    #[schema(ignore)] // an optional part of a flat document has no form in a schema
    pub refusal: Option<Box<RefusalMembers>>,
    /// More about a step of a session that is refused.
    #[serde(flatten)]
    #[schema(ignore)] // as the former
    pub transition: Option<Box<TransitionMembers>>,
    /// What does not stand in the document.
    #[serde(skip)]
    aside: Option<Box<Aside>>,
}

/// What a problem document says besides, of a step of a session that its state does not allow.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TransitionMembers {
    /// The session's state.
    pub state: State,
    /// The states that may follow it.
    pub allowed: Vec<State>,
}

/// What goes with a problem document and does not stand in it.
#[derive(Debug, Clone, Default)]
struct Aside {
    /// `Retry-After`, in seconds.
    retry_after: Option<u64>,
    /// What the host's log has of it, and not the client: what a database said.
    hidden: Option<String>,
}

/// Goes with a response to where it is logged.
#[derive(Debug)]
pub(super) struct Hidden(pub(super) String);

/// What a problem document says besides, of a library that is refused.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
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
            title: status.canonical_reason().unwrap_or("Error").into(),
            status: status.as_u16(),
            detail: detail.to_string(),
            code: code.to_owned(),
            refusal: None,
            aside: None,
            transition: None,
        }
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.aside.get_or_insert_default().retry_after = Some(seconds);
        self
    }

    /// A problem with a database: its own words are for the host's log.
    pub(super) fn of_database(code: &str, said: String) -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            code,
            "the host's database does not do this now: the host's log says why",
        );
        problem.aside.get_or_insert_default().hidden = Some(said);
        problem.retry_after(1)
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
        let aside = self.aside.as_deref();
        let waiting = (self.code.starts_with("SSP-EVT-") && self.status == 503).then_some(1);
        if let Some(seconds) = aside.and_then(|aside| aside.retry_after).or(waiting) {
            response.insert_header(("Retry-After", seconds.to_string()));
        }
        if self.status == 401 {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        let body = serde_json::to_string(self).unwrap_or_default();
        let mut response = response.content_type("application/problem+json").body(body);
        if let Some(hidden) = aside.and_then(|aside| aside.hidden.clone()) {
            response.extensions_mut().insert(Hidden(hidden));
        }
        response
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
        let code = error.code();
        match error {
            LogError::Unavailable { reason } => Self::of_database(code, reason),
            error => Self::new(StatusCode::SERVICE_UNAVAILABLE, code, error),
        }
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        let status = match &error {
            UserError::NoUser { .. } | UserError::NoGroup { .. } | UserError::NoToken { .. } => {
                StatusCode::NOT_FOUND
            }
            UserError::Taken { .. } | UserError::LastAdmin | UserError::TooMany { .. } => {
                StatusCode::CONFLICT
            }
            UserError::Field { .. } | UserError::Password { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            UserError::Beyond { .. } | UserError::WrongCurrent => StatusCode::FORBIDDEN,
            UserError::WrongPassword => StatusCode::UNAUTHORIZED,
            UserError::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            UserError::Busy => StatusCode::SERVICE_UNAVAILABLE,
            UserError::System { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            UserError::Change { .. } | UserError::Database(_) => {
                return Self::of_database(error.code(), error.to_string());
            }
            UserError::Log(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let code = error.code();
        match error {
            UserError::Log(why) => why.into(),
            UserError::Throttled { seconds } => Self::new(status, code, error).retry_after(seconds),
            UserError::Busy => Self::new(status, code, error).retry_after(1),
            error => Self::new(status, code, error),
        }
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

impl From<TicketError> for Problem {
    fn from(error: TicketError) -> Self {
        let status = match error {
            TicketError::TooMany => StatusCode::TOO_MANY_REQUESTS,
            TicketError::Random(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let problem = Self::new(status, error.code(), &error);
        match error.retry_after() {
            Some(seconds) => problem.retry_after(seconds),
            None => problem,
        }
    }
}

impl From<InstallError> for Problem {
    fn from(error: InstallError) -> Self {
        Self::from_install(&error)
    }
}

impl Problem {
    fn from_install(error: &InstallError) -> Self {
        use streamspace_package::PackageError;

        use crate::store::{RecordError, StoreError, TrustError};
        let status = match error {
            InstallError::NotInstalled { .. }
            | InstallError::NoDeadLetter { .. }
            | InstallError::NoJob { .. }
            | InstallError::NotUploaded { .. }
            | InstallError::Trust(TrustError::NoKey { .. })
            | InstallError::Verdicts(VerdictsError::NotBlocked { .. }) => StatusCode::NOT_FOUND,
            InstallError::AlreadyInstalled { .. }
            | InstallError::NotConsented { .. }
            | InstallError::NotPreapproved { .. }
            | InstallError::Older { .. }
            | InstallError::Pinned { .. }
            | InstallError::NoGeneration { .. }
            | InstallError::Clash(_)
            | InstallError::Store(StoreError::Changed { .. })
            | InstallError::Trust(TrustError::Taken { .. })
            | InstallError::Same { .. }
            | InstallError::NotRun { .. }
            | InstallError::ChangedMeanwhile { .. }
            | InstallError::Runtime(RuntimeError::State { .. }) => StatusCode::CONFLICT,
            InstallError::UnderWay { .. } => {
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, error.code(), error).retry_after(5);
            }
            InstallError::NotEnded { source, .. } => {
                // What a database said is no more for the client here than where it stands alone.
                let of_source = Self::from_install(source);
                if of_source.aside.is_some() {
                    return Self::of_database(error.code(), error.to_string());
                }
                StatusCode::CONFLICT
            }
            InstallError::Runtime(RuntimeError::Stopping { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            InstallError::Database(_)
            | InstallError::Storage(_)
            | InstallError::Tables(_)
            | InstallError::Trust(TrustError::Database(_))
            | InstallError::Store(StoreError::Database(_) | StoreError::Record(RecordError::Database(_))) => {
                return Self::of_database(error.code(), error.to_string());
            }
            InstallError::Package { source, .. } if matches!(**source, PackageError::Io { .. }) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            InstallError::Trust(TrustError::LocalKey { .. } | TrustError::Exposed { .. }) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            InstallError::Package { .. }
            | InstallError::Trust(_)
            | InstallError::OtherUnsigned { .. }
            | InstallError::OtherPlugin { .. }
            | InstallError::NoVersion { .. }
            | InstallError::OtherPackage { .. }
            | InstallError::Store(StoreError::Package(_))
            | InstallError::Config { .. }
            | InstallError::Runtime(RuntimeError::Replace { .. })
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
        let refusal = match error {
            InstallError::Library(refusal) => Some(Box::new(refusal.as_ref().into())),
            _ => None,
        };
        Self { refusal, ..Self::new(status, error.code(), error) }
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        let status = match &error {
            CatalogError::NoCatalogue { .. } | CatalogError::NoListing { .. } => StatusCode::NOT_FOUND,
            CatalogError::Taken { .. } | CatalogError::Imported { .. } => StatusCode::CONFLICT,
            CatalogError::NoAccount => StatusCode::FORBIDDEN,
            CatalogError::Database(_) => return Self::of_database(error.code(), error.to_string()),
            // A folder of this machine is what the caller named.
            CatalogError::Fetch { source, .. } if matches!(**source, FetchError::File { .. }) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            CatalogError::Fetch { .. } => StatusCode::BAD_GATEWAY,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, error.code(), &error)
    }
}

impl From<PlanError> for Problem {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Catalog(why) => why.into(),
            PlanError::Install(why) => why.into(),
            PlanError::BrokenOff(broken) => {
                let words = broken.words();
                let problem = Self::from(broken.source);
                Self { detail: format!("{words}: {}", problem.detail), ..problem }
            }
            PlanError::Fetch(why) => Self::new(StatusCode::BAD_GATEWAY, why.code(), &why),
            PlanError::Wish { .. } => Self::bad_request(error.code(), &error),
            PlanError::Unusable { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), &error),
            PlanError::Exact { .. } | PlanError::Unresolved(_) => {
                Self::new(StatusCode::CONFLICT, error.code(), &error)
            }
        }
    }
}

impl From<LockError> for Problem {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Plan(why) => why.into(),
            LockError::NoLock { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), &error),
            LockError::NoPackage { .. } | LockError::Differs { .. } => {
                Self::new(StatusCode::CONFLICT, error.code(), &error)
            }
        }
    }
}

pub(super) async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(StatusCode::NOT_FOUND, "SSP-API-404", "there is nothing at this path"))
}

pub(super) fn method_not_allowed(methods: &str) -> HttpResponse {
    let detail = format!("this path takes {methods}");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "SSP-API-405", detail);
    let mut response = problem.error_response();
    if let Ok(methods) = HeaderValue::from_str(methods) {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}
