//! Schemas and roles of plugins, made and removed by the host's own user.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, Error};

use super::{
    super::{DatabaseError, Limits},
    role::{Names, PostgresRole},
};
use crate::{
    hex::hex,
    postgres::{Postgres, reason},
};

/// The oldest server that is supported.
const OLDEST: i32 = 15;

/// What the comment of a plugin's schema begins with. The plugin's name follows, which the schema's may have cut.
const COMMENT: &str = "StreamSpace plugin ";

/// How often something is tried that another host of the same server is in the way of.
const TRIES: u32 = 20;

/// The schemas of all plugins in one database.
#[derive(Debug, Clone)]
pub(in crate::database) struct PostgresSchemas(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) postgres: Postgres,
    pub(super) limits: Limits,
    /// Whether the database itself is fenced. Held while a plugin's part is made: roles are shared by all.
    fenced: Mutex<bool>,
}

/// The host's own user in its database, as names for SQL.
struct Owner {
    user: String,
    database: String,
    quoted_database: String,
}

impl PostgresSchemas {
    pub(in crate::database) fn new(postgres: Postgres, limits: Limits) -> Self {
        Self(Arc::new(Inner { postgres, limits, fenced: Mutex::default() }))
    }

    /// Makes the schema and the role of a plugin if they are not there, gives the role a new password, and ends what an
    /// earlier instance left connected.
    pub(in crate::database) fn set_up(&self, plugin: &str) -> Result<PostgresRole, DatabaseError> {
        let mut fenced = self.0.fenced.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.blocking(async {
            let client = self.0.connect().await?;
            let owner = owner(&client).await?;
            if !*fenced {
                fence_database(&client, &owner).await?;
                *fenced = true;
            }
            let names = Names::new(plugin, &owner.database);
            let password = make_role(&client, &owner, &names, &self.0.limits).await?;
            check_fence(&client, &names).await?;
            end_sessions(&client, &names).await?;
            Ok(PostgresRole::new(Arc::clone(&self.0), names, &password))
        })
    }

    /// The plugins that have a schema, by name.
    pub(in crate::database) fn plugins(&self) -> Result<Vec<String>, DatabaseError> {
        self.0.blocking(async {
            let failed = server("listing the plugins that have tables");
            let comments = "SELECT obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace \
                            WHERE nspname LIKE 'plugin\\_%' ORDER BY nspname";
            let rows = self.0.connect().await?.query(comments, &[]).await.map_err(&failed)?;
            let mut plugins = Vec::with_capacity(rows.len());
            for row in rows {
                let comment: Option<String> = row.try_get(0).map_err(&failed)?;
                plugins.extend(comment.and_then(|comment| comment.strip_prefix(COMMENT).map(str::to_owned)));
            }
            Ok(plugins)
        })
    }

    /// Removes a plugin's schema, its role, and all that it owns.
    pub(in crate::database) fn purge(&self, plugin: &str) -> Result<(), DatabaseError> {
        let _fenced = self.0.fenced.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.blocking(async {
            let client = self.0.connect().await?;
            let owner = owner(&client).await?;
            let Names { plugin, schema, role } = &Names::new(plugin, &owner.database);
            let failed = server("removing the plugin's data");
            let there = client.query("SELECT 1 FROM pg_roles WHERE rolname = $1", &[role]).await;
            let mut steps = Vec::new();
            if !there.map_err(&failed)?.is_empty() {
                make_member(&client, role).await?;
                // Nobody connects any more, and what is connected ends.
                client.batch_execute(&format!("ALTER ROLE \"{role}\" NOLOGIN")).await.map_err(&failed)?;
                end_sessions(&client, &Names::new(plugin, &owner.database)).await?;
                steps.push(format!("DROP OWNED BY \"{role}\" CASCADE"));
            }
            steps.push(format!("DROP SCHEMA IF EXISTS \"{schema}\" CASCADE"));
            steps.push(format!("DROP ROLE IF EXISTS \"{role}\""));
            // One transaction.
            let steps = steps.join("; ");
            retried(|| client.batch_execute(&steps)).await.map_err(&failed)?;
            // A database that a backup is restored into has no such table yet.
            let history = "SELECT to_regclass('streamspace.plugin_migrations') IS NOT NULL";
            let row = client.query_one(history, &[]).await.map_err(&failed)?;
            if row.try_get::<_, bool>(0).map_err(&failed)? {
                let forget = "DELETE FROM streamspace.plugin_migrations WHERE plugin = $1";
                client.execute(forget, &[plugin]).await.map_err(&failed)?;
            }
            Ok(())
        })
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }
}

