//! `streamspace openapi`

use clap::Args;

use super::Global;
use crate::http::host_document;

/// Print what the host answers over HTTP, as an OpenAPI document. A running host has the routes of its plugins in it
/// too, at `/api/openapi.json`
#[derive(Debug, Args)]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let Self {} = self;
        // The document is for programs, whether `--json` is there or not.
        global.answer(&host_document(), |document| format!("{document:#}"))
    }
}
