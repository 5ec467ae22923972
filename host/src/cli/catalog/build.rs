//! `streamspace catalog build DIR --key FILE`

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use streamspace_package::{ContentHash, KeyId, SecretKey};

use super::{super::package::keys, Global};
use crate::catalog::{BuildOrder, CatalogError, build};

#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
    /// The folder with the packages; the index and its signature are written into it
    dir: PathBuf,
    /// A file with the secret key to sign with; twice while an old key and its successor are both in use
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// The catalogue's name; needed for its first index
    #[arg(long)]
    name: Option<String>,
    /// For how many days hosts believe the index
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// The public key, or its file, that later indexes may be signed with
    #[arg(long, value_name = "KEY|FILE")]
    next_key: Option<String>,
    /// Do not name the next key of the index before any more
    #[arg(long, conflicts_with = "next_key")]
    forget_next_key: bool,
    /// Revoke all packages by a key
    #[arg(long, value_name = "KEY-ID")]
    revoke_key: Vec<KeyId>,
    /// Revoke a package, by the SHA-256 of its package.json
    #[arg(long, value_name = "HASH")]
    revoke_package: Vec<ContentHash>,
    /// Withdraw a version: it is installed nowhere anew
    #[arg(long, value_name = "NAME@VERSION")]
    yank: Vec<String>,
    /// Why, for what is revoked and withdrawn
    #[arg(long, default_value = "no reason was given")]
    reason: String,
}

impl Build {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let keys: Vec<SecretKey> =
            self.key.iter().map(|path| keys::secret(path)).collect::<Result<_, _>>()?;
        let reasoned = |what: &str| (what.to_owned(), self.reason.clone());
        let order = BuildOrder {
            folder: self.dir.clone(),
            name: self.name.clone(),
            days: self.days,
            next_key: self.next_key.as_deref().map(keys::public).transpose()?,
            forget_next_key: self.forget_next_key,
            revoke_keys: self.revoke_key.iter().map(|key| (*key, self.reason.clone())).collect(),
            revoke_packages: self.revoke_package.iter().map(|hash| (*hash, self.reason.clone())).collect(),
            yank: self.yank.iter().map(|what| reasoned(what)).collect(),
        };
        let report = build(&order, &keys).map_err(|why: CatalogError| anyhow!("{why} ({})", why.code()))?;
        global.answer(&report, |report| {
            format!(
                "Index {} of the catalogue {} has packages: {}, of plugins: {}. It is believed until {}, and signed by {}.",
                report.version,
                report.name,
                report.packages,
                report.plugins,
                report.expires_at,
                report.signed_by.join(" and ")
            )
        })
    }
}
