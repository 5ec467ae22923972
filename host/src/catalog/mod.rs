//! Catalogues of plugins: folders with a signed index and packages, served by any web server or read from the disk.
//!
//! ```text
//! sync    location ──▶ fetch: index.json, index.minisig ──▶ sync: signature, version, expiry ──▶ rows
//! search  rows ──▶ Catalogues::search ──▶ view, with what is known here: ratings, installations
//! install rows ──▶ offers ──▶ install::resolve ──▶ fetch: package ──▶ a file that is as the index says
//! ```
//!
//! What a catalogue says is replaced as a whole by each sync. What users of this host think, and how often a plugin was
//! installed here, belongs to the plugin's name and stays.

mod build;
mod error;
mod fetch;
mod import;
pub mod index;
mod location;
mod part;
mod plugins;
mod rows;
mod search;
mod shelf;
mod sync;
mod view;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use slog::{Logger, info, warn};
use streamspace_package::PublicKey;

pub use self::{
    build::{BuildOrder, BuildReport, build},
    error::CatalogError,
    fetch::{FetchError, Fetcher},
    index::{CatalogueName, PackageFile, Release, ReleaseTarget},
    location::Location,
    plugins::Taken,
    search::{Search, Sort},
    shelf::Offer,
    view::{
        CatalogEntry, CatalogPage, CatalogPlugin, CatalogView, ReleaseView, ReviewView, SyncOutcome, SyncView,
    },
};
use self::{
    index::{INDEX, MAX_INDEX_BYTES, MAX_SIGNATURE_BYTES, PackagePath, SIGNATURE},
    rows::{Content, Row},
    shelf::Shelf,
    sync::{Accepted, Keys, Read},
};
use crate::{clock, config, progress::Progress, store::Database};

/// How long syncing all catalogues may take together: less than those wait who asked for it.
const ALL: Duration = Duration::from_secs(120);

/// A catalogue that is to be added.
#[derive(Debug, Clone)]
pub struct NewCatalog {
    /// A URL, or the absolute path of a folder.
    pub location: String,
    /// What its index is signed with.
    pub key: PublicKey,
    /// Its name here, instead of the one that it gives itself.
    pub name: Option<String>,
}

/// Where a package is.
#[derive(Debug, Clone)]
pub struct PackageAt {
    /// The catalogue's place.
    pub location: Location,
    /// The package in it.
    pub package: PackageFile,
}

/// Catalogues. Everything here blocks.
pub struct Catalogues {
    database: Arc<Database>,
    config: config::Catalog,
    data: PathBuf,
    shelf: Mutex<Option<Arc<Shelf>>>,
    stop: Mutex<Option<mpsc::Sender<()>>>,
}

impl Catalogues {
    /// The catalogues in `database`. Downloads go below `data`.
    #[must_use]
    pub fn new(database: Arc<Database>, data: &Path, config: &config::Catalog) -> Self {
        Self {
            database,
            config: config.clone(),
            data: data.to_owned(),
            shelf: Mutex::default(),
            stop: Mutex::default(),
        }
    }

    /// How catalogues are read.
    #[must_use]
    pub fn config(&self) -> &config::Catalog {
        &self.config
    }

    /// The data folder, which downloads go into.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// All catalogues, in the order in which they were added: of a plugin that several have, the first one's is taken.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Database`].
    pub fn list(&self) -> Result<Vec<CatalogView>, CatalogError> {
        let shelf = self.shelf()?;
        let rows = self.database.with("list the catalogues", rows::all)?;
        Ok(rows.iter().map(|row| view_of(row, &shelf)).collect())
    }

