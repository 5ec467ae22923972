//! The rows of sessions, on either database.

use std::collections::HashMap;

use diesel::{QueryResult, define_sql_function, prelude::*, sql_types::Text};

use super::{Access, Filter, Place, State, Viewer};
use crate::store::{
    Connection, on,
    schema::{session_activity, session_connections, session_shares, session_tags, sessions},
};

define_sql_function! { fn lower(text: Text) -> Text; }

#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = sessions, treat_none_as_null = true)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) template: String,
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) cpu: String,
    pub(super) memory: String,
    pub(super) storage: String,
    pub(super) rfb_address: Option<String>,
    pub(super) url: Option<String>,
    pub(super) idle_timeout_secs: Option<i64>,
    pub(super) persistent_home: bool,
    pub(super) created_us: i64,
    pub(super) updated_us: i64,
    pub(super) request: String,
    pub(super) idempotency_key: Option<String>,
}

impl Row {
    pub(super) fn state(&self) -> State {
        // Only this host writes states; one that it does not know is left alone.
        self.state.parse().unwrap_or(State::Deleted)
    }
}

#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = session_activity, primary_key(session), treat_none_as_null = true)]
pub(super) struct ActivityRow {
    pub(super) session: String,
    pub(super) idle: bool,
    pub(super) active_us: Option<i64>,
    pub(super) heartbeat_us: Option<i64>,
    pub(super) cpu_usage: f64,
    pub(super) memory_usage: f64,
    pub(super) storage_usage: f64,
}

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = session_shares)]
pub(super) struct ShareRow {
    pub(super) session: String,
    pub(super) shared_with: String,
    pub(super) access: String,
    pub(super) shared_us: i64,
}

impl ShareRow {
    /// How much the user may. What is not known is taken for the least.
    pub(super) fn access(&self) -> Access {
        if self.access == Access::Control.name() { Access::Control } else { Access::View }
    }
}

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = session_connections)]
pub(super) struct ConnectionRow {
    pub(super) session: String,
    pub(super) id: String,
    pub(super) client_address: String,
    pub(super) user_agent: String,
    pub(super) connected_us: i64,
}

/// All that is known of a session.
#[derive(Debug, Clone)]
pub(super) struct Whole {
    pub(super) row: Row,
    pub(super) activity: ActivityRow,
    pub(super) tags: Vec<String>,
    pub(super) shares: Vec<ShareRow>,
    pub(super) connected: i64,
}

pub(super) fn find(connection: &mut Connection, id: &str) -> QueryResult<Option<Row>> {
    on!(connection, |c| sessions::table.find(id).select(Row::as_select()).first(c).optional())
}

pub(super) fn find_by_key(connection: &mut Connection, key: &str) -> QueryResult<Option<Row>> {
    on!(connection, |c| {
        let of_key = sessions::table.filter(sessions::idempotency_key.eq(key));
        of_key.select(Row::as_select()).first(c).optional()
    })
}

/// The newest first, as many as `limit` at most.
pub(super) fn list(
    connection: &mut Connection,
    viewer: &Viewer,
    filter: &Filter,
    after: Option<&Place>,
    limit: i64,
) -> QueryResult<Vec<Row>> {
    on!(connection, |c| {
        let mut query = sessions::table.select(Row::as_select()).into_boxed();
        if let Viewer::User(user) = viewer {
            let shared = session_shares::table
                .filter(session_shares::shared_with.eq(user))
                .select(session_shares::session);
            query = query.filter(sessions::owner.eq(user).or(sessions::id.eq_any(shared)));
        }
        if let Some(owner) = &filter.owner {
            query = query.filter(sessions::owner.eq(owner));
        }
        if let Some(state) = filter.state {
            query = query.filter(sessions::state.eq(state.name()));
        }
        if let Some(template) = &filter.template {
            query = query.filter(sessions::template.eq(template));
        }
        if let Some(tag) = &filter.tag {
            let tagged = session_tags::table.filter(session_tags::tag.eq(tag)).select(session_tags::session);
            query = query.filter(sessions::id.eq_any(tagged));
        }
        if let Some(user) = &filter.shared_with {
            let shared = session_shares::table
                .filter(session_shares::shared_with.eq(user))
                .select(session_shares::session);
            query = query.filter(sessions::id.eq_any(shared));
        }
        if let Some(text) = &filter.text {
            let pattern = containing(text);
            let found = lower(sessions::id)
                .like(pattern.clone())
                .escape('\\')
                .or(lower(sessions::owner).like(pattern.clone()).escape('\\'))
                .or(lower(sessions::template).like(pattern).escape('\\'));
            query = query.filter(found);
        }
        if let Some(Place { created_us, id }) = after {
            let same = sessions::created_us.eq(*created_us).and(sessions::id.lt(id));
            query = query.filter(sessions::created_us.lt(*created_us).or(same));
        }
        query.order((sessions::created_us.desc(), sessions::id.desc())).limit(limit).load(c)
    })
}

