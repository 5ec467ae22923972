//! Databases on the PostgreSQL server that `scripts/postgres` starts.

use std::{env, sync::LazyLock};

use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls};

static NETWORK: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
});

/// A database with an owner of its own, as an operator makes them for a host. It goes with the value.
pub(super) struct Server {
    superuser: Config,
    pub(super) name: String,
    pub(super) url: String,
}

pub(super) fn network() -> &'static tokio::runtime::Handle {
    NETWORK.handle()
}

impl Server {
    pub(super) fn new() -> Self {
        Self::with("CREATEROLE")
    }

    /// With an owner who has these rights.
    pub(super) fn with(rights: &str) -> Self {
        let superuser: Config = env::var("STREAMSPACE_TEST_POSTGRES")
            .unwrap_or_else(|_| {
                panic!(
                    "this test needs a PostgreSQL server, and STREAMSPACE_TEST_POSTGRES is not set: run it with \
                     `scripts/postgres cargo test …`"
                )
            })
            .parse()
            .expect("the URL of a superuser");
        let name = format!("streamspace_{}", uuid::Uuid::new_v4().simple());
        run(&superuser, &format!("CREATE ROLE {name} LOGIN {rights} PASSWORD 'secret'"));
        run(&superuser, &format!("CREATE DATABASE {name} OWNER {name} TEMPLATE template0"));
        let tokio_postgres::config::Host::Tcp(host) = &superuser.get_hosts()[0] else {
            panic!("expected a server on TCP")
        };
        let url = format!("postgres://{name}:secret@{host}:{}/{name}", superuser.get_ports()[0]);
        Self { superuser, name, url }
    }

    /// Runs something as a superuser in this database.
    pub(super) fn superuser(&self, sql: &str) -> Vec<String> {
        let mut config = self.superuser.clone();
        config.dbname(&self.name);
        run(&config, sql)
    }

    /// A connection of the host's own user, and the id of its process.
    pub(super) fn connected(&self) -> (Client, i32) {
        network().block_on(async {
            let config: Config = self.url.parse().expect("a URL");
            let (client, connection) = config.connect(NoTls).await.expect("a connection");
            network().spawn(connection);
            let row = client.query_one("SELECT pg_backend_pid()", &[]).await.expect("a row");
            (client, row.get(0))
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let roles = "SELECT DISTINCT role.rolname FROM pg_shdepend AS part \
                     JOIN pg_roles AS role ON part.refclassid = 'pg_authid'::regclass AND part.refobjid = role.oid \
                     JOIN pg_database AS base ON base.datname = current_database() \
                     WHERE (part.dbid = base.oid OR part.classid = 'pg_database'::regclass AND part.objid = base.oid) \
                     AND NOT role.rolsuper";
        let roles = self.superuser(roles);
        run(&self.superuser, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        for role in roles.iter().filter(|role| **role != self.name).chain([&self.name]) {
            run(&self.superuser, &format!("DROP ROLE IF EXISTS \"{role}\""));
        }
    }
}

/// The first column of what a statement answers.
fn run(config: &Config, sql: &str) -> Vec<String> {
    network().block_on(async {
        let (client, connection): (Client, _) = config.connect(NoTls).await.expect("a connection");
        network().spawn(connection);
        let messages = client.simple_query(sql).await.unwrap_or_else(|why| panic!("{sql}: {why:?}"));
        let rows = messages.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        rows.collect()
    })
}
