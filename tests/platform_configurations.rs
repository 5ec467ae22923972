//! Configurations of the platform that the host replaces: what its plugins took, ours take, with the same defaults.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;

use serde_json::{Value, json};
use streamspace_tests::workspace;

/// A plugin's name, what the platform's one takes without saying more, and what its operators have to say.
fn platform() -> [(&'static str, Value, Value); 6] {
    [
        (
            "streamspace-slack",
            json!({
                "channel": "#general", "username": "StreamSpace", "iconEmoji": ":computer:",
                "notifyOnSessionCreated": true, "notifyOnSessionHibernated": false, "notifyOnUserCreated": true,
                "notifyOnQuotaExceeded": true, "includeDetails": true, "rateLimit": 20,
            }),
            json!({"webhookUrl": "https://hooks.slack.com/services/T00000000/B00000000/x"}),
        ),
        (
            "streamspace-teams",
            json!({
                "notifyOnSessionCreated": true, "notifyOnSessionHibernated": false, "notifyOnUserCreated": true,
                "includeDetails": true, "rateLimit": 20,
            }),
            json!({"webhookUrl": "https://example.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/d"}),
        ),
        (
            "streamspace-discord",
            json!({
                "username": "StreamSpace", "notifyOnSessionCreated": true, "notifyOnSessionHibernated": true,
                "notifyOnUserCreated": true, "includeDetails": false, "rateLimit": 20,
            }),
            json!({"webhookUrl": "https://discord.com/api/webhooks/100000000001/x",
                   "avatarUrl": "https://streamspace.example.com/icon.png"}),
        ),
        (
            "streamspace-pagerduty",
            json!({
                "notifyOnSessionCreated": false, "notifyOnSessionHibernated": true, "notifyOnUserCreated": false,
                "sessionCreatedSeverity": "info", "sessionHibernatedSeverity": "warning", "userCreatedSeverity": "info",
                "includeDetails": true, "autoResolve": false, "rateLimit": 50,
            }),
            json!({"routingKey": "0123456789abcdef0123456789ABCDEF"}),
        ),
        (
            "streamspace-email-smtp",
            json!({
                "smtpPort": 587, "fromName": "StreamSpace Notifications", "useTLS": true, "notifyOnSessionCreated": true,
                "notifyOnSessionHibernated": true, "notifyOnUserCreated": true, "includeDetails": true,
                "htmlFormat": true, "rateLimit": 30,
            }),
            json!({"smtpHost": "smtp.example.com", "username": "streamspace", "password": "x",
                   "fromAddress": "streamspace@example.com", "toAddresses": ["ops@example.com"],
                   "ccAddresses": ["lead@example.com"]}),
        ),
        (
            "streamspace-session-recorder",
            json!({
                "enabled": true, "defaultFormat": "webm", "defaultRetentionDays": 365, "maxFileSize": 10_737_418_240_u64,
                "storagePath": "/var/lib/streamspace/recordings", "autoRecordForCompliance": false,
                "complianceFrameworks": [], "encryptRecordings": true,
            }),
            json!({}),
        ),
    ]
}

/// Defaults that are not the platform's, since they could not stay.
const OTHERS: [(&str, &str); 1] = [
    // It ended an alert at once, so that nobody was called. Now it ends one when what was wrong is right again.
    ("streamspace-pagerduty", "autoResolve"),
];

#[test]
fn what_the_platforms_plugins_took_is_taken_with_the_same_defaults() {
    for (plugin, defaults, needed) in platform() {
        let text = fs::read_to_string(workspace().join("plugins").join(plugin).join("manifest.json"));
        let manifest: Value =
            serde_json::from_str(&text.unwrap_or_else(|why| panic!("{plugin}: {why}"))).unwrap();
        let schema = &manifest["configSchema"];
        for (key, default) in defaults.as_object().unwrap() {
            let ours = &schema["properties"][key]["default"];
            let is_same = ours == default || (ours.as_f64().is_some() && ours.as_f64() == default.as_f64());
            assert!(
                is_same || OTHERS.contains(&(plugin, key)),
                "{plugin}: `{key}` has the default {ours}, not {default}"
            );
        }
        let check = |config: &Value| {
            if let Err(why) = jsonschema::validate(schema, config) {
                panic!("{plugin}: {}: {why}\n{config}", why.instance_path());
            }
        };
        check(&needed);
        let mut whole = needed.clone();
        whole.as_object_mut().unwrap().extend(defaults.as_object().unwrap().clone());
        check(&whole);
        if defaults["rateLimit"].is_null() {
            continue;
        }
        // At either end of what the platform allowed.
        for limit in [1, if plugin == "streamspace-pagerduty" { 200 } else { 100 }] {
            whole["rateLimit"] = limit.into();
            check(&whole);
        }
    }
}
