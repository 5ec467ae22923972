//! The configuration, and the destinations that it describes.

use lettre::{Address, message::Mailbox, transport::smtp::authentication::Credentials};
use serde::Deserialize;
use streamspace_notifier::{
    Common, Entry, Secret, Settings, switched,
    text::{plain, web_address},
};
use streamspace_plugin::prelude::{Error, Result};

use crate::{
    dkim::{self, Signer},
    people::KINDS,
    smtp::{Identity, Security, Server, Tls},
};

/// The name of the destination of those whom an event is about.
pub(crate) const USERS: &str = "users";
/// Longest name of a sender, in characters. Ours.
const MAX_NAME: usize = 100;
/// Longest `publicUrl`, in bytes: with a token behind it, it has to fit into a line of a header.
const MAX_URL: usize = 300;

/// The plugin's configuration. The manifest's `configSchema` describes the same, and has the defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the switches of the platform's configuration")]
pub(crate) struct Config {
    smtp_host: String,
    smtp_port: u16,
    username: String,
    #[serde(default)]
    password: Option<Secret>,
    #[serde(default)]
    oauth_token: Option<Secret>,
    from_address: String,
    from_name: String,
    #[serde(default)]
    reply_to: Option<String>,
    #[serde(default)]
    bounce_address: Option<String>,
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    #[serde(rename = "useTLS")]
    use_tls: bool,
    #[serde(default)]
    security: Option<Protection>,
    #[serde(default)]
    ca_certificate: Option<String>,
    #[serde(default)]
    hello_name: Option<String>,
    subject_prefix: String,
    html_format: bool,
    notify_users: bool,
    #[serde(default)]
    public_url: Option<String>,
    #[serde(default)]
    dkim: Option<dkim::Config>,
    notify_on_session_created: bool,
    notify_on_session_hibernated: bool,
    notify_on_user_created: bool,
    #[serde(flatten)]
    common: Common,
    destinations: Vec<Entry<To>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protection {
    StartTls,
    Tls,
    None,
}

/// To whom an entry of `destinations` leads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct To {
    to: Vec<String>,
    #[serde(default)]
    cc: Vec<String>,
}

/// To whom messages go, and what they look like.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) to: Recipients,
    pub(crate) style: Style,
}

/// To whom messages go.
#[derive(Debug, Clone)]
pub(crate) enum Recipients {
    /// To the same people each time.
    List { to: Vec<Address>, cc: Vec<Address> },
    /// To the one whom the event is about.
    Affected,
}

/// What messages look like.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    pub(crate) html: bool,
    pub(crate) prefix: String,
}

/// What is the same of all mails.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) server: Server,
    pub(crate) from: Mailbox,
    pub(crate) reply_to: Option<Mailbox>,
    /// What mails that cannot be delivered come back to.
    pub(crate) bounce: Address,
    /// Where this platform is, without a `/` at its end.
    pub(crate) public_url: Option<String>,
    /// What subjects begin with.
    pub(crate) prefix: String,
    /// The domain's signature.
    pub(crate) signer: Option<Signer>,
}

impl Config {
    /// What is the same of all mails.
    ///
    /// # Errors
    ///
    /// When an address is none, or what is said of the server does not fit.
    pub(crate) fn sender(&self) -> Result<Sender> {
        let from = address("fromAddress", &self.from_address)?;
        let name = plain(&self.from_name, MAX_NAME);
        let reply_to = self.reply_to.as_deref().map(|to| address("replyTo", to)).transpose()?;
        let bounce = self.bounce_address.as_deref().map(|to| address("bounceAddress", to)).transpose()?;
        let public_url = self.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
        if let Some(url) = &public_url
            && (!web_address(url, MAX_URL) || url.contains(['?', '#']))
        {
            return Err(Error::permanent(
                "`publicUrl` is no address of this platform: expected one such as https://streamspace.example.com",
            ));
        }
        Ok(Sender {
            server: Server {
                host: self.smtp_host.clone(),
                port: self.smtp_port,
                security: self.security()?,
                identity: self.identity()?,
                hello: self.hello_name.clone().unwrap_or_else(|| from.domain().to_owned()),
            },
            bounce: bounce.unwrap_or_else(|| from.clone()),
            from: Mailbox::new((!name.is_empty()).then_some(name), from),
            reply_to: reply_to.map(|to| Mailbox::new(None, to)),
            public_url,
            prefix: self.subject_prefix.clone(),
            signer: self.dkim.as_ref().map(Signer::new).transpose()?,
        })
    }

    /// What `security` says; without it, what the platform's `useTLS` and `smtpPort` do.
    fn security(&self) -> Result<Security> {
        let protection = self.security.unwrap_or(match (self.use_tls, self.smtp_port) {
            (false, _) => Protection::None,
            (true, 465) => Protection::Tls,
            (true, _) => Protection::StartTls,
        });
        let tls = || Tls::new(&self.smtp_host, self.ca_certificate.as_deref());
        Ok(match protection {
            Protection::None => Security::None,
            Protection::Tls => Security::Tls(tls()?),
            Protection::StartTls => Security::StartTls(tls()?),
        })
    }

