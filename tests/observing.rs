//! Looking at a host and its plugins: logs, consumers, the event log, health, grants, status.
#![forbid(unsafe_code)]

use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Host, Installation, LogLine, on_both_backends};

const COUNTER: &str = "fixture-counter";
const LOGGER: &str = "fixture-logger";
const JOBS: &str = "fixture-jobs";
const OUTBOUND: &str = "fixture-outbound";
const SECRET: &str = "s3cr3tOfTheLogger";

on_both_backends!(the_event_log_is_looked_at_by_topic_and_page_by_page, a_consumer_says_how_far_it_is_behind,);

fn get(host: &Host, path: &str) -> Value {
    host.api().get(path).expect(200).json()
}

fn texts<'a>(page: &'a Value, list: &str, member: &str) -> Vec<&'a str> {
    let all = page[list].as_array().unwrap_or_else(|| panic!("no list: {page}"));
    all.iter().filter_map(|one| one[member].as_str()).collect()
}

fn logging() -> Host {
    let host =
        Installation::new().set("log.level", "trace").plugin(LOGGER, &json!({"secret": SECRET})).start();
    host.wait_state(LOGGER, "running");
    log_once(&host);
    host
}

fn log_once(host: &Host) {
    let done = |line: &LogLine| line.is_of(LOGGER) && line.message() == "Logged.";
    let before = host.log().count(done);
    host.post_event("test.log", &json!({}));
    host.wait_for(DEADLINE, "the plugin to be done", || (host.log().count(done) > before).then_some(()));
    // Written first, and kept then.
    host.wait_for(DEADLINE, "the line to be kept", || {
        let page = get(host, &format!("/api/v1/plugins/{LOGGER}/logs?limit=1000"));
        let kept = texts(&page, "lines", "message").iter().filter(|message| **message == "Logged.").count();
        (kept > before).then_some(())
    });
}

#[test]
fn a_plugins_lines_are_kept_with_their_levels_and_without_its_secrets() {
    let host = logging();
    let path = format!("/api/v1/plugins/{LOGGER}/logs");
    let page = get(&host, &format!("{path}?limit=1000"));
    let by_slog: Vec<&Value> =
        page["lines"].as_array().into_iter().flatten().filter(|line| line["message"] == "By slog.").collect();
    assert_eq!(by_slog.len(), 6, "{page}");
    assert_eq!(
        (&by_slog[0]["level"], &by_slog[0]["fields"]["number"]),
        (&json!("trace"), &json!(7)),
        "{page}"
    );
    assert_eq!(by_slog[0]["plugin"], LOGGER);
    assert!(
        texts(&page, "lines", "message").contains(&"A plugin's state changed."),
        "the host's about it: {page}"
    );
    let text = page.to_string();
    assert!(text.contains("The secret is ") && !text.contains(SECRET), "the secret was kept");

    let errors = get(&host, &format!("{path}?level=error&limit=1000"));
    let levels = texts(&errors, "lines", "level");
    assert!(
        !levels.is_empty() && levels.iter().all(|level| ["error", "critical"].contains(level)),
        "{errors}"
    );

    // Page by page it is the same as at once.
    let (mut after, mut numbers) = (0, Vec::new());
    loop {
        let piece = get(&host, &format!("{path}?after={after}&limit=3"));
        let lines = piece["lines"].as_array().cloned().unwrap_or_default();
        assert!(lines.len() <= 3);
        numbers.extend(lines.iter().filter_map(|line| line["number"].as_u64()));
        after = piece["next"].as_u64().unwrap_or_default();
        if piece["more"] == false {
            break;
        }
    }
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    assert!(numbers.len() >= page["lines"].as_array().map_or(0, Vec::len));
    let newest = get(&host, &format!("{path}?limit=2"));
    assert_eq!(newest["lines"].as_array().map(Vec::len), Some(2));

    let of_host = get(&host, "/api/v1/logs?limit=1000");
    let messages = texts(&of_host, "lines", "message");
    assert!(messages.contains(&"Listening.") && !messages.contains(&"By slog."), "{messages:?}");

    assert_eq!(host.api().get(&format!("{path}?level=loud")).problem(&[400])["code"], "SSP-API-003");
    assert_eq!(host.api().get("/api/v1/plugins/nobody/logs").problem(&[404])["code"], "SSP-PLG-001");
    host.api().with_token(None).get(&path).problem(&[401]);
    host.api().with_token(None).get("/api/v1/logs").problem(&[401]);
    host.stop();
}

