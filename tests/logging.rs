//! What a plugin logs, as the host writes it.
#![forbid(unsafe_code)]

use serde_json::json;
use streamspace_tests::{Host, Installation, LogLine};

const PLUGIN: &str = "fixture-logger";
const SECRET: &str = "s3cr3tOfTheLogger";
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warning", "error", "critical"];

/// What the plugin logged of one event, with the level set by `installation`.
fn log_once(installation: Installation) -> (Host, Vec<LogLine>) {
    let host = installation.plugin(PLUGIN, &json!({"secret": SECRET})).start();
    host.wait_state(PLUGIN, "running");
    host.post_event("test.log", &json!({}));
    host.logged("the plugin to be done", |line| line.is_of(PLUGIN) && line.message() == "Logged.");
    let lines = host.log_lines().into_iter().filter(|line| line.is_of(PLUGIN)).collect();
    (host, lines)
}

fn levels<'a>(lines: &'a [LogLine], message: &str) -> Vec<&'a str> {
    lines.iter().filter(|line| line.message() == message).map(LogLine::level).collect()
}

#[test]
fn every_level_of_both_crates_is_written_with_its_fields() {
    let (host, lines) = log_once(Installation::new().set("log.level", "trace"));
    assert_eq!(levels(&lines, "By slog."), LEVELS);
    assert_eq!(levels(&lines, "By log."), LEVELS[..5]);
    let line = lines.iter().find(|line| line.message() == "By slog.").expect("it was found above");
    assert_eq!((line.field("number"), line.field("yes")), (&json!(7), &json!(true)), "{}", line.raw);
    assert_eq!(line.text("text"), "a \"text\"\nof two lines", "{}", line.raw);
    host.stop();
}

#[test]
fn what_is_below_the_level_is_not_written() {
    let (_host, lines) = log_once(Installation::new().set("log.level", "info"));
    assert_eq!(levels(&lines, "By slog."), LEVELS[2..]);
    assert_eq!(levels(&lines, "By log."), LEVELS[2..5]);
}

#[test]
fn a_plugin_has_a_level_of_its_own() {
    let levels_of_plugins: toml::Table = [(PLUGIN.to_owned(), "trace".into())].into_iter().collect();
    let (host, lines) =
        log_once(Installation::new().set("log.level", "info").set("log.plugins", levels_of_plugins));
    assert_eq!(levels(&lines, "By slog."), LEVELS);
    let others = host.log_lines();
    let below = others.iter().find(|line| !line.is_of(PLUGIN) && ["trace", "debug"].contains(&line.level()));
    assert!(below.is_none(), "the host's own level is not the plugin's: {below:?}");
}

#[test]
fn a_secret_of_the_configuration_is_written_nowhere() {
    let (host, lines) = log_once(Installation::new().set("log.level", "trace"));
    let line = lines.iter().find(|line| line.message().starts_with("The secret is "));
    let line = line.expect("the line is written, without the secret");
    assert!(
        !line.message().contains(SECRET) && !line.text("given").contains(SECRET),
        "the secret was logged"
    );
    let stopped = host.stop();
    assert!(!stopped.log.text().contains(SECRET) && !stopped.stderr.text().contains(SECRET));
}
