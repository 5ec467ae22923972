use serde::{Deserialize, Serialize};

use super::Network;

/// `[sign_in]`: how browsers sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignIn {
    /// How long a sign-in may be unused, in seconds. 1 to 2592000 (30 days), default 7200 (2 hours).
    pub idle_secs: u64,
    /// How long a sign-in lasts in all, in seconds. 1 to 31536000 (a year), default 43200 (12 hours).
    pub lifetime_secs: u64,
    /// Whether browsers are told to send the cookie over HTTPS alone: `always`, or `auto` for when the request came over
    /// HTTPS, by what a trusted proxy says. Default `auto`.
    pub secure_cookie: SecureCookie,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, as CIDR networks or single addresses. Default
    /// empty.
    pub trusted_proxies: Vec<Network>,
}

impl Default for SignIn {
    fn default() -> Self {
        Self {
            idle_secs: 2 * 3600,
            lifetime_secs: 12 * 3600,
            secure_cookie: SecureCookie::Auto,
            trusted_proxies: Vec::new(),
        }
    }
}

/// When the cookie is for HTTPS alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecureCookie {
    /// When the request came over HTTPS.
    #[default]
    Auto,
    /// Always: browsers without HTTPS cannot sign in then.
    Always,
}

impl SecureCookie {
    pub(super) const NAMES: &'static [&'static str] = &["auto", "always"];
}
