//! `streamspace plugin upgrade FILE`

use std::path::PathBuf;

use clap::Args;

use super::{
    super::target::Target,
    Global, answer,
    consent::{PackageOptions, package_file},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Upgrade {
    /// The package with the new version
    file: PathBuf,
    #[command(flatten)]
    options: PackageOptions,
}

impl Upgrade {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let package = self.options.package(target, &package_file(&self.file)?)?;
        let plan = target.plan(&package)?;
        let consent = self.options.consent_to(&plan)?;
        let plugin = target.upgrade(&plan.plugin, &package, &consent)?;
        answer(global, "installed", &plugin)
    }
}
