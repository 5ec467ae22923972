//! `streamspace plugin health NAME`

use std::fmt::Write;

use anyhow::bail;
use clap::Args;

use super::{super::target::Target, Global};
use crate::install::{Health, HealthWord};

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowHealth {
    /// The plugin
    name: String,
}

impl ShowHealth {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let health = target.health(&self.name)?;
        global.answer(&health, words)?;
        match health.health {
            HealthWord::Failed => bail!("{} is {}", health.plugin, health.state),
            _ => Ok(()),
        }
    }
}

fn words(health: &Health) -> String {
    let word = match health.health {
        HealthWord::Healthy => "healthy",
        HealthWord::Degraded => "degraded",
        HealthWord::Failed => "failed",
        HealthWord::Stopped => "stopped",
    };
    let mut text = format!("{} is {word}.\n", health.plugin);
    for reason in &health.reasons {
        // Writing into a text does not fail.
        let _ = writeln!(text, "  {reason}");
    }
    if let Some(line) = &health.last_error {
        let _ = writeln!(text, "Last error: {} {}", line.time, line.message);
    }
    text
}
