//! What a handler is given.

use std::fmt;

use serde::de::DeserializeOwned;

use super::{CallerView, IncomingView, Problem, extract};

/// A request, for the length of the call.
#[derive(Clone, Copy)]
pub struct Request<'a>(&'a IncomingView<'a>);

impl<'a> Request<'a> {
    pub(crate) fn new(view: &'a IncomingView<'a>) -> Self {
        Self(view)
    }

    /// The method, in capitals.
    #[must_use]
    pub fn method(&self) -> &'a str {
        self.0.method.as_str()
    }

    /// The path below `/api/plugins/NAME`, decoded.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.0.path.as_str()
    }

    /// What the parameter `{name}` of the route's path matched.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&'a str> {
        let params = self.0.params.as_slice();
        params.iter().find(|param| param.name.as_str() == name).map(|param| param.value.as_str())
    }

    /// What stood behind the `?`, as it was sent.
    #[must_use]
    pub fn query_string(&self) -> &'a str {
        self.0.query.as_str()
    }

    /// The first header of that name, in any case, if it is a text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let headers = self.0.headers.as_slice();
        let found = headers.iter().find(|header| header.name.as_str().eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value.as_slice()).ok()
    }

    /// All headers, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.0.headers.as_slice().iter().map(|header| (header.name.as_str(), header.value.as_slice()))
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.0.body.as_slice()
    }

    /// Who calls.
    #[must_use]
    pub fn caller(&self) -> Caller<'a> {
        Caller(self.0.caller)
    }

    /// The request's id, which the answer carries in `X-Request-Id` and the host's log names.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.0.request_id.as_str()
    }

    /// W3C's `traceparent` as it was sent, to be handed on.
    #[must_use]
    pub fn traceparent(&self) -> Option<&'a str> {
        Some(self.0.traceparent.as_str()).filter(|text| !text.is_empty())
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    ///
    /// A [`Problem`] that names the place and shows no value: 400 if it is not JSON, 422 if it has another shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        extract::json(self.body())
    }

    /// The query, read into a struct with a field a name. Lists are not supported.
    ///
    /// # Errors
    ///
    /// A [`Problem`] of status 400 that names the field and shows no value.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        extract::query(self.query_string())
    }

    /// The parameters of the path, read into a struct with a field a name.
    ///
    /// # Errors
    ///
    /// A [`Problem`] of status 400 that names the parameter and shows no value.
    pub fn path_params<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let params = self.0.params.as_slice();
        let pairs = params.iter().map(|param| (param.name.as_str().into(), param.value.as_str().into()));
        extract::pairs("the path", pairs.collect())
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest may be a secret.
        f.debug_struct("Request")
            .field("method", &self.method())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a>(CallerView<'a>);

impl<'a> Caller<'a> {
    /// Whether the caller is signed in. On routes that are not public every caller is.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.0.signed_in
    }

    /// The account's id, empty if not signed in.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.0.id.as_str()
    }

    /// The account's name, empty if not signed in.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.0.name.as_str()
    }

    /// The caller's roles.
    pub fn roles(&self) -> impl Iterator<Item = &'a str> {
        self.0.roles.as_slice().iter().map(|role| role.as_str())
    }

    /// Whether the caller is permitted this.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        let permissions = self.0.permissions.as_slice();
        self.0.unrestricted || permissions.iter().any(|known| known.as_str() == permission)
    }
}
