//! The tables of accounts and groups.

use diesel::prelude::*;
use streamspace_plugin::events::payload;

use super::{
    GroupView, UserView,
    view::{GroupEvent, UserEvent},
};
use crate::{
    clock,
    platform::access::Role,
    store::{
        Connection, on,
        schema::{group_members, group_permissions, user_groups, user_permissions, users},
    },
};

/// An account's row.
#[derive(Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = users, treat_none_as_null = true)]
pub(in crate::platform) struct UserRow {
    pub(in crate::platform) id: String,
    pub(in crate::platform) name: String,
    pub(super) full_name: String,
    pub(super) email: String,
    pub(super) tier: String,
    pub(super) role: String,
    pub(in crate::platform) password: Option<String>,
    pub(in crate::platform) disabled: bool,
    pub(super) created_us: i64,
    pub(super) updated_us: i64,
    pub(in crate::platform) last_login_us: Option<i64>,
}

/// A group's row.
#[derive(Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = user_groups)]
pub(super) struct GroupRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) created_us: i64,
    pub(super) updated_us: i64,
}

/// An account, and what follows for what it may.
pub(in crate::platform) struct Standing {
    pub(in crate::platform) row: UserRow,
    /// The names of its groups.
    pub(in crate::platform) groups: Vec<String>,
    /// What was granted to it.
    pub(super) granted: Vec<String>,
    /// What was granted to its groups.
    pub(super) inherited: Vec<String>,
}

impl Standing {
    pub(in crate::platform) fn role(&self) -> Role {
        Role::stored(&self.row.role)
    }

    pub(in crate::platform) fn is_unrestricted(&self) -> bool {
        self.role() == Role::Admin
    }

    pub(super) fn is_active_admin(&self) -> bool {
        self.is_unrestricted() && !self.row.disabled
    }

    /// All that it may.
    pub(in crate::platform) fn permissions(&self) -> Vec<String> {
        let by_role = self.role().permissions().map(str::to_owned);
        by_role.chain(self.granted.iter().chain(&self.inherited).cloned()).collect()
    }

    pub(in crate::platform) fn payload(&self) -> payload::User {
        payload::User {
            id: self.row.id.clone(),
            username: self.row.name.clone(),
            full_name: self.row.full_name.clone(),
            email: self.row.email.clone(),
            tier: self.row.tier.clone(),
            auth_method: None,
        }
    }

    pub(in crate::platform) fn event(&self) -> UserEvent {
        UserEvent {
            user: self.payload(),
            role: self.role(),
            active: !self.row.disabled,
            groups: self.groups.clone(),
        }
    }

    pub(in crate::platform) fn view(&self) -> UserView {
        view(&self.row, self.groups.clone(), self.granted.clone())
    }
}

fn time(stored: i64) -> String {
    clock::rfc3339(u64::try_from(stored).unwrap_or(0))
}

fn view(row: &UserRow, groups: Vec<String>, permissions: Vec<String>) -> UserView {
    UserView {
        id: row.id.clone(),
        username: row.name.clone(),
        full_name: row.full_name.clone(),
        email: row.email.clone(),
        tier: row.tier.clone(),
        role: Role::stored(&row.role),
        disabled: row.disabled,
        has_password: row.password.is_some(),
        groups,
        permissions,
        created: time(row.created_us),
        updated: time(row.updated_us),
        last_login: row.last_login_us.map(time),
    }
}

/// The account with this id or name.
pub(in crate::platform) fn user(c: &mut Connection, key: &str) -> QueryResult<Option<UserRow>> {
    // No name has one, and PostgreSQL takes none in a text.
    if key.contains('\0') {
        return Ok(None);
    }
    let is_it = users::id.eq(key).or(users::name.eq(super::name_of(key)));
    on!(c, |c| users::table.filter(is_it).select(UserRow::as_select()).first(c).optional())
}

/// The account with this id or name, and what it may.
pub(in crate::platform) fn standing(c: &mut Connection, key: &str) -> QueryResult<Option<Standing>> {
    let Some(row) = user(c, key)? else { return Ok(None) };
    let id = &row.id;
    let (groups, granted, inherited) = on!(c, |c| {
        let groups = group_members::table
            .inner_join(user_groups::table.on(user_groups::id.eq(group_members::user_group)))
            .filter(group_members::user_id.eq(id))
            .order(user_groups::name)
            .select(user_groups::name)
            .load(c)?;
        let granted = user_permissions::table
            .filter(user_permissions::user_id.eq(id))
            .order(user_permissions::permission)
            .select(user_permissions::permission)
            .load(c)?;
        let inherited = group_members::table
            .inner_join(
                group_permissions::table.on(group_permissions::user_group.eq(group_members::user_group)),
            )
            .filter(group_members::user_id.eq(id))
            .select(group_permissions::permission)
            .load(c)?;
        (groups, granted, inherited)
    });
    Ok(Some(Standing { row, groups, granted, inherited }))
}

