//! The document of the HTTP interface: OpenAPI 3.1.
//!
//! Each handler is described beside its function, with `#[utoipa::path]`. The list in `operations.rs` has them mounted
//! and described, both from there. What holds for all of them is added here, and so are plugins' routes.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse, http::Method, web};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::{
    Edge, auth,
    needs::Needs,
    operations::{Described, Operation, documented, operations},
};
use crate::routes::RouteView;

/// The media type of problem documents.
const PROBLEM: &str = "application/problem+json";

/// `GET /api/openapi.json`
///
/// This document. Plugins' routes are in it for those who are signed in.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    security(()),
    responses((status = 200, description = "The document", body = Object)),
)]
pub(super) async fn show(request: HttpRequest, edge: web::Data<Edge>) -> HttpResponse {
    static HOST: LazyLock<Value> = LazyLock::new(host_document);
    let mut document = HOST.clone();
    if auth::identify(&request).await.is_ok_and(|identity| identity.is_some())
        && let Some(paths) = document["paths"].as_object_mut()
    {
        for (plugin, routes) in edge.routes.all_views() {
            for route in routes {
                let item = paths.entry(path_of(&route)).or_insert_with(|| json!({}));
                if let Some(item) = item.as_object_mut() {
                    item.entry(route.method.to_lowercase()).or_insert_with(|| operation_of(&plugin, &route));
                }
            }
        }
    }
    HttpResponse::Ok().json(document)
}

/// What the host itself answers, without plugins' routes.
#[must_use]
pub fn host_document() -> Value {
    // What is serialized are maps, texts and numbers.
    let mut document = serde_json::to_value(Described::openapi()).unwrap_or_default();
    if let Value::Object(paths) = document["paths"].take() {
        let paths = paths.into_iter().map(|(path, item)| (documented(&path), item));
        document["paths"] = Value::Object(paths.collect());
    }
    for operation in operations() {
        let method = operation.method.as_str().to_lowercase();
        complete(&operation, &mut document["paths"][documented(&operation.path)][method]);
    }
    document
}

/// How calls that change something are signed in: with the cookie they take more.
fn to_change() -> Value {
    json!([{"token": []}, {"cookie": [], "csrf": []}])
}

/// Adds to an operation what is not said of each one by itself.
fn complete(Operation { path, method, needs, .. }: &Operation, operation: &mut Value) {
    // Functions have their names from their file's subject.
    let id = format!("{}.{}", text(&operation["tags"][0]), text(&operation["operationId"]));
    operation["operationId"] = id.into();
    // The first line repeats the path. The one after it says what the operation is for.
    let description = text(&operation["description"]).trim().to_owned();
    let (summary, rest) = description.split_once("\n\n").unwrap_or((&description, ""));
    operation["summary"] = summary.replace('\n', " ").into();
    operation["description"] = rest.into();
    let changes = *method != Method::GET;
    let signed_in = operation.get("security").is_none();
    if signed_in && changes {
        operation["security"] = to_change();
    }
    if let Needs::Permission(permission) = needs {
        operation["x-permissions"] = json!([permission]);
    }
    let takes_body = operation.get("requestBody").is_some();
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    let mut also = |status: &str, description: &str| {
        responses.entry(status).or_insert_with(|| json!({"description": description}));
    };
    if signed_in {
        also("401", "Nobody is signed in");
    }
    let refused = match needs {
        Needs::Permission(permission) => {
            Some(format!("The caller does not have the permission `{permission}`"))
        }
        Needs::Everything => Some("The caller does not have the role `admin`".to_owned()),
        Needs::SignIn if changes => {
            Some("The call has a cookie, and comes from another site's page".to_owned())
        }
        Needs::SignIn | Needs::Nothing => None,
    };
    if let Some(refused) = refused {
        also("403", &refused);
    }
    if takes_body {
        also("400", "The body is not what is expected");
        also("408", "The body did not arrive in time");
        also("413", "The body is larger than `server.max_body_bytes`");
    }
    if path.starts_with("/api/v1/") {
        also("500", "The host cannot do it");
        also("503", "The host's database cannot be used, or the host is stopping");
    }
    for (status, response) in responses {
        if status.starts_with(['4', '5']) && response.get("content").is_none() {
            response["content"] = problem();
        }
        if matches!(status.as_str(), "429" | "503") {
            response["headers"]["Retry-After"] = json!({
                "description": "After how many seconds to try again, if that is known",
                "schema": {"type": "integer", "minimum": 1},
            });
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn problem() -> Value {
    json!({PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}})
}

/// A route's path: parameters that match several segments have no form of their own in OpenAPI.
fn path_of(route: &RouteView) -> String {
    route.path.replace("{*", "{").replace("{{", "%7B").replace("}}", "%7D")
}

/// What is known of a plugin's route: how it is called. What it answers is the plugin's.
fn operation_of(plugin: &str, route: &RouteView) -> Value {
    let parameters: Vec<Value> = parameters(&route.path).map(parameter).collect();
    let mut responses = Map::new();
    // Of what type it is, and whether it has a body, is not known.
    responses.insert("default".into(), json!({"description": "What the plugin answers"}));
    responses.insert("204".into(), json!({"description": "What the plugin answers, if that has no content"}));
    let mut host = |status: &str, description: &str| {
        // A plugin may answer with the same status, and with what it likes.
        let mut content = problem();
        content["*/*"] = json!({});
        responses.insert(status.into(), json!({"description": description, "content": content}));
    };
    host("400", "The path could be read in two ways, or the body did not arrive whole");
    if !route.public {
        host("401", "Nobody is signed in");
        host("403", "The caller is not permitted what the route asks for");
    }
    host("404", "The plugin has no such route any more");
    host("405", "The plugin's route has other methods by now");
    host("408", "The body did not arrive in time");
    host("413", "The body is larger than the route takes");
    host("500", "The plugin's handler failed");
    host("502", "The plugin's answer is none");
    host("503", "The plugin does not run, or has enough to do");
    host("504", "The plugin's handler is late");
    if route.websocket {
        host("101", "The WebSocket is open");
        host("426", "This is no WebSocket's handshake");
    }
    let summary = route.description.lines().next().filter(|line| !line.is_empty());
    let mut operation = json!({
        "tags": [format!("plugin {plugin}")],
        "operationId": format!("{plugin}: {} {}", route.method, route.path),
        "summary": summary.unwrap_or("A route of the plugin"),
        "description": route.description,
        "parameters": parameters,
        "responses": responses,
        "x-permissions": route.permissions,
        "x-max-body-bytes": route.max_body_bytes,
        "x-timeout-ms": route.timeout_ms,
    });
    if route.public {
        operation["security"] = json!([]);
    } else if route.method != "GET" {
        operation["security"] = to_change();
    }
    if route.method != "GET" {
        operation["requestBody"] = json!({
            "description": format!("At most {} bytes", route.max_body_bytes),
            "content": {"*/*": {}},
        });
    }
    operation
}

/// The names of a path's parameters, and whether each takes several segments.
fn parameters(path: &str) -> impl Iterator<Item = (&str, bool)> {
    path.split('/').flat_map(|segment| segment.split('{').skip(1)).filter_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        let several = name.strip_prefix('*');
        (!name.is_empty()).then(|| (several.unwrap_or(name), several.is_some()))
    })
}

