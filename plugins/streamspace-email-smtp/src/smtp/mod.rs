//! The dialogue with a server: RFC 5321, with STARTTLS (RFC 3207), AUTH (RFC 4954) and SIZE (RFC 1870).
//!
//! The words of it are `lettre`'s. Its own client has a time for each read and no end for a whole mail, and reads on behind
//! STARTTLS what was said before it.

mod reply;
mod stream;

use std::{
    io::{self, Read, Write},
    time::{Duration, Instant},
};

use lettre::{
    Address,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        commands::{Auth, Data, Ehlo, Mail, Noop, Quit, Rcpt, Rset, Starttls},
        extension::{ClientId, MailParameter},
    },
};

use self::stream::Stream;
pub(crate) use self::{
    reply::{Reply, Trouble},
    stream::Tls,
};

#[cfg(test)]
pub(crate) use self::reply::tests::reply;

/// For one command and its answer.
const COMMAND: Duration = Duration::from_secs(6);
/// For a sign of life.
const WAKE: Duration = Duration::from_secs(2);
/// For a good-bye.
const FAREWELL: Duration = Duration::from_secs(1);
/// Longest line of an answer; RFC 5321 has 512.
const MAX_LINE: usize = 2_000;
/// Longest answer.
const MAX_REPLY: usize = 64 * 1024;

/// How a server is reached.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) identity: Identity,
    /// Who we say we are.
    pub(crate) hello: String,
}

/// What protects the way to the server.
#[derive(Debug, Clone)]
pub(crate) enum Security {
    /// TLS from the first byte.
    Tls(Tls),
    /// TLS before anything that matters, or nothing.
    StartTls(Tls),
    /// Nothing.
    None,
}

/// As whom we send.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    Anonymous,
    Password(Credentials),
    /// An OAuth token in place of a password.
    Token(Credentials),
}

/// A connection that a mail can be sent through.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    /// What the server said that was not read yet.
    unread: Vec<u8>,
    /// Largest message; `None` if it does not say. The inner one is 0 if it only says that it knows of sizes.
    size: Option<usize>,
    until: Instant,
    /// Whether another message may follow.
    pub(crate) usable: bool,
}

/// What became of one message.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The server's answers to recipients, in their order; as many as it was asked about.
    pub(crate) recipients: Vec<Reply>,
    /// Its answer to the message itself, if any recipient was good.
    pub(crate) message: Option<Reply>,
}

impl Connection {
    /// Connects, and says who we are.
    pub(crate) fn open(server: &Server, until: Instant) -> Result<Self, Trouble> {
        let stream = Stream::connect(&server.host, server.port, until)
            .map_err(|why| Trouble::Network("while connecting", why))?;
        let mut connection = Self { stream, unread: Vec::new(), size: None, until, usable: true };
        if let Security::Tls(tls) = &server.security {
            connection.upgrade(tls)?;
        }
        let greeting = connection.reply("at its greeting")?;
        if !greeting.is_good() {
            return Err(Trouble::Said("in place of a greeting", greeting));
        }
        let mut offers = connection.hello(server)?;
        if let Security::StartTls(tls) = &server.security {
            if offers.offers("STARTTLS").is_none() {
                return Err(Trouble::Missing("the server does not offer STARTTLS"));
            }
            let reply = connection.say(Starttls, "to STARTTLS")?;
            if !reply.is_good() {
                return Err(Trouble::Said("to STARTTLS", reply));
            }
            // What was sent before the handshake may be anybody's.
            if !connection.unread.is_empty() {
                return Err(Trouble::Protocol("it goes on in plain text behind STARTTLS"));
            }
            connection.upgrade(tls)?;
            offers = connection.hello(server)?;
        }
        connection.size = offers.offers("SIZE").map(|size| size.trim().parse().unwrap_or(0));
        connection.identify(&server.identity, &offers)?;
        Ok(connection)
    }

    fn upgrade(&mut self, tls: &Tls) -> Result<(), Trouble> {
        self.allow(COMMAND);
        self.stream.upgrade(tls).map_err(|why| Trouble::Network("in the TLS handshake", why))
    }

    fn hello(&mut self, server: &Server) -> Result<Reply, Trouble> {
        let reply = self.say(Ehlo::new(ClientId::Domain(server.hello.clone())), "to EHLO")?;
        if reply.is_good() { Ok(reply) } else { Err(Trouble::Said("to EHLO", reply)) }
    }