impl Inner {
    /// Waits for something on the network's threads, and not for ever.
    pub(super) fn blocking<T>(
        &self,
        what: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Result<T, DatabaseError> {
        let limit = self.limits.wait + self.limits.statement_deadline;
        self.postgres.network().block_on(async {
            timeout(limit, what).await.unwrap_or_else(|_| {
                let reason = format!("it took longer than {} s", limit.as_secs());
                Err(DatabaseError::Server { what: "waiting for the server", reason })
            })
        })
    }

    /// A connection of the host's own user.
    pub(super) async fn connect(&self) -> Result<Client, DatabaseError> {
        let connected = self.postgres.connect().await;
        let (client, connection) =
            connected.map_err(|why| DatabaseError::Server { what: "connecting", reason: why.to_string() })?;
        // It ends with the client.
        self.postgres.network().spawn(async move { drop(connection.await) });
        Ok(client)
    }

    /// Gives a role a new password, and nothing else: one that was removed meanwhile stays away.
    pub(super) fn renew(&self, names: &Names) -> Result<String, DatabaseError> {
        self.blocking(async {
            let client = self.connect().await?;
            let (password, verifier) = new_password()?;
            let statement = format!("ALTER ROLE \"{}\" PASSWORD '{verifier}'", names.role);
            let renewed = retried(|| client.batch_execute(&statement)).await;
            renewed.map_err(server("giving the plugin's role a new password"))?;
            Ok(password)
        })
    }

    /// Ends a session that does not end by itself.
    pub(super) async fn terminate(&self, pid: i32) {
        let ended = async {
            let client = self.connect().await.ok()?;
            client.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.ok()
        };
        // If the server cannot be reached, nor can the session.
        drop(timeout(self.limits.wait, ended).await);
    }
}

pub(super) fn server(what: &'static str) -> impl Fn(Error) -> DatabaseError {
    move |why| DatabaseError::Server { what, reason: reason(&why) }
}

/// Roles and databases are the whole server's. Where another host changes the same row of a catalogue at the same time,
/// PostgreSQL fails instead of waiting.
async fn retried<F: Future<Output = Result<(), Error>>>(run: impl Fn() -> F) -> Result<(), Error> {
    for _ in 1..TRIES {
        match run().await {
            Err(why) if is_race(&why) => sleep(Duration::from_millis(50)).await,
            done => return done,
        }
    }
    run().await
}

fn is_race(error: &Error) -> bool {
    error.as_db_error().is_some_and(|said| match said.code().code() {
        "XX000" => said.message().contains("concurrently"),
        // Made by another just now: it is there the next time.
        code => matches!(code, "23505" | "42710" | "42P06" | "42P07" | "40P01" | "40001"),
    })
}

/// Who the host is, if it may do all that is to be done.
async fn owner(client: &Client) -> Result<Owner, DatabaseError> {
    let failed = server("asking who the host is");
    let row = client
        .query_one(
            "SELECT r.rolname::text, d.datname::text, quote_ident(d.datname), \
             current_setting('server_version_num')::int4, r.rolsuper, r.rolcreaterole, \
             pg_has_role(d.datdba, 'USAGE') \
             FROM pg_catalog.pg_roles r, pg_catalog.pg_database d \
             WHERE r.rolname = current_user AND d.datname = current_database()",
            &[],
        )
        .await
        .map_err(&failed)?;
    let text = |index: usize| row.try_get::<_, String>(index).map_err(&failed);
    let is = |index: usize| row.try_get::<_, bool>(index).map_err(&failed);
    let owner = Owner { user: text(0)?, database: text(1)?, quoted_database: text(2)? };
    let version = row.try_get::<_, i32>(3).map_err(&failed)? / 10_000;
    if version < OLDEST {
        let reason = format!("expected PostgreSQL {OLDEST} or newer, found {version}");
        return Err(DatabaseError::Server { what: "looking at its version", reason });
    }
    if is(4)? {
        return Ok(owner);
    }
    let lacks = match (is(5)?, is(6)?) {
        (true, true) => return Ok(owner),
        (false, true) => "it may not make roles (CREATEROLE)",
        (true, false) => "it does not own the database",
        (false, false) => "it may not make roles (CREATEROLE), and does not own the database",
    };
    let Owner { user, database, .. } = owner;
    Err(DatabaseError::Rights { user, database, lacks: lacks.to_owned() })
}

/// Takes from everybody what PostgreSQL gives to everybody, and makes the host's own schema.
async fn fence_database(client: &Client, owner: &Owner) -> Result<(), DatabaseError> {
    let database = &owner.quoted_database;
    let statements = format!(
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC;
         DO $$ BEGIN
           IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public') THEN
             REVOKE ALL ON SCHEMA public FROM PUBLIC;
           END IF;
         END $$;
         CREATE SCHEMA IF NOT EXISTS streamspace;
         REVOKE ALL ON SCHEMA streamspace FROM PUBLIC;"
    );
    retried(|| client.batch_execute(&statements)).await.map_err(server("fencing the database"))
}

/// Makes the role and the schema, and answers with the role's new password.
async fn make_role(
    client: &Client,
    owner: &Owner,
    names: &Names,
    limits: &Limits,
) -> Result<String, DatabaseError> {
    let failed = server("making the plugin's role and schema");
    let Names { plugin, schema, role } = names;
    let (password, verifier) = new_password()?;
    // Twice what the pool has, since two versions run side by side while the plugin is upgraded, and two more: one for
    // migrations, one that the server has not noticed the end of.
    let options = format!(
        "LOGIN NOINHERIT CONNECTION LIMIT {} PASSWORD '{verifier}'",
        2 * u64::from(limits.connections) + 2
    );
    let there = client.query("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", &[role]).await;
    let role_statement = if there.map_err(&failed)?.is_empty() {
        format!(
            "CREATE ROLE \"{role}\" NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS {options}"
        )
    } else {
        // Settings that it gave itself, for everywhere and for here.
        let database = &owner.quoted_database;
        format!(
            "ALTER ROLE \"{role}\" {options}; ALTER ROLE \"{role}\" RESET ALL; \
             ALTER ROLE \"{role}\" IN DATABASE {database} RESET ALL"
        )
    };
    retried(|| client.batch_execute(&role_statement)).await.map_err(&failed)?;
    make_member(client, role).await?;
    let database = &owner.quoted_database;
    // The schema is the host's, so that the plugin can neither give it away nor let others in.
    let statements = format!(
        "GRANT CONNECT ON DATABASE {database} TO \"{role}\";
         CREATE SCHEMA IF NOT EXISTS \"{schema}\";
         REVOKE ALL ON SCHEMA \"{schema}\" FROM PUBLIC;
         GRANT USAGE, CREATE ON SCHEMA \"{schema}\" TO \"{role}\";
         COMMENT ON SCHEMA \"{schema}\" IS '{COMMENT}{plugin}';"
    );
    retried(|| client.batch_execute(&statements)).await.map_err(&failed)?;
    Ok(password)
}

/// A password, and what the server is given of it: its log may have the statement, and a verifier says nothing of the
/// password.
fn new_password() -> Result<(String, String), DatabaseError> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random)
        .map_err(|why| DatabaseError::Server { what: "making a password", reason: why.to_string() })?;
    let password = hex(&random);
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    Ok((password, verifier))
}

