//! HTTP routes: `routes/1`.
//!
//! A plugin's routes are below `/api/plugins/NAME`. The host does what is the same for all: it finds the route, checks
//! who calls and what they are permitted, reads the body up to the limit, and counts requests. A handler gets a
//! [`Request`] and answers with a [`Response`].
//!
//! ```
//! use streamspace_plugin::{
//!     prelude::*,
//!     routes::{Problem, Request, Response},
//! };
//!
//! # #[derive(serde::Serialize)]
//! # struct Thing { id: u32 }
//! # struct Things;
//! # impl Plugin for Things {
//! #     type Config = ();
//! #     fn load(_: &Context, _: ()) -> Result<Self> { Ok(Self) }
//! fn register(&self, on: &mut Registrar<Self>) {
//!     on.get("/things/{id}", Self::show).permission("things.read").describe("Shows a thing");
//!     on.get("/health", |_: &Self, _: &Request<'_>| Response::text("well")).public().inline();
//! }
//! # }
//!
//! impl Things {
//!     fn show(&self, request: &Request<'_>) -> Result<Response> {
//!         #[derive(serde::Deserialize)]
//!         struct Path { id: u32 }
//!         let Path { id } = request.path_params()?; // otherwise 400, with the name of the parameter
//!         if id == 0 {
//!             return Err(Problem::new(404, "there is no such thing").into());
//!         }
//!         Ok(Response::json(&Thing { id }))
//!     }
//! }
//! ```
//!
//! Unless it says [`inline`](RouteBuilder::inline), a handler is `[request]`: it runs on a thread that may block, several
//! calls at once. What a handler fails with is a problem document (RFC 9457): a [`Problem`] goes to the caller as it is,
//! any other error only to the log, and the caller reads the request's id.

mod builder;
mod extract;
mod request;
mod response;
mod set;
mod table;

pub(crate) use self::set::{After, Before, Route, RouteSet};
pub use self::{
    builder::RouteBuilder,
    request::{Caller, Request},
    response::{IntoAnswer, Out, Problem, Response},
    table::{
        BodyKind, CallerView, ID, IncomingView, OutgoingAnswer, ParamView, RouteSpec, Routes, RoutesRef,
    },
};
