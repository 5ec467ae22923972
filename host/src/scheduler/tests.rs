//! Jobs with a clock that the tests set, on a database of their own.

use std::{
    sync::{
        atomic::{AtomicU64, AtomicUsize},
        mpsc,
    },
    time::Duration,
};

use diesel::{connection::SimpleConnection, prelude::*};
use streamspace_plugin::{
    abi::Fault,
    scheduler::{JobSpec, MissedRuns},
};

use super::*;
use crate::{
    config::Config,
    store::{Connection, on, schema::plugins},
};

const PLUGIN: &str = "streamspace-digest";
const DEADLINE: Duration = Duration::from_secs(20);
const MINUTE: u64 = 60_000_000;

/// A database with the plugin in it, and a clock.
struct World {
    folder: tempfile::TempDir,
    network: tokio::runtime::Runtime,
    now: Arc<AtomicU64>,
}

/// A plugin whose jobs do what their names say.
struct Plugin {
    entered: mpsc::Sender<(u32, RunView, String)>,
    /// How many runs are to be let go.
    go: Arc<AtomicUsize>,
    ended: Mutex<Vec<Outcome>>,
}

impl Target for Plugin {
    fn run(&self, job: u32, run: RunView) -> Result<(), Fault> {
        let thread = thread::current().name().unwrap_or_default().to_owned();
        let _ = self.entered.send((job, run, thread));
        match job {
            0 => Ok(()),
            1 => Err(Fault::new(FaultKind::FAILED, "no")),
            2 => Err(Fault::new(FaultKind::PANICKED, "oh\0")),
            _ => {
                let until = Instant::now() + DEADLINE;
                while self.go.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_err()
                {
                    assert!(Instant::now() < until, "nobody lets it go");
                    thread::sleep(Duration::from_millis(1));
                }
                Ok(())
            }
        }
    }

    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }

    fn ended(&self, _: &Job, outcome: Outcome, _: &str) {
        self.ended.lock().expect("a lock").push(outcome);
    }
}

fn spec(name: &str, schedule: &str) -> JobSpec {
    JobSpec::named(name, schedule)
}

fn read(specs: &[JobSpec]) -> Vec<Options> {
    Options::read(specs, &[], ["scheduler"], DEADLINE).expect("good jobs")
}

struct Running {
    scheduler: Arc<Scheduler>,
    jobs: Vec<Arc<Job>>,
    entered: mpsc::Receiver<(u32, RunView, String)>,
    go: Arc<AtomicUsize>,
}

impl World {
    fn new() -> Self {
        let network = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("threads");
        let world = Self {
            folder: tempfile::tempdir().expect("a folder"),
            network,
            now: Arc::new(AtomicU64::new(1_767_225_600_000_000)),
        };
        let add = |connection: &mut Connection| {
            on!(connection, |c| diesel::insert_into(plugins::table)
                .values((
                    plugins::name.eq(PLUGIN),
                    plugins::version.eq("1.0.0"),
                    plugins::content.eq(""),
                    plugins::library.eq(""),
                    plugins::enabled.eq(true),
                    plugins::config.eq(Vec::new()),
                    plugins::installed_us.eq(0),
                ))
                .execute(c))
        };
        world.database().with("add a plugin", add).expect("added");
        world
    }

    fn database(&self) -> Arc<Database> {
        let config = Config::default().database;
        Arc::new(Database::open(self.folder.path(), &config, self.network.handle()).expect("a database"))
    }

    fn pass(&self, time_us: u64) {
        self.now.fetch_add(time_us, Ordering::SeqCst);
    }

    /// The host and the plugin with these jobs, as after a start.
    fn start(&self, wanted: &[Options]) -> Running {
        let now = Arc::clone(&self.now);
        let logger = Logger::root(slog::Discard, slog::o!());
        let clock = Box::new(move || now.load(Ordering::SeqCst));
        let scheduler = Scheduler::with_clock(self.database(), &logger, clock).expect("a thread");
        let jobs = scheduler.register(&PLUGIN.into(), wanted).expect("registered");
        let (sender, entered) = mpsc::channel();
        let go = Arc::new(AtomicUsize::new(0));
        let plugin = Plugin { entered: sender, go: Arc::clone(&go), ended: Mutex::default() };
        scheduler.resume(&jobs, &(Arc::new(plugin) as Arc<dyn Target>));
        Running { scheduler, jobs, entered, go }
    }
}

