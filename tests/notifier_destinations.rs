//! Plugins that notify, as operators get them: packages that a vendor has signed. One broken destination delays no other, and
//! nothing is lost: ten thousand events to five of them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{fs, time::Duration};

use serde_json::{Value, json};
use streamspace_tests::{
    DEADLINE, Host, Installation, Packing, Provider, Reply, Vendor, cloud_event, workspace,
};

const PLUGIN: &str = "streamspace-discord";
const EVENTS: usize = 10_000;
/// For ten thousand requests, one after the other, on a machine that has other things to do.
const LONG: Duration = Duration::from_secs(300);
/// The name of each destination and the secret of its webhook.
const DESTINATIONS: [(&str, &str); 5] = [
    ("limited", "s3cr3t-limited"),
    ("failing", "s3cr3t-failing"),
    ("hanging", "s3cr3t-hanging"),
    ("dead", "s3cr3t-dead"),
    ("fine", "s3cr3t-fine"),
];

fn config() -> Value {
    let destinations: Vec<Value> = DESTINATIONS
        .iter()
        .zip(1_u64..)
        .map(|((name, secret), n)| {
            json!({"name": name, "webhookUrl": format!("https://discord.com/api/webhooks/{}/{secret}", 100_000_000_000 + n),
                   "topics": ["user.created"], "rateLimit": 0})
        })
        .collect();
    json!({ "destinations": destinations })
}

fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::new(status).header("Content-Type", "application/json").body(body.to_string())
}

/// The consumer of a destination, as the host tells of it.
fn consumer(host: &Host, name: &str) -> Value {
    let listed = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/consumers")).expect(200).json();
    let consumers = listed["consumers"].as_array().unwrap().clone();
    consumers.into_iter().find(|one| one["name"] == format!("to-{name}")).unwrap()
}

fn health(host: &Host, name: &str) -> Value {
    let health = host.api().get(&format!("/api/plugins/{PLUGIN}/health")).expect(200).json();
    let all = health["destinations"].as_array().unwrap().clone();
    all.into_iter().find(|one| one["name"] == name).unwrap()
}

#[test]
fn ten_thousand_events_reach_the_destination_that_works_in_order() {
    let provider = Provider::discord();
    provider.always(
        "s3cr3t-limited",
        json_reply(
            429,
            &json!({"message": "You are being rate limited.", "retry_after": 1.5, "global": false}),
        )
        .header("Retry-After", "2"),
    );
    provider.always("s3cr3t-failing", Reply::new(500));
    provider.always("s3cr3t-hanging", Reply::hang());
    provider.always("s3cr3t-dead", json_reply(404, &json!({"message": "Unknown Webhook", "code": 10015})));

    // As an operator gets it: a package that its vendor has signed.
    let installation = Installation::new().set("log.level", "debug").provider(&provider, &["discord.com"]);
    let vendor = Vendor::new();
    installation.cli(&["trust", "add", &vendor.key(), "--name", "Example Ltd."]).expect(0);
    let host = installation.start();
    install(&host, &vendor, PLUGIN);
    host.configure(PLUGIN, &config()).expect(0);
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    host.wait_state(PLUGIN, "running");

    for batch in (0..EVENTS).collect::<Vec<_>>().chunks(250) {
        let events: Vec<Value> = batch
            .iter()
            .map(|n| {
                cloud_event("user.created", &json!({"id": format!("u-{n}"), "username": format!("user-{n}")}))
            })
            .collect();
        let _ = host.api().events(&events).expect(202);
    }
    host.wait_for(LONG, "all events to arrive at the destination that works", || {
        (consumer(&host, "fine")["delivered"] == EVENTS).then_some(())
    });
    host.wait_for(LONG, "all events of the dead destination to be given up", || {
        (consumer(&host, "dead")["dead"] == EVENTS).then_some(())
    });

    // In order, and each once.
    let order: Vec<usize> = provider
        .requests()
        .iter()
        .filter(|request| request.path.contains("s3cr3t-fine"))
        .map(|request| {
            let text = request.json().to_string();
            let from = text.find("user-").unwrap() + "user-".len();
            text[from..].chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
        })
        .collect();
    assert_eq!(order.len(), EVENTS);
    assert!(order.iter().copied().eq(0..EVENTS), "the order was not kept");
    assert_eq!(provider.requests().iter().filter(|request| request.path.contains("s3cr3t-dead")).count(), 1);
    assert_eq!(provider.violations(), [""; 0]);

    // Nothing is lost: what was not delivered waits, or is a dead letter.
    for (name, state) in [("limited", "limited"), ("failing", "failing"), ("hanging", "failing")] {
        let consumer = consumer(&host, name);
        let count = |key: &str| consumer[key].as_u64().unwrap_or_default();
        assert_eq!((count("delivered"), count("dropped"), count("failed")), (0, 0, 0), "{name}: {consumer}");
        assert_eq!(count("pending") + count("dead"), EVENTS as u64, "{name}: {consumer}");
        // What hangs is known to do so once its first request is late.
        host.wait_for(DEADLINE, &format!("`{name}` to be {state}"), || {
            let health = health(&host, name);
            (health["state"] == state && health["lastError"].is_string()).then_some(())
        });
    }
    let letters = host
        .api()
        .get(&format!(
            "/api/v1/plugins/{PLUGIN}/dead-letters?consumer=to-dead&limit=1000&skip={}",
            EVENTS - 500
        ))
        .expect(200)
        .json();
    assert_eq!(letters["dead_letters"].as_array().unwrap().len(), 500, "all are kept");
    let dead = health(&host, "dead");
    assert_eq!((&dead["state"], &dead["dead"]), (&json!("broken"), &json!(EVENTS)), "{dead}");
    let fine = health(&host, "fine");
    assert_eq!((&fine["state"], &fine["sent"]), (&json!("ok"), &json!(EVENTS)), "{fine}");

    // No secret anywhere.
    for path in ["/health", "/metrics", "/deliveries?limit=200", "/deliveries?state=dead&limit=200"] {
        let _ = host.api().get(&format!("/api/plugins/{PLUGIN}{path}")).expect(200);
    }
    assert!(!host.everything_said().contains("s3cr3t"), "a webhook's secret was shown");
    let stopped = host.stop();
    assert!(!stopped.log.text().contains("s3cr3t"), "a webhook's secret was logged");
    assert!(!stopped.stderr.text().contains("s3cr3t"), "a webhook's secret was logged");
}

