//! `streamspace session delete ID`

use clap::Args;

use super::{
    super::target::{Client, Method},
    Global, line,
};
use crate::platform::sessions::SessionView;

#[derive(Debug, Args)]
pub(in crate::cli) struct Delete {
    /// The session
    id: String,
}

impl Delete {
    pub(super) fn run(&self, global: &Global, client: &Client) -> anyhow::Result<()> {
        let session: SessionView = client.call(Method::Delete, &["sessions", &self.id], None)?;
        global.answer(&session, line)
    }
}
