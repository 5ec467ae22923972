//! One socket's way to its handler, and what becomes of it.

use std::sync::{Arc, atomic::Ordering};

use streamspace_plugin::{
    abi::{Fault, FaultKind, Handle},
    routes::OutgoingAnswer,
};
use tokio::{
    select,
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{CallError, Found, PluginRoutes, Request, Routes, What, table::SocketRoute};
use crate::websocket::{self, Ends, NoPlace, Outgoing, Place, Serving, Socket, Wanted, Wire};

/// What the client's handshake is answered with.
#[derive(Debug)]
pub enum Handshake {
    /// The handler has accepted, and goes on with its end.
    Accepted {
        /// The sub-protocol that the client is told.
        protocol: Option<String>,
        /// The client's end.
        wire: Wire,
        /// What goes to the client.
        outgoing: mpsc::Receiver<Outgoing>,
    },
    /// The handler has refused.
    Refused(OutgoingAnswer),
}

/// A socket that was let in, until its handler has ended.
pub struct Entered {
    place: Arc<Place>,
    routes: Arc<PluginRoutes>,
    number: u32,
    _serving: Serving,
}

impl std::fmt::Debug for Entered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entered").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Entered {
    /// What keeps the socket's place: for as long as the connection is there.
    pub(crate) fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.routes.table.route(self.number).running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Found {
    /// What is special about a route for sockets; `None` for another.
    #[must_use]
    pub fn socket(&self) -> Option<&SocketRoute> {
        self.route().socket.as_ref()
    }

    /// Waits for the handler of a socket that is closed, and has it said if it does not return.
    pub async fn look_after(&self, wire: &Wire, request_id: &str) {
        let patience = self.route().timeout;
        if timeout(patience, wire.returned()).await.is_err() {
            self.failed(request_id, What::Late(patience));
        }
    }

    fn serve(&self, request: &Request, socket: Handle) -> Result<Option<OutgoingAnswer>, Fault> {
        let (route, target) = (self.route(), &self.plugin.target);
        let number = self.socket().map_or(0, |socket| socket.number);
        let headers = request.headers.views();
        request
            .lend(headers.all())
            .with_view(route.method, &route.names, &self.params, |view| target.serve(number, view, socket))
    }
}

impl Routes {
    /// Lets one socket in.
    ///
    /// # Errors
    ///
    /// [`CallError::Closed`], [`CallError::Sockets`].
    pub fn enter_socket(&self, found: &Found) -> Result<Entered, CallError> {
        let (limits, plugin) = (self.limits.sockets, &found.plugin);
        let taken = plugin.sockets.take(limits.max_of_plugin, &self.open_sockets, limits.max_open);
        let (place, serving) = taken.map_err(|why| match why {
            NoPlace::Closed => CallError::Closed,
            NoPlace::OfPlugin => CallError::Sockets { of_plugin: true, limit: limits.max_of_plugin },
            NoPlace::OfHost => CallError::Sockets { of_plugin: false, limit: limits.max_open },
        })?;
        plugin.table.route(found.number).running.fetch_add(1, Ordering::Relaxed);
        let (place, routes) = (Arc::new(place), Arc::clone(plugin));
        Ok(Entered { place, routes, number: found.number, _serving: serving })
    }

    /// Runs the handler on another thread, and waits until it has accepted or refused.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn serve(
        &self,
        found: &Arc<Found>,
        entered: Entered,
        request: Request,
        offered: Vec<String>,
    ) -> Result<Handshake, CallError> {
        let patience = found.route().timeout;
        let Ends { socket, wire, outgoing, mut accepted } = websocket::pair(Wanted {
            end: Arc::clone(entered.place.end()),
            offered,
            send_deadline: self.limits.sockets.send_deadline,
            network: self.network.clone(),
            figures: Arc::clone(&found.plugin.figures),
        });
        let (reply, mut answered) = oneshot::channel();
        let id = request.id.clone();
        let work = {
            let found = Arc::clone(found);
            Box::new(move || run(&found, &request, socket, reply, entered))
        };
        self.threads.run(Arc::clone(&found.plugin.name), work).map_err(|_| CallError::NoThread)?;
        let decided = timeout(patience, async {
            select! {
                biased;
                Ok(accepted) = &mut accepted => Ok(Ok(accepted)),
                answer = &mut answered => answer.map_err(|_| CallError::Failed)?.map(Err),
            }
        });
        match decided.await {
            Ok(Ok(Ok(accepted))) => Ok(Handshake::Accepted { protocol: accepted.protocol, wire, outgoing }),
            Ok(Ok(Err(answer))) => Ok(Handshake::Refused(answer)),
            Ok(Err(why)) => Err(why),
            // What is dropped here is the client's end: the handler can accept no more.
            Err(_) => {
                found.failed(&id, What::Late(patience));
                Err(CallError::Late { millis: patience.as_millis() })
            }
        }
    }
}

/// Runs a handler, on a thread for that, and closes the socket when it returns.
fn run(
    found: &Found,
    request: &Request,
    socket: Socket,
    reply: oneshot::Sender<Result<OutgoingAnswer, CallError>>,
    entered: Entered,
) {
    let socket = Arc::new(socket);
    let opened = websocket::open(Arc::clone(&socket));
    let answer = found.serve(request, opened.handle());
    // That the client has gone is no failure of the plugin, whatever the handler made of it.
    let is_excused = socket.is_ended() && !matches!(&answer, Err(fault) if fault.kind == FaultKind::PANICKED);
    // From here on a thread of the plugin's own that has the socket does nothing with it.
    drop(opened);
    if !socket.is_accepted() {
        let answer = match answer {
            Ok(Some(answer)) => Ok(answer),
            _ if is_excused => Err(CallError::Failed),
            Ok(None) => {
                let said = "the handler returned without accepting the handshake, and without an error";
                found.fault(&request.id, &Fault::new(FaultKind::FAILED, said));
                Err(CallError::Unaccepted)
            }
            Err(fault) => Err(found.fault(&request.id, &fault)),
        };
        // The client may wait for it no more.
        drop(reply.send(answer));
    } else if let Some(fault) = failure(answer).filter(|_| !is_excused) {
        let why = found.fault(&request.id, &fault);
        socket.finish(
            1011,
            if why == CallError::Panicked { "the plugin panicked" } else { "the plugin failed" },
        );
    } else {
        socket.finish(1000, "");
    }
    drop(entered);
}

/// What a handler that had accepted failed with.
fn failure(answer: Result<Option<OutgoingAnswer>, Fault>) -> Option<Fault> {
    match answer {
        Ok(None) => None,
        Ok(Some(answer)) => {
            // Nobody reads it as an answer any more.
            let said = String::from_utf8_lossy(&answer.body);
            Some(Fault::new(
                FaultKind::FAILED,
                format_args!("{} after it had accepted: {said}", answer.status),
            ))
        }
        Err(fault) => Some(fault),
    }
}