/// Installs a plugin's package, as a vendor has signed it.
fn install(host: &Host, vendor: &Vendor, plugin: &str) {
    let package = Packing::of(host.builds(), plugin).of_vendor(vendor).write(host.scratch(), &[vendor]);
    let package = package.to_str().unwrap();
    let plan = host.cli(&["plugin", "plan", package, "--json"]).expect(0).json();
    host.cli(&["plugin", "install", package, "--consent", plan["digest"].as_str().unwrap()]).expect(0);
}

#[test]
fn every_plugin_that_notifies_runs_from_its_package_with_its_example() {
    let installation = Installation::new();
    let vendor = Vendor::new();
    installation.cli(&["trust", "add", &vendor.key(), "--name", "Example Ltd."]).expect(0);
    let host = installation.start();
    for plugin in
        ["slack", "teams", "discord", "pagerduty", "email-smtp"].map(|name| format!("streamspace-{name}"))
    {
        install(&host, &vendor, &plugin);
        let example = workspace().join("plugins").join(&plugin).join("config.example.json");
        let example: Value = serde_json::from_str(&fs::read_to_string(example).unwrap()).unwrap();
        host.configure(&plugin, &example).expect(0);
        host.cli(&["plugin", "enable", &plugin]).expect(0);
        host.wait_state(&plugin, "running");

        // What all of them have.
        let at = |path: &str| format!("/api/plugins/{plugin}{path}");
        let health = host.api().get(&at("/health")).expect(200).json();
        let destinations = health["destinations"].as_array().unwrap();
        assert!(
            !destinations.is_empty() && destinations.iter().all(|one| one["state"] != "broken"),
            "{health}"
        );
        assert_eq!(health["sent"], 0, "nothing is sent when a plugin is loaded: {health}");
        let asked =
            json!({"topic": "session.failed", "data": {"id": "s-1", "user": "ada", "error": "no image"}});
        let shown = host.api().post_json(&at("/preview"), &asked).expect(200).json();
        assert!(shown["message"].to_string().contains("no image"), "{shown}");
        let _ = host.api().get(&at("/deliveries")).expect(200);
        let _ = host.api().get(&at("/metrics")).expect(200);
        let contributions =
            host.api().get(&format!("/api/v1/plugins/{plugin}/contributions")).expect(200).json();
        assert_eq!(contributions["settings_pages"].as_array().map(Vec::len), Some(1), "{contributions}");
        assert_eq!(contributions["admin_widgets"][0]["id"], "deliveries", "{contributions}");
    }
}
