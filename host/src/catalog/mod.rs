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
mod rows;
mod search;
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
    index::{CatalogueName, PackageFile, Release},
    location::Location,
    search::{Search, Sort},
    view::{
        CatalogEntry, CatalogPage, CatalogPlugin, CatalogView, ReleaseView, ReviewView, SyncOutcome, SyncView,
    },
};
use self::{
    index::{INDEX, Listing, MAX_INDEX_BYTES, MAX_SIGNATURE_BYTES, Moment, PackagePath, SIGNATURE},
    rows::{Content, DownloadRow, RatingRow, Row},
    sync::{Accepted, Keys, Read},
    view::Local,
};
use crate::{clock, config, progress::Progress, store::Database};

/// How long syncing all catalogues may take together: less than those wait who asked for it.
const ALL: Duration = Duration::from_secs(120);
/// The longest review, in bytes.
const MAX_REVIEW: usize = 4096;
/// How many reviews are shown.
const REVIEWS: i64 = 50;
/// How long a download that nobody goes on with is kept.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);

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

/// A version that a catalogue offers.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The catalogue.
    pub catalog: String,
    /// Whether it was imported, and has no native code.
    pub imported: bool,
    /// Until when it is to be believed.
    pub expires: Moment,
    /// The plugin, with all its versions.
    pub listing: Listing,
}

/// Where a package is.
#[derive(Debug, Clone)]
pub struct PackageAt {
    /// The catalogue's place.
    pub location: Location,
    /// The package in it.
    pub package: PackageFile,
}

