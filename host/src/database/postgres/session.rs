//! One connection with a plugin's role.

use std::{
    collections::HashMap,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use futures_util::{Stream as _, future::poll_fn};
use streamspace_plugin::{
    abi::{Fault, FaultKind, RSlice, RStr},
    database::{RowView, Value, ValueView},
};
use tokio::time::{timeout, timeout_at};
use tokio_postgres::{Client, Config, Error, Row, RowStream};

use super::{
    fault::{fault, is_full, is_refused, is_stale, spoils_the_session},
    lexer::{self, Effect},
    role::{PostgresRole, Refused},
    schemas::Inner,
    value::{self, Decoder, Parameter, Raw},
};
use crate::database::{
    check_length, parameters,
    session::{Session, Sink, Statement},
    too_many_rows,
};

/// How many statements are kept prepared.
const KEPT: usize = 64;

/// How many rows are taken over at once.
const CHUNK: usize = 256;

/// How many bytes of rows are taken over at once, but for the row that passes it: 1 MiB.
const CHUNK_BYTES: usize = 1024 * 1024;

/// How many rows that nobody wants are waited for, before a query is cancelled.
const UNWANTED: usize = 4 * CHUNK;

/// How long a statement that was cancelled may take to end.
const GRACE: Duration = Duration::from_secs(2);

pub(super) struct PostgresSession {
    server: Arc<Inner>,
    client: Client,
    pid: i32,
    statements: HashMap<String, Arc<Prepared>>,
    in_transaction: bool,
    /// Whether nobody knows what state it is in.
    spoilt: bool,
}

/// A statement that the server has prepared, and how its columns are read.
struct Prepared {
    statement: tokio_postgres::Statement,
    columns: Vec<String>,
    decoders: Result<Vec<Decoder>, Fault>,
    effect: Effect,
}

impl PostgresSession {
    pub(super) fn connect(role: &PostgresRole, config: &Config) -> Result<Self, Refused> {
        let postgres = &role.server.postgres;
        let limit = role.limits().wait;
        let refused = |kind, reason: String| {
            let what = format_args!("the plugin's role cannot connect to PostgreSQL: {reason}");
            Refused::Other(Fault::new(kind, what))
        };
        let unreachable = |reason| refused(FaultKind::UNREACHABLE, reason);
        postgres.network().block_on(async {
            let connected = timeout(limit, config.connect(postgres.tls())).await;
            let (client, connection) = match connected {
                Ok(Ok(connected)) => connected,
                Ok(Err(why)) if is_refused(&why) => return Err(Refused::Password),
                Ok(Err(why)) if is_full(&why) => {
                    return Err(refused(FaultKind::BUSY, crate::postgres::reason(&why)));
                }
                Ok(Err(why)) => return Err(unreachable(crate::postgres::reason(&why))),
                Err(_) => return Err(unreachable(format!("no answer within {} s", limit.as_secs()))),
            };
            // It ends with the client.
            postgres.network().spawn(async move { drop(connection.await) });
            let pid = timeout(limit, client.query_one("SELECT pg_catalog.pg_backend_pid()", &[])).await;
            let pid = pid.ok().and_then(Result::ok).and_then(|row| row.try_get(0).ok());
            Ok(Self {
                server: Arc::clone(&role.server),
                client,
                pid: pid.ok_or_else(|| unreachable("it does not answer".to_owned()))?,
                statements: HashMap::new(),
                in_transaction: false,
                spoilt: false,
            })
        })
    }

    /// Waits until `deadline`, cancels what is late, and ends the session if that does not help.
    fn wait<T>(
        &self,
        deadline: Instant,
        what: impl Future<Output = Result<T, Error>>,
    ) -> Result<Result<T, Error>, Late<T>> {
        let cancel = self.client.cancel_token();
        self.server.postgres.network().block_on(async {
            let mut what = pin!(what);
            if let Ok(done) = timeout_at(deadline.into(), &mut what).await {
                return Ok(done);
            }
            drop(timeout(GRACE, cancel.cancel_query(self.server.postgres.tls())).await);
            match timeout(GRACE, &mut what).await {
                // It came to its end after all.
                Ok(Ok(done)) => Err(Late(Some(done))),
                Ok(Err(_)) => Err(Late(None)),
                Err(_) => {
                    // A routine may catch being cancelled.
                    self.server.terminate(self.pid).await;
                    Err(Late(None))
                }
            }
        })
    }

    /// What came of [`wait`](Self::wait). A session that was late is not used again: the request to cancel may reach it when
    /// it does something else.
    fn done<T>(&mut self, answer: Result<Result<T, Error>, Late<T>>) -> Result<T, Failed> {
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => {
                self.spoilt |= spoils_the_session(&why);
                Err(Failed { stale: is_stale(&why), fault: fault(&why) })
            }
            Err(Late(answer)) => {
                self.spoilt = true;
                answer.ok_or_else(|| Failed { stale: false, fault: late() })
            }
        }
    }

    fn prepared(&mut self, sql: &str, deadline: Instant) -> Result<Arc<Prepared>, Fault> {
        if let Some(kept) = self.statements.get(sql) {
            return Ok(Arc::clone(kept));
        }
        let effect = lexer::effect(sql);
        let refused = match effect {
            Effect::Nothing => Some((FaultKind::INVALID, "expected a statement, found none")),
            Effect::Transaction => Some((
                FaultKind::DENIED,
                "a plugin's SQL is not allowed to begin or end transactions: use `transaction` of the SDK",
            )),
            Effect::Notification => {
                Some((FaultKind::DENIED, "a plugin's SQL is not allowed to use notifications: use events"))
            }
            _ => None,
        };
        if let Some((kind, why)) = refused {
            return Err(Fault::new(kind, why));
        }
        let statement = self.wait(deadline, self.client.prepare(sql));
        let statement = self.done(statement)?;
        let columns: Vec<String> =
            statement.columns().iter().map(|column| column.name().to_owned()).collect();
        let decoders = statement.columns().iter().map(|column| Decoder::of(column.name(), column.type_()));
        let prepared = Arc::new(Prepared { decoders: decoders.collect(), columns, effect, statement });
        if self.statements.len() >= KEPT {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), Arc::clone(&prepared));
        Ok(prepared)
    }

    /// Sends a statement, and answers with its rows. If they are to be read, only one whose rows can be.
    fn start(&mut self, statement: &Statement<'_>, read: bool) -> Result<(Arc<Prepared>, Rows), Fault> {
        let mut again = !self.in_transaction;
        loop {
            let prepared = self.prepared(statement.sql, statement.deadline)?;
            let types = prepared.statement.params();
            parameters::count(types.len(), statement.parameters.len())?;
            for (index, (value, of)) in statement.parameters.iter().zip(types).enumerate() {
                value::check(index + 1, value, of)?;
            }
            if read && let Err(why) = &prepared.decoders {
                return Err(why.clone());
            }
            if prepared.effect == Effect::Session {
                self.spoilt = true;
            }
            let stream = self.wait(statement.deadline, send(&self.client, &prepared, statement.parameters));
            match self.done(stream) {
                Ok(stream) => return Ok((prepared, Rows { stream: Box::pin(stream), ended: false })),
                Err(Failed { stale: true, .. }) if again => {
                    // A table has changed since it was prepared.
                    self.statements.clear();
                    again = false;
                }
                Err(failed) => {
                    if failed.stale {
                        self.statements.clear();
                    }
                    return Err(failed.fault);
                }
            }
        }
    }

    /// The next rows, at least one if there is one.
    fn next(&mut self, rows: &mut Rows, deadline: Instant) -> Result<Vec<Row>, Fault> {
        let Rows { stream, ended } = rows;
        if *ended {
            return Ok(Vec::new());
        }
        let pulled = self.wait(
            deadline,
            poll_fn(|context| {
                let (mut pulled, mut bytes) = (Vec::new(), 0);
                while pulled.len() < CHUNK && bytes < CHUNK_BYTES {
                    match stream.as_mut().poll_next(context) {
                        Poll::Ready(Some(Ok(row))) => {
                            bytes += row.raw_size_bytes();
                            pulled.push(row);
                        }
                        Poll::Ready(Some(Err(why))) => return Poll::Ready(Err(why)),
                        Poll::Ready(None) => {
                            *ended = true;
                            break;
                        }
                        Poll::Pending if pulled.is_empty() => return Poll::Pending,
                        Poll::Pending => break,
                    }
                }
                Poll::Ready(Ok(pulled))
            }),
        );
        self.done(pulled).map_err(|failed| {
            if failed.stale {
                self.statements.clear();
            }
            failed.fault
        })
    }

    /// While rows keep coming, nothing is waited for: that a deadline passes is seen here. What changes something goes on to
    /// its end, since nobody would know whether it came to it.
    fn check_deadline(&mut self, prepared: &Prepared, rows: &Rows, deadline: Instant) -> Result<(), Fault> {
        if rows.ended || prepared.effect != Effect::Read || Instant::now() < deadline {
            return Ok(());
        }
        self.cancel();
        Err(late())
    }

    /// Takes the rows that nobody wants, so that the next statement can be sent; or cancels the query, where that undoes
    /// nothing.
    fn leave(&mut self, prepared: &Prepared, mut rows: Rows, deadline: Instant) -> Result<(), Fault> {
        let may_cancel = !self.in_transaction && prepared.effect == Effect::Read;
        let mut left = UNWANTED;
        loop {
            if may_cancel && (left == 0 || Instant::now() >= deadline) {
                self.cancel();
                return Ok(());
            }
            match self.next(&mut rows, deadline) {
                Ok(unwanted) if unwanted.is_empty() => return Ok(()),
                Ok(unwanted) => left = left.saturating_sub(unwanted.len()),
                // In a row that nobody wants.
                Err(_) if may_cancel => return Ok(()),
                Err(why) => return Err(why),
            }
        }
    }

    /// Has the server end what it does. The session goes with its connection in any case.
    fn cancel(&mut self) {
        self.spoilt = true;
        let cancel = self.client.cancel_token();
        self.server.postgres.network().block_on(async {
            drop(timeout(GRACE, cancel.cancel_query(self.server.postgres.tls())).await);
        });
    }

    pub(super) fn host_query(&mut self, sql: &'static str, deadline: Instant) -> Result<String, Fault> {
        let row = self.wait(deadline, self.client.query_one(sql, &[]));
        let row = self.done(row)?;
        row.try_get(0).map_err(|why| fault(&why))
    }

    fn control(&mut self, sql: &'static str, deadline: Instant) -> Result<(), Fault> {
        let done = self.wait(deadline, self.client.batch_execute(sql));
        self.done(done).map_err(Fault::from)
    }
}

