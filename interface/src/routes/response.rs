//! What a handler answers with.

use std::{fmt, io, path::Path};

use serde::Serialize;

use crate::{
    Error, Result,
    abi::{Fault, FaultKind, Responder},
    http::OwnedHeader,
};

type Stream = Box<dyn FnOnce(&mut Out<'_>) -> Result<()>>;

/// An answer.
///
/// ```
/// # use streamspace_plugin::routes::Response;
/// let made = Response::json(&serde_json::json!({"id": 7})).with_status(201).header("Location", "/things/7");
/// let export = Response::stream(|out| {
///     for line in 0..1_000 {
///         out.write(format!("{line}\n"))?; // fails once the client has gone
///     }
///     Ok(())
/// });
/// ```
///
/// The host does not let through headers of the connection (`Connection`, `Transfer-Encoding`, …), `Content-Length` and
/// `Set-Cookie`.
pub struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<OwnedHeader>,
    pub(super) body: Body,
}

pub(super) enum Body {
    Bytes(Vec<u8>),
    File(String),
    Problem(String),
    Stream(Stream),
}

impl Response {
    fn new(status: u16, body: Body) -> Self {
        Self { status, headers: Vec::with_capacity(2), body }
    }

    /// An answer of this status without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::new(status, Body::Bytes(Vec::new()))
    }

    /// `value` as JSON.
    ///
    /// # Panics
    ///
    /// If `value` cannot be written as JSON, which takes a map whose keys are not texts.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        // Most answers fit, and are not moved while they are written.
        let mut body = Vec::with_capacity(256);
        serde_json::to_writer(&mut body, value).expect("the value's maps have texts as keys");
        Self::bytes(body).header("Content-Type", "application/json")
    }

    /// A text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::bytes(text.into()).header("Content-Type", "text/plain; charset=utf-8")
    }

    /// Bytes as they are. Say with [`header`](Self::header) of which type.
    #[must_use]
    pub fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, Body::Bytes(body.into()))
    }

    /// A file of the host's machine, by its absolute path. The host sends it, in ranges and on conditions if the client
    /// asks for that, with a type by the file's name. It is never read into memory whole. The status is the host's.
    ///
    /// Never make the path of what a client sent: whatever the host may read is sent.
    #[must_use]
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self::new(200, Body::File(path.as_ref().to_string_lossy().into_owned()))
    }

    /// An answer in pieces: `stream` writes them after the handler has returned, on the same thread. Not for `[inline]`
    /// routes.
    #[must_use]
    pub fn stream(stream: impl FnOnce(&mut Out<'_>) -> Result<()> + 'static) -> Self {
        Self::new(200, Body::Stream(Box::new(stream)))
    }

    /// The same with another status, 200–599.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(OwnedHeader { name: name.into(), value: value.as_bytes().to_vec().into() });
        self
    }

    /// The status, e.g. for middleware that looks at it.
    #[must_use]
    pub fn status_code(&self) -> u16 {
        self.status
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest may be a secret.
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// What a handler may answer with: a [`Response`], nothing (204), or a `Result` of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no answer of a route",
    note = "a route's handler answers with a `Response`, `()`, or a `Result` of one of these"
)]
pub trait IntoAnswer {
    /// The answer.
    ///
    /// # Errors
    ///
    /// What the handler failed with.
    fn into_answer(self) -> Result<Response>;
}

impl IntoAnswer for Response {
    fn into_answer(self) -> Result<Response> {
        Ok(self)
    }
}

impl IntoAnswer for () {
    fn into_answer(self) -> Result<Response> {
        Ok(Response::status(204))
    }
}

impl<T: IntoAnswer, E: Into<Error>> IntoAnswer for Result<T, E> {
    fn into_answer(self) -> Result<Response> {
        self.map_err(Into::into)?.into_answer()
    }
}

/// An error that the caller is told: a problem document with this status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    status: u16,
    detail: String,
}

impl Problem {
    /// A status, 400–599, and a sentence for the caller. Put no secret into it.
    pub fn new(status: u16, detail: impl fmt::Display) -> Self {
        Self { status, detail: detail.to_string() }
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        Self::new(problem.status, Body::Problem(problem.detail))
    }
}

/// The answer for an error that the caller is told.
pub(super) fn of_error(error: Error) -> Result<Response> {
    error.problem().cloned().map(Response::from).ok_or(error)
}

/// Where a stream's pieces go.
pub struct Out<'a> {
    responder: Responder<'a>,
}

impl<'a> Out<'a> {
    pub(super) fn new(responder: Responder<'a>) -> Self {
        Self { responder }
    }

    /// `[request]` Hands over a piece. Waits while the client takes none; what waits is bounded.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BrokenPipe`](io::ErrorKind::BrokenPipe) when the client has gone, or takes nothing for the route's
    /// timeout.
    pub fn write(&mut self, piece: impl AsRef<[u8]>) -> io::Result<()> {
        self.responder.write(piece.as_ref()).map_err(of_fault)
    }
}

fn of_fault(fault: Fault) -> io::Error {
    let kind = match fault.kind {
        FaultKind::CLIENT_GONE => io::ErrorKind::BrokenPipe,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, fault.message.into_string())
}

impl io::Write for Out<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        Out::write(self, piece).map(|()| piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Out<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out").finish_non_exhaustive()
    }
}
