//! `streamspace plugin plan FILE|NAME[@RANGE]`

use std::path::PathBuf;

use clap::Args;

use super::{
    super::target::Target,
    Global,
    consent::{PackageOptions, package_file, shown},
    install_listed,
};
use crate::config::Config;

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowPlan {
    /// The package; or NAME[@RANGE] of a catalogue, from which it is downloaded with what it needs
    #[arg(value_name = "FILE|NAME[@RANGE]")]
    what: PathBuf,
    #[command(flatten)]
    options: PackageOptions,
}

impl ShowPlan {
    pub(super) fn run(&self, global: &Global, target: &Target, config: &Config) -> anyhow::Result<()> {
        let Some(name) = install_listed::name(&self.what) else {
            let package = self.options.package(target, &package_file(&self.what)?)?;
            return global.answer(&target.plan(&package)?, shown);
        };
        let steps = target.resolve(&[name], false)?;
        let (_, plans) = install_listed::plans(target, config, &steps, &self.options)?;
        global.answer(&plans, |plans| match plans.as_slice() {
            [] => install_listed::ALL_THERE.to_owned(),
            plans => plans.iter().map(shown).collect::<Vec<_>>().join("\n"),
        })
    }
}
