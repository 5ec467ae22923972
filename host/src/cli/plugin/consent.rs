//! What would change, shown to the operator, and the operator's word.

use std::{
    fmt::Write as _,
    io::{self, BufRead, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::bail;
use clap::Args;

use super::super::target::{Package, Target};
use crate::{
    install::{PREAPPROVED, Plan},
    store::TrustLevel,
};

/// The longest answer that is read, in bytes.
const LONGEST: u64 = 100;

#[derive(Debug, Args)]
pub(in crate::cli) struct PackageOptions {
    /// Ask nothing: consent to what `packages.preapproved` in the configuration approves, and to nothing else
    #[arg(long, conflicts_with = "consent")]
    yes: bool,
    /// Consent to the plan with this digest, as `plugin plan` shows it. Where several plugins are installed, once for each
    #[arg(long, value_name = "DIGEST")]
    consent: Vec<String>,
    /// Take a package of this plugin that nobody has signed who is trusted here. For development
    #[arg(long, value_name = "NAME", requires = "until")]
    allow_unsigned: Option<String>,
    /// The last day on which the plugin may be unsigned, such as 2026-12-31, in UTC
    #[arg(long, value_name = "DATE", requires = "allow_unsigned")]
    until: Option<String>,
}

impl PackageOptions {
    /// The package in a file, for the host.
    pub(in crate::cli) fn package(&self, target: &Target, file: &Path) -> anyhow::Result<Package> {
        target.package(file, self.allow_unsigned.clone().zip(self.until.clone()))
    }

    /// The last day on which this plugin may be unsigned, if it may.
    pub(in crate::cli) fn unsigned_until(&self, plugin: &str) -> Option<String> {
        self.until.clone().filter(|_| self.allow_unsigned.as_deref() == Some(plugin))
    }

    /// The operator's consent to a plan: a flag, or an answer at the terminal.
    pub(in crate::cli) fn consent_to(&self, plan: &Plan) -> anyhow::Result<String> {
        self.consent_to_each(std::slice::from_ref(plan)).map(|mut consents| consents.remove(0))
    }

    /// The operator's consent to each of these plans. One that is refused is a refusal of all.
    pub(in crate::cli) fn consent_to_each(&self, plans: &[Plan]) -> anyhow::Result<Vec<String>> {
        if let Some(other) = self.consent.first() {
            // What is not consented to is refused by the host, which says what was expected.
            let given = |plan: &Plan| self.consent.iter().find(|digest| **digest == plan.digest);
            return Ok(plans.iter().map(|plan| given(plan).unwrap_or(other).clone()).collect());
        }
        let is_asked = !self.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
        let mut consents = Vec::new();
        for plan in plans {
            eprintln!("{}", shown(plan));
            if is_asked && !go_ahead()? {
                bail!("nothing was changed");
            }
            consents.push(if self.yes { PREAPPROVED.to_owned() } else { plan.digest.clone() });
        }
        if self.yes || is_asked {
            return Ok(consents);
        }
        let (which, flags): (_, Vec<_>) = (
            if plans.len() == 1 { "this plan" } else { "these plans" },
            plans.iter().map(|plan| format!("--consent {}", plan.digest)).collect(),
        );
        bail!(
            "nothing was changed: this is no terminal to ask at. Consent to {which} with `{}`, or with `--yes` to what \
             `packages.preapproved` approves",
            flags.join(" ")
        );
    }
}

/// Asks at the terminal.
fn go_ahead() -> anyhow::Result<bool> {
    let mut terminal = io::stderr().lock();
    write!(terminal, "Go ahead? [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Sees that a path is a package's file.
pub(in crate::cli) fn package_file(path: &Path) -> anyhow::Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    bail!("{}: expected a package, a file `NAME-VERSION.sspkg`, found no file", path.display())
}

/// A plan for people.
pub(in crate::cli) fn shown(plan: &Plan) -> String {
    let mut text = match &plan.from {
        Some(from) => format!("{} ({}): {from} → {}", plan.display_name, plan.plugin, plan.to),
        None => format!("{} ({}): {}, which is new", plan.display_name, plan.plugin, plan.to),
    };
    let who = match (&plan.signer, &plan.key) {
        (Some(signer), Some(key)) => format!("{signer} ({key})"),
        _ => "nobody who is trusted here".to_owned(),
    };
    // Writing to a text does not fail.
    let _ = write!(text, "\n  signed by  {who}: {}", plan.trust);
    let _ = write!(text, "\n  package    {}, for {}", plan.package, plan.target);
    let before =
        plan.bytes_before.map_or_else(String::new, |before| format!(", before {}", mebibytes(before)));
    let _ = write!(text, "\n  size       {}{before}", mebibytes(plan.bytes));
    for change in &plan.changes {
        let (sign, item) = (if change.new { '+' } else { '-' }, &change.item);
        let _ = write!(text, "\n  {sign} {}", item.replacen(':', " ", 1));
        if let (Some(before), Some(key), true) = (&plan.announced_by, &plan.key, change.new)
            && item.strip_prefix("key:") == Some(key)
        {
            let _ =
                write!(text, ", announced by {before} in the installed version; it is trusted from now on");
        }
    }
    if plan.changes.is_empty() {
        text.push_str("\n  It asks for nothing new.");
    }
    if plan.trust == TrustLevel::Unsigned {
        text.push_str("\n  Nobody answers for it. It runs with the host's rights.");
    }
    let _ = write!(text, "\n  digest     {}", plan.digest);
    text
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
