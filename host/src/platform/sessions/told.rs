//! What is emitted of a session. Never its RFB address.

use streamspace_plugin::events::payload;

use super::{
    SessionResources, State, Usage,
    rows::{ConnectionRow, Row, Whole},
    view::time,
};
use crate::events::Emitted;

pub(super) fn session_ref(row: &Row) -> payload::SessionRef {
    payload::SessionRef { id: row.id.clone(), user: row.owner.clone(), template: row.template.clone() }
}

pub(super) fn resources(of: &SessionResources) -> payload::Resources {
    payload::Resources { cpu: of.cpu.clone(), memory: of.memory.clone(), storage: of.storage.clone() }
}

pub(super) fn session(whole: &Whole) -> payload::Session {
    let row = &whole.row;
    payload::Session {
        id: row.id.clone(),
        user: row.owner.clone(),
        template: row.template.clone(),
        resources: resources(&row.resources()),
        state: Some(row.state.clone()),
        url: row.url.clone(),
        tags: whole.tags.clone(),
        persistent_home: Some(row.persistent_home),
        idle_timeout: row.idle_timeout_secs.map(|secs| format!("{secs}s")),
        created_at: Some(time(row.created_us)),
        updated_at: Some(time(row.updated_us)),
        last_activity: whole.activity.active_us.map(time),
    }
}

/// A step from one state to the one that the session has now.
pub(super) fn step(emitted: &mut Emitted<'_>, whole: &Whole, from: State, stack: Option<&str>) {
    let (row, to) = (&whole.row, whole.row.state());
    let changed = payload::SessionStateChanged {
        session: session_ref(row),
        old_state: from.name().to_owned(),
        new_state: to.name().to_owned(),
        reason: row.reason.clone(),
    };
    emitted.emit("session.state.changed", &row.id, &changed);
    for topic in from.topics(to) {
        if matches!(*topic, "session.failed" | "session.error") {
            let failed = payload::SessionError {
                id: row.id.clone(),
                user: row.owner.clone(),
                template: row.template.clone(),
                error: row.reason.clone(),
                stack: stack.map(str::to_owned),
                url: row.url.clone(),
            };
            emitted.emit(topic, &row.id, &failed);
        } else {
            emitted.emit(topic, &row.id, &session(whole));
        }
    }
}

pub(super) fn heartbeat(emitted: &mut Emitted<'_>, row: &Row, usage: Usage) {
    let beat = payload::SessionHeartbeat {
        id: row.id.clone(),
        user: row.owner.clone(),
        template: row.template.clone(),
        cpu_usage: usage.cpu,
        memory_usage: usage.memory,
        storage_usage: usage.storage,
    };
    emitted.emit("session.heartbeat", &row.id, &beat);
}

pub(super) fn connected(emitted: &mut Emitted<'_>, row: &Row, connection: &ConnectionRow) {
    let connected = payload::SessionConnected {
        session: session_ref(row),
        connection_id: connection.id.clone(),
        client_ip: connection.client_address.clone(),
        user_agent: connection.user_agent.clone(),
    };
    emitted.emit("session.connected", &row.id, &connected);
}

pub(super) fn disconnected(emitted: &mut Emitted<'_>, row: &Row, connection: &ConnectionRow, now_us: i64) {
    // Whole milliseconds: more would only look exact.
    let millis = (now_us - connection.connected_us).max(0) / 1000;
    let disconnected = payload::SessionDisconnected {
        session: session_ref(row),
        connection_id: connection.id.clone(),
        duration: millis as f64 / 1000.0,
    };
    emitted.emit("session.disconnected", &row.id, &disconnected);
}
