//! What the mail plugin does about servers on bad days.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation, MailOptions, MailServer, Protection};

const PLUGIN: &str = "streamspace-email-smtp";
const PASSWORD: &str = "s3cr3tPassw0rd";

fn start(config: &Value) -> Host {
    let host = Installation::new().plugin(PLUGIN, config).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn get(host: &Host, path: &str) -> Value {
    host.api().get(&format!("/api/plugins/{PLUGIN}{path}")).expect(200).json()
}

fn created(host: &Host, id: &str) {
    host.post_event("session.created", &json!({"id": id, "user": "ada", "template": "gimp"}));
}

/// The delivery of a session's event, once it is in this state.
fn delivery(host: &Host, subject: &str, state: &str) -> Value {
    host.wait_for(DEADLINE * 2, &format!("the delivery of {subject} to be {state}"), || {
        let page = get(host, &format!("/deliveries?state={state}"));
        page["items"].as_array().unwrap().iter().find(|one| one["subject"] == subject).cloned()
    })
}

#[test]
fn each_recipient_has_a_result_and_nobody_gets_it_twice() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let to = ["fine@example.com", "nobody@example.com", "grey@example.com", "policy@example.com"];
    let host = start(&server.config(json!({"toAddresses": to})));
    created(&host, "s-1");
    let mails = server.wait_within(DEADLINE * 2, 2);
    assert_eq!(mails[0].told["to"], json!(["fine@example.com"]));
    assert_eq!(mails[1].told["to"], json!(["grey@example.com"]), "the second try is for this one alone");
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
    let done = delivery(&host, "s-1", "sent");
    assert_eq!(done["attempts"], 2, "{done}");
    assert_eq!(done["progress"]["sent"], json!(["fine@example.com", "grey@example.com"]));
    let refused = &done["progress"]["refused"];
    assert!(refused["nobody@example.com"].as_str().unwrap().starts_with("550 5.1.1 ("), "{done}");
    assert!(refused["policy@example.com"].as_str().unwrap().starts_with("550 5.7.1 ("), "{done}");

    // Where there is nobody, nothing is sent any more; a matter of policy may change.
    let list = get(&host, "/suppressions");
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    assert_eq!(
        (&list["items"][0]["address"], &list["items"][0]["cause"]),
        (&json!("nobody@example.com"), &json!("bounce"))
    );
    created(&host, "s-2");
    let done = delivery(&host, "s-2", "sent");
    assert_eq!(done["progress"]["suppressed"], json!(["nobody@example.com"]), "{done}");
    assert_eq!(server.mails().len(), 3);
}

#[test]
fn a_mail_that_nobody_may_get_is_a_dead_letter_and_the_next_is_sent() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let config = json!({
        "destinations": [{"name": "spam", "to": ["spam@example.com"], "topics": ["session.created"]},
                         {"name": "bare", "to": ["bare@example.com"], "topics": ["session.created"]}],
    });
    let host = start(&server.config(config));
    created(&host, "s-1");
    host.wait_dead_letters(PLUGIN, 2);
    let page = get(&host, "/deliveries?state=dead");
    for (destination, reason) in [("spam", "554 5.6.0 (This is not wanted)"), ("bare", "550 (No)")] {
        let one =
            page["items"].as_array().unwrap().iter().find(|one| one["destination"] == destination).unwrap();
        assert!(one["reason"].as_str().unwrap().contains(reason), "{one}");
    }
    assert_eq!(get(&host, "/suppressions")["items"], json!([]), "neither says that there is nobody");
    assert_eq!(server.wait(1)[0].told["to"], json!(["ops@example.com"]), "the others are not held up");
}

#[test]
fn what_is_refused_for_now_is_tried_again() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let host = start(&server.config(json!({"toAddresses": ["tired@example.com"]})));
    created(&host, "s-1");
    assert_eq!(server.wait_within(DEADLINE * 2, 1)[0].told["to"], json!(["tired@example.com"]));
    assert_eq!(delivery(&host, "s-1", "sent")["attempts"], 2);

    host.configure(PLUGIN, &json!({"toAddresses": ["leave@example.com"]})).expect(0);
    host.wait_state(PLUGIN, "running");
    created(&host, "s-2");
    let waits = delivery(&host, "s-2", "retrying");
    assert!(waits["reason"].as_str().unwrap().contains("421 4.3.2"), "{waits}");
}

#[test]
fn a_wrong_password_breaks_the_destination_until_a_test_arrives() {
    let options = MailOptions { user: Some(("desk", PASSWORD)), ..MailOptions::default() };
    let Some(server) = MailServer::start(&options) else { return };
    let host = start(&server.config(json!({"username": "desk", "password": "wr0ngSecret"})));
    created(&host, "s-1");
    let dead = delivery(&host, "s-1", "dead");
    assert_eq!(dead["status"], 535, "{dead}");
    assert!(dead["reason"].as_str().unwrap().contains("`username` and `password`"), "{dead}");
    assert_eq!(get(&host, "/health")["status"], "broken");
    host.logged("the error", |line| line.level() == "error" && line.message().contains("broken"));
    host.configure(PLUGIN, &json!({"password": PASSWORD})).expect(0);
    host.wait_state(PLUGIN, "running");
    created(&host, "s-2");
    assert_eq!(server.wait(1)[0].told["user"], "desk");
    // A token that is not taken is told in a challenge.
    host.configure(PLUGIN, &json!({"password": null, "oauthToken": "expiredT0ken"})).expect(0);
    host.wait_state(PLUGIN, "running");
    created(&host, "s-3");
    let dead = delivery(&host, "s-3", "dead");
    assert!(dead["reason"].as_str().unwrap().contains("XOAUTH2"), "this server has none: {dead}");
    let said = host.everything_said();
    for secret in [PASSWORD, "wr0ngSecret", "expiredT0ken"] {
        assert!(!said.contains(secret), "{secret} was shown");
    }
}

