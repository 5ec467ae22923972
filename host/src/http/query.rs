//! Reading a request's query.

use actix_web::web;

use super::Problem;

/// A query that may not be understood.
pub(super) type Query<T> = Result<web::Query<T>, actix_web::Error>;

/// The query, or the problem with it.
pub(super) fn understood<T>(query: Query<T>) -> Result<T, Problem> {
    let query = query.map_err(|why| Problem::bad_request("SSP-API-003", format_args!("the query: {why}")))?;
    Ok(query.into_inner())
}
