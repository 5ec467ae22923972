//! The versions of a plugin whose files are kept: the current one, and those before it.

use std::{fmt, str::FromStr};

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use streamspace_package::PublicKey;

use super::{
    Connection, Database, DatabaseError,
    database::on,
    files::FileHashes,
    schema::{plugin_generations, plugin_pins},
    trust,
};

/// Why a plugin's files are taken for what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrustLevel {
    /// Signed with the key that this host was built with.
    BuiltIn,
    /// Signed with a vendor's key that the operator trusts.
    Vendor,
    /// Signed on this host.
    Local,
    /// Not signed by anybody who is trusted. Runs until the date that the operator set.
    Unsigned,
    /// From a folder on the host's machine, as developers have it: nothing was signed.
    Folder,
}

impl TrustLevel {
    const ALL: [Self; 5] = [Self::BuiltIn, Self::Vendor, Self::Local, Self::Unsigned, Self::Folder];

    /// As it is written down and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Vendor => "vendor",
            Self::Local => "local",
            Self::Unsigned => "unsigned",
            Self::Folder => "folder",
        }
    }
}

impl FromStr for TrustLevel {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|level| level.name() == name).ok_or(())
    }
}

impl fmt::Display for TrustLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a plugin's files come from, and who answers for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Why they are taken.
    pub trust: TrustLevel,
    /// The id of the key that they were taken for.
    pub key: Option<String>,
    /// The name which that key had.
    pub signer: Option<String>,
    /// The SHA-256 of `package.json`; `None` from a folder.
    pub package: Option<String>,
    /// The key that its vendor will sign later versions with, if the key that it was taken for says so.
    pub next_key: Option<String>,
    /// That the key which it was taken for is to be trusted from now on. Not a part of what is kept.
    pub successor: Option<Successor>,
}

/// A key that the one before it announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// The key.
    pub key: PublicKey,
    /// The name that it is trusted under.
    pub name: String,
    /// The name and the id of the key before it.
    pub announced_by: String,
}

impl Provenance {
    /// A folder's.
    pub(crate) const FOLDER: Self = Self {
        trust: TrustLevel::Folder,
        key: None,
        signer: None,
        package: None,
        next_key: None,
        successor: None,
    };
}

/// A version whose files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The plugin.
    pub plugin: String,
    /// The folder of its files.
    pub content: String,
    /// The version.
    pub version: String,
    /// The file name of its library.
    pub library: String,
    /// Who answers for it.
    pub provenance: Provenance,
    /// Its files.
    pub files: FileHashes,
    /// The folder of the version in whose place it came, which is where one goes back to.
    pub replaced: Option<String>,
    /// When it was installed first, microseconds since 1970-01-01 UTC.
    pub installed_us: u64,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = plugin_generations, treat_none_as_null = true)]
struct Row {
    plugin: String,
    content: String,
    version: String,
    library: String,
    trust: String,
    key_id: Option<String>,
    signer: Option<String>,
    package: Option<String>,
    files: String,
    installed_us: i64,
    next_key: Option<String>,
    replaced: Option<String>,
}

impl Generation {
    fn row(&self) -> Row {
        let Provenance { trust, key, signer, package, next_key, successor: _ } = self.provenance.clone();
        Row {
            plugin: self.plugin.clone(),
            content: self.content.clone(),
            version: self.version.clone(),
            library: self.library.clone(),
            trust: trust.name().to_owned(),
            key_id: key,
            signer,
            package,
            files: serde_json::to_string(&self.files).unwrap_or_default(),
            installed_us: i64::try_from(self.installed_us).unwrap_or(i64::MAX),
            next_key,
            replaced: self.replaced.clone(),
        }
    }

    fn read(row: Row) -> Self {
        let provenance = Provenance {
            // What this host does not know is trusted least.
            trust: row.trust.parse().unwrap_or(TrustLevel::Unsigned),
            key: row.key_id,
            signer: row.signer,
            package: row.package,
            next_key: row.next_key,
            successor: None,
        };
        Self {
            plugin: row.plugin,
            content: row.content,
            version: row.version,
            library: row.library,
            provenance,
            // Without them every file is one too many, which the check says.
            files: serde_json::from_str(&row.files).unwrap_or_default(),
            replaced: row.replaced,
            installed_us: u64::try_from(row.installed_us).unwrap_or(0),
        }
    }
}

/// Writes a generation down, in a transaction of the caller's, and the key that is trusted with it.
pub(super) fn save(connection: &mut Connection, generation: &Generation) -> QueryResult<()> {
    let row = generation.row();
    on!(connection, |c| {
        diesel::insert_into(plugin_generations::table)
            .values(&row)
            .on_conflict((plugin_generations::plugin, plugin_generations::content))
            .do_update()
            .set(&row)
            .execute(c)
    })?;
    if let Some(Successor { key, name, .. }) = &generation.provenance.successor {
        trust::pin(connection, key, name)?;
    }
    Ok(())
}

/// The tables of generations and pins.
#[derive(Debug)]
pub(super) struct Generations<'a>(pub(super) &'a Database);

impl Generations<'_> {
    /// Those of a plugin, the newest first.
    pub(super) fn of(&self, plugin: &str) -> Result<Vec<Generation>, DatabaseError> {
        let rows: Vec<Row> = self.0.with("read the generations of a plugin", |connection| {
            on!(connection, |c| {
                plugin_generations::table
                    .filter(plugin_generations::plugin.eq(plugin))
                    .order((plugin_generations::installed_us.desc(), plugin_generations::content))
                    .select(Row::as_select())
                    .load(c)
            })
        })?;
        Ok(rows.into_iter().map(Generation::read).collect())
    }

    pub(super) fn save(&self, generation: &Generation) -> Result<(), DatabaseError> {
        self.0.with("write a generation of a plugin", |connection| save(connection, generation))
    }

    pub(super) fn remove(&self, plugin: &str, content: &str) -> Result<(), DatabaseError> {
        self.0.with("remove a generation of a plugin", |connection| {
            on!(connection, |c| {
                diesel::delete(plugin_generations::table.find((plugin, content))).execute(c)
            })
        })?;
        Ok(())
    }

    /// The version that a plugin stays at.
    pub(super) fn pin(&self, plugin: &str) -> Result<Option<String>, DatabaseError> {
        self.0.with("read the pin of a plugin", |connection| {
            on!(connection, |c| {
                plugin_pins::table.find(plugin).select(plugin_pins::version).first(c).optional()
            })
        })
    }

    pub(super) fn set_pin(&self, plugin: &str, version: Option<&str>) -> Result<(), DatabaseError> {
        self.0.with("write the pin of a plugin", |connection| {
            on!(connection, |c| match version {
                Some(version) => diesel::insert_into(plugin_pins::table)
                    .values((plugin_pins::plugin.eq(plugin), plugin_pins::version.eq(version)))
                    .on_conflict(plugin_pins::plugin)
                    .do_update()
                    .set(plugin_pins::version.eq(version))
                    .execute(c),
                None => diesel::delete(plugin_pins::table.find(plugin)).execute(c),
            })
        })?;
        Ok(())
    }
}
