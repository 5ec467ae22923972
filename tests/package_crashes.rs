//! A host, or a command on a stopped one, is killed while it installs, upgrades, goes back or uninstalls: at each step that it
//! writes into its journal, and at random. Afterwards it is the version before or the one after, nothing is left over, and the
//! same again succeeds.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a walk that failed is told by its seed and its rounds")]

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use rustix::process::Signal;
use streamspace_tests::{
    Backend, DEADLINE, Installation, Packing, PostgresDatabase, Process, Vendor, builds, wait_for,
};

const PLUGIN: &str = "fixture-database";
/// The table that the second version's own migration makes.
const TABLE: &str = "more";
/// The steps of the journal, as the database has them.
const STEPS: [&str; 6] = ["unpack", "switch", "start", "prune", "stop", "remove"];

/// What is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Nothing,
    First,
    Second,
}

use State::{First, Nothing, Second};

impl State {
    fn version(self) -> Option<&'static str> {
        match self {
            Nothing => None,
            First => Some("0.1.0"),
            Second => Some("0.2.0"),
        }
    }
}

/// When it is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Step(&'static str),
    After(Duration),
}

/// Numbers that look like chance, and come again with the same seed.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64: https://prng.di.unimi.it/splitmix64.c
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The host's tables, looked at from outside.
enum Tables {
    Sqlite(PathBuf),
    Postgres(Box<postgres::Client>),
}

impl Tables {
    fn of(installation: &Installation, database: Option<&PostgresDatabase>) -> Self {
        match database {
            None => Self::Sqlite(installation.data().join("streamspace.db")),
            Some(database) => Self::Postgres(Box::new(database.owner())),
        }
    }

    /// The first column of what a query finds.
    fn ask(&mut self, query: &str) -> Vec<String> {
        match self {
            Self::Sqlite(path) => {
                let database = rusqlite::Connection::open(path).expect("the database");
                database.busy_timeout(DEADLINE).expect("a deadline");
                let mut query = database.prepare(query).expect("a query");
                let rows = query.query_map([], |row| row.get(0)).expect("rows");
                rows.map(|row| row.expect("a row")).collect()
            }
            Self::Postgres(client) => {
                let query = query.replace("FROM ", "FROM streamspace.");
                client.query(&query, &[]).expect("rows").iter().map(|row| row.get(0)).collect()
            }
        }
    }
}

struct Walk {
    packages: [PathBuf; 2],
    tables: Tables,
    on_sqlite: bool,
    chance: Chance,
    seen: BTreeSet<&'static str>,
}

impl Walk {
    /// What is done next, and what is there afterwards.
    fn next(&mut self, state: State) -> (Vec<String>, State) {
        let [first, second] = self.packages.clone().map(|path| path.to_str().expect("UTF-8").to_owned());
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        match (state, self.chance.below(3)) {
            (Nothing, _) => (words(&["plugin", "install", &first, "--yes"]), First),
            (_, 0) => (words(&["plugin", "uninstall", PLUGIN, "--purge"]), Nothing),
            (First, _) => (words(&["plugin", "upgrade", &second, "--yes"]), Second),
            (Second, _) => (words(&["plugin", "rollback", PLUGIN]), First),
        }
    }

    fn moment(&mut self, after: State, before: State, is_running: bool) -> Moment {
        let steps: &[&'static str] = match (before, after, is_running) {
            (Nothing, ..) => &["unpack", "start"],
            (_, Nothing, _) => &["stop", "remove"],
            (First, _, true) => &["unpack", "switch", "start", "prune"],
            (First, _, false) => &["unpack", "start", "prune"],
            (Second, ..) => &["switch", "start", "prune"],
        };
        if self.chance.below(3) == 0 {
            return Moment::After(Duration::from_micros(self.chance.below(400_000)));
        }
        Moment::Step(steps[self.chance.below(steps.len() as u64) as usize])
    }

    /// Waits for the moment, or for the end of the command.
    fn wait(&mut self, moment: Moment, command: &mut Process) {
        let begun = Instant::now();
        let what = format!("{moment:?}, or the end of the command");
        wait_for(DEADLINE, &what, || {
            let is_now = match moment {
                Moment::After(time) => begun.elapsed() >= time,
                Moment::Step(wanted) => self.steps().contains(&wanted),
            };
            (is_now || command.exited().is_some()).then_some(())
        });
    }

