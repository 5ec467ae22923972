//! `streamspace session create OWNER TEMPLATE`

use clap::Args;
use serde_json::to_value;

use super::{
    super::target::{Client, Method},
    Global, line,
};
use crate::platform::sessions::{NewSession, SessionResources, SessionView};

#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// The user whose it is
    owner: String,
    /// What its desktop is made from
    template: String,
    /// Its id, instead of one that the host makes. With it, the command can be repeated
    #[arg(long)]
    id: Option<String>,
    /// Processor, such as 500m
    #[arg(long, default_value = "", hide_default_value = true)]
    cpu: String,
    /// Memory, such as 2Gi
    #[arg(long, default_value = "", hide_default_value = true)]
    memory: String,
    /// Storage, such as 10Gi
    #[arg(long, default_value = "", hide_default_value = true)]
    storage: String,
    /// A tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// After how many seconds without its user it may be put to rest
    #[arg(long, value_name = "SECONDS")]
    idle_timeout: Option<u64>,
    /// Have the user's files outlive it
    #[arg(long)]
    persistent_home: bool,
}

impl Create {
    pub(super) fn run(&self, global: &Global, client: &Client) -> anyhow::Result<()> {
        let new = NewSession {
            id: self.id.clone(),
            owner: self.owner.clone(),
            template: self.template.clone(),
            resources: SessionResources {
                cpu: self.cpu.clone(),
                memory: self.memory.clone(),
                storage: self.storage.clone(),
            },
            tags: self.tags.clone(),
            idle_timeout_secs: self.idle_timeout,
            persistent_home: self.persistent_home,
        };
        let session: SessionView = client.call(Method::Post, &["sessions"], Some(to_value(new)?))?;
        global.answer(&session, line)
    }
}
