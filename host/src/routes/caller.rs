//! Who calls a route.

use std::sync::LazyLock;

/// Who calls. Made by the edge, which knows how one signs in.
#[derive(Debug)]
pub struct Caller {
    pub(super) signed_in: bool,
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) roles: &'static [&'static str],
    /// Whether everything is permitted. Single permissions come with accounts.
    pub(super) unrestricted: bool,
}

impl Caller {
    /// Whoever holds the administrator's token.
    #[must_use]
    pub fn admin() -> &'static Self {
        static ADMIN: LazyLock<Caller> = LazyLock::new(|| Caller {
            signed_in: true,
            id: "admin",
            name: "admin",
            roles: &["admin"],
            unrestricted: true,
        });
        &ADMIN
    }

    /// Who is not signed in.
    #[must_use]
    pub fn nobody() -> &'static Self {
        static NOBODY: LazyLock<Caller> =
            LazyLock::new(|| Caller { signed_in: false, id: "", name: "", roles: &[], unrestricted: false });
        &NOBODY
    }

    /// Whether the caller is permitted all of these.
    pub(crate) fn may(&self, permissions: &[String]) -> bool {
        self.unrestricted || permissions.is_empty()
    }
}
