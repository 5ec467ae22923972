//! Plugins' jobs run by the clock, whatever becomes of others, and what became of them is kept in either database.
#![forbid(unsafe_code)]

use std::{fs, path::PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Host, Installation, on_both_backends};

const PLUGIN: &str = "fixture-jobs";
const EVERY_SECOND: &str = "* * * * * *";

on_both_backends!(
    a_job_of_every_second_runs_and_one_that_panics_or_fails_stops_no_other,
    a_run_that_overlaps_is_skipped_unless_it_may,
    a_job_runs_now_and_is_paused_and_resumed,
    history_and_pauses_survive_a_restart_and_a_kill,
    what_was_missed_is_noted_or_made_up_for,
    the_command_line_works_on_a_stopped_host,
    uninstalling_forgets_the_history,
);

fn job(name: &str, schedule: &str, does: &str) -> Value {
    json!({"name": name, "schedule": schedule, "does": does})
}

fn with(mut job: Value, key: &str, value: impl Into<Value>) -> Value {
    job[key] = value.into();
    job
}

fn installed(backend: &Backend, jobs: &[Value]) -> Installation {
    let installation = Installation::on(backend).set("plugins.panic_limit", 1000);
    let gate = installation.scratch().join("gate");
    installation.plugin(PLUGIN, &json!({"jobs": jobs, "gate": gate.to_str()}))
}

fn start(installation: Installation) -> Host {
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    host
}

fn gate(host: &Host) -> PathBuf {
    host.scratch().join("gate")
}

fn path(rest: &str) -> String {
    format!("/api/v1/plugins/{PLUGIN}/jobs{rest}")
}

fn shown(host: &Host, job: &str) -> Value {
    host.api().get(&path(&format!("/{job}"))).expect(200).json()
}

fn do_it(host: &Host, job: &str, what: &str) -> Value {
    host.api().post(&path(&format!("/{job}/{what}"))).expect(200).json()
}

/// The runs of a job with this outcome, the newest first.
fn runs(host: &Host, job: &str, outcome: &str) -> Vec<Value> {
    let history = shown(host, job)["history"].as_array().cloned().unwrap_or_default();
    history.into_iter().filter(|run| run["outcome"] == outcome).collect()
}

#[track_caller]
fn wait_runs(host: &Host, job: &str, outcome: &str, least: usize) -> Vec<Value> {
    host.wait_for(DEADLINE, &format!("{least} runs of {job} that are {outcome}"), || {
        Some(runs(host, job, outcome)).filter(|runs| runs.len() >= least)
    })
}

fn a_job_of_every_second_runs_and_one_that_panics_or_fails_stops_no_other(backend: &Backend) {
    let jobs = [
        job("fine", EVERY_SECOND, "nothing"),
        job("panics", EVERY_SECOND, "panic"),
        job("fails", "@every 1s", "fail"),
        json!({"name": "of-manifest", "does": "nothing"}),
    ];
    let host = start(installed(backend, &jobs));
    for (job, outcome, said) in [
        ("panics", "panicked", "told to panic"),
        ("fails", "error", "told to fail"),
        ("fine", "ok", ""),
        ("of-manifest", "ok", ""),
    ] {
        for run in wait_runs(&host, job, outcome, 3) {
            assert!(run["message"].as_str().is_some_and(|message| message.contains(said)), "{run}");
            assert!(run["started_at"].is_string() && run["duration_secs"].is_f64(), "{run}");
            assert_eq!(run["cause"], "due", "{run}");
        }
        let shown = shown(&host, job);
        assert!(shown["next_run_at"].is_string() && shown["last_run_at"].is_string(), "{shown}");
        assert_eq!(shown["last_outcome"], outcome, "{shown}");
    }
    let line = host.logged("a run", |line| line.is_of(PLUGIN) && line.message() == "A job runs.");
    assert_eq!(line.text("thread"), "ss:fixture-jobs", "{}", line.raw);
    host.logged("the panic", |line| line.message() == "A job panicked." && line.contains("lib.rs:"));
    host.logged("a flaw", |line| line.contains("not-registered") && line.level() == "warning");
    assert_eq!(host.plugin(PLUGIN)["jobs"].as_array().map(Vec::len), Some(4));
    host.stop();
}

