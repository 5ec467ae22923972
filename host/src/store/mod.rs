//! What is kept on disk: the data folder, and in it the installed plugins.
//!
//! ```text
//! data/                     made with mode 0700
//!   streamspace.lock        held by a running host
//!   server.json             where it listens, while it runs
//!   admin.token             mode 0600
//!   verdicts/HASH.json      what became of a library's first load (`loader`)
//!   plugins/NAME/
//!     record.json           mode 0600: state and configuration, secrets included
//!     HASH/                 one version's files, never written to again
//!   plugin-data/NAME/       made with mode 0700: what the plugin stores
//! ```

mod data_dir;
mod migrations;
mod plugins;

pub use self::{
    data_dir::{DataDir, DataDirError, Lock, Server},
    plugins::{Installed, Listed, Record, Store, StoreError},
};
pub(crate) use self::{
    data_dir::{make_private_dir, write_private},
    migrations::{MAX_MIGRATION_BYTES, migration_files},
    plugins::{open_without_waiting, read_bounded},
};
