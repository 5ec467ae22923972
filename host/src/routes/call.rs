//! One request's way to its handler and back.

use std::{io, path::Path, sync::Arc};

use smallvec::SmallVec;
use streamspace_plugin::{
    abi::{Fault, FaultKind, Responder},
    http::OwnedHeader,
    routes::{BodyKind, OutgoingAnswer},
};
use tokio::{sync::oneshot, time::timeout};

use super::{
    Caller, Failure, Lent, Permit, Pieces, PluginRoutes, Request, Route, Routes, What,
    stream::{Broken, NoSink, Sink},
    table::{At, Param},
};
use crate::{blocking, figures::PluginFigures};

/// What a handler answered.
#[derive(Debug)]
pub enum Reply {
    /// All at once.
    Whole(OutgoingAnswer),
    /// In pieces, which are still coming.
    Stream {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<OwnedHeader>,
        /// The pieces.
        pieces: Pieces,
    },
}

/// Why there is no answer of the plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The routes are closed: the plugin is on its way up or down.
    #[error("the plugin takes no requests now: it is on its way up or down")]
    Closed,
    /// Too many requests run.
    #[error("{limit} requests of this plugin run already (`plugins.max_requests`): try again")]
    Busy {
        /// How many may.
        limit: usize,
    },
    /// The handler is late.
    #[error("the plugin's handler did not answer within {millis} ms")]
    Late {
        /// The route's timeout.
        millis: u128,
    },
    /// The handler panicked.
    #[error("the plugin's handler panicked: the host's log has more under the request's id")]
    Panicked,
    /// The handler failed.
    #[error("the plugin's handler failed: the host's log has more under the request's id")]
    Failed,
    /// The system gives no thread.
    #[error("the system gives no thread for the request")]
    NoThread,
    /// Too many sockets are open.
    #[error("{limit} sockets {} are open already (`{}`): try again", if *of_plugin { "of this plugin" } else { "through this host" },
        if *of_plugin { "plugins.max_sockets" } else { "server.max_sockets" })]
    Sockets {
        /// Whether of the plugin, or else of the host.
        of_plugin: bool,
        /// How many may.
        limit: usize,
    },
    /// The handler of a socket neither accepted nor failed.
    #[error(
        "the plugin's handler did not accept the handshake: the host's log has more under the request's id"
    )]
    Unaccepted,
}

/// A route that was found, with what its parameters matched.
pub struct Found {
    pub(super) plugin: Arc<PluginRoutes>,
    pub(super) number: u32,
    pub(super) params: SmallVec<[Param; 2]>,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found").field("number", &self.number).finish_non_exhaustive()
    }
}

impl PluginRoutes {
    /// Finds the route.
    ///
    /// # Errors
    ///
    /// The methods that this path takes; empty if there is nothing at it.
    pub fn find(self: Arc<Self>, method: &str, path: &str) -> Result<Found, Vec<&'static str>> {
        let (number, params) = match self.table.at(method, path) {
            At::Nothing => return Err(Vec::new()),
            At::Others(methods) => return Err(methods),
            At::Route(route, params) => (route.number, params),
        };
        Ok(Found { plugin: self, number, params })
    }
}

impl Found {
    /// The route.
    #[must_use]
    pub fn route(&self) -> &Route {
        self.plugin.table.route(self.number)
    }

    /// What is counted of the plugin.
    pub(crate) fn figures(&self) -> &Arc<PluginFigures> {
        &self.plugin.figures
    }

    /// The first permission that the route asks for and the caller does not have.
    #[must_use]
    pub fn lacks(&self, caller: &Caller) -> Option<&str> {
        caller.lacks(&self.route().permissions)
    }

    /// Has it said that the file which the plugin answered with cannot be read.
    pub fn unreadable(&self, request_id: &str, file: &Path, why: &io::Error) {
        self.failed(request_id, What::Unreadable(file, why));
    }

    pub(super) fn failed(&self, request_id: &str, what: What<'_>) {
        let route = self.route();
        let route = route.name();
        self.plugin.target.failed(&Failure { route, request_id, what });
    }

    fn handle(&self, request: &Lent<'_>, responder: Responder<'_>) -> Result<OutgoingAnswer, Fault> {
        let (route, target) = (self.route(), &self.plugin.target);
        request.with_view(route.method, &route.names, &self.params, |view| {
            target.handle(self.number, view, responder)
        })
    }

    pub(super) fn fault(&self, request_id: &str, fault: &Fault) -> CallError {
        self.failed(request_id, What::Fault(fault));
        if fault.kind == FaultKind::PANICKED { CallError::Panicked } else { CallError::Failed }
    }

    /// Lets a request in, for [`call_inline`](Self::call_inline) or [`Routes::call`].
    ///
    /// # Errors
    ///
    /// [`CallError::Closed`]: another version of the plugin may have other routes by now. [`CallError::Busy`].
    pub fn enter(&self) -> Result<Permit, CallError> {
        self.plugin.enter(self.number)
    }

    /// Runs the handler of an `inline` route, here and now.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn call_inline(&self, permit: Permit, request: &Lent<'_>) -> Result<OutgoingAnswer, CallError> {
        let answer = blocking::forbidden(|| self.handle(request, Responder::new(&mut NoSink)));
        drop(permit);
        answer.map_err(|fault| self.fault(request.id, &fault))
    }
}

impl Routes {
    /// Runs the handler on another thread, and waits for what it answers, or for the beginning of that.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn call(
        &self,
        found: &Arc<Found>,
        permit: Permit,
        request: Request,
    ) -> Result<Reply, CallError> {
        let patience = found.route().timeout;
        let (reply, answered) = oneshot::channel();
        let sink = Sink { reply: Some(reply), pieces: None, network: self.network.clone(), patience };
        let request = Arc::new(request);
        let work = {
            let (found, request) = (Arc::clone(found), Arc::clone(&request));
            Box::new(move || run(&found, &request, sink, permit))
        };
        self.threads.run(Arc::clone(&found.plugin.name), work).map_err(|_| CallError::NoThread)?;
        match timeout(patience, answered).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(CallError::Failed),
            Err(_) => {
                found.failed(&request.id, What::Late(patience));
                Err(CallError::Late { millis: patience.as_millis() })
            }
        }
    }
}

/// Runs a handler on a thread for that.
fn run(found: &Found, request: &Request, mut sink: Sink, permit: Permit) {
    let headers = request.headers.views();
    let answer = found.handle(&request.lend(headers.all()), Responder::new(&mut sink));
    let answer = answer.map_err(|fault| {
        // That a client has gone is no failure of the plugin.
        if fault.kind != FaultKind::CLIENT_GONE
            && sink.pieces.as_ref().is_none_or(|pieces| !pieces.is_closed())
        {
            return found.fault(&request.id, &fault);
        }
        CallError::Failed
    });
    // Its place is free before the client has the answer, and asks again. A stream's pieces are still taken.
    let streaming = sink.pieces.is_some().then_some(permit);
    match (sink.reply, sink.pieces) {
        // Nobody may wait for it any more.
        (Some(reply), _) => drop(reply.send(answer.map(Reply::Whole))),
        (None, Some(pieces)) => {
            let whole = answer.is_ok_and(|answer| answer.kind == BodyKind::STREAMED);
            if !whole {
                // A client that does not take this either is cut off when the sender is dropped with its connection.
                let cut = async { timeout(sink.patience, pieces.send(Err(Broken))).await };
                drop(sink.network.block_on(cut));
            }
        }
        (None, None) => {}
    }
    drop(streaming);
}
