//! One connection: requests are read, written down and answered, until either side has enough.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Request, Shared, reply::Ending};

/// More than any plugin sends.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// A socket that the provider can shut down from outside.
struct Socket(Arc<TcpStream>);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

pub(super) fn serve(shared: &Shared, stream: Arc<TcpStream>, tls: Option<&Arc<ServerConfig>>) {
    let socket = Socket(Arc::clone(&stream));
    // A client that goes away is no failure of the provider's.
    let _ = match tls {
        Some(tls) => ServerConnection::new(Arc::clone(tls))
            .map_err(io::Error::other)
            .and_then(|session| converse(shared, &stream, &mut StreamOwned::new(session, socket))),
        None => converse(shared, &stream, &mut { socket }),
    };
}

fn converse(shared: &Shared, socket: &TcpStream, stream: &mut (impl Read + Write)) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(stream, &mut buffer)? {
        let reply = shared.answer(request);
        if !reply.delay.is_zero() {
            thread::sleep(reply.delay);
        }
        match reply.ending {
            Ending::Whole => {
                stream.write_all(&reply.bytes())?;
                stream.flush()?;
            }
            Ending::Half => {
                stream.write_all(&reply.bytes())?;
                return stream.flush();
            }
            Ending::Reset => {
                rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO))?;
                return Ok(());
            }
            // Until the client has enough of it, or the provider ends.
            Ending::Hang => return io::copy(stream, &mut io::sink()).map(drop),
        }
    }
    Ok(())
}

/// Reads the next request; `None` when the client is done. `buffer` keeps what is already there of the one after.
fn read_request(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    loop {
        if let Some((mut request, head, length)) = parse_head(buffer)? {
            while buffer.len() < head + length {
                if !read_more(stream, buffer)? {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            request.body = buffer[head..head + length].to_vec();
            request.arrived = Instant::now();
            buffer.drain(..head + length);
            return Ok(Some(request));
        }
        if !read_more(stream, buffer)? {
            return Ok(None);
        }
    }
}

fn read_more(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; 16 * 1024];
    let count = stream.read(&mut chunk)?;
    buffer.extend_from_slice(&chunk[..count]);
    if buffer.len() > MAX_REQUEST {
        return Err(io::Error::other("the request is too large"));
    }
    Ok(count > 0)
}

/// The request without its body, the length of its head and that of its body; `None` while the head is not whole.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(Request, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = parsed.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let headers: Vec<(String, String)> = parsed
        .headers
        .iter()
        .map(|header| (header.name.to_lowercase(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
        arrived: Instant::now(),
        violation: None,
    };
    if !request.header("transfer-encoding").is_empty() {
        return Err(io::Error::other("the body has no length: plugins' bodies are whole when they are sent"));
    }
    let length = match request.header("content-length") {
        "" => 0,
        text => text.parse().map_err(io::Error::other)?,
    };
    Ok(Some((request, head, length)))
}
