use std::time::Duration;

/// An answer, or what comes instead of one.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) delay: Duration,
    pub(super) ending: Ending,
}

/// What becomes of the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ending {
    /// It is sent.
    Whole,
    /// Half of the body is sent, and then the connection closed.
    Half,
    /// The connection is reset instead.
    Reset,
    /// Nothing is sent, and the connection stays.
    Hang,
}

impl Default for Reply {
    fn default() -> Self {
        Self::new(200).body("ok")
    }
}

impl Reply {
    /// An answer with an empty body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delay: Duration::ZERO, ending: Ending::Whole }
    }

    /// Resets the connection instead of an answer.
    #[must_use]
    pub fn reset() -> Self {
        Self { ending: Ending::Reset, ..Self::new(200) }
    }

    /// Takes the request and never answers.
    #[must_use]
    pub fn hang() -> Self {
        Self { ending: Ending::Hang, ..Self::new(200) }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits that long before it answers.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Closes the connection after half of the body.
    #[must_use]
    pub fn cut_off(mut self) -> Self {
        self.ending = Ending::Half;
        self
    }

    /// The body as a text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What goes over the wire, and whether that is all.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut head =
            format!("HTTP/1.1 {} Scripted\r\nContent-Length: {}\r\n", self.status, self.body.len());
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let sent = if self.ending == Ending::Half { self.body.len() / 2 } else { self.body.len() };
        [head.as_bytes(), &self.body[..sent]].concat()
    }
}
