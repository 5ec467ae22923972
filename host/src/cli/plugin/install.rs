//! `streamspace plugin install FILE|NAME[@RANGE]|DIR`

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::{
    super::target::Target,
    Global, answer,
    consent::{PackageOptions, package_file},
    install_listed,
};
use crate::config::Config;

#[derive(Debug, Args)]
pub(in crate::cli) struct Install {
    /// The package; NAME[@RANGE] of a catalogue; or, for development, a folder with manifest.json and the library, on the
    /// host's machine
    #[arg(value_name = "FILE|NAME[@RANGE]|DIR")]
    what: PathBuf,
    /// Of a name: say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    options: PackageOptions,
}

impl Install {
    pub(super) fn run(&self, global: &Global, target: &Target, config: &Config) -> anyhow::Result<()> {
        if let Some(name) = install_listed::name(&self.what) {
            return install_listed::install(global, target, config, &[name], &self.options, self.dry_run);
        }
        if self.dry_run {
            bail!(
                "`--dry-run` goes with a name: `streamspace plugin plan FILE` says what a package would change"
            );
        }
        let plugin = if install_listed::is_package(&self.what) {
            let package = self.options.package(target, &package_file(&self.what)?)?;
            let consent = self.options.consent_to(&target.plan(&package)?)?;
            target.install_package(&package, &consent)?
        } else {
            target.install(&self.what)?
        };
        answer(global, "installed", &plugin)?;
        if let Some(reason) = &plugin.reason {
            // It is installed, which is what was asked for: most often it only wants a configuration yet.
            eprintln!("It does not run yet: {reason}");
        }
        Ok(())
    }
}
