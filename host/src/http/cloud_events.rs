//! CloudEvents 1.0 over HTTP: structured, batched and binary content mode.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>

use std::sync::Arc;

use actix_web::http::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{Problem, json_parts};

/// An event from outside.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) topic: String,
    pub(super) source: Arc<str>,
    pub(super) subject: String,
    pub(super) time_us: Option<u64>,
    pub(super) data: Bytes,
    pub(super) attributes: Bytes,
}

/// Reads the events of a request, in the mode that its headers say.
pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Incoming>, Problem> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/cloudevents+json" => structured(utf8("event", body)?).map(|event| vec![event]),
        "application/cloudevents-batch+json" => {
            let events = json_parts::values(utf8("batch", body)?).map_err(|why| not_json("batch", &why))?;
            let mut parsed = Vec::with_capacity(events.len());
            for (position, event) in events.iter().enumerate() {
                parsed.push(structured(event).map_err(|mut problem| {
                    problem.detail = format!("event {position} of the batch: {}", problem.detail);
                    problem
                })?);
            }
            Ok(parsed)
        }
        _ if headers.contains_key("ce-specversion") => {
            binary(headers, &media_type, body).map(|event| vec![event])
        }
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "SSP-EVT-415",
            format_args!(
                "expected `application/cloudevents+json`, `application/cloudevents-batch+json`, or `ce-…` headers; \
                 found the content type `{media_type:.80}`"
            ),
        )),
    }
}

fn structured(text: &str) -> Result<Incoming, Problem> {
    let mut members = json_parts::members(text).map_err(|why| not_json("event", &why))?;
    let data = members.remove("data");
    let data_base64 = members.remove("data_base64");
    let mut attributes = Map::new();
    for (name, value) in members {
        let value: Value = serde_json::from_str(value).map_err(|why| not_json("event", &why))?;
        // An attribute that is null is one that is not there.
        if !value.is_null() {
            attributes.insert(name, value);
        }
    }
    let data = match (data, data_base64) {
        (Some(_), Some(_)) => return Err(invalid("`data` and `data_base64` exclude each other")),
        (Some(data), None) => Bytes::copy_from_slice(data.as_bytes()),
        (None, Some(encoded)) => {
            let encoded: String =
                serde_json::from_str(encoded).map_err(|_| invalid("`data_base64`: expected a text"))?;
            let data =
                STANDARD.decode(encoded).map_err(|why| invalid(format_args!("`data_base64`: {why}")))?;
            check_json(&data)?;
            Bytes::from(data)
        }
        (None, None) => Bytes::from_static(b"null"),
    };
    if let Some(media_type) = attributes.get("datacontenttype") {
        check_media_type(media_type.as_str().unwrap_or_default())?;
    }
    envelope(attributes, data)
}

fn binary(headers: &HeaderMap, media_type: &str, body: &[u8]) -> Result<Incoming, Problem> {
    let mut attributes = Map::new();
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix("ce-") else { continue };
        let value =
            value.to_str().map_err(|_| invalid(format_args!("`{header}`: expected printable ASCII")))?;
        let decoded = percent_encoding::percent_decode_str(value)
            .decode_utf8()
            .map_err(|_| invalid(format_args!("`{header}`: expected percent-encoded UTF-8")))?;
        attributes.insert(name.to_owned(), Value::String(decoded.into_owned()));
    }
    let data = if body.is_empty() {
        Bytes::from_static(b"null")
    } else {
        check_media_type(media_type)?;
        check_json(body)?;
        Bytes::copy_from_slice(body)
    };
    envelope(attributes, data)
}

