//! What comes from outside, and its bounds.

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use super::SessionError;
use crate::hex::hex;

/// The longest name of a user or a template, in bytes.
const MAX_NAME_BYTES: usize = 255;
/// The longest reason, in bytes.
const MAX_REASON_BYTES: usize = 1024;
/// The longest stack trace, in bytes.
const MAX_STACK_BYTES: usize = 16 * 1024;
/// The longest URL, in bytes.
const MAX_URL_BYTES: usize = 2048;
/// The most tags of a session.
pub const MAX_TAGS: usize = 32;
/// The longest tag, in bytes.
const MAX_TAG_BYTES: usize = 64;
/// The longest idle timeout: a year.
const MAX_IDLE_SECS: u64 = 365 * 24 * 3600;
/// The longest name of a host (RFC 1035, 2.3.4) and its port.
const MAX_ADDRESS_BYTES: usize = 253 + 6;

/// Resources, as Kubernetes writes quantities (`500m`, `2Gi`). An empty text stands for none given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionResources {
    /// Processor, e.g. `1000m`.
    pub cpu: String,
    /// Memory, e.g. `2Gi`.
    pub memory: String,
    /// Storage, e.g. `10Gi`.
    pub storage: String,
}

/// A session to be made.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// Its id: 1 to 64 letters, digits, `-`, `_` and `.`, the first a letter or digit. Without one, the host makes a UUID.
    #[serde(default)]
    pub id: Option<String>,
    /// The user whose it is. 1 to 255 bytes.
    pub owner: String,
    /// What its desktop is made from. 1 to 255 bytes.
    pub template: String,
    /// What it asks for.
    #[serde(default)]
    pub resources: SessionResources,
    /// At most 32 of 1 to 64 bytes.
    #[serde(default)]
    pub tags: Vec<String>,
    /// After how many seconds without its user it may be put to rest, 1 to 31536000 (a year). Without it, never.
    #[serde(default)]
    pub idle_timeout_secs: Option<u64>,
    /// Whether the user's files outlive it.
    #[serde(default)]
    pub persistent_home: bool,
}

/// What is to be changed of a session. What is not there stays.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionPatch {
    /// As in `NewSession`.
    pub template: Option<String>,
    /// As in `NewSession`; each of them by itself.
    pub resources: Option<ResourcesPatch>,
    /// As in `NewSession`: all of them.
    pub tags: Option<Vec<String>>,
    /// Where the desktop speaks RFB (RFC 6143): `host:port`. `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub rfb_address: Option<Option<String>>,
    /// Where a browser opens the session, `http` or `https`. `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub url: Option<Option<String>>,
    /// As in `NewSession`. `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    pub idle_timeout_secs: Option<Option<u64>>,
    /// As in `NewSession`.
    pub persistent_home: Option<bool>,
}

/// Resources that are to be others.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourcesPatch {
    /// As in `SessionResources`.
    pub cpu: Option<String>,
    /// As in `SessionResources`.
    pub memory: Option<String>,
    /// As in `SessionResources`.
    pub storage: Option<String>,
}

/// What a session uses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionUsage)]
pub struct Usage {
    /// Processor, in cores.
    pub cpu: f64,
    /// Memory, in bytes.
    pub memory: f64,
    /// Storage, in bytes.
    #[serde(default)]
    pub storage: f64,
}

/// Somebody connects.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConnection {
    /// Its id, as a session's. Without one, the host makes a UUID.
    #[serde(default)]
    pub id: Option<String>,
    /// Where from: an IP address. May be missing.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub client_address: Option<std::net::IpAddr>,
    /// With what, at most 512 bytes. May be missing.
    #[serde(default)]
    pub user_agent: String,
}

/// How much another user may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ShareAccess)]
pub enum Access {
    /// To look.
    View,
    /// To look, and to use keyboard and pointer.
    Control,
}

impl Access {
    /// Its name, as it is written everywhere.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Control => "control",
        }
    }
}

