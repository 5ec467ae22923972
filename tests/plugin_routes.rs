//! HTTP routes of plugins, as clients see them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use streamspace_tests::{Answer, DEADLINE, Host, Installation};

const PLUGIN: &str = "fixture-routes";

fn start() -> Host {
    start_with(|installation| installation)
}

fn start_with(set: impl FnOnce(Installation) -> Installation) -> Host {
    let host = set(Installation::new()).plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

fn get(host: &Host, path: &str) -> Answer {
    host.api().get(&at(path))
}

/// What comes back for bytes as they are, without a client that tidies them up.
fn raw(host: &Host, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {answer}")), answer)
}

fn raw_get(host: &Host, path: &str, headers: &str) -> (u16, String) {
    let token = fs::read_to_string(host.data().join("admin.token")).unwrap();
    let token = token.trim();
    raw(
        host,
        &format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
        ),
    )
}

/// Waits until `count` requests stand at the gate.
fn waiting(host: &Host, count: usize) {
    host.wait_for(DEADLINE, "requests to wait", || {
        let lines = host.log_lines();
        let waiting = lines.iter().filter(|line| line.is_of(PLUGIN) && line.message() == "Waiting.");
        (waiting.count() >= count).then_some(())
    });
}

#[test]
fn every_method_reaches_its_handler_with_parameter_and_body() {
    let host = start();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let body = (method != "GET").then_some(b"hello".as_slice());
        let answer = host.api().send(method, &at("/echo/a%20b"), &[], body).expect(200).json();
        let body = if method == "GET" { "" } else { "hello" };
        assert_eq!(answer, json!({"method": method, "id": "a b", "body": body}));
    }
    assert_eq!(get(&host, "/files/a/b/c").expect(200).body, "a/b/c");
    host.stop();
}

#[test]
fn what_a_client_sends_is_read_into_types_or_refused_with_the_fields_name() {
    let host = start();
    assert_eq!(get(&host, "/query?limit=7&name=a+b").expect(200).json(), json!({"limit": 7, "name": "a b"}));
    for (query, field) in [("limit=s3cret", "limit"), ("name=x", "limit")] {
        let problem = get(&host, &format!("/query?{query}")).problem(&[400]);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(field) && !detail.contains("s3cret"), "{problem}");
    }
    let made = host.api().post_json(&at("/things"), &json!({"name": "n", "count": 3})).expect(201);
    assert_eq!(
        (made.content_type.as_str(), made.json()),
        ("application/json", json!({"name": "n", "count": 3}))
    );
    let problem =
        host.api().post_json(&at("/things"), &json!({"name": "n", "count": "s3cret"})).problem(&[422]);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`count`") && !detail.contains("s3cret"), "{problem}");
    let _ = host.api().send("POST", &at("/things"), &[], Some(b"{\"name")).problem(&[400]);
    let _ = host.api().send("POST", &at("/things"), &[], Some(&[b'x'; 1001])).problem(&[413]);
    host.stop();
}

#[test]
fn a_request_carries_its_caller_its_id_and_never_the_token() {
    let host = start();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [("X-Request-Id", "mine-1"), ("traceparent", trace)];
    let seen = host.api().send("GET", &at("/whole-request?a=%20"), &headers, None).expect(200).json();
    assert_eq!(seen["path"], "/whole-request");
    assert_eq!(
        (&seen["query"], &seen["id"], &seen["traceparent"]),
        (&json!("a=%20"), &json!("mine-1"), &json!(trace))
    );
    assert_eq!(
        (&seen["caller"], &seen["roles"], &seen["may"]),
        (&json!("admin"), &json!(["admin"]), &json!(true))
    );
    assert!(!seen["headers"].as_array().unwrap().contains(&json!("authorization")), "{seen}");

    let (_, answer) = raw_get(&host, &at("/public"), "X-Request-Id: not valid\r\n");
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7, "{answer}");
    host.stop();
}

