//! `streamspace trust …`

mod sign;

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;

use super::{Global, package::keys, target::Target};
use crate::{
    config::Overrides,
    install::{KeyView, Revoked, TrustView},
    store::read_bounded,
};

/// The largest file with a list of revocations, in bytes.
const MAX_LIST_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Trust a vendor's key: take its packages
    Add {
        /// The key, as minisign writes it, or its `.pub` file
        key: String,
        /// The name to know its owner by
        #[arg(long)]
        name: String,
    },
    /// List the keys that are trusted, what is revoked, and what may be unsigned
    List {},
    /// Trust a key no more. What it had signed stays installed
    Remove {
        /// Its id or its name
        key: String,
    },
    /// Revoke a key or a package, for good
    Revoke {
        /// The id of a key, or the SHA-256 of a package.json
        #[arg(required_unless_present = "file")]
        subject: Option<String>,
        /// Why
        #[arg(long, default_value = "", conflicts_with = "file")]
        reason: String,
        /// A list: a line each, what is revoked and behind it why
        #[arg(long, value_name = "LIST", conflicts_with = "subject")]
        file: Option<PathBuf>,
    },
    /// Let a plugin be unsigned for a while. For development
    AllowUnsigned {
        /// The plugin
        plugin: String,
        /// The last day on which it may, such as 2026-12-31, in UTC
        #[arg(long, value_name = "DATE")]
        until: String,
    },
    /// Sign a package with this host's own key, which is made at the first use
    Sign(sign::Sign),
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let config = global.load(Overrides::default())?;
        if let Self::Sign(sign) = self {
            return sign.run(global, &config);
        }
        let target = Target::find(&config)?;
        match self {
            Self::Add { key, name } => {
                // Read here: a secret key that was named by mistake goes to no host.
                let key = keys::public(key)?;
                global.answer(&target.trust_key(&key.to_string(), name)?, |key| {
                    format!("Packages that are signed with {} ({}) are taken.", key.id, key.name)
                })
            }
            Self::List {} => global.answer(&target.trust()?, listed),
            Self::Remove { key } => global.answer(&target.distrust_key(key)?, |key| {
                format!("{} ({}) is trusted no more. What it had signed stays installed.", key.id, key.name)
            }),
            Self::Revoke { subject, reason, file } => {
                let revoked = match (subject, file) {
                    (_, Some(file)) => target.revoke_list(&text(file, MAX_LIST_BYTES)?)?,
                    (subject, None) => target.revoke(subject.as_deref().unwrap_or_default(), reason)?,
                };
                global.answer(&revoked, said)
            }
            Self::AllowUnsigned { plugin, until } => {
                global.answer(&target.allow_unsigned(plugin, until)?, |allowed| {
                    format!("{} may be unsigned until the end of {}, UTC.", allowed.plugin, allowed.until)
                })
            }
            Self::Sign(_) => Ok(()),
        }
    }
}

fn text(path: &std::path::Path, most: u64) -> anyhow::Result<String> {
    let bytes = read_bounded(path, most)?;
    String::from_utf8(bytes).with_context(|| format!("{} is no text", path.display()))
}

fn listed(trust: &TrustView) -> String {
    let mut lines: Vec<String> = trust.keys.iter().map(line).collect();
    if lines.is_empty() {
        lines.push("No key is trusted. Trust a vendor's with `streamspace trust add`.".to_owned());
    }
    lines.extend(trust.revocations.iter().map(|revoked| {
        format!("revoked  {}  since {}  {}", revoked.subject, revoked.revoked_at, revoked.reason)
    }));
    lines.extend(trust.unsigned.iter().map(|allowed| {
        let over = if allowed.expired { "  which is over" } else { "" };
        format!("unsigned  {}  until {}{over}", allowed.plugin, allowed.until)
    }));
    lines.join("\n")
}

fn line(key: &KeyView) -> String {
    let revoked = if key.revoked { "  REVOKED" } else { "" };
    format!("{:8}  {}  {}  {}{revoked}", key.level.name(), key.id, key.key, key.name)
}

fn said(revoked: &Revoked) -> String {
    let mut text = match revoked.revoked {
        0 => "It was revoked already.".to_owned(),
        count => format!("Newly revoked, for good: {count}."),
    };
    if !revoked.plugins.is_empty() {
        let plugins = revoked.plugins.join(", ");
        text.push_str(&format!(
            "\nConcerned: {plugins}. Each runs until it is stopped, and is not loaded again. Upgrade or disable it."
        ));
    }
    text
}
