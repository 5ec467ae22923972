//! A plugin's WebSocket routes, and how a client's wish goes through them.

use super::{SocketRef, Upgrade, WebSocketSpec};
use crate::{
    Error, Result,
    abi::{Bound, Fault, Handle},
    routes::{OutgoingAnswer, Request, RouteSet},
};

pub(crate) type Handler<P> = Box<dyn Fn(&P, &Request<'_>, Upgrade) -> Result<()> + Send + Sync>;

/// A route that was registered: what the host is told, and the handler.
pub(crate) struct WebSocketRoute<P> {
    pub(crate) spec: WebSocketSpec,
    handler: Handler<P>,
}

impl<P> WebSocketRoute<P> {
    pub(crate) fn new<R: IntoServed>(
        path: &str,
        handler: impl Fn(&P, &Request<'_>, Upgrade) -> R + Send + Sync + 'static,
    ) -> Self {
        let handler = move |plugin: &P, request: &Request<'_>, upgrade: Upgrade| {
            handler(plugin, request, upgrade).into_served()
        };
        Self { spec: WebSocketSpec::at(path), handler: Box::new(handler) }
    }

    /// Serves a socket. What is answered is for the client, if the handshake was not accepted; the host knows.
    pub(crate) fn serve(
        &self,
        plugin: &P,
        routes: Option<&RouteSet<P>>,
        request: &Request<'_>,
        host: Option<Bound<SocketRef>>,
        socket: Handle,
    ) -> Result<Option<OutgoingAnswer>, Fault> {
        let handle = || {
            let upgrade = Upgrade::new(host, socket, self.agreed(request));
            (self.handler)(plugin, request, upgrade)
        };
        match routes {
            Some(routes) => routes.guarding(plugin, request, handle),
            None => RouteSet::default().guarding(plugin, request, handle),
        }
    }

    /// The first sub-protocol of the client's that this route speaks.
    fn agreed(&self, request: &Request<'_>) -> Option<String> {
        let offers = request.headers().filter(|(name, _)| *name == "sec-websocket-protocol");
        let mut offered = offers
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
            .flat_map(|value| value.split(',').map(str::trim));
        offered.find(|offer| self.spec.protocols.iter().any(|own| own.as_str() == *offer)).map(str::to_owned)
    }
}

/// What the handler of a WebSocket may return: `Result<()>`, or nothing.
#[diagnostic::on_unimplemented(
    message = "the handler of a WebSocket may not return `{Self}`",
    label = "expects a handler that returns `Result<()>` or nothing",
    note = "a WebSocket's handler is `fn(&Self, &Request<'_>, Upgrade) -> Result<()>`",
    note = "it is not `async`: it runs on a thread of its own and may block"
)]
pub trait IntoServed {
    /// What came of the socket.
    ///
    /// # Errors
    ///
    /// The handler's.
    fn into_served(self) -> Result<()>;
}

impl IntoServed for () {
    fn into_served(self) -> Result<()> {
        Ok(())
    }
}

impl<E: Into<Error>> IntoServed for Result<(), E> {
    fn into_served(self) -> Result<()> {
        self.map_err(Into::into)
    }
}