#[test]
fn a_plugin_is_told_the_clients_address_that_the_host_knows() {
    let told = |host: &Host| {
        let (admin, nobody) = (host.api(), host.api().with_token(None));
        let forged = [("X-Forwarded-For", "192.0.2.7, 198.51.100.2")];
        // Answered at once, by a handler on this thread, and on another one.
        [(&nobody, "/inline-request"), (admin, "/inline-request"), (&nobody, "/public-request")].map(
            |(api, path)| {
                let seen = api.send("GET", &at(path), &forged, None).expect(200).json();
                seen["forwarded_for"].clone()
            },
        )
    };
    let host = start();
    assert_eq!(told(&host), [json!(["127.0.0.1"]), json!(["127.0.0.1"]), json!(["127.0.0.1"])]);
    let seen = get(&host, "/whole-request").expect(200).json();
    assert_eq!(seen["forwarded_for"], json!(["127.0.0.1"]), "of one that says nothing");
    host.stop();
    let host = start_with(|installation| installation.set("sign_in.trusted_proxies", vec!["127.0.0.0/8"]));
    let named = json!(["198.51.100.2"]);
    assert_eq!(told(&host), [named.clone(), named.clone(), named]);
    host.stop();
}

#[test]
fn a_request_that_is_answered_at_once_is_answered_as_every_other() {
    let host = start();
    let nobody = host.api().with_token(None);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers =
        [("X-Request-Id", "mine-1"), ("traceparent", trace), ("X-CSRF-Token", "s3cret"), ("X-Own", "1")];
    // The first goes in front of the web server's own way, the second on it, for its handler runs elsewhere.
    let [at_once, elsewhere] = ["/inline-request?a=%20", "/public-request?a=%20"].map(|path| {
        let answer = nobody.send("GET", &at(path), &headers, None).expect(200);
        let headers = ["x-request-id", "x-content-type-options", "x-after", "content-type", "cache-control"]
            .map(|name| answer.header(name).map(str::to_owned));
        let mut seen = answer.json();
        seen["path"].take();
        seen["headers"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
        (headers, seen)
    });
    assert_eq!(at_once, elsewhere);
    assert_eq!(at_once.0[0].as_deref(), Some("mine-1"));
    let told = at_once.1["headers"].as_array().unwrap();
    assert!(told.contains(&json!("x-own")) && !told.contains(&json!("x-csrf-token")), "{told:?}");

    assert_eq!(host.api().get(&at("/inline-request")).expect(200).json()["caller"], "admin");
    let stopped = nobody.send("GET", &at("/inline-request"), &[("X-Stop", "1")], None).expect(418);
    assert_eq!(stopped.body, "stopped");
    let problem = nobody.get(&at("/inline-panics")).problem(&[500]);
    assert_eq!(problem["code"], "SSP-RTE-017", "{problem}");
    let _ = nobody.send("POST", &at("/inline-request"), &[], None).problem(&[405]);

    let file = host.data().join("a-file.txt");
    fs::write(&file, "0123456789").unwrap();
    let path = at(&format!("/inline-file?path={}", file.display()));
    let part = nobody.send("GET", &path, &[("Range", "bytes=2-4"), ("X-Request-Id", "mine-2")], None);
    let part = part.expect(206);
    assert_eq!((part.body.as_str(), part.header("x-request-id")), ("234", Some("mine-2")));
    let missing = nobody.get(&at("/inline-file?path=/nowhere")).problem(&[500]);
    assert_eq!(missing["code"], "SSP-RTE-020", "{missing}");
    host.stop();
}

#[test]
fn only_public_routes_take_those_who_are_not_signed_in() {
    let host = start();
    let nobody = host.api().with_token(None);
    let problem = nobody.get(&at("/query?limit=1")).problem(&[401]);
    assert_eq!(problem["code"], "SSP-AUT-001");
    let _ = host.api().with_token(Some("wrong")).get(&at("/query?limit=1")).problem(&[401]);
    for path in ["/public", "/inline"] {
        assert_eq!(nobody.get(&at(path)).expect(200).json(), json!({"id": "", "signed_in": false}));
        assert_eq!(get(&host, path).expect(200).json(), json!({"id": "admin", "signed_in": true}));
    }
    host.stop();
}

#[test]
fn nothing_escapes_the_plugins_own_path() {
    let host = start();
    for path in [
        "/..",
        "/../../v1/plugins",
        "/a/../query",
        "/./query",
        "//query",
        "/files//a",
        "/%2e%2e/x",
        "/.%2e/x",
        "/files/a%2fb",
        "/files/a%2Fb",
        "/files/a%5cb",
        "/files/a%00b",
        "/files/%2e%2e%2fx",
        "/files/%ff",
    ] {
        let (status, answer) = raw_get(&host, &at(path), "");
        assert!([400, 404].contains(&status), "{path}: {answer}");
        assert!(answer.contains("application/problem+json"), "{path}: {answer}");
    }
    for path in [
        "/api/plugins/../v1/plugins",
        "/api/plugins/%2e%2e/v1/plugins",
        "/api/plugins//x",
        "/%61pi/plugins/x",
    ] {
        let (status, answer) = raw_get(&host, path, "");
        assert!([400, 404].contains(&status), "{path}: {answer}");
    }
    host.stop();
}

#[test]
fn what_is_not_there_is_said() {
    let host = start();
    for path in ["/api/plugins/nobody/x", &at("/nothing"), &at("/query/"), &at("")] {
        assert_eq!(host.api().get(path).problem(&[404])["code"], "SSP-RTE-011", "{path}");
    }
    assert_eq!(
        host.api().get("/api/plugins/ui/nothing").problem(&[404])["code"],
        "SSP-API-404",
        "no plugin's"
    );
    let (status, answer) = raw_get(&host, &at("/things"), "");
    assert!(status == 405 && answer.contains("\r\nallow: POST\r\n"), "{answer}");
    host.stop();
}

#[test]
fn middleware_runs_before_and_after() {
    let host = start();
    let stopped = host.api().send("GET", &at("/query"), &[("X-Stop", "1")], None).expect(418);
    assert_eq!(stopped.body, "stopped");
    for path in ["/public", "/teapot"] {
        assert!(raw_get(&host, &at(path), "").1.contains("\r\nx-after: yes\r\n"), "{path}");
    }
    host.stop();
}

#[test]
fn what_a_handler_fails_with_goes_to_the_caller_only_if_it_is_a_problem() {
    let host = start();
    assert_eq!(get(&host, "/teapot").problem(&[409])["detail"], "there is tea in it");
    let headers = [("X-Request-Id", "failed-1")];
    let failed = host.api().send("GET", &at("/fails"), &headers, None);
    let problem = failed.problem(&[500]);
    assert_eq!(problem["code"], "SSP-RTE-018");
    assert!(failed.body.contains("failed-1") && !failed.body.contains("a reason of its own"), "{problem}");
    let line = host.logged("the reason", |line| line.is_of(PLUGIN) && line.contains("a reason of its own"));
    assert!(line.contains("failed-1"), "{}", line.raw);
    assert_eq!(get(&host, "/no-status").problem(&[502])["code"], "SSP-RTE-019");
    host.stop();
}

#[test]
fn headers_of_the_connection_and_cookies_are_the_hosts() {
    let host = start();
    let (status, answer) = raw_get(&host, &at("/dangerous"), "");
    let answer = answer.to_ascii_lowercase();
    assert_eq!(status, 200, "{answer}");
    assert!(
        answer.contains("\r\nx-own: kept\r\n") && answer.contains("\r\ncontent-length: 1\r\n"),
        "{answer}"
    );
    assert!(!answer.contains("set-cookie") && !answer.contains("transfer-encoding"), "{answer}");
    host.stop();
}

#[test]
fn panics_are_answered_reported_and_counted() {
    let host = start_with(|installation| installation.set("plugins.panic_limit", 2));
    let problem = get(&host, "/panics").problem(&[500]);
    assert_eq!(problem["code"], "SSP-RTE-017");
    host.logged("the panic", |line| line.is_of(PLUGIN) && line.contains("told to panic in a route"));
    let _ = get(&host, "/panics").problem(&[500]);
    host.wait_state(PLUGIN, "quarantined");
    let problem = get(&host, "/public").problem(&[503]);
    assert!(problem["detail"].as_str().unwrap().contains("quarantined"), "{problem}");
    host.stop();
}

#[test]
fn an_inline_route_must_not_block() {
    let host = start();
    for what in ["storage", "statement", "http"] {
        let said = get(&host, &format!("/inline-blocks/{what}")).expect(200).body;
        assert!(said.contains("could block"), "{what}: {said}");
    }
    // An event that waits for no disk is let through.
    assert_eq!(get(&host, "/inline-blocks/said").expect(200).body, "done");
    host.stop();
    let host =
        start_with(|installation| installation.set("events.durable", vec![format!("plugin.{PLUGIN}.kept")]));
    let said = get(&host, "/inline-blocks/kept").expect(200).body;
    assert!(said.contains("emitting a durable event could block"), "{said}");
    assert_eq!(get(&host, "/inline-blocks/said").expect(200).body, "done");
    host.stop();
}

#[test]
fn a_late_handler_is_answered_for_and_reported() {
    let host = start();
    assert_eq!(get(&host, "/hangs").problem(&[504])["code"], "SSP-RTE-016");
    host.logged("the report", |line| line.is_of(PLUGIN) && line.message() == "A handler hangs.");
    let _ = host.api().post(&at("/open")).expect(204);
    assert_eq!(host.plugin(PLUGIN)["state"], "running");
    host.stop();
}

#[test]
fn a_request_that_hangs_when_its_plugin_is_disabled_is_named_and_holds_up_nobody_else() {
    let host = start_with(|installation| {
        let installation = installation.set("plugins.drain_deadline_secs", 1);
        installation.set("plugins.handler_deadline_secs", 5).plugin("fixture-logger", &json!({}))
    });
    host.wait_state("fixture-logger", "running");
    thread::scope(|scope| {
        let waiter = scope.spawn(|| get(&host, "/waits"));
        waiting(&host, 1);
        let disabling = scope.spawn(|| host.cli(&["plugin", "disable", PLUGIN]));
        host.wait_state(PLUGIN, "retiring");
        let other = host.api().get("/api/plugins/fixture-logger/public").expect(200);
        assert_eq!(other.body, "the logger");
        let plugin = host.wait_state(PLUGIN, "failed");
        let reason = plugin["reason"].as_str().unwrap();
        assert!(reason.contains("`GET /waits` did not end within 1 s"), "{reason}");
        let _ = disabling.join().unwrap();
        // What hangs is given up, and its caller is told when the route's own time is over.
        assert_eq!(waiter.join().unwrap().problem(&[504])["code"], "SSP-RTE-016");
    });
    host.stop();
}

#[test]
fn plugins_may_have_routes_of_the_same_path() {
    let host = start_with(|installation| installation.plugin("fixture-logger", &json!({})));
    host.wait_state("fixture-logger", "running");
    assert_eq!(host.api().get("/api/plugins/fixture-logger/public").expect(200).body, "the logger");
    assert_eq!(get(&host, "/public").expect(200).json()["id"], "admin");
    host.stop();
}

#[test]
fn a_thread_bears_the_plugins_name_while_it_runs_a_request() {
    let host = start();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| get(&host, "/waits").expect(200));
        waiting(&host, 1);
        let tasks = fs::read_dir(format!("/proc/{}/task", host.pid())).unwrap();
        // A thread may end meanwhile.
        let names: Vec<String> =
            tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok()).collect();
        // The system keeps 15 bytes.
        assert!(names.iter().any(|name| name.trim() == "ss:fixture-rout"), "{names:?}");
        host.post_event("test.open", &json!({}));
        waiter.join().unwrap();
    });
    host.stop();
}