fn a_run_that_overlaps_is_skipped_unless_it_may(backend: &Backend) {
    let jobs = [
        with(job("slow", EVERY_SECOND, "wait"), "deadlineMs", 100),
        with(job("both", EVERY_SECOND, "wait"), "overlaps", true),
        job("fine", EVERY_SECOND, "nothing"),
    ];
    let host = start(installed(backend, &jobs));
    let skipped = host.wait_for(DEADLINE, "a run to be skipped twice", || {
        runs(&host, "slow", "skipped")
            .into_iter()
            .find(|run| run["message"].as_str().is_some_and(|m| m.contains("times")))
    });
    assert!(skipped["started_at"].is_null(), "{skipped}");
    wait_runs(&host, "slow", "hanging", 1);
    let line = host.logged("the report", |line| line.message() == "A job hangs.");
    assert!(line.is_of(PLUGIN) && line.text("job") == "slow", "{}", line.raw);
    let busy = host.api().post(&path("/slow/run")).problem(&[409]);
    assert_eq!(busy["code"], "SSP-JOB-006");
    wait_runs(&host, "fine", "ok", 2);
    let began =
        |line: &streamspace_tests::LogLine| line.message() == "A job runs." && line.text("job") == "both";
    host.wait_for(DEADLINE, "two runs at once", || (host.log().count(began) >= 2).then_some(()));
    assert!(shown(&host, "both")["running_secs"].is_f64());
    fs::write(gate(&host), "").expect("written");
    wait_runs(&host, "both", "ok", 2);
    wait_runs(&host, "slow", "ok", 1);
    assert!(runs(&host, "both", "skipped").is_empty());
    host.stop();
}

fn a_job_runs_now_and_is_paused_and_resumed(backend: &Backend) {
    let host = start(installed(
        backend,
        &[job("yearly", "@yearly", "nothing"), job("often", EVERY_SECOND, "nothing")],
    ));
    do_it(&host, "yearly", "run");
    assert_eq!(wait_runs(&host, "yearly", "ok", 1)[0]["cause"], "by_hand");
    host.logged("a run by hand", |line| line.text("job") == "yearly" && line.field("by_hand") == true);

    wait_runs(&host, "often", "ok", 1);
    let paused = do_it(&host, "often", "pause");
    assert_eq!((&paused["paused"], &paused["next_run_at"]), (&json!(true), &Value::Null));
    host.cli(&["plugin", "job", "run", PLUGIN, "often"]).expect(0);
    let by_hand = |runs: &[Value]| runs.iter().any(|run| run["cause"] == "by_hand");
    host.wait_for(DEADLINE, "a run by hand", || by_hand(&runs(&host, "often", "ok")).then_some(()));
    let newest = |host: &Host| shown(host, "often")["history"][0]["number"].clone();
    let before = newest(&host);
    do_it(&host, "yearly", "run");
    wait_runs(&host, "yearly", "ok", 2);
    assert_eq!(newest(&host), before);
    let resumed = do_it(&host, "often", "resume");
    assert!(resumed["next_run_at"].is_string(), "{resumed}");
    host.wait_for(DEADLINE, "it to run again", || (newest(&host) != before).then_some(()));

    for (method, rest) in
        [("GET", "/none"), ("POST", "/none/run"), ("POST", "/none/pause"), ("POST", "/none/resume")]
    {
        let answer = host.api().send(method, &path(rest), &[], None).problem(&[404]);
        assert_eq!(answer["code"], "SSP-JOB-005", "{rest}");
    }
    let _ = host.api().with_token(None).get(&path("")).problem(&[401]);
    host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    let stopped = host.api().post(&path("/yearly/run")).problem(&[409]);
    assert_eq!(stopped["code"], "SSP-JOB-006");
    assert!(shown(&host, "often")["next_run_at"].is_null());
    host.stop();
}