/// What is like every text that has this in it, with `\\` before what stands for itself.
pub(super) fn containing(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

/// Accounts whose names are like `name` and whose roles are like `role`, by name; and how many there are in all.
pub(super) fn list(
    c: &mut Connection,
    name: &str,
    role: &str,
    skip: i64,
    limit: i64,
) -> QueryResult<(Vec<UserView>, i64)> {
    on!(c, |c| {
        let all = users::table.filter(users::name.like(name).escape('\\')).filter(users::role.like(role));
        let total = all.clone().count().get_result(c)?;
        let rows: Vec<UserRow> =
            all.order(users::name).offset(skip).limit(limit).select(UserRow::as_select()).load(c)?;
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let groups: Vec<(String, String)> = group_members::table
            .inner_join(user_groups::table.on(user_groups::id.eq(group_members::user_group)))
            .filter(group_members::user_id.eq_any(ids.clone()))
            .order(user_groups::name)
            .select((group_members::user_id, user_groups::name))
            .load(c)?;
        let granted: Vec<(String, String)> = user_permissions::table
            .filter(user_permissions::user_id.eq_any(ids))
            .order(user_permissions::permission)
            .select((user_permissions::user_id, user_permissions::permission))
            .load(c)?;
        let views = rows.iter().map(|row| view(row, of(&row.id, &groups), of(&row.id, &granted)));
        Ok((views.collect(), total))
    })
}

fn of(id: &str, all: &[(String, String)]) -> Vec<String> {
    all.iter().filter(|(of, _)| of == id).map(|(_, value)| value.clone()).collect()
}

/// Permits an account something.
pub(super) fn grant(c: &mut Connection, user: &str, permission: &str) -> QueryResult<usize> {
    let row = (user_permissions::user_id.eq(user), user_permissions::permission.eq(permission));
    on!(c, |c| diesel::insert_into(user_permissions::table).values(row).on_conflict_do_nothing().execute(c))
}

/// How many accounts may change everything.
pub(super) fn admins(c: &mut Connection) -> QueryResult<i64> {
    let admins = users::role.eq(Role::Admin.name()).and(users::disabled.eq(false));
    on!(c, |c| users::table.filter(admins).count().get_result(c))
}

/// A group with what is in it.
pub(super) struct Group {
    pub(super) row: GroupRow,
    pub(super) members: Vec<String>,
    pub(super) permissions: Vec<String>,
}

impl Group {
    pub(super) fn view(self) -> GroupView {
        GroupView {
            id: self.row.id,
            name: self.row.name,
            description: self.row.description,
            members: self.members,
            permissions: self.permissions,
            created: time(self.row.created_us),
            updated: time(self.row.updated_us),
        }
    }

    pub(super) fn event(&self, member: Option<payload::User>) -> GroupEvent {
        GroupEvent {
            id: self.row.id.clone(),
            name: self.row.name.clone(),
            description: self.row.description.clone(),
            permissions: self.permissions.clone(),
            member,
        }
    }
}

/// The group with this id or name.
pub(super) fn group(c: &mut Connection, key: &str) -> QueryResult<Option<Group>> {
    if key.contains('\0') {
        return Ok(None);
    }
    let is_it = user_groups::id.eq(key).or(user_groups::name.eq(super::name_of(key)));
    let row: Option<GroupRow> = on!(&mut *c, |c| user_groups::table
        .filter(is_it)
        .select(GroupRow::as_select())
        .first(c)
        .optional()?);
    row.map(|row| filled(c, row)).transpose()
}

/// All groups, by name.
pub(super) fn groups(c: &mut Connection) -> QueryResult<Vec<Group>> {
    let rows: Vec<GroupRow> = on!(&mut *c, |c| {
        user_groups::table.order(user_groups::name).select(GroupRow::as_select()).load(c)?
    });
    rows.into_iter().map(|row| filled(c, row)).collect()
}

fn filled(c: &mut Connection, row: GroupRow) -> QueryResult<Group> {
    let id = &row.id;
    let (members, permissions) = on!(c, |c| {
        let members = group_members::table
            .inner_join(users::table.on(users::id.eq(group_members::user_id)))
            .filter(group_members::user_group.eq(id))
            .order(users::name)
            .select(users::name)
            .load(c)?;
        let permissions = group_permissions::table
            .filter(group_permissions::user_group.eq(id))
            .order(group_permissions::permission)
            .select(group_permissions::permission)
            .load(c)?;
        (members, permissions)
    });
    Ok(Group { row, members, permissions })
}
