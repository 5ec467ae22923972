//! Plays a recording to a viewer that knows nothing but RFB, such as noVNC.
//!
//! ```text
//! Source ──▶ Player (timeline, picture, damage) ──▶ Viewer (RFB) ──▶ Socket
//!               ▲                                      │
//!               └────── Controls ◀── routes, keys ◀────┘
//! ```
//!
//! - [`Player`] is the timeline: it plays, pauses, seeks, and skips what is idle, by a clock that is handed to it.
//! - [`Viewer`] is the server's side of RFB, without a connection: bytes in, bytes out.
//! - [`serve`] joins both over a [`Socket`], on the caller's thread, until the viewer has gone or the replay is ended.
//! - [`Controls`] steers a replay from elsewhere, and tells where it is.
//! - [`thumbnail`] draws a small picture.
//!
//! # What is kept in memory
//!
//! The picture, the next scene that changes it, and one update as it is sent: three times the screen at most. A viewer gets an
//! update when it asks for one, with all that has changed since the last, so that a slow one has fewer updates and not more memory.
//!
//! # What a viewer's input does
//!
//! Pointer and clipboard do nothing. Keys steer, if they are switched on ([`Options::keys`]):
//!
//! | key | does |
//! |---|---|
//! | space | plays or pauses |
//! | left, right | 10 s back, 10 s on |
//! | up, down | twice, half as fast |
//! | Home, End | to the beginning, to the end |

mod ahead;
mod controls;
mod player;
mod pointer;
mod serve;
mod span;
mod speed;
mod stage;
mod thumbnail;
mod viewer;

pub use self::{
    controls::{Controls, Seek, Status},
    player::{PlayError, Player, Step},
    serve::{Options, Received, ServeError, Served, Socket, Why, serve},
    span::{Span, Spans},
    speed::Speed,
    stage::{Mark, MarkKind, Marks},
    thumbnail::{Bounds, Thumbnail, ThumbnailError, scaled, thumbnail},
    viewer::{Viewer, ViewerError},
};
