//! Several messages in one.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    ledger::Line,
    notification::{About, Color, Field, Kind, Notification, Severity},
    text,
};

/// The name that a digest has where events have a topic.
pub const TOPIC: &str = "digest";
/// Most lines that one digest speaks for; what is beyond comes with the next.
pub(crate) const MAX_LINES: usize = 1_000;
/// Lines that are written out.
const SHOWN: usize = 20;
/// Topics that are counted one by one.
const TOPICS: usize = 8;

/// The message that speaks for `lines`, which are in their order and not none.
pub(crate) fn notification(lines: &[Line], now: SystemTime) -> Notification {
    let severity = lines.iter().map(|line| line.severity).max().unwrap_or_default();
    let time = |line: &Line| UNIX_EPOCH + Duration::from_millis(line.occurred_ms);
    let (first, last) = (lines.first().map_or(now, time), lines.last().map_or(now, time));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        *counts.entry(&line.topic).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(topic, count)| (std::cmp::Reverse(*count), *topic));
    let rest: usize = counts.iter().skip(TOPICS).map(|(_, count)| count).sum();
    let mut topics: Vec<String> =
        counts.iter().take(TOPICS).map(|(topic, count)| format!("{count} × {topic}")).collect();
    if rest > 0 {
        topics.push(format!("{rest} others"));
    }

    // What matters most is written out first; of the same weight, what came first.
    let mut shown: Vec<&Line> = lines.iter().collect();
    shown.sort_by_key(|line| std::cmp::Reverse(line.severity));
    let mut fields = vec![Field { label: "Events".into(), value: topics.join(", ") }];
    fields.extend(
        shown
            .iter()
            .take(SHOWN)
            .map(|line| Field { label: text::rfc3339(time(line)), value: line.summary.clone() }),
    );
    let count = lines.len();
    let events = if count == 1 { "event" } else { "events" };
    Notification {
        kind: Kind::Digest,
        severity,
        color: Color::of(severity),
        title: format!("{count} more {events}"),
        summary: format!(
            "{count} {events} between {} and {} that had to wait.",
            text::rfc3339(first.min(last)),
            text::rfc3339(first.max(last))
        ),
        fields,
        links: Vec::new(),
        topic: TOPIC.into(),
        subject: String::new(),
        occurred_at: now,
        about: About::default(),
        thread: None,
        claim: None,
        problems: Vec::new(),
    }
}

/// The message that only says that messages arrive.
pub(crate) fn test(provider: &str, destination: &str, now: SystemTime) -> Notification {
    Notification {
        kind: Kind::Test,
        severity: Severity::Info,
        color: Color::GREEN,
        title: "Test message".into(),
        summary: format!("StreamSpace reaches {provider}."),
        fields: vec![Field { label: "Destination".into(), value: destination.into() }],
        links: Vec::new(),
        topic: "test".into(),
        subject: String::new(),
        occurred_at: now,
        about: About::default(),
        thread: None,
        claim: None,
        problems: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(topic: &str, severity: Severity, n: u64) -> Line {
        Line {
            topic: topic.into(),
            severity,
            summary: format!("{topic} {n}"),
            occurred_ms: 1_767_323_045_000 + n * 1000,
        }
    }

    #[test]
    fn it_counts_all_and_writes_out_what_matters_most() {
        let mut lines: Vec<_> = (0..100).map(|n| line("session.created", Severity::Info, n)).collect();
        lines.push(line("quota.exceeded", Severity::Critical, 100));
        let told = notification(&lines, UNIX_EPOCH);
        assert_eq!((told.title.as_str(), told.severity), ("101 more events", Severity::Critical));
        assert_eq!(told.fields[0].value, "100 × session.created, 1 × quota.exceeded");
        assert_eq!(told.fields.len(), 1 + SHOWN);
        assert_eq!(told.fields[1].value, "quota.exceeded 100");
        assert_eq!(told.fields[2].value, "session.created 0");
        assert_eq!(
            told.summary,
            "101 events between 2026-01-02T03:04:05Z and 2026-01-02T03:05:45Z that had to wait."
        );
    }

    #[test]
    fn many_topics_are_counted_together() {
        let lines: Vec<_> = (0..12).map(|n| line(&format!("a.t{n:02}"), Severity::Info, n)).collect();
        let events = &notification(&lines, UNIX_EPOCH).fields[0].value;
        assert!(events.starts_with("1 × a.t00, ") && events.ends_with(", 4 others"), "{events}");
    }
}
