//! A client that signed in with a password, and keeps a cookie.

use serde_json::{Value, json};

use crate::{Answer, Api, Host};

/// A client that signed in with a password, and keeps a cookie.
#[derive(Debug, Clone)]
pub struct Browser {
    api: Api,
    /// `name=value`.
    pub cookie: String,
    /// What proves that a call is its own.
    pub csrf: String,
}

impl Browser {
    /// Tries to sign in.
    #[must_use]
    pub fn try_sign_in(host: &Host, name: &str, password: &str) -> Answer {
        let credentials = json!({"username": name, "password": password});
        host.api().with_token(None).post_json("/api/v1/sign-in", &credentials)
    }

    /// Signs in.
    ///
    /// # Panics
    ///
    /// When it is not let in.
    #[must_use]
    pub fn sign_in(host: &Host, name: &str, password: &str) -> Self {
        Self::of(host, &Self::try_sign_in(host, name, password).expect(200))
    }

    /// The client that was answered this.
    ///
    /// # Panics
    ///
    /// When that is no sign-in.
    #[must_use]
    pub fn of(host: &Host, answer: &Answer) -> Self {
        let cookie = answer.header("set-cookie").expect("a cookie").split(';').next().unwrap().to_owned();
        let csrf = answer.json()["csrf_token"].as_str().expect("a token").to_owned();
        Self { api: host.api().with_token(None), cookie, csrf }
    }

    /// Sends a request with the cookie and with these headers alone.
    #[must_use]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let mut all = vec![("Cookie", self.cookie.as_str())];
        all.extend_from_slice(headers);
        let body = body.map(Value::to_string);
        if body.is_some() {
            all.push(("Content-Type", "application/json"));
        }
        let empty = (!matches!(method, "GET" | "HEAD")).then_some(String::new());
        self.api.send(method, path, &all, body.or(empty).as_deref().map(str::as_bytes))
    }

    /// Calls as the host's pages do.
    #[must_use]
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.send(method, path, &[("X-CSRF-Token", &self.csrf)], body)
    }

    /// `GET`.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None)
    }
}

impl Host {
    /// The password of the administrator that was made when the host first started.
    #[must_use]
    pub fn admin_password(&self) -> String {
        let line = self.logged("the administrator's password", |line| line.text("username") == "admin");
        line.text("password").to_owned()
    }

    /// Makes an account with this role and a password that goes with its name, and answers what the host says of it.
    pub fn add_user(&self, name: &str, role: &str) -> Value {
        let new = json!({"username": name, "password": password_of(name), "role": role});
        self.api().post_json("/api/v1/users", &new).expect(201).json()
    }

    /// Signs in as an account of [`add_user`](Self::add_user).
    #[must_use]
    pub fn browser(&self, name: &str) -> Browser {
        Browser::sign_in(self, name, &password_of(name))
    }

    /// Makes a token of an account, and answers it with what the host says of it.
    #[must_use]
    pub fn add_token(&self, user: &str, scopes: &[&str]) -> (String, Value) {
        let new = json!({"user": user, "name": "of a test", "scopes": scopes});
        let made = self.api().post_json("/api/v1/tokens", &new).expect(201).json();
        (made["token"].as_str().expect("a token").to_owned(), made)
    }
}

/// The password of an account of a test.
#[must_use]
pub fn password_of(name: &str) -> String {
    format!("the password of {name}")
}
