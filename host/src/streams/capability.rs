//! The host's half of `streams/1`.

use std::{
    sync::{Arc, LazyLock, OnceLock},
    time::Duration,
};

use streamspace_plugin::{
    abi::{Capability, Fault, FaultKind, Handle, IntoTable, Outcome, RSlice, RSliceMut, RStr, guard},
    streams::{Switchboard, SwitchboardRef},
};
use tokio::{runtime, time::timeout};

use super::{Streams, connections::ConnectionError, connections::Connections, taps::Tap};
use crate::{
    blocking,
    handles::{Handles, Opened},
    platform::sessions::{SessionError, Sessions},
};

/// The permission without which a plugin connects to no desktop.
const PERMISSION: &str = "streams:connect";

/// What one plugin may do with streams.
#[derive(Debug)]
pub(crate) struct PluginStreams {
    pub(crate) streams: Arc<Streams>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) plugin: Arc<str>,
    /// What the plugin was granted.
    pub(crate) permissions: Vec<String>,
    /// Its taps, once they are there.
    pub(crate) taps: Arc<OnceLock<Vec<Arc<Tap>>>>,
    pub(crate) connections: Arc<Connections>,
    /// Where connections are made.
    pub(crate) network: runtime::Handle,
}

static STREAMS: LazyLock<Handles<PluginStreams>> = LazyLock::new(Handles::new);

/// Gives a plugin its half, for as long as the [`Opened`] is kept.
pub(crate) fn open(streams: PluginStreams) -> (Capability, Opened) {
    let opened = STREAMS.open(Arc::new(streams));
    (Capability::new(table(), opened.handle()), opened)
}

fn table() -> SwitchboardRef {
    static TABLE: LazyLock<SwitchboardRef> =
        LazyLock::new(|| Switchboard { join, leave, connect, read, write, close }.leak_into_prefix());
    *TABLE
}

impl PluginStreams {
    fn tap(&self, name: &str) -> Result<&Arc<Tap>, Fault> {
        let taps = self.taps.get().into_iter().flatten();
        taps.into_iter().find(|tap| tap.options().name == name).ok_or_else(|| {
            Fault::new(FaultKind::NOT_FOUND, format_args!("the plugin has registered no tap `{name:.80}`"))
        })
    }
}

/// Runs a call, which may wait, with what `handle` names.
fn call<T>(what: &str, handle: Handle, entry: impl FnOnce(&PluginStreams) -> Result<T, Fault>) -> Outcome<T> {
    guard(what, || {
        blocking::check(what)?;
        entry(&*STREAMS.get(handle)?)
    })
    .and_then(|answer| answer)
    .into()
}

extern "C" fn join(handle: Handle, tap: RStr<'_>, session: RStr<'_>) -> Outcome<u64> {
    call("the host's `join`", handle, |streams| {
        let tap = streams.tap(tap.as_str())?;
        Ok(streams.streams.join(tap, session.as_str()))
    })
}

extern "C" fn leave(handle: Handle, tap: RStr<'_>, stream: u64) -> Outcome<bool> {
    call("the host's `leave`", handle, |streams| Ok(streams.tap(tap.as_str())?.leave(stream)))
}

extern "C" fn connect(handle: Handle, session: RStr<'_>, within_ms: u64) -> Outcome<u64> {
    call("the host's `connect`", handle, |streams| {
        if !streams.permissions.iter().any(|permission| permission == PERMISSION) {
            return Err(Fault::new(
                FaultKind::DENIED,
                format_args!(
                    "the plugin `{}` may not connect to desktops: add \"{PERMISSION}\" to the `permissions` of its manifest (SSP-TAP-003)",
                    streams.plugin
                ),
            ));
        }
        streams.connections.room().map_err(|why| fault(&why))?;
        let address = streams.sessions.desktop_address(session.as_str()).map_err(|why| of_session(&why))?;
        let within = Duration::from_millis(within_ms);
        // The clock is that of the network's threads, which only what runs there has.
        let connecting = async { timeout(within, super::connect(session.as_str(), &address)).await };
        let connected = streams.network.block_on(connecting);
        let stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(why)) => {
                return Err(Fault::new(FaultKind::CONNECT, format_args!("{why} ({})", why.code())));
            }
            Err(_) => return Err(fault(&ConnectionError::Late(within))),
        };
        let stream = stream.into_std().and_then(|stream| stream.set_nonblocking(false).map(|()| stream));
        let stream = stream.map_err(|why| fault(&ConnectionError::Broken(why)))?;
        streams.connections.add(stream).map_err(|why| fault(&why))
    })
}

extern "C" fn read(
    handle: Handle,
    connection: u64,
    mut buffer: RSliceMut<'_, u8>,
    within_ms: u64,
) -> Outcome<u64> {
    call("the host's `read`", handle, |streams| {
        let within = Duration::from_millis(within_ms);
        let read = streams.connections.read(connection, buffer.as_mut_slice(), within);
        read.map(|count| count as u64).map_err(|why| fault(&why))
    })
}

extern "C" fn write(handle: Handle, connection: u64, bytes: RSlice<'_, u8>, within_ms: u64) -> Outcome<u64> {
    call("the host's `write`", handle, |streams| {
        let within = Duration::from_millis(within_ms);
        let written = streams.connections.write(connection, bytes.as_slice(), within);
        written.map(|count| count as u64).map_err(|why| fault(&why))
    })
}

extern "C" fn close(handle: Handle, connection: u64) -> Outcome<()> {
    // It does not wait, and may be called from a destructor on any thread.
    guard("the host's `close`", || {
        STREAMS.with(handle, |streams| {
            streams.connections.close(connection);
            Ok(())
        })
    })
    .and_then(|answer| answer)
    .into()
}

fn fault(why: &ConnectionError) -> Fault {
    let kind = match why {
        ConnectionError::Full => FaultKind::TOO_LARGE,
        ConnectionError::Closed => FaultKind::CLOSED,
        ConnectionError::Late(_) => FaultKind::TIMED_OUT,
        ConnectionError::Broken(_) => FaultKind::CONNECTION_LOST,
    };
    Fault::new(kind, format_args!("{why} ({})", why.code()))
}

fn of_session(why: &SessionError) -> Fault {
    let kind = match why {
        SessionError::NotFound { .. } => FaultKind::NOT_FOUND,
        SessionError::State { .. } | SessionError::NoDesktop { .. } => FaultKind::CONFLICT,
        SessionError::Database(_) | SessionError::Log(_) => FaultKind::UNREACHABLE,
        _ => FaultKind::FAILED,
    };
    Fault::new(kind, format_args!("{why} ({})", why.code()))
}
