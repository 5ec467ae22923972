//! `streamspace plugin install NAME[@RANGE]`: from a catalogue, with what it needs.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::{
    super::{progress::Bars, target::Target},
    Global,
    consent::PackageOptions,
};
use crate::{
    catalog::Fetcher,
    config::Config,
    install::{ExactVersion, PlanView, PluginView, StepView},
};

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
        return global.answer(&plan, |_| "It is installed already, and so is what it needs.".to_owned());
    }
    carry_out(global, target, config, &plan, options)
}

/// Does a plan. The packages are downloaded first, by this process, which shows how far that is, and what each would change is
/// consented to before the first is installed. A host on this machine finds what was downloaded by its hash; one that is
/// elsewhere is sent it to say what it would change, and downloads it again.
pub(super) fn carry_out(
    global: &Global,
    target: &Target,
    config: &Config,
    plan: &PlanView,
    options: &PackageOptions,
) -> anyhow::Result<()> {
    let mut exact: Vec<ExactVersion> = plan.steps.iter().map(ExactVersion::from).collect();
    for (one, file) in exact.iter_mut().zip(download(config, plan)?) {
        let package = options.package(target, &file)?;
        one.consent = Some(options.consent_to(&target.plan(&package)?)?);
    }
    let plugins = target.carry_out(&exact)?;
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

fn download(config: &Config, plan: &PlanView) -> anyhow::Result<Vec<PathBuf>> {
    let coded = |why: &dyn std::fmt::Display, code: &str| anyhow!("{why} ({code})");
    let fetcher = Fetcher::new(&config.catalog).map_err(|why| coded(&why, why.code()))?;
    let (bars, mut files) = (Bars::default(), Vec::new());
    for step in &plan.steps {
        let at = step.at().map_err(|why| coded(&why, why.code()))?;
        at.location.check(config.catalog.plain_http).map_err(|why| coded(&why, why.code()))?;
        files.push(at.fetch(&fetcher, &config.data_dir, &bars).map_err(|why| coded(&why, why.code()))?);
    }
    Ok(files)
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
