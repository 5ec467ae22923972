//! A database on the server that `scripts/postgres` starts.

use std::sync::LazyLock;

use streamspace_tests::PostgresDatabase;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

static NETWORK: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
});

pub(super) fn network() -> &'static tokio::runtime::Handle {
    NETWORK.handle()
}

/// The database of one test.
pub(super) struct Server {
    database: PostgresDatabase,
    /// Of the database and of its owner, who is the host.
    pub(super) name: String,
}

impl Server {
    pub(super) fn new() -> Self {
        let database = PostgresDatabase::new();
        let config: Config = database.url().parse().expect("a URL");
        let name = config.get_user().expect("an owner").to_owned();
        Self { database, name }
    }

    pub(super) fn url(&self) -> &str {
        self.database.url()
    }

    /// Runs something as a superuser in this database, and answers with the first column.
    pub(super) fn superuser(&self, sql: &str) -> Vec<String> {
        let messages = self.database.superuser().simple_query(sql);
        let messages = messages.unwrap_or_else(|why| panic!("{sql}: {why:?}"));
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        rows.collect()
    }

    /// A connection of the host's own user, and the id of its process.
    pub(super) fn connected(&self) -> (Client, i32) {
        network().block_on(async {
            let config: Config = self.url().parse().expect("a URL");
            let (client, connection) = config.connect(NoTls).await.expect("a connection");
            network().spawn(connection);
            let row = client.query_one("SELECT pg_backend_pid()", &[]).await.expect("a row");
            (client, row.get(0))
        })
    }
}
