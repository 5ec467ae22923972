//! WebSockets (RFC 6455): `websocket/1`.
//!
//! A plugin's WebSocket routes are beside its [routes](crate::routes), below `/api/plugins/NAME`. The host does what is the same
//! for all: it finds the route, checks who calls, what they are permitted and whose page they come from, speaks the protocol
//! with the client, and asks it now and then whether it is there. A handler gets the [`Request`](crate::routes::Request) and an
//! [`Upgrade`], and has a thread of its own for as long as the socket is open.
//!
//! ```
//! use std::time::Duration;
//!
//! use streamspace_plugin::{
//!     prelude::*,
//!     routes::{Problem, Request},
//!     websocket::{Received, Upgrade},
//! };
//!
//! # struct Clock;
//! # impl Plugin for Clock {
//! #     type Config = ();
//! #     fn load(_: &Context, _: ()) -> Result<Self> { Ok(Self) }
//! fn register(&self, on: &mut Registrar<Self>) {
//!     on.websocket("/ticks/{every}", Self::ticks).protocols(["ticks"]).max_message_bytes(4096).describe("Tells the time");
//! }
//! # }
//!
//! impl Clock {
//!     fn ticks(&self, request: &Request<'_>, upgrade: Upgrade) -> Result<()> {
//!         let every = request.param("every").and_then(|text| text.parse().ok());
//!         let Some(every @ 1..=60) = every else {
//!             // Not accepted yet: the client reads 404, with a problem document.
//!             return Err(Problem::new(404, "expected a number of seconds, 1 to 60").into());
//!         };
//!         let mut socket = upgrade.accept(None)?;
//!         loop {
//!             match socket.receive(Duration::from_secs(every))? {
//!                 Received::Message(message) => info!(slog::Logger::root(slog::Discard, slog::o!()), "Heard.";
//!                     "bytes" => message.as_bytes().len()),
//!                 Received::Nothing => socket.send_text("tick")?, // waits while the client takes nothing
//!                 Received::Closed(_) => return Ok(()),
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! A handler is `[socket]`: several calls at once, also of one handler. It may block, and is to return soon after it is told that
//! the socket is closed: with [`Closed::Stopping`](Closed), within the deadline that the operator gives handlers when a plugin is
//! stopped, replaced or reconfigured. When it returns, the socket is closed with 1000; when it fails after it has accepted, or
//! panics, with 1011. That it fails because the client has gone, as `?` on [`Socket::send`] does, is no failure.
//!
//! Middleware that was registered with [`Registrar::before`](crate::Registrar::before) runs ahead of these handlers as well.
//!
//! A browser sends no header of a page's own with a WebSocket. It comes with the cookie of a sign-in, or with a ticket:
//! `POST /api/v1/plugins/NAME/tickets` answers the path to open, with `?ticket=…`, which the plugin is not told.

mod builder;
mod closed;
mod route;
mod socket;
mod table;

pub(crate) use self::route::WebSocketRoute;
pub use self::{
    builder::WebSocketBuilder,
    closed::{Closed, SocketError},
    route::IntoServed,
    socket::{Message, MessageBytes, Patience, Received, Sender, Socket, Upgrade},
    table::{
        ClosedKind, ID, MessageKind, ReceivedKind, ReceivedMessage, SocketRef, SocketTable, WebSocketSpec,
        WebSockets, WebSocketsRef,
    },
};
