//! What the database knows of catalogues.

use diesel::{dsl::sql, prelude::*, sql_types::BigInt};

use crate::store::{
    Connection, on,
    schema::{
        catalogue_listings, catalogue_revocations, catalogues, plugin_downloads, plugin_ratings, plugins,
        users,
    },
};

/// How many rows are written with one statement: PostgreSQL takes 65535 values at most.
const ROWS: usize = 1000;

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = catalogues, treat_none_as_null = true)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) own_name: String,
    pub(super) location: String,
    pub(super) public_key: Option<String>,
    pub(super) next_key: Option<String>,
    pub(super) version: i64,
    pub(super) digest: String,
    pub(super) expires_us: i64,
    pub(super) added_us: i64,
    pub(super) synced_us: i64,
    pub(super) failed_us: Option<i64>,
    pub(super) failure: Option<String>,
}

/// What an index says, as it is kept: plugins with their documents, and what is revoked with the reasons.
pub(super) struct Content {
    pub(super) listings: Vec<(String, String)>,
    pub(super) revocations: Vec<(String, String)>,
}

#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = plugin_ratings)]
pub(super) struct RatingRow {
    pub(super) plugin: String,
    pub(super) user_id: String,
    pub(super) rating: i64,
    pub(super) review: String,
    pub(super) created_us: i64,
    pub(super) updated_us: i64,
}

#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = plugin_downloads)]
pub(super) struct DownloadRow {
    pub(super) plugin: String,
    pub(super) installs: i64,
    pub(super) version: String,
    pub(super) package: String,
    pub(super) catalogue: String,
    pub(super) installed_us: i64,
}

/// All catalogues, in the order in which they were added.
pub(super) fn all(connection: &mut Connection) -> QueryResult<Vec<Row>> {
    on!(connection, |c| {
        catalogues::table.order((catalogues::added_us, catalogues::name)).select(Row::as_select()).load(c)
    })
}

pub(super) fn get(connection: &mut Connection, name: &str) -> QueryResult<Option<Row>> {
    on!(connection, |c| catalogues::table.find(name).select(Row::as_select()).first(c).optional())
}

/// Adds a catalogue. `false`: there is one of the name.
pub(super) fn add(connection: &mut Connection, row: &Row, content: &Content) -> QueryResult<bool> {
    connection.write(|connection| {
        let added = on!(connection, |c| {
            diesel::insert_into(catalogues::table).values(row).on_conflict_do_nothing().execute(c)
        })?;
        if added == 1 {
            fill(connection, &row.name, content)?;
        }
        Ok(added == 1)
    })
}

/// Replaces what is known of a catalogue. `false`: it is not as it was in `before` any more, and nothing was changed.
pub(super) fn replace(
    connection: &mut Connection,
    before: &Row,
    after: &Row,
    content: Option<&Content>,
) -> QueryResult<bool> {
    connection.write(|connection| {
        let changed = on!(connection, |c| {
            let as_it_was = catalogues::table
                .find(&before.name)
                .filter(catalogues::version.eq(before.version))
                .filter(catalogues::digest.eq(&before.digest))
                .filter(catalogues::added_us.eq(before.added_us));
            diesel::update(as_it_was).set(after).execute(c)
        })?;
        if let (1, Some(content)) = (changed, content) {
            on!(connection, |c| {
                let of_it = catalogue_listings::table.filter(catalogue_listings::catalogue.eq(&before.name));
                diesel::delete(of_it).execute(c)?;
                let of_it =
                    catalogue_revocations::table.filter(catalogue_revocations::catalogue.eq(&before.name));
                diesel::delete(of_it).execute(c)
            })?;
            fill(connection, &before.name, content)?;
        }
        Ok(changed == 1)
    })
}

fn fill(connection: &mut Connection, name: &str, content: &Content) -> QueryResult<()> {
    on!(connection, |c| {
        for some in content.listings.chunks(ROWS) {
            let rows: Vec<_> = some
                .iter()
                .map(|(plugin, document)| {
                    (
                        catalogue_listings::catalogue.eq(name),
                        catalogue_listings::plugin.eq(plugin),
                        catalogue_listings::document.eq(document),
                    )
                })
                .collect();
            diesel::insert_into(catalogue_listings::table).values(&rows).execute(c)?;
        }
        for some in content.revocations.chunks(ROWS) {
            let rows: Vec<_> = some
                .iter()
                .map(|(subject, reason)| {
                    (
                        catalogue_revocations::catalogue.eq(name),
                        catalogue_revocations::subject.eq(subject),
                        catalogue_revocations::reason.eq(reason),
                    )
                })
                .collect();
            diesel::insert_into(catalogue_revocations::table).values(&rows).execute(c)?;
        }
        Ok(())
    })
}

