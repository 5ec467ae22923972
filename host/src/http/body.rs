//! Reading a request's body, within bounds.

use std::time::Duration;

use actix_web::{
    http::StatusCode,
    rt::time::timeout,
    web::{Bytes, Payload},
};
use serde::de::DeserializeOwned;

use super::Problem;

/// How long a body may take to arrive.
const DEADLINE: Duration = Duration::from_secs(30);

/// The whole body.
pub(super) async fn read(payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let arriving = timeout(DEADLINE, payload.to_bytes_limited(limit));
    let Ok(body) = arriving.await else {
        return Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "SSP-API-408",
            format_args!("the body did not arrive within {} s", DEADLINE.as_secs()),
        ));
    };
    match body {
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
