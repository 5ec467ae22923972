//! `streamspace session show ID`

use clap::Args;

use super::{
    super::target::{Client, Method},
    Global,
};
use crate::platform::sessions::SessionView;

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The session
    id: String,
}

impl Show {
    pub(super) fn run(&self, global: &Global, client: &Client) -> anyhow::Result<()> {
        let session: SessionView = client.call(Method::Get, &["sessions", &self.id], None)?;
        global.answer(&session, words)
    }
}

fn words(session: &SessionView) -> String {
    let mut lines = vec![
        format!("id          {}", session.id),
        format!("owner       {}", session.owner),
        format!("template    {}", session.template),
        format!("state       {}", session.state),
    ];
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("{name:12}{value}"));
        }
    };
    add("reason", &session.reason);
    add("cpu", &session.resources.cpu);
    add("memory", &session.resources.memory);
    add("storage", &session.resources.storage);
    add("tags", &session.tags.join(", "));
    add("url", session.url.as_deref().unwrap_or_default());
    add("rfb", session.rfb_address.as_deref().unwrap_or_default());
    add("created", &session.created_at);
    add("updated", &session.updated_at);
    add("heartbeat", session.last_heartbeat_at.as_deref().unwrap_or_default());
    if let Some(usage) = session.usage {
        add("usage", &format!("cpu {}, memory {}, storage {}", usage.cpu, usage.memory, usage.storage));
    }
    add("idle", if session.idle { "yes" } else { "" });
    add("active", session.last_activity_at.as_deref().unwrap_or_default());
    for share in &session.shares {
        add("shared", &format!("{}  {}", share.user, share.access.name()));
    }
    for connection in session.connections.iter().flatten() {
        let from = format!("{}  {}", connection.client_address, connection.user_agent);
        add("connected", &format!("{}  since {}  {from}", connection.id, connection.connected_at));
    }
    lines.join("\n")
}
