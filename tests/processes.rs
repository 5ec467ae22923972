//! The suites' own handling of processes: what they rely on when they say that a host ended, or logged something.
#![forbid(unsafe_code)]

use std::{process::Command, time::Duration};

use rustix::process::{Pid, Signal, test_kill_process};
use streamspace_tests::{DEADLINE, Process, wait_for};

fn shell(script: &str) -> Process {
    Process::spawn(Command::new("sh").args(["-c", script]))
}

#[test]
fn lines_are_collected_with_their_fields_and_the_exit_code() {
    let mut process =
        shell(r#"echo '{"level":"info","message":"Hello.","n":7}'; echo plain; echo no >&2; exit 3"#);
    assert_eq!(process.wait(DEADLINE).code(), Some(3));
    let lines = process.stdout.lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (lines[0].message(), lines[0].level(), lines[0].field("n").as_u64()),
        ("Hello.", "info", Some(7))
    );
    assert!(!lines[1].is_well_formed());
    assert_eq!(process.stderr.text(), "no");
}

#[test]
fn a_line_is_waited_for_while_the_process_runs() {
    let mut process = shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
    let ready = process.stdout.wait(DEADLINE, "it to be ready", |line| line.contains("ready"));
    assert_eq!(ready.raw, "ready");
    process.signal(Signal::TERM);
    assert_eq!(process.wait(DEADLINE).code(), Some(0));
    assert!(process.stdout.has(|line| line.contains("bye")));
}

#[test]
#[should_panic(expected = "no line in the log for a word")]
fn a_line_that_cannot_come_any_more_is_not_waited_for() {
    let process = shell("echo something else");
    // Hours, unless the end of the output is noticed.
    let _ = process.stdout.wait(Duration::from_secs(10_000), "a word", |line| line.contains("word"));
}

#[test]
fn a_process_does_not_outlive_its_test() {
    let process = shell("exec sleep 1000");
    let id = Pid::from_raw(i32::try_from(process.id()).expect("an id")).expect("not zero");
    test_kill_process(id).expect("it runs");
    drop(process);
    wait_for(DEADLINE, "it to be gone", || test_kill_process(id).is_err().then_some(()));
}
