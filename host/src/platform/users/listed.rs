//! Accounts, as plugins are told of them.

use diesel::{IntoSql, prelude::*, sql_types::Bool};

use super::{Accounts, name_of, rows};
use crate::{
    clock,
    platform::{
        UserFilter, UserPage, UserRecord, Users,
        sessions::{MAX_PAGE, PAGE},
    },
    store::{
        Connection, DatabaseError, on,
        schema::{group_members, user_groups, users},
    },
};

fn record(c: &mut Connection, id: &str) -> QueryResult<Option<UserRecord>> {
    let found = rows::standing(c, id)?;
    Ok(found.map(|found| UserRecord {
        role: found.role().name().to_owned(),
        created_at: clock::rfc3339(u64::try_from(found.row.created_us).unwrap_or(0)),
        id: found.row.id,
        username: found.row.name,
        full_name: found.row.full_name,
        email: found.row.email,
        groups: found.groups,
        disabled: found.row.disabled,
    }))
}

/// The names of the accounts that a filter is for, in order.
fn names(c: &mut Connection, filter: &UserFilter, limit: i64) -> QueryResult<Vec<String>> {
    let role = filter.role.as_deref().unwrap_or_default();
    let any_role = role.is_empty().into_sql::<Bool>();
    let group = filter.group.as_deref().map(name_of).unwrap_or_default();
    let any_group = group.is_empty().into_sql::<Bool>();
    let members = group_members::table
        .inner_join(user_groups::table.on(user_groups::id.eq(group_members::user_group)))
        .filter(user_groups::name.eq(&group))
        .select(group_members::user_id);
    let text = rows::containing(filter.text.as_deref().unwrap_or_default());
    let has_text = users::name
        .like(rows::containing(&name_of(filter.text.as_deref().unwrap_or_default())))
        .escape('\\')
        .or(users::full_name.like(&text).escape('\\'))
        .or(users::email.like(&text).escape('\\'));
    let wanted = users::name
        .gt(filter.after.as_deref().unwrap_or_default())
        .and(any_role.or(users::role.eq(role)))
        .and(any_group.or(users::id.eq_any(members)))
        .and(has_text);
    on!(c, |c| { users::table.filter(wanted).order(users::name).limit(limit).select(users::name).load(c) })
}

impl Users for Accounts {
    fn list(&self, filter: &UserFilter) -> Result<UserPage, DatabaseError> {
        let texts = [&filter.role, &filter.group, &filter.text, &filter.after];
        // PostgreSQL takes no text with a NUL, and nothing has one.
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            return Ok(UserPage::default());
        }
        let limit = filter.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE) as usize;
        self.database.with("list accounts for a plugin", |c| {
            // One more, to know whether there are more.
            let mut names = names(c, filter, i64::try_from(limit).unwrap_or(0) + 1)?;
            let more = names.len() > limit;
            names.truncate(limit);
            let next = names.last().filter(|_| more).cloned();
            let mut users = Vec::with_capacity(names.len());
            for name in names {
                users.extend(record(c, &name)?);
            }
            Ok(UserPage { users, next })
        })
    }

    fn get(&self, user: &str) -> Result<Option<UserRecord>, DatabaseError> {
        self.database.with("look for an account for a plugin", |c| record(c, user))
    }
}