/// What `LIKE` takes for "contains this text".
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// Adds to rows what other tables have of them, in the same order.
pub(super) fn whole(connection: &mut Connection, rows: Vec<Row>) -> QueryResult<Vec<Whole>> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let (activities, tags, shares, counts) = on!(connection, |c| {
        let activities: Vec<ActivityRow> = session_activity::table
            .filter(session_activity::session.eq_any(&ids))
            .select(ActivityRow::as_select())
            .load(c)?;
        let tags: Vec<(String, String)> = session_tags::table
            .filter(session_tags::session.eq_any(&ids))
            .order(session_tags::tag)
            .select((session_tags::session, session_tags::tag))
            .load(c)?;
        let shares: Vec<ShareRow> = session_shares::table
            .filter(session_shares::session.eq_any(&ids))
            .order(session_shares::shared_with)
            .select(ShareRow::as_select())
            .load(c)?;
        let counts: Vec<(String, i64)> = session_connections::table
            .filter(session_connections::session.eq_any(&ids))
            .group_by(session_connections::session)
            .select((session_connections::session, diesel::dsl::count_star()))
            .load(c)?;
        QueryResult::Ok((activities, tags, shares, counts))
    })?;
    let mut activities: HashMap<String, ActivityRow> =
        activities.into_iter().map(|row| (row.session.clone(), row)).collect();
    let mut tags_of: HashMap<String, Vec<String>> = HashMap::new();
    for (session, tag) in tags {
        tags_of.entry(session).or_default().push(tag);
    }
    let mut shares_of: HashMap<String, Vec<ShareRow>> = HashMap::new();
    for share in shares {
        shares_of.entry(share.session.clone()).or_default().push(share);
    }
    let counts: HashMap<String, i64> = counts.into_iter().collect();
    let whole = rows.into_iter().map(|row| Whole {
        activity: activities.remove(&row.id).unwrap_or_else(|| ActivityRow::of(&row.id)),
        tags: tags_of.remove(&row.id).unwrap_or_default(),
        shares: shares_of.remove(&row.id).unwrap_or_default(),
        connected: counts.get(&row.id).copied().unwrap_or(0),
        row,
    });
    Ok(whole.collect())
}

impl ActivityRow {
    /// Of a session that was never used.
    pub(super) fn of(session: &str) -> Self {
        Self {
            session: session.to_owned(),
            idle: false,
            active_us: None,
            heartbeat_us: None,
            cpu_usage: 0.0,
            memory_usage: 0.0,
            storage_usage: 0.0,
        }
    }
}

pub(super) fn insert(connection: &mut Connection, row: &Row, tags: &[String]) -> QueryResult<()> {
    on!(connection, |c| {
        diesel::insert_into(sessions::table).values(row).execute(c)?;
        diesel::insert_into(session_activity::table).values(ActivityRow::of(&row.id)).execute(c)
    })?;
    set_tags(connection, &row.id, tags)
}

pub(super) fn update(connection: &mut Connection, row: &Row) -> QueryResult<()> {
    on!(connection, |c| diesel::update(sessions::table.find(&row.id)).set(row).execute(c)).map(drop)
}

pub(super) fn tags(connection: &mut Connection, session: &str) -> QueryResult<Vec<String>> {
    on!(connection, |c| {
        let of_it = session_tags::table.filter(session_tags::session.eq(session));
        of_it.order(session_tags::tag).select(session_tags::tag).load(c)
    })
}

