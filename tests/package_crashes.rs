//! A host, or a command on a stopped one, is killed while it installs, upgrades, goes back or uninstalls: at each step that it
//! writes into its journal, and at random. Afterwards it is the version before or the one after, nothing is left over, and the
//! same again succeeds.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a walk that failed is told by its seed and its rounds")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use rusqlite::TransactionBehavior;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use streamspace_tests::{
    Backend, DEADLINE, Host, Installation, Packing, PostgresDatabase, Process, Vendor, builds, wait_for,
};

const PLUGIN: &str = "fixture-database";
/// The table that the second version's own migration makes.
const TABLE: &str = "more";
/// Where the host says which steps there are of what. One that is new is to be killed at too.
const JOURNAL: &str = include_str!("../host/src/store/operations.rs");
/// How often it is tried to kill it at one step.
const TRIES: usize = 20;

/// A kind of operation and one of its steps, as the journal has them.
type Step = (String, String);

/// All of them, as the host's source has them.
fn all_steps() -> Vec<Step> {
    let (_, from) = JOURNAL.split_once("pub fn steps(self)").expect("the function");
    let (body, _) = from.split_once("\n    }\n").expect("its end");
    let arms = body.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => &["));
    let mut all = Vec::new();
    for (kind, steps) in arms {
        let steps = steps.trim_end_matches("],").split(", ").map(str::to_lowercase);
        all.extend(steps.map(|step| (kind.to_lowercase(), step)));
    }
    assert!(all.len() > 8, "the source is read wrongly: {all:?}");
    all
}

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
#[derive(Debug, Clone)]
enum Moment {
    /// When the journal has this step, and so much later.
    Step(String, Later),
    After(Duration),
}

/// How much later.
#[derive(Debug, Clone, Copy)]
enum Later {
    /// As soon as it is seen.
    AtOnce,
    /// While it can write nothing.
    Held(Duration),
    /// If it is at that step still.
    Free(Duration),
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

/// What is under way.
const QUERY: &str = "SELECT kind || ' ' || step FROM plugin_operations";

/// The host's tables, looked at from outside.
enum Tables {
    /// One connection for all of the time: what is looked for may be there for a moment only.
    Sqlite(Box<rusqlite::Connection>),
    Postgres(Box<postgres::Client>),
}

impl Tables {
    fn of(installation: &Installation, database: Option<&PostgresDatabase>) -> Self {
        match database {
            None => {
                let path = installation.data().join("streamspace.db");
                let database = rusqlite::Connection::open(path).expect("the database");
                database.busy_timeout(DEADLINE).expect("a deadline");
                Self::Sqlite(Box::new(database))
            }
            Some(database) => Self::Postgres(Box::new(database.owner())),
        }
    }

    /// The first column of what a query finds.
    fn ask(&mut self, query: &str) -> Vec<String> {
        match self {
            Self::Sqlite(database) => column(database, query),
            Self::Postgres(client) => {
                let query = query.replace("FROM ", "FROM streamspace.");
                client.query(&query, &[]).expect("rows").iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Whether the journal may have this step now. Nobody is held up by the look.
    fn may_be_at(&self, wanted: &str) -> bool {
        match self {
            Self::Sqlite(database) => step(column(database, QUERY)).is_some_and(|(_, step)| step == wanted),
            // There who waits for the lock is the next to have it, so that no step is missed.
            Self::Postgres(_) => true,
        }
    }

    /// What the journal has, while `work` is done with it and nobody else writes into it.
    fn held<R>(&mut self, work: impl FnOnce(Option<Step>) -> R) -> R {
        match self {
            Self::Sqlite(database) => {
                let held =
                    database.transaction_with_behavior(TransactionBehavior::Immediate).expect("a lock");
                work(step(column(&held, QUERY)))
            }
            Self::Postgres(client) => {
                let mut held = client.transaction().expect("a transaction");
                let lock =
                    "SET LOCAL search_path = streamspace; LOCK TABLE plugin_operations IN EXCLUSIVE MODE";
                held.batch_execute(lock).expect("a lock");
                let rows = held.query(QUERY, &[]).expect("rows");
                work(step(rows.iter().map(|row| row.get(0)).collect()))
            }
        }
    }
}

fn column(database: &rusqlite::Connection, query: &str) -> Vec<String> {
    let mut query = database.prepare_cached(query).expect("a query");
    let rows = query.query_map([], |row| row.get(0)).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

/// The one thing that is under way.
fn step(found: Vec<String>) -> Option<Step> {
    assert!(found.len() < 2, "one plugin, and more than one row: {found:?}");
    let (kind, step) = found.first()?.split_once(' ').expect("two words");
    Some((kind.to_owned(), step.to_owned()))
}

/// Kills a process and waits until nothing of it runs any more.
fn kill_process(pid: u32, kill: &mut dyn FnMut()) {
    kill();
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("an id");
    // Whoever started it waits for it in earnest.
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    wait_for(DEADLINE, "the end of what was killed", || waitid(WaitId::Pid(pid), ended).expect("a child"));
}

struct Walk {
    packages: [PathBuf; 2],
    tables: Tables,
    on_sqlite: bool,
    chance: Chance,
    /// What is to be killed yet: at which step, and whether the host runs.
    wanted: Vec<(Step, bool)>,
    /// Where it was.
    seen: BTreeSet<Step>,
}

impl Walk {
    /// What is done next, and whether the host runs.
    fn next(&mut self, state: State) -> (&'static str, Option<(Step, bool)>) {
        let possible: &[&'static str] = match state {
            Nothing => &["install"],
            First => &["upgrade", "uninstall"],
            Second => &["rollback", "uninstall"],
        };
        let wanted = self.wanted.iter().find(|((kind, _), _)| possible.contains(&&**kind)).cloned();
        if let Some(((kind, _), _)) = &wanted {
            let kind = possible.iter().find(|possible| *possible == kind);
            return (kind.expect("it is possible"), wanted);
        }
        let by_chance = self.chance.below(possible.len() as u64 + 1) as usize;
        (possible.get(by_chance).unwrap_or(&possible[0]), None)
    }

    /// The command, and what is there afterwards.
    fn command(&self, kind: &str) -> (Vec<String>, State) {
        let [first, second] = self.packages.each_ref().map(|path| path.to_str().expect("UTF-8"));
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        match kind {
            "install" => (words(&["plugin", "install", first, "--yes"]), First),
            "upgrade" => (words(&["plugin", "upgrade", second, "--yes"]), Second),
            "rollback" => (words(&["plugin", "rollback", PLUGIN]), First),
            "uninstall" => (words(&["plugin", "uninstall", PLUGIN, "--purge"]), Nothing),
            other => panic!("nobody knows how to do this: {other}"),
        }
    }

    fn moment(&mut self, kind: &str) -> Moment {
        if self.chance.below(3) == 0 {
            return Moment::After(Duration::from_micros(self.chance.below(400_000)));
        }
        let steps: Vec<Step> = all_steps().into_iter().filter(|(of, _)| of == kind).collect();
        let (_, step) = steps[self.chance.below(steps.len() as u64) as usize].clone();
        let time = Duration::from_micros(self.chance.below(50_000));
        Moment::Step(step, if self.chance.below(2) == 0 { Later::Held(time) } else { Later::Free(time) })
    }

    /// Kills it at the moment, unless the command is at its end before. Answers at which step it was.
    fn kill(
        &mut self,
        moment: &Moment,
        command: &mut Process,
        pid: u32,
        kill: &mut dyn FnMut(&Process),
    ) -> Option<Step> {
        let begun = Instant::now();
        let all = all_steps();
        while command.exited().is_none() {
            assert!(begun.elapsed() < DEADLINE, "neither {moment:?} nor the end of the command");
            let killed = match moment {
                Moment::After(time) => {
                    let is_now = begun.elapsed() >= *time;
                    if is_now {
                        kill_process(pid, &mut || kill(command));
                    }
                    is_now
                }
                // Some steps are over before the lock is had.
                Moment::Step(wanted, Later::AtOnce) if self.on_sqlite => {
                    let is_now = self.tables.may_be_at(wanted);
                    if is_now {
                        kill_process(pid, &mut || kill(command));
                    }
                    is_now
                }
                Moment::Step(wanted, later) => {
                    let mut at_it = |time: Duration, is_now: bool| {
                        self.tables.may_be_at(wanted)
                            && self.tables.held(|found| {
                                assert!(
                                    found.iter().all(|found| all.contains(found)),
                                    "an unknown step: {found:?}"
                                );
                                let is_there = found.is_some_and(|(_, step)| step == *wanted);
                                if is_there && is_now {
                                    thread::sleep(time);
                                    kill_process(pid, &mut || kill(command));
                                }
                                is_there
                            })
                    };
                    match *later {
                        Later::AtOnce => at_it(Duration::ZERO, true),
                        Later::Held(time) => at_it(time, true),
                        Later::Free(time) => {
                            at_it(Duration::ZERO, false) && {
                                thread::sleep(time);
                                at_it(Duration::ZERO, true)
                            }
                        }
                    }
                }
            };
            if killed {
                break;
            }
            match moment {
                Moment::After(_) => thread::sleep(Duration::from_micros(200)),
                Moment::Step(..) => thread::yield_now(),
            }
        }
        let found = self.tables.held(|found| found);
        self.seen.extend(found.clone());
        found
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
        assert_eq!(self.tables.held(|found| found), None, "the journal is not at its end");
        self.nothing_is_left(&installation.data(), found);
        found
    }

    fn nothing_is_left(&mut self, data: &Path, state: State) {
        let named = self.tables.ask("SELECT content FROM plugin_generations");
        let named: BTreeSet<PathBuf> =
            named.into_iter().map(|content| Path::new(PLUGIN).join(content)).collect();
        let mut on_disk = BTreeSet::new();
        let store = data.join("plugins");
        for home in entries(&store) {
            let versions = entries(&home);
            assert!(!versions.is_empty(), "an empty folder is left: {}", home.display());
            on_disk
                .extend(versions.iter().map(|path| path.strip_prefix(&store).expect("below it").to_owned()));
        }
        assert_eq!(on_disk, named, "files and tables do not agree");
        let current = self.tables.ask("SELECT content FROM plugins");
        let current: Vec<_> = current.into_iter().map(|content| Path::new(PLUGIN).join(content)).collect();
        assert!(current.iter().all(|content| named.contains(content)), "{current:?} of {named:?}");
        assert_eq!(current.is_empty(), state == Nothing);

        let own = data.join("plugin-data").join(PLUGIN);
        assert!(!own.join("upgrade").exists(), "a way back is left");
        if state == Nothing {
            assert!(!own.exists(), "it was to be purged: {:?}", entries(&own));
            assert_eq!(self.tables.ask("SELECT name FROM consumers"), Vec::<String>::new());
        }
        assert_eq!(entries(&data.join("incoming")), Vec::<PathBuf>::new(), "packages that nobody waits for");
        for folder in [data, &data.join("verdicts")] {
            let half = entries(folder)
                .into_iter()
                .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
            assert_eq!(half, None, "a file that was being written");
        }
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

    /// One of the packages waits for somebody's consent.
    fn upload(&self, host: &Host) {
        let bytes = fs::read(&self.packages[0]).expect("the package");
        let kind = [("Content-Type", "application/octet-stream")];
        let _ = host.api().send("POST", "/api/v1/packages", &kind, Some(&bytes)).expect(201);
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path()).collect()
}

/// Kills at each step, then at random until `rounds` are done or the time is up, whichever is first. `both` says whether each
/// step is one of a stopped host and of a running one, or of either.
fn kill(database: Option<&PostgresDatabase>, both: bool, rounds: usize, time: Duration) {
    let vendor = Vendor::new();
    let mut installation = Installation::new()
        .set("plugins.health_gate_secs", 0)
        // So that there is something to prune.
        .set("plugins.keep_generations", 1)
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
    let steps = all_steps().into_iter().enumerate();
    let wanted = steps.flat_map(|(n, step)| {
        let running: &[bool] = if both { &[false, true] } else { &[n % 3 == 0] };
        running.iter().map(|running| (step.clone(), *running)).collect::<Vec<_>>()
    });
    let mut walk = Walk {
        packages,
        tables,
        on_sqlite: database.is_none(),
        chance: Chance(seed),
        wanted: wanted.collect(),
        seen: BTreeSet::new(),
    };
    let most_tries = walk.wanted.len() * TRIES;

    let (begun, mut state, mut round) = (Instant::now(), Nothing, 0);
    while !walk.wanted.is_empty() || (round < rounds && begun.elapsed() < time) {
        round += 1;
        assert!(round < most_tries.max(rounds + 1), "it was never at: {:?}", walk.wanted);
        let (kind, wanted) = walk.next(state);
        let (words, after) = walk.command(kind);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let is_running = wanted.as_ref().map_or(round % 4 == 0, |(_, running)| *running);
        let moment = match &wanted {
            Some(((_, step), _)) => Moment::Step(step.clone(), Later::AtOnce),
            None => walk.moment(kind),
        };
        eprintln!("round {round}: {state:?}, {words:?}, {moment:?}, running: {is_running}");
        let at = if is_running {
            let host = installation.start();
            if state != Nothing {
                host.wait_state(PLUGIN, "running");
            }
            walk.upload(&host);
            let mut command = host.spawn(&words);
            let at = walk.kill(&moment, &mut command, host.pid(), &mut |_| host.signal(Signal::KILL));
            installation = host.end(Signal::KILL, DEADLINE).installation;
            // It loses its host, or was done before.
            command.wait(DEADLINE);
            at
        } else {
            let mut command = installation.spawn(&words);
            let pid = command.id();
            let at = walk.kill(&moment, &mut command, pid, &mut |command| command.signal(Signal::KILL));
            command.wait(DEADLINE);
            at
        };
        eprintln!("  it was at {at:?}");
        if let Some((step, _)) = &wanted
            && at.as_ref() == Some(step)
        {
            walk.wanted.retain(|one| Some(one) != wanted.as_ref());
        }
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
    let all: BTreeSet<Step> = all_steps().into_iter().collect();
    assert_eq!(walk.seen, all, "it is to be killed at each step");
    if state != Nothing {
        let host = installation.start();
        host.wait_state(PLUGIN, "running");
        installation = host.stop().installation;
        walk.tables_are_of(&installation, state);
    }
}

#[test]
fn a_kill_leaves_the_old_or_the_new_on_sqlite() {
    kill(None, true, 200, Duration::from_secs(110));
}

#[test]
fn a_kill_leaves_the_old_or_the_new_on_postgres() {
    let Backend::Postgres(database) = Backend::postgres() else { panic!("a database") };
    kill(Some(&database), false, 20, Duration::from_secs(40));
}
