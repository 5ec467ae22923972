//! `streamspace package keygen`

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::json;
use streamspace_package::SecretKey;

use super::{super::password, Global, at};
use crate::packaging::write_whole;

#[derive(Debug, Args)]
pub(in crate::cli) struct Keygen {
    /// The file of the secret key. The public key goes beside it, with `.pub` at the end
    #[arg(long, value_name = "FILE", default_value = "streamspace.key")]
    out: PathBuf,
    /// Leave the secret key as it is: whoever can read the file can sign
    #[arg(long)]
    no_password: bool,
}

impl Keygen {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let public_file = with_pub(&self.out);
        for file in [&self.out, &public_file] {
            // A key that is lost cannot be made again.
            ensure!(!file.exists(), "{} is there already: name another file with --out", file.display());
        }
        if let Some(folder) = self.out.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let password = match self.no_password {
            true => None,
            false => Some(password::read_new().context("a password for the secret key, or --no-password")?),
        };
        let key = SecretKey::generate(password.as_deref()).map_err(at(&self.out))?;
        create_private(&self.out, key.secret_file.as_bytes())
            .with_context(|| format!("cannot write {}", self.out.display()))?;
        write_whole(&public_file, |out| {
            out.write_all(key.public.to_file_text().as_bytes()).map_err(|source| {
                streamspace_package::PackageError::Io { what: "write the public key".to_owned(), source }
            })
        })
        .map_err(super::Coded)?;
        let answer = json!({
            "key_id": key.public.id(),
            "public_key": key.public,
            "secret_file": self.out,
            "public_file": public_file,
            "encrypted": password.is_some(),
        });
        global.answer(&answer, |_| {
            format!(
                "The key {} is made.\n  secret key  {}: keep it to yourself, and a copy of it in a safe place\n  \
                 public key  {}: give it to those who install your packages\n\n{}",
                key.public.id(),
                self.out.display(),
                public_file.display(),
                key.public
            )
        })
    }
}

/// Writes a new file that only its owner reads, from its first byte on.
fn create_private(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut created = options.open(file)?;
    created.write_all(content)?;
    created.sync_all()
}

fn with_pub(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}