pub(super) fn set_tags(connection: &mut Connection, session: &str, tags: &[String]) -> QueryResult<()> {
    on!(connection, |c| {
        let of_it = session_tags::table.filter(session_tags::session.eq(session));
        diesel::delete(of_it).execute(c)?;
        for tag in tags {
            diesel::insert_into(session_tags::table)
                .values((session_tags::session.eq(session), session_tags::tag.eq(tag)))
                .on_conflict_do_nothing()
                .execute(c)?;
        }
        Ok(())
    })
}

pub(super) fn activity(connection: &mut Connection, session: &str) -> QueryResult<ActivityRow> {
    let found = on!(connection, |c| {
        session_activity::table.find(session).select(ActivityRow::as_select()).first(c).optional()
    })?;
    Ok(found.unwrap_or_else(|| ActivityRow::of(session)))
}

pub(super) fn set_activity(connection: &mut Connection, row: &ActivityRow) -> QueryResult<()> {
    on!(connection, |c| diesel::update(session_activity::table.find(&row.session)).set(row).execute(c))
        .map(drop)
}

pub(super) fn share(connection: &mut Connection, session: &str, user: &str) -> QueryResult<Option<ShareRow>> {
    on!(connection, |c| {
        session_shares::table.find((session, user)).select(ShareRow::as_select()).first(c).optional()
    })
}

pub(super) fn count_shares(connection: &mut Connection, session: &str) -> QueryResult<i64> {
    on!(connection, |c| {
        session_shares::table.filter(session_shares::session.eq(session)).count().get_result(c)
    })
}

pub(super) fn put_share(connection: &mut Connection, row: &ShareRow) -> QueryResult<()> {
    on!(connection, |c| {
        diesel::insert_into(session_shares::table)
            .values(row)
            .on_conflict((session_shares::session, session_shares::shared_with))
            .do_update()
            .set((session_shares::access.eq(&row.access), session_shares::shared_us.eq(row.shared_us)))
            .execute(c)
    })
    .map(drop)
}

pub(super) fn remove_share(connection: &mut Connection, session: &str, user: &str) -> QueryResult<bool> {
    on!(connection, |c| diesel::delete(session_shares::table.find((session, user))).execute(c))
        .map(|removed| removed > 0)
}

/// Those that are connected, the first first.
pub(super) fn connections(connection: &mut Connection, session: &str) -> QueryResult<Vec<ConnectionRow>> {
    on!(connection, |c| {
        session_connections::table
            .filter(session_connections::session.eq(session))
            .order((session_connections::connected_us, session_connections::id))
            .select(ConnectionRow::as_select())
            .load(c)
    })
}

/// The connections of all sessions whose ids begin with `prefix`, which has no wildcards in it.
pub(super) fn connections_beginning(
    connection: &mut Connection,
    prefix: &str,
) -> QueryResult<Vec<ConnectionRow>> {
    on!(connection, |c| {
        session_connections::table
            .filter(session_connections::id.like(format!("{prefix}%")))
            .order((session_connections::session, session_connections::id))
            .select(ConnectionRow::as_select())
            .load(c)
    })
}

pub(super) fn add_connection(connection: &mut Connection, row: &ConnectionRow) -> QueryResult<()> {
    on!(connection, |c| diesel::insert_into(session_connections::table).values(row).execute(c)).map(drop)
}

pub(super) fn remove_connections(connection: &mut Connection, session: &str) -> QueryResult<()> {
    on!(connection, |c| {
        let of_it = session_connections::table.filter(session_connections::session.eq(session));
        diesel::delete(of_it).execute(c)
    })
    .map(drop)
}

pub(super) fn remove_connection(connection: &mut Connection, session: &str, id: &str) -> QueryResult<()> {
    on!(connection, |c| diesel::delete(session_connections::table.find((session, id))).execute(c)).map(drop)
}

/// Forgets sessions that were deleted before a time, some of them. Answers how many.
pub(super) fn forget(connection: &mut Connection, before_us: i64, limit: i64) -> QueryResult<usize> {
    on!(connection, |c| {
        let old: Vec<String> = sessions::table
            .filter(sessions::state.eq(State::Deleted.name()).and(sessions::updated_us.lt(before_us)))
            .order(sessions::updated_us)
            .limit(limit)
            .select(sessions::id)
            .load(c)?;
        diesel::delete(sessions::table.filter(sessions::id.eq_any(old))).execute(c)
    })
}
