//! `streamspace plugin plan FILE`

use std::path::PathBuf;

use clap::Args;

use super::{
    super::target::Target,
    Global,
    consent::{PackageOptions, package_file, shown},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowPlan {
    /// The package
    file: PathBuf,
    #[command(flatten)]
    options: PackageOptions,
}

impl ShowPlan {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let package = self.options.package(target, &package_file(&self.file)?)?;
        global.answer(&target.plan(&package)?, shown)
    }
}
