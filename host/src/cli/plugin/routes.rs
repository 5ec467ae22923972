//! `streamspace plugin routes NAME`

use clap::Args;
use serde_json::json;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct ListRoutes {
    /// The plugin
    name: String,
}

impl ListRoutes {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let routes = target.routes(&self.name)?;
        global.answer(&json!({"routes": routes}), |_| {
            if routes.is_empty() {
                return format!("{} has no routes now.", self.name);
            }
            let width = routes.iter().map(|route| route.path.len()).max().unwrap_or(0);
            let line = |route: &crate::routes::RouteView| {
                let who = if route.public { "public".to_owned() } else { route.permissions.join(", ") };
                let who = if who.is_empty() { "signed in".to_owned() } else { who };
                let method = if route.websocket { "socket" } else { &route.method };
                format!("{method:6}  {:width$}  {who:12}  {}", route.path, route.description)
            };
            routes.iter().map(line).collect::<Vec<_>>().join("\n")
        })
    }
}
