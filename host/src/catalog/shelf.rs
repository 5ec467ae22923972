//! What catalogues have, in memory, beside what is known here of plugins.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use super::{
    CatalogError, Catalogues,
    index::{Listing, Moment},
    rows, unsigned,
    view::Local,
};

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

/// What all catalogues have, as it was read at one moment.
#[derive(Debug)]
pub(super) struct Shelf {
    /// Names and digests of the catalogues: as long as they are these, so is the rest.
    of: Vec<(String, String)>,
    /// In the order of the catalogues.
    pub(super) offers: Vec<Arc<Offer>>,
}

impl Catalogues {
    /// What is offered of a plugin: by the first catalogue that has it, and not by others.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Database`].
    pub fn offer(&self, name: &str) -> Result<Option<Arc<Offer>>, CatalogError> {
        let shelf = self.shelf()?;
        Ok(shelf.offers.iter().find(|offer| offer.listing.name.as_str() == name).cloned())
    }

    /// What all catalogues have. Read again when one of them is another one than it was.
    pub(super) fn shelf(&self) -> Result<Arc<Shelf>, CatalogError> {
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
    pub(super) fn local(&self) -> Result<BTreeMap<String, Local>, CatalogError> {
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

impl Shelf {
    /// Each plugin from the first catalogue that has it, with the others that have it too.
    pub(super) fn first_of_each(&self) -> Vec<(&Arc<Offer>, Vec<String>)> {
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
