//! Reading a request's body, within bounds.

use actix_web::{
    http::StatusCode,
    web::{Bytes, Payload},
};
use serde::de::DeserializeOwned;

use super::Problem;

/// The whole body.
pub(super) async fn read(payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    match payload.to_bytes_limited(limit).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(why)) => {
            Err(Problem::bad_request("SSP-API-001", format_args!("the body did not arrive whole: {why}")))
        }
        Err(_) => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "SSP-API-413",
            format_args!("the body has more than {limit} bytes (`server.max_body_bytes`)"),
        )),
    }
}

/// The body as JSON.
pub(super) async fn json<T: DeserializeOwned>(payload: Payload, limit: usize) -> Result<T, Problem> {
    let body = read(payload, limit).await?;
    let mut json = serde_json::Deserializer::from_slice(&body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|why| {
        let path = why.path().to_string();
        Problem::bad_request(
            "SSP-API-002",
            format_args!("the body is not the JSON expected here, at `{path}`: {}", why.into_inner()),
        )
    })?;
    json.end()
        .map_err(|why| Problem::bad_request("SSP-API-002", format_args!("the body is not JSON: {why}")))?;
    Ok(value)
}
