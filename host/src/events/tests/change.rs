//! Changes of the host's tables, and the events that belong to them.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};
use streamspace_tests::PostgresDatabase;

use super::*;
use crate::store::{
    Connection, on,
    schema::{grants, plugins},
};

macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test(&super::House::new()); })*
        }

        mod postgres {
            $(#[test] fn $test() { super::on_postgres(super::$test); })*
        }
    };
}

on_both! {
    what_is_written_and_what_is_emitted_are_there_together,
    what_was_refused_leaves_nothing_and_hinders_nobody,
    what_the_database_does_not_take_is_undone_alone,
    an_event_that_is_none_undoes_its_change,
    a_panic_is_the_callers_and_undoes_the_change,
    changes_of_many_threads_see_each_others_rows,
}

fn on_postgres(test: fn(&House)) {
    let server = PostgresDatabase::new();
    let settings = toml::from_str(&format!("url = \"{}\"", server.url())).expect("settings");
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let house = House::with(&settings, folder, config::Events::default());
    test(&house);
    house.bus.log().expect("a log").stop(Instant::now() + Duration::from_secs(10));
}

/// A row that stands for any.
fn insert(connection: &mut Connection, name: &str) -> QueryResult<()> {
    on!(connection, |c| {
        diesel::insert_into(plugins::table)
            .values((
                plugins::name.eq(name),
                plugins::version.eq("1.0.0"),
                plugins::content.eq(""),
                plugins::library.eq(""),
                plugins::enabled.eq(true),
                plugins::config.eq(Vec::new()),
                plugins::installed_us.eq(0),
            ))
            .execute(c)
            .map(drop)
    })
}

fn count(connection: &mut Connection) -> QueryResult<i64> {
    on!(connection, |c| plugins::table.count().get_result(c))
}

impl House {
    fn names(&self) -> Vec<String> {
        let names = self.database.with("read", |connection| {
            on!(connection, |c| plugins::table.select(plugins::name).order(plugins::name).load(c))
        });
        names.expect("rows")
    }

    fn add(&self, name: &'static str) -> Result<(), ChangeError<&'static str>> {
        self.bus.change(move |connection, emitted| {
            insert(connection, name)?;
            emitted.emit("t.added", name, &name);
            if name.starts_with("bad") { Err(Stop::Refused("bad")) } else { Ok(()) }
        })
    }
}

fn what_is_written_and_what_is_emitted_are_there_together(house: &House) {
    // Nobody wants the topic yet, and it is not one of the durable ones: of a change, everything is.
    assert!(!house.bus.is_durable("t.added"));
    house.add("a").expect("changed");
    assert_eq!(house.names(), ["a"]);
    let from_start = ConsumerSpec { from_start: true, ..spec(true) };
    let (_, plugin) = house.plugin(from_start, Plugin::default());
    house.add("b").expect("changed");
    house.run();
    assert_eq!(plugin.data(), ["\"a\"", "\"b\""]);
}

fn what_was_refused_leaves_nothing_and_hinders_nobody(house: &House) {
    let (_, plugin) = house.plugin(spec(true), Plugin::default());
    std::thread::scope(|scope| {
        for name in ["a", "bad1", "b", "bad2", "c", "bad3"] {
            scope.spawn(move || match house.add(name) {
                Ok(()) => assert!(!name.starts_with("bad"), "{name} was changed"),
                Err(ChangeError::Refused("bad")) => assert!(name.starts_with("bad"), "{name} was refused"),
                Err(why) => panic!("{name}: {why}"),
            });
        }
    });
    house.run();
    assert_eq!(house.names(), ["a", "b", "c"]);
    let mut data = plugin.data();
    data.sort();
    assert_eq!(data, ["\"a\"", "\"b\"", "\"c\""]);
}

fn what_the_database_does_not_take_is_undone_alone(house: &House) {
    let (_, plugin) = house.plugin(spec(true), Plugin::default());
    house.add("a").expect("changed");
    // The row before the one that breaks the rule goes too.
    let why = house.bus.change(|connection, emitted| -> Result<(), Stop<&str>> {
        insert(connection, "b")?;
        emitted.emit("t.added", "b", &"b");
        on!(connection, |c| {
            let grant = (grants::plugin.eq("none"), grants::permission.eq("x"), grants::granted_us.eq(0));
            diesel::insert_into(grants::table).values(grant).execute(c)
        })?;
        Ok(())
    });
    assert!(matches!(why, Err(ChangeError::Database { .. })), "{why:?}");
    house.add("c").expect("the log goes on");
    house.run();
    assert_eq!(
        (house.names(), plugin.data()),
        (vec!["a".into(), "c".into()], vec!["\"a\"".into(), "\"c\"".into()])
    );
}

fn an_event_that_is_none_undoes_its_change(house: &House) {
    let emits = |topic: &'static str, data: String| {
        house.bus.change(move |connection, emitted| -> Result<(), Stop<&str>> {
            insert(connection, "a")?;
            emitted.emit("t.fine", "", &1);
            emitted.emit(topic, "", &data);
            Ok(())
        })
    };
    for (topic, data) in [("t..x", "1".to_owned()), ("t.large", "x".repeat(100))] {
        let why = emits(topic, data).expect_err("no event");
        assert!(matches!(&why, ChangeError::Event { topic: named, .. } if named == topic), "{why}");
    }
    assert!(house.names().is_empty());
    assert_eq!(house.bus.log().expect("a log").head(), 0);
}

fn a_panic_is_the_callers_and_undoes_the_change(house: &House) {
    let panics = || {
        house.bus.change(|connection, _| -> Result<(), Stop<&str>> {
            insert(connection, "a")?;
            panic!("told to")
        })
    };
    let panicked = catch_unwind(AssertUnwindSafe(panics)).expect_err("a panic");
    assert_eq!(panicked.downcast_ref::<&str>(), Some(&"told to"));
    house.add("b").expect("the log goes on");
    assert_eq!(house.names(), ["b"]);
}

fn changes_of_many_threads_see_each_others_rows(house: &House) {
    const EACH: usize = 8;
    const NAMES: [[&str; EACH]; 3] = [
        ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"],
        ["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"],
        ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"],
    ];
    // At most ten: whoever comes eleventh has to see that.
    let accepted: usize = std::thread::scope(|scope| {
        let threads = NAMES.map(|names| {
            scope.spawn(move || {
                let added = names.into_iter().filter(|&name| {
                    let result = house.bus.change(move |connection, emitted| {
                        if count(connection)? >= 10 {
                            return Err(Stop::Refused(()));
                        }
                        insert(connection, name)?;
                        emitted.emit("t.added", name, &name);
                        Ok(())
                    });
                    match result {
                        Ok(()) => true,
                        Err(ChangeError::Refused(())) => false,
                        Err(ChangeError::Database { reason }) => panic!("{reason}"),
                        Err(_) => panic!("the log is not written"),
                    }
                });
                added.count()
            })
        });
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!((accepted, house.names().len()), (10, 10));
    assert_eq!(house.bus.log().expect("a log").head(), 10);
}