/// Notes that a catalogue could not be synced.
pub(super) fn note_failure(
    connection: &mut Connection,
    name: &str,
    failed_us: i64,
    failure: &str,
) -> QueryResult<usize> {
    on!(connection, |c| {
        diesel::update(catalogues::table.find(name))
            .set((catalogues::failed_us.eq(failed_us), catalogues::failure.eq(failure)))
            .execute(c)
    })
}

pub(super) fn remove(connection: &mut Connection, name: &str) -> QueryResult<usize> {
    on!(connection, |c| diesel::delete(catalogues::table.find(name)).execute(c))
}

/// What a catalogue lists.
pub(super) fn listings(connection: &mut Connection, catalogue: &str) -> QueryResult<Vec<String>> {
    on!(connection, |c| {
        catalogue_listings::table
            .filter(catalogue_listings::catalogue.eq(catalogue))
            .order(catalogue_listings::plugin)
            .select(catalogue_listings::document)
            .load(c)
    })
}

/// What catalogues revoke, with the reasons.
pub(super) fn revocations(connection: &mut Connection) -> QueryResult<Vec<(String, String, String)>> {
    on!(connection, |c| {
        catalogue_revocations::table
            .order((catalogue_revocations::subject, catalogue_revocations::catalogue))
            .select((
                catalogue_revocations::subject,
                catalogue_revocations::reason,
                catalogue_revocations::catalogue,
            ))
            .load(c)
    })
}

/// How many rated each plugin, and the sum of it.
pub(super) fn ratings(connection: &mut Connection) -> QueryResult<Vec<(String, i64, i64)>> {
    on!(connection, |c| {
        plugin_ratings::table
            .group_by(plugin_ratings::plugin)
            .select((
                plugin_ratings::plugin,
                sql::<BigInt>("CAST(COUNT(*) AS BIGINT)"),
                sql::<BigInt>("CAST(SUM(rating) AS BIGINT)"),
            ))
            .load(c)
    })
}

/// The newest ratings of a plugin, with the names of those who rated.
pub(super) fn reviews(
    connection: &mut Connection,
    plugin: &str,
    most: i64,
) -> QueryResult<Vec<(RatingRow, String)>> {
    on!(connection, |c| {
        plugin_ratings::table
            .inner_join(users::table.on(users::id.eq(plugin_ratings::user_id)))
            .filter(plugin_ratings::plugin.eq(plugin))
            .order((plugin_ratings::updated_us.desc(), plugin_ratings::user_id))
            .limit(most)
            .select((RatingRow::as_select(), users::name))
            .load(c)
    })
}

/// Writes what a user thinks, new or changed. `false`: there is no such user.
pub(super) fn rate(connection: &mut Connection, row: &RatingRow) -> QueryResult<bool> {
    connection.write(|connection| {
        on!(connection, |c| {
            let known: i64 = users::table.filter(users::id.eq(&row.user_id)).count().get_result(c)?;
            if known == 0 {
                return Ok(false);
            }
            diesel::insert_into(plugin_ratings::table)
                .values(row)
                .on_conflict((plugin_ratings::plugin, plugin_ratings::user_id))
                .do_update()
                .set((
                    plugin_ratings::rating.eq(row.rating),
                    plugin_ratings::review.eq(&row.review),
                    plugin_ratings::updated_us.eq(row.updated_us),
                ))
                .execute(c)?;
            Ok(true)
        })
    })
}

pub(super) fn downloads(connection: &mut Connection) -> QueryResult<Vec<DownloadRow>> {
    on!(connection, |c| {
        plugin_downloads::table.order(plugin_downloads::plugin).select(DownloadRow::as_select()).load(c)
    })
}

/// Counts an installation.
pub(super) fn count(connection: &mut Connection, row: &DownloadRow) -> QueryResult<usize> {
    on!(connection, |c| {
        diesel::insert_into(plugin_downloads::table)
            .values(row)
            .on_conflict(plugin_downloads::plugin)
            .do_update()
            .set((
                plugin_downloads::installs.eq(plugin_downloads::installs + 1),
                plugin_downloads::version.eq(&row.version),
                plugin_downloads::package.eq(&row.package),
                plugin_downloads::catalogue.eq(&row.catalogue),
                plugin_downloads::installed_us.eq(row.installed_us),
            ))
            .execute(c)
    })
}

/// The installed plugins and their versions.
pub(super) fn installed(connection: &mut Connection) -> QueryResult<Vec<(String, String)>> {
    on!(connection, |c| plugins::table.order(plugins::name).select((plugins::name, plugins::version)).load(c))
}