    fn identity(&self) -> Result<Identity> {
        let secret = |secret: &Option<Secret>| {
            secret.as_ref().map(|secret| secret.expose().to_owned()).filter(|secret| !secret.is_empty())
        };
        let user = self.username.clone();
        match (user.is_empty(), secret(&self.password), secret(&self.oauth_token)) {
            (true, None, None) => Ok(Identity::Anonymous),
            (true, ..) => Err(Error::permanent(
                "there is a `password` or an `oauthToken` and no `username`: give all that the server asks for, or none",
            )),
            (false, None, None) => Err(Error::permanent(
                "there is a `username`, and neither a `password` nor an `oauthToken`: give one of them, or leave out both",
            )),
            (false, _, Some(token)) => Ok(Identity::Token(Credentials::new(user, token))),
            (false, Some(password), None) => Ok(Identity::Password(Credentials::new(user, password))),
        }
    }

    /// The destinations, with the one at the top first, and that of those whom events are about last.
    ///
    /// # Errors
    ///
    /// When there is none, two have the same name, or an address is none.
    pub(crate) fn into_settings(self) -> Result<Settings<Target>> {
        let topics = switched(&[
            (self.notify_on_session_created, "session.created"),
            (self.notify_on_session_hibernated, "session.hibernated"),
            (self.notify_on_user_created, "user.created"),
        ]);
        let style = Style { html: self.html_format, prefix: self.subject_prefix };
        let list = |keys: [&str; 2], to: &[String], cc: &[String]| -> Result<Target> {
            let read =
                |key: &str, all: &[String]| all.iter().map(|one| address(key, one)).collect::<Result<_>>();
            let to = Recipients::List { to: read(keys[0], to)?, cc: read(keys[1], cc)? };
            Ok(Target { to, style: style.clone() })
        };
        let top = match self.to_addresses.is_empty() {
            false => Some(list(["toAddresses", "ccAddresses"], &self.to_addresses, &self.cc_addresses)?),
            true if self.cc_addresses.is_empty() => None,
            true => return Err(Error::permanent("there are `ccAddresses` and no `toAddresses`")),
        };
        let mut entries = self
            .destinations
            .into_iter()
            .map(|entry| {
                entry.map(|name, To { to, cc }| {
                    let (to_key, cc_key) =
                        (format!("destinations.{name}.to"), format!("destinations.{name}.cc"));
                    list([&to_key, &cc_key], &to, &cc)
                })
            })
            .collect::<Result<Vec<_>>>()?;
        if self.notify_users {
            entries.push(Entry {
                name: USERS.to_owned(),
                topics: KINDS.iter().map(|kind| kind.topic.to_owned()).collect(),
                users: Vec::new(),
                teams: Vec::new(),
                templates: Vec::new(),
                min_severity: Default::default(),
                quiet_hours: None,
                // The limit is that of one mailbox, and these are many.
                rate_limit: Some(0.0),
                target: Target { to: Recipients::Affected, style: style.clone() },
            });
        }
        Settings::new(self.common, &topics, top, entries)
    }
}

fn address(key: &str, text: &str) -> Result<Address> {
    usable(text).ok_or_else(|| {
        Error::permanent(format!(
            "`{key}`: `{}` is not an address that mail can be sent to",
            plain(text, 100)
        ))
    })
}

