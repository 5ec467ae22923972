//! Metrics: what is known of the host and its plugins when somebody asks, in the formats of Prometheus.
//!
//! Nothing is registered and nothing is kept here. A scrape reads the counters of the objects that have them.

mod families;
mod gather;
mod process;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet, prometheus_text, text},
    metrics::MetricType,
    registry::Registry,
};

use self::families::{FAMILIES, Kind};
pub use self::gather::{Sources, gather};
use crate::figures::BOUNDS_US;

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text format 0.0.4 of Prometheus.
    Prometheus,
    /// The text format 1.0.0 of OpenMetrics.
    OpenMetrics,
}

impl Format {
    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The value of one series.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Count(u64),
    Gauge(f64),
    /// How many in each bucket, and their sum in seconds.
    Times(Vec<u64>, f64),
}

/// What was found: the number of the family in [`FAMILIES`], the values of its labels in their order, and the value.
type Series = (usize, Vec<String>, Value);

/// What was found at one scrape.
#[derive(Debug, Default)]
pub struct Found(Vec<Series>);

impl Found {
    /// Adds a series. A family that is not in the table, or other labels than its, is a mistake in the code that a test
    /// finds; nothing is written of it.
    fn add(&mut self, name: &str, labels: &[&str], value: Value) {
        let family = FAMILIES.iter().position(|family| family.name == name);
        debug_assert!(family.is_some_and(|number| FAMILIES[number].labels.len() == labels.len()), "{name}");
        if let Some(number) = family {
            self.0.push((number, labels.iter().map(|label| (*label).to_owned()).collect(), value));
        }
    }

    fn count(&mut self, name: &str, labels: &[&str], count: u64) {
        self.add(name, labels, Value::Count(count));
    }

    fn gauge(&mut self, name: &str, labels: &[&str], value: f64) {
        self.add(name, labels, Value::Gauge(value));
    }

    /// As text.
    #[must_use]
    pub fn write(mut self, format: Format) -> String {
        // A stable sort: the series of a family stand together, in the order in which they were found.
        self.0.sort_by_key(|(family, ..)| *family);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // Writing into a text does not fail.
        let _ = match format {
            Format::Prometheus => prometheus_text::encode(&mut text, &registry),
            Format::OpenMetrics => text::encode(&mut text, &registry),
        };
        text
    }
}

impl Collector for Found {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for series in self.0.chunk_by(|one, other| one.0 == other.0) {
            let Some(family) = series.first().map(|(number, ..)| &FAMILIES[*number]) else { continue };
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for (_, values, value) in series {
                let labels: Vec<(&str, &str)> =
                    family.labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
                let mut metric = metric.encode_family(&labels)?;
                match value {
                    Value::Count(count) => metric.encode_counter::<NoLabelSet, _, u64>(count, None)?,
                    Value::Gauge(value) => metric.encode_gauge(value)?,
                    Value::Times(counts, sum) => {
                        let bounds = BOUNDS_US.iter().map(|us| *us as f64 / 1e6).chain([f64::INFINITY]);
                        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
                        let count = counts.iter().sum();
                        metric.encode_histogram::<NoLabelSet>(*sum, count, &buckets, None)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn both_formats_have_every_family_once() {
        let mut found = Found::default();
        found.count("streamspace_events_delivered", &["p\"1", "c"], 7);
        found.gauge("process_threads", &[], 3.0);
        found.count("streamspace_events_delivered", &["p2", "c"], 8);
        let mut counts = vec![0; BOUNDS_US.len() + 1];
        (counts[0], counts[BOUNDS_US.len()]) = (2, 1);
        found.add("streamspace_handler_seconds", &["p", "c"], Value::Times(counts, 61.5));
        let copy = Found(found.0.clone());
        let text = found.write(Format::Prometheus);
        assert_eq!(text.matches("# TYPE streamspace_events_delivered_total counter").count(), 1, "{text}");
        for line in [
            "streamspace_events_delivered_total{plugin=\"p\\\"1\",consumer=\"c\"} 7",
            "streamspace_events_delivered_total{plugin=\"p2\",consumer=\"c\"} 8",
            "process_threads 3.0",
            "streamspace_handler_seconds_bucket{plugin=\"p\",consumer=\"c\",le=\"0.0001\"} 2",
            "streamspace_handler_seconds_bucket{plugin=\"p\",consumer=\"c\",le=\"+Inf\"} 3",
            "streamspace_handler_seconds_sum{plugin=\"p\",consumer=\"c\"} 61.5",
            "streamspace_handler_seconds_count{plugin=\"p\",consumer=\"c\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        let text = copy.write(Format::OpenMetrics);
        assert!(text.contains("# TYPE streamspace_events_delivered counter"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn the_document_has_every_family_with_its_labels_and_no_other() {
        let document = include_str!("../../../docs/metrics.md");
        let documented: BTreeSet<(String, String)> = document
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .filter_map(|row| {
                let mut cells = row.split(" | ");
                let name = cells.next()?.trim_end_matches('`');
                let _kind = cells.next()?;
                Some((name.to_owned(), cells.next()?.replace('`', "")))
            })
            .filter(|(name, _)| name.starts_with("streamspace_") || name.starts_with("process_"))
            .collect();
        let served = FAMILIES.iter().map(|family| {
            let suffix = if matches!(family.kind, Kind::Counter) { "_total" } else { "" };
            (format!("{}{suffix}", family.name), family.labels.join(", "))
        });
        assert_eq!(documented, served.collect());
    }

    #[test]
    fn names_and_labels_are_those_of_prometheus() {
        for family in FAMILIES {
            let valid = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(valid(family.name) && family.labels.iter().all(|label| valid(label)), "{}", family.name);
            assert!(!family.name.ends_with("_total"), "{}: it is added", family.name);
        }
        let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len());
    }
}