    fn steps(&mut self) -> Vec<&'static str> {
        let there = self.tables.ask("SELECT step FROM plugin_operations");
        STEPS.into_iter().filter(|step| there.iter().any(|there| there == step)).collect()
    }

    /// Sees that everything fits together, and answers with what is installed. The journal is brought to its end before.
    fn settled(&mut self, installation: &Installation, may_be: &[State]) -> State {
        let list = installation.cli(&["plugin", "list", "--json"]).expect(0).json();
        let plugins = list["plugins"].as_array().expect("plugins");
        let version = plugins.first().map(|plugin| {
            assert_ne!(plugin["state"], "failed", "{plugin}");
            plugin["version"].as_str().expect("a version")
        });
        let found = may_be.iter().find(|state| state.version() == version);
        let found = *found.unwrap_or_else(|| panic!("expected one of {may_be:?}, found {version:?}"));
        assert!(self.steps().is_empty(), "the journal is not at its end");

        let mut on_disk = BTreeSet::new();
        let home = installation.data().join("plugins").join(PLUGIN);
        for entry in fs::read_dir(home).into_iter().flatten() {
            on_disk.insert(entry.expect("an entry").file_name().into_string().expect("UTF-8"));
        }
        let named: BTreeSet<String> =
            self.tables.ask("SELECT content FROM plugin_generations").into_iter().collect();
        assert_eq!(on_disk, named, "files and tables do not agree");
        let current = self.tables.ask("SELECT content FROM plugins");
        assert!(current.iter().all(|content| named.contains(content)), "{current:?} of {named:?}");
        if found == Nothing {
            assert!(!installation.data().join("plugin-data").join(PLUGIN).exists(), "it was to be purged");
        }
        found
    }

    /// Sees that the plugin's own tables are those of the version that runs.
    fn tables_are_of(&self, installation: &Installation, state: State) {
        let path = installation.data().join("plugin-data").join(PLUGIN).join("database.db");
        if !self.on_sqlite || state == Nothing {
            return;
        }
        let database = rusqlite::Connection::open(path).expect("the plugin's database");
        let found: i64 = database
            .query_row("SELECT count(*) FROM sqlite_master WHERE name = ?1", [TABLE], |row| row.get(0))
            .expect("a count");
        assert_eq!(found == 1, state == Second, "the tables are those of another version than {state:?}");
    }
}

/// Kills until `rounds` are done or the time is up, whichever is first.
fn kill(database: Option<&PostgresDatabase>, rounds: u64, time: Duration) {
    let vendor = Vendor::new();
    let mut installation = Installation::new()
        .set("plugins.health_gate_secs", 0)
        .set("packages.preapproved", vec!["permission:*", "migration:*"]);
    if let Some(database) = database {
        installation = installation.set("database.url", database.url());
    }
    installation.cli(&["trust", "add", &vendor.key(), "--name", "Example"]).expect(0);
    let mut second = Packing::of(builds(), PLUGIN).version("0.2.0");
    for (dialect, strict) in [("sqlite", " STRICT"), ("postgres", "")] {
        let up = format!("CREATE TABLE {TABLE} (id INTEGER){strict};");
        let down = format!("DROP TABLE {TABLE};");
        second = second
            .file(&format!("migrations/{dialect}/0003_more/up.sql"), &up)
            .file(&format!("migrations/{dialect}/0003_more/down.sql"), &down);
    }
    let packages = [
        Packing::of(builds(), PLUGIN).write(installation.scratch(), &[&vendor]),
        second.write(installation.scratch(), &[&vendor]),
    ];
    let seed =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64);
    eprintln!("seed {seed}");
    let tables = Tables::of(&installation, database);
    let on_sqlite = database.is_none();
    let mut walk = Walk { packages, tables, on_sqlite, chance: Chance(seed), seen: BTreeSet::new() };

    let (begun, mut state, mut round) = (Instant::now(), Nothing, 0);
    while round < rounds && begun.elapsed() < time {
        round += 1;
        let (words, after) = walk.next(state);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let is_running = round % 4 == 0;
        let moment = walk.moment(after, state, is_running);
        eprintln!("round {round}: {state:?}, {words:?}, {moment:?}, running: {is_running}");
        if is_running {
            let host = installation.start();
            if state != Nothing {
                host.wait_state(PLUGIN, "running");
            }
            let mut command = host.spawn(&words);
            walk.wait(moment, &mut command);
            installation = host.end(Signal::KILL, DEADLINE).installation;
            // It loses its host, or was done before.
            command.wait(DEADLINE);
        } else {
            let mut command = installation.spawn(&words);
            walk.wait(moment, &mut command);
            if command.exited().is_none() {
                command.signal(Signal::KILL);
            }
            command.wait(DEADLINE);
        }
        let steps = walk.steps();
        walk.seen.extend(steps);
        if round % 5 == 0 {
            // A start of the host brings it to its end as well.
            let host = installation.start();
            let there = host.cli(&["plugin", "list", "--json"]).expect(0).json();
            if there["plugins"].as_array().is_some_and(|plugins| !plugins.is_empty()) {
                host.wait_state(PLUGIN, "running");
            }
            installation = host.stop().installation;
            state = walk.settled(&installation, &[state, after]);
            walk.tables_are_of(&installation, state);
        } else {
            state = walk.settled(&installation, &[state, after]);
        }
        if state != after {
            installation.cli(&words).expect(0);
            state = walk.settled(&installation, &[after]);
        }
    }
    eprintln!("{round} rounds; killed at {:?}", walk.seen);
    assert!(!walk.seen.is_empty(), "it was never killed in the middle of anything");
    if state != Nothing {
        let host = installation.start();
        host.wait_state(PLUGIN, "running");
        installation = host.stop().installation;
        walk.tables_are_of(&installation, state);
    }
}

#[test]
fn a_kill_leaves_the_old_or_the_new_on_sqlite() {
    kill(None, 200, Duration::from_secs(110));
}

#[test]
fn a_kill_leaves_the_old_or_the_new_on_postgres() {
    let Backend::Postgres(database) = Backend::postgres() else { panic!("a database") };
    kill(Some(&database), 20, Duration::from_secs(40));
}
