//! Events become mails: the host, the mail plugin as it is shipped, and a mail server that was not written here. What arrives is
//! read by Python's own parser.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;

use serde_json::{Value, json};
use streamspace_tests::{
    DEADLINE, Host, Installation, Mail, MailOptions, MailServer, Protection, cloud_event, workspace,
};

/// The time of the golden messages.
const TIME: &str = "2026-01-02T03:04:05Z";
const PLUGIN: &str = "streamspace-email-smtp";
const PASSWORD: &str = "s3cr3tPassw0rd";

fn start(server: &MailServer, change: Value) -> Host {
    let host = Installation::new().plugin(PLUGIN, &server.config(change)).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn session() -> Value {
    json!({
        "id": "ada-firefox-7f3a", "session_id": "ada-firefox-7f3a", "user": "ada", "user_id": "ada",
        "template": "firefox-browser", "template_name": "firefox-browser",
        "resources": {"cpu": "1000m", "memory": "2Gi"}, "state": "running",
        "url": "https://streamspace.example.com/sessions/ada-firefox-7f3a",
    })
}

fn event(topic: &str, data: &Value) -> Value {
    let mut event = cloud_event(topic, data);
    event["source"] = "/streamspace/sessions".into();
    event["time"] = TIME.into();
    event
}

fn golden(topic: &str) -> Value {
    let file = workspace().join(format!("plugins/{PLUGIN}/golden/{topic}.json"));
    serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap()
}

/// What holds of every mail: RFC 5322 and MIME, as another parser sees it.
fn is_well_formed(mail: &Mail) {
    let read = &mail.read;
    assert_eq!(read["defects"], json!([]), "{read}");
    assert_eq!((&read["bare"], &read["ascii"]), (&json!(0), &json!(true)), "{read}");
    assert!(read["longest"].as_u64().unwrap() <= 998, "{read}");
    assert_eq!(mail.header("MIME-Version"), "1.0");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    let id = mail.header("Message-ID");
    assert!(id.starts_with('<') && id.ends_with("@example.com>"), "{id}");
    let age = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64()
        - read["date"].as_f64().unwrap();
    assert!((-1.0..600.0).contains(&age), "the date is {age} s old");
}

#[test]
fn a_created_session_over_starttls() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let host = start(&server, json!({"ccAddresses": ["boss@example.com"], "replyTo": "help@example.com"}));
    let _ = host.api().event(&event("session.created", &session())).expect(202);
    let mail = server.wait(1).remove(0);
    is_well_formed(&mail);
    assert_eq!(mail.told["tls"], true);
    assert_eq!(mail.told["from"], "desk@example.com");
    assert_eq!(mail.told["to"], json!(["ops@example.com", "boss@example.com"]));
    assert_eq!(mail.told["hello"], "example.com");
    assert_eq!(mail.read["from"], json!([["StreamSpace Notifications", "desk@example.com"]]));
    assert_eq!(mail.read["to"], json!([["", "ops@example.com"]]));
    assert_eq!(mail.read["cc"], json!([["", "boss@example.com"]]));
    assert_eq!(mail.read["replyTo"], json!([["", "help@example.com"]]));
    let golden = golden("session.created");
    assert_eq!(mail.header("Subject"), golden["subject"]);
    assert_eq!(mail.read["type"], "multipart/alternative");
    let kinds: Vec<_> =
        mail.read["parts"].as_array().unwrap().iter().map(|part| part["type"].clone()).collect();
    assert_eq!(kinds, ["text/plain", "text/html"], "text first");
    assert_eq!(mail.part("text/plain"), golden["text"]);
    assert_eq!(mail.part("text/html"), golden["html"]);
    host.wait_count(PLUGIN, "to-default", "delivered", 1);
    assert_eq!(server.mails().len(), 1);
    host.stop();
}

