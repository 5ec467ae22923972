//! Who is let in, to which handler, and what is answered instead.

use serde_json::{Value, json};
use streamspace_tests::{Answer, Api};

use crate::socket::{
    PLUGIN, Refused, at, bearer, open, open_with, read_text, refused, start, start_with, text, wait_open,
};

#[test]
fn what_a_handler_says_before_it_accepts_is_an_answer() {
    let host = start();
    assert_eq!(refused(open(&host, "/refuses")), (409, "SSP-RTE-021".into()));
    assert_eq!(refused(open(&host, "/fails-early")), (500, "SSP-RTE-018".into()));
    assert_eq!(refused(open(&host, "/unaccepted")), (500, "SSP-WSK-007".into()));
    assert_eq!(refused(open(&host, "/panics-early")), (500, "SSP-RTE-017".into()));
    let bearer = bearer(&host);
    let headers = [("Authorization", bearer.as_str()), ("X-Stop", "1")];
    let stopped = open_with(&host, &at("/echo"), &headers, &[]).map(drop).unwrap_err();
    assert_eq!(stopped, Refused { status: 418, body: "stopped".into() }, "what stands ahead of all handlers");
    assert!(host.log().has(|line| line.text("reason").contains("a reason of its own")));
    wait_open(&host, 0);
    host.stop();
}

#[test]
fn a_handler_that_does_not_decide_is_late_and_cannot_accept_any_more() {
    let host = start_with(|installation| installation.set("plugins.handler_deadline_secs", 1));
    assert_eq!(refused(open(&host, "/late")), (504, "SSP-RTE-016".into()));
    let _ = host.api().post(&at("/open")).expect(204);
    wait_open(&host, 0);
    host.stop();
}

#[test]
fn what_is_no_handshake_never_comes_to_the_plugin() {
    let host = start();
    let problem = host.api().get(&at("/echo")).problem(&[426]);
    assert_eq!(problem["code"], "SSP-WSK-001");
    let headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "8")];
    let problem = host.api().send("GET", &at("/echo"), &headers, None).problem(&[400]);
    assert_eq!(problem["code"], "SSP-WSK-002");
    let _ = host.api().post(&at("/echo")).problem(&[405]);
    assert_eq!(refused(open(&host, "/nothing")), (404, "SSP-RTE-011".into()));
    host.stop();
}

#[test]
fn a_sub_protocol_is_one_that_both_speak() {
    let host = start();
    let bearer = bearer(&host);
    let spoken = |path: &str, more: &[(&str, &str)], offered: &[&str]| {
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend_from_slice(more);
        open_with(&host, &at(path), &headers, offered).map(|(_, chosen)| chosen)
    };
    assert_eq!(spoken("/spoken", &[], &["third", "second", "first"]), Ok(Some("second".into())));
    let refused = spoken("/spoken", &[], &["third"]).unwrap_err();
    assert_eq!((refused.status, refused.code()), (400, "SSP-WSK-006".into()));
    assert_eq!(spoken("/spoken", &[], &[]), Ok(None));
    assert_eq!(spoken("/echo", &[("X-Protocol", "mine")], &["other", "mine"]), Ok(Some("mine".into())));
    assert_eq!(spoken("/echo", &[("X-Protocol", "mine")], &[]), Ok(None), "not offered, not told");
    host.stop();
}

