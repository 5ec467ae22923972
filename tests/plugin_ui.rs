//! What plugins show in the console, as the console and operators read it.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation};

const PLUGIN: &str = "fixture-ui";
/// The name of a list in the answer that has all, and the end of its own path.
const LISTS: [(&str, &str); 6] = [
    ("widgets", "widgets"),
    ("admin_widgets", "admin-widgets"),
    ("pages", "pages"),
    ("admin_pages", "admin-pages"),
    ("menu_items", "menu-items"),
    ("settings_pages", "settings-pages"),
];

fn start() -> Host {
    let host = Installation::new().plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn all(host: &Host) -> Value {
    host.api().get("/api/plugins/ui").expect(200).json()
}

/// One of a list, by its id.
#[track_caller]
fn one(list: &Value, kind: &str, id: &str) -> Value {
    let found = list[kind].as_array().unwrap().iter().find(|one| one["id"] == id);
    found.unwrap_or_else(|| panic!("there is no `{id}` in {kind}: {list}")).clone()
}

fn ids(list: &Value, kind: &str) -> Vec<String> {
    list[kind].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// The status, the headers in lower case, and the body, for a path as it is: without a client that tidies it up.
fn raw_get(host: &Host, path: &str, more: &str) -> (u16, String, String) {
    let token = fs::read_to_string(host.data().join("admin.token")).unwrap();
    let mut stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let authorization = format!("Authorization: Bearer {}\r\n", token.trim());
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}{more}\r\n")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

/// The path of the module that draws one of the widgets.
fn module(host: &Host) -> String {
    one(&all(host), "widgets", "drawn")["component"]["module"].as_str().unwrap().to_owned()
}

#[test]
fn every_kind_is_listed_with_every_field_and_default() {
    let host = start();
    let list = all(&host);
    let module = module(&host);
    assert_eq!(
        one(&list, "widgets", "usage"),
        json!({
            "plugin": PLUGIN, "id": "usage", "title": "Usage", "description": "How much was used", "icon": "timer",
            "position": "sidebar", "width": "half", "order": 20, "permissions": ["usage.read", "read:sessions"],
            "component": null, "api_base": "/api/plugins/fixture-ui",
            "view": {
                "type": "stat", "source": "/usage?days=7", "value": "/total", "label": "This week", "format": "duration",
                "unit": "h", "refresh_secs": 60
            }
        })
    );
    assert_eq!(
        one(&list, "widgets", "plain"),
        json!({
            "plugin": PLUGIN, "id": "plain", "title": "Plain", "description": null, "icon": null,
            "position": "top", "width": "full", "order": 1000, "permissions": [], "component": null,
            "api_base": "/api/plugins/fixture-ui",
            "view": {"type": "markdown", "text": "*Nothing* said.", "value": ""}
        })
    );
    let drawn = one(&list, "widgets", "drawn");
    assert_eq!(drawn["component"], json!({"name": "fixture-usage", "module": module}));
    assert_eq!(
        (&drawn["view"], &drawn["position"], &drawn["width"]),
        (&json!(null), &json!("bottom"), &json!("third"))
    );
    let admin = one(&list, "admin_widgets", "all-usage");
    assert_eq!((&admin["permissions"], &admin["view"]["kind"]), (&json!(["admin"]), &json!("area")));
    let page = one(&list, "pages", "report");
    assert_eq!(
        (&page["path"], &page["menu_label"], &page["icon"], &page["view"]["children"][0]["page_size"]),
        (&json!("/plugins/fixture-ui/reports/monthly"), &json!("Usage"), &json!("report"), &json!(50))
    );
    let page = one(&list, "pages", "hidden");
    assert_eq!((&page["path"], &page["menu_label"]), (&json!("/plugins/fixture-ui/hidden"), &json!(null)));
    let page = one(&list, "admin_pages", "quotas");
    assert_eq!(
        (&page["path"], &page["order"], &page["permissions"], &page["view"]["submit"]),
        (
            &json!("/admin/plugins/fixture-ui/quotas"),
            &json!(3),
            &json!(["admin", "usage.write"]),
            &json!({"method": "PATCH", "path": "/quotas"})
        )
    );
    let item = |id: &str| one(&list, "menu_items", id);
    assert_eq!(
        item("start"),
        json!({
            "plugin": PLUGIN, "id": "start", "label": "Start", "description": null, "icon": "home", "order": 1200,
            "path": "/plugins/fixture-ui/report?tab=1", "external": false, "permissions": [], "component": null,
            "api_base": "/api/plugins/fixture-ui"
        })
    );
    assert_eq!(
        (
            &item("help")["path"],
            &item("help")["external"],
            &item("help")["permissions"],
            &item("help")["order"]
        ),
        (&json!("https://example.com/help"), &json!(true), &json!(["help.read"]), &json!(1000))
    );
    assert_eq!(item("own")["component"]["name"], "fixture-usage");
    let settings = one(&list, "settings_pages", "settings");
    assert_eq!(
        (&settings["path"], &settings["permissions"], &settings["view"], &settings["component"]),
        (&json!("/admin/plugins/fixture-ui/settings"), &json!(["admin"]), &json!(null), &json!(null))
    );
    host.stop();
}

#[test]
fn each_list_is_a_part_of_all_and_sorted_by_order() {
    let host = start();
    let list = all(&host);
    assert_eq!(host.api().get("/api/plugins/ui/components").expect(200).json(), list);
    for (name, path) in LISTS {
        let alone = host.api().get(&format!("/api/plugins/ui/{path}")).expect(200).json();
        assert_eq!(alone, json!({name: list[name]}));
        let orders: Vec<_> = list[name].as_array().unwrap().iter().map(|one| one["order"].as_u64()).collect();
        assert!(!orders.is_empty() && orders.is_sorted(), "{name}: {orders:?}");
    }
    assert_eq!(ids(&list, "widgets"), ["drawn", "usage", "old-widget", "plain"]);
    assert_eq!(ids(&list, "pages"), ["report", "declared", "hidden"]);
    assert_eq!(ids(&list, "menu_items"), ["help", "own", "start"]);
    host.stop();
}

#[test]
fn what_the_manifest_declares_is_listed_unless_code_registers_it() {
    let host = start();
    let list = all(&host);
    let widget = one(&list, "widgets", "old-widget");
    assert_eq!(
        (&widget["position"], &widget["component"], &widget["view"]),
        (&json!("sidebar"), &json!({"name": "OldWidget", "module": null}), &json!(null))
    );
    let page = one(&list, "pages", "declared");
    assert_eq!(
        (&page["path"], &page["order"], &page["permissions"], &page["menu_label"], &page["view"]["format"]),
        (
            &json!("/plugins/fixture-ui/declared/here"),
            &json!(7),
            &json!(["usage.read"]),
            &json!("Declared"),
            &json!("text")
        )
    );
    assert_eq!(one(&list, "admin_pages", "old-admin")["path"], "/admin/plugins/fixture-ui/old");
    let health = one(&list, "admin_widgets", "old-health");
    assert_eq!((&health["width"], &health["description"]), (&json!("half"), &json!("How it is")));
    assert_eq!(one(&list, "pages", "report")["title"], "Report");
    let warned = host
        .log_lines()
        .iter()
        .any(|line| line.is_of(PLUGIN) && line.message() == "The manifest's `ui` has a flaw.");
    assert!(warned, "`right-sidebar` is not noted");
    host.stop();
}

#[test]
fn every_view_that_is_served_is_valid_by_the_schema_that_is_served() {
    let host = start();
    let answer = host.api().with_token(None).get("/api/v1/schemas/ui.json").expect(200);
    assert_eq!(answer.content_type, "application/schema+json");
    let schema = jsonschema::draft202012::new(&answer.json()).unwrap();
    let list = all(&host);
    let views: Vec<&Value> = LISTS
        .iter()
        .flat_map(|(name, _)| list[*name].as_array().unwrap())
        .map(|one| &one["view"])
        .filter(|view| !view.is_null())
        .collect();
    assert_eq!(views.len(), 6);
    for view in views {
        assert!(schema.is_valid(view), "{view}");
    }
    assert!(!schema.is_valid(&json!({"type": "stat", "source": "/../x", "value": ""})));
    host.stop();
}

#[test]
fn what_is_not_valid_keeps_the_plugin_from_loading_with_a_sentence() {
    let host = start();
    for (bad, code, says) in [
        ("id", "SSP-UIC-001", "the widget `Not_One`: `id`: expected lower-case words joined by `-`"),
        ("title", "SSP-UIC-001", "the page `x`: `title`: expected 1 to 100 characters, found \"\""),
        ("duplicate", "SSP-UIC-002", "the widget `usage` is there twice"),
        ("settings", "SSP-UIC-002", "the settings page `settings` is there twice"),
        ("same-path", "SSP-UIC-003", "which `report` has too"),
        ("order", "SSP-UIC-001", "`order`: expected 0 to 1000, found \"1001\""),
        ("menu-order", "SSP-UIC-001", "`order`: expected 1000 to 9999, found \"100\""),
        ("path", "SSP-UIC-001", "`path`: expected segments"),
        ("source-up", "SSP-UIC-004", "`view.source`: expected a path below the plugin's own"),
        ("source-host", "SSP-UIC-004", "`view.source`"),
        ("source-url", "SSP-UIC-004", "`view.source`"),
        ("source-encoded", "SSP-UIC-004", "`view.source`"),
        ("submit", "SSP-UIC-004", "`view.submit.path`"),
        (
            "menu",
            "SSP-UIC-001",
            "`path`: expected a path of the console such as `/plugins/NAME/report`, or an https address",
        ),
        ("element", "SSP-UIC-001", "`component`: expected the name of a custom element"),
        ("module", "SSP-UIC-005", "found \"../manifest.json\", which is not there"),
        ("style", "SSP-UIC-005", "`module`: expected a JavaScript file"),
        ("permission", "SSP-UIC-001", "`permissions`: expected a permission"),
        ("neither", "SSP-UIC-001", "`view`: expected either a view or a component, found \"neither\""),
        ("both", "SSP-UIC-001", "found \"both\""),
        ("deep", "SSP-UIC-004", "expected at most 4 stacks within each other"),
        ("large", "SSP-UIC-004", "expected at most 65536 bytes"),
        ("many", "SSP-UIC-006", "expected at most 200 contributions of one plugin"),
    ] {
        let view = host
            .api()
            .patch(&format!("/api/v1/plugins/{PLUGIN}/config"), &json!({"bad": bad}))
            .expect(200)
            .json();
        let reason = view["reason"].as_str().unwrap_or_default();
        assert_eq!(view["state"], "failed", "{bad}: {view}");
        assert!(reason.contains(says) && reason.contains(code), "{bad}: {reason}");
        assert!(all(&host)["widgets"].as_array().unwrap().is_empty(), "{bad}");
    }
    let view = host
        .api()
        .patch(&format!("/api/v1/plugins/{PLUGIN}/config"), &json!({"bad": "none"}))
        .expect(200)
        .json();
    assert_eq!(view["state"], "running", "{view}");
    assert!(!all(&host)["widgets"].as_array().unwrap().is_empty());
    host.stop();
}

#[test]
fn an_asset_is_served_for_good_and_under_a_strict_policy() {
    let host = start();
    let module = module(&host);
    assert!(module.starts_with("/api/plugins/ui/assets/fixture-ui/"), "{module}");
    let base = module.strip_suffix("usage.js").unwrap();
    for (file, media) in [
        ("usage.js", "text/javascript; charset=utf-8"),
        ("lib/hours.js", "text/javascript; charset=utf-8"),
        ("usage.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let (status, head, body) = raw_get(&host, &format!("{base}{file}"), "");
        assert_eq!(status, 200, "{file}");
        let source = streamspace_tests::workspace().join("tests/fixtures/fixture-ui/ui").join(file);
        assert_eq!(body, fs::read_to_string(source).unwrap());
        for header in [
            &format!("content-type: {media}"),
            "x-content-type-options: nosniff",
            "cache-control: private, max-age=31536000, immutable",
            "cross-origin-resource-policy: same-origin",
            "content-security-policy: default-src 'none'; img-src 'self'; style-src 'self'; font-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'; sandbox",
        ] {
            assert!(head.lines().any(|line| line == header), "{file}: `{header}` is missing in {head}");
        }
        assert!(!head.contains("content-disposition"), "{head}");
    }
    let (_, head, _) = raw_get(&host, &module, "");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let (status, head, body) = raw_get(&host, &module, &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((status, body.as_str()), (304, ""));
    assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
    let _ = host.api().send("HEAD", &module, &[], None).expect(200);
    let _ = host.api().post(&module).problem(&[405]);
    host.stop();
}

#[test]
fn nothing_but_the_assets_is_served() {
    let host = start();
    let module = module(&host);
    let base = module.strip_suffix("usage.js").unwrap();
    let plugin = format!("/api/plugins/ui/assets/{PLUGIN}/");
    let hash = base.strip_prefix(&plugin).unwrap().trim_end_matches('/');
    for path in [
        "",
        "lib",
        "lib/",
        "../manifest.json",
        "..%2fmanifest.json",
        "%2e%2e/manifest.json",
        "%2e%2e%2fmanifest.json",
        "lib/../usage.js",
        "./usage.js",
        "lib//hours.js",
        "lib%2fhours.js",
        "lib\\hours.js",
        "usage.js/",
        "usage.js%00.css",
        "manifest.json",
        "libfixture_ui.so",
        "none.js",
        "USAGE.JS",
        "../../../../../admin.token",
        "..%5c..%5cadmin.token",
        "/etc/passwd",
        "%2fetc%2fpasswd",
    ] {
        let (status, _, body) = raw_get(&host, &format!("{base}{path}"), "");
        assert_eq!(status, 404, "{path}: {body}");
        assert!(body.contains("SSP-UIC-010"), "{path}: {body}");
    }
    let zeros = "0".repeat(64);
    for path in [
        format!("{plugin}{zeros}/usage.js"),
        format!("{plugin}usage.js"),
        format!("{plugin}../{PLUGIN}/{hash}/usage.js"),
        format!("/api/plugins/ui/assets/streamspace-slack/{hash}/usage.js"),
        "/api/plugins/ui/assets/".to_owned(),
        "/api/plugins/ui/assets".to_owned(),
        "/api/plugins/ui/none".to_owned(),
    ] {
        let (status, _, body) = raw_get(&host, &path, "");
        assert!(status == 404 || status == 400, "{path}: {status} {body}");
    }
    host.stop();
}

#[test]
fn lists_and_assets_are_for_those_who_are_signed_in() {
    let host = start();
    let module = module(&host);
    let nobody = host.api().with_token(None);
    for (_, path) in LISTS {
        let _ = nobody.get(&format!("/api/plugins/ui/{path}")).problem(&[401]);
    }
    for path in ["/api/plugins/ui", "/api/plugins/ui/components", &module] {
        let _ = nobody.get(path).problem(&[401]);
    }
    let _ = nobody.get(&format!("/api/v1/plugins/{PLUGIN}/contributions")).problem(&[401]);
    let _ = host.api().post("/api/plugins/ui").problem(&[405]);
    host.stop();
}

#[test]
fn what_a_plugin_shows_goes_and_comes_with_it() {
    let host = start();
    let (before, module) = (all(&host), module(&host));
    let _ = host.api().post(&format!("/api/v1/plugins/{PLUGIN}/disable")).expect(200);
    for (name, _) in LISTS {
        assert_eq!(all(&host)[name], json!([]), "{name}");
    }
    let _ = host.api().get(&module).problem(&[404]);
    let none = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/contributions")).expect(200).json();
    assert_eq!(none["widgets"], json!([]));
    let _ = host.api().post(&format!("/api/v1/plugins/{PLUGIN}/enable")).expect(200);
    assert_eq!(all(&host), before);
    let _ = host.api().get(&module).expect(200);
    let _ = host.api().delete(&format!("/api/v1/plugins/{PLUGIN}")).expect(204);
    assert_eq!(all(&host)["pages"], json!([]));
    let _ = host.api().get(&module).problem(&[404]);
    let _ = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/contributions")).problem(&[404]);
    host.stop();
}

#[test]
fn other_assets_have_another_address() {
    let installation = Installation::new();
    let changed = installation.copy(PLUGIN, "changed");
    fs::write(Path::new(changed.path()).join("ui/lib/hours.js"), "export const hours = () => 'changed';\n")
        .unwrap();
    let host = installation.plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    let before = module(&host);
    let _ = host.api().delete(&format!("/api/v1/plugins/{PLUGIN}")).expect(204);
    host.cli(&["plugin", "install", changed.path()]).expect(0);
    host.wait_state(PLUGIN, "running");
    assert_ne!(module(&host), before);
    let _ = host.api().get(&before).problem(&[404]);
    host.stop();
}

#[cfg(unix)]
#[test]
fn a_package_whose_assets_lead_elsewhere_or_are_of_no_known_type_is_not_installed() {
    use std::os::unix::fs::symlink;
    let installation = Installation::new();
    let secret = installation.scratch().join("secret.js");
    fs::write(&secret, "secret").unwrap();
    let said = |name: &str, spoil: &dyn Fn(&Path)| {
        let package = installation.copy(PLUGIN, name);
        spoil(&Path::new(package.path()).join("ui"));
        installation.install(Path::new(package.path())).expect(1).stderr
    };
    let said_of_link = said("link", &|ui| symlink(&secret, ui.join("link.js")).unwrap());
    assert!(said_of_link.contains("link.js") && said_of_link.contains("found a link"), "{said_of_link}");
    let said_of_folder = said("folder", &|ui| symlink("/etc", ui.join("etc")).unwrap());
    assert!(said_of_folder.contains("found a link"), "{said_of_folder}");
    let said_of_page = said("page", &|ui| fs::write(ui.join("page.html"), "<script>").unwrap());
    assert!(
        said_of_page.contains("page.html") && said_of_page.contains("ends with one of js"),
        "{said_of_page}"
    );
    let said_of_large =
        said("large", &|ui| fs::File::create(ui.join("a.js")).unwrap().set_len(9 << 20).unwrap());
    assert!(said_of_large.contains("at most 8388608 bytes"), "{said_of_large}");
    assert!(
        installation.cli(&["plugin", "list", "--json"]).expect(0).json()["plugins"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_manifest_is_checked_with_what_it_declares() {
    let installation = Installation::new();
    let file = Path::new(installation.builds().plugin(PLUGIN)).join("manifest.json");
    let check = |file: &Path| installation.cli(&["manifest", "check", file.to_str().unwrap()]);
    let said = check(&file).expect(0).stdout;
    assert!(said.contains("the position \"right-sidebar\" is taken for sidebar"), "{said}");
    let wrong = installation.scratch().join("manifest.json");
    fs::write(&wrong, fs::read_to_string(&file).unwrap().replace("\"/usage\"", "\"/../usage\"")).unwrap();
    let said = check(&wrong).expect(1).stderr;
    assert!(
        said.contains("the page `declared`: `view.source`: expected a path below the plugin's own"),
        "{said}"
    );
}

#[test]
fn no_plugin_takes_the_name_that_the_lists_are_at() {
    let installation = Installation::new();
    let package = installation.copy(PLUGIN, "named-ui");
    let manifest = Path::new(package.path()).join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap().replace("\"name\": \"fixture-ui\"", "\"name\": \"ui\"");
    fs::remove_file(&manifest).unwrap();
    fs::write(&manifest, text).unwrap();
    let said = installation.install(Path::new(package.path())).expect(1).stderr;
    assert!(said.contains("\"ui\" is a name that the host keeps for itself"), "{said}");
}

#[test]
fn operators_list_what_a_plugin_shows() {
    let host = start();
    let list = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/contributions")).expect(200).json();
    assert_eq!(list, all(&host));
    let json = host.cli(&["plugin", "contributions", PLUGIN, "--json"]).expect(0).json();
    assert_eq!(json, list);
    let text = host.cli(&["plugin", "contributions", PLUGIN]).expect(0).stdout;
    for part in [
        "widget ",
        "usage.read",
        "/admin/plugins/fixture-ui/quotas",
        "https://example.com/help",
        "(sidebar, half)",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    host.cli(&["plugin", "contributions", "fixture-none"]).expect(1);
    host.stop();
}
