//! What mail has beyond other ways: what somebody wants to be told, links by which one gets no more, and addresses that get none.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use streamspace_notifier::{Notifier, text};
use streamspace_plugin::{
    prelude::*,
    routes::{Problem, Request, Response},
};

use crate::{
    Email,
    people::{self, KINDS, Wishes},
    suppression::{self, Cause, Suppression},
    unsubscribe::Link,
};

const ADMIN: &str = "admin";
/// Largest body, in bytes.
const MAX_BODY: u64 = 16 * 1024;
/// Addresses of a page, at most and unless another number is asked for.
const PAGE: u32 = 200;
/// A page of ours asks for nothing from anywhere, and sends its form only here.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(crate) fn register(on: &mut Registrar<Notifier<Email>>) {
    on.get("/preferences", preferences).describe("What the caller is told by mail");
    on.put("/preferences", prefer)
        .body_limit(MAX_BODY)
        .describe("Changes what the caller is told by mail: by topic, true or false");
    on.get("/unsubscribe/{token}", ask).public().describe("The page that a link in a mail leads to");
    on.post("/unsubscribe/{token}", unsubscribe)
        .public()
        .body_limit(MAX_BODY)
        .describe("No more mails of this kind (RFC 8058)");
    on.get("/suppressions", suppressions).permission(ADMIN).describe("Addresses that get no mail, and why");
    on.delete("/suppressions/{address}", lift).permission(ADMIN).describe("Lets an address get mail again");
}

fn preferences(notifier: &Notifier<Email>, request: &Request<'_>) -> Result<Response> {
    let wishes = people::wishes(notifier.context(), caller(request)?)?;
    Ok(shown(&wishes))
}

fn prefer(notifier: &Notifier<Email>, request: &Request<'_>) -> Result<Response> {
    let more: BTreeMap<String, bool> = request.json()?;
    if let Some(topic) = more.keys().find(|topic| people::kind(topic).is_none()) {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.topic).collect();
        let topic = text::plain(topic, 100);
        return Err(Problem::new(
            422,
            format!("there are no mails about `{topic}`: expected {}", known.join(", ")),
        )
        .into());
    }
    let wishes = people::wish(notifier.context(), caller(request)?, more)?;
    Ok(shown(&wishes))
}

fn shown(wishes: &Wishes) -> Response {
    let kinds: Vec<Value> = KINDS
        .iter()
        .map(|kind| {
            json!({
                "topic": kind.topic, "about": kind.about, "wanted": people::wants(wishes, kind), "default": kind.default,
            })
        })
        .collect();
    Response::json(&json!({ "kinds": kinds }))
}

/// The caller's id. The token of the host's administrator is nobody's.
fn caller<'a>(request: &Request<'a>) -> Result<&'a str, Problem> {
    match request.caller().id() {
        "" => Err(Problem::new(409, "preferences are those of an account: sign in with one")),
        id => Ok(id),
    }
}

fn ask(notifier: &Notifier<Email>, request: &Request<'_>) -> Result<Response> {
    let link = link(notifier, request)?;
    Ok(page(&format!(
        "<p>{}</p>\n<form method=\"post\"><button>No more of these mails</button></form>",
        escaped(&about(&link))
    )))
}

fn unsubscribe(notifier: &Notifier<Email>, request: &Request<'_>) -> Result<Response> {
    let link = link(notifier, request)?;
    match &link {
        Link::Kind { user, topic } => {
            people::wish(notifier.context(), user, Wishes::from([(topic.clone(), false)]))?;
        }
        Link::Address(address) => {
            let why = Suppression::now(Cause::Unsubscribed, "somebody followed the link in a mail".into());
            suppression::add(notifier.context(), address, &why)?;
        }
    }
    Ok(page(&format!("<p>{}</p>\n<p>You get no more of these.</p>", escaped(&about(&link)))))
}

fn link(notifier: &Notifier<Email>, request: &Request<'_>) -> Result<Link, Problem> {
    let token = request.param("token").unwrap_or_default();
    notifier.provider().links.read(token).ok_or_else(|| {
        Problem::new(404, "this link is not one of ours, or not whole: copy all of it from the mail")
    })
}

fn about(link: &Link) -> String {
    match link {
        Link::Kind { topic, .. } => match people::kind(topic) {
            Some(kind) => format!("Mails that tell: {}.", kind.about),
            None => format!("Mails about {topic}."),
        },
        Link::Address(address) => format!("All mails of this platform to {address}."),
    }
}

fn page(body: &str) -> Response {
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"robots\" content=\"noindex\"><title>Mails</title>\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}}button{{font:inherit;padding:.5rem 1rem}}</style>\
         </head>\n<body>\n<h1>Mails of StreamSpace</h1>\n{body}\n</body>\n</html>\n"
    );
    Response::bytes(html)
        .header("Content-Type", "text/html; charset=utf-8")
        .header("Content-Security-Policy", POLICY)
        .header("Cache-Control", "no-store")
        .header("Referrer-Policy", "no-referrer")
}

fn escaped(said: &str) -> String {
    text::escaped(said, 500, text::entities)
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    after: Option<String>,
    limit: Option<u32>,
}

fn suppressions(notifier: &Notifier<Email>, request: &Request<'_>) -> Result<Response> {
    let asked: Wanted = request.query()?;
    let limit = asked.limit.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        return Err(Problem::new(422, format!("`limit` is {limit}: expected 1 to {PAGE}")).into());
    }
    let page = suppression::page(notifier.context(), asked.after.as_deref(), limit)?;
    let next =
        (page.len() == limit as usize).then(|| page.last().map(|(address, _)| address.clone())).flatten();
    let items: Vec<Value> = page
        .iter()
        .map(|(address, why)| {
            json!({"address": address, "cause": why.cause, "reason": why.reason, "since": why.since})
        })
        .collect();
    Ok(Response::json(&json!({ "items": items, "next": next })))
}

fn lift(notifier: &Notifier<Email>, request: &Request<'_>) -> Result<Response> {
    let address = request.param("address").unwrap_or_default();
    if suppression::remove(notifier.context(), address)? {
        Ok(Response::status(204))
    } else {
        let address = text::plain(address, 254);
        Err(Problem::new(404, format!("`{address}` is not on the list: GET /suppressions shows it")).into())
    }
}
