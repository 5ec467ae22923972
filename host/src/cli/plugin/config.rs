//! `streamspace plugin config get NAME` and `… set NAME FILE`

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Subcommand;
use serde_json::Value;

use super::{super::target::Target, Global, answer_running};

/// The largest configuration that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Verb {
    /// Show the configuration, with the defaults and without the secrets
    Get {
        /// The plugin
        name: String,
    },
    /// Change the configuration by a JSON merge patch (RFC 7396): what is named is set, what is null is removed
    Set {
        /// The plugin
        name: String,
        /// The file with the patch, - for the standard input
        file: PathBuf,
    },
}

impl Verb {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        match self {
            Self::Get { name } => {
                let config = target.config(name)?;
                global.answer(&config, |config| serde_json::to_string_pretty(config).unwrap_or_default())
            }
            Self::Set { name, file } => {
                answer_running(global, "configured", &target.set_config(name, read(file)?)?)
            }
        }
    }
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let mut text = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut text)
    } else {
        File::open(file).and_then(|opened| opened.take(MAX_BYTES + 1).read_to_end(&mut text))
    };
    read.with_context(|| format!("cannot read {}", file.display()))?;
    anyhow::ensure!(text.len() as u64 <= MAX_BYTES, "{} has more than {MAX_BYTES} bytes", file.display());
    serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", file.display()))
}
