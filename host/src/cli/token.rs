//! `streamspace token …`

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Global, target::Target};
use crate::{
    config::Overrides,
    platform::access::{NewToken, TokenView},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a token of an account, and print it this once
    Create {
        /// The account's name or id
        user: String,
        /// What the token is for
        name: String,
        /// What it is permitted, of what the account is; may be given several times. `*` is all
        #[arg(long, value_name = "PERMISSION", required = true)]
        scope: Vec<String>,
        /// After how many seconds it ends; never, unless given
        #[arg(long, value_name = "SECONDS")]
        expires_in: Option<u64>,
    },
    /// List tokens
    List {
        /// Only those of this account
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// Revoke a token, at once
    Revoke {
        /// Its id
        id: String,
    },
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let target = Target::find(&global.load(Overrides::default())?)?;
        match self {
            Self::Create { user, name, scope, expires_in } => {
                let new =
                    NewToken { name: name.clone(), scopes: scope.clone(), expires_in_secs: *expires_in };
                let created = target.create_token(user, new)?;
                global.answer(&created, |created| {
                    created["token"].as_str().map(str::to_owned).unwrap_or_default()
                })
            }
            Self::List { user } => {
                let tokens = target.tokens(user.as_deref())?;
                global.answer(&json!({"tokens": tokens}), |_: &Value| {
                    tokens.iter().map(line).collect::<Vec<_>>().join("\n")
                })
            }
            Self::Revoke { id } => {
                target.revoke_token(id)?;
                global.answer(&json!({"revoked": id}), |_| format!("{id} is revoked."))
            }
        }
    }
}

fn line(token: &TokenView) -> String {
    format!(
        "{}  {}  {}  [{}]  ends {}  used {}",
        token.id,
        token.user,
        token.name,
        token.scopes.join(" "),
        token.expires.as_deref().unwrap_or("never"),
        token.last_used.as_deref().unwrap_or("never")
    )
}