fn history_and_pauses_survive_a_restart_and_a_kill(backend: &Backend) {
    let host =
        start(installed(backend, &[job("yearly", "@yearly", "nothing"), job("other", "@yearly", "fail")]));
    do_it(&host, "yearly", "run");
    do_it(&host, "other", "run");
    let before = wait_runs(&host, "yearly", "ok", 1);
    wait_runs(&host, "other", "error", 1);
    do_it(&host, "other", "pause");
    let host = start(host.stop().installation);
    assert_eq!(runs(&host, "yearly", "ok"), before);
    assert_eq!(shown(&host, "other")["paused"], true);
    let host = start(host.end(Signal::KILL, DEADLINE).installation);
    do_it(&host, "yearly", "run");
    let after = wait_runs(&host, "yearly", "ok", 2);
    assert_eq!((&after[1], &after[0]["number"]), (&before[0], &json!(2)));
    assert_eq!(shown(&host, "other")["paused"], true);
}

fn what_was_missed_is_noted_or_made_up_for(backend: &Backend) {
    let jobs = [
        job("noted", EVERY_SECOND, "nothing"),
        with(job("made-up-for", EVERY_SECOND, "nothing"), "runsMissed", true),
    ];
    let host = start(installed(backend, &jobs));
    wait_runs(&host, "noted", "ok", 1);
    wait_runs(&host, "made-up-for", "ok", 1);
    let stopped = host.stop();
    let at_rest = std::time::Instant::now();
    streamspace_tests::wait_for(DEADLINE, "a second to be missed", || {
        (at_rest.elapsed().as_secs() >= 2).then_some(())
    });
    let host = start(stopped.installation);
    assert_eq!(wait_runs(&host, "noted", "missed", 1).len(), 1);
    host.logged("a run that is late", |line| line.text("job") == "made-up-for" && line.field("late") == true);
    let made_up = host.wait_for(DEADLINE, "it to be noted", || {
        runs(&host, "made-up-for", "ok").into_iter().find(|run| run["cause"] == "missed")
    });
    assert!(made_up["started_at"].is_string(), "{made_up}");
    host.stop();
}

fn the_command_line_works_on_a_stopped_host(backend: &Backend) {
    let zoned = with(job("zoned", "0 9 * * MON", "nothing"), "timeZone", "Europe/Berlin");
    let host = start(installed(backend, &[zoned, job("yearly", "@yearly", "nothing")]));
    host.cli(&["plugin", "job", "run", PLUGIN, "yearly"]).expect(0);
    wait_runs(&host, "yearly", "ok", 1);
    let words = host.cli(&["plugin", "jobs", PLUGIN]).expect(0).stdout;
    assert!(words.contains("zoned  0 9 * * MON (Europe/Berlin)  next 2"), "{words}");
    let words = host.cli(&["plugin", "show", PLUGIN]).expect(0).stdout;
    assert!(words.contains("job         yearly  @yearly"), "{words}");

    let stopped = host.stop().installation;
    stopped.cli(&["plugin", "job", "pause", PLUGIN, "yearly"]).expect(0);
    let jobs = stopped.cli(&["plugin", "jobs", PLUGIN, "--json"]).expect(0).json();
    assert_eq!(
        (&jobs["jobs"][0]["name"], &jobs["jobs"][0]["paused"]),
        (&json!("yearly"), &json!(true)),
        "{jobs}"
    );
    let words = stopped.cli(&["plugin", "job", "show", PLUGIN, "yearly"]).expect(0).stdout;
    assert!(words.contains("  by_hand  ok after "), "{words}");
    let refused = stopped.cli(&["plugin", "job", "run", PLUGIN, "yearly"]).expect(1);
    assert!(refused.stderr.contains("SSP-JOB-006"), "{refused:?}");
    let refused = stopped.cli(&["plugin", "job", "resume", PLUGIN, "none"]).expect(1);
    assert!(refused.stderr.contains("SSP-JOB-005"), "{refused:?}");
    let host = start(stopped);
    assert_eq!(shown(&host, "yearly")["paused"], true);
    host.cli(&["plugin", "job", "resume", PLUGIN, "yearly"]).expect(0);
    assert_eq!(shown(&host, "yearly")["paused"], false);
}

