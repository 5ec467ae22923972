//! Where a host keeps its data.

use crate::PostgresDatabase;

/// Where a host keeps its data: a test that is about data runs once for each.
#[derive(Debug)]
pub enum Backend {
    /// Files in the data directory.
    Sqlite,
    /// A database of its own on the server of `scripts/postgres`.
    Postgres(PostgresDatabase),
}

impl Backend {
    /// A new database on the server of `scripts/postgres`.
    #[must_use]
    pub fn postgres() -> Self {
        Self::Postgres(PostgresDatabase::new())
    }
}

/// Makes tests of functions that take a `&Backend`: `sqlite::NAME` and `postgres::NAME` of each.
///
/// ```ignore
/// streamspace_tests::on_both_backends!(values_survive_a_restart);
///
/// fn values_survive_a_restart(backend: &Backend) {
///     let host = Installation::on(backend).start();
/// }
/// ```
#[macro_export]
macro_rules! on_both_backends {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                super::$name(&$crate::Backend::Sqlite);
            })+
        }

        mod postgres {
            $(#[test]
            fn $name() {
                super::$name(&$crate::Backend::postgres());
            })+
        }
    };
}