#[test]
fn head_is_answered_as_get_without_a_body() {
    let host = start();
    let token = fs::read_to_string(host.data().join("admin.token")).unwrap();
    let head = |path: &str| {
        let token = token.trim();
        raw(
            &host,
            &format!(
                "HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
            ),
        )
    };
    let large = host.scratch().join("large.bin");
    fs::File::create(&large).unwrap().set_len(1 << 30).unwrap();
    for (path, length) in [
        ("/small".to_owned(), Some(198)),
        ("/small-inline".to_owned(), Some(198)),
        (format!("/file?path={}", large.display()), Some(1 << 30)),
        ("/stream?chunks=100000000&bytes=4096".to_owned(), None),
    ] {
        let (status, answer) = head(&at(&path));
        let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!((status, body), (200, ""), "{path}: {answer}");
        let length = length.map(|length: u64| format!("content-length: {length}"));
        let told = headers.lines().find(|line| line.starts_with("content-length"));
        assert_eq!(told, length.as_deref(), "{path}: {answer}");
    }
    host.logged("the end", |line| line.is_of(PLUGIN) && line.message() == "The stream ended early.");
    let (status, answer) = head(&at("/things"));
    assert!(status == 405 && answer.contains("\r\nallow: POST\r\n"), "{answer}");
    let (status, answer) = raw_post(&host, &at("/query"), &token);
    assert!(status == 405 && answer.contains("\r\nallow: GET, HEAD\r\n"), "{answer}");
    host.stop();
}

