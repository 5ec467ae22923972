//! Plugins of the catalogues, with what is known of them here: what users think, and what was installed.

use std::collections::BTreeMap;

use super::{
    CatalogEntry, CatalogError, CatalogPage, CatalogPlugin, Catalogues, ReleaseView, ReviewView, Search,
    rows::{self, DownloadRow, RatingRow},
    signed, unsigned,
    view::Local,
};
use crate::clock;

/// The longest review, in bytes.
const MAX_REVIEW: usize = 4096;
/// How many reviews are shown.
const REVIEWS: i64 = 50;

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

impl Catalogues {
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
}
