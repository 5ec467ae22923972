//! Policies, and what they come to.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use streamspace_plugin::{
    prelude::*,
    routes::{Problem, Request, Response},
};

use super::{ADMIN, MAX_BODY, READ};
use crate::{
    SessionRecorder,
    rules::policy::{Policy, Rules},
    tables::{is_taken, policies},
};

pub(super) fn register(on: &mut Registrar<SessionRecorder>) {
    // The second is where the platform's first version had them.
    for path in ["/recording-policies", "/recordings/policies"] {
        on.get(path, list).permission(READ).describe("Policies, the highest priority first");
        on.post(path, make).permission(ADMIN).body_limit(MAX_BODY).describe("Makes a policy");
        let one = format!("{path}/{{id}}");
        on.get(&one, show).permission(READ).describe("A policy");
        on.put(&one, replace).permission(ADMIN).body_limit(MAX_BODY).describe("Gives a policy other rules");
        on.patch(&one, change)
            .permission(ADMIN)
            .body_limit(MAX_BODY)
            .describe("Changes what is named of a policy");
        on.delete(&one, delete).permission(ADMIN).describe("Deletes a policy. Recordings keep what it said");
    }
    on.post("/recording-policies/decide", decide)
        .permission(READ)
        .body_limit(MAX_BODY)
        .describe("Which policy decides for a user and a template, and why");
}

fn shown(policy: &Policy) -> Response {
    Response::json(policy)
}

fn missing() -> Problem {
    Problem::new(404, "there is no such policy")
}

fn list(plugin: &SessionRecorder, _: &Request<'_>) -> Result<Response> {
    let all = policies::all(plugin.desk().context.database())?;
    Ok(Response::json(&json!({ "policies": all, "total": all.len() })))
}

fn show(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let id = request.param("id").unwrap_or_default();
    Ok(shown(&policies::get(plugin.desk().context.database(), id)?.ok_or_else(missing)?))
}

fn checked(rules: Rules) -> Result<Rules, Problem> {
    match rules.fault() {
        None => Ok(Rules { name: rules.name.trim().to_owned(), ..rules }),
        Some(fault) => Err(Problem::new(422, fault)),
    }
}

fn taken(why: DatabaseError) -> Error {
    match is_taken(&why) {
        true => Problem::new(409, "there is a policy of this name already").into(),
        false => why.into(),
    }
}

fn make(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let database = plugin.desk().context.database();
    let rules = checked(request.json()?)?;
    let id = policies::insert(database, &rules).map_err(taken)?;
    let made = policies::get(database, &id)?.ok_or_else(missing)?;
    Ok(shown(&made).with_status(201))
}

fn replace(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    save(plugin, request, checked(request.json()?)?)
}

fn change(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    // Types are looked at first, so that what is wrong is named.
    let _: Rules = request.json()?;
    let changes: Map<String, Value> = request.json()?;
    let id = request.param("id").unwrap_or_default();
    let before = policies::get(plugin.desk().context.database(), id)?.ok_or_else(missing)?;
    let mut rules = serde_json::to_value(&before.rules)?;
    for (key, value) in changes {
        rules[key] = value;
    }
    save(plugin, request, checked(serde_json::from_value(rules)?)?)
}

fn save(plugin: &SessionRecorder, request: &Request<'_>, rules: Rules) -> Result<Response> {
    let database = plugin.desk().context.database();
    let id = request.param("id").unwrap_or_default();
    if !policies::update(database, id, &rules).map_err(taken)? {
        return Err(missing().into());
    }
    Ok(shown(&policies::get(database, id)?.ok_or_else(missing)?))
}

fn delete(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let id = request.param("id").unwrap_or_default();
    match policies::delete(plugin.desk().context.database(), id)? {
        true => Ok(Response::status(204)),
        false => Err(missing().into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    user: String,
    template: String,
}

fn decide(plugin: &SessionRecorder, request: &Request<'_>) -> Result<Response> {
    let desk = plugin.desk();
    let question: Question = request.json()?;
    let person = desk.person(&question.user)?;
    let all = policies::all(desk.context.database())?;
    let decision = desk.decide(&all, &question.user, &person, &question.template);
    let considered: Vec<Value> = decision
        .considered
        .iter()
        .map(|(id, name, verdict)| json!({ "id": id, "name": name, "verdict": verdict }))
        .collect();
    Ok(Response::json(&json!({
        "policy": decision.policy, "records": decision.automatic.is_some(), "cause": decision.automatic, "why": decision.why,
        "teams": person.teams, "role": person.role, "considered": considered,
    })))
}
