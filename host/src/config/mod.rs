//! The host's own configuration.
//!
//! Four layers, each overriding the one before: the defaults below, the file `streamspace.toml`, the environment
//! (`STREAMSPACE_` and the key's path in upper case with `__` between levels: `STREAMSPACE_SERVER__ADDRESS`), and
//! the command line's flags. Every value is checked in the layer it came from, and everything wrong is reported at
//! once, with its place. The one secret in here is the password in `database.url`.

mod catalog;
mod database;
mod error;
mod events;
mod keys;
mod layers;
mod log;
mod outbound;
mod packages;
mod plugins;
mod server;
mod sessions;
mod sign_in;
mod storage;
mod sync;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use catalog::{Catalog, PlainHttp};
pub use database::{Database, DatabaseUrl};
pub use error::{ConfigError, Origin, Problem};
pub use events::Events;
pub use log::{Format, Level, Log};
pub use outbound::{InvalidAddress, Network, Outbound, StaticAddress};
pub use packages::Packages;
pub use plugins::Plugins;
pub use server::{Metrics, Server};
pub use sessions::Sessions;
pub use sign_in::{SecureCookie, SignIn};
pub use storage::Storage;
pub use sync::Sync;

/// The file read when none is named, if it exists.
pub const DEFAULT_FILE: &str = "streamspace.toml";

/// The host's configuration, complete and checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The directory that holds everything the host keeps: packages, plugin files, the default database. A relative
    /// path is taken from the working directory. Default `./data`.
    pub data_dir: PathBuf,
    /// The HTTP edge.
    pub server: Server,
    /// How browsers sign in.
    pub sign_in: SignIn,
    /// The host's log.
    pub log: Log,
    /// Where the host and its plugins keep their data.
    pub database: Database,
    /// Plugins' key-value storage.
    pub storage: Storage,
    /// Events and their consumers.
    pub events: Events,
    /// Deadlines and limits for plugins' code.
    pub plugins: Plugins,
    /// What may be installed.
    pub packages: Packages,
    /// Desktop sessions.
    pub sessions: Sessions,
    /// HTTP requests made on behalf of plugins.
    pub outbound: Outbound,
    /// Catalogues of plugins.
    pub catalog: Catalog,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            server: Server::default(),
            sign_in: SignIn::default(),
            log: Log::default(),
            database: Database::default(),
            storage: Storage::default(),
            events: Events::default(),
            plugins: Plugins::default(),
            packages: Packages::default(),
            sessions: Sessions::default(),
            outbound: Outbound::default(),
            catalog: Catalog::default(),
        }
    }
}

/// What the command line overrides; the strongest layer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--data-dir`, over [`Config::data_dir`].
    pub data_dir: Option<PathBuf>,
    /// `--address`, over [`Server::address`].
    pub address: Option<String>,
    /// `--log-level`, over [`Log::level`].
    pub log_level: Option<String>,
}

impl Config {
    /// Reads the layers and checks them.
    ///
    /// The file is `file`, or what `STREAMSPACE_CONFIG` names, or `./streamspace.toml` if that exists. Variables
    /// that do not begin with `STREAMSPACE_` are ignored.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not TOML, and when a key is unknown or a value has the wrong type or lies
    /// outside its range: then [`ConfigError::Invalid`] carries every such problem of all layers.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        layers::load(file, env, overrides, Path::new(DEFAULT_FILE))
    }
}