#[test]
fn a_token_that_is_not_taken_breaks_the_destination() {
    let options =
        MailOptions { user: Some(("desk", PASSWORD)), token: Some("ya29.t0ken"), ..MailOptions::default() };
    let Some(server) = MailServer::start(&options) else { return };
    let host = start(&server.config(json!({"username": "desk", "oauthToken": "ya29.expired"})));
    created(&host, "s-1");
    assert_eq!(delivery(&host, "s-1", "dead")["status"], 535);
}

#[test]
fn a_sender_that_is_not_taken_breaks_the_destination() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let host = start(&server.config(json!({"fromAddress": "stranger@example.com"})));
    created(&host, "s-1");
    let dead = delivery(&host, "s-1", "dead");
    assert_eq!(dead["status"], 553);
    assert!(dead["reason"].as_str().unwrap().contains("`fromAddress`"), "{dead}");
}

#[test]
fn nothing_goes_in_plain_text_unless_that_is_asked_for() {
    let options = MailOptions { protection: Protection::None, ..MailOptions::default() };
    let Some(server) = MailServer::start(&options) else { return };
    let host = start(&server.config(json!({})));
    created(&host, "s-1");
    let dead = delivery(&host, "s-1", "dead");
    assert!(dead["reason"].as_str().unwrap().contains("does not offer STARTTLS"), "{dead}");
    assert_eq!(server.mails().len(), 0);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_not_trusted() {
    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    let Some(other) = MailServer::start(&MailOptions::default()) else { return };
    for (change, reason) in [
        (json!({"caCertificate": other.authority()}), "invalid peer certificate"),
        (json!({"smtpHost": "127.0.0.1"}), "not valid for name"),
    ] {
        let host = start(&server.config(change));
        created(&host, "s-1");
        let waits = delivery(&host, "s-1", "retrying");
        assert!(waits["reason"].as_str().unwrap().contains(reason), "{waits}");
        host.stop();
    }
    assert_eq!(server.mails().len(), 0);
}

#[test]
fn a_message_that_is_too_large_for_the_server_is_not_offered() {
    let options = MailOptions { size: Some(500), ..MailOptions::default() };
    let Some(server) = MailServer::start(&options) else { return };
    let host = start(&server.config(json!({})));
    created(&host, "s-1");
    let dead = delivery(&host, "s-1", "dead");
    assert!(dead["reason"].as_str().unwrap().contains("size"), "{dead}");
}

/// A server of this kind on a port of its own.
fn listen(talk: fn(TcpStream)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || talk(stream));
        }
    });
    port
}

fn plain(port: u16, security: &str) -> Value {
    json!({
        "smtpHost": "127.0.0.1", "smtpPort": port, "security": security, "fromAddress": "desk@example.com",
        "toAddresses": ["ops@example.com"],
    })
}

#[test]
fn a_server_that_says_little_at_a_time_is_given_up_too() {
    let port = listen(|mut slow| {
        let _ = slow.write_all(b"220 ");
        while slow.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(200));
        }
    });
    let host = start(&plain(port, "none"));
    created(&host, "s-1");
    let waits = delivery(&host, "s-1", "retrying");
    assert!(waits["reason"].as_str().unwrap().contains("did not answer in time"), "{waits}");
}

#[test]
fn what_is_said_in_plain_text_behind_starttls_is_not_believed() {
    let port = listen(|stream| {
        let mut answers = stream.try_clone().unwrap();
        let _ = answers.write_all(b"220 mail.test\r\n");
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let answer: &[u8] = match line.as_str() {
                "STARTTLS" => b"220 Go on\r\n250 mail.test\r\n",
                _ => b"250-mail.test\r\n250 STARTTLS\r\n",
            };
            let _ = answers.write_all(answer);
        }
    });
    let host = start(&plain(port, "starttls"));
    created(&host, "s-1");
    let waits = delivery(&host, "s-1", "retrying");
    assert!(waits["reason"].as_str().unwrap().contains("in plain text behind STARTTLS"), "{waits}");
}

#[test]
fn a_server_that_is_silent_is_given_up_after_a_time() {
    // It takes what comes, and says nothing.
    let port = listen(|mut silent| drop(silent.read_to_end(&mut Vec::new())));
    let host = start(&plain(port, "none"));
    created(&host, "s-1");
    let waits = delivery(&host, "s-1", "retrying");
    assert!(waits["reason"].as_str().unwrap().contains("did not answer in time at its greeting"), "{waits}");

    let Some(server) = MailServer::start(&MailOptions::default()) else { return };
    host.configure(PLUGIN, &server.config(json!({"security": null, "toAddresses": ["hang@example.com"]})))
        .expect(0);
    host.configure(PLUGIN, &json!({"security": "starttls"})).expect(0);
    host.wait_state(PLUGIN, "running");
    // In its order: what comes behind it waits.
    host.wait_for(DEADLINE * 2, "the next try", || {
        let waits = delivery(&host, "s-1", "retrying");
        waits["reason"].as_str().unwrap().contains("did not answer in time to a recipient").then_some(())
    });
    // It is replaced although it hangs.
    host.configure(PLUGIN, &json!({"toAddresses": ["fine@example.com"]})).expect(0);
    let _ = server.wait_within(DEADLINE * 2, 1);
}
