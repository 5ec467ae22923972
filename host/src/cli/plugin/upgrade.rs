//! `streamspace plugin upgrade FILE|DIR`

use std::path::PathBuf;

use clap::Args;

use super::{
    super::target::Target,
    Global, answer,
    consent::{PackageOptions, package_file},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Upgrade {
    /// The package with the new version; or, for development, a folder with its manifest.json and library, on the host's
    /// machine
    what: PathBuf,
    #[command(flatten)]
    options: PackageOptions,
}

impl Upgrade {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let plugin = if self.what.is_dir() {
            target.upgrade(&self.what)?
        } else {
            let package = self.options.package(target, &package_file(&self.what)?)?;
            let plan = target.plan(&package)?;
            let consent = self.options.consent_to(&plan)?;
            target.upgrade_package(&plan.plugin, &package, &consent)?
        };
        answer(global, "installed", &plugin)?;
        if let Some(reason) = &plugin.reason {
            eprintln!("It does not run: {reason}");
        }
        Ok(())
    }
}