/// What all catalogues have, as it was read at one moment.
#[derive(Debug)]
struct Shelf {
    /// Names and digests of the catalogues: as long as they are these, so is the rest.
    of: Vec<(String, String)>,
    /// In the order of the catalogues.
    offers: Vec<Arc<Offer>>,
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
        let accepted = self.read(&name, &location, &keys)?;
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
                self.sync_one(row)
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
    fn sync_one(&self, row: &Row) -> Result<(bool, u64, u64), CatalogError> {
        let mut before = row.clone();
        let location = Location::parse(&row.location)?;
        location.check(self.config.plain_http)?;
        // Whoever syncs at the same time may be quicker; then it is judged again.
        for _ in 0..3 {
            let keys = keys_of(&before)?;
            let accepted = self.read(&row.name, &location, &keys)?;
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
    fn read(&self, name: &str, location: &Location, keys: &Keys) -> Result<Accepted, CatalogError> {
        let failed = |source| CatalogError::Fetch { catalogue: name.to_owned(), source };
        let fetcher = Fetcher::new(&self.config).map_err(failed)?;
        let read = |file: &str, most| {
            let path: PackagePath = file.parse().expect("a file's name is a path");
            fetcher.document(&location.file(&path), most).map_err(failed)
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

    /// Plugins, as `search` asks for them.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Database`].
    pub fn search(&self, search: &Search) -> Result<CatalogPage, CatalogError> {
        let (shelf, local) = (self.shelf()?, self.local()?);
        let mut found = Vec::new();
        for (offer, also_in) in shelf.first_of_each() {
            if search.finds(&offer.listing) {
                let none = Local::default();
                let local = local.get(offer.listing.name.as_str()).unwrap_or(&none);
                found.push(CatalogPlugin::new(&offer.catalog, also_in, &offer.listing, local));
            }
        }
        Ok(search.page(found))
    }

    /// A plugin with its versions, and what users think of it.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NoListing`].
    pub fn show(&self, name: &str) -> Result<CatalogEntry, CatalogError> {
        let shelf = self.shelf()?;
        let found = shelf.first_of_each().into_iter().find(|(offer, _)| offer.listing.name.as_str() == name);
        let (offer, also_in) = found.ok_or_else(|| CatalogError::NoListing { name: name.to_owned() })?;
        let reviews = self.database.with("read what users think of a plugin", |connection| {
            rows::reviews(connection, name, REVIEWS)
        })?;
        let local = self.local()?.remove(name).unwrap_or_default();
        Ok(CatalogEntry {
            plugin: CatalogPlugin::new(&offer.catalog, also_in, &offer.listing, &local),
            versions: offer.listing.newest_first().into_iter().map(ReleaseView::from).collect(),
            reviews: reviews
                .into_iter()
                .map(|(row, user)| ReviewView {
                    user,
                    rating: unsigned(row.rating),
                    review: row.review,
                    updated_at: clock::rfc3339(unsigned(row.updated_us)),
                })
                .collect(),
        })
    }

    /// Notes what a user thinks of a plugin, in place of what they thought before.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NoListing`], [`CatalogError::Rating`], [`CatalogError::Review`], [`CatalogError::NoAccount`].
    pub fn rate(
        &self,
        user: &str,
        name: &str,
        rating: i64,
        review: &str,
    ) -> Result<CatalogEntry, CatalogError> {
        if !(1..=5).contains(&rating) {
            return Err(CatalogError::Rating { found: rating });
        }
        let review: String = review.chars().filter(|char| !char.is_control() || *char == '\n').collect();
        if review.len() > MAX_REVIEW {
            return Err(CatalogError::Review { most: MAX_REVIEW, found: review.len() });
        }
        self.show(name)?;
        let now = signed(clock::unix_time_us());
        let row = RatingRow {
            plugin: name.to_owned(),
            user_id: user.to_owned(),
            rating,
            review,
            created_us: now,
            updated_us: now,
        };
        if !self
            .database
            .with("write what a user thinks of a plugin", |connection| rows::rate(connection, &row))?
        {
            return Err(CatalogError::NoAccount);
        }
        self.show(name)
    }

    /// What is offered of a plugin: by the first catalogue that has it, and not by others.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Database`].
    pub fn offer(&self, name: &str) -> Result<Option<Arc<Offer>>, CatalogError> {
        let shelf = self.shelf()?;
        Ok(shelf.offers.iter().find(|offer| offer.listing.name.as_str() == name).cloned())
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

    /// Counts that a plugin was installed from a catalogue.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Database`].
    pub fn count_install(
        &self,
        plugin: &str,
        version: &str,
        package: &str,
        catalog: &str,
    ) -> Result<(), CatalogError> {
        let row = DownloadRow {
            plugin: plugin.to_owned(),
            installs: 1,
            version: version.to_owned(),
            package: package.to_owned(),
            catalogue: catalog.to_owned(),
            installed_us: signed(clock::unix_time_us()),
        };
        self.database.with("count an installation", |connection| rows::count(connection, &row))?;
        Ok(())
    }

    /// Of the plugins that were installed from a catalogue: the version, the package's hash and the catalogue, as of the last
    /// time.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Database`].
    pub fn taken(&self) -> Result<BTreeMap<String, Taken>, CatalogError> {
        let rows = self.database.with("read what was installed from catalogues", rows::downloads)?;
        let taken = rows.into_iter().map(|row| {
            (row.plugin, Taken { version: row.version, package: row.package, catalog: row.catalogue })
        });
        Ok(taken.collect())
    }

    /// Syncs all catalogues at every interval that the configuration has, on a thread of its own.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn look_after(self: &Arc<Self>, logger: &Logger) -> std::io::Result<()> {
        fetch::tidy(&downloads_in(&self.data), KEEP);
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

    /// What all catalogues have. Read again when one of them is another one than it was.
    fn shelf(&self) -> Result<Arc<Shelf>, CatalogError> {
        let known = self.shelf.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let shelf = self.database.with("read what catalogues have", |connection| {
            let rows = rows::all(connection)?;
            let of: Vec<_> = rows.iter().map(|row| (row.name.clone(), row.digest.clone())).collect();
            if let Some(known) = known.filter(|known| known.of == of) {
                return Ok(known);
            }
            let mut offers = Vec::new();
            for row in &rows {
                for document in rows::listings(connection, &row.name)? {
                    // What this host wrote, it reads; what a newer one wrote may be more than it knows.
                    if let Ok(listing) = serde_json::from_str::<Listing>(&document) {
                        offers.push(Arc::new(Offer {
                            catalog: row.name.clone(),
                            imported: row.public_key.is_none(),
                            expires: Moment::at_us(unsigned(row.expires_us)),
                            listing,
                        }));
                    }
                }
            }
            Ok(Arc::new(Shelf { of, offers }))
        })?;
        *self.shelf.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&shelf));
        Ok(shelf)
    }

    /// What is known here of plugins.
    fn local(&self) -> Result<BTreeMap<String, Local>, CatalogError> {
        let read = self.database.with("read what is known here of plugins", |connection| {
            Ok((rows::installed(connection)?, rows::downloads(connection)?, rows::ratings(connection)?))
        });
        let (installed, downloads, ratings) = read?;
        let mut local: BTreeMap<String, Local> = BTreeMap::new();
        for (plugin, version) in installed {
            local.entry(plugin).or_default().installed = Some(version);
        }
        for row in downloads {
            local.entry(row.plugin).or_default().installs = unsigned(row.installs);
        }
        for (plugin, count, sum) in ratings {
            let local = local.entry(plugin).or_default();
            (local.ratings, local.sum) = (unsigned(count), unsigned(sum));
        }
        Ok(local)
    }
}

/// What was installed from a catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The version.
    pub version: String,
    /// SHA-256 of its `package.json`.
    pub package: String,
    /// The catalogue, which may be gone.
    pub catalog: String,
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

impl Shelf {
    /// Each plugin from the first catalogue that has it, with the others that have it too.
    fn first_of_each(&self) -> Vec<(&Arc<Offer>, Vec<String>)> {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut all: Vec<(&Arc<Offer>, Vec<String>)> = Vec::new();
        for offer in &self.offers {
            match places.get(offer.listing.name.as_str()) {
                Some(place) => all[*place].1.push(offer.catalog.clone()),
                None => {
                    places.insert(offer.listing.name.as_str(), all.len());
                    all.push((offer, Vec::new()));
                }
            }
        }
        all
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
    name.parse::<CatalogueName>().map(drop).map_err(|expected| CatalogError::Location {
        location: name.chars().take(80).collect(),
        problem: expected.to_owned(),
    })
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
