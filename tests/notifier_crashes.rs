//! The host is killed while a plugin sends: every event arrives, and hardly one twice.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::HashMap, thread, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Installation, Provider, cloud_event, on_both_backends};

const PLUGIN: &str = "streamspace-discord";
const EVENTS: usize = 600;
const KILLS: usize = 6;

on_both_backends!(what_was_being_sent_when_the_host_was_killed_arrives);

fn what_was_being_sent_when_the_host_was_killed_arrives(backend: &Backend) {
    let provider = Provider::discord();
    let config =
        json!({"webhookUrl": "https://discord.com/api/webhooks/100000000001/secret", "rateLimit": 0});
    let mut host =
        Installation::on(backend).provider(&provider, &["discord.com"]).plugin(PLUGIN, &config).start();
    host.wait_state(PLUGIN, "running");
    let events: Vec<Value> = (0..EVENTS)
        .map(|n| {
            cloud_event("user.created", &json!({"id": format!("u-{n}"), "username": format!("user-{n}")}))
        })
        .collect();
    for batch in events.chunks(200) {
        let _ = host.api().events(batch).expect(202);
    }

    for kill in 0..KILLS {
        // In the middle: some were sent, and some wait. The moment within a message is left to chance.
        let _ = provider.requests_wait((kill + 1) * EVENTS / (KILLS + 2), DEADLINE);
        thread::sleep(Duration::from_micros(700 * kill as u64));
        host = host.end(Signal::KILL, DEADLINE).installation.start();
    }
    host.wait_state(PLUGIN, "running");
    host.wait_for(DEADLINE, "every event to arrive", || (copies(&provider).len() == EVENTS).then_some(()));
    let health = || {
        host.api().get(&format!("/api/plugins/{PLUGIN}/deliveries?limit=1&state=retrying")).expect(200).json()
    };
    host.wait_for(DEADLINE, "nothing to be on its way", || {
        health()["items"].as_array().unwrap().is_empty().then_some(())
    });

    assert_eq!(provider.violations(), [""; 0]);
    // Between Discord's taking a message and the note of it there is at most one message of a destination.
    let twice: usize = copies(&provider).values().map(|copies| copies - 1).sum();
    assert!(twice <= KILLS, "{twice} copies too many after {KILLS} kills");
}

/// How often each user's message arrived.
fn copies(provider: &Provider) -> HashMap<String, usize> {
    let mut copies = HashMap::new();
    for request in provider.requests() {
        let text = request.json().to_string();
        let from = text.find("user-").unwrap();
        let user: String =
            text[from..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        *copies.entry(user).or_default() += 1;
    }
    copies
}