impl Running {
    fn entered(&self) -> (u32, RunView, String) {
        self.entered.recv_timeout(DEADLINE).expect("a job runs")
    }

    fn drain(&self) {
        assert!(self.scheduler.drain(&self.jobs, Instant::now() + DEADLINE).is_empty(), "all runs end");
    }

    /// Number, outcome and message of each run of a job that is kept, the newest first.
    fn history(&self, job: &str) -> Vec<(i64, String, String)> {
        self.scheduler.records().flush();
        let rows = self.scheduler.records().history(PLUGIN, job).expect("a history");
        rows.into_iter().map(|row| (row.number, row.outcome, row.message)).collect()
    }

    fn outcomes(&self, job: &str) -> Vec<String> {
        self.history(job).into_iter().map(|(_, outcome, _)| outcome).collect()
    }
}

#[test]
fn what_is_due_runs_on_a_thread_of_the_plugin_s_name_and_is_noted() {
    let world = World::new();
    let host = world.start(&read(&[
        spec("ok", "* * * * *"),
        spec("error", "* * * * *"),
        spec("panic", "* * * * *"),
    ]));
    host.scheduler.fire();
    assert!(host.entered.try_recv().is_err(), "nothing is due yet");
    let due = world.now.load(Ordering::SeqCst) + MINUTE;
    world.pass(MINUTE + 500_000);
    host.scheduler.fire();
    host.scheduler.fire();
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let (job, run, thread) = host.entered();
        assert_eq!((run.scheduled_us, run.started_us, run.cause), (due, due + 500_000, Cause::DUE));
        assert_eq!(thread, "ss:digest");
        jobs.push(job);
    }
    jobs.sort_unstable();
    assert_eq!(jobs, [0, 1, 2]);
    host.drain();
    assert!(host.entered.try_recv().is_err(), "each ran once");
    assert_eq!(host.history("ok"), [(1, "ok".to_owned(), String::new())]);
    assert_eq!(host.history("error"), [(1, "error".to_owned(), "no".to_owned())]);
    assert_eq!(host.history("panic"), [(1, "panicked".to_owned(), "oh\u{fffd}".to_owned())]);
    let rows = host.scheduler.records().list(PLUGIN).expect("jobs");
    assert!(rows.iter().all(|row| row.last_run_us == Some(signed(due + 500_000))), "{rows:?}");
}

#[test]
fn a_run_that_overlaps_is_skipped_and_runs_that_follow_it_are_one_entry() {
    let world = World::new();
    let mut specs = [
        spec("a", "* * * * *"),
        spec("b", "@yearly"),
        spec("c", "@yearly"),
        spec("slow", "* * * * *"),
        spec("both", "* * * * *"),
    ];
    specs[4].may_overlap = true;
    let host = world.start(&read(&specs));
    for _ in 0..3 {
        world.pass(MINUTE);
        host.scheduler.fire();
        assert!(host.jobs[0].wait(Instant::now() + DEADLINE));
    }
    let mut runs: Vec<u32> = (0..7).map(|_| host.entered().0).collect();
    runs.sort_unstable();
    assert_eq!(runs, [0, 0, 0, 3, 4, 4, 4], "the slow one holds up nobody");
    assert_eq!(host.scheduler.run_now(&host.jobs[3]), Err(NotRun::Busy));
    host.go.store(4, Ordering::SeqCst);
    host.drain();
    let slow = host.history("slow");
    assert_eq!(slow.iter().map(|(_, outcome, _)| outcome.as_str()).collect::<Vec<_>>(), ["skipped", "ok"]);
    assert!(slow[0].2.contains("2 times"), "{slow:?}");
    assert_eq!(host.outcomes("both"), ["ok", "ok", "ok"]);
}