/// Tells `null` from what is not there.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl NewSession {
    pub(super) fn check(&self) -> Result<(), SessionError> {
        if let Some(id) = &self.id {
            check_id("id", id)?;
        }
        check_name("owner", &self.owner)?;
        check_name("template", &self.template)?;
        check_quantity("resources.cpu", &self.resources.cpu)?;
        check_quantity("resources.memory", &self.resources.memory)?;
        check_quantity("resources.storage", &self.resources.storage)?;
        check_tags(&self.tags)?;
        check_idle_timeout(self.idle_timeout_secs)
    }

    /// Tells requests apart that have the same id or key.
    pub(super) fn fingerprint(&self) -> String {
        hex(&Sha256::digest(serde_json::to_vec(self).unwrap_or_default()))
    }
}

impl SessionPatch {
    pub(super) fn check(&self) -> Result<(), SessionError> {
        if let Some(template) = &self.template {
            check_name("template", template)?;
        }
        if let Some(resources) = &self.resources {
            check_quantity("resources.cpu", resources.cpu.as_deref().unwrap_or_default())?;
            check_quantity("resources.memory", resources.memory.as_deref().unwrap_or_default())?;
            check_quantity("resources.storage", resources.storage.as_deref().unwrap_or_default())?;
        }
        check_tags(self.tags.as_deref().unwrap_or_default())?;
        if let Some(Some(address)) = &self.rfb_address {
            check_address(address)?;
        }
        if let Some(Some(url)) = &self.url {
            check_url(url)?;
        }
        check_idle_timeout(self.idle_timeout_secs.flatten())
    }

    /// Whether it is about what belongs to those who make desktops.
    pub(super) fn is_for_controllers(&self) -> bool {
        self.rfb_address.is_some() || self.url.is_some()
    }
}

impl Usage {
    pub(super) fn check(self) -> Result<(), SessionError> {
        for (field, number) in [("cpu", self.cpu), ("memory", self.memory), ("storage", self.storage)] {
            // Above this a number has no unit any more that a desktop could have.
            if !(0.0..=1e18).contains(&number) {
                return Err(invalid(field, "a number from 0 to 1e18", number.to_string()));
            }
        }
        Ok(())
    }
}

impl NewConnection {
    pub(super) fn check(&self) -> Result<(), SessionError> {
        if let Some(id) = &self.id {
            check_id("id", id)?;
        }
        check_text("user_agent", &self.user_agent, 512)
    }
}

fn invalid(field: &'static str, expected: &str, found: impl Into<String>) -> SessionError {
    SessionError::Invalid { field, expected: expected.to_owned(), found: found.into() }
}

/// A text as an error shows it.
fn shown(text: &str) -> String {
    format!("`{}`, {} bytes", text.chars().take(80).collect::<String>().escape_debug(), text.len())
}

pub(super) fn check_id(field: &'static str, id: &str) -> Result<(), SessionError> {
    let first = id.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if first && id.len() <= 64 && id.bytes().all(valid) {
        return Ok(());
    }
    let expected = "1 to 64 letters, digits, `-`, `_` and `.`, the first a letter or digit";
    Err(invalid(field, expected, shown(id)))
}

pub(super) fn check_key(key: &str) -> Result<(), SessionError> {
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(invalid("Idempotency-Key", "1 to 255 visible ASCII characters", shown(key)))
}

pub(super) fn check_name(field: &'static str, name: &str) -> Result<(), SessionError> {
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len()) && name.trim() == name;
    if fits && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let expected = "1 to 255 bytes without control characters and without spaces around them";
    Err(invalid(field, expected, shown(name)))
}

fn check_text(field: &'static str, text: &str, limit: usize) -> Result<(), SessionError> {
    if text.len() <= limit && !text.contains('\0') {
        return Ok(());
    }
    Err(invalid(field, &format!("at most {limit} bytes without NUL"), shown(text)))
}

pub(super) fn check_reason(reason: &str, stack: Option<&str>) -> Result<(), SessionError> {
    check_text("reason", reason, MAX_REASON_BYTES)?;
    check_text("stack", stack.unwrap_or_default(), MAX_STACK_BYTES)
}