#[test]
fn tls_from_the_beginning_with_a_password() {
    let options =
        MailOptions { protection: Protection::Tls, user: Some(("desk", PASSWORD)), ..MailOptions::default() };
    let Some(server) = MailServer::start(&options) else { return };
    let host = start(&server, json!({"security": "tls", "username": "desk", "password": PASSWORD}));
    let _ = host.api().event(&event("user.created", &json!({"id": "u-1", "username": "ada"}))).expect(202);
    let mail = server.wait(1).remove(0);
    is_well_formed(&mail);
    assert_eq!(
        (&mail.told["tls"], &mail.told["user"], &mail.told["mechanism"]),
        (&json!(true), &json!("desk"), &json!("PLAIN"))
    );
    host.stop();
}

#[test]
fn a_password_by_login_and_a_token() {
    let login =
        MailOptions { user: Some(("desk", PASSWORD)), without: vec!["PLAIN"], ..MailOptions::default() };
    let token =
        MailOptions { user: Some(("desk", PASSWORD)), token: Some("ya29.t0ken"), ..MailOptions::default() };
    for (options, config, mechanism) in [
        (login, json!({"username": "desk", "password": PASSWORD}), "LOGIN"),
        (token, json!({"username": "desk", "oauthToken": "ya29.t0ken"}), "XOAUTH2"),
    ] {
        let Some(server) = MailServer::start(&options) else { return };
        let host = start(&server, config);
        host.post_event("session.created", &session());
        assert_eq!(server.wait(1)[0].told["mechanism"], mechanism);
        assert!(!host.everything_said().contains(PASSWORD));
        host.stop();
    }
}

#[test]
fn a_server_on_the_same_machine_in_plain_text_is_warned_about() {
    let options = MailOptions { protection: Protection::None, ..MailOptions::default() };
    let Some(server) = MailServer::start(&options) else { return };
    let host =
        start(&server, json!({"useTLS": false, "htmlFormat": false, "bounceAddress": "bounces@example.com"}));
    host.logged("the warning", |line| line.message().contains("plain text"));
    host.post_event("session.created", &session());
    let mail = server.wait(1).remove(0);
    is_well_formed(&mail);
    assert_eq!((&mail.told["tls"], &mail.told["from"]), (&json!(false), &json!("bounces@example.com")));
    assert_eq!(mail.read["type"], "text/plain", "no HTML is wanted");
}

#[test]
fn names_of_all_tongues_arrive_and_hostile_ones_do_nothing() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let host =
        start(&server, json!({"fromName": "Ströme \u{1f99c} \"Raum\", Inc.", "subjectPrefix": "[Räume]"}));
    let hostile = "Zoë\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>\u{202e}";
    let user = json!({"id": hostile, "username": hostile, "fullName": hostile, "email": "zoe@example.com"});
    host.post_event("user.created", &user);
    let long = "é".repeat(20_000);
    host.post_event("session.created", &json!({"id": long, "user": long, "template": ".\r\n.\r\n"}));
    let mails = server.wait(2);
    for mail in &mails {
        is_well_formed(mail);
        assert_eq!(mail.told["to"], json!(["ops@example.com"]));
        assert_eq!(mail.read["from"], json!([["Ströme \u{1f99c} \"Raum\", Inc.", "desk@example.com"]]));
        assert!(
            mail.header("Bcc").is_empty() && !mail.part("text/html").contains("<script"),
            "{}",
            mail.read
        );
    }
    let name = "Zoë Bcc: eve@example.com <script>alert(1)</script>";
    let subject = mails[0].header("Subject");
    assert_eq!(subject, format!("[Räume] User created: {name}"));
    assert!(mails[0].part("text/plain").contains(&format!("Username: {name}\n")), "{}", mails[0].read);
    assert!(mails[1].header("Subject").ends_with('…'), "{}", mails[1].read);
}

