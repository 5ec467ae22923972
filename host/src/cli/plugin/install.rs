//! `streamspace plugin install FILE|DIR`

use std::path::PathBuf;

use clap::Args;

use super::{
    super::target::Target,
    Global, answer,
    consent::{PackageOptions, package_file},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Install {
    /// The package; or, for development, a folder with manifest.json and the library, on the host's machine
    what: PathBuf,
    #[command(flatten)]
    options: PackageOptions,
}

impl Install {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        // What is not there, or is named like no package, was meant to be a folder.
        let is_package = self.what.is_file()
            || self.what.extension().is_some_and(|end| end == streamspace_package::EXTENSION);
        let plugin = if is_package {
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