/// A quantity (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>), or nothing.
fn check_quantity(field: &'static str, text: &str) -> Result<(), SessionError> {
    let number = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let suffix = &text[number.len()..];
    let known = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = match number.split_once('.') {
        Some((whole, rest)) => digits(whole) && digits(rest),
        None => digits(number),
    };
    if text.is_empty() || (text.len() <= 32 && is_number && known.contains(&suffix)) {
        return Ok(());
    }
    Err(invalid(field, "a quantity such as `500m`, `1.5` or `2Gi`", shown(text)))
}

fn check_tags(tags: &[String]) -> Result<(), SessionError> {
    if tags.len() > MAX_TAGS {
        return Err(invalid("tags", &format!("at most {MAX_TAGS}"), tags.len().to_string()));
    }
    for tag in tags {
        if !(1..=MAX_TAG_BYTES).contains(&tag.len()) || tag.chars().any(char::is_control) {
            let expected = "each 1 to 64 bytes without control characters";
            return Err(invalid("tags", expected, shown(tag)));
        }
    }
    Ok(())
}

fn check_idle_timeout(secs: Option<u64>) -> Result<(), SessionError> {
    match secs {
        Some(secs) if !(1..=MAX_IDLE_SECS).contains(&secs) => {
            Err(invalid("idle_timeout_secs", "1 to 31536000 (a year), or `null`", secs.to_string()))
        }
        _ => Ok(()),
    }
}

/// `host:port`. The host is a name, an IPv4 address, or an IPv6 address in brackets.
fn check_address(address: &str) -> Result<(), SessionError> {
    let valid = || {
        let (host, port) = address.rsplit_once(':')?;
        let is_port = !port.starts_with(['0', '+']) && port.parse::<u16>().is_ok();
        let host_matches = match url::Host::parse(host).ok()? {
            // What is parsed must be what was written: `0x7f.1` is an address in disguise.
            url::Host::Domain(name) => name == host.to_ascii_lowercase() && !host.contains(['%', '_']),
            url::Host::Ipv4(ip) => ip.to_string() == host,
            url::Host::Ipv6(_) => true,
        };
        (is_port && host_matches && address.is_ascii()).then_some(())
    };
    if address.len() <= MAX_ADDRESS_BYTES && valid().is_some() {
        return Ok(());
    }
    // What was found is not shown: the address is nobody's business who may not see it.
    let expected = "`host:port`, the host a name, an IPv4 address or an IPv6 address in brackets";
    Err(invalid("rfb_address", expected, "something else"))
}

fn check_url(text: &str) -> Result<(), SessionError> {
    let parsed = url::Url::parse(text).ok().filter(|_| text.len() <= MAX_URL_BYTES);
    if parsed.is_some_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
    }) {
        return Ok(());
    }
    Err(invalid("url", "an `http` or `https` URL without a password, of at most 2048 bytes", "another text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_reading() {
        for address in ["10.0.0.7:5900", "[2001:db8::1]:5901", "desktop-1.sessions.svc:1", "Host:65535"] {
            assert!(check_address(address).is_ok(), "{address}");
        }
        for address in [
            "",
            ":5900",
            "host",
            "host:",
            "host:0",
            "host:65536",
            "host:+5",
            "host:05",
            "a b:5900",
            "::1:5900",
            "http://host:5900",
            "user@host:5900",
            "host/x:5900",
            "0x7f.1:5900",
            "127.1:5900",
            "h\u{f6}st:5900",
            "host\n:5900",
            "[::1:5900",
            "unix:/tmp/x",
        ] {
            assert!(check_address(address).is_err(), "{address:?}");
        }
    }

    #[test]
    fn quantities() {
        for text in ["", "1", "0.5", "500m", "2Gi", "1.5Ti", "100k"] {
            assert!(check_quantity("x", text).is_ok(), "{text}");
        }
        for text in ["-1", ".5", "1.", "1e3x", "Gi", "1 Gi", "2gb", "1Gi\0", "\u{663}", &"1".repeat(33)] {
            assert!(check_quantity("x", text).is_err(), "{text}");
        }
    }

    #[test]
    fn null_is_not_the_same_as_nothing() {
        let patch: SessionPatch = serde_json::from_str(r#"{"url": null}"#).expect("a patch");
        assert_eq!((patch.url, patch.rfb_address), (Some(None), None));
        assert!(serde_json::from_str::<SessionPatch>(r#"{"owner": "x"}"#).is_err());
    }
}
