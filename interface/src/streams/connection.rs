//! A plugin's own connection to a session's desktop.

use std::{
    fmt,
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::SwitchboardRef;
use crate::abi::{Bound, Fault, FaultKind, RSlice, RSliceMut};

/// How long reading and writing wait, if nothing else is said.
const DEADLINE: Duration = Duration::from_secs(30);

/// A connection to where a session's desktop speaks RFB: bytes both ways, and the handshake is the plugin's. It is one more
/// client of the desktop, and no viewer of the session. Closed when the last clone is dropped, and when the plugin is stopped.
///
/// A clone is the same connection: one thread may read while another one writes.
///
/// Reading and writing wait up to a deadline, 30 s unless set otherwise, and fail with [`io::ErrorKind::TimedOut`] then, after
/// which they may be tried again. Not to be called where blocking is not allowed.
#[derive(Clone)]
pub struct DesktopConnection(Arc<Inner>);

struct Inner {
    host: Bound<SwitchboardRef>,
    number: u64,
    read_ms: AtomicU64,
    write_ms: AtomicU64,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // What was closed by the host meanwhile is closed.
        let _ = self.host.table.close()(self.host.handle, self.number);
    }
}

fn millis(time: Duration) -> u64 {
    // 0 would be no time at all.
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl DesktopConnection {
    pub(super) fn new(host: Bound<SwitchboardRef>, number: u64) -> Self {
        let deadline = || AtomicU64::new(millis(DEADLINE));
        Self(Arc::new(Inner { host, number, read_ms: deadline(), write_ms: deadline() }))
    }

    /// `[any]` How long reading waits from now on, for all clones.
    pub fn set_read_deadline(&self, time: Duration) {
        self.0.read_ms.store(millis(time), Ordering::Relaxed);
    }

    /// `[any]` How long writing waits from now on, for all clones.
    pub fn set_write_deadline(&self, time: Duration) {
        self.0.write_ms.store(millis(time), Ordering::Relaxed);
    }

    /// `[any]` Closes the connection for all clones. Whoever reads or writes is told so.
    pub fn close(&self) {
        let _ = self.0.host.table.close()(self.0.host.handle, self.0.number);
    }
}

impl Read for &DesktopConnection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (host, within) = (self.0.host, self.0.read_ms.load(Ordering::Relaxed));
        let room = buffer.len();
        let read = host.table.read()(host.handle, self.0.number, RSliceMut::from_mut_slice(buffer), within);
        counted(read.into_result(), room)
    }
}

impl Write for &DesktopConnection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (host, within) = (self.0.host, self.0.write_ms.load(Ordering::Relaxed));
        let written = host.table.write()(host.handle, self.0.number, RSlice::from_slice(bytes), within);
        counted(written.into_result(), bytes.len())
    }

    /// Everything that was written is on its way already.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for DesktopConnection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for DesktopConnection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for DesktopConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DesktopConnection").field(&self.0.number).finish()
    }
}

/// What `Read` and `Write` promise: never more than there was room for.
fn counted(answer: Result<u64, Fault>, room: usize) -> io::Result<usize> {
    match answer {
        Ok(count) => match usize::try_from(count) {
            Ok(count) if count <= room => Ok(count),
            _ => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the host counted more bytes than there are"))
            }
        },
        Err(Fault { kind, message }) => {
            let kind = match kind {
                FaultKind::TIMED_OUT => io::ErrorKind::TimedOut,
                FaultKind::CLOSED => io::ErrorKind::NotConnected,
                FaultKind::CONNECTION_LOST => io::ErrorKind::ConnectionReset,
                FaultKind::WOULD_BLOCK => io::ErrorKind::Unsupported,
                _ => io::ErrorKind::Other,
            };
            Err(io::Error::new(kind, message.into_string()))
        }
    }
}