fn raw_post(host: &Host, path: &str, token: &str) -> (u16, String) {
    let token = token.trim();
    raw(
        host,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\nAuthorization: Bearer {token}\r\n\r\n"
        ),
    )
}

#[test]
fn a_plugin_gets_no_more_requests_at_once_than_it_may() {
    let host = start_with(|installation| installation.set("plugins.max_requests", 2));
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..2).map(|_| scope.spawn(|| get(&host, "/waits").expect(200))).collect();
        waiting(&host, 2);
        let (status, answer) = raw_get(&host, &at("/query?limit=1"), "");
        assert!(status == 503 && answer.contains("SSP-RTE-015"), "{answer}");
        assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
        host.post_event("test.open", &json!({}));
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap().body, "waited");
        }
    });
    host.stop();
}

#[test]
fn a_plugin_that_is_disabled_ends_its_requests_first() {
    let host = start();
    let mut stream = open_stream(&host, "chunks=20000&bytes=4096");
    thread::scope(|scope| {
        let disabling = scope.spawn(|| host.cli(&["plugin", "disable", PLUGIN]).expect(0));
        host.wait_state(PLUGIN, "retiring");
        let (status, answer) = raw_get(&host, &at("/public"), "");
        assert!(status == 503 && answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest.len() > 80_000_000 && rest.ends_with(b"0\r\n\r\n"), "{} bytes", rest.len());
        disabling.join().unwrap();
    });
    let problem = get(&host, "/public").problem(&[503]);
    assert!(
        problem["code"] == "SSP-RTE-014" && problem["detail"].as_str().unwrap().contains("disabled"),
        "{problem}"
    );
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    let _ = get(&host, "/public").expect(200);
    host.stop();
}

