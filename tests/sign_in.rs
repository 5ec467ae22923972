//! Signing in with a password and with tokens, as clients see it.
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
use streamspace_tests::{
    Answer, Backend, Browser, DEADLINE, Host, Installation, on_both_backends, password_of, wait_for,
};

on_both_backends!(
    who_signs_in_gets_a_cookie_and_loses_it_by_signing_out,
    signing_in_again_ends_the_sign_in_before,
    a_call_with_a_cookie_that_changes_something_proves_that_it_is_the_pages_own,
    a_sign_in_ends_when_it_is_unused_and_when_its_time_is_over,
    a_sign_in_outlives_the_host,
    guessing_takes_ever_longer_and_tells_nothing,
    a_new_password_ends_the_other_sign_ins,
    a_token_may_what_its_scopes_and_its_account_may,
    a_token_ends_by_itself_and_at_once_when_it_is_revoked,
    who_is_disabled_loses_everything_at_once,
    the_first_administrators_password_is_said_once,
);

fn code(answer: &Answer, status: u16) -> String {
    answer.problem(&[status])["code"].as_str().unwrap().to_owned()
}

fn start(backend: &Backend) -> Host {
    Installation::on(backend).start()
}

fn who_signs_in_gets_a_cookie_and_loses_it_by_signing_out(backend: &Backend) {
    let host = start(backend);
    let made = host.add_user("ada", "user");
    let answer = Browser::try_sign_in(&host, " ADA ", &password_of("ada")).expect(200);
    let cookie = answer.header("set-cookie").unwrap();
    for attribute in ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"] {
        assert!(cookie.split("; ").any(|found| found == attribute), "{attribute}: {cookie}");
    }
    assert!(!cookie.contains("Secure"), "there is no HTTPS here: {cookie}");
    assert_eq!(answer.json()["user"]["id"], made["id"]);
    assert!(answer.json()["user"]["last_login"].is_string(), "{answer:?}");

    let ada = Browser::of(&host, &answer);
    assert!(ada.cookie.len() > 64, "256 bits: {}", ada.cookie);
    let me = ada.get("/api/v1/me").expect(200).json();
    assert_eq!((&me["username"], &me["roles"], &me["id"]), (&json!("ada"), &json!(["user"]), &made["id"]));
    assert_eq!((&me["csrf_token"], &me["signed_in_by"]), (&json!(ada.csrf), &json!("cookie")));

    let gone = ada.call("POST", "/api/v1/sign-out", None).expect(204);
    assert!(gone.header("set-cookie").unwrap().contains("Max-Age=0"), "{gone:?}");
    assert_eq!(code(&ada.get("/api/v1/me"), 401), "SSP-AUT-002");
    let nobody = host.api().with_token(None);
    assert_eq!(code(&nobody.get("/api/v1/me"), 401), "SSP-AUT-001");
    assert_eq!(code(&nobody.with_token(Some("ssp_wrong")).get("/api/v1/me"), 401), "SSP-AUT-002");
    // A wrong token is not made good by a right cookie.
    let ada = host.browser("ada");
    assert_eq!(ada.send("GET", "/api/v1/me", &[("Authorization", "Bearer wrong")], None).status, 401);
    host.stop();
}

fn signing_in_again_ends_the_sign_in_before(backend: &Backend) {
    let host = start(backend);
    host.add_user("ada", "user");
    let (first, other) = (host.browser("ada"), host.browser("ada"));
    let credentials = json!({"username": "ada", "password": password_of("ada")});
    let second =
        Browser::of(&host, &first.send("POST", "/api/v1/sign-in", &[], Some(&credentials)).expect(200));
    assert_ne!(first.cookie, second.cookie);
    assert_eq!(first.get("/api/v1/me").status, 401);
    assert_eq!(second.get("/api/v1/me").status, 200);
    assert_eq!(other.get("/api/v1/me").status, 200, "on another machine");
    host.stop();
}

