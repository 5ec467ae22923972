//! `streamspace group …`

use clap::Subcommand;
use serde_json::json;

use super::{Global, target::Target};
use crate::{
    config::Overrides,
    platform::users::{GroupPatch, GroupView, NewGroup},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a group
    Add {
        /// Its name
        name: String,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
    },
    /// List the groups
    List,
    /// Show a group
    Show {
        /// Its name or id
        name: String,
    },
    /// Say what a group is for
    Set {
        /// Its name or id
        name: String,
        /// What it is for
        #[arg(long)]
        description: String,
    },
    /// Remove a group; its members stay
    Remove {
        /// Its name or id
        name: String,
    },
    /// Take an account into a group
    Join {
        /// The group's name or id
        group: String,
        /// The account's name or id
        user: String,
    },
    /// Take an account out of a group
    Leave {
        /// The group's name or id
        group: String,
        /// The account's name or id
        user: String,
    },
    /// Permit its members something
    Grant {
        /// The group's name or id
        group: String,
        /// What, e.g. slack.preview
        permission: String,
    },
    /// Take back what `grant` permitted
    Revoke {
        /// The group's name or id
        group: String,
        /// What
        permission: String,
    },
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let target = Target::find(&global.load(Overrides::default())?)?;
        let group = match self {
            Self::Add { name, description } => {
                target.add_group(NewGroup { name: name.clone(), description: description.clone() })?
            }
            Self::List => {
                let groups = target.groups()?;
                return global.answer(&json!({"groups": groups}), |_| {
                    let line = |group: &GroupView| format!("{}  {} members", group.name, group.members.len());
                    groups.iter().map(line).collect::<Vec<_>>().join("\n")
                });
            }
            Self::Show { name } => target.group(name)?,
            Self::Set { name, description } => {
                target.update_group(name, GroupPatch { description: description.clone() })?
            }
            Self::Remove { name } => {
                target.remove_group(name)?;
                return global.answer(&json!({"removed": name}), |_| format!("{name} is removed."));
            }
            Self::Join { group, user } => target.set_member(group, user, true)?,
            Self::Leave { group, user } => target.set_member(group, user, false)?,
            Self::Grant { group, permission } => target.permit_group(group, permission, true)?,
            Self::Revoke { group, permission } => target.permit_group(group, permission, false)?,
        };
        global.answer(&group, |group| {
            format!(
                "name         {}\nid           {}\ndescription  {}\nmembers      {}\npermissions  {}",
                group.name,
                group.id,
                group.description,
                group.members.join(", "),
                group.permissions.join(", ")
            )
        })
    }
}
