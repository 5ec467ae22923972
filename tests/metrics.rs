//! What the host counts, as Prometheus reads it.
#![forbid(unsafe_code)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
};

use serde_json::json;
use streamspace_tests::{
    DEADLINE, Desktop, Host, Installation, Provider, Reply, Viewer, read_exactly, workspace,
};

const COUNTER: &str = "fixture-counter";
const ROUTES: &str = "fixture-routes";
const JOBS: &str = "fixture-jobs";
const LOGGER: &str = "fixture-logger";
const OUTBOUND: &str = "fixture-outbound";
const TAPS: &str = "fixture-taps";

/// The series of a text, with their values. Each has to be of a family that was announced before it.
fn series(text: &str) -> BTreeMap<String, f64> {
    let mut family = String::new();
    let mut all = BTreeMap::new();
    for line in text.lines() {
        if let Some(announced) = line.strip_prefix("# TYPE ") {
            family = announced.split(' ').next().unwrap_or_default().to_owned();
        }
        if line.starts_with('#') {
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap_or_default();
        assert!(name.starts_with(&family), "{line} is not of {family}");
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(all.insert(name.to_owned(), value).is_none(), "twice: {line}");
    }
    all
}

fn scrape(host: &Host) -> BTreeMap<String, f64> {
    let answer = host.api().get("/metrics").expect(200);
    assert_eq!(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    series(&answer.body)
}

/// Waits until a series has a value.
#[track_caller]
fn wait_value(host: &Host, name: &str, expected: f64) {
    host.wait_for(DEADLINE, &format!("{name} to be {expected}"), || {
        scrape(host).get(name).is_some_and(|value| *value == expected).then_some(())
    });
}

/// The names and labels that the document has.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(workspace().join("docs/metrics.md")).expect("the document");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`').to_owned();
        let labels = cells.nth(1)?.split(',').map(|label| label.trim().trim_matches('`').to_owned());
        Some((name, labels.filter(|label| !label.is_empty()).collect()))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn everything_that_happens_is_counted_under_the_documented_names() {
    let provider = Provider::https(&["allowed.test"]);
    let job = json!({"name": "often", "schedule": "* * * * * *", "does": "nothing"});
    let host = Installation::new()
        .provider(&provider, &["allowed.test"])
        .plugin(
            COUNTER,
            &json!({"consumers": [
                {"name": "durable", "topics": ["test.count"], "durable": true, "fail_at": 3, "mode": "reject"},
                {"name": "ephemeral", "topics": ["test.count"], "fail_at": 3, "mode": "reject"},
            ]}),
        )
        .plugin(ROUTES, &json!({}))
        .plugin(JOBS, &json!({"jobs": [job]}))
        .plugin(LOGGER, &json!({}))
        .plugin(OUTBOUND, &json!({}))
        .plugin(TAPS, &json!({}))
        .start();
    for plugin in [COUNTER, ROUTES, JOBS, LOGGER, OUTBOUND, TAPS] {
        host.wait_state(plugin, "running");
    }
    for n in 0..5 {
        host.post_event("test.count", &json!({"n": n}));
    }
    host.post_event("test.log", &json!({}));
    provider.reply(Reply::new(200));
    host.post_event("test.fetch", &json!({"url": "https://allowed.test/"}));
    host.post_event("test.fetch", &json!({"url": "https://elsewhere.test/"}));
    let api = host.api();
    for (path, status) in
        [("/inline", 200), ("/echo/secret-segment", 200), ("/nothing", 404), ("/fails", 500)]
    {
        let _ = api.get(&format!("/api/plugins/{ROUTES}{path}")).expect(status);
    }

    let of = |name: &str, consumer: &str| format!("{name}{{plugin=\"{COUNTER}\",consumer=\"{consumer}\"}}");
    for (name, consumer, value) in [
        ("streamspace_events_delivered_total", "durable", 4.0),
        ("streamspace_events_dead_lettered_total", "durable", 1.0),
        ("streamspace_dead_letters", "durable", 1.0),
        ("streamspace_events_pending", "durable", 0.0),
        ("streamspace_events_delivered_total", "ephemeral", 4.0),
        ("streamspace_events_failed_total", "ephemeral", 1.0),
    ] {
        wait_value(&host, &of(name, consumer), value);
    }
    for (class, value) in [("2xx", 2.0), ("4xx", 1.0), ("5xx", 1.0), ("3xx", 0.0)] {
        let name = format!("streamspace_requests_total{{plugin=\"{ROUTES}\",status=\"{class}\"}}");
        wait_value(&host, &name, value);
    }
    wait_value(&host, &format!("streamspace_request_seconds_count{{plugin=\"{ROUTES}\"}}"), 4.0);
    for (outcome, value) in [("answered", 1.0), ("denied", 1.0)] {
        let name =
            format!("streamspace_outbound_requests_total{{plugin=\"{OUTBOUND}\",outcome=\"{outcome}\"}}");
        wait_value(&host, &name, value);
    }
    let ran = format!("streamspace_jobs_total{{plugin=\"{JOBS}\",job=\"often\",outcome=\"ok\"}}");
    host.wait_for(DEADLINE, "a run to be counted", || {
        scrape(&host).get(&ran).filter(|runs| **runs > 0.0).copied()
    });

    let found = scrape(&host);
    let at_least = |name: &str, least: f64| {
        let value = found.get(name).copied();
        assert!(value.is_some_and(|value| value >= least), "{name} is {value:?}");
    };
    at_least(&format!("streamspace_plugin_log_lines_total{{plugin=\"{LOGGER}\",level=\"error\"}}"), 1.0);
    at_least("streamspace_log_lines_total{level=\"info\"}", 5.0);
    at_least(&format!("streamspace_plugin_state{{plugin=\"{COUNTER}\",state=\"running\"}}"), 1.0);
    at_least("streamspace_event_log_head", 5.0);
    at_least("process_resident_memory_bytes", 1e6);
    at_least("process_threads", 5.0);
    assert!(found.contains_key(&format!("streamspace_plugin_threads{{plugin=\"{ROUTES}\"}}")), "{found:#?}");

    // Of a histogram, the buckets grow and the last has all.
    let calls = of("streamspace_handler_seconds_count", "durable");
    let all = format!(
        "streamspace_handler_seconds_bucket{{plugin=\"{COUNTER}\",consumer=\"durable\",le=\"+Inf\"}}"
    );
    assert!(found[&calls] >= 1.0 && found[&calls] == found[&all], "{found:#?}");

    let documented = documented();
    let mut served = BTreeMap::<String, BTreeSet<String>>::new();
    for name in found.keys() {
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        let name = ["_bucket", "_sum", "_count"]
            .into_iter()
            .find_map(|suffix| name.strip_suffix(suffix).filter(|name| documented.contains_key(*name)))
            .unwrap_or(name);
        let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once('='));
        let labels = labels.map(|(label, _)| label.to_owned()).filter(|label| label != "le");
        served.entry(name.to_owned()).or_default().extend(labels);
    }
    assert_eq!(served, documented, "what is served and what is documented");
    let values = format!("{:?}", found.keys());
    for outside in ["test.count", "test_count", "secret-segment", "allowed.test", "/echo"] {
        assert!(!values.contains(outside), "{outside} came from outside");
    }

    let answer =
        api.send("GET", "/metrics", &[("Accept", "application/openmetrics-text;version=1.0.0")], None);
    assert!(answer.content_type.starts_with("application/openmetrics-text; version=1.0.0"), "{answer:?}");
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
    series(&answer.body);
    host.stop();
}

#[test]
fn counters_go_on_when_a_plugin_is_started_again_and_go_with_it() {
    let consumer = |more: u64| json!({"consumers": [{"name": "durable", "topics": ["test.count"], "durable": true, "work_micros": more}]});
    let host = Installation::new().plugin(COUNTER, &consumer(1)).plugin(ROUTES, &json!({})).start();
    host.wait_state(COUNTER, "running");
    host.wait_state(ROUTES, "running");
    let delivered =
        format!("streamspace_events_delivered_total{{plugin=\"{COUNTER}\",consumer=\"durable\"}}");
    let requests = format!("streamspace_requests_total{{plugin=\"{ROUTES}\",status=\"2xx\"}}");
    for round in 1..=2 {
        host.post_event("test.count", &json!({}));
        let _ = host.api().get(&format!("/api/plugins/{ROUTES}/inline")).expect(200);
        wait_value(&host, &delivered, f64::from(round));
        wait_value(&host, &requests, f64::from(round));
        host.configure(COUNTER, &consumer(2)).expect(0);
        host.cli(&["plugin", "disable", ROUTES]).expect(0);
        host.cli(&["plugin", "enable", ROUTES]).expect(0);
        host.wait_state(COUNTER, "running");
    }
    host.cli(&["plugin", "uninstall", ROUTES]).expect(0);
    let left: Vec<String> = scrape(&host).into_keys().filter(|name| name.contains(ROUTES)).collect();
    assert!(left.is_empty(), "{left:?}");
    host.stop();
}

#[test]
fn viewers_are_counted_while_they_look_and_by_why_they_leave() {
    const VERSION: &[u8] = b"RFB 003.008\n";
    let (desktop, host) = (Desktop::new(), Installation::new().start());
    let (ada, _) = host.account("ada", &[]);
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
    let bytes = |direction: &str| format!("streamspace_viewer_bytes_total{{direction=\"{direction}\"}}");
    let ended = |reason: &str| format!("streamspace_viewers_ended_total{{reason=\"{reason}\"}}");

    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let mut stream = desktop.accept();
    stream.write_all(VERSION).expect("a viewer");
    assert_eq!(viewer.read(12), VERSION);
    viewer.send(&VERSION[..5]);
    assert_eq!(read_exactly(&stream, 5), VERSION[..5]);
    wait_value(&host, "streamspace_viewers", 1.0);
    wait_value(&host, &bytes("out"), 12.0);
    wait_value(&host, &bytes("in"), 5.0);
    drop(stream);
    assert_eq!(viewer.closed(), "the desktop closed the connection");
    wait_value(&host, &ended("desktop"), 1.0);
    wait_value(&host, "streamspace_viewers", 0.0);

    // What those had who have left counts on.
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let mut stream = desktop.accept();
    stream.write_all(VERSION).expect("a viewer");
    assert_eq!(viewer.read(12), VERSION);
    wait_value(&host, &bytes("out"), 24.0);
    host.step_session("s-1", "hibernated");
    assert!(viewer.closed().contains("the session has ended"));
    wait_value(&host, &ended("over"), 1.0);
    wait_value(&host, &bytes("out"), 24.0);
    host.stop();
}

#[test]
fn metrics_need_the_token_unless_they_are_open() {
    let host = Installation::new().start();
    host.api().with_token(None).get("/metrics").problem(&[401]);
    host.api().with_token(Some("wrong")).get("/metrics").problem(&[401]);
    host.stop();
    let host = Installation::new().set("server.metrics", "open").start();
    let _ = host.api().with_token(None).get("/metrics").expect(200);
    host.stop();
}