#[test]
fn runs_that_were_missed_are_noted_or_made_up_for_once() {
    let world = World::new();
    let mut specs =
        [spec("made-up-for", "* * * * *"), spec("noted", "* * * * *"), spec("distant", "@every 1h")];
    specs[0].missed = MissedRuns::RUN_ONCE;
    let host = world.start(&read(&specs));
    host.drain();
    host.scheduler.stop();
    let first = world.now.load(Ordering::SeqCst) + MINUTE;
    world.pass(5 * MINUTE);
    let host = world.start(&read(&specs));
    let (job, run, _) = host.entered();
    assert_eq!((job, run.scheduled_us, run.cause), (0, first, Cause::MISSED));
    host.scheduler.fire();
    host.drain();
    assert!(host.entered.try_recv().is_err(), "once, and nothing else is due");
    assert_eq!(host.outcomes("made-up-for"), ["ok"]);
    assert_eq!(host.outcomes("noted"), ["missed"]);
    assert!(host.history("distant").is_empty());
    // Nothing is missed a second time.
    let host = world.start(&read(&specs));
    host.drain();
    assert_eq!(host.outcomes("noted"), ["missed"]);
    assert_eq!(host.jobs[2].state().next_us, Some(first - MINUTE + 60 * MINUTE), "it goes on where it was");
}

#[test]
fn a_paused_job_runs_by_hand_alone_also_after_a_restart() {
    let world = World::new();
    let specs = read(&[spec("job", "* * * * *")]);
    let host = world.start(&specs);
    host.scheduler.pause(&host.jobs[0], true).expect("paused");
    world.pass(MINUTE);
    host.scheduler.fire();
    assert!(host.entered.try_recv().is_err());
    let host = world.start(&specs);
    world.pass(MINUTE);
    host.scheduler.fire();
    assert!(host.entered.try_recv().is_err());
    assert_eq!(host.scheduler.run_now(&host.jobs[0]), Ok(()));
    assert_eq!(host.entered().1.cause, Cause::BY_HAND);
    host.scheduler.pause(&host.jobs[0], false).expect("resumed");
    host.scheduler.fire();
    assert!(host.entered.try_recv().is_err(), "what was due meanwhile is not made up for");
    world.pass(MINUTE);
    host.scheduler.fire();
    assert_eq!(host.entered().1.cause, Cause::DUE);
    host.drain();
    assert_eq!(host.outcomes("job"), ["ok", "ok"]);
}

#[test]
fn a_run_past_its_deadline_is_reported_once_and_its_end_is_noted_in_its_place() {
    let world = World::new();
    let mut specs =
        [spec("a", "@yearly"), spec("b", "@yearly"), spec("c", "@yearly"), spec("slow", "@yearly")];
    specs[3].deadline_ms = 1;
    let host = world.start(&read(&specs));
    let slow = &host.jobs[3];
    host.scheduler.run_now(slow).expect("it runs");
    host.entered();
    let until = Instant::now() + DEADLINE;
    while host.scheduler.hanging(slow).is_empty() {
        assert!(Instant::now() < until, "it hangs");
    }
    assert!(host.scheduler.hanging(slow).is_empty(), "it was reported");
    assert_eq!(host.outcomes("slow"), ["hanging"]);
    assert_eq!(host.scheduler.drain(&host.jobs, Instant::now()).len(), 1);
    assert_eq!(host.scheduler.run_now(slow), Err(NotRun::Stopped));
    host.go.store(1, Ordering::SeqCst);
    host.drain();
    assert_eq!(host.outcomes("slow"), ["ok"]);
}

#[test]
fn the_newest_runs_are_kept_and_those_of_jobs_that_are_gone_are_not() {
    let world = World::new();
    let host = world.start(&read(&[spec("job", "@yearly"), spec("gone", "@yearly")]));
    for _ in 0..KEPT_RUNS + 20 {
        host.scheduler.run_now(&host.jobs[0]).expect("it runs");
        assert!(host.jobs[0].wait(Instant::now() + DEADLINE));
    }
    host.scheduler.run_now(&host.jobs[1]).expect("it runs");
    host.drain();
    let history = host.history("job");
    assert_eq!((history.len(), history[0].0), (100, 120));
    assert_eq!(host.history("gone").len(), 1);
    let host = world.start(&read(&[spec("job", "@daily")]));
    assert_eq!(host.history("job").len(), 100);
    assert!(host.history("gone").is_empty());
    // As when the plugin is uninstalled.
    let remove = |connection: &mut Connection| on!(connection, |c| c.batch_execute("DELETE FROM plugins"));
    world.database().with("remove the plugin", remove).expect("removed");
    host.scheduler.run_now(&host.jobs[0]).expect("it runs");
    host.drain();
    assert!(host.history("job").is_empty());
}

