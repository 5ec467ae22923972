//! What is shown of catalogues and of the plugins in them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::index::{Listing, Release};

/// A catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogView {
    /// Its name.
    pub name: String,
    /// A URL, or a folder of the host's machine; of an imported one the file.
    pub location: String,
    /// Whether it was imported, has no signature, and lists plugins that cannot be installed.
    pub imported: bool,
    /// The key that its index is signed with.
    pub key: Option<String>,
    /// A key that its index may be signed with from now on too.
    pub next_key: Option<String>,
    /// The version of its index.
    pub version: u64,
    /// How many plugins it has.
    pub plugins: u64,
    /// Until when its index is to be believed, RFC 3339; `null` if it was imported.
    pub expires_at: Option<String>,
    /// Whether that is over: nothing is installed from it until it was synced.
    pub expired: bool,
    /// When its index was accepted last, RFC 3339.
    pub synced_at: String,
    /// When syncing failed, RFC 3339, if it did the last time.
    pub failed_at: Option<String>,
    /// Why.
    pub failure: Option<String>,
}

/// What came of syncing a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SyncView {
    /// The catalogue.
    pub catalog: String,
    /// `updated`, `unchanged` or `failed`.
    pub outcome: SyncOutcome,
    /// The version of the index that the host has now.
    pub version: Option<u64>,
    /// How many plugins it has.
    pub plugins: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
    /// The code of that.
    pub code: Option<String>,
}

/// What came of syncing a catalogue, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyncOutcome {
    /// There is a newer index.
    Updated,
    /// The index is the one that the host had.
    Unchanged,
    /// It failed; what the host had stays.
    Failed,
}

/// A plugin of a catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CatalogPlugin {
    /// Its name.
    pub name: String,
    /// The catalogue that it is taken from.
    pub catalog: String,
    /// Catalogues that list it too, and were added later.
    pub also_in: Vec<String>,
    /// The newest version that is neither withdrawn nor a pre-release.
    pub version: String,
    /// Its name for people.
    pub display_name: String,
    /// What it does.
    pub description: String,
    /// Who made it.
    pub author: Option<String>,
    /// Its licence.
    pub license: Option<String>,
    /// Where to read more.
    pub homepage: Option<String>,
    /// A heading.
    pub category: String,
    /// `extension`, `webhook`, `integration`, `theme`, or another word.
    #[serde(rename = "type")]
    pub kind: String,
    /// Words to search for.
    pub tags: Vec<String>,
    /// An image in the catalogue's folder.
    pub icon: Option<String>,
    /// When the version came out, RFC 3339.
    pub released_at: String,
    /// Whether it has a package: what was imported has none.
    pub installable: bool,
    /// The version that is installed here.
    pub installed: Option<String>,
    /// How often it was installed here from a catalogue.
    pub install_count: u64,
    /// The average of what users of this host gave it; 0 without any.
    pub avg_rating: f64,
    /// How many gave it something.
    pub rating_count: u64,
}

/// A page of plugins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CatalogPage {
    /// In the order that was asked for.
    pub plugins: Vec<CatalogPlugin>,
    /// How many there are in all.
    pub total: u64,
}

/// A plugin of a catalogue with its versions, and what users think of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CatalogEntry {
    /// The plugin.
    pub plugin: CatalogPlugin,
    /// Its versions, the newest first.
    pub versions: Vec<ReleaseView>,
    /// What users think of it, the newest first, 50 at most.
    pub reviews: Vec<ReviewView>,
}

/// A version of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseView {
    /// The version.
    pub version: String,
    /// When it came out, RFC 3339.
    pub released_at: String,
    /// What is new in it.
    pub changelog: String,
    /// Why it was withdrawn.
    pub yanked: Option<String>,
    /// What it runs on, as target triples.
    pub targets: Vec<String>,
    /// The plugins that it needs.
    pub dependencies: BTreeMap<String, String>,
    /// The plugins that it cannot be beside.
    pub conflicts: BTreeMap<String, String>,
    /// What it asks to be allowed.
    pub permissions: Vec<String>,
    /// The bytes of its package.
    pub size: Option<u64>,
    /// SHA-256 of its `package.json`.
    pub package: Option<String>,
}

/// What a user thinks of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewView {
    /// The user's name.
    pub user: String,
    /// 1 to 5.
    pub rating: u64,
    /// What they say; may be empty.
    pub review: String,
    /// When they said so last, RFC 3339.
    pub updated_at: String,
}

/// What is known here of a plugin, whatever catalogues say.
#[derive(Debug, Clone, Default)]
pub(super) struct Local {
    pub(super) installed: Option<String>,
    pub(super) installs: u64,
    pub(super) ratings: u64,
    pub(super) sum: u64,
}

impl CatalogPlugin {
    pub(super) fn new(catalog: &str, also_in: Vec<String>, listing: &Listing, local: &Local) -> Self {
        let shown = listing.shown();
        let average = if local.ratings == 0 { 0.0 } else { local.sum as f64 / local.ratings as f64 };
        Self {
            name: listing.name.to_string(),
            catalog: catalog.to_owned(),
            also_in,
            version: shown.map(|release| release.version.to_string()).unwrap_or_default(),
            display_name: listing.display_name.clone(),
            description: listing.description.clone(),
            author: listing.author.clone(),
            license: listing.license.clone(),
            homepage: listing.homepage.clone(),
            category: listing.category.clone(),
            kind: listing.kind.clone(),
            tags: listing.tags.clone(),
            icon: listing.icon.as_ref().map(|path| path.as_str().to_owned()),
            released_at: shown.map(|release| release.released_at.to_string()).unwrap_or_default(),
            installable: listing.versions.iter().any(|release| release.package.is_some()),
            installed: local.installed.clone(),
            install_count: local.installs,
            avg_rating: (average * 100.0).round() / 100.0,
            rating_count: local.ratings,
        }
    }
}

impl From<&Release> for ReleaseView {
    fn from(release: &Release) -> Self {
        let ranges = |all: &BTreeMap<streamspace_plugin::manifest::PluginName, semver::VersionReq>| {
            all.iter().map(|(name, range)| (name.to_string(), range.to_string())).collect()
        };
        Self {
            version: release.version.to_string(),
            released_at: release.released_at.to_string(),
            changelog: release.changelog.clone(),
            yanked: release.yanked.clone(),
            targets: release.targets.iter().map(|target| target.triple.to_string()).collect(),
            dependencies: ranges(&release.dependencies),
            conflicts: ranges(&release.conflicts),
            permissions: release.permissions.clone(),
            size: release.package.as_ref().map(|package| package.size),
            package: release.package.as_ref().map(|package| package.package.to_string()),
        }
    }
}