    fn identify(&mut self, identity: &Identity, offers: &Reply) -> Result<(), Trouble> {
        let (credentials, known) = match identity {
            Identity::Anonymous => return Ok(()),
            Identity::Password(credentials) => (credentials, &[Mechanism::Plain, Mechanism::Login][..]),
            Identity::Token(credentials) => (credentials, &[Mechanism::Xoauth2][..]),
        };
        let offered = offers.offers("AUTH").unwrap_or_default();
        let mechanism = known.iter().copied().find(|mechanism| {
            offered.split_whitespace().any(|word| word.eq_ignore_ascii_case(&mechanism.to_string()))
        });
        let Some(mechanism) = mechanism else {
            return Err(Trouble::Missing(match identity {
                Identity::Token(_) => "the server does not offer AUTH XOAUTH2",
                _ => "the server offers neither AUTH PLAIN nor AUTH LOGIN",
            }));
        };
        let doing = "to the credentials";
        let unreadable = |_| Trouble::Protocol("its challenge is none that is known");
        let mut said = Auth::new(mechanism, credentials.clone(), None).map_err(unreadable)?.to_string();
        // Two challenges are those of LOGIN; XOAUTH2 has one, which only says what is wrong.
        for _ in 0..3 {
            let reply = self.say(said, doing)?;
            said = match (reply.code, mechanism) {
                (200..=299, _) => return Ok(()),
                (334, Mechanism::Xoauth2) => "\r\n".to_owned(),
                (334, _) => {
                    let response = reply.response().ok_or(Trouble::Protocol("its challenge is empty"))?;
                    let next = Auth::new_from_response(mechanism, credentials.clone(), &response);
                    next.map_err(unreadable)?.to_string()
                }
                _ => return Err(Trouble::Credentials(reply)),
            };
        }
        Err(Trouble::Protocol("its challenges have no end"))
    }

    /// Sends a message to those of `to` whom the server takes.
    ///
    /// # Errors
    ///
    /// Before the recipients: why it does not take the sender, or is not there any more.
    pub(crate) fn send(&mut self, from: &Address, to: &[Address], message: &[u8]) -> Result<Sent, Trouble> {
        let mut parameters = Vec::new();
        if let Some(most) = self.size {
            if most > 0 && message.len() > most {
                return Err(Trouble::TooLarge);
            }
            parameters.push(MailParameter::Size(message.len()));
        }
        let reply = self.say(Mail::new(Some(from.clone()), parameters), "to the sender")?;
        if !reply.is_good() {
            return Err(Trouble::Said("to the sender", reply));
        }
        let mut recipients = Vec::with_capacity(to.len());
        for address in to {
            recipients.push(self.say(Rcpt::new(address.clone(), Vec::new()), "to a recipient")?);
            // It closes the connection: RFC 5321, section 3.8.
            if recipients.last().is_some_and(|reply| reply.code == 421) {
                self.usable = false;
                return Ok(Sent { recipients, message: None });
            }
        }
        if !recipients.iter().any(Reply::is_good) {
            self.usable = self.say(Rset, "to RSET").is_ok_and(|reply| reply.is_good());
            return Ok(Sent { recipients, message: None });
        }
        let mut reply = self.say(Data, "to DATA")?;
        if reply.code == 354 {
            self.allow(COMMAND);
            self.write(&stuffed(message), "while it was given the message")?;
            reply = self.reply("after the message")?;
        }
        self.usable = reply.code != 421;
        Ok(Sent { recipients, message: Some(reply) })
    }

    /// Gives a connection that was used before another time to end, if it is there still.
    pub(crate) fn wake(&mut self, until: Instant) -> bool {
        // One that is not leaves most of the time to another.
        self.until = until.min(Instant::now() + WAKE);
        let is_there = self.unread.is_empty() && self.say(Noop, "to NOOP").is_ok_and(|reply| reply.is_good());
        self.until = until;
        is_there
    }

    /// Says good-bye.
    pub(crate) fn close(mut self) {
        self.until = Instant::now() + FAREWELL;
        let _ = self.say(Quit, "to QUIT");
    }

    fn say(&mut self, command: impl ToString, doing: &'static str) -> Result<Reply, Trouble> {
        self.allow(COMMAND);
        self.write(command.to_string().as_bytes(), doing)?;
        self.reply(doing)
    }

    fn allow(&mut self, time: Duration) {
        self.stream.set_until(self.until.min(Instant::now() + time));
    }

    fn write(&mut self, bytes: &[u8], doing: &'static str) -> Result<(), Trouble> {
        let written = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
        written.map_err(|why| Trouble::Network(doing, why))
    }

    fn reply(&mut self, doing: &'static str) -> Result<Reply, Trouble> {
        let mut whole = String::new();
        loop {
            let line = self.line().map_err(|why| Trouble::Network(doing, why))?;
            whole.push_str(&line);
            whole.push_str("\r\n");
            if whole.len() > MAX_REPLY {
                return Err(Trouble::Protocol("an answer without an end"));
            }
            // `250-` goes on, `250 ` and a bare `250` do not.
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        let response = whole.parse().map_err(|_| Trouble::Protocol("an answer without a code"))?;
        Ok(Reply::new(&response))
    }

    /// The next line, without its end.
    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
            }
            if self.unread.len() > MAX_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end"));
            }
            let mut some = [0; 1024];
            match self.stream.read(&mut some)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.unread.extend_from_slice(&some[..read]),
            }
        }
    }
}

/// A message as it goes over the line: a dot at the beginning of a line is doubled, and one alone ends it (RFC 5321, section
/// 4.5.2).
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 64 + 5);
    for line in message.split_inclusive(|b| *b == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::stuffed;

    #[test]
    fn no_line_of_a_message_ends_it() {
        assert_eq!(stuffed(b"a\r\n.\r\n..b\r\nc"), b"a\r\n..\r\n...b\r\nc\r\n.\r\n");
        assert_eq!(stuffed(b".a\r\n"), b"..a\r\n.\r\n");
    }
}
