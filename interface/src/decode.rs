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

/// serde says `invalid type: string "…", expected u16`: drops the value.
fn without_values(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}…{}", &message[..first], &message[last + 1..])
        }
        _ => message.to_owned(),
    }
}
