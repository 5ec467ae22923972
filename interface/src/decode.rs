//! Reading JSON so that an error says where, and never what stood there: it may be a secret.

use serde::de::DeserializeOwned;

/// Where a document does not have the shape expected, and why.
#[derive(Debug, Clone)]
pub(crate) struct Mismatch {
    pub(crate) path: String,
    pub(crate) reason: String,
}

/// Reads all of `text` as a `T`.
pub(crate) fn decode<T: DeserializeOwned>(text: &[u8]) -> Result<T, Mismatch> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|why| Mismatch {
        path: why.path().to_string(),
        reason: without_values(&why.into_inner().to_string()),
    })?;
    json.end().map_err(|why| Mismatch { path: ".".to_owned(), reason: why.to_string() })?;
    Ok(value)
}

/// serde says ``invalid type: string "…", expected u16`` or ``unknown variant `…`, expected …``: drops the value.
pub(crate) fn without_values(message: &str) -> String {
    let (found, expected) = match message.split_once(", expected") {
        Some((found, expected)) => (found, format!(", expected{expected}")),
        None => (message, String::new()),
    };
    let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
    format!("{kind}{expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_told() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Choice {
            One,
        }
        for (text, expected) in [
            (r#""hunter2""#, "u8"),
            ("123456789", "u8"),
            ("true", "u8"),
            ("1.25", "u8"),
            (r#""\"s3\"""#, "u8"),
        ] {
            let why = decode::<u8>(text.as_bytes()).expect_err("not a u8").reason;
            assert!(why.contains(expected), "{why}");
            assert!(!why.contains("hunter2") && !why.contains("1234") && !why.contains("true"), "{why}");
            assert!(!why.contains("1.25") && !why.contains("s3"), "{why}");
        }
        let why = decode::<Choice>(br#""s3cret""#).expect_err("no choice").reason;
        assert!(!why.contains("s3cret") && why.contains("expected"), "{why}");
    }
}