#[test]
fn requests_meet_a_plugin_whole_or_not_at_all_while_it_comes_and_goes() {
    let host = start();
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let api = host.api().another();
                let done = &done;
                scope.spawn(move || {
                    let mut served = 0;
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let answer = api.get(&at("/echo/1"));
                        assert!([200, 503].contains(&answer.status), "{answer:?}");
                        served += u32::from(answer.status == 200);
                    }
                    served
                })
            })
            .collect();
        for _ in 0..5 {
            host.cli(&["plugin", "disable", PLUGIN]).expect(0);
            host.cli(&["plugin", "enable", PLUGIN]).expect(0);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for client in clients {
            assert!(client.join().unwrap() > 0, "a client was never served");
        }
    });
    host.stop();
}

#[test]
fn requests_never_meet_an_older_plugin_after_a_newer_one() {
    let host = start();
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let api = host.api().another();
                let done = &done;
                scope.spawn(move || {
                    let mut newest = 0;
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let answer = api.get(&at("/generation"));
                        assert!([200, 404, 503].contains(&answer.status), "{answer:?}");
                        if answer.status == 200 {
                            let generation: u32 = answer.body.parse().unwrap();
                            // One that is installed anew has not been configured yet.
                            assert!(generation == 0 || generation >= newest, "{generation} after {newest}");
                            newest = newest.max(generation);
                        }
                    }
                    newest
                })
            })
            .collect();
        let folder = host.builds().plugin(PLUGIN).to_str().unwrap().to_owned();
        for generation in 1..=3 {
            // A new library's way in, with the old one's record gone.
            host.cli(&["plugin", "uninstall", PLUGIN]).expect(0);
            host.cli(&["plugin", "install", &folder]).expect(0);
            host.configure(PLUGIN, &json!({"generation": generation})).expect(0);
            host.wait_state(PLUGIN, "running");
            assert_eq!(get(&host, "/generation").expect(200).body, generation.to_string());
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for client in clients {
            assert!(client.join().unwrap() > 0, "a client was never served");
        }
    });
    host.stop();
}