/// The rows of a query, which are not asked for once more after the last one.
struct Rows {
    stream: Pin<Box<RowStream>>,
    ended: bool,
}

/// A deadline passed. Perhaps it came to its end after it.
struct Late<T>(Option<T>);

struct Failed {
    stale: bool,
    fault: Fault,
}

impl From<Failed> for Fault {
    fn from(failed: Failed) -> Self {
        failed.fault
    }
}

fn late() -> Fault {
    Fault::new(
        FaultKind::TIMED_OUT,
        "the statement took longer than its deadline (`database.statement_deadline_secs`, or what the plugin set)",
    )
}

async fn send(client: &Client, prepared: &Prepared, parameters: &[Value<'_>]) -> Result<RowStream, Error> {
    let parameters: Vec<Parameter<'_>> = parameters.iter().map(Parameter).collect();
    client
        .query_raw(
            &prepared.statement,
            parameters.iter().map(|one| one as &(dyn tokio_postgres::types::ToSql + Sync)),
        )
        .await
}

impl Session for PostgresSession {
    fn exec(&mut self, statement: &Statement<'_>) -> Result<u64, Fault> {
        let (prepared, mut rows) = self.start(statement, false)?;
        while !self.next(&mut rows, statement.deadline)?.is_empty() {
            self.check_deadline(&prepared, &rows, statement.deadline)?;
        }
        // A query says how many rows it found, and has changed none.
        let counts = prepared.effect != Effect::Read;
        Ok(if counts { rows.stream.rows_affected().unwrap_or(0) } else { 0 })
    }

    fn query(&mut self, statement: &Statement<'_>, sink: &mut Sink<'_>) -> Result<u64, Fault> {
        let (prepared, mut stream) = self.start(statement, true)?;
        let decoders = prepared.decoders.clone()?;
        let columns: Vec<RStr<'_>> = prepared.columns.iter().map(|name| RStr::from_str(name)).collect();
        let (mut count, limit) = (0, self.server.limits.max_value_bytes);
        loop {
            let rows = self.next(&mut stream, statement.deadline)?;
            if rows.is_empty() {
                return Ok(count);
            }
            self.check_deadline(&prepared, &stream, statement.deadline)?;
            for row in &rows {
                let taken = if count == statement.max_rows {
                    Err(too_many_rows(statement.max_rows))
                } else {
                    count += 1;
                    give(row, &columns, &decoders, limit, sink)
                };
                match taken {
                    Ok(true) => {}
                    Ok(false) => {
                        self.leave(&prepared, stream, statement.deadline)?;
                        return Ok(count);
                    }
                    Err(why) => {
                        self.leave(&prepared, stream, statement.deadline)?;
                        return Err(why);
                    }
                }
            }
        }
    }

    fn begin(&mut self, deadline: Instant) -> Result<(), Fault> {
        self.control("BEGIN", deadline)?;
        self.in_transaction = true;
        Ok(())
    }

    fn commit(&mut self, deadline: Instant) -> Result<(), Fault> {
        self.control("COMMIT", deadline).map_err(|why| match why.kind {
            FaultKind::UNREACHABLE | FaultKind::TIMED_OUT => Fault::new(
                why.kind,
                format_args!("whether the transaction was committed is not known: {}", why.message),
            ),
            _ => why,
        })?;
        self.in_transaction = false;
        Ok(())
    }

    fn rollback(&mut self) {
        if !self.spoilt && self.control("ROLLBACK", Instant::now() + GRACE).is_ok() {
            self.in_transaction = false;
        }
    }

    fn is_sound(&self) -> bool {
        !self.spoilt && !self.in_transaction && !self.client.is_closed()
    }
}

/// Hands over a row, in PostgreSQL's own bytes where they are the value.
fn give(
    row: &Row,
    columns: &[RStr<'_>],
    decoders: &[Decoder],
    max_value_bytes: u64,
    sink: &mut Sink<'_>,
) -> Result<bool, Fault> {
    let mut raw = Vec::with_capacity(decoders.len());
    for index in 0..decoders.len() {
        raw.push(row.try_get::<_, Option<Raw<'_>>>(index).map_err(|why| fault(&why))?);
    }
    let texts: Vec<Option<String>> = decoders
        .iter()
        .zip(&raw)
        .map(|(decoder, raw)| raw.as_ref().and_then(|raw| decoder.text(raw)))
        .collect();
    let mut values: Vec<ValueView<'_>> = Vec::with_capacity(decoders.len());
    for (index, decoder) in decoders.iter().enumerate() {
        let name = columns.get(index).map_or("?", RStr::as_str);
        let value = match raw.get(index).and_then(Option::as_ref) {
            None => value::null(),
            Some(raw) => {
                let text = texts.get(index).and_then(Option::as_deref);
                decoder
                    .view(raw, text)
                    .map_err(|why| Fault::new(FaultKind::INVALID, format_args!("column `{name}`: {why}")))?
            }
        };
        check_length(value.bytes.len(), name, max_value_bytes)?;
        values.push(value);
    }
    sink(RowView { columns: RSlice::from_slice(columns), values: RSlice::from_slice(&values) })
}
