//! What of a data folder this host would not load, and why: asked before it takes the place of another host.
//!
//! Nothing is changed in the folder or its database, and nothing of a host that runs on it is waited for. What is known of
//! plugins is copied aside and brought up to date there; from then on, the ways are those of a start.

mod plugin;
mod report;

use std::{collections::BTreeMap, sync::Arc};

use semver::Version;

pub use self::report::{About, Finding, Outcome, PluginReport, Report};
use super::InstallError;
use crate::{
    config::{Config, ConfigError, Database as Settings, DatabaseUrl},
    database::Databases,
    loader::Loader,
    store::{
        DataDir, Database, DatabaseError, OperationKind, OperationStep, RecordError, SecretError, Store,
        StoreError, Trust, TrustError, copy_database, make_temporary_dir,
    },
};

/// Looks into the data folder of a configuration. Blocks.
#[must_use]
pub fn preflight(config: &Config) -> Report {
    let mut report = Report::new(&config.data_dir, Some(config));
    if let Err(end) = look_into(config, &mut report) {
        report.host.push(end);
        report.is_whole = false;
    }
    report.conclude()
}

/// What is said of a folder whose host's configuration cannot be used: where the rest is, nobody knows.
#[must_use]
pub fn without_configuration(data_dir: &std::path::Path, why: &ConfigError) -> Report {
    let mut report = Report::new(data_dir, None);
    let outcome =
        if matches!(why, ConfigError::Unreadable { .. }) { Outcome::Unknown } else { Outcome::Fails };
    report.host.push(Finding::new(About::Configuration, outcome, None, why));
    report.is_whole = false;
    report.conclude()
}

/// Everything that what is installed is judged with.
struct Judges {
    store: Store,
    trust: Trust,
    loader: Loader,
    databases: Databases,
    /// What is installed.
    versions: BTreeMap<String, Version>,
}

/// Fills the report. An error is the finding behind which nothing can be known.
fn look_into(config: &Config, report: &mut Report) -> Result<(), Finding> {
    let folder = |why: crate::store::DataDirError| Finding::new(About::Folder, Outcome::Unknown, None, why);
    let data = DataDir::existing(&config.data_dir).map_err(folder)?;
    if data.is_half_restored().map_err(folder)? {
        let why = "a restore was broken off in the folder, so that another database will be in it than is now. Whatever takes \
                   the folder next brings it to its end, such as `streamspace plugin list`: repeat this after it";
        return Err(Finding::new(About::Folder, Outcome::Unknown, None, why));
    }
    let aside = make_temporary_dir(&std::env::temp_dir(), "streamspace-check-");
    let aside = aside.map_err(|why| {
        let said = format!(
            "cannot make a folder in {} for a copy of the database: {why}",
            std::env::temp_dir().display()
        );
        Finding::new(About::Database, Outcome::Unknown, None, said)
    })?;
    let network = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let network = network.map_err(|why| {
        let said = format!("cannot start a thread for the database: {why}");
        Finding::new(About::Database, Outcome::Unknown, None, said)
    })?;
    let on_server = config.database.url.postgres().is_some();
    let copied = copy_database(data.path(), &config.database, network.handle(), aside.path());
    let Some(copied) = copied.map_err(|why| of_database(&why))? else {
        let said = "there is none yet: no host has run here, and nothing is installed";
        report.host.push(Finding::new(About::Database, Outcome::Note, None, said));
        return Ok(());
    };
    let settings = Settings { url: DatabaseUrl::default(), ..config.database.clone() };
    let copy = Database::open(aside.path(), &settings, network.handle());
    let copy = Arc::new(copy.map_err(|why| of_database(&why))?);
    report.host.push(migrations(&copied.pending, on_server));

    let store = Store::look_into(&data, Arc::clone(&copy)).map_err(|why| of_store(About::Secrets, why))?;
    for operation in store.begun().map_err(|why| of_store(About::Journal, why))? {
        report.host.push(begun(&operation.plugin, operation.kind, operation.step));
    }
    let postgres = crate::postgres::Postgres::new(&config.database, network.handle());
    let postgres = postgres.map_err(|why| of_database(&why.into()))?;
    let listed = store.list().map_err(|why| of_store(About::Database, why))?;
    let version = |listed: &crate::store::Listed| {
        Some((listed.name.clone(), listed.plugin.as_ref().ok()?.manifest.version.clone()))
    };
    let judges = Judges {
        store,
        trust: Trust::new(data.path(), copy),
        loader: Loader::look_into(&data, &config.plugins),
        databases: Databases::new(&data, &config.database, postgres.as_ref()),
        versions: listed.iter().filter_map(version).collect(),
    };
    report.plugins = listed.into_iter().map(|listed| judges.look_at(listed)).collect();
    Ok(())
}

/// What becomes of the host's tables.
fn migrations(pending: &[String], on_server: bool) -> Finding {
    if pending.is_empty() {
        return Finding::new(About::Database, Outcome::Ok, None, "its tables are as this version has them");
    }
    let tried = if on_server {
        "That was not tried: nothing is changed on the server"
    } else {
        "They went well on a copy"
    };
    let said = format!(
        "its tables are of an earlier version: the first start of this one runs {} ({}), behind which the earlier host does not \
         start any more. {tried}. Make a backup first (`streamspace db backup FILE`)",
        match pending.len() {
            1 => "1 migration".to_owned(),
            count => format!("{count} migrations"),
        },
        pending.join(", ")
    );
    Finding::new(About::Database, Outcome::Note, None, said)
}

/// Something that was begun with a plugin and is not done.
fn begun(plugin: &str, kind: OperationKind, step: OperationStep) -> Finding {
    let said = format!(
        "the {} of `{plugin}` is not done (step {}): under way on a host that runs, or broken off. A start takes it back or \
         finishes it",
        kind.name(),
        step.name()
    );
    Finding::new(About::Journal, Outcome::Note, None, said)
}

/// Whether it says that this host does not start on the database, or only that the database cannot be read.
fn of_database(why: &DatabaseError) -> Finding {
    let outcome = match why {
        DatabaseError::Newer { .. } | DatabaseError::Migration { .. } => Outcome::Fails,
        _ => Outcome::Unknown,
    };
    Finding::new(About::Database, outcome, Some(why.code()), why)
}

fn of_store(about: About, why: StoreError) -> Finding {
    let outcome = match &why {
        StoreError::Io { .. }
        | StoreError::Database(_)
        | StoreError::Record(RecordError::Database(_) | RecordError::Secret(SecretError::File { .. }))
        | StoreError::Secret(SecretError::File { .. }) => Outcome::Unknown,
        _ => Outcome::Fails,
    };
    let why = InstallError::from(why);
    Finding::new(about, outcome, why.code(), &why)
}

fn of_trust(why: &TrustError) -> Finding {
    let outcome = match why {
        TrustError::Database(_) | TrustError::LocalKey { .. } => Outcome::Unknown,
        _ => Outcome::Fails,
    };
    Finding::new(About::Trust, outcome, Some(why.code()), why)
}
