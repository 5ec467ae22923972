//! Bytes to a server and back, in plain text or in TLS, never beyond a moment that was set before.

use std::{
    fmt, io,
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use rustls_platform_verifier::Verifier;
use streamspace_plugin::prelude::{Error, Result};

/// For each address of the server.
const CONNECT: Duration = Duration::from_secs(5);

/// A socket that fails once its time is over: a server that sends a byte now and then gains nothing.
pub(super) struct Timed {
    socket: TcpStream,
    until: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(buffer).map_err(late)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(bytes).map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Systems name it in two ways when a time is over.
fn late(why: io::Error) -> io::Error {
    if why.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { why }
}

/// A connection's two ways.
pub(super) enum Stream {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
    /// Neither: the step from one to the other did not work.
    Lost,
}

impl Stream {
    pub(super) fn connect(host: &str, port: u16, until: Instant) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (host, port).to_socket_addrs()? {
            let left = until.saturating_duration_since(Instant::now()).min(CONNECT);
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match TcpStream::connect_timeout(&address, left) {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    return Ok(Self::Plain(Timed { socket, until }));
                }
                Err(why) => last = late(why),
            }
        }
        Err(last)
    }

    /// Goes on in TLS, after a handshake with a server that has a certificate for `host`.
    pub(super) fn upgrade(&mut self, tls: &Tls) -> io::Result<()> {
        let Self::Plain(timed) = std::mem::replace(self, Self::Lost) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let connection =
            ClientConnection::new(Arc::clone(&tls.config), tls.name.clone()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, timed);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        *self = Self::Tls(Box::new(stream));
        Ok(())
    }

    /// Until when the next bytes may take.
    pub(super) fn set_until(&mut self, until: Instant) {
        match self {
            Self::Plain(timed) => timed.until = until,
            Self::Tls(stream) => stream.sock.until = until,
            Self::Lost => {}
        }
    }

    fn ways(&mut self) -> io::Result<&mut dyn Ways> {
        match self {
            Self::Plain(timed) => Ok(timed),
            Self::Tls(stream) => Ok(stream),
            Self::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

trait Ways: Read + Write {}
impl<T: Read + Write> Ways for T {}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ways()?.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.ways()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.ways()?.flush()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Tls(_) => "Tls",
            Self::Lost => "Lost",
        })
    }
}

/// Whom to trust, and under which name: TLS 1.2 and 1.3.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// With the roots of the system, and those in `roots`, which is PEM.
    ///
    /// # Errors
    ///
    /// When `host` is no name of a server, `roots` has no certificate, or there is no root at all.
    pub(crate) fn new(host: &str, roots: Option<&str>) -> Result<Self> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::permanent(format!("`smtpHost`: `{host}` is not the name of a server")))?;
        let wrong = |why: String| Error::permanent(format!("`caCertificate` {why}: expected PEM"));
        let roots = match roots {
            None => Vec::new(),
            Some(pem) => {
                let found = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
                found.map_err(|why| wrong(format!("cannot be read ({why})")))?
            }
            .into_iter()
            .map(CertificateDer::into_owned)
            .collect(),
        };
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(|why| {
            Error::permanent(format!(
                "no certificate of a server can be verified ({why}): install the system's certificates, or correct \
                 `caCertificate`"
            ))
        })?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| Error::permanent(format!("TLS cannot be set up: {why}")))?
            .dangerous() // it is the system's own verification
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), name })
    }
}
