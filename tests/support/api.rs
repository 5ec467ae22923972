//! The host's HTTP interface.

use std::{
    io::Read,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use ureq::{Agent, Body, http};

/// A client of one host.
#[derive(Debug, Clone)]
pub struct Api {
    agent: Agent,
    base: String,
    token: Option<String>,
    /// Every body that was answered.
    said: Arc<Mutex<String>>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Content-Type`, or nothing.
    pub content_type: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// A header, if it is there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The answer itself, after a look at its status.
    ///
    /// # Panics
    ///
    /// When the status is another one.
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The problem document (RFC 9457) that it has to be, with one of these statuses.
    ///
    /// # Panics
    ///
    /// When it is none, or lacks a member.
    #[track_caller]
    pub fn problem(&self, statuses: &[u16]) -> Value {
        assert!(statuses.contains(&self.status), "expected one of {statuses:?}: {self:?}");
        assert!(self.content_type.starts_with("application/problem+json"), "{self:?}");
        let problem = self.json();
        for member in ["type", "title", "detail", "code"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "`{member}` is missing in {problem}");
        }
        assert_eq!(problem["status"], self.status, "{problem}");
        problem
    }

    /// The problem document about a library that was refused with this code.
    ///
    /// # Panics
    ///
    /// When it is none, or lacks a member.
    #[track_caller]
    pub fn refusal(&self, code: &str) -> Value {
        let problem = self.problem(&[422]);
        assert_eq!(problem["code"], code, "{problem}");
        for member in ["plugin", "rule", "expected", "found", "action"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "`{member}` is missing in {problem}");
        }
        problem
    }
}

impl Api {
    pub(crate) fn new(address: &str, token: &str) -> Self {
        Self {
            agent: agent(),
            base: format!("http://{address}"),
            token: Some(token.to_owned()),
            said: Arc::default(),
        }
    }

    /// The same, over connections of its own.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { agent: agent(), ..self.clone() }
    }

    /// The same, with another token, or none.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// Every body that was answered so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Sends a request; `None` when no answer comes.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Option<Answer> {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = match body {
            Some(body) => self.agent.run(request.body(body).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let answer = read(response.ok()?)?;
        // The ids of accepted events are the host's own and can hold nothing that matters.
        if answer.status != 202 {
            self.said.lock().unwrap().push_str(&answer.body);
        }
        Some(answer)
    }

    /// Opens a stream over a connection of its own: its body, as it comes.
    ///
    /// # Panics
    ///
    /// When it is not opened.
    pub(crate) fn open(&self, path: &str, headers: &[(&str, &str)]) -> impl Read + Send + 'static {
        let mut request = http::Request::builder().uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = agent().run(request.body(()).unwrap()).expect("an answer");
        assert_eq!(response.status(), 200, "{path}");
        response.into_body().into_reader()
    }

    /// Sends a request.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    #[must_use]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
        self.try_send(method, path, headers, body).unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    /// `GET`.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    /// `POST` of nothing.
    #[must_use]
    pub fn post(&self, path: &str) -> Answer {
        self.send("POST", path, &[], Some(b""))
    }

    /// `POST` of JSON.
    #[must_use]
    pub fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("Content-Type", "application/json")], Some(body.to_string().as_bytes()))
    }

    /// `PATCH` with a JSON merge patch.
    #[must_use]
    pub fn patch(&self, path: &str, patch: &Value) -> Answer {
        let headers = [("Content-Type", "application/merge-patch+json")];
        self.send("PATCH", path, &headers, Some(patch.to_string().as_bytes()))
    }

    /// `DELETE`.
    #[must_use]
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None)
    }

    /// Posts one event in structured mode.
    #[must_use]
    pub fn event(&self, event: &Value) -> Answer {
        let headers = [("Content-Type", "application/cloudevents+json")];
        self.send("POST", "/api/v1/events", &headers, Some(event.to_string().as_bytes()))
    }

    /// Posts events in batch mode.
    #[must_use]
    pub fn events(&self, events: &[Value]) -> Answer {
        let headers = [("Content-Type", "application/cloudevents-batch+json")];
        let body = serde_json::to_vec(events).unwrap();
        self.send("POST", "/api/v1/events", &headers, Some(&body))
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .new_agent()
}

fn read(mut response: http::Response<Body>) -> Option<Answer> {
    let content_type = response.headers().get("Content-Type").and_then(|value| value.to_str().ok());
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value)));
    Some(Answer {
        headers: headers.collect(),
        status: response.status().as_u16(),
        content_type: content_type.unwrap_or_default().to_owned(),
        body: response.body_mut().read_to_string().ok()?,
    })
}
