//! `streamspace plugin install DIR|NAME[@RANGE]`

use std::path::PathBuf;

use clap::Args;

use super::{super::target::Target, Global, answer, install_listed};
use crate::config::Config;

#[derive(Debug, Args)]
pub(in crate::cli) struct Install {
    /// The folder with manifest.json and the library, on the host's machine; or NAME[@RANGE] of a catalogue
    #[arg(value_name = "DIR|NAME[@RANGE]")]
    what: PathBuf,
    /// Of a name: say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Install {
    pub(super) fn run(&self, global: &Global, target: &Target, config: &Config) -> anyhow::Result<()> {
        if let Some(name) = self.listed() {
            return install_listed::install(global, target, config, &[name], self.dry_run);
        }
        let plugin = target.install(&self.what)?;
        answer(global, "installed", &plugin)?;
        if let Some(reason) = &plugin.reason {
            // It is installed, which is what was asked for: most often it only wants a configuration yet.
            eprintln!("It does not run yet: {reason}");
        }
        Ok(())
    }

    /// A name to look for in the catalogues: whatever is neither there nor a path.
    fn listed(&self) -> Option<String> {
        let text = self.what.to_str()?;
        let is_path = text.contains(['/', '\\']) || text.ends_with(".sspkg") || self.what.exists();
        (!is_path).then(|| text.to_owned())
    }
}
