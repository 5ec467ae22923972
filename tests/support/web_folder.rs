//! A web server for a folder, as anybody may run one: with parts of files, and with the faults that a test asks for.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// What goes wrong with a file.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection is cut after so many bytes of each answer.
    Cut(usize),
    /// Parts are not served: the whole file comes whatever was asked for, cut after so many bytes the first time.
    NoParts(usize),
    /// The answer says another length than the file has.
    Length(u64),
    /// Sends the client elsewhere.
    Redirect(String),
    /// Answers with a status and nothing else.
    Status(u16),
    /// The head comes, and then nothing.
    Hang,
    /// The file is another one from the second request on: a byte is changed, and so is its tag.
    Changes,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The path.
    pub path: String,
    /// `Range`, empty if it was not sent.
    pub range: String,
    /// `If-Range`, empty if it was not sent.
    pub if_range: String,
    /// `Host`, as the client named it.
    pub host: String,
}

#[derive(Debug, Default)]
struct State {
    faults: Vec<(String, Fault)>,
    asked: Vec<Asked>,
}

/// A web server on a folder, on a free port of this machine.
#[derive(Debug)]
pub struct WebFolder {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stopping: Arc<AtomicBool>,
}

impl WebFolder {
    /// Serves a folder until it is dropped.
    ///
    /// # Panics
    ///
    /// When no port is free.
    #[must_use]
    pub fn serve(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (state, stopping) = (Arc::<Mutex<State>>::default(), Arc::<AtomicBool>::default());
        let folder = folder.to_owned();
        let (shared, stop) = (Arc::clone(&state), Arc::clone(&stopping));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), shared, folder) = (stream, Arc::clone(&shared), folder.clone()) else {
                    continue;
                };
                // A client that goes away is no failure of the server's.
                thread::spawn(move || drop(answer(&stream, &shared, &folder)));
            }
        });
        Self { address, state, stopping }
    }

    /// Its address, which ends with a slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on, something goes wrong with files whose paths end so.
    pub fn fault(&self, path: &str, fault: Fault) {
        self.state.lock().unwrap().faults.push((path.to_owned(), fault));
    }

    /// From now on, nothing goes wrong.
    pub fn heal(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// The requests that came for paths that end so.
    #[must_use]
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|asked| asked.path.ends_with(path)).cloned().collect()
    }
}

impl Drop for WebFolder {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn answer(mut stream: &TcpStream, state: &Mutex<State>, folder: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let asked = read(stream)?;
    let (fault, count) = {
        let mut state = state.lock().unwrap();
        state.asked.push(asked.clone());
        let count = state.asked.iter().filter(|other| other.path == asked.path).count();
        let fault = state.faults.iter().find(|(path, _)| asked.path.ends_with(path));
        (fault.map(|(_, fault)| fault.clone()), count)
    };
    let relative: PathBuf =
        asked.path.trim_start_matches('/').split('/').filter(|part| *part != "..").collect();
    let head = |status: &str, more: &str| format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n");
    let Ok(mut bytes) = fs::read(folder.join(relative)) else {
        return stream.write_all(head("404 Not Found", "Content-Length: 0\r\n").as_bytes());
    };
    let mut tag = format!("\"{}\"", bytes.len());
    match &fault {
        Some(Fault::Redirect(to)) => {
            let to = format!("Location: {to}\r\nContent-Length: 0\r\n");
            return stream.write_all(head("302 Found", &to).as_bytes());
        }
        Some(Fault::Status(status)) => {
            let status = format!("{status} As asked for");
            return stream.write_all(head(&status, "Content-Length: 0\r\n").as_bytes());
        }
        Some(Fault::Hang) => {
            let length = format!("Content-Length: {}\r\n", bytes.len());
            stream.write_all(head("200 OK", &length).as_bytes())?;
            // Until the client has enough of it.
            return io::copy(&mut stream, &mut io::sink()).map(drop);
        }
        Some(Fault::Changes) if count > 1 => {
            bytes[0] ^= 1;
            tag = "\"another\"".to_owned();
        }
        _ => {}
    }
    let from = asked.range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')?.parse().ok());
    let is_fresh = asked.if_range.is_empty() || asked.if_range == tag;
    let serves_parts = !matches!(fault, Some(Fault::NoParts(_)));
    let from: usize = from.filter(|_| is_fresh && serves_parts).unwrap_or(0);
    if from > bytes.len() {
        return stream.write_all(head("416 Range Not Satisfiable", "Content-Length: 0\r\n").as_bytes());
    }
    let body = &bytes[from..];
    let length = match fault {
        Some(Fault::Length(length)) => length,
        _ => body.len() as u64,
    };
    let mut more = format!("Content-Length: {length}\r\nETag: {tag}\r\n");
    let status = if from > 0 {
        more.push_str(&format!("Content-Range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len()));
        "206 Partial Content"
    } else {
        "200 OK"
    };
    stream.write_all(head(status, &more).as_bytes())?;
    let most = match fault {
        Some(Fault::Cut(most)) => most,
        Some(Fault::NoParts(most)) if count == 1 => most,
        Some(Fault::Changes) if count == 1 => body.len() / 2,
        _ => body.len(),
    };
    stream.write_all(&body[..body.len().min(most)])?;
    stream.flush()
}

/// The head of the one request of a connection.
fn read(mut stream: &TcpStream) -> io::Result<Asked> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 64 * 1024 {
        if stream.read(&mut byte)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.push(byte[0]);
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(&head).map_err(io::Error::other)?;
    let header = |name: &str| {
        let found = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).into_owned()).unwrap_or_default()
    };
    Ok(Asked {
        path: parsed.path.unwrap_or_default().to_owned(),
        range: header("range"),
        if_range: header("if-range"),
        host: header("host"),
    })
}