#[test]
fn routes_that_are_not_valid_keep_the_plugin_from_loading() {
    for (bad, code) in [("path", "SSP-RTE-001"), ("duplicate", "SSP-RTE-002"), ("conflict", "SSP-RTE-003")] {
        let host = Installation::new().plugin(PLUGIN, &json!({"bad_route": bad})).start();
        let plugin = host.wait_state(PLUGIN, "failed");
        assert!(plugin["reason"].as_str().unwrap().contains(code), "{plugin}");
        let _ = get(&host, "/public").problem(&[503]);
        assert_eq!(host.api().get(&format!("/api/v1/plugins/{PLUGIN}/routes")).json(), json!({"routes": []}));
        host.stop();
    }
}

#[test]
fn the_routes_are_listed() {
    let host = start();
    let listed = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/routes")).expect(200).json();
    let things: &Value = listed["routes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|route| route["method"] == "POST" && route["path"] == at("/things"))
        .unwrap();
    assert_eq!((&things["permissions"], &things["max_body_bytes"]), (&json!(["things.write"]), &json!(1000)));
    assert_eq!(host.cli(&["plugin", "routes", PLUGIN, "--json"]).expect(0).json(), listed);
    assert!(host.cli(&["plugin", "routes", PLUGIN]).expect(0).stdout.contains("things.write"));
    let _ = host.api().get("/api/v1/plugins/nobody/routes").problem(&[404]);
    host.stop();
}

#[test]
fn a_file_is_sent_in_ranges() {
    let host = start();
    let path = host.scratch().join("large.bin");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(b"begin").unwrap();
    file.set_len(1 << 30).unwrap();
    let query = at(&format!("/file?path={}", path.display()));
    let (status, answer) = raw_get(&host, &query, "Range: bytes=0-4\r\n");
    assert!(status == 206 && answer.ends_with("\r\n\r\nbegin"), "{answer}");
    assert!(answer.contains("content-range: bytes 0-4/1073741824"), "{answer}");
    let (status, answer) = raw_get(&host, &query, "Range: bytes=1073741823-\r\n");
    assert!(status == 206 && answer.contains("content-length: 1\r\n"), "{answer}");
    let (status, _) = raw_get(&host, &query, "Range: bytes=2000000000-\r\n");
    assert_eq!(status, 416);
    for path in ["relative", "/dev/zero", "/nowhere/at/all"] {
        assert_eq!(get(&host, &format!("/file?path={path}")).problem(&[500])["code"], "SSP-RTE-020");
        let line = host.logged("the reason", |line| line.is_of(PLUGIN) && line.contains(path));
        assert!(line.message() == "A file that a plugin answers with cannot be read.", "{}", line.raw);
        assert!(line.contains("GET /file") && line.contains("error"), "{}", line.raw);
    }
    host.stop();
}

/// Opens a stream and reads what comes first.
fn open_stream(host: &Host, query: &str) -> TcpStream {
    let token = fs::read_to_string(host.data().join("admin.token")).unwrap();
    let mut stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
        at(&format!("/stream?{query}")),
        token.trim()
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_exact(&mut [0; 1000]).unwrap();
    stream
}

#[test]
fn a_long_stream_takes_no_more_memory_than_a_short_one() {
    let host = start();
    let mut stream = open_stream(&host, "chunks=1000&bytes=4096");
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    let before = host.memory();
    let mut stream = open_stream(&host, "chunks=100000&bytes=4096");
    let bytes = std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    assert!(bytes > 409_000_000, "{bytes}");
    let grown = host.memory().saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB for 400 MB");
    host.stop();
}

#[test]
fn a_client_that_goes_away_ends_the_stream() {
    let host = start();
    drop(open_stream(&host, "chunks=100000000&bytes=4096"));
    host.logged("the end", |line| line.is_of(PLUGIN) && line.message() == "The stream ended early.");
    // It may be disabled at once: nothing of the stream is left.
    host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    assert_eq!(host.plugin(PLUGIN)["state"], "disabled");
    host.stop();
}

#[test]
fn a_stream_that_fails_is_cut_off() {
    let host = start();
    let mut stream = open_stream(&host, "chunks=100&bytes=4096&panic_at=50");
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "it looks whole");
    host.logged("the panic", |line| line.is_of(PLUGIN) && line.contains("told to panic in a stream"));
    host.stop();
}
