//! `streamspace plugin apply --frozen FILE`

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;

use super::{super::target::Target, Global, consent::PackageOptions, install_listed};
use crate::{
    config::Config,
    install::{Lock, LockPlan, MAX_LOCK_BYTES},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Apply {
    /// The file of `plugin export`: exactly what it names, and nothing else, is installed then
    #[arg(long, value_name = "FILE", required = true)]
    frozen: PathBuf,
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    options: PackageOptions,
}

impl Apply {
    pub(super) fn run(&self, global: &Global, target: &Target, config: &Config) -> anyhow::Result<()> {
        let bytes = crate::store::read_bounded(&self.frozen, MAX_LOCK_BYTES)?;
        let text =
            String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", self.frozen.display()))?;
        let lock =
            Lock::parse(&text).map_err(|why| anyhow!("{}: {why} ({})", self.frozen.display(), why.code()))?;
        let plan = target.compare_lock(&lock)?;
        if self.dry_run || is_done(&plan) {
            return global.answer(&plan, words);
        }
        let exact = match plan.install.steps.as_slice() {
            [] => Vec::new(),
            _ => install_listed::consented(target, config, &plan.install, &self.options)?,
        };
        install_listed::install_all(global, target, &exact, &plan.remove)?;
        for name in plan.remove.iter().filter(|_| !global.json) {
            println!("{name} is uninstalled. What it has stored stays.");
        }
        Ok(())
    }
}

fn is_done(plan: &LockPlan) -> bool {
    plan.install.steps.is_empty() && plan.remove.is_empty()
}

fn words(plan: &LockPlan) -> String {
    if is_done(plan) {
        return "Everything is as the lock says.".to_owned();
    }
    let mut text = String::new();
    if !plan.install.steps.is_empty() {
        text.push_str(&install_listed::words(&plan.install));
    }
    for name in &plan.remove {
        text.push_str(&format!("uninstall {name}\n"));
    }
    text
}
