//! The keys of recordings.

use std::time::Duration;

use streamspace_plugin::{
    prelude::*,
    routes::{Request, Response},
};

use super::{ADMIN, by};
use crate::SessionRecorder;

pub(super) fn register(on: &mut Registrar<SessionRecorder>) {
    on.post("/recordings/rewrap", rewrap)
        .permission(ADMIN)
        .timeout(Duration::from_secs(120))
        .describe("Seals the keys of recordings with the current master key, where a former one did");
}

fn rewrap(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    Ok(Response::json(&plugin.desk().rewrap(&by(request))?))
}
