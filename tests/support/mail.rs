//! A mail server that was not written here, and a reader of what it got: aiosmtpd, and Python's own parser.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{DEADLINE, wait_for, workspace};

/// What the script ends with where there is no Python, or nothing to install from.
const MISSING: i32 = 77;

/// How a server is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protection {
    /// STARTTLS, without which it takes nothing.
    #[default]
    StartTls,
    /// TLS from the beginning.
    Tls,
    /// Plain text.
    None,
}

/// What a server is like.
#[derive(Debug, Clone, Default)]
pub struct MailOptions {
    /// How it is reached.
    pub protection: Protection,
    /// Whom it wants to know, and by which password.
    pub user: Option<(&'static str, &'static str)>,
    /// The token that it takes in place of the password.
    pub token: Option<&'static str>,
    /// Mechanisms that it does not offer.
    pub without: Vec<&'static str>,
    /// Largest message, in bytes.
    pub size: Option<usize>,
}

/// A server on loopback, named `localhost`. Ends when it is dropped.
#[derive(Debug)]
pub struct MailServer {
    process: Child,
    port: u16,
    folder: TempDir,
    authority: String,
}

/// A mail that a server took.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Its envelope, and how it came: `from`, `to`, `tls`, `user`, `mechanism`, `connection`.
    pub told: Value,
    /// What Python's parser sees in it.
    pub read: Value,
    /// Where it is.
    pub file: PathBuf,
}

impl MailServer {
    /// Starts one. `None`, with a line that says so, where there is no Python; a failure if `CI` is `true`.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn start(options: &MailOptions) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let (authority, certificate, key) = certificates();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let told = json!({
            "folder": folder.path(),
            "security": match options.protection {
                Protection::StartTls => "starttls",
                Protection::Tls => "tls",
                Protection::None => "none",
            },
            "certificate": file("certificate.pem", &certificate),
            "key": file("key.pem", &key),
            "user": options.user.map(|(user, _)| user),
            "password": options.user.map(|(_, password)| password),
            "token": options.token,
            "without": options.without,
            "size": options.size,
        });
        let mut process = script(&["server.py", &told.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Ok(port) = line.trim().parse() else {
            let ended = process.wait().unwrap();
            assert_eq!(ended.code(), Some(MISSING), "scripts/mail-server started no server");
            assert!(
                env::var_os("CI").is_none_or(|ci| ci != "true"),
                "this test needs a mail server in Python: sudo apt-get install python3-venv, and access to PyPI"
            );
            eprintln_skipped();
            return None;
        };
        Some(Self { process, port, folder, authority })
    }

    /// A new key for DKIM, `rsa` or `ed25519`: `pem`, and `public` as the DNS has it.
    ///
    /// # Panics
    ///
    /// When there is none to be had.
    #[must_use]
    pub fn signing_key(kind: &str) -> Value {
        let output = script(&["key.py", kind]).output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of its authority, as PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// A configuration of the mail plugin that leads here, with what is changed; what is null is left out.
    ///
    /// # Panics
    ///
    /// When `change` is no object.
    #[must_use]
    pub fn config(&self, change: Value) -> Value {
        let mut whole = json!({
            "smtpHost": "localhost",
            "smtpPort": self.port,
            "caCertificate": self.authority,
            "fromAddress": "desk@example.com",
            "toAddresses": ["ops@example.com"],
        });
        let Value::Object(change) = change else { panic!("no object: {change}") };
        let keys = whole.as_object_mut().unwrap();
        keys.extend(change);
        keys.retain(|_, value| !value.is_null());
        whole
    }

    /// The mails that it has taken.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        let file =
            |n: usize, ending: &str| self.folder.path().join(n.to_string()).with_added_extension(ending);
        (1..)
            .map_while(|n| {
                let told = serde_json::from_slice(&fs::read(file(n, "json")).ok()?).unwrap();
                let file = file(n, "eml");
                Some(Mail { told, read: read(&file), file })
            })
            .collect()
    }

    /// Waits until it has taken so many, and answers with all of them.
    #[must_use]
    pub fn wait(&self, count: usize) -> Vec<Mail> {
        self.wait_within(DEADLINE, count)
    }

    /// The same, where retries take their time.
    ///
    /// # Panics
    ///
    /// When they do not come.
    #[must_use]
    pub fn wait_within(&self, deadline: Duration, count: usize) -> Vec<Mail> {
        let last = self.folder.path().join(count.to_string()).with_added_extension("json");
        wait_for(deadline, &format!("{count} mails"), || last.exists().then_some(()));
        self.mails()
    }
}

impl Mail {
    /// The first header of that name, decoded; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let headers = self.read["headers"].as_array().into_iter().flatten();
        let found = headers
            .into_iter()
            .find(|pair| pair[0].as_str().is_some_and(|one| one.eq_ignore_ascii_case(name)));
        found.and_then(|pair| pair[1].as_str()).unwrap_or_default()
    }

    /// Whether its DKIM signature is right, by what the DNS says of this name; as dkimpy sees it.
    ///
    /// # Panics
    ///
    /// When it does not run.
    #[must_use]
    pub fn is_signed(&self, name: &str, record: &str) -> bool {
        let output = script(&["verify.py", self.file.to_str().unwrap(), name, record]).output().unwrap();
        match String::from_utf8_lossy(&output.stdout).trim() {
            "True" => true,
            "False" => false,
            other => panic!("{other}: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// The text of the part of this type.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn part(&self, kind: &str) -> &str {
        let parts = self.read["parts"].as_array().into_iter().flatten();
        let found = parts.into_iter().find(|part| part["type"] == kind);
        found.and_then(|part| part["text"].as_str()).unwrap_or_else(|| panic!("no {kind} in {}", self.read))
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It reads its input to the end, and ends then.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[expect(clippy::print_stderr, reason = "whoever runs the suite should know that it was not run")]
fn eprintln_skipped() {
    eprintln!(
        "Skipped: there is no Python with venv, or no package index: sudo apt-get install python3-venv"
    );
}

fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new(workspace().join("scripts/mail-server"));
    command.args(arguments);
    command
}

fn read(file: &std::path::Path) -> Value {
    let output = script(&["read.py", file.to_str().unwrap()]).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// An authority, and a certificate for `localhost` with its key, as PEM.
fn certificates() -> (String, String, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "StreamSpace test authority");
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let server_key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = server.signed_by(&server_key, &Issuer::new(params, key)).unwrap();
    (root, certificate.pem(), server_key.serialize_pem())
}