/// Sorts the attributes into what an event of ours has.
fn envelope(mut attributes: Map<String, Value>, data: Bytes) -> Result<Incoming, Problem> {
    for name in attributes.keys() {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return Err(invalid(format_args!(
                "the attribute `{name:.40}`: expected a name of lower-case letters and digits"
            )));
        }
    }
    let mut text = |name: &str, required: bool| match attributes.remove(name) {
        Some(Value::String(value)) if !value.is_empty() && value.len() <= 1024 => Ok(Some(value)),
        Some(Value::String(value)) => Err(invalid(format_args!(
            "`{name}`: expected a text of 1 to 1024 bytes, found {} bytes",
            value.len()
        ))),
        Some(_) => Err(invalid(format_args!("`{name}`: expected a text"))),
        None if required => Err(invalid(format_args!("`{name}` is missing; it is required"))),
        None => Ok(None),
    };
    let version = text("specversion", true)?.unwrap_or_default();
    if version != "1.0" {
        return Err(invalid(format_args!("`specversion`: expected `1.0`, found `{version:.20}`")));
    }
    let origin = text("id", true)?;
    let source = text("source", true)?.unwrap_or_default();
    let topic = text("type", true)?.unwrap_or_default();
    let subject = text("subject", false)?.unwrap_or_default();
    text("datacontenttype", false)?;
    let time_us = text("time", false)?
        .map(|time| {
            time.parse::<jiff::Timestamp>()
                .ok()
                .and_then(|time| u64::try_from(time.as_microsecond()).ok())
                .ok_or_else(|| {
                    invalid(format_args!("`time`: expected RFC 3339 from 1970 on, found `{time:.40}`"))
                })
        })
        .transpose()?;
    for (name, value) in &attributes {
        if !matches!(value, Value::String(_) | Value::Bool(_) | Value::Number(_)) {
            return Err(invalid(format_args!(
                "the attribute `{name:.40}`: expected a text, number or boolean"
            )));
        }
    }
    // The emitter's own id goes along: the host gives each event one of its own.
    if let Some(origin) = origin {
        attributes.insert("originid".to_owned(), Value::String(origin));
    }
    let attributes = Bytes::from(Value::Object(attributes).to_string());
    Ok(Incoming { topic, source: source.into(), subject, time_us, data, attributes })
}

fn check_media_type(media_type: &str) -> Result<(), Problem> {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json") {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "SSP-EVT-415",
        format_args!("the payload: expected `application/json`, found `{essence:.80}`"),
    ))
}

fn check_json(data: &[u8]) -> Result<(), Problem> {
    let text = utf8("payload", data)?;
    serde_json::from_str::<IgnoredAny>(text).map(drop).map_err(|why| not_json("payload", &why))
}

fn utf8<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str, Problem> {
    std::str::from_utf8(bytes).map_err(|why| {
        Problem::bad_request(
            "SSP-EVT-004",
            format_args!("the {what} is not UTF-8, which JSON is written in: {why}"),
        )
    })
}

fn not_json(what: &str, why: &serde_json::Error) -> Problem {
    Problem::bad_request("SSP-EVT-004", format_args!("the {what} is not the JSON expected here: {why}"))
}

fn invalid(why: impl std::fmt::Display) -> Problem {
    Problem::bad_request("SSP-EVT-005", format_args!("this is not a CloudEvent: {why}"))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn parsed(media_type: &'static str, body: &[u8]) -> Result<Vec<Incoming>, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        parse(&headers, body)
    }

    fn event(rest: &str) -> String {
        format!(r#"{{"specversion":"1.0","id":"1","source":"/a","type":"a.b"{rest}}}"#)
    }

    #[test]
    fn a_payload_keeps_the_bytes_that_it_was_sent_with() {
        let data = "{ \"b\": 1.50, \"a\": [12345678901234567890123] }";
        let one = event(&format!(", \"data\" : {data} "));
        let events = parsed("application/cloudevents+json", one.as_bytes()).expect("an event");
        assert_eq!(events[0].data, data);
        let batch = format!("[{one} , {one}]");
        let events = parsed("application/cloudevents-batch+json", batch.as_bytes()).expect("a batch");
        assert!(events.len() == 2 && events.iter().all(|event| event.data == data), "{events:?}");
    }

    /// What `serde_json` makes of such a key with its feature `raw_value` nests without a limit.
    #[test]
    fn an_attribute_cannot_smuggle_in_text_that_is_read_as_json() {
        let mut nested = "1".to_owned();
        for _ in 0..12 {
            let text = format!("{}{nested}{}", "[".repeat(100), "]".repeat(100));
            nested = format!("{{\"$serde_json::private::RawValue\":{}}}", Value::String(text));
        }
        let event = event(&format!(",\"x\":{nested}"));
        let problem = parsed("application/cloudevents+json", event.as_bytes()).expect_err("no attribute");
        assert!(problem.detail.contains("expected a text, number or boolean"), "{}", problem.detail);
    }

    #[test]
    fn bytes_that_are_no_text_are_no_event() {
        for media_type in ["application/cloudevents+json", "application/cloudevents-batch+json"] {
            let problem = parsed(media_type, b"[\"\xff\"]").expect_err("not UTF-8");
            assert_eq!((&*problem.code, problem.status), ("SSP-EVT-004", 400));
        }
    }
}