#[test]
fn a_new_expression_holds_at_once_and_a_wrong_one_changes_nothing() {
    let world = World::new();
    let host = world.start(&read(&[spec("job", "@yearly")]));
    let job = &host.jobs[0];
    let before = job.next_us();
    let refused = host.scheduler.reschedule(job, "soon", "").expect_err("no expression");
    assert_eq!((refused.code(), job.next_us()), ("SSP-JOB-001", before));
    host.scheduler.reschedule(job, "*/2 * * * *", "Europe/Berlin").expect("changed");
    assert_eq!(job.schedule(), ("*/2 * * * *".to_owned(), "Europe/Berlin".to_owned()));
    world.pass(2 * MINUTE);
    host.scheduler.fire();
    host.entered();
    host.scheduler.reschedule(job, "", "").expect("changed");
    assert_eq!(job.next_us(), None);
    host.drain();
}

#[test]
fn a_distance_is_kept_whatever_the_delay_and_a_clock_that_is_put_back_repeats_nothing() {
    let world = World::new();
    let host = world.start(&read(&[spec("job", "@every 90s")]));
    let begun = world.now.load(Ordering::SeqCst);
    world.pass(90_400_000);
    host.scheduler.fire();
    host.entered();
    assert_eq!(host.jobs[0].next_us(), Some(begun + 180_000_000));
    world.now.fetch_sub(60_000_000, Ordering::SeqCst);
    host.scheduler.fire();
    host.drain();
    assert!(host.entered.try_recv().is_err());
}

#[test]
fn jobs_that_cannot_be_registered_are_named() {
    let manifest = [("listed".to_owned(), "@daily".to_owned())];
    let code = |specs: &[JobSpec]| {
        let read = Options::read(specs, &manifest, ["scheduler"], DEADLINE);
        read.map(|_| ()).map_err(|why| why.code())
    };
    assert_eq!(code(&[spec("a", "@daily"), spec("listed", "")]), Ok(()));
    assert_eq!(code(&[spec("a", "@daily"), spec("b", "* *")]), Err("SSP-JOB-001"));
    assert_eq!(code(&[JobSpec { time_zone: "Mars".into(), ..spec("a", "@daily") }]), Err("SSP-JOB-002"));
    assert_eq!(code(&[spec("a", &"*".repeat(1000))]), Err("SSP-JOB-001"));
    for name in ["", "a b", "ä", &"a".repeat(65)] {
        assert_eq!(code(&[spec(name, "@daily")]), Err("SSP-JOB-003"), "{name}");
    }
    assert_eq!(code(&[spec("a", "@daily"), spec("a", "@daily")]), Err("SSP-JOB-003"));
    assert_eq!(code(&[spec("not-listed", "")]), Err("SSP-JOB-004"));
    assert_eq!(code(&vec![spec("a", "@daily"); 257]), Err("SSP-JOB-003"));
}

#[test]
fn without_the_permission_only_jobs_of_the_manifest_are_registered() {
    let manifest = [("listed".to_owned(), "@daily".to_owned())];
    let read = |name| Options::read(&[spec(name, "@hourly")], &manifest, ["network", "events"], DEADLINE);
    assert!(read("listed").is_ok());
    let why = read("other").expect_err("not permitted");
    assert_eq!(why.code(), "SSP-JOB-007");
    assert!(why.to_string().contains("`other`") && why.to_string().contains("`scheduler`"), "{why}");
}

#[test]
fn runs_that_may_overlap_are_bounded() {
    let world = World::new();
    // The fourth is the one that waits.
    let mut specs = ["a", "b", "c"].map(|name| spec(name, "@yearly")).to_vec();
    specs.push(JobSpec { may_overlap: true, ..spec("slow", "* * * * *") });
    let host = world.start(&read(&specs));
    let most = MAX_OVERLAPPING;
    for _ in 0..most + 2 {
        world.pass(MINUTE);
        host.scheduler.fire();
    }
    for _ in 0..most {
        host.entered();
    }
    assert_eq!(host.scheduler.run_now(&host.jobs[3]), Err(NotRun::Busy));
    host.go.store(most, Ordering::SeqCst);
    host.drain();
    let slow = host.history("slow");
    let skipped: Vec<_> = slow.iter().filter(|(_, outcome, _)| outcome == "skipped").collect();
    assert_eq!((slow.len(), skipped.len()), (most + 1, 1), "{slow:?}");
    assert!(skipped[0].2.contains("16 runs had not ended") && skipped[0].2.contains("2 times"), "{slow:?}");
}
