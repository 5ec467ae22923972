//! What a plugin's query costs: 10,000 rows through the interface's table, and the same by `rusqlite` from the same file.

use std::{hint::black_box, path::Path, sync::LazyLock};

use divan::{Bencher, counter::ItemsCount};
use rusqlite::{Connection, types::ValueRef};
use streamspace_host::{
    config,
    database::{Databases, open_database},
    store::DataDir,
};
use streamspace_plugin::{
    abi::{Bound, RSlice, RStr, RowSink},
    database::{Database, DatabaseRef, RowView, StatementView, ValueKind},
    params,
};
use tempfile::TempDir;

const ROWS: usize = 10_000;
const SQL: &str = "SELECT id, name, score, at FROM items";

fn main() {
    divan::main();
}

/// A plugin's table, and the folder that it is in.
struct Table {
    _folder: TempDir,
    file: std::path::PathBuf,
    bound: Bound<DatabaseRef>,
}

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(folder.path()).expect("a data folder");
        let databases = Databases::new(&data, &config::Database::default(), None);
        let database = databases.prepare("bench", ["database"], Path::new("/nowhere")).expect("a database");
        let (capability, opened) = open_database(database);
        // As long as the program runs.
        std::mem::forget(opened);
        let bound = capability.bind().expect("its own table");
        let sql = Database::new(Some(bound));
        let create =
            "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, score REAL, at TEXT) STRICT";
        sql.exec(create, params![]).expect("a table");
        sql.transaction::<(), streamspace_plugin::database::DatabaseError>(|transaction| {
            for id in 0..ROWS {
                let insert = "INSERT INTO items VALUES ($1, $2, $3, CURRENT_TIMESTAMP)";
                transaction.exec(insert, params![id, format!("the item number {id}"), id as f64 / 2.0])?;
            }
            Ok(())
        })
        .expect("rows");
        let file = folder.path().join("plugin-data/bench/database.db");
        Table { _folder: folder, file, bound }
    });
    &TABLE
}

/// Adds up what is in the rows, so that every value is looked at.
#[derive(Default)]
struct Sum {
    rows: usize,
    integers: i64,
    reals: f64,
    bytes: usize,
}

/// Through the table, as the SDK calls it, without reading the rows into types.
#[divan::bench]
fn interface(bencher: Bencher<'_, '_>) {
    let Bound { table, handle } = table().bound;
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let mut sum = Sum::default();
        let mut sink = |row: &RowView<'_>| {
            sum.rows += 1;
            for value in row.values.as_slice() {
                match value.kind {
                    ValueKind::INTEGER => sum.integers = sum.integers.wrapping_add(value.number),
                    ValueKind::REAL => sum.reals += f64::from_bits(value.number.cast_unsigned()),
                    _ => sum.bytes += value.bytes.len(),
                }
            }
            Ok(true)
        };
        let statement = StatementView {
            sql: RStr::from_str(SQL),
            parameters: RSlice::from_slice(&[]),
            deadline_ms: 0,
            max_rows: 0,
        };
        let rows = table.query()(handle, statement, RowSink::new(&mut sink)).into_result().expect("rows");
        assert!(rows as usize == ROWS && sum.rows == ROWS);
        black_box(sum);
    });
}

/// The same by `rusqlite`, which looks at texts as bytes, from its own cache of statements.
#[divan::bench]
fn peer_rusqlite(bencher: Bencher<'_, '_>) {
    let connection = Connection::open(&table().file).expect("the file");
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let mut sum = Sum::default();
        let mut statement = connection.prepare_cached(SQL).expect("a statement");
        let columns = statement.column_count();
        let mut rows = statement.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            sum.rows += 1;
            for column in 0..columns {
                match row.get_ref(column).expect("a value") {
                    ValueRef::Integer(number) => sum.integers = sum.integers.wrapping_add(number),
                    ValueRef::Real(number) => sum.reals += number,
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => sum.bytes += bytes.len(),
                    ValueRef::Null => {}
                }
            }
        }
        assert!(sum.rows == ROWS);
        black_box(sum);
    });
}

/// With the rows read into tuples by the SDK.
#[divan::bench]
fn sdk(bencher: Bencher<'_, '_>) {
    let sql = Database::new(Some(table().bound));
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let rows: Vec<(i64, String, f64, String)> = sql.query(SQL, params![]).expect("rows");
        assert!(rows.len() == ROWS);
        black_box(rows)
    });
}

/// With the rows read into tuples by `rusqlite`.
#[divan::bench]
fn peer_rusqlite_typed(bencher: Bencher<'_, '_>) {
    let connection = Connection::open(&table().file).expect("the file");
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let mut statement = connection.prepare_cached(SQL).expect("a statement");
        let rows = statement.query_map([], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, f64>(2)?,
                row.get::<_, String>(3)?,
            ))
        });
        let rows: Vec<_> = rows.expect("rows").collect::<Result<_, _>>().expect("rows");
        assert!(rows.len() == ROWS);
        black_box(rows)
    });
}
