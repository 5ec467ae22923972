//! Connections to PostgreSQL, for the host's own tables and for plugins' schemas.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use rustls_platform_verifier::BuilderVerifierExt;
use tokio::runtime;
use tokio_postgres::{Client, Config, Connection, Socket, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config;

type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The certificates of `database.ca_file` cannot be used.
    #[error("cannot use the certificates in {} (`database.ca_file`): {reason}", path.display())]
    Certificates {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The TLS library cannot be used.
    #[error("cannot set up TLS for the database: {reason}")]
    Tls {
        /// What is wrong.
        reason: String,
    },
    /// The server cannot be reached, or does not let the host in.
    #[error(
        "cannot connect to PostgreSQL at {server}: {reason}. Check `database.url`, and that the server runs"
    )]
    Connect {
        /// Where.
        server: String,
        /// What the server or the network said.
        reason: String,
    },
    /// The server does not say what is in its tables.
    #[error("cannot read the host's tables in PostgreSQL at {server}: {reason}")]
    Read {
        /// Where.
        server: String,
        /// What the server or the network said.
        reason: String,
    },
}

/// One PostgreSQL database: how to reach it, as the host's own user or as another.
#[derive(Clone)]
pub struct Postgres {
    config: Config,
    tls: MakeRustlsConnect,
    network: runtime::Handle,
}

impl Postgres {
    /// The database of `database.url`; `None` if that says SQLite. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`PostgresError::Certificates`], [`PostgresError::Tls`].
    pub fn new(
        database: &config::Database,
        network: &runtime::Handle,
    ) -> Result<Option<Self>, PostgresError> {
        let Some(url) = database.url.postgres() else { return Ok(None) };
        let mut config: Config = url.parse().map_err(|why: tokio_postgres::Error| {
            PostgresError::Connect { server: "`database.url`".to_owned(), reason: why.to_string() }
        })?;
        let deadline = Duration::from_secs(database.wait_deadline_secs);
        config.connect_timeout(deadline).tcp_user_timeout(deadline).keepalives_idle(Duration::from_secs(30));
        config.application_name("streamspace");
        let tls = tls(database.ca_file.as_deref())?;
        Ok(Some(Self { config, tls, network: network.clone() }))
    }

    /// What the URL says: for the name of the database, and to connect as somebody else.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where connections live.
    #[must_use]
    pub fn network(&self) -> &runtime::Handle {
        &self.network
    }

    /// What a request to cancel goes through.
    #[must_use]
    pub fn tls(&self) -> MakeRustlsConnect {
        self.tls.clone()
    }

    /// Connects as the host's own user.
    ///
    /// # Errors
    ///
    /// [`PostgresError::Connect`].
    pub async fn connect(&self) -> Result<(Client, Connection<Socket, Stream>), PostgresError> {
        self.connect_as(&self.config).await
    }

    /// Connects with `config`, which is a changed [`config`](Self::config).
    ///
    /// # Errors
    ///
    /// [`PostgresError::Connect`].
    pub async fn connect_as(
        &self,
        config: &Config,
    ) -> Result<(Client, Connection<Socket, Stream>), PostgresError> {
        let failed = |reason: String| PostgresError::Connect { server: server(config), reason };
        // The configuration's own limit is for each address of a name and for TCP alone.
        let limit = config.get_connect_timeout().copied().unwrap_or(Duration::from_secs(5));
        match tokio::time::timeout(limit, config.connect(self.tls.clone())).await {
            Ok(connected) => connected.map_err(|why| failed(reason(&why))),
            Err(_) => Err(failed(format!("no answer within {} s", limit.as_secs()))),
        }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Postgres").field(&server(&self.config)).finish()
    }
}

/// What went wrong, in the server's own words where it said something.
#[must_use]
pub fn reason(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(why) = source {
        text = format!("{text}: {why}");
        source = why.source();
    }
    text
}

fn server(config: &Config) -> String {
    let hosts = config.get_hosts().iter().zip(config.get_ports().iter().chain(std::iter::repeat(&5432)));
    let hosts = hosts.map(|(host, port)| match host {
        tokio_postgres::config::Host::Tcp(name) => format!("{name}:{port}"),
        #[cfg(unix)]
        tokio_postgres::config::Host::Unix(path) => format!("{}:{port}", path.display()),
    });
    format!("{} (database {})", hosts.collect::<Vec<_>>().join(", "), config.get_dbname().unwrap_or("?"))
}

/// TLS that checks the server's certificate and name: where `sslmode` asks for TLS, it is not for show.
fn tls(ca_file: Option<&Path>) -> Result<MakeRustlsConnect, PostgresError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let failed = |why: rustls::Error| PostgresError::Tls { reason: why.to_string() };
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let Some(path) = ca_file else {
        let verified = builder.clone().with_platform_verifier();
        // A machine without roots trusts no server, and may still do without TLS.
        let verified =
            verified.unwrap_or_else(|_| builder.with_root_certificates(rustls::RootCertStore::empty()));
        return Ok(MakeRustlsConnect::new(verified.with_no_client_auth()));
    };
    let invalid = |reason: String| PostgresError::Certificates { path: path.to_owned(), reason };
    let mut roots = rustls::RootCertStore::empty();
    let certificates =
        <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::pem_file_iter(path)
            .map_err(|why| invalid(why.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|why| invalid(why.to_string()))?;
        roots.add(certificate).map_err(|why| invalid(why.to_string()))?;
    }
    if roots.is_empty() {
        return Err(invalid("it holds no certificate".to_owned()));
    }
    Ok(MakeRustlsConnect::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