#[test]
fn only_who_may_is_let_in() {
    let host = start();
    let [allowed, other] = [("ada", &["things.write"][..]), ("bob", &[])]
        .map(|(name, permissions)| format!("Bearer {}", host.account(name, permissions).1));
    let as_who = |path: &str, bearer: &str| {
        open_with(&host, &at(path), &[("Authorization", bearer)], &[]).map(|(socket, _)| socket)
    };
    assert!(as_who("/echo/7", &allowed).is_ok() && as_who("/echo", &other).is_ok());
    assert_eq!(refused(as_who("/echo/7", &other)), (403, "SSP-RTE-013".into()));
    assert_eq!(refused(as_who("/echo", "Bearer wrong")).0, 401);
    let nobody = |path: &str, headers: &[(&str, &str)]| {
        open_with(&host, &at(path), headers, &[]).map(|(socket, _)| socket)
    };
    assert_eq!(refused(nobody("/echo", &[])), (401, "SSP-AUT-001".into()));

    let forged = [("X-Forwarded-For", "192.0.2.7")];
    let known: Value = serde_json::from_str(&read_text(&mut nobody("/public", &forged).unwrap())).unwrap();
    assert_eq!((&known["signed_in"], &known["forwarded_for"]), (&json!(false), &json!("127.0.0.1")));
    let known: Value = serde_json::from_str(&read_text(&mut as_who("/public", &allowed).unwrap())).unwrap();
    assert_eq!(known["caller"], "ada");
    assert!(!known["headers"].as_array().unwrap().contains(&json!("authorization")), "{known}");
    // Other sites' pages, also where everybody may.
    let evil = [("Origin", "https://evil.example")];
    assert_eq!(refused(nobody("/public", &evil)), (403, "SSP-AUT-005".into()));
    let evil = [("Authorization", allowed.as_str()), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(refused(nobody("/echo", &evil)), (403, "SSP-AUT-005".into()));
    let own = format!("http://{}", host.address());
    assert!(nobody("/public", &[("Origin", &own)]).is_ok());
    // A browser's cookie.
    host.add_user("cleo", "user");
    let cookie = host.browser("cleo").cookie;
    assert!(nobody("/echo", &[("Cookie", &cookie), ("Origin", &own)]).is_ok());
    host.stop();
}

fn ticket(api: &Api, path: &str) -> Answer {
    api.post_json(&format!("/api/v1/plugins/{PLUGIN}/tickets"), &json!({ "path": path }))
}

#[test]
fn a_ticket_is_for_one_path_and_one_use_and_the_plugin_is_not_told() {
    let host = start();
    let (ada, _) = host.account("ada", &["things.write"]);
    let (bob, _) = host.account("bob", &[]);
    let bare = |path: &str| open_with(&host, path, &[], &[]).map(|(socket, _)| socket);

    let good = ticket(&ada, "/echo/a%20b").expect(201).json();
    assert_eq!(good["expires_in_secs"], 30);
    let way = good["path"].as_str().unwrap();
    let mut socket = bare(way).unwrap();
    socket.send(text("x")).unwrap();
    assert_eq!(read_text(&mut socket), "x");
    assert_eq!(refused(bare(way)), (401, "SSP-WSK-003".into()), "twice");
    let other = ticket(&ada, "/echo/1").expect(201).json()["ticket"].as_str().unwrap().to_owned();
    let elsewhere = format!("{}?ticket={other}", at("/echo/2"));
    assert_eq!(refused(bare(&elsewhere)), (401, "SSP-WSK-003".into()), "of another path");

    assert_eq!(ticket(&bob, "/echo/1").problem(&[403])["code"], "SSP-RTE-013");
    for path in ["/nothing", "/open", "", "echo", "/../x", "/echo/1?a", "x/echo"] {
        assert_eq!(ticket(&ada, path).problem(&[404])["code"], "SSP-RTE-011", "{path}");
    }
    let gone = ada.post_json("/api/v1/plugins/nobody/tickets", &json!({"path": "/echo"}));
    assert_eq!(gone.problem(&[404])["code"], "SSP-RTE-011");
    let _ = ticket(&host.api().with_token(None), "/echo").problem(&[401]);

    let way = ticket(&ada, "/public").expect(201).json()["path"].as_str().unwrap().to_owned();
    let known: Value = serde_json::from_str(&read_text(&mut bare(&format!("{way}&a=1")).unwrap())).unwrap();
    assert_eq!((&known["query"], &known["caller"]), (&json!("a=1"), &json!("ada")));
    assert!(!host.log().text().contains(&other), "a ticket was logged");
    host.stop();
}

#[test]
fn there_are_only_so_many_sockets() {
    let host = start_with(|installation| installation.set("plugins.max_sockets", 2));
    let mut sockets = vec![open(&host, "/echo").unwrap(), open(&host, "/echo").unwrap()];
    assert_eq!(refused(open(&host, "/echo")), (503, "SSP-WSK-005".into()));
    sockets[0].close(None).unwrap();
    wait_open(&host, 1);
    sockets.push(open(&host, "/echo").unwrap());
    host.stop();

    let host = start_with(|installation| installation.set("server.max_sockets", 1));
    let _socket = open(&host, "/echo").unwrap();
    assert_eq!(refused(open(&host, "/echo")), (503, "SSP-WSK-004".into()));
    host.stop();
}

#[test]
fn a_socket_is_listed_among_the_routes_and_described() {
    let host = start();
    let routes = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/routes")).expect(200).json();
    let route = routes["routes"].as_array().unwrap().iter().find(|route| route["path"] == at("/echo/{id}"));
    let route = route.unwrap();
    assert_eq!((&route["websocket"], &route["method"]), (&json!(true), &json!("GET")));
    assert_eq!((&route["max_body_bytes"], &route["permissions"]), (&json!(1000), &json!(["things.write"])));
    let document = host.api().get("/api/openapi.json").expect(200).json();
    assert!(document["paths"][at("/echo")]["get"]["responses"]["101"].is_object(), "{document}");
    host.stop();
}
