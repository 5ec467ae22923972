//! What flows of the Workflows app and connectors refuse of what is posted to them.
//!
//! A flow answers with Azure's errors, and 202 to what it takes. A connector answers 200 nearly always, and says in the body what
//! Teams thought of it: `1` for what is there.

use serde_json::{Value, json};

use super::{Reply, Request};

/// Bytes of a message: <https://learn.microsoft.com/microsoftteams/limits-specifications-teams#chat>. Teams counts what it makes
/// of a card as well, so that less of the card is taken.
const MOST: usize = 21 * 1024;

type Checked = Result<(), &'static str>;

/// What is answered to what breaks no rule.
pub(super) fn taken(request: &Request) -> Reply {
    if is_connector(request) { Reply::new(200).body("1") } else { Reply::new(202) }
}

pub(super) fn check(request: &Request) -> Result<(), Reply> {
    if is_connector(request) { connector(request) } else { flow(request) }
}

fn is_connector(request: &Request) -> bool {
    request.header("host").contains("office.com")
}

fn flow(request: &Request) -> Result<(), Reply> {
    let refused = |status: u16, code: &str| {
        let body = json!({"error": {"code": code, "message": format!("refused at {}", request.path)}});
        Err(Reply::new(status).header("Content-Type", "application/json").body(body.to_string()))
    };
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    if !path.contains("/workflows/") || !path.ends_with("/triggers/manual/paths/invoke") {
        return refused(404, "WorkflowNotFound");
    }
    if !query.split('&').any(|pair| pair.starts_with("sig=") && pair.len() > 4) {
        return refused(401, "DirectApiAuthorizationRequired");
    }
    if request.body.len() > MOST {
        return refused(413, "RequestEntityTooLarge");
    }
    match posted(request).and_then(|message| envelope(&message)) {
        Ok(()) => Ok(()),
        Err(_) => refused(400, "TriggerInputSchemaMismatch"),
    }
}

fn connector(request: &Request) -> Result<(), Reply> {
    if !request.path.starts_with("/webhookb2/") && !request.path.starts_with("/webhook/") {
        return Err(Reply::new(404).body("Connector configuration not found"));
    }
    if request.body.len() > MOST {
        return Err(Reply::new(200).body(
            "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413 with ContextId tcid=0",
        ));
    }
    let checked = posted(request).and_then(|message| {
        if message["type"] == "message" { envelope(&message) } else { message_card(&message) }
    });
    checked.map_err(|why| Reply::new(400).body(why))
}

fn posted(request: &Request) -> Result<Value, &'static str> {
    let json = request.header("content-type").split(';').next().unwrap_or_default().trim();
    ensure(request.method == "POST" && json.eq_ignore_ascii_case("application/json"), "not JSON")?;
    serde_json::from_slice(&request.body).map_err(|_| "Bad payload received by generic incoming webhook.")
}

/// <https://learn.microsoft.com/outlook/actionable-messages/message-card-reference>
fn message_card(card: &Value) -> Checked {
    ensure(card["@type"] == "MessageCard", "Invalid webhook request")?;
    ensure(card["@context"] == "https://schema.org/extensions", "Invalid webhook request")?;
    ensure(is_text(&card["summary"]) || is_text(&card["text"]), "Summary or Text is required.")?;
    let sections = list(card, "sections")?;
    ensure(sections.len() <= 10, "too many sections")?;
    for section in sections {
        for fact in list(section, "facts")? {
            ensure(is_text(&fact["name"]) && is_text(&fact["value"]), "a fact without name or value")?;
            markdown(&fact["value"])?;
        }
    }
    let actions = list(card, "potentialAction")?;
    ensure(actions.len() <= 4, "too many actions")?;
    for action in actions {
        ensure(action["@type"] == "OpenUri" && is_text(&action["name"]), "an action that is none")?;
        address(&action["targets"][0]["uri"])?;
    }
    markdown(&card["title"])?;
    markdown(&card["text"])
}

/// <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using#send-adaptive-cards-using-an-incoming-webhook>
fn envelope(message: &Value) -> Checked {
    ensure(message["type"] == "message", "no message")?;
    let attachments = list(message, "attachments")?;
    ensure(!attachments.is_empty(), "no attachments")?;
    for attachment in attachments {
        ensure(attachment["contentType"] == "application/vnd.microsoft.card.adaptive", "no card")?;
        card(&attachment["content"])?;
    }
    Ok(())
}

fn card(card: &Value) -> Checked {
    ensure(card["type"] == "AdaptiveCard", "no card")?;
    ensure(["1.2", "1.3", "1.4", "1.5"].iter().any(|version| card["version"] == *version), "the version")?;
    let body = list(card, "body")?;
    ensure(!body.is_empty(), "an empty card")?;
    let mut shown = String::new();
    body.iter().try_for_each(|element| self::element(element, &mut shown))?;
    let actions = list(card, "actions")?;
    ensure(actions.len() <= 6, "too many actions")?;
    for action in actions {
        ensure(action["type"] == "Action.OpenUrl" && is_text(&action["title"]), "an action that is none")?;
        address(&action["url"])?;
    }
    let entities = list(&card["msteams"], "entities")?;
    ensure(shown.matches("<at>").count() == entities.len(), "a mention without entity")?;
    for entity in entities {
        let text = entity["text"].as_str().unwrap_or_default();
        ensure(
            entity["type"] == "mention" && text.starts_with("<at>") && shown.contains(text),
            "a mention that is none",
        )?;
        ensure(
            is_text(&entity["mentioned"]["id"]) && is_text(&entity["mentioned"]["name"]),
            "a mention of nobody",
        )?;
    }
    Ok(())
}

fn element(element: &Value, shown: &mut String) -> Checked {
    match element["type"].as_str() {
        Some("TextBlock") => {
            ensure(is_text(&element["text"]), "an empty text")?;
            markdown(&element["text"])?;
            shown.push_str(element["text"].as_str().unwrap_or_default());
            Ok(())
        }
        Some("FactSet") => {
            let facts = list(element, "facts")?;
            ensure(!facts.is_empty(), "no facts")?;
            for fact in facts {
                ensure(is_text(&fact["title"]) && is_text(&fact["value"]), "a fact without title or value")?;
                markdown(&fact["value"])?;
            }
            Ok(())
        }
        Some("Container") => {
            let styles = ["default", "emphasis", "good", "attention", "warning", "accent"];
            ensure(styles.iter().any(|style| element["style"] == *style), "the style")?;
            list(element, "items")?.iter().try_for_each(|item| self::element(item, shown))
        }
        _ => Err("an element that is none"),
    }
}

/// The plugin writes no links or code of its own, so that what is one came from a user.
fn markdown(text: &Value) -> Checked {
    let text = text.as_str().unwrap_or_default();
    let mut before = ' ';
    for c in text.chars() {
        ensure(before == '\\' || !matches!(c, '[' | '`' | '*'), "a user's markup")?;
        before = if before == '\\' { ' ' } else { c };
    }
    Ok(())
}

fn address(url: &Value) -> Checked {
    let url = url.as_str().unwrap_or_default();
    ensure(url.starts_with("https://") || url.starts_with("http://"), "an address that is none")
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn list<'a>(of: &'a Value, key: &str) -> Result<&'a [Value], &'static str> {
    match of.get(key) {
        None => Ok(&[]),
        Some(value) => value.as_array().map(Vec::as_slice).ok_or("no list"),
    }
}

fn ensure(holds: bool, why: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(why) }
}
