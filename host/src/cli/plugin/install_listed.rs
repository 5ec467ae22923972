//! `streamspace plugin install NAME[@RANGE]`: from a catalogue, with what it needs.

use anyhow::anyhow;

use super::{
    super::{progress::Bars, target::Target},
    Global,
};
use crate::{
    catalog::Fetcher,
    config::Config,
    install::{PlanView, PluginView, StepView},
};

/// Installs what is asked for and what that needs, in order.
pub(super) fn install(
    global: &Global,
    target: &Target,
    config: &Config,
    asked: &[String],
    is_dry: bool,
) -> anyhow::Result<()> {
    let plan = target.plan(asked, false)?;
    if is_dry {
        return global.answer(&plan, words);
    }
    if plan.steps.is_empty() {
        return global.answer(&plan, |_| "It is installed already, and so is what it needs.".to_owned());
    }
    carry_out(global, target, config, &plan)
}

/// Does a plan. The packages are downloaded first, by this process, which shows how far that is; a host that is on another
/// machine does so itself.
pub(super) fn carry_out(
    global: &Global,
    target: &Target,
    config: &Config,
    plan: &PlanView,
) -> anyhow::Result<()> {
    if std::env::var_os("STREAMSPACE_URL").is_none() {
        download(config, plan)?;
    }
    let plugins = hand_over(target, plan)?;
    global.answer(&plugins, |plugins| {
        let done = |plugin: &PluginView| {
            format!("{} {} is installed; it is {}.\n", plugin.name, plugin.version, plugin.state)
        };
        plugins.iter().map(done).collect()
    })?;
    for plugin in &plugins {
        if let Some(reason) = &plugin.reason {
            eprintln!("{} does not run yet: {reason}", plugin.name);
        }
    }
    Ok(())
}

/// Hands the packages of a plan to installation, in order: the one place where the command line does so. The host finds what
/// was downloaded by its hash.
fn hand_over(target: &Target, plan: &PlanView) -> anyhow::Result<Vec<PluginView>> {
    target.carry_out(plan)
}

fn download(config: &Config, plan: &PlanView) -> anyhow::Result<()> {
    let coded = |why: &dyn std::fmt::Display, code: &str| anyhow!("{why} ({code})");
    let fetcher = Fetcher::new(&config.catalog).map_err(|why| coded(&why, why.code()))?;
    let bars = Bars::default();
    for step in &plan.steps {
        let at = step.at().map_err(|why| coded(&why, why.code()))?;
        at.location.check(config.catalog.plain_http).map_err(|why| coded(&why, why.code()))?;
        at.fetch(&fetcher, &config.data_dir, &bars).map_err(|why| coded(&why, why.code()))?;
    }
    Ok(())
}

/// A plan, a line for each step.
pub(super) fn words(plan: &PlanView) -> String {
    if plan.steps.is_empty() {
        return "Nothing is to be done.".to_owned();
    }
    plan.steps.iter().map(line).collect()
}

fn line(step: &StepView) -> String {
    let what = match &step.from {
        Some(from) => format!("upgrade {} from {from} to {}", step.name, step.to),
        None => format!("install {} {}", step.name, step.to),
    };
    let why = match (step.asked, step.needed_by.as_slice()) {
        (true, _) | (_, []) => String::new(),
        (false, needing) => format!(", needed by {}", needing.join(", ")),
    };
    let asks = match step.permissions.as_slice() {
        [] => String::new(),
        permissions => format!("; it asks for {}", permissions.join(", ")),
    };
    format!("{what}{why} (catalogue {}){asks}\n", step.catalog)
}