#[test]
fn the_command_line_shows_and_follows_a_log() {
    let host = logging();
    let shown = host.cli(&["plugin", "logs", LOGGER, "--level", "warning", "--lines", "3"]).expect(0).stdout;
    assert_eq!(
        shown.lines().filter(|line| line.contains("By ")).count(),
        shown.lines().count().min(3),
        "{shown}"
    );
    let json = host.cli(&["--json", "plugin", "logs", LOGGER, "--lines", "5"]).expect(0).json();
    assert_eq!(json["lines"].as_array().map(Vec::len), Some(5));
    assert!(host.cli(&["logs"]).expect(0).stdout.contains("Listening."));

    let following = host.spawn(&["--json", "plugin", "logs", LOGGER, "--lines", "1", "--follow"]);
    let _ = following.stdout.wait(DEADLINE, "what there is", |line| !line.raw.is_empty());
    log_once(&host);
    let _ = following.stdout.wait(DEADLINE, "what is new", |line| line.message() == "By slog.");
    drop(following);

    let stopped = host.stop();
    let refused = stopped.installation.cli(&["plugin", "logs", LOGGER]).expect(1);
    assert!(refused.stderr.contains("no host is running"), "{refused:?}");
}

#[test]
fn what_is_kept_of_a_log_is_bounded() {
    let host = Installation::new()
        .set("log.level", "trace")
        .set("log.keep_bytes", 2000)
        .plugin(LOGGER, &json!({"secret": SECRET}))
        .start();
    host.wait_state(LOGGER, "running");
    host.post_event("test.log", &json!({}));
    host.logged("the plugin to be done", |line| line.is_of(LOGGER) && line.message() == "Logged.");
    let page = host.wait_for(DEADLINE, "the line to be kept", || {
        let page = get(&host, &format!("/api/v1/plugins/{LOGGER}/logs?after=0&limit=1000"));
        texts(&page, "lines", "message").contains(&"Logged.").then_some(page)
    });
    assert_eq!(page["lost"], true, "{page}");
    let count = page["lines"].as_array().map_or(0, Vec::len);
    assert!((1..20).contains(&count), "{page}");
    host.stop();
}

