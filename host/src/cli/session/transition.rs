//! `streamspace session transition ID STATE`

use clap::Args;
use serde_json::json;

use super::{
    super::target::{Client, Method},
    Global, line,
};
use crate::platform::sessions::{SessionView, State};

#[derive(Debug, Args)]
pub(in crate::cli) struct Transition {
    /// The session
    id: String,
    /// The state
    state: State,
    /// Why
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

impl Transition {
    pub(super) fn run(&self, global: &Global, client: &Client) -> anyhow::Result<()> {
        let step = json!({"state": self.state, "reason": self.reason});
        let path = ["sessions", &self.id, "transition"];
        let session: SessionView = client.call(Method::Post, &path, Some(step))?;
        global.answer(&session, line)
    }
}
