//! Values come back as they went in, or not at all.

use proptest::prelude::*;
use serde::Deserialize;
use streamspace_plugin::{
    database::{Bytes, Json, Timestamp},
    params,
};

use super::*;

on_both!(
    every_type_comes_back_as_it_was,
    values_that_do_not_fit_a_column_are_refused,
    what_the_database_makes_up_is_read,
);

/// A table of every type, in either dialect's words.
fn table(plugin: &Plugin) {
    let sql = match plugin.sql.dialect().expect("a dialect").name() {
        Some("sqlite") => {
            "CREATE TABLE v (n INTEGER, x REAL, t TEXT, b BLOB, y INTEGER CHECK (y IN (0, 1)), at TEXT, j TEXT) STRICT"
        }
        _ => {
            "CREATE TABLE v (n bigint, x double precision, t text, b bytea, y boolean, at timestamptz, j jsonb)"
        }
    };
    plugin.done(sql);
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct All {
    n: Option<i64>,
    x: Option<f64>,
    t: Option<String>,
    b: Option<Bytes>,
    y: Option<bool>,
    at: Option<Timestamp>,
    j: Option<Json<Vec<i32>>>,
}

fn all() -> impl Strategy<Value = All> {
    let real = any::<f64>().prop_filter("finite", |x| x.is_finite());
    let time = (Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros())
        .prop_map(|micros| Timestamp::from_micros(micros).expect("in range"));
    let bytes = any::<Vec<u8>>().prop_map(Bytes);
    let json = any::<Vec<i32>>().prop_map(Json);
    let option = proptest::option::of::<BoxedStrategy<i64>>(any::<i64>().boxed());
    (
        option,
        proptest::option::of(real),
        proptest::option::of("[^\0]*"),
        proptest::option::of(bytes),
        any::<Option<bool>>(),
        proptest::option::of(time),
        proptest::option::of(json),
    )
        .prop_map(|(n, x, t, b, y, at, j)| All { n, x, t, b, y, at, j })
}

fn every_type_comes_back_as_it_was(host: &Host) {
    let plugin = host.start("values");
    table(&plugin);
    let round_trip = |v: &All| {
        plugin.sql.exec("DELETE FROM v", params![])?;
        let insert = "INSERT INTO v (n, x, t, b, y, at, j) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        plugin.sql.exec(insert, params![v.n, v.x, v.t, v.b, v.y, v.at, v.j])?;
        plugin.sql.query_one::<All>("SELECT n, x, t, b, y, at, j FROM v", params![])
    };
    proptest!(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() }, |(value in all())| {
        let found = round_trip(&value).expect("it is stored").expect("a row");
        // -0.0 and 0.0 are one number.
        prop_assert_eq!(found, value);
    });
    let all_null = All { n: None, x: None, t: None, b: None, y: None, at: None, j: None };
    assert_eq!(round_trip(&all_null).expect("it is stored"), Some(all_null));
}

fn values_that_do_not_fit_a_column_are_refused(host: &Host) {
    let plugin = host.start("values");
    table(&plugin);
    // Through no cast: a text is no number, and bytes are no text.
    for (column, result) in [
        ("n", plugin.sql.exec("INSERT INTO v (n) VALUES ($1)", params!["twelve"])),
        ("x", plugin.sql.exec("INSERT INTO v (x) VALUES ($1)", params!["twelve"])),
        ("t", plugin.sql.exec("INSERT INTO v (t) VALUES ($1)", params![Bytes(vec![1])])),
        ("b", plugin.sql.exec("INSERT INTO v (b) VALUES ($1)", params!["text"])),
        ("y", plugin.sql.exec("INSERT INTO v (y) VALUES ($1)", params![2])),
    ] {
        let why = result.expect_err(column);
        assert!(matches!(kind(&why), Some(FaultKind::CONSTRAINT | FaultKind::INVALID)), "{column}: {why:?}");
        assert!(!why.to_string().contains("twelve"), "no value is told: {why}");
    }
    assert_eq!(plugin.count("v"), 0);
}

fn what_the_database_makes_up_is_read(host: &Host) {
    let plugin = host.start("values");
    let now: Timestamp =
        plugin.sql.query_one("SELECT CURRENT_TIMESTAMP", params![]).expect("a time").expect("a row");
    let minute = 60_000_000;
    assert!((now.as_micros() - Timestamp::now().as_micros()).abs() < 10 * minute, "{now}");
    let row = plugin.sql.query_one::<(i64, String, Option<String>)>(
        "SELECT CAST(1 AS BIGINT), CAST('x' AS TEXT), CAST(NULL AS TEXT)",
        params![],
    );
    assert_eq!(row, Ok(Some((1, "x".to_owned(), None))));
}
