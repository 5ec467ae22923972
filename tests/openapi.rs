//! The document of the HTTP interface, as clients get it.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use serde_json::{Value, json};
use streamspace_tests::{Host, Installation};

const PLUGIN: &str = "fixture-routes";
const DOCUMENT: &str = "/api/openapi.json";

fn start() -> Host {
    let host = Installation::new().plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn plugin_paths(document: &Value) -> usize {
    let paths = document["paths"].as_object().unwrap();
    let of_plugins =
        |path: &&String| path.starts_with("/api/plugins/") && !path.starts_with("/api/plugins/ui");
    paths.keys().filter(of_plugins).count()
}

#[test]
fn plugins_routes_are_in_the_document_while_they_are_served() {
    let host = start();
    let document = host.api().get(DOCUMENT).expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    let things = &document["paths"]["/api/plugins/fixture-routes/things"]["post"];
    assert_eq!(things["x-permissions"], json!(["things.write"]));
    assert_eq!(things["x-max-body-bytes"], 1000);
    let public = &document["paths"]["/api/plugins/fixture-routes/public"]["get"];
    assert_eq!(public["security"], json!([]));
    let echo = &document["paths"]["/api/plugins/fixture-routes/echo/{id}"]["get"];
    assert_eq!(echo["parameters"][0]["name"], "id");

    host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    assert_eq!(plugin_paths(&host.api().get(DOCUMENT).expect(200).json()), 0);
    host.stop();
}

#[test]
fn who_is_not_signed_in_gets_the_hosts_own_part() {
    let host = start();
    let document = host.api().with_token(None).get(DOCUMENT).expect(200).json();
    assert_eq!(plugin_paths(&document), 0);
    assert!(document["paths"]["/api/v1/plugins"]["get"].is_object(), "{document}");
    assert_eq!(host.cli(&["openapi"]).expect(0).json(), document);
    host.stop();
}

/// Every operation of the document is there, and says `Allow` where another method is used.
#[test]
fn what_the_document_says_is_there() {
    let host = start();
    let document = host.api().with_token(None).get(DOCUMENT).expect(200).json();
    let nobody = host.api().with_token(None);
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{event}", "9e5b6a8e-8f26-4d52-9b0a-111111111111").replace(['{', '}'], "");
        for (method, operation) in item.as_object().unwrap() {
            let answer = nobody.send(&method.to_uppercase(), &path, &[], None);
            let status = answer.status.to_string();
            assert!(operation["responses"].get(&status).is_some(), "{method} {path}: {answer:?}");
            // One of the ways to sign in is to take none.
            let security = operation.get("security").unwrap_or(&document["security"]).as_array().unwrap();
            if !security.contains(&json!({})) {
                let _ = answer.problem(&[401]);
            }
        }
        if item.get("get").is_some() {
            let head = nobody.send("HEAD", &path, &[], None);
            assert!(head.status != 405 && head.body.is_empty(), "{path}: {head:?}");
        }
        let _ = nobody.send("OPTIONS", &path, &[], None).problem(&[405]);
    }
    host.stop();
}
