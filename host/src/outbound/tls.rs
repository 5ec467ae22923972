//! The root certificates the client trusts.

use std::path::Path;

use reqwest::{Certificate, Client, ClientBuilder};

use super::error::SetupError;

pub(crate) struct Built {
    pub(crate) client: Client,
    pub(crate) has_roots: bool,
}

/// Builds a client that trusts the platform's roots and those of `ca_file`.
///
/// A platform without roots makes no client of its own; a minimal container is such a platform. The client then
/// trusts the file's alone, or without a file none: plain `http` still works.
pub(crate) fn build(
    builder: impl Fn() -> ClientBuilder,
    ca_file: Option<&Path>,
) -> Result<Built, SetupError> {
    let Some(path) = ca_file else {
        if let Ok(client) = builder().build() {
            return Ok(Built { client, has_roots: true });
        }
        let client = builder()
            .tls_certs_only([])
            .build()
            .map_err(|error| SetupError::Client { reason: reason(&error) })?;
        return Ok(Built { client, has_roots: false });
    };

    let invalid = |reason: String| SetupError::CaFileInvalid { path: path.to_owned(), reason };
    let pem = std::fs::read(path)
        .map_err(|source| SetupError::CaFileUnreadable { path: path.to_owned(), source })?;
    let roots = Certificate::from_pem_bundle(&pem).map_err(|error| invalid(reason(&error)))?;
    if roots.is_empty() {
        return Err(invalid("it holds no certificate".to_owned()));
    }
    let client = match builder().tls_certs_merge(roots.clone()).build() {
        Ok(client) => client,
        Err(_) => builder().tls_certs_only(roots).build().map_err(|error| invalid(reason(&error)))?,
    };
    Ok(Built { client, has_roots: true })
}

/// The innermost cause: the client's own words around it say only that building failed.
fn reason(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
