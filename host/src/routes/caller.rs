//! Who calls a route.

use std::sync::{Arc, LazyLock};

/// Who calls. Made by whoever knows how one signs in, and shared by all requests of the same cookie or token.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    signed_in: bool,
    id: String,
    name: String,
    roles: Vec<String>,
    groups: Vec<String>,
    /// In order.
    permissions: Vec<String>,
    /// Whether everything is permitted, whatever `permissions` has.
    unrestricted: bool,
}

impl Caller {
    /// Whoever holds the administrator's token.
    #[must_use]
    pub fn admin() -> Arc<Self> {
        static ADMIN: LazyLock<Arc<Caller>> = LazyLock::new(|| {
            let roles = vec!["admin".to_owned()];
            Arc::new(Caller::account("admin".into(), "admin".into(), roles, Vec::new(), Vec::new(), true))
        });
        Arc::clone(&ADMIN)
    }

    /// Who is not signed in.
    #[must_use]
    pub fn nobody() -> Arc<Self> {
        // One for each thread: requests count on it, and threads are not to wait for each other's counting.
        thread_local! {
            static NOBODY: Arc<Caller> = Arc::default();
        }
        NOBODY.with(Arc::clone)
    }

    /// An account.
    #[must_use]
    pub fn account(
        id: String,
        name: String,
        roles: Vec<String>,
        groups: Vec<String>,
        mut permissions: Vec<String>,
        unrestricted: bool,
    ) -> Self {
        permissions.sort_unstable();
        permissions.dedup();
        Self { signed_in: true, id, name, roles, groups, permissions, unrestricted }
    }

    /// The same, with no more than these permissions; `*` stands for all that it has. Nothing that depends on roles or
    /// groups is left to one that has less.
    #[must_use]
    pub fn within(self, scopes: &[String]) -> Self {
        if scopes.iter().any(|scope| scope == "*") {
            return self;
        }
        let permissions = scopes.iter().filter(|scope| self.is_permitted(scope)).cloned().collect();
        Self::account(self.id, self.name, Vec::new(), Vec::new(), permissions, false)
    }

    /// Whether it is known who calls.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.signed_in
    }

    /// The account's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The account's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The account's roles.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// The names of the groups that the account is in.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// What the caller is permitted, in order.
    #[must_use]
    pub fn permissions(&self) -> &[String] {
        &self.permissions
    }

    /// Whether everything is permitted.
    #[must_use]
    pub fn is_unrestricted(&self) -> bool {
        self.unrestricted
    }

    /// Whether the caller is permitted this.
    #[must_use]
    pub fn is_permitted(&self, permission: &str) -> bool {
        self.unrestricted || self.permissions.binary_search_by(|own| own.as_str().cmp(permission)).is_ok()
    }

    /// The first of these that the caller is not permitted.
    #[must_use]
    pub fn lacks<'p>(&self, permissions: &'p [String]) -> Option<&'p str> {
        permissions.iter().map(String::as_str).find(|permission| !self.is_permitted(permission))
    }

    /// Whether the caller is permitted all of these.
    #[must_use]
    pub fn may(&self, permissions: &[String]) -> bool {
        self.lacks(permissions).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_caller_may_what_it_is_permitted_and_an_unrestricted_one_everything() {
        let caller = Caller::account("1".into(), "ada".into(), vec![], vec![], texts(&["b", "a"]), false);
        assert!(caller.may(&texts(&["a", "b"])) && caller.may(&[]) && !caller.may(&texts(&["a", "c"])));
        assert_eq!(caller.lacks(&texts(&["a", "c"])), Some("c"));
        assert!(Caller::admin().may(&texts(&["anything"])));
        assert!(!Caller::nobody().may(&texts(&["a"])) && !Caller::nobody().is_signed_in());
    }

    #[test]
    fn scopes_take_away_and_never_give() {
        let admin = Caller::clone(&Caller::admin());
        let scoped = admin.clone().within(&texts(&["a"]));
        assert!(scoped.is_permitted("a") && !scoped.is_permitted("b") && !scoped.is_unrestricted());
        assert!(scoped.roles().is_empty(), "a plugin that asks for the role is not to take it for more");
        assert!(admin.within(&texts(&["*"])).is_unrestricted());
        let user = Caller::account("1".into(), "ada".into(), vec![], vec![], texts(&["a"]), false);
        assert_eq!(user.clone().within(&texts(&["a", "b"])).permissions(), ["a"]);
        assert_eq!(user.within(&texts(&["*"])).permissions(), ["a"]);
    }
}
