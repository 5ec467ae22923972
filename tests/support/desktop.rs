//! Desktops and viewers for suites about streams: the two ends of what the host relays.

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
};

use serde_json::{Value, json};
use tungstenite::{ClientRequestBuilder, Message, WebSocket, client, http::Uri};

use super::{Api, DEADLINE, Host, wait_for};

/// A desktop: takes connections one by one.
#[derive(Debug)]
pub struct Desktop(TcpListener);

impl Desktop {
    /// On a free port of the loopback.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it opens a port")]
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // So that nobody waits for ever for a connection that does not come.
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// The next connection, of which no read or write waits for ever.
    ///
    /// # Panics
    ///
    /// When none comes.
    #[must_use]
    pub fn accept(&self) -> TcpStream {
        let (stream, _) = wait_for(DEADLINE, "a connection to the desktop", || self.0.accept().ok());
        stream.set_nonblocking(false).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    }
}

/// A viewer: a WebSocket to a session's desktop.
#[derive(Debug)]
pub struct Viewer(pub WebSocket<TcpStream>);

impl Viewer {
    /// Opens a WebSocket; otherwise the status of what was answered instead, and its problem's code.
    ///
    /// # Errors
    ///
    /// The status and the code.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    pub fn open(host: &Host, path: &str, headers: &[(&str, &str)]) -> Result<Self, (u16, String)> {
        let stream = TcpStream::connect(host.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        let uri: Uri = format!("ws://{}{path}", host.address()).parse().unwrap();
        let request = headers
            .iter()
            .fold(ClientRequestBuilder::new(uri).with_sub_protocol("binary"), |request, (name, value)| {
                request.with_header(*name, *value)
            });
        match client(request, stream) {
            Ok((socket, answer)) => {
                assert_eq!(answer.headers()["sec-websocket-protocol"], "binary");
                Ok(Self(socket))
            }
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                let body: Value =
                    serde_json::from_slice(answer.body().as_deref().unwrap_or_default()).unwrap_or_default();
                Err((answer.status().as_u16(), body["code"].as_str().unwrap_or_default().to_owned()))
            }
            Err(why) => panic!("{why}"),
        }
    }

    /// Asks for a ticket, and opens a WebSocket with it.
    ///
    /// # Panics
    ///
    /// When `api`'s account is not let in.
    #[must_use]
    pub fn with_ticket(host: &Host, api: &Api, session: &str) -> Self {
        let ticket = api.post(&format!("/api/v1/sessions/{session}/tickets")).expect(201).json();
        Self::open(host, ticket["path"].as_str().unwrap(), &[]).unwrap()
    }

    /// Sends bytes, a message of the WebSocket.
    ///
    /// # Panics
    ///
    /// When the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.send(Message::Binary(bytes.to_vec().into())).unwrap();
    }

    /// The next `count` bytes from the host.
    ///
    /// # Panics
    ///
    /// When something else comes.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            match self.0.read().unwrap() {
                Message::Binary(piece) => bytes.extend_from_slice(&piece),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
        bytes
    }

    /// Why the host closed the WebSocket. What comes before that is passed over.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn closed(&mut self) -> String {
        loop {
            match self.0.read() {
                Ok(Message::Close(Some(frame))) => return frame.reason.to_string(),
                Ok(Message::Binary(_) | Message::Ping(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Exactly so many bytes of what comes.
///
/// # Panics
///
/// When fewer come.
pub fn read_exactly(mut stream: &TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

impl Host {
    /// An account, and a token of it.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[must_use]
    pub fn account(&self, name: &str, permissions: &[&str]) -> (Api, String) {
        let new = json!({"username": name, "role": "user", "permissions": permissions});
        let _ = self.api().post_json("/api/v1/users", &new).expect(201);
        let token = json!({"user": name, "name": "test", "scopes": ["*"]});
        let made = self.api().post_json("/api/v1/tokens", &token).expect(201).json();
        let token = made["token"].as_str().unwrap().to_owned();
        (self.api().with_token(Some(&token)), token)
    }

    /// Has a session of `owner` run at this desktop. `rest` is added to what it is made of.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub fn run_session(&self, id: &str, owner: &str, address: &str, rest: Value) {
        let mut new = json!({"id": id, "owner": owner, "template": "firefox"});
        if let (Value::Object(new), Value::Object(rest)) = (&mut new, rest) {
            new.extend(rest);
        }
        let _ = self.api().post_json("/api/v1/sessions", &new).expect(201);
        self.step_session(id, "creating");
        let address = json!({ "rfb_address": address });
        let _ = self.api().patch(&format!("/api/v1/sessions/{id}"), &address).expect(200);
        self.step_session(id, "running");
    }

    /// How many look at a session.
    ///
    /// # Panics
    ///
    /// When there is no such session.
    #[must_use]
    pub fn connections(&self, id: &str) -> usize {
        let session = self.api().get(&format!("/api/v1/sessions/{id}")).expect(200).json();
        session["connections"].as_array().unwrap().len()
    }

    /// Waits until so many look at a session.
    ///
    /// # Panics
    ///
    /// When it does not come about.
    pub fn wait_connections(&self, id: &str, count: usize) {
        self.wait_for(DEADLINE, &format!("{count} connections of {id}"), || {
            (self.connections(id) == count).then_some(())
        });
    }

    /// Has a session take a step.
    ///
    /// # Panics
    ///
    /// When it may not.
    pub fn step_session(&self, id: &str, state: &str) {
        let path = format!("/api/v1/sessions/{id}/transition");
        let _ = self.api().post_json(&path, &json!({ "state": state })).expect(200);
    }
}