#[test]
fn a_session_is_one_thread_over_one_connection() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let host = start(&server, json!({}));
    host.post_event("session.created", &session());
    host.post_event("session.hibernated", &session());
    let mut other = session();
    other["id"] = "other".into();
    other["session_id"] = "other".into();
    host.post_event("session.created", &other);
    let mails = server.wait(3);
    let id = |n: usize| mails[n].header("Message-ID");
    assert_eq!((mails[1].header("In-Reply-To"), mails[1].header("References")), (id(0), id(0)));
    assert_eq!((mails[0].header("In-Reply-To"), mails[2].header("In-Reply-To")), ("", ""));
    assert!(id(0) != id(1) && id(1) != id(2));
    let connections: Vec<_> = mails.iter().map(|mail| mail.told["connection"].clone()).collect();
    assert_eq!(connections, [1, 1, 1], "it is used again");
}

#[test]
fn other_lists_get_what_they_asked_for() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let host = start(
        &server,
        json!({
            "toAddresses": null,
            "destinations": [
                {"name": "on-call", "to": ["call@example.com"], "topics": ["session.*"], "minSeverity": "critical"},
                {"name": "ada", "to": ["ada@example.com"], "cc": ["bob@example.com"], "topics": ["session.created"], "users": ["ada"]},
            ],
        }),
    );
    host.post_event("session.created", &json!({"id": "s-1", "user": "bob"}));
    host.post_event("session.failed", &json!({"id": "s-1", "user": "bob", "error": "no image"}));
    host.post_event("session.created", &json!({"id": "s-2", "user": "ada"}));
    host.wait_count(PLUGIN, "to-on-call", "delivered", 3);
    host.wait_count(PLUGIN, "to-ada", "delivered", 2);
    let mut told: Vec<_> = server
        .wait(2)
        .iter()
        .map(|mail| (mail.header("Subject").to_owned(), mail.told["to"].to_string()))
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            ("[StreamSpace] Session created: s-2".into(), r#"["ada@example.com","bob@example.com"]"#.into()),
            ("[StreamSpace] Session failed: s-1".to_owned(), r#"["call@example.com"]"#.to_owned()),
        ]
    );
}

#[test]
fn what_is_too_much_is_one_mail_with_a_way_out() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let host = start(
        &server,
        json!({"rateLimit": 1, "publicUrl": "https://space.example.com/", "toAddresses": ["a@example.com", "b@example.com"]}),
    );
    for n in 1..=3 {
        host.post_event("session.created", &json!({"id": format!("s-{n}"), "user": "ada"}));
    }
    host.wait_count(PLUGIN, "to-default", "delivered", 3);
    assert_eq!(server.mails().len(), 1);
    assert_eq!(server.mails()[0].header("List-Unsubscribe"), "", "it goes to several");
    // With more room, what waits is sent; its copies are each somebody's own.
    host.configure(PLUGIN, &json!({"rateLimit": 100})).expect(0);
    let mails = server.wait_within(DEADLINE * 2, 3);
    for (mail, to) in mails[1..].iter().zip(["a@example.com", "b@example.com"]) {
        is_well_formed(mail);
        assert_eq!((mail.header("Subject"), &mail.told["to"]), ("[StreamSpace] 2 more events", &json!([to])));
        assert_eq!(mail.header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    }
    let path = unsubscribe_path(&mails[1], "https://space.example.com");
    let nobody = host.api().with_token(None);
    let page = nobody.get(&path).expect(200);
    assert!(
        page.body.contains("a@example.com") && page.body.contains("<form method=\"post\">"),
        "{}",
        page.body
    );
    assert_eq!(
        host.api().get(&at("/suppressions")).expect(200).json()["items"],
        json!([]),
        "it was only looked at"
    );
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let _ = nobody.send("POST", &path, &form, Some(b"List-Unsubscribe=One-Click")).expect(200);
    let list = host.api().get(&at("/suppressions")).expect(200).json();
    assert_eq!(
        (&list["items"][0]["address"], &list["items"][0]["cause"]),
        (&json!("a@example.com"), &json!("unsubscribed"))
    );
    nobody.get(&format!("{}x", path)).problem(&[404]);

    host.post_event("session.created", &json!({"id": "s-4", "user": "ada"}));
    assert_eq!(server.wait(4)[3].told["to"], json!(["b@example.com"]));
    let _ = host.api().delete(&at("/suppressions/a@example.com")).expect(204);
    host.api().delete(&at("/suppressions/a@example.com")).problem(&[404]);
}

