//! `streamspace package verify FILE --key PUBLIC`

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;
use streamspace_package::{Keyring, PackageError, Signer};

use super::{Coded, Global, Undecided, at, keys, open};
use crate::packaging::{PackagingError, check_libraries};

#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The package
    file: PathBuf,
    /// A public key whose signature will do: a file, or the key itself. May be given several times
    #[arg(long = "key", value_name = "PUBLIC", required = true)]
    keys: Vec<String>,
}

impl Verify {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        self.check(global).map_err(Undecided::sorted)
    }

    fn check(&self, global: &Global) -> anyhow::Result<()> {
        let mut keyring = Keyring::new();
        for key in &self.keys {
            keyring.trust(keys::public(key)?, key.as_str());
        }
        let (package, _) = open(&self.file)?;
        let failed = at(&self.file);
        let mut package = package.verify(&keyring).map_err(|why| match why {
            // No host is asked here, so that there is no key to be trusted on one.
            PackageError::UnknownKey { ref trusted, ref found } => anyhow!(
                "{}: expected a signature by {}, found one by {}. If that is its vendor's key too, give it with `--key` ({})",
                self.file.display(),
                trusted.join(" or "),
                found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                why.code()
            ),
            why => failed(why).into(),
        })?;
        let mut files = 0;
        package.check(|_| files += 1).map_err(&failed)?;
        let libraries = check_libraries(&mut package).map_err(|why| match why {
            PackagingError::Package { source, .. } => failed(source),
            why => Coded(why),
        })?;
        let document = package.document();
        let signers = package.signers();
        let vendor = package.vendor().map(Signer::key_id);
        let answer = json!({
            "name": document.name,
            "version": document.version,
            "hash": package.hash(),
            "signers": signers.iter().map(|signer| json!({
                "key_id": signer.key_id(), "key": signer.name, "comment": signer.comment,
            })).collect::<Vec<_>>(),
            "vendor": vendor,
            "signatures": package.signatures().len(),
            "files": files,
            "libraries": libraries,
        });
        global.answer(&answer, |_| {
            let mut lines = vec![format!("{} {} is good.", document.name, document.version)];
            for signer in signers {
                let whose = match vendor == Some(signer.key_id()) {
                    true => "which it names as its vendor's",
                    false => "which it does not name as its vendor's",
                };
                lines.push(format!("  signature  by {} ({}), {whose}", signer.key_id(), signer.name));
            }
            let others = package.signatures().len() - signers.len();
            if others > 0 {
                lines.push(format!("             {others} more by keys that were not given, not checked"));
            }
            lines.push(format!("  document   package.json is what was signed, SHA-256 {}", package.hash()));
            lines.push(format!("  files      {files}, each as long and with the hash that was signed"));
            lines.push("  manifest   says the same as package.json".to_owned());
            lines.push(format!("  libraries  {libraries}, each says the same in its own note; the glibc that each needs is right"));
            lines.join("\n")
        })
    }
}
