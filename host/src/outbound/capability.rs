//! The host's half of `http/1`.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use streamspace_plugin::{
    abi::{Capability, Fault, FaultKind, Handle, IntoTable, Outcome, guard},
    http::{Answer, HttpRef, HttpTable, OwnedHeader, RequestView},
};
use tokio::runtime;

use super::{Caller, Outbound, OutboundError, Request, Response};
use crate::{
    blocking,
    figures::PluginFigures,
    handles::{Handles, Opened},
};

/// What a plugin sends requests with.
#[derive(Debug)]
pub(crate) struct PluginHttp {
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) caller: Caller,
    /// Where the requests run; the plugin's own thread only waits.
    pub(crate) network: runtime::Handle,
    pub(crate) figures: Arc<PluginFigures>,
}

static CALLERS: LazyLock<Handles<PluginHttp>> = LazyLock::new(Handles::new);

/// Gives a plugin its half.
pub(crate) fn open(http: PluginHttp) -> (Capability, Opened) {
    let opened = CALLERS.open(Arc::new(http));
    (Capability::new(table(), opened.handle()), opened)
}

fn table() -> HttpRef {
    static TABLE: LazyLock<HttpRef> = LazyLock::new(|| HttpTable { send }.leak_into_prefix());
    *TABLE
}

extern "C" fn send(handle: Handle, request: RequestView<'_>) -> Outcome<Answer> {
    guard("the host's `send`", || {
        blocking::check("the host's `send`")?;
        let http = CALLERS.get(handle)?;
        let request = to_request(request);
        let sent = http.network.block_on(http.outbound.send(&http.caller, request));
        http.figures.outbound.note(sent.as_ref().map_or_else(outcome, |_| 0));
        sent.map(to_answer).map_err(|why| Fault::new(kind(&why), why))
    })
    .and_then(|answer| answer)
    .into()
}

fn to_request(view: RequestView<'_>) -> Request {
    let headers =
        view.headers.iter().map(|header| (header.name.to_string(), header.value.to_vec())).collect();
    Request {
        headers,
        body: Bytes::copy_from_slice(&view.body),
        timeout: (view.timeout_ms > 0).then(|| Duration::from_millis(view.timeout_ms)),
        max_response_bytes: (view.max_response_bytes > 0).then_some(view.max_response_bytes),
        max_redirects: view.max_redirects,
        ..Request::new(view.method.as_str(), view.url.as_str())
    }
}

fn to_answer(response: Response) -> Answer {
    Answer {
        status: response.status,
        headers: response
            .headers
            .into_iter()
            .map(|(name, value)| OwnedHeader { name: name.into(), value: value.into() })
            .collect(),
        body: Vec::from(response.body).into(),
    }
}

/// The error's place in [`OUTBOUND_OUTCOMES`](crate::figures::OUTBOUND_OUTCOMES).
fn outcome(error: &OutboundError) -> usize {
    match error {
        OutboundError::InvalidRequest { .. } => 1,
        OutboundError::PermissionDenied { .. } => 2,
        OutboundError::UnknownHost { .. } => 3,
        OutboundError::AddressRefused { .. } => 4,
        OutboundError::Connect { .. } => 5,
        OutboundError::Tls { .. } => 6,
        OutboundError::Timeout { .. } => 7,
        OutboundError::TooLarge { .. } => 8,
        OutboundError::TooManyRedirects { .. } | OutboundError::RedirectRefused { .. } => 9,
        OutboundError::ConnectionLost { .. } | OutboundError::Internal { .. } => 10,
    }
}

fn kind(error: &OutboundError) -> FaultKind {
    match error {
        OutboundError::InvalidRequest { .. } => FaultKind::INVALID,
        OutboundError::PermissionDenied { .. } => FaultKind::DENIED,
        OutboundError::UnknownHost { .. } => FaultKind::UNKNOWN_HOST,
        OutboundError::AddressRefused { .. } => FaultKind::ADDRESS_REFUSED,
        OutboundError::Connect { .. } => FaultKind::CONNECT,
        OutboundError::Tls { .. } => FaultKind::TLS,
        OutboundError::Timeout { .. } => FaultKind::TIMED_OUT,
        OutboundError::TooLarge { .. } => FaultKind::TOO_LARGE,
        OutboundError::TooManyRedirects { .. } | OutboundError::RedirectRefused { .. } => {
            FaultKind::REDIRECT_REFUSED
        }
        OutboundError::ConnectionLost { .. } => FaultKind::CONNECTION_LOST,
        OutboundError::Internal { .. } => FaultKind::FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{figures::OUTBOUND_OUTCOMES, outbound::Deadline};

    #[test]
    fn outcomes_are_counted_under_their_names() {
        let host = || "example.com".to_owned();
        for (error, name) in [
            (OutboundError::InvalidRequest { reason: String::new() }, "invalid"),
            (OutboundError::UnknownHost { host: host(), reason: String::new() }, "unknown_host"),
            (
                OutboundError::Timeout { host: host(), which: Deadline::Total, limit: Duration::ZERO },
                "timed_out",
            ),
            (OutboundError::TooManyRedirects { host: host(), limit: 1 }, "redirect_refused"),
            (OutboundError::Internal { reason: "" }, "failed"),
        ] {
            assert_eq!(OUTBOUND_OUTCOMES[outcome(&error)], name);
        }
        assert_eq!(OUTBOUND_OUTCOMES[0], "answered");
    }
}
