//! The table of `websocket/1`.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use streamspace_plugin::{
    abi::{Capability, Fault, Handle, IntoTable, Outcome, RStr, RVec, guard},
    websocket::{ClosedKind, MessageKind, ReceivedMessage, SocketRef, SocketTable},
};

use super::Socket;
use crate::{
    blocking,
    handles::{Handles, Opened},
};

static SOCKETS: LazyLock<Handles<Socket>> = LazyLock::new(Handles::new);

/// What a plugin looks up: the functions. Their handles are those of sockets.
pub(crate) fn table() -> Capability {
    static TABLE: LazyLock<SocketRef> =
        LazyLock::new(|| SocketTable { accept, receive, send, close, closed }.leak_into_prefix());
    Capability::new(*TABLE, Handle(0))
}

/// Gives a socket a handle.
pub(crate) fn open(socket: Arc<Socket>) -> Opened {
    SOCKETS.open(socket)
}

/// Runs a call, which may wait, with the socket that `handle` names.
fn call<T>(what: &str, handle: Handle, entry: impl FnOnce(&Socket) -> Result<T, Fault>) -> Outcome<T> {
    guard(what, || {
        blocking::check(what)?;
        let socket = SOCKETS.get(handle)?;
        entry(&socket)
    })
    .and_then(|answer| answer)
    .into()
}

extern "C" fn accept(handle: Handle, protocol: RStr<'_>) -> Outcome<()> {
    call("the host's `accept`", handle, |socket| socket.accept(protocol.as_str()))
}

extern "C" fn receive(handle: Handle, millis: u64) -> Outcome<ReceivedMessage> {
    call("the host's `receive`", handle, |socket| socket.receive(Duration::from_millis(millis)))
}

extern "C" fn send(handle: Handle, kind: MessageKind, bytes: RVec<u8>) -> Outcome<()> {
    call("the host's `send`", handle, |socket| socket.send(kind, bytes))
}

extern "C" fn close(handle: Handle, code: u16, reason: RStr<'_>) -> Outcome<()> {
    call("the host's `close`", handle, |socket| socket.close(code, reason.as_str()))
}

extern "C" fn closed(handle: Handle) -> ClosedKind {
    let kind = guard("the host's `closed`", || SOCKETS.with(handle, |socket| Ok(socket.closed_kind())));
    kind.and_then(|kind| kind).unwrap_or(ClosedKind::PLUGIN)
}
