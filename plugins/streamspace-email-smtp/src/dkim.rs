//! A signature by the sender's domain: RFC 6376 with RSA, RFC 8463 with Ed25519, both `relaxed/relaxed`.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use serde::Deserialize;
use streamspace_notifier::Secret;
use streamspace_plugin::prelude::{Error, Result};

/// What is signed, where it is there: what a reader sees and what a mail program acts on (RFC 6376, section 5.4.1; for the last two,
/// RFC 8058, section 4).
const SIGNED: [&str; 14] = [
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "list-unsubscribe",
    "list-unsubscribe-post",
];
/// Characters of a line of the signature.
const LINE: usize = 70;

/// The key `dkim` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Config {
    domain: String,
    selector: String,
    private_key: Secret,
}

/// Signs mails.
pub(crate) struct Signer {
    domain: String,
    selector: String,
    key: Key,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    /// With the key of a domain.
    ///
    /// # Errors
    ///
    /// When the key is none, or too short. The message shows nothing of it.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let wrong = |why: &str| {
            Error::permanent(format!(
                "`dkim.privateKey` {why}: expected PEM of an RSA key of 2048 bits or more, or of an Ed25519 key in PKCS#8"
            ))
        };
        let der = PrivateKeyDer::from_pem_slice(config.private_key.expose().as_bytes())
            .map_err(|_| wrong("is no private key in PEM"))?;
        let key = match &der {
            PrivateKeyDer::Pkcs1(der) => {
                RsaKeyPair::from_der(der.secret_pkcs1_der()).map(|key| Key::Rsa(Box::new(key)))
            }
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
                    .map(Key::Ed25519)
                    .or_else(|_| RsaKeyPair::from_pkcs8(der).map(|key| Key::Rsa(Box::new(key))))
            }
            _ => return Err(wrong("is of another kind")),
        };
        let key = key.map_err(|why| wrong(&format!("cannot be used ({why})")))?;
        Ok(Self { domain: config.domain.clone(), selector: config.selector.clone(), key })
    }

    /// The mail, with a signature before its headers.
    pub(crate) fn sign(&self, mail: &[u8], now: SystemTime) -> Result<Vec<u8>> {
        let text = std::str::from_utf8(mail).map_err(|_| Error::new("a mail is not seven bits"))?;
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let headers = headers(head);
        let signed: Vec<&(String, String)> =
            SIGNED.iter().filter_map(|name| headers.iter().find(|(known, _)| known == name)).collect();
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let (algorithm, body_hash) =
            (self.algorithm(), STANDARD.encode(digest(&SHA256, relaxed_body(body).as_bytes())));
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // `from` once more: another one that somebody adds is not covered by this signature.
        let header = format!(
            "v=1; a={algorithm}; c=relaxed/relaxed; d={};\r\n s={}; t={seconds};\r\n h={}:from;\r\n bh={body_hash};\r\n b=",
            self.domain,
            self.selector,
            names.join(":\r\n  "),
        );
        let mut input: String = signed.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect();
        input.push_str("dkim-signature:");
        input.push_str(&relaxed(&header));
        let signature = STANDARD.encode(self.signature(input.as_bytes())?);
        let lines: Vec<&str> =
            signature.as_bytes().chunks(LINE).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        Ok(format!("DKIM-Signature: {header}{}\r\n{text}", lines.join("\r\n  ")).into_bytes())
    }

    fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Rsa(_) => "rsa-sha256",
            Key::Ed25519(_) => "ed25519-sha256",
        }
    }

    fn signature(&self, input: &[u8]) -> Result<Vec<u8>> {
        match &self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature)
                    .map_err(|_| Error::new("the mail cannot be signed"))?;
                Ok(signature)
            }
            // RFC 8463, section 3: it signs the hash.
            Key::Ed25519(key) => Ok(key.sign(digest(&SHA256, input).as_ref()).as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("domain", &self.domain)
            .field("selector", &self.selector)
            .finish_non_exhaustive()
    }
}

/// Names in lower case, and values in the relaxed form, of the headers of a mail that we wrote.
fn headers(head: &str) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match (line.starts_with([' ', '\t']), headers.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => value.push_str(line),
            (_, _, Some((name, value))) => headers.push((name.trim().to_ascii_lowercase(), value.to_owned())),
            _ => {}
        }
    }
    headers.into_iter().map(|(name, value)| (name, relaxed(&value))).collect()
}

/// RFC 6376, section 3.4.2: one line, one blank where there were several, none at either end.
fn relaxed(value: &str) -> String {
    value.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// RFC 6376, section 3.4.4: the same in each line, and no empty lines at the end.
fn relaxed_body(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    for line in body.split("\r\n") {
        let line = line.trim_end_matches([' ', '\t']);
        let mut blank = false;
        for c in line.chars() {
            if c == ' ' || c == '\t' {
                blank = true;
            } else {
                if std::mem::take(&mut blank) {
                    out.push(' ');
                }
                out.push(c);
            }
        }
        out.push_str("\r\n");
    }
    let end = out.trim_end_matches("\r\n").len();
    out.truncate(end);
    if !out.is_empty() {
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relaxed_forms_are_those_of_the_rfc() {
        // RFC 6376, section 3.4.5.
        let head = "A: X\r\nB : Y\t\r\n\tZ  ";
        assert_eq!(headers(head), [("a".to_owned(), "X".to_owned()), ("b".to_owned(), "Y Z".to_owned())]);
        assert_eq!(relaxed_body(" C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
        assert_eq!(relaxed_body(""), "");
        assert_eq!(relaxed_body("a"), "a\r\n");
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for pem in ["hunter2", "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n"] {
            let config = serde_json::json!({"domain": "example.com", "selector": "s", "privateKey": pem});
            let config: Config = serde_json::from_value(config).expect("a configuration");
            let why = Signer::new(&config).expect_err("no key").to_string();
            assert!(!why.contains("hunter2") && !why.contains("aHVudGVyMg"), "{why}");
            assert!(why.contains("`dkim.privateKey`"), "{why}");
        }
    }
}