#[test]
fn a_mail_is_signed_by_its_domain() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let name = "desk._domainkey.example.com";
    let mut host = None;
    for (n, (kind, algorithm)) in
        [("rsa", "rsa-sha256"), ("ed25519", "ed25519-sha256")].into_iter().enumerate()
    {
        let key = MailServer::signing_key(kind);
        let dkim = json!({"dkim": {"domain": "example.com", "selector": "desk", "privateKey": key["pem"]}});
        let host = host.get_or_insert_with(|| start(&server, json!({})));
        host.configure(PLUGIN, &dkim).expect(0);
        host.wait_state(PLUGIN, "running");
        host.post_event(
            "session.created",
            &json!({"id": format!("s-{n}"), "user": "Zoë  of\tRäume", "template": ".gimp"}),
        );
        let mail = server.wait(n + 1).remove(n);
        is_well_formed(&mail);
        assert!(mail.header("DKIM-Signature").contains(algorithm), "{}", mail.read);
        let record = format!("v=DKIM1; k={kind}; p={}", key["public"].as_str().unwrap());
        assert!(mail.is_signed(name, &record), "{}", mail.read["raw"]);
        let forged = fs::read_to_string(&mail.file).unwrap().replace("gimp", "vlc");
        fs::write(&mail.file, forged).unwrap();
        assert!(!mail.is_signed(name, &record), "another text");
        assert!(!host.everything_said().contains("PRIVATE KEY"));
    }
}

#[test]
fn a_preview_a_test_and_a_replay() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let host =
        start(&server, json!({"messages": {"session.created": {"title": "{{ data.user }} <is> here"}}}));
    assert_eq!(host.api().get(&at("/health")).expect(200).json()["destinations"][0]["state"], "idle");
    let asked = json!({"topic": "session.created", "data": session()});
    let shown = host.api().post_json(&at("/preview"), &asked).expect(200).json();
    assert_eq!(shown["message"]["subject"], "[StreamSpace] ada <is> here: ada-firefox-7f3a");
    assert!(shown["message"]["html"].as_str().unwrap().contains("ada &lt;is&gt; here"), "{shown}");
    assert_eq!(server.mails().len(), 0);

    let told = host.api().post_json(&at("/test"), &json!({})).expect(200).json();
    assert_eq!(
        (&told["state"], &told["status"], &told["progress"]["sent"]),
        (&json!("sent"), &json!(250), &json!(["ops@example.com"])),
        "{told}"
    );
    assert_eq!(server.wait(1)[0].header("Subject"), "[StreamSpace] Test message");

    host.post_event("session.created", &session());
    let _ = server.wait(2);
    host.wait_count(PLUGIN, "to-default", "delivered", 1);
    let page = host.api().get(&at("/deliveries")).expect(200).json();
    let id = page["items"][0]["id"].as_str().unwrap();
    let _ = host.api().post_json(&at(&format!("/deliveries/{id}/replay")), &json!({})).expect(200);
    let mails = server.wait(3);
    assert_eq!(mails[1].header("Message-ID"), mails[2].header("Message-ID"), "it is the same mail");
    assert_eq!(host.api().get(&at("/health")).expect(200).json()["destinations"][0]["state"], "ok");
}

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

/// Where the link of a mail leads, from this host's root on.
fn unsubscribe_path(mail: &Mail, base: &str) -> String {
    let link = mail.header("List-Unsubscribe").trim_matches(['<', '>']);
    let path = link.strip_prefix(base).unwrap_or_else(|| panic!("{link} is not below {base}"));
    assert!(mail.part("text/html").contains(link), "it is in the foot too");
    path.to_owned()
}
