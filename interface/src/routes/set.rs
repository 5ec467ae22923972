//! A plugin's routes with its middleware, and how a request goes through them.

use super::{
    BodyKind, Out, OutgoingAnswer, Request, Response, RouteSpec,
    response::{Body, of_error},
};
use crate::{
    Result,
    abi::{Fault, FaultKind, RVec, Responder},
};

pub(crate) type Handler<P> = Box<dyn Fn(&P, &Request<'_>) -> Result<Response> + Send + Sync>;
pub(crate) type Before<P> = Box<dyn Fn(&P, &Request<'_>) -> Result<Option<Response>> + Send + Sync>;
pub(crate) type After<P> = Box<dyn Fn(&P, &Request<'_>, Response) -> Response + Send + Sync>;

/// A route that was registered: what the host is told, and the handler.
pub(crate) struct Route<P> {
    pub(crate) spec: RouteSpec,
    handler: Handler<P>,
}

impl<P> Route<P> {
    pub(crate) fn new(method: &str, path: &str, handler: Handler<P>) -> Self {
        Self { spec: RouteSpec::at(method, path), handler }
    }
}

/// All of a plugin's.
pub(crate) struct RouteSet<P> {
    pub(crate) routes: Vec<Route<P>>,
    pub(crate) before: Vec<Before<P>>,
    pub(crate) after: Vec<After<P>>,
}

impl<P> Default for RouteSet<P> {
    fn default() -> Self {
        Self { routes: Vec::new(), before: Vec::new(), after: Vec::new() }
    }
}

impl<P> RouteSet<P> {
    /// Answers a request to the route of this number, `None` if there is none.
    pub(crate) fn answer(
        &self,
        plugin: &P,
        route: u32,
        request: &Request<'_>,
        responder: Responder<'_>,
    ) -> Option<Result<OutgoingAnswer, Fault>> {
        let route = self.routes.get(route as usize)?;
        let answered = self.ahead(plugin, request).and_then(|answer| match answer {
            Some(answer) => Ok(answer),
            None => (route.handler)(plugin, request),
        });
        let response = match answered.or_else(of_error) {
            Ok(response) => response,
            // Whatever else went wrong is the plugin's own affair and not the caller's: the host logs it.
            Err(error) => return Some(Err(Fault::new(FaultKind::FAILED, error))),
        };
        let response = self.after.iter().fold(response, |response, after| after(plugin, request, response));
        Some(finish(response, responder))
    }

    /// Runs what stands ahead of every handler, and then `handle`. `Some` is the answer, of the former or for what the latter
    /// failed with.
    pub(crate) fn guarding(
        &self,
        plugin: &P,
        request: &Request<'_>,
        handle: impl FnOnce() -> Result<()>,
    ) -> Result<Option<OutgoingAnswer>, Fault> {
        let answered = match self.ahead(plugin, request) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => match handle() {
                Ok(()) => return Ok(None),
                Err(why) => Err(why),
            },
            Err(why) => Err(why),
        };
        let response = answered.or_else(of_error).map_err(|why| Fault::new(FaultKind::FAILED, why))?;
        let response = self.after.iter().fold(response, |response, after| after(plugin, request, response));
        whole(response).map(Some)
    }

    fn ahead(&self, plugin: &P, request: &Request<'_>) -> Result<Option<Response>> {
        for before in &self.before {
            if let Some(answer) = before(plugin, request)? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }
}

fn finish(response: Response, mut responder: Responder<'_>) -> Result<OutgoingAnswer, Fault> {
    let Response { status, headers, body } = response;
    let Body::Stream(stream) = body else { return whole(Response { status, headers, body }) };
    responder.begin(status, headers)?;
    stream(&mut Out::new(responder)).map_err(|why| Fault::new(FaultKind::FAILED, why))?;
    Ok(OutgoingAnswer { status, headers: RVec::new(), kind: BodyKind::STREAMED, body: RVec::new() })
}

/// An answer that is none in pieces.
fn whole(response: Response) -> Result<OutgoingAnswer, Fault> {
    let Response { status, headers, body } = response;
    let (kind, body) = match body {
        Body::Bytes(body) => (BodyKind::BYTES, body),
        Body::File(path) => (BodyKind::FILE, path.into_bytes()),
        Body::Problem(detail) => (BodyKind::PROBLEM, detail.into_bytes()),
        Body::Stream(_) => {
            let refused = "a WebSocket's handshake cannot be answered with a stream";
            return Err(Fault::new(FaultKind::INVALID, refused));
        }
    };
    Ok(OutgoingAnswer { status, headers: headers.into(), kind, body: body.into() })
}