fn the_event_log_is_looked_at_by_topic_and_page_by_page(backend: &Backend) {
    let host = Installation::on(backend).set("events.durable", vec!["a.*", "b.c"]).start();
    for n in 0..10 {
        host.post_event(if n % 2 == 0 { "a.b" } else { "b.c" }, &json!({"n": n}));
    }
    host.post_event("not.kept", &json!({}));
    host.post_event("b.c", &json!({"text": "x".repeat(70_000)}));
    let numbers = |page: &Value| -> Vec<u64> {
        let events = page["events"].as_array().cloned().unwrap_or_default();
        events.iter().filter_map(|event| event["data"]["n"].as_u64()).collect()
    };
    let newest = get(&host, "/api/v1/events?limit=3");
    assert_eq!(numbers(&newest), [8, 9]);
    let large = &newest["events"][2];
    assert_eq!((&large["data"], &large["data_left_out"]), (&Value::Null, &json!(true)), "{large}");
    assert!(large["data_bytes"].as_u64() > Some(70_000), "{large}");

    let even = get(&host, "/api/v1/events?topic=a.*");
    assert_eq!((numbers(&even), &even["more"]), (vec![0, 2, 4, 6, 8], &json!(false)));
    let (mut before, mut found) = (u64::from(u32::MAX), Vec::new());
    loop {
        let page = get(&host, &format!("/api/v1/events?topic=a.*&before={before}&limit=2"));
        found.splice(0..0, numbers(&page));
        before = page["previous"].as_u64().unwrap_or_default();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(found, [0, 2, 4, 6, 8]);
    let (mut after, mut found) = (0, Vec::new());
    loop {
        let page = get(&host, &format!("/api/v1/events?topic=b.c&after={after}&limit=2"));
        found.extend(numbers(&page));
        after = page["next"].as_u64().unwrap_or_default();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(found, [1, 3, 5, 7, 9]);
    assert_eq!(get(&host, "/api/v1/events?topic=nobody.*")["events"], json!([]));
    for query in ["topic=a..b", "after=1&before=2", "nonsense=1"] {
        host.api().get(&format!("/api/v1/events?{query}")).problem(&[400]);
    }
    host.api().with_token(None).get("/api/v1/events").problem(&[401]);

    let words = host.cli(&["events", "a.*", "--limit", "1"]).expect(0).stdout;
    assert!(words.contains("a.b") && words.contains(r#"{"n":8}"#), "{words}");
    let json = host.cli(&["--json", "events", "b.c", "--after", "0", "--limit", "2"]).expect(0).json();
    assert_eq!(numbers(&json), [1, 3]);
    host.stop();
}

fn a_consumer_says_how_far_it_is_behind(backend: &Backend) {
    let config = json!({"consumers": [
        {"name": "blocked", "topics": ["test.count"], "durable": true, "fail_at": 0, "mode": "retry", "max_deliver": 100_000},
        {"name": "quick", "topics": ["test.count"]},
    ]});
    let host = Installation::on(backend).plugin(COUNTER, &config).plugin(LOGGER, &json!({})).start();
    host.wait_state(COUNTER, "running");
    host.wait_state(LOGGER, "running");
    for n in 0..20 {
        host.post_event("test.count", &json!({"n": n}));
    }
    let path = format!("/api/v1/plugins/{COUNTER}/consumers");
    let named = |page: &Value, name: &str| {
        let all = page["consumers"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|consumer| consumer["name"] == name).unwrap_or_default()
    };
    let blocked = host.wait_for(DEADLINE, "the consumer to be behind", || {
        Some(named(&get(&host, &path), "blocked"))
            .filter(|blocked| blocked["lag"].as_u64() >= Some(19) && blocked["retried"].as_u64() >= Some(1))
    });
    assert_eq!((&blocked["durable"], &blocked["pending"]), (&json!(true), &json!(20)), "{blocked}");
    assert!(["blocked", "busy"].contains(&blocked["state"].as_str().unwrap_or_default()), "{blocked}");
    let quick = host.wait_for(DEADLINE, "the other to be done", || {
        Some(named(&get(&host, &path), "quick"))
            .filter(|quick| quick["state"] == "idle" && quick["delivered"] == 20)
    });
    assert_eq!((&quick["lag"], &quick["in_flight"]), (&Value::Null, &json!(0)), "{quick}");
    host.wait_for(DEADLINE, "its rate", || {
        named(&get(&host, &path), "quick")["rate"].as_f64().filter(|rate| *rate > 0.0)
    });

    let all = get(&host, "/api/v1/consumers");
    assert_eq!(texts(&all, "consumers", "plugin"), [COUNTER, COUNTER, LOGGER, LOGGER]);
    let health = get(&host, &format!("/api/v1/plugins/{COUNTER}/health"));
    assert_eq!(health["health"], "degraded", "{health}");
    assert_eq!(health["behind"][0]["consumer"], "blocked", "{health}");

    let words = host.cli(&["plugin", "consumers", COUNTER]).expect(0).stdout;
    assert!(words.contains("blocked [test.count] durable, lag"), "{words}");
    host.cli(&["plugin", "disable", COUNTER]).expect(0);
    let stopped = named(&get(&host, &path), "blocked");
    assert_eq!(stopped["state"], "stopped", "{stopped}");
    host.stop();
}

#[test]
fn a_plugin_is_healthy_degraded_failed_or_stopped() {
    let job = json!({"name": "fails", "schedule": "@yearly", "does": "fail"});
    let host = Installation::new()
        .plugin(JOBS, &json!({"jobs": [job]}))
        .plugin(COUNTER, &json!({"consumers": []}))
        .start();
    host.wait_state(JOBS, "running");
    host.wait_state(COUNTER, "running");
    let health = |plugin: &str| get(&host, &format!("/api/v1/plugins/{plugin}/health"));
    assert_eq!((&health(COUNTER)["health"], &health(COUNTER)["reasons"]), (&json!("healthy"), &json!([])));
    for list in ["hanging", "behind", "jobs"] {
        assert_eq!(health(COUNTER)[list], json!([]));
    }
    host.cli(&["plugin", "job", "run", JOBS, "fails"]).expect(0);
    let ill = host.wait_for(DEADLINE, "the failed run", || {
        Some(health(JOBS)).filter(|health| health["health"] == "degraded")
    });
    assert_eq!(
        (&ill["jobs"][0]["job"], &ill["jobs"][0]["outcome"]),
        (&json!("fails"), &json!("error")),
        "{ill}"
    );
    let words = host.cli(&["plugin", "health", JOBS]).expect(0).stdout;
    assert!(words.contains("degraded") && words.contains("`fails`"), "{words}");

    host.configure(JOBS, &json!({"jobs": [{"name": "j", "schedule": "nonsense", "does": "nothing"}]}))
        .expect(1);
    let failed = health(JOBS);
    assert_eq!((&failed["health"], &failed["state"]), (&json!("failed"), &json!("failed")), "{failed}");
    assert!(failed["reasons"][0].as_str().is_some_and(|reason| reason.contains("nonsense")), "{failed}");
    assert!(failed["last_error"]["message"].is_string(), "{failed}");
    host.cli(&["plugin", "health", JOBS]).expect(1);
    host.cli(&["plugin", "disable", COUNTER]).expect(0);
    assert_eq!(health(COUNTER)["health"], "stopped");
    assert_eq!(host.api().get("/api/v1/plugins/nobody/health").problem(&[404])["code"], "SSP-PLG-001");
    host.stop();
}

#[test]
fn grants_are_explained_and_lists_are_never_null() {
    let host = Installation::new().plugin(OUTBOUND, &json!({})).plugin(JOBS, &json!({"jobs": []})).start();
    let grants = get(&host, &format!("/api/v1/plugins/{OUTBOUND}/grants"));
    assert!(texts(&grants, "grants", "permission").contains(&"network:allowed.test"), "{grants}");
    assert!(
        texts(&grants, "grants", "explanation").contains(&"Send HTTP requests to allowed.test"),
        "{grants}"
    );
    assert!(texts(&grants, "grants", "granted_at").iter().all(|time| time.ends_with('Z')), "{grants}");
    for (path, list) in [
        ("/api/v1/blocked-libraries".to_owned(), "libraries"),
        (format!("/api/v1/plugins/{OUTBOUND}/jobs"), "jobs"),
        (format!("/api/v1/plugins/{OUTBOUND}/routes"), "routes"),
        (format!("/api/v1/plugins/{OUTBOUND}/dead-letters"), "dead_letters"),
        (format!("/api/v1/plugins/{JOBS}/consumers"), "consumers"),
    ] {
        assert_eq!(get(&host, &path)[list], json!([]), "{path}");
    }
    let stopped = host.stop();
    let words = stopped.installation.cli(&["plugin", "grants", OUTBOUND]).expect(0).stdout;
    assert!(words.contains("Send HTTP requests to allowed.test"), "{words}");
    assert_eq!(
        stopped.installation.cli(&["--json", "plugin", "health", OUTBOUND]).expect(0).json()["health"],
        "stopped"
    );

    let empty = Installation::new().start();
    for (path, list) in [
        ("/api/v1/plugins", "plugins"),
        ("/api/v1/consumers", "consumers"),
        ("/api/v1/events?topic=nothing.*", "events"),
    ] {
        assert_eq!(get(&empty, path)[list], json!([]), "{path}");
    }
    empty.stop();
}

#[test]
fn the_host_says_how_it_is() {
    let host = Installation::new().plugin(COUNTER, &json!({"consumers": []})).start();
    host.wait_state(COUNTER, "running");
    host.wait_for(DEADLINE, "the host to be ready", || {
        (get(&host, "/api/v1/status")["ready"] == true).then_some(())
    });
    let status = get(&host, "/api/v1/status");
    assert_eq!(
        (&status["database"], &status["plugins"]),
        (&json!("sqlite"), &json!({"running": 1})),
        "{status}"
    );
    assert!(status["event_log"]["head"].as_u64() >= Some(1), "{status}");
    assert!(status["version"].is_string() && status["started_at"].is_string(), "{status}");
    host.api().with_token(None).get("/api/v1/status").problem(&[401]);
    assert!(host.cli(&["status"]).expect(0).stdout.contains("1 running"));
    let stopped = host.stop();
    stopped.installation.cli(&["status"]).expect(1);
}