    /// Adds a catalogue whose index can be read and is signed with the key.
    ///
    /// # Errors
    ///
    /// [`CatalogError`]; nothing is added then.
    pub fn add(&self, new: &NewCatalog) -> Result<CatalogView, CatalogError> {
        let location = Location::parse(&new.location)?;
        location.check(self.config.plain_http)?;
        let shown = location.to_string();
        if let Some(name) = &new.name {
            check_name(name)?;
            self.must_be_free(name)?;
        }
        let name = new.name.clone().unwrap_or_else(|| shown.clone());
        let keys = Keys { key: new.key.clone(), next: None };
        let accepted = self.read(&name, &location, &keys, Instant::now() + ALL)?;
        let now = clock::unix_time_us();
        sync::current(&name, accepted.index.expires, now)?;
        let name = new.name.clone().unwrap_or_else(|| accepted.index.name.to_string());
        let row = Row {
            name,
            own_name: accepted.index.name.to_string(),
            location: shown,
            public_key: Some(accepted.key.to_string()),
            next_key: accepted.index.next_key.as_ref().map(PublicKey::to_string),
            version: signed(accepted.index.version),
            digest: accepted.digest,
            expires_us: signed(accepted.index.expires.us()),
            added_us: signed(now),
            synced_us: signed(now),
            failed_us: None,
            failure: None,
        };
        self.insert(&row, &sync::content(&accepted.index))
    }

    fn insert(&self, row: &Row, content: &Content) -> Result<CatalogView, CatalogError> {
        if !self.database.with("add a catalogue", |connection| rows::add(connection, row, content))? {
            self.must_be_free(&row.name)?;
        }
        Ok(view_of(row, &*self.shelf()?))
    }

    fn must_be_free(&self, name: &str) -> Result<(), CatalogError> {
        let known = self.database.with("look for a catalogue", |connection| rows::get(connection, name))?;
        known.map_or(Ok(()), |row| Err(CatalogError::Taken { name: row.name, location: row.location }))
    }

    /// Removes a catalogue. What was installed from it stays.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NoCatalogue`].
    pub fn remove(&self, name: &str) -> Result<(), CatalogError> {
        match self.database.with("remove a catalogue", |connection| rows::remove(connection, name))? {
            0 => Err(CatalogError::NoCatalogue { name: name.to_owned() }),
            _ => Ok(()),
        }
    }

    /// Reads the indexes of all catalogues anew, or that of one. What fails leaves what was known, and no other one behind.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NoCatalogue`]; [`CatalogError::Imported`] for one that is named; [`CatalogError::Database`].
    pub fn sync(&self, name: Option<&str>) -> Result<Vec<SyncView>, CatalogError> {
        let until = Instant::now() + ALL;
        let all = self.database.with("list the catalogues", rows::all)?;
        let of_name: Vec<Row> =
            all.into_iter().filter(|row| name.is_none_or(|name| name == row.name)).collect();
        match (of_name.first(), name) {
            (None, Some(name)) => return Err(CatalogError::NoCatalogue { name: name.to_owned() }),
            (Some(row), Some(_)) if row.public_key.is_none() => {
                return Err(CatalogError::Imported { catalogue: row.name.clone() });
            }
            _ => {}
        }
        let mut views = Vec::new();
        for row in of_name.iter().filter(|row| row.public_key.is_some()) {
            let done = if Instant::now() < until {
                self.sync_one(row, until)
            } else {
                Err(CatalogError::NoTime { catalogue: row.name.clone() })
            };
            if let Err(why) = &done {
                let (now, told) = (signed(clock::unix_time_us()), format!("{why} ({})", why.code()));
                self.database.with("note that syncing failed", |connection| {
                    rows::note_failure(connection, &row.name, now, &told)
                })?;
            }
            views.push(sync_view(&row.name, done));
        }
        Ok(views)
    }

    /// Answers whether the index is a newer one, with its version and how many plugins it has.
    fn sync_one(&self, row: &Row, until: Instant) -> Result<(bool, u64, u64), CatalogError> {
        let mut before = row.clone();
        let location = Location::parse(&row.location)?;
        location.check(self.config.plain_http)?;
        // Whoever syncs at the same time may be quicker; then it is judged again.
        for _ in 0..3 {
            let keys = keys_of(&before)?;
            let accepted = self.read(&row.name, &location, &keys, until)?;
            let now = clock::unix_time_us();
            let is_newer = sync::follows(&before, &accepted, now)?;
            let after = Row {
                public_key: Some(accepted.key.to_string()),
                next_key: accepted.index.next_key.as_ref().map(PublicKey::to_string),
                version: signed(accepted.index.version),
                digest: accepted.digest,
                expires_us: signed(accepted.index.expires.us()),
                synced_us: signed(now),
                failed_us: None,
                failure: None,
                ..before.clone()
            };
            let content = is_newer.then(|| sync::content(&accepted.index));
            let is_written = self.database.with("write what a catalogue has", |connection| {
                rows::replace(connection, &before, &after, content.as_ref())
            })?;
            if is_written {
                return Ok((is_newer, accepted.index.version, accepted.index.plugins.len() as u64));
            }
            let now =
                self.database.with("look for a catalogue", |connection| rows::get(connection, &row.name))?;
            before = now.ok_or_else(|| CatalogError::NoCatalogue { name: row.name.clone() })?;
        }
        Err(CatalogError::NoTime { catalogue: row.name.clone() })
    }

