//! `streamspace session unshare ID USER`

use clap::Args;
use serde_json::{Value, json};

use super::{
    super::target::{Client, Method},
    Global,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Unshare {
    /// The session
    id: String,
    /// The other user
    user: String,
}

impl Unshare {
    pub(super) fn run(&self, global: &Global, client: &Client) -> anyhow::Result<()> {
        let _: Value = client.call(Method::Delete, &["sessions", &self.id, "shares", &self.user], None)?;
        global.answer(&json!({"session": self.id, "user": self.user}), |_| {
            format!("{} is shared with {} no longer.", self.id, self.user)
        })
    }
}