fn a_call_with_a_cookie_that_changes_something_proves_that_it_is_the_pages_own(backend: &Backend) {
    let host = start(backend);
    host.add_user("ada", "user");
    let (ada, other) = (host.browser("ada"), host.browser("ada"));
    let body = json!({"full_name": "Ada"});
    let change = |headers: &[(&str, &str)]| ada.send("PATCH", "/api/v1/me", headers, Some(&body));
    let own = ("X-CSRF-Token", ada.csrf.as_str());
    for headers in [
        &[][..],
        &[("X-CSRF-Token", "")],
        &[("X-CSRF-Token", &other.csrf)],
        &[own, ("Sec-Fetch-Site", "cross-site")],
        &[own, ("Sec-Fetch-Site", "same-site")],
        &[own, ("Origin", "http://evil.example")],
        &[own, ("Origin", "null")],
    ] {
        assert_eq!(code(&change(headers), 403), "SSP-AUT-005", "{headers:?}");
    }
    let origin = format!("http://{}", host.address());
    for headers in [&[own][..], &[own, ("Sec-Fetch-Site", "same-origin")], &[own, ("Origin", &origin)]] {
        let _ = change(headers).expect(200);
    }
    // Nobody else's page signs a browser in.
    let credentials = json!({"username": "ada", "password": password_of("ada")}).to_string();
    let sign_in = |headers: &[(&str, &str)]| {
        host.api().with_token(None).send("POST", "/api/v1/sign-in", headers, Some(credentials.as_bytes()))
    };
    assert_eq!(code(&sign_in(&[("Content-Type", "text/plain")]), 415), "SSP-API-415");
    let foreign = [("Content-Type", "application/json"), ("Origin", "http://evil.example")];
    assert_eq!(code(&sign_in(&foreign), 403), "SSP-AUT-005");
    // A token is in no browser's hands.
    let (token, _) = host.add_token("ada", &["*"]);
    let _ = host.api().with_token(Some(&token)).get("/api/v1/me").expect(200);
    host.stop();
}

fn a_sign_in_ends_when_it_is_unused_and_when_its_time_is_over(backend: &Backend) {
    let host = Installation::on(backend).set("sign_in.idle_secs", 1).start();
    host.add_user("ada", "user");
    let ada = host.browser("ada");
    // Nothing can be asked meanwhile: that would be a use.
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(code(&ada.get("/api/v1/me"), 401), "SSP-AUT-002");
    let installation = host.stop().installation;

    let host = installation.set("sign_in.idle_secs", 3600).set("sign_in.lifetime_secs", 2).start();
    let ada = host.browser("ada");
    host.wait_for(DEADLINE, "the sign-in to end although it is used", || {
        (ada.get("/api/v1/me").status == 401).then_some(())
    });
    host.stop();
}

fn a_sign_in_outlives_the_host(backend: &Backend) {
    let host = start(backend);
    host.add_user("ada", "user");
    let ada = host.browser("ada");
    let host = host.stop().installation.start();
    let answer = host.api().with_token(None).send("GET", "/api/v1/me", &[("Cookie", &ada.cookie)], None);
    assert_eq!(answer.expect(200).json()["csrf_token"], ada.csrf.as_str());
    host.stop();
}

fn guessing_takes_ever_longer_and_tells_nothing(backend: &Backend) {
    let host = start(backend);
    for name in ["ada", "grace"] {
        host.add_user(name, "user");
    }
    let answers: Vec<Value> = ["ada", "nobody-of-this-name"]
        .into_iter()
        .map(|name| {
            let mut tries = 0;
            let mut wrong = || {
                tries += 1;
                Browser::try_sign_in(&host, name, &format!("a wrong password {tries}"))
            };
            let first = wrong().problem(&[401]);
            for _ in 1..5 {
                let _ = wrong().problem(&[401]);
            }
            // The waits are 1 s, 2 s, 4 s: one of them is long enough to be seen, however slow the machine is.
            host.wait_for(DEADLINE, "the wait to become long", || {
                let answer = wrong();
                if answer.status == 401 {
                    return None;
                }
                assert_eq!(code(&answer, 429), "SSP-AUT-006", "{name}");
                let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                (seconds >= 4).then_some(())
            });
            // The right password has to wait too.
            assert_eq!(Browser::try_sign_in(&host, name, &password_of(name)).status, 429);
            first
        })
        .collect();
    assert_eq!(answers[0], answers[1], "whether there is such an account is not said");
    assert_eq!(answers[0]["code"], "SSP-AUT-003");
    // Others do not.
    let _ = host.browser("grace");
    host.wait_for(DEADLINE, "the right password to be taken again", || {
        (Browser::try_sign_in(&host, "ada", &password_of("ada")).status == 200).then_some(())
    });
    assert!(!host.everything_said().contains("a wrong password"));
    host.stop();
}

fn a_new_password_ends_the_other_sign_ins(backend: &Backend) {
    let host = start(backend);
    host.add_user("ada", "user");
    let (own, other) = (host.browser("ada"), host.browser("ada"));
    let (token, _) = host.add_token("ada", &["*"]);
    let change = |current: &str, new: &str| {
        own.call("PUT", "/api/v1/me/password", Some(&json!({"current": current, "new": new})))
    };
    let present = password_of("ada");
    assert_eq!(code(&change("not the present one", "another password"), 403), "SSP-AUT-008");
    assert_eq!(code(&change(&present, "short"), 422), "SSP-USR-006");
    let _ = change(&present, "another password").expect(204);
    assert_eq!(own.get("/api/v1/me").status, 200);
    assert_eq!(other.get("/api/v1/me").status, 401);
    assert_eq!(host.api().with_token(Some(&token)).get("/api/v1/me").status, 200);
    assert_eq!(Browser::try_sign_in(&host, "ada", &present).status, 401);
    let _ = Browser::sign_in(&host, "ada", "another password");

    // An administrator's change ends all of them.
    let new = json!({"password": "a third password"}).to_string();
    let _ = host.api().send("PUT", "/api/v1/users/ada/password", &[], Some(new.as_bytes())).expect(200);
    assert_eq!(own.get("/api/v1/me").status, 401);
    let _ = Browser::sign_in(&host, "ada", "a third password");
    host.stop();
}