fn uninstalling_forgets_the_history(backend: &Backend) {
    let host = start(installed(backend, &[job("yearly", "@yearly", "nothing")]));
    do_it(&host, "yearly", "run");
    wait_runs(&host, "yearly", "ok", 1);
    host.cli(&["plugin", "uninstall", PLUGIN]).expect(0);
    let _ = host.api().get(&path("")).problem(&[404]);
    host.install(host.builds().plugin(PLUGIN)).expect(0);
    host.configure(PLUGIN, &json!({"jobs": [job("yearly", "@yearly", "nothing")]})).expect(0);
    assert!(shown(&host, "yearly")["history"].as_array().is_some_and(Vec::is_empty));
    host.stop();
}

#[test]
fn a_wrong_job_fails_the_load_with_a_code_and_leaves_nothing() {
    let host = start(installed(&Backend::Sqlite, &[job("good", EVERY_SECOND, "nothing")]));
    wait_runs(&host, "good", "ok", 1);
    let good = job("good", EVERY_SECOND, "nothing");
    for (wrong, code) in [
        (job("bad", "61 * * * *", "nothing"), "SSP-JOB-001"),
        (job("bad", "@every soon", "nothing"), "SSP-JOB-001"),
        (with(job("bad", "@daily", "nothing"), "timeZone", "Europe/Atlantis"), "SSP-JOB-002"),
        (good.clone(), "SSP-JOB-003"),
        (json!({"name": "not-in-the-manifest", "does": "nothing"}), "SSP-JOB-004"),
    ] {
        let _ = host.configure(PLUGIN, &json!({"jobs": [good, wrong]}));
        let failed = host.wait_state(PLUGIN, "failed");
        assert!(
            failed["reason"].as_str().is_some_and(|reason| reason.ends_with(&format!("({code})"))),
            "{failed}"
        );
    }
    assert!(shown(&host, "good")["next_run_at"].is_null());
    assert!(!runs(&host, "good", "ok").is_empty(), "what is known of the other job stays");
    host.configure(PLUGIN, &json!({"jobs": [good]})).expect(0);
    let before = runs(&host, "good", "ok").len();
    wait_runs(&host, "good", "ok", before + 1);

    host.configure(PLUGIN, &json!({"refuses": true})).expect(1);
    host.wait_state(PLUGIN, "failed");
    assert!(shown(&host, "good")["next_run_at"].is_null());
    host.stop();
}

#[test]
fn a_plugin_whose_jobs_keep_panicking_is_quarantined() {
    let host = installed(&Backend::Sqlite, &[job("panics", EVERY_SECOND, "panic")])
        .set("plugins.panic_limit", 2)
        .start();
    let plugin = host.wait_state(PLUGIN, "quarantined");
    assert!(plugin["reason"].as_str().is_some_and(|reason| reason.contains("told to panic")), "{plugin}");
    host.stop();
}

#[test]
fn disabling_waits_for_a_run_and_says_which_one_hangs() {
    let installation =
        installed(&Backend::Sqlite, &[job("slow", "@yearly", "wait")]).set("plugins.drain_deadline_secs", 1);
    let host = start(installation);
    do_it(&host, "slow", "run");
    host.logged("the run", |line| line.message() == "A job runs.");
    let refused = host.cli(&["plugin", "disable", PLUGIN]).expect(1);
    assert!(refused.stderr.contains("`slow`") && refused.stderr.contains("SSP-PLG-009"), "{refused:?}");
    // What hangs is left behind; a new instance begins.
    fs::write(gate(&host), "").expect("written");
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    do_it(&host, "slow", "run");
    wait_runs(&host, "slow", "ok", 2);
    host.stop();
}

#[test]
fn a_plugin_changes_when_its_job_runs() {
    let host = start(installed(&Backend::Sqlite, &[job("own", EVERY_SECOND, "reschedule")]));
    let changed = host.wait_for(DEADLINE, "the new expression", || {
        Some(shown(&host, "own")).filter(|job| job["schedule"] == "@yearly")
    });
    assert_eq!(changed["time_zone"], "Europe/Berlin", "{changed}");
    let refused = host.logged("the refusal", |line| line.message() == "Refused.");
    assert!(refused.text("reason").contains("SSP-JOB-001"), "{}", refused.raw);
    host.stop();
}