/// An address that every server takes: ASCII, as domains are written in the DNS.
pub(crate) fn usable(text: &str) -> Option<Address> {
    let text = text.trim();
    // Of what RFC 5321 lets stand in quotes or brackets nothing is needed, and much is harm.
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\()<>[],:;".contains(&b));
    text.parse().ok().filter(|_| plain && text.len() <= 254)
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};
    use streamspace_notifier::{DEFAULT, testing::Schema};

    use super::*;

    fn config(value: &Value) -> Result<Config, String> {
        Schema::of(include_str!("../manifest.json")).read(value)
    }

    fn settings(value: &Value) -> Result<(Sender, Settings<Target>), String> {
        let config = config(value)?;
        let sender = config.sender().map_err(|why| why.to_string())?;
        Ok((sender, config.into_settings().map_err(|why| why.to_string())?))
    }

    fn with(change: Value) -> Value {
        let mut all = json!({"smtpHost": "localhost", "fromAddress": "desk@example.com", "toAddresses": ["ops@example.com"]});
        all.as_object_mut().expect("object").extend(change.as_object().expect("object").clone());
        all
    }

    /// The looks of a configuration with nothing but what is required.
    pub(crate) fn style() -> Style {
        settings(&with(json!({}))).expect("settings").1.destinations.remove(0).target.style
    }

    #[test]
    fn the_example_is_valid_and_read() {
        let example: Value = serde_json::from_str(include_str!("../config.example.json")).expect("JSON");
        let (_, settings) = settings(&example).expect("settings");
        let names: Vec<_> = settings.destinations.iter().map(|to| to.name.as_str()).collect();
        assert_eq!(names, [DEFAULT, "on-call", "design-team", USERS]);
        assert_eq!(settings.destinations[0].per_hour, Some(30));
        assert_eq!(settings.destinations[3].per_hour, None);
    }

    #[test]
    fn a_configuration_of_the_platform_is_taken() {
        let (sender, settings) = settings(&json!({
            "smtpHost": "smtp.example.com", "smtpPort": 465, "username": "u", "password": "p",
            "fromAddress": "desk@example.com", "fromName": "Desk", "toAddresses": ["a@example.com"],
            "ccAddresses": ["b@example.com"], "useTLS": true, "notifyOnSessionCreated": true,
            "notifyOnSessionHibernated": false, "notifyOnUserCreated": true, "includeDetails": false,
            "htmlFormat": false, "rateLimit": 12.5,
        }))
        .expect("settings");
        assert!(matches!(sender.server.security, Security::Tls(_)));
        assert_eq!(settings.destinations[0].topics, ["session.created", "user.created"]);
        assert_eq!(settings.destinations[0].per_hour, Some(12));
        assert!(!settings.destinations[0].target.style.html && !settings.details);
    }

    #[test]
    fn security_is_that_of_the_port_unless_it_is_said() {
        let security = |change| match settings(&with(change)).expect("settings").0.server.security {
            Security::Tls(_) => "tls",
            Security::StartTls(_) => "starttls",
            Security::None => "none",
        };
        assert_eq!(security(json!({})), "starttls");
        assert_eq!(security(json!({"smtpPort": 465})), "tls");
        assert_eq!(security(json!({"smtpPort": 25})), "starttls");
        assert_eq!(security(json!({"smtpPort": 465, "useTLS": false})), "none");
        assert_eq!(security(json!({"smtpPort": 2465, "security": "tls"})), "tls");
        assert_eq!(security(json!({"useTLS": false, "security": "starttls"})), "starttls");
        assert_eq!(security(json!({"security": "none"})), "none");
    }

    #[test]
    fn who_we_are_is_said_whole_or_not_at_all() {
        let identity = |change| settings(&with(change)).map(|(sender, _)| sender.server.identity);
        assert!(matches!(identity(json!({})), Ok(Identity::Anonymous)));
        assert!(matches!(identity(json!({"username": "", "password": ""})), Ok(Identity::Anonymous)));
        assert!(matches!(identity(json!({"username": "u", "password": "p"})), Ok(Identity::Password(_))));
        assert!(matches!(identity(json!({"username": "u", "oauthToken": "t"})), Ok(Identity::Token(_))));
        assert!(identity(json!({"username": "u"})).is_err());
        assert!(identity(json!({"password": "p"})).is_err());
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for bad in [
            json!({"smtpHost": "localhost", "fromAddress": "a@example.com"}),
            json!({"smtpHost": "localhost", "fromAddress": "a@example.com", "ccAddresses": ["a@example.com"]}),
            json!({"smtpHost": "localhost", "fromAddress": "a@example.com", "notifyUsers": false}),
            with(json!({"smtpHost": "mail example"})),
            with(json!({"smtpHost": "mail\r\nQUIT"})),
            with(json!({"smtpPort": 0})),
            with(json!({"fromAddress": "desk"})),
            with(json!({"fromAddress": "desk@example.com>\r\nRCPT TO:<eve@example.com"})),
            with(json!({"toAddresses": ["Ops <ops@example.com>"]})),
            with(json!({"toAddresses": ["\u{f6}ps@example.com"]})),
            with(json!({"toAddresses": []})),
            with(json!({"username": "u\n", "password": "p"})),
            with(json!({"caCertificate": "nothing"})),
            with(json!({"caCertificate": "-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----"})),
            with(json!({"security": "opportunistic"})),
            with(json!({"publicUrl": "streamspace.example.com"})),
            with(json!({"publicUrl": "https://streamspace.example.com/?x"})),
            with(json!({"helloName": "a b"})),
            with(json!({"destinations": [{"name": "ops"}]})),
            with(json!({"destinations": [{"name": "ops", "to": []}]})),
            with(json!({"destinations": [{"name": "default", "to": ["a@example.com"]}]})),
            with(json!({"notifyUsers": true, "destinations": [{"name": "users", "to": ["a@example.com"]}]})),
            with(json!({"rateLimit": -1})),
            with(json!({"smtpTls": true})),
        ] {
            assert!(settings(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_has_nothing_that_means_something_else() {
        assert!(usable("ada.lovelace+x@mail.example.com").is_some());
        assert!(usable(" ada@example.com ").is_some());
        for bad in [
            "",
            "ada",
            "\"a b\"@example.com",
            "ada@[127.0.0.1]",
            "a\r\n@example.com",
            "\u{e4}@example.com",
            "a@b@c",
        ] {
            assert_eq!(usable(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let value = with(json!({"username": "u", "password": "hunter2", "oauthToken": "hunter2"}));
        let shown = format!(
            "{:?}{:?}",
            config(&value).expect("a configuration"),
            settings(&value).expect("settings")
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