/// Makes the host a member of the role: to end its sessions, and to drop what it owns.
async fn make_member(client: &Client, role: &str) -> Result<(), DatabaseError> {
    let failed = server("making the host a member of the plugin's role");
    let row = client.query_one("SELECT pg_has_role($1, 'USAGE')", &[&role]).await.map_err(&failed)?;
    if row.try_get::<_, bool>(0).map_err(&failed)? {
        return Ok(());
    }
    let statement = format!("GRANT \"{role}\" TO CURRENT_USER");
    retried(|| client.batch_execute(&statement)).await.map_err(&failed)
}

/// Looks at what the role may do, whoever gave it that.
async fn check_fence(client: &Client, names: &Names) -> Result<(), DatabaseError> {
    let failed = server("looking at what the plugin's role may do");
    let row = client
        .query_one(
            "SELECT r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls, \
             EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid), \
             has_database_privilege(r.oid, current_database(), 'CREATE'), \
             has_database_privilege(r.oid, current_database(), 'TEMPORARY'), \
             EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public' \
               AND has_schema_privilege(r.oid, n.oid, 'USAGE')), \
             has_schema_privilege(r.oid, 'streamspace', 'USAGE'), \
             EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname LIKE 'plugin\\_%' \
               AND n.nspname <> $2 AND has_schema_privilege(r.oid, n.oid, 'USAGE')) \
             FROM pg_catalog.pg_roles r WHERE r.rolname = $1",
            &[&names.role, &names.schema],
        )
        .await
        .map_err(&failed)?;
    let flaws = [
        ("it has rights over the server", "Take them from it with ALTER ROLE, as a superuser"),
        ("it is a member of another role", "Take the membership from it with REVOKE, as a superuser"),
        (
            "it may make schemas in the database",
            "REVOKE CREATE ON DATABASE … FROM PUBLIC, as the database's owner",
        ),
        (
            "it may make temporary tables",
            "REVOKE TEMPORARY ON DATABASE … FROM PUBLIC, as the database's owner",
        ),
        ("it may use the schema `public`", "REVOKE ALL ON SCHEMA public FROM PUBLIC, as the schema's owner"),
        (
            "it may use the host's schema",
            "REVOKE ALL ON SCHEMA streamspace FROM PUBLIC, as the schema's owner",
        ),
        ("it may use another plugin's schema", "Take that from it with REVOKE, as the schema's owner"),
    ];
    for (index, (reason, advice)) in flaws.into_iter().enumerate() {
        if row.try_get::<_, bool>(index).map_err(&failed)? {
            let role = names.role.clone();
            return Err(DatabaseError::Fence { role, reason: reason.to_owned(), advice: advice.to_owned() });
        }
    }
    Ok(())
}

/// Ends the sessions of a role: those of an instance that hangs, or of a host that was killed.
async fn end_sessions(client: &Client, names: &Names) -> Result<(), DatabaseError> {
    let failed = server("ending the plugin's earlier sessions");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
               WHERE usename = $1 AND datname = current_database() AND pid <> pg_backend_pid()";
    // It waits for nothing: they are gone when a second look finds none.
    for _ in 0..100 {
        if client.execute(end, &[&names.role]).await.map_err(&failed)? == 0 {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    let reason = "they do not end".to_owned();
    Err(DatabaseError::Server { what: "ending the plugin's earlier sessions", reason })
}