fn parameter((name, several): (&str, bool)) -> Value {
    let description = if several { "The rest of the path, of one or more segments" } else { "One segment" };
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": description,
        "schema": {"type": "string", "minLength": 1},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, path: &str, public: bool) -> RouteView {
        RouteView {
            method: method.to_owned(),
            path: path.to_owned(),
            permissions: Vec::new(),
            public,
            inline: false,
            max_body_bytes: 10,
            timeout_ms: 20,
            description: "Does it.\nIn full.".to_owned(),
            websocket: false,
        }
    }

    #[test]
    fn a_plugins_path_is_written_as_openapi_has_it() {
        let route = route("POST", "/api/plugins/p/a/{id}/x{n}.json/{*rest}", false);
        assert_eq!(path_of(&route), "/api/plugins/p/a/{id}/x{n}.json/{rest}");
        let operation = operation_of("p", &route);
        let names: Vec<&str> = operation["parameters"]
            .as_array()
            .map(|all| all.iter().map(|one| text(&one["name"])).collect())
            .unwrap_or_default();
        assert_eq!(names, ["id", "n", "rest"]);
        assert_eq!(operation["summary"], "Does it.");
        assert!(
            operation["responses"]["401"].is_object() && operation["requestBody"].is_object(),
            "{operation}"
        );
    }

    #[test]
    fn a_public_route_asks_for_nobody() {
        let operation = operation_of("p", &route("GET", "/api/plugins/p/a", true));
        assert_eq!(operation["security"], json!([]));
        assert!(operation["responses"].get("401").is_none() && operation.get("requestBody").is_none());
    }

    #[test]
    fn every_refusal_is_a_problem_document() {
        let document = host_document();
        let mut seen = 0;
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                    let refused = status.starts_with(['4', '5']);
                    assert_eq!(
                        refused,
                        response["content"].get(PROBLEM).is_some(),
                        "{method} {path} {status}"
                    );
                    seen += usize::from(refused);
                }
            }
        }
        assert!(seen > 20, "{seen}");
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let document = host_document();
        let mut names = std::collections::BTreeSet::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                assert!(names.insert(text(&operation["operationId"]).to_owned()), "{method} {path}");
                assert!(!text(&operation["summary"]).is_empty(), "{method} {path}");
            }
        }
    }
}
