//! The host's half of `websocket/1`: what is between a client's connection and a plugin's handler.
//!
//! Knows nothing of the web server: the edge has a [`Wire`], the handler a `Socket`, and each waits for the other where there
//! is no room. What waits is bounded in messages and in bytes, either way.

mod capability;
mod end;
mod places;
mod socket;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use streamspace_plugin::websocket::ClosedKind;
use tokio::{
    runtime,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
};

pub(crate) use self::{
    capability::{open, table},
    end::End,
    places::{NoPlace, Place, Places, Serving},
    socket::Socket,
};
use crate::figures::PluginFigures;

/// How many messages may wait, each way.
const MAX_WAITING: usize = 32;
/// How many bytes of messages may wait, each way. One message that is larger waits alone.
const MAX_WAITING_BYTES: usize = 1024 * 1024;

/// What holds over what sockets ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketLimits {
    /// How many of the whole host may be open.
    pub max_open: usize,
    /// How many of one plugin may be open.
    pub max_of_plugin: usize,
    /// The largest message of a client, in bytes.
    pub max_message_bytes: usize,
    /// How long either end waits for a client that takes nothing.
    pub send_deadline: Duration,
    /// After how long without a sign a client is gone.
    pub silence: Duration,
}

/// Why a socket is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// One of the constants that plugins know.
    pub kind: ClosedKind,
    /// What the client is told, or has said.
    pub code: u16,
    /// The same in words.
    pub reason: String,
}

impl Closed {
    /// For a reason that the host has.
    #[must_use]
    pub fn by_host(kind: ClosedKind) -> Self {
        let (code, reason) = match kind {
            ClosedKind::SILENT => (1001, "the client gave no sign"),
            ClosedKind::SLOW => (1008, "the client took nothing for too long"),
            ClosedKind::TOO_LARGE => (1009, "the message is larger than this route takes"),
            ClosedKind::PROTOCOL => (1002, "this is no WebSocket's"),
            ClosedKind::STOPPING => (1001, "the plugin, or the host, stops"),
            _ => (1006, "the connection is gone"),
        };
        Self { kind, code, reason: reason.to_owned() }
    }
}

/// A message of a client, on its way to the plugin.
#[derive(Debug)]
pub enum Incoming {
    /// Bytes.
    Binary(Vec<u8>),
    /// A text.
    Text(String),
}

impl Incoming {
    fn len(&self) -> usize {
        match self {
            Self::Binary(bytes) => bytes.len(),
            Self::Text(text) => text.len(),
        }
    }
}

/// What goes to a client.
#[derive(Debug)]
pub enum Outgoing {
    /// Bytes: the plugin's own, and freed by it.
    Binary(Bytes),
    /// A text, which is UTF-8.
    Text(Bytes),
    /// Nothing more comes.
    Close {
        /// The code.
        code: u16,
        /// What the client reads.
        reason: String,
    },
}

/// The handler has accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The sub-protocol that the client is told.
    pub protocol: Option<String>,
}

/// The client's end of a socket.
#[derive(Debug)]
pub struct Wire {
    incoming: mpsc::Sender<(Incoming, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
    end: Arc<End>,
    figures: Arc<PluginFigures>,
}

impl Wire {
    /// Waits until the handler has returned.
    pub async fn returned(&self) {
        self.end.wait_returned().await;
    }

    /// Waits until the socket is closed.
    pub async fn closed(&self) -> Closed {
        self.end.wait().await
    }

    /// Closes the socket, and answers why it is closed: what was said first holds.
    #[must_use]
    pub fn close(&self, closed: Closed) -> Closed {
        self.end.set(closed.clone());
        let closed = self.end.get().unwrap_or(closed);
        self.figures.note_socket_closed(closed.kind);
        closed
    }

    /// Hands a message to the plugin, once there is room. `false`: the handler takes no more.
    pub async fn hand_over(&self, message: Incoming) -> bool {
        let bytes = message.len();
        let Ok(permit) = Arc::clone(&self.room).acquire_many_owned(weight(bytes)).await else { return false };
        let handed = self.incoming.send((message, permit)).await.is_ok();
        if handed {
            self.figures.note_socket_message(0, bytes);
        }
        handed
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.end.set(Closed::by_host(ClosedKind::GONE));
    }
}

/// How much of the room in a queue a message takes.
fn weight(bytes: usize) -> u32 {
    // Below what a semaphore counts, so that it is always to be had.
    u32::try_from(bytes.min(MAX_WAITING_BYTES)).unwrap_or(u32::MAX)
}

/// What a socket is made with.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) end: Arc<End>,
    /// The sub-protocols that the client offers.
    pub(crate) offered: Vec<String>,
    pub(crate) send_deadline: Duration,
    pub(crate) network: runtime::Handle,
    pub(crate) figures: Arc<PluginFigures>,
}

/// Both ends of a socket.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) socket: Socket,
    pub(crate) wire: Wire,
    /// What goes to the client.
    pub(crate) outgoing: mpsc::Receiver<Outgoing>,
    /// Tells that the handler has accepted.
    pub(crate) accepted: oneshot::Receiver<Accepted>,
}

pub(crate) fn pair(wanted: Wanted) -> Ends {
    let (to_client, outgoing) = mpsc::channel(MAX_WAITING);
    let (incoming, from_client) = mpsc::channel(MAX_WAITING);
    let (accept, accepted) = oneshot::channel();
    let room = Arc::new(Semaphore::new(MAX_WAITING_BYTES));
    let (end, figures) = (Arc::clone(&wanted.end), Arc::clone(&wanted.figures));
    let socket =
        Socket::new(wanted, accept, from_client, to_client, Arc::new(Semaphore::new(MAX_WAITING_BYTES)));
    Ends { socket, wire: Wire { incoming, room, end, figures }, outgoing, accepted }
}
