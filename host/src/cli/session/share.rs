//! `streamspace session share ID USER`

use clap::Args;
use serde_json::json;

use super::{
    super::target::{Client, Method},
    Global,
};
use crate::platform::sessions::{Access, SessionView};

#[derive(Debug, Args)]
pub(in crate::cli) struct Share {
    /// The session
    id: String,
    /// The other user
    user: String,
    /// Let the user use keyboard and pointer as well, and not only look
    #[arg(long)]
    control: bool,
}

impl Share {
    pub(super) fn run(&self, global: &Global, client: &Client) -> anyhow::Result<()> {
        let access = if self.control { Access::Control } else { Access::View };
        let path = ["sessions", &self.id, "shares", &self.user];
        let session: SessionView = client.call(Method::Put, &path, Some(json!({"access": access})))?;
        global.answer(&session, |session| {
            format!("{} is shared with {}: {}.", session.id, self.user, access.name())
        })
    }
}
