//! Servers on loopback that behave as badly as a test asks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server, and the requests it has read, as text.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Receiver<String>,
}

/// One connection as a server's handler sees it.
pub(crate) struct Connection<'a> {
    pub(crate) stream: &'a mut dyn ReadWrite,
    requests: &'a Sender<String>,
}

pub(crate) trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

impl Server {
    /// Handles each connection in a thread of its own; the connection closes when the handler returns.
    pub(crate) fn start(handler: impl Fn(&mut Connection<'_>) + Send + Sync + 'static) -> Self {
        Self::accept(move |mut stream, requests| {
            handler(&mut Connection { stream: &mut stream, requests });
        })
    }

    /// Answers every request with the same bytes.
    pub(crate) fn answering(response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Self::start(move |connection| {
            connection.read_request();
            connection.write(&response);
        })
    }

    pub(crate) fn tls(
        config: Arc<ServerConfig>,
        handler: impl Fn(&mut Connection<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::accept(move |stream, requests| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            handler(&mut Connection { stream: &mut stream, requests });
            stream.conn.send_close_notify();
            drop(stream.flush());
        })
    }

    fn accept(handler: impl Fn(TcpStream, &Sender<String>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        let handler = Arc::new(handler);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, handler, sender) = (stream.unwrap(), Arc::clone(&handler), sender.clone());
                thread::spawn(move || handler(stream, &sender));
            }
        });
        Self { address, requests }
    }
}

impl Connection<'_> {
    /// Reads one request, head and body; `None` when the client has closed.
    pub(crate) fn read_request(&mut self) -> Option<String> {
        let mut read = Vec::new();
        let mut byte = [0];
        while !read.ends_with(b"\r\n\r\n") {
            match self.stream.read(&mut byte) {
                Ok(1) => read.push(byte[0]),
                _ => return None,
            }
        }
        let head = String::from_utf8(read).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).ok()?;
        let request = head + &String::from_utf8(body).unwrap();
        drop(self.requests.send(request.clone()));
        Some(request)
    }

    /// Writes what the client still takes: it may have gone, as some tests mean it to.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes).and_then(|()| self.stream.flush()));
    }

    /// Waits until the client closes the connection.
    pub(crate) fn wait_for_close(&mut self) {
        drop(self.stream.read_to_end(&mut Vec::new()));
    }
}

/// A certificate authority: its root in PEM form, and a server's configuration for `name`.
pub(crate) fn authority(name: &str) -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);

    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (root.pem(), Arc::new(config))
}