    /// Reads and verifies an index. It is two files: if they do not fit together, somebody may be replacing them just now.
    fn read(
        &self,
        name: &str,
        location: &Location,
        keys: &Keys,
        until: Instant,
    ) -> Result<Accepted, CatalogError> {
        let failed = |source| CatalogError::Fetch { catalogue: name.to_owned(), source: Box::new(source) };
        let fetcher = Fetcher::new(&self.config).map_err(failed)?;
        let read = |file: &str, most| {
            let path: PackagePath = file.parse().expect("a file's name is a path");
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(CatalogError::NoTime { catalogue: name.to_owned() });
            }
            fetcher.document(&location.file(&path), most, left).map_err(failed)
        };
        let once = || {
            let read = Read {
                index: read(INDEX, MAX_INDEX_BYTES)?,
                signatures: read(SIGNATURE, MAX_SIGNATURE_BYTES)?,
            };
            sync::verified(name, &location.to_string(), keys, &read)
        };
        match once() {
            Err(CatalogError::Signature { .. }) => {
                thread::sleep(Duration::from_millis(300));
                once()
            }
            other => other,
        }
    }

    /// Reads a list of the platform's plugins, as a catalogue of its own or in place of an earlier import of that name.
    ///
    /// # Errors
    ///
    /// [`CatalogError`]; nothing is changed then.
    pub fn import(&self, from: &Path, name: Option<&str>) -> Result<CatalogView, CatalogError> {
        if let Some(name) = name {
            check_name(name)?;
        }
        let imported = import::read(from, name)?;
        let now = signed(clock::unix_time_us());
        let content = sync::content(&imported.index);
        let row = Row {
            name: imported.index.name.to_string(),
            own_name: imported.index.name.to_string(),
            location: from.display().to_string(),
            public_key: None,
            next_key: None,
            version: 0,
            digest: imported.digest,
            expires_us: i64::MAX,
            added_us: now,
            synced_us: now,
            failed_us: None,
            failure: None,
        };
        let before =
            self.database.with("look for a catalogue", |connection| rows::get(connection, &row.name))?;
        match before {
            None => self.insert(&row, &content),
            Some(before) if before.public_key.is_some() => {
                Err(CatalogError::Taken { name: before.name, location: before.location })
            }
            Some(before) => {
                let row = Row { added_us: before.added_us, ..row };
                self.database.with("write what was imported", |connection| {
                    rows::replace(connection, &before, &row, Some(&content))
                })?;
                Ok(view_of(&row, &*self.shelf()?))
            }
        }
    }

    /// What catalogues revoke: ids of keys and hashes of packages, with the reasons.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Database`].
    pub fn revocations(&self) -> Result<BTreeMap<String, String>, CatalogError> {
        let rows = self.database.with("read what catalogues revoke", rows::revocations)?;
        let said = |reason: String, catalogue: &str| format!("{reason} (catalogue {catalogue})");
        Ok(rows.into_iter().map(|(subject, reason, catalogue)| (subject, said(reason, &catalogue))).collect())
    }

    /// Where the packages of a catalogue are.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NoCatalogue`].
    pub fn location(&self, catalog: &str) -> Result<Location, CatalogError> {
        let row = self.database.with("look for a catalogue", |connection| rows::get(connection, catalog))?;
        let row = row.ok_or_else(|| CatalogError::NoCatalogue { name: catalog.to_owned() })?;
        Location::parse(&row.location)
    }

    /// Syncs all catalogues at every interval that the configuration has, on a thread of its own.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn look_after(self: &Arc<Self>, logger: &Logger) -> std::io::Result<()> {
        fetch::tidy(&downloads_in(&self.data));
        let every = Duration::from_secs(self.config.sync_interval_secs);
        if every.is_zero() {
            return Ok(());
        }
        let (stop, stopped) = mpsc::channel();
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop);
        let (catalogues, logger) = (Arc::clone(self), logger.clone());
        thread::Builder::new().name("ss:catalogues".to_owned()).spawn(move || {
            loop {
                match catalogues.sync(None) {
                    Ok(views) => views.iter().for_each(|view| tell(&logger, view)),
                    Err(why) => {
                        warn!(logger, "The catalogues were not synced."; "code" => why.code(), "error" => %why);
                    }
                }
                // The other end goes when the host stops.
                if stopped.recv_timeout(every) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(())
    }

    /// Ends what [`look_after`](Self::look_after) started.
    pub fn stop(&self) {
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Where downloads are, in the data folder.
#[must_use]
pub fn downloads_in(data: &Path) -> PathBuf {
    data.join("downloads")
}

impl PackageAt {
    /// Downloads the package, or takes it if it is there: a file that is as the index says.
    ///
    /// # Errors
    ///
    /// [`FetchError`].
    pub fn fetch(
        &self,
        fetcher: &Fetcher,
        data: &Path,
        progress: &dyn Progress,
    ) -> Result<PathBuf, FetchError> {
        let at = self.location.file(&self.package.path);
        fetcher.package(&at, &self.package, &downloads_in(data), progress)
    }
}

fn keys_of(row: &Row) -> Result<Keys, CatalogError> {
    let parse = |key: &str| {
        key.parse::<PublicKey>().map_err(|source| CatalogError::Signature {
            catalogue: row.name.clone(),
            location: row.location.clone(),
            source: Box::new(source),
        })
    };
    let key = row.public_key.as_deref().unwrap_or_default();
    Ok(Keys { key: parse(key)?, next: row.next_key.as_deref().map(parse).transpose()? })
}

fn check_name(name: &str) -> Result<(), CatalogError> {
    name.parse::<CatalogueName>()
        .map(drop)
        .map_err(|expected| CatalogError::Name { found: name.chars().take(80).collect(), expected })
}

fn view_of(row: &Row, shelf: &Shelf) -> CatalogView {
    let imported = row.public_key.is_none();
    let expires = unsigned(row.expires_us);
    CatalogView {
        name: row.name.clone(),
        location: row.location.clone(),
        imported,
        key: row.public_key.clone(),
        next_key: row.next_key.clone(),
        version: unsigned(row.version),
        plugins: shelf.offers.iter().filter(|offer| offer.catalog == row.name).count() as u64,
        expires_at: (!imported).then(|| clock::rfc3339(expires)),
        expired: expires <= clock::unix_time_us(),
        synced_at: clock::rfc3339(unsigned(row.synced_us)),
        failed_at: row.failed_us.map(|us| clock::rfc3339(unsigned(us))),
        failure: row.failure.clone(),
    }
}

fn sync_view(catalogue: &str, done: Result<(bool, u64, u64), CatalogError>) -> SyncView {
    let catalog = catalogue.to_owned();
    match done {
        Ok((is_newer, version, plugins)) => SyncView {
            catalog,
            outcome: if is_newer { SyncOutcome::Updated } else { SyncOutcome::Unchanged },
            version: Some(version),
            plugins: Some(plugins),
            error: None,
            code: None,
        },
        Err(why) => SyncView {
            catalog,
            outcome: SyncOutcome::Failed,
            version: None,
            plugins: None,
            error: Some(why.to_string()),
            code: Some(why.code().to_owned()),
        },
    }
}

fn tell(logger: &Logger, view: &SyncView) {
    match (&view.error, view.outcome) {
        (Some(why), _) => {
            warn!(logger, "A catalogue was not synced."; "catalog" => &view.catalog, "error" => why, "code" => &view.code);
        }
        (None, SyncOutcome::Updated) => {
            info!(logger, "A catalogue has a newer index."; "catalog" => &view.catalog, "index_version" => view.version);
        }
        (None, _) => {}
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl fmt::Debug for Catalogues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogues").field("config", &self.config).finish_non_exhaustive()
    }
}
