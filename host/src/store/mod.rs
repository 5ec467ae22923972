//! What is kept: the data folder with the installed plugins' files in it, and the host's own tables.
//!
//! ```text
//! data/                     made with mode 0700
//!   streamspace.lock        held by a running host
//!   server.json             where it listens, while it runs
//!   admin.token             mode 0600
//!   local-signing.key       mode 0600: with which its operator signs packages, once that was done
//!   secret.key              mode 0600: what secrets in the database are sealed with
//!   streamspace.db          mode 0600: the host's own tables, unless they are in PostgreSQL
//!   incoming/HASH           packages that came over the network and wait for consent
//!   verdicts/HASH.json      what became of a library's first load (`loader`)
//!   downloads/              packages on their way from catalogues (`catalog`)
//!   plugins/NAME/HASH/      one version's files, never written to again; earlier ones are kept for a while
//!   plugin-data/NAME/       what the plugin keeps (`database`, `storage`)
//! ```

mod assets;
mod data_dir;
mod database;
mod error;
mod files;
mod generations;
mod import;
mod incoming;
mod kept;
mod migrations;
mod operations;
mod plugins;
mod records;
mod regular;
pub(crate) mod schema;
mod secret_key;
mod trust;
mod unpack;

pub(crate) use self::{
    assets::{ASSETS, asset_files, content_type},
    data_dir::{make_private_dir, make_temporary_dir, remove_half_written, write_private},
    database::{Connection, FILE as DATABASE_FILE, breaks_connection, copy_database, newest_migration, on},
    migrations::{MAX_MIGRATION_BYTES, migration_files},
    regular::{open_regular, open_without_waiting, read_bounded},
    secret_key::{PREVIOUS_VARIABLE as PREVIOUS_KEY_VARIABLE, VARIABLE as KEY_VARIABLE},
};
pub use self::{
    data_dir::{DataDir, DataDirError, Lock, Server},
    database::{Database, DatabaseError},
    error::StoreError,
    generations::{Generation, Provenance, Successor, TrustLevel},
    import::Imported,
    incoming::Incoming,
    kept::Swept,
    operations::{Operation, OperationKind, OperationStep},
    plugins::{Installed, Listed, Store},
    records::{Record, RecordError},
    secret_key::{SecretError, SecretKeys},
    trust::{
        Revocation, Trust, TrustError, TrustedKey, local_key, parse_revocations, parse_until, until_date,
    },
};
