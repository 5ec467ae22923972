//! `streamspace user …`

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::{Global, password, target::Target};
use crate::{
    config::Overrides,
    platform::{
        access::Role,
        users::{NewUser, UserFilter, UserPatch, UserView},
    },
};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleName {
    Admin,
    Operator,
    User,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Admin => Self::Admin,
            RoleName::Operator => Self::Operator,
            RoleName::User => Self::User,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make an account. Asks for its password, or reads it from the standard input
    Add {
        /// The name to sign in with
        name: String,
        /// What it may do
        #[arg(long, value_enum, default_value = "user")]
        role: RoleName,
        /// The name to show
        #[arg(long, default_value = "")]
        full_name: String,
        /// The e-mail address
        #[arg(long, default_value = "")]
        email: String,
        /// E.g. free, pro or enterprise
        #[arg(long, default_value = "")]
        tier: String,
        /// What it is permitted beyond its role; may be given several times
        #[arg(long, value_name = "PERMISSION")]
        permission: Vec<String>,
        /// Without a password: it has tokens alone
        #[arg(long)]
        no_password: bool,
    },
    /// List accounts
    List {
        /// Only those whose name has this in it
        #[arg(long, default_value = "")]
        name: String,
        /// Only those of this role
        #[arg(long, value_enum)]
        role: Option<RoleName>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Show an account
    Show {
        /// Its name or id
        name: String,
    },
    /// Change an account
    Set {
        /// Its name or id
        name: String,
        /// What it may do
        #[arg(long, value_enum)]
        role: Option<RoleName>,
        /// The name to show
        #[arg(long)]
        full_name: Option<String>,
        /// The e-mail address
        #[arg(long)]
        email: Option<String>,
        /// E.g. free, pro or enterprise
        #[arg(long)]
        tier: Option<String>,
    },
    /// End its sign-ins, and let it neither sign in nor use its tokens
    Disable {
        /// Its name or id
        name: String,
    },
    /// Undo `disable`
    Enable {
        /// Its name or id
        name: String,
    },
    /// Remove an account with its tokens
    Remove {
        /// Its name or id
        name: String,
    },
    /// Give it another password, and end its sign-ins. Asks for it, or reads it from the standard input
    Password {
        /// Its name or id
        name: String,
    },
    /// Permit it something beyond its role
    Grant {
        /// Its name or id
        name: String,
        /// What, e.g. slack.preview
        permission: String,
    },
    /// Take back what `grant` permitted
    Revoke {
        /// Its name or id
        name: String,
        /// What
        permission: String,
    },
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let config = global.load(Overrides::default())?;
        let target = || Target::find(&config);
        let disabled = |disabled| UserPatch { disabled: Some(disabled), ..UserPatch::default() };
        let (user, done) = match self {
            Self::Add { name, role, full_name, email, tier, permission, no_password } => {
                let password = if *no_password { None } else { Some(password::read_new()?) };
                let new = NewUser {
                    username: name.clone(),
                    password,
                    full_name: full_name.clone(),
                    email: email.clone(),
                    tier: tier.clone(),
                    role: (*role).into(),
                    permissions: permission.clone(),
                };
                (target()?.add_user(new)?, "made")
            }
            Self::List { name, role, limit } => {
                let role = role.map(Role::from);
                let filter = UserFilter { name: name.clone(), role, skip: 0, limit: Some(*limit) };
                let users = target()?.users(&filter)?;
                return global.answer(&json!({"users": users}), |_| {
                    users.iter().map(line).collect::<Vec<_>>().join("\n")
                });
            }
            Self::Show { name } => return global.answer(&target()?.user(name)?, words),
            Self::Set { name, role, full_name, email, tier } => {
                let patch = UserPatch {
                    full_name: full_name.clone(),
                    email: email.clone(),
                    tier: tier.clone(),
                    role: role.map(Role::from),
                    disabled: None,
                };
                (target()?.update_user(name, patch)?, "changed")
            }
            Self::Disable { name } => (target()?.update_user(name, disabled(true))?, "disabled"),
            Self::Enable { name } => (target()?.update_user(name, disabled(false))?, "enabled"),
            Self::Remove { name } => {
                target()?.remove_user(name)?;
                return global.answer(&json!({"removed": name}), |_| format!("{name} is removed."));
            }
            Self::Password { name } => {
                let password = password::read_new()?;
                (target()?.set_password(name, &password)?, "changed")
            }
            Self::Grant { name, permission } => (target()?.permit_user(name, permission, true)?, "changed"),
            Self::Revoke { name, permission } => (target()?.permit_user(name, permission, false)?, "changed"),
        };
        global.answer(&user, |user| format!("{} is {done}.", user.username))
    }
}

fn line(user: &UserView) -> String {
    let state = if user.disabled { "  disabled" } else { "" };
    format!("{}  {}{state}", user.username, user.role.name())
}

fn words(user: &UserView) -> String {
    let or_none = |list: &[String]| if list.is_empty() { "-".to_owned() } else { list.join(", ") };
    format!(
        "name         {}\nid           {}\nrole         {}\nstate        {}\nfull name    {}\ne-mail       {}\ntier         {}\ngroups       {}\npermissions  {}\nmade         {}\nsigned in    {}",
        user.username,
        user.id,
        user.role.name(),
        if user.disabled { "disabled" } else { "enabled" },
        user.full_name,
        user.email,
        user.tier,
        or_none(&user.groups),
        or_none(&user.permissions),
        user.created,
        user.last_login.as_deref().unwrap_or("never"),
    )
}
