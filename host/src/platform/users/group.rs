//! Groups of accounts.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Accounts, GroupView, UserError,
    account::{MAX_PERMISSIONS, check_name},
    must_cover, now_us,
    rows::{self, Group, GroupRow},
};
use crate::{
    events::Stop,
    platform::access::check_permission,
    routes::Caller,
    store::{
        Connection, on,
        schema::{group_members, group_permissions, user_groups},
    },
};

/// The most groups, and members of one.
const MAX_GROUPS: i64 = 1000;
const MAX_MEMBERS: i64 = 100_000;

/// A group that is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// Its name: 1 to 64 lower-case letters, digits, `.`, `_`, `-` and `@`.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
}

/// A change of a group.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupPatch {
    /// What it is for.
    pub description: String,
}

fn check_description(text: &str) -> Result<(), UserError> {
    if text.chars().count() <= 500 && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let expected = "at most 500 characters, none of them a control character";
    Err(UserError::Field { field: "description", expected })
}

fn find(c: &mut Connection, group: &str) -> Result<Group, Stop<UserError>> {
    let gone = || UserError::NoGroup { group: group.to_owned() };
    Ok(rows::group(c, group)?.ok_or_else(gone)?)
}

/// Who may change a group: whoever may what its members may.
fn must_cover_group(by: &Caller, group: &Group) -> Result<(), UserError> {
    match by.lacks(&group.permissions) {
        None => Ok(()),
        Some(permission) => Err(UserError::Beyond { permission: permission.to_owned() }),
    }
}

impl Accounts {
    /// Makes a group. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn create_group(&self, new: NewGroup) -> Result<GroupView, UserError> {
        let name = check_name("name", &new.name)?;
        check_description(&new.description)?;
        let id = Uuid::now_v7().to_string();
        self.change_quietly(move |c, emitted| {
            if rows::group(c, &name)?.is_some() {
                return Err(UserError::Taken { name: name.clone() }.into());
            }
            let now = now_us();
            let (id, name, description) = (id.clone(), name.clone(), new.description.clone());
            let row = GroupRow { id, name, description, created_us: now, updated_us: now };
            on!(&mut *c, |c| {
                if user_groups::table.count().get_result::<i64>(c)? >= MAX_GROUPS {
                    return Err(UserError::TooMany { what: "groups", limit: MAX_GROUPS }.into());
                }
                diesel::insert_into(user_groups::table).values(&row).execute(c)?;
            });
            let made = find(c, &row.id)?;
            emitted.emit("group.created", &row.id, &made.event(None));
            Ok(made.view())
        })
    }

    /// A group. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn group(&self, group: &str) -> Result<GroupView, UserError> {
        let found = self.database.with("look for a group", |c| rows::group(c, group))?;
        found.map(Group::view).ok_or_else(|| UserError::NoGroup { group: group.to_owned() })
    }

    /// All groups, by name. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn groups(&self) -> Result<Vec<GroupView>, UserError> {
        let groups = self.database.with("list groups", rows::groups)?;
        Ok(groups.into_iter().map(Group::view).collect())
    }

    /// Changes a group. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn update_group(&self, by: &Caller, group: &str, patch: GroupPatch) -> Result<GroupView, UserError> {
        check_description(&patch.description)?;
        self.change_group(by, group, move |c, found| {
            let row = user_groups::table.find(&found.row.id);
            let set = user_groups::description.eq(&patch.description);
            on!(c, |c| diesel::update(row).set(set).execute(c)?);
            Ok(())
        })
    }

    /// Removes a group; its members stay. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn delete_group(&self, by: &Caller, group: &str) -> Result<(), UserError> {
        let (group, by) = (group.to_owned(), by.clone());
        self.change(move |c, emitted| {
            let found = find(c, &group)?;
            must_cover_group(&by, &found)?;
            on!(c, |c| diesel::delete(user_groups::table.find(&found.row.id)).execute(c)?);
            emitted.emit("group.deleted", &found.row.id, &found.event(None));
            Ok(())
        })
    }

    /// Takes an account into a group, or out of it. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn set_member(
        &self,
        by: &Caller,
        group: &str,
        user: &str,
        member: bool,
    ) -> Result<GroupView, UserError> {
        let (group, user, by) = (group.to_owned(), user.to_owned(), by.clone());
        self.change(move |c, emitted| {
            let found = find(c, &group)?;
            must_cover_group(&by, &found)?;
            let who = rows::standing(c, &user)?.ok_or_else(|| UserError::no_user(&user))?;
            must_cover(&by, &who.caller())?;
            let (group, user) = (&found.row.id, &who.row.id);
            let changed = on!(&mut *c, |c| if member {
                if found.members.len() as i64 >= MAX_MEMBERS {
                    return Err(UserError::TooMany { what: "members", limit: MAX_MEMBERS }.into());
                }
                diesel::insert_into(group_members::table)
                    .values((group_members::user_group.eq(group), group_members::user_id.eq(user)))
                    .on_conflict_do_nothing()
                    .execute(c)?
            } else {
                diesel::delete(group_members::table.find((group, user))).execute(c)?
            });
            let after = find(c, group)?;
            if changed > 0 {
                let topic = if member { "group.member_added" } else { "group.member_removed" };
                emitted.emit(topic, group, &after.event(Some(who.payload())));
            }
            Ok(after.view())
        })
    }

    /// Permits a group's members something, or takes that back. Blocks.
    ///
    /// # Errors
    ///
    /// [`UserError`].
    pub fn set_group_permission(
        &self,
        by: &Caller,
        group: &str,
        permission: &str,
        granted: bool,
    ) -> Result<GroupView, UserError> {
        check_permission(permission)?;
        let permission = permission.to_owned();
        self.change_group(by, group, move |c, found| {
            let id = &found.row.id;
            on!(c, |c| if granted {
                if found.permissions.len() as i64 >= MAX_PERMISSIONS {
                    return Err(UserError::TooMany { what: "permissions", limit: MAX_PERMISSIONS }.into());
                }
                diesel::insert_into(group_permissions::table)
                    .values((
                        group_permissions::user_group.eq(id),
                        group_permissions::permission.eq(&permission),
                    ))
                    .on_conflict_do_nothing()
                    .execute(c)?;
            } else {
                diesel::delete(group_permissions::table.find((id, &permission))).execute(c)?;
            });
            Ok(())
        })
    }

    fn change_group(
        &self,
        by: &Caller,
        group: &str,
        mut change: impl FnMut(&mut Connection, &Group) -> Result<(), Stop<UserError>> + Send + 'static,
    ) -> Result<GroupView, UserError> {
        let (group, by) = (group.to_owned(), by.clone());
        self.change(move |c, emitted| {
            let found = find(c, &group)?;
            must_cover_group(&by, &found)?;
            change(c, &found)?;
            let row = user_groups::table.find(&found.row.id);
            let now = user_groups::updated_us.eq(now_us());
            on!(&mut *c, |c| diesel::update(row).set(now).execute(c)?);
            let after = find(c, &found.row.id)?;
            must_cover_group(&by, &after)?;
            emitted.emit("group.updated", &after.row.id, &after.event(None));
            Ok(after.view())
        })
    }
}