fn a_token_may_what_its_scopes_and_its_account_may(backend: &Backend) {
    let host = start(backend);
    host.add_user("opal", "operator");
    let opal = host.browser("opal");
    let ask =
        |scopes: Value| opal.call("POST", "/api/v1/tokens", Some(&json!({"name": "ci", "scopes": scopes})));
    assert_eq!(code(&ask(json!(["plugins.manage"])), 403), "SSP-USR-009");
    for bad in [json!([]), json!(["a b"])] {
        assert_eq!(code(&ask(bad), 422), "SSP-USR-005");
    }
    let made = ask(json!(["plugins.read"])).expect(201).json();
    let token = made["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("ssp_") && token.len() == 68, "{token}");
    let api = host.api().with_token(Some(&token));
    let _ = api.get("/api/v1/plugins").expect(200);
    let refused = api.get("/api/v1/users");
    assert_eq!(code(&refused, 403), "SSP-AUT-004");
    assert!(refused.body.contains("`users.read`"), "{refused:?}");
    let me = api.get("/api/v1/me").expect(200).json();
    assert_eq!((&me["roles"], &me["permissions"]), (&json!([]), &json!(["plugins.read"])));

    // What the account loses, its tokens lose at once; also one that may all that the account may.
    let all = ask(json!(["*"])).expect(201).json()["token"].as_str().unwrap().to_owned();
    let all = host.api().with_token(Some(&all));
    let _ = all.get("/api/v1/users").expect(200);
    let _ = host.api().patch("/api/v1/users/opal", &json!({"role": "user"})).expect(200);
    for api in [&api, &all] {
        assert_eq!(code(&api.get("/api/v1/plugins"), 403), "SSP-AUT-004");
    }
    // One token does not make the next, and changes no password.
    let next = all.post_json("/api/v1/tokens", &json!({"name": "next", "scopes": ["*"]}));
    assert_eq!(code(&next, 403), "SSP-AUT-009");
    let body = json!({"current": password_of("opal"), "new": "another password"}).to_string();
    let change = all.send("PUT", "/api/v1/me/password", &[], Some(body.as_bytes()));
    assert_eq!(code(&change, 403), "SSP-AUT-009");

    let listed = opal.get("/api/v1/tokens").expect(200);
    assert!(!listed.body.contains(&token[4..]), "{listed:?}");
    assert_eq!(listed.json()["tokens"].as_array().unwrap().len(), 2);
    assert!(listed.json()["tokens"][0]["last_used"].is_string(), "{listed:?}");
    host.add_user("ada", "user");
    let ada = host.browser("ada");
    assert_eq!(code(&ada.get("/api/v1/tokens?user=opal"), 403), "SSP-AUT-004");
    let id = made["id"].as_str().unwrap();
    assert_eq!(code(&ada.call("DELETE", &format!("/api/v1/tokens/{id}"), None), 404), "SSP-USR-003");
    host.stop();
}

fn a_token_ends_by_itself_and_at_once_when_it_is_revoked(backend: &Backend) {
    let host = start(backend);
    host.add_user("ada", "user");
    let (token, made) = host.add_token("ada", &["*"]);
    let api = host.api().with_token(Some(&token));
    for _ in 0..3 {
        let _ = api.get("/api/v1/me").expect(200);
    }
    let _ = host.api().delete(&format!("/api/v1/tokens/{}", made["id"].as_str().unwrap())).expect(204);
    assert_eq!(code(&api.get("/api/v1/me"), 401), "SSP-AUT-002");

    let new = json!({"user": "ada", "name": "short", "scopes": ["*"], "expires_in_secs": 1});
    let short = host.api().post_json("/api/v1/tokens", &new).expect(201).json();
    let api = host.api().with_token(short["token"].as_str());
    wait_for(DEADLINE, "the token to end", || (api.get("/api/v1/me").status == 401).then_some(()));
    host.stop();
}

fn who_is_disabled_loses_everything_at_once(backend: &Backend) {
    let host = start(backend);
    host.add_user("opal", "operator");
    let opal = host.browser("opal");
    let (token, _) = host.add_token("opal", &["*"]);
    let api = host.api().with_token(Some(&token));
    for _ in 0..2 {
        let _ = (opal.get("/api/v1/users").expect(200), api.get("/api/v1/users").expect(200));
    }
    let _ = host.api().post("/api/v1/users/opal/disable").expect(200);
    assert_eq!(code(&opal.get("/api/v1/users"), 401), "SSP-AUT-002");
    assert_eq!(code(&api.get("/api/v1/users"), 401), "SSP-AUT-002");
    assert_eq!(code(&Browser::try_sign_in(&host, "opal", &password_of("opal")), 401), "SSP-AUT-003");
    let _ = host.api().post("/api/v1/users/opal/enable").expect(200);
    let _ = api.get("/api/v1/users").expect(200);
    assert_eq!(opal.get("/api/v1/users").status, 401, "its sign-ins ended");
    let opal = host.browser("opal");

    let _ = host.api().delete("/api/v1/users/opal").expect(204);
    assert_eq!((opal.get("/api/v1/me").status, api.get("/api/v1/me").status), (401, 401));
    host.stop();
}

fn the_first_administrators_password_is_said_once(backend: &Backend) {
    let host = start(backend);
    let password = host.admin_password();
    assert!(password.len() >= 32, "{password}");
    let admin = Browser::sign_in(&host, "admin", &password);
    assert_eq!(admin.get("/api/v1/me").expect(200).json()["unrestricted"], true);
    // Nor is it told again to those who may look at the log.
    let lines = host.wait_for(DEADLINE, "the lines after it", || {
        Some(host.api().get("/api/v1/logs").expect(200).body).filter(|lines| lines.contains("Listening."))
    });
    assert!(!lines.contains(&password), "the password is among the lines that are kept");
    let installation = host.stop().installation;
    let mut folders = vec![installation.data()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = fs::read(&path).unwrap();
                let has = |text: &str| content.windows(text.len()).any(|part| part == text.as_bytes());
                let cookie = admin.cookie.split_once('=').unwrap().1;
                assert!(!has(&password) && !has(cookie), "{}", path.display());
            }
        }
    }
    let host = installation.start();
    assert!(!host.log().has(|line| line.text("username") == "admin"), "said again: {}", host.log().tail());
    let _ = Browser::sign_in(&host, "admin", &password);
    host.stop();
}

