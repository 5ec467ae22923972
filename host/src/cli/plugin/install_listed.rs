//! `streamspace plugin install NAME[@RANGE]`: from a catalogue, with what it needs.

use std::path::Path;

use anyhow::anyhow;

use super::{
    super::{progress::Bars, target::Target},
    Global,
    consent::PackageOptions,
};
use crate::{
    catalog::Fetcher,
    config::Config,
    install::{ExactVersion, Plan, PlanView, PluginView, StepView},
};

/// What is said if nothing is to be done.
pub(super) const ALL_THERE: &str = "It is installed already, and so is what it needs.";

/// A name to look for in the catalogues: whatever is neither there nor a path.
pub(super) fn name(what: &Path) -> Option<String> {
    let text = what.to_str()?;
    let is_path = text.contains(['/', '\\']) || is_package(what) || what.exists();
    (!is_path).then(|| text.to_owned())
}

/// Whether a path is a package's, be it there or not.
pub(super) fn is_package(what: &Path) -> bool {
    what.is_file() || what.extension().is_some_and(|end| end == streamspace_package::EXTENSION)
}

/// Installs what is asked for and what that needs, in order.
pub(super) fn install(
    global: &Global,
    target: &Target,
    config: &Config,
    asked: &[String],
    options: &PackageOptions,
    is_dry: bool,
) -> anyhow::Result<()> {
    let plan = target.resolve(asked, false)?;
    if is_dry {
        return global.answer(&plan, words);
    }
    if plan.steps.is_empty() {
        return global.answer(&plan, |_| ALL_THERE.to_owned());
    }
    carry_out(global, target, config, &plan, options)
}

/// Does a plan. What each package would change is consented to before the first is installed.
pub(super) fn carry_out(
    global: &Global,
    target: &Target,
    config: &Config,
    plan: &PlanView,
    options: &PackageOptions,
) -> anyhow::Result<()> {
    let exact = consented(target, config, plan, options)?;
    install_all(global, target, &exact, &[])
}

/// The packages of a plan, with the operator's consent to each.
pub(super) fn consented(
    target: &Target,
    config: &Config,
    plan: &PlanView,
    options: &PackageOptions,
) -> anyhow::Result<Vec<ExactVersion>> {
    let (mut exact, plans) = plans(target, config, plan, options)?;
    for (one, consent) in exact.iter_mut().zip(options.consent_to_each(&plans)?) {
        one.consent = Some(consent);
    }
    Ok(exact)
}

/// What each package of a plan would change. They are downloaded by this process, which shows how far that is; the host finds
/// them by their hashes. One that is elsewhere downloads them itself.
pub(super) fn plans(
    target: &Target,
    config: &Config,
    plan: &PlanView,
    options: &PackageOptions,
) -> anyhow::Result<(Vec<ExactVersion>, Vec<Plan>)> {
    let mut exact: Vec<ExactVersion> = plan.steps.iter().map(ExactVersion::from).collect();
    for one in &mut exact {
        one.unsigned_until = options.unsigned_until(&one.name);
    }
    if !target.is_elsewhere() {
        download(config, plan)?;
    }
    let plans = target.plans(&exact)?;
    Ok((exact, plans))
}

/// Installs what was consented to, once `remove` is uninstalled.
pub(super) fn install_all(
    global: &Global,
    target: &Target,
    exact: &[ExactVersion],
    remove: &[String],
) -> anyhow::Result<()> {
    let plugins = target.carry_out(exact, remove)?;
    if plugins.is_empty() && !global.json {
        return Ok(());
    }
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
