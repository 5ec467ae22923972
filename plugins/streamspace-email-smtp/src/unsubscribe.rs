//! Links by which somebody gets no more mails, without signing in: what they stand for, and a proof that it was written here.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac::{self, HMAC_SHA256},
    rand::{SecureRandom, SystemRandom},
};
use streamspace_plugin::prelude::{Context, Error, Result};

/// Where the key is kept.
const KEY: &str = "unsubscribe-key";

/// What a link is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// Mails of one kind to a user.
    Kind { user: String, topic: String },
    /// All mails to an address.
    Address(String),
}

/// Writes links, and reads those that it wrote.
pub(crate) struct Links {
    key: hmac::Key,
    /// What stands before a token.
    base: Option<String>,
}

impl Links {
    /// `[setup]` With the key of this installation, which is made at the first time.
    ///
    /// # Errors
    ///
    /// When it cannot be read or made.
    pub(crate) fn new(context: &Context, public_url: Option<&str>) -> Result<Self> {
        let storage = context.storage();
        let known: Option<String> = storage.get(KEY)?;
        let text = match known {
            Some(text) => text,
            None => {
                let mut fresh = [0; 32];
                SystemRandom::new()
                    .fill(&mut fresh)
                    .map_err(|_| Error::new("there is no randomness to be had"))?;
                storage.insert(KEY, &URL_SAFE_NO_PAD.encode(fresh))?;
                // Another instance may have been faster.
                storage.get(KEY)?.unwrap_or_default()
            }
        };
        let key = URL_SAFE_NO_PAD.decode(&text).ok().filter(|key| key.len() == 32);
        let key = key.ok_or_else(|| Error::permanent(format!("the stored `{KEY}` is none: remove it")))?;
        let base = public_url.map(|url| format!("{url}/api/plugins/{}/unsubscribe/", context.name()));
        Ok(Self { key: hmac::Key::new(HMAC_SHA256, &key), base })
    }

    /// The address of a link, if it is known where this platform is.
    pub(crate) fn address(&self, link: &Link) -> Option<String> {
        Some(format!("{}{}", self.base.as_ref()?, self.token(link)))
    }

    fn token(&self, link: &Link) -> String {
        let said = match link {
            Link::Kind { user, topic } => format!("kind\0{topic}\0{user}"),
            Link::Address(address) => format!("address\0{address}"),
        };
        let proof = hmac::sign(&self.key, said.as_bytes());
        format!("{}.{}", URL_SAFE_NO_PAD.encode(said), URL_SAFE_NO_PAD.encode(proof))
    }

    /// What a token stands for, if it was written here.
    pub(crate) fn read(&self, token: &str) -> Option<Link> {
        let (said, proof) = token.split_once('.')?;
        let said = URL_SAFE_NO_PAD.decode(said).ok()?;
        let proof = URL_SAFE_NO_PAD.decode(proof).ok()?;
        hmac::verify(&self.key, &said, &proof).ok()?;
        let said = String::from_utf8(said).ok()?;
        match said.split_once('\0')? {
            ("kind", rest) => {
                let (topic, user) = rest.split_once('\0')?;
                Some(Link::Kind { user: user.to_owned(), topic: topic.to_owned() })
            }
            ("address", address) => Some(Link::Address(address.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("base", &self.base).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(key: u8) -> Links {
        Links { key: hmac::Key::new(HMAC_SHA256, &[key; 32]), base: Some("https://a.example/u/".into()) }
    }

    #[test]
    fn a_link_is_read_by_the_one_who_wrote_it() {
        let links_here = links(1);
        for link in [
            Link::Kind { user: "u-1".into(), topic: "session.idle".into() },
            Link::Address("ada@example.com".into()),
        ] {
            let address = links_here.address(&link).expect("an address");
            let token = address.strip_prefix("https://a.example/u/").expect("the base");
            assert_eq!(links_here.read(token), Some(link.clone()));
            assert_eq!(links(2).read(token), None, "another installation's");
            let (said, proof) = token.split_once('.').expect("two parts");
            let other = URL_SAFE_NO_PAD.encode("address\0bob@example.com");
            for forged in [String::new(), said.to_owned(), format!("{said}."), format!("{other}.{proof}")] {
                assert_eq!(links_here.read(&forged), None, "{forged}");
            }
        }
    }
}
