//! Mail to the users whom events are about, as they wish.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use serde_json::{Value, json};
use streamspace_tests::{Answer, Api, DEADLINE, Host, Installation, MailOptions, MailServer};

const PLUGIN: &str = "streamspace-email-smtp";
const BASE: &str = "https://space.example.com";

fn start(server: &MailServer) -> Host {
    let config = server.config(json!({"toAddresses": null, "notifyUsers": true, "publicUrl": BASE}));
    let host = Installation::new().plugin(PLUGIN, &config).start();
    host.wait_state(PLUGIN, "running");
    host
}

/// An account, and a token of it.
fn account(host: &Host, name: &str) -> Api {
    let new = json!({"username": name, "role": "user", "email": format!("{name}@example.com")});
    let _ = host.api().post_json("/api/v1/users", &new).expect(201);
    let token = json!({"user": name, "name": "test", "scopes": ["*"]});
    let made = host.api().post_json("/api/v1/tokens", &token).expect(201).json();
    host.api().with_token(made["token"].as_str())
}

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

fn prefer(api: &Api, wishes: &Value) -> Answer {
    let headers = [("Content-Type", "application/json")];
    api.send("PUT", &at("/preferences"), &headers, Some(wishes.to_string().as_bytes()))
}

fn wanted(api: &Api, topic: &str) -> Value {
    let shown = api.get(&at("/preferences")).expect(200).json();
    shown["kinds"].as_array().unwrap().iter().find(|kind| kind["topic"] == topic).unwrap()["wanted"].clone()
}

fn delivery(host: &Host, subject: &str, state: &str) -> Value {
    host.wait_for(DEADLINE, &format!("the delivery of {subject} to be {state}"), || {
        let page = host.api().get(&at(&format!("/deliveries?state={state}"))).expect(200).json();
        page["items"].as_array().unwrap().iter().find(|one| one["subject"] == subject).cloned()
    })
}

#[test]
fn users_are_told_of_what_concerns_them_and_choose_what() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let host = start(&server);
    let (ada, bob) = (account(&host, "ada"), account(&host, "bob"));
    host.post_event("session.created", &json!({"id": "s-1", "user": "ada"}));
    let reason = delivery(&host, "s-1", "skipped")["reason"].clone();
    assert_eq!(reason, "the user wants no mails of this kind", "that is the platform's default");
    host.post_event(
        "quota.exceeded",
        &json!({"user": "ada", "quota": "memory", "used": "4Gi", "limit": "4Gi"}),
    );
    let mail = server.wait(1).remove(0);
    assert_eq!((&mail.told["to"], mail.header("To")), (&json!(["ada@example.com"]), "ada@example.com"));
    assert_eq!(mail.read["defects"], json!([]));

    assert_eq!(wanted(&ada, "session.created"), false);
    let _ = prefer(&ada, &json!({"session.created": true, "quota.warning": false})).expect(200);
    assert_eq!(
        (wanted(&ada, "session.created"), wanted(&bob, "session.created")),
        (json!(true), json!(false))
    );
    prefer(&ada, &json!({"session.destroyed": true})).problem(&[422]);
    prefer(&ada, &json!({"session.created": "yes"})).problem(&[422]);
    host.api().with_token(None).get(&at("/preferences")).problem(&[401]);
    ada.get(&at("/suppressions")).problem(&[403]);

    host.post_event("session.created", &json!({"id": "s-2", "user": "ada"}));
    host.post_event("session.created", &json!({"id": "s-3", "user": "bob"}));
    delivery(&host, "s-3", "skipped");
    let mail = server.wait(2).remove(1);
    assert_eq!(mail.header("Subject"), "[StreamSpace] Session created: s-2");

    // The one it is shared with is told, not the owner.
    host.post_event(
        "session.shared",
        &json!({"id": "s-2", "user": "ada", "sharedWith": "bob", "permissions": ["view"]}),
    );
    let mail = server.wait(3).remove(2);
    assert_eq!(mail.told["to"], json!(["bob@example.com"]));
    assert!(mail.part("text/plain").contains("ada shares the session s-2 with you."), "{}", mail.read);

    host.post_event("quota.exceeded", &json!({"user": "eve", "quota": "memory"}));
    assert_eq!(delivery(&host, "eve", "skipped")["reason"], "there is no user eve");
}

#[test]
fn a_link_in_a_mail_ends_mails_of_its_kind() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let host = start(&server);
    let ada = account(&host, "ada");
    host.post_event("session.idle", &json!({"id": "s-1", "user": "ada", "idleDuration": 900}));
    let mail = server.wait(1).remove(0);
    assert!(mail.part("text/plain").contains("Your session s-1 is not being used."), "{}", mail.read);
    assert_eq!(mail.header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    let link = mail.header("List-Unsubscribe").trim_matches(['<', '>']);
    let path = link.strip_prefix(BASE).unwrap();
    assert!(mail.part("text/html").contains(link) && mail.part("text/plain").contains(link));

    let nobody = host.api().with_token(None);
    let page = nobody.get(path).expect(200);
    assert!(page.content_type.starts_with("text/html"), "{page:?}");
    assert_eq!(wanted(&ada, "session.idle"), true, "it was only looked at");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let _ = nobody.send("POST", path, &form, Some(b"List-Unsubscribe=One-Click")).expect(200);
    assert_eq!((wanted(&ada, "session.idle"), wanted(&ada, "quota.warning")), (json!(false), json!(true)));
    host.post_event("session.idle", &json!({"id": "s-2", "user": "ada"}));
    host.wait_for(DEADLINE, "the delivery to be skipped", || {
        let page = host.api().get(&at("/deliveries?state=skipped")).expect(200).json();
        page["items"].as_array().unwrap().iter().any(|one| one["topic"] == "session.idle").then_some(())
    });

    let start = &path[..path.len() - 8];
    for other in [&format!("{start}AAAAAAAA"), start, &at("/unsubscribe/x")] {
        nobody.get(other).problem(&[404]);
        nobody.send("POST", other, &form, Some(b"List-Unsubscribe=One-Click")).problem(&[404]);
    }
}