#[test]
fn who_watches_is_cut_off_when_the_account_is_disabled() {
    let host = Installation::new().start();
    host.add_user("opal", "operator");
    let opal = host.browser("opal");
    let mut stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = format!("GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", opal.cookie);
    stream.write_all(request.as_bytes()).unwrap();
    let mut said = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&said).contains("streamspace:open") {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&piece[..read]);
    }
    let _ = host.api().post("/api/v1/users/opal/disable").expect(200);
    // A chunk of no bytes: the stream is at its end.
    while !said.ends_with(b"0\r\n\r\n") {
        let read = stream.read(&mut piece).expect("an end in time");
        assert!(read > 0, "{}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&piece[..read]);
    }
    assert!(said.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&said));
    host.stop();
}

#[test]
fn behind_a_trusted_proxy_the_cookie_is_for_https_alone() {
    let host = Installation::new().set("sign_in.trusted_proxies", vec!["127.0.0.0/8"]).start();
    host.add_user("ada", "user");
    let credentials = json!({"username": "ada", "password": password_of("ada")}).to_string();
    let headers = [("Content-Type", "application/json"), ("X-Forwarded-Proto", "https")];
    let answer =
        host.api().with_token(None).send("POST", "/api/v1/sign-in", &headers, Some(credentials.as_bytes()));
    let cookie = answer.clone().expect(200).header("set-cookie").unwrap().to_owned();
    assert!(cookie.starts_with("__Host-streamspace=") && cookie.ends_with("; Secure"), "{cookie}");
    let ada = Browser::of(&host, &answer);
    let _ = ada.send("GET", "/api/v1/me", &[("X-Forwarded-Proto", "https")], None).expect(200);
    assert_eq!(ada.get("/api/v1/me").status, 401, "over plain HTTP the name is another one");

    // The clients behind it are told apart: what one guesses is not the other's fault.
    let guess = |client: &str, n: usize| {
        let body = json!({"username": format!("name{n}"), "password": "a wrong password"}).to_string();
        let headers = [("Content-Type", "application/json"), ("X-Forwarded-For", client)];
        host.api().with_token(None).send("POST", "/api/v1/sign-in", &headers, Some(body.as_bytes())).status
    };
    for n in 0..20 {
        assert_eq!(guess("203.0.113.1", n), 401, "{n}");
    }
    assert_eq!(guess("203.0.113.1", 20), 429);
    assert_eq!(guess("198.51.100.7, 203.0.113.1", 21), 429, "what stands before it may be invented");
    assert_eq!(guess("203.0.113.2", 22), 401);
    host.stop();
}
