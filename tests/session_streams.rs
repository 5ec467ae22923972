//! Desktops through the host: who is let in, what is carried, and what becomes of it when somebody goes.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;
use streamspace_tests::{
    Answer, Api, Backend, DEADLINE, Desktop, Host, Installation, Viewer, on_both_backends,
};
use tungstenite::Message;

on_both_backends!(
    who_may_is_let_in_and_nobody_else,
    who_may_no_more_is_let_go,
    a_viewer_is_a_connection_of_the_session_and_gone_when_it_goes,
    what_an_earlier_process_had_is_over,
);

fn at(rest: &str) -> String {
    format!("/api/v1/sessions{rest}")
}

/// A session of `owner` that runs at this desktop.
fn run(host: &Host, id: &str, owner: &str, address: &str) {
    host.run_session(id, owner, address, json!({}));
}

fn ticket(api: &Api, id: &str) -> Answer {
    api.post(&at(&format!("/{id}/tickets")))
}

/// Sends back what comes, until the other end has enough.
fn echo(mut stream: TcpStream) -> JoinHandle<u64> {
    thread::spawn(move || {
        let (mut buffer, mut echoed) = (vec![0; 64 * 1024], 0);
        while let Ok(count) = stream.read(&mut buffer) {
            if count == 0 || stream.write_all(&buffer[..count]).is_err() {
                break;
            }
            echoed += count as u64;
        }
        echoed
    })
}

fn who_may_is_let_in_and_nobody_else(backend: &Backend) {
    let desktop = Desktop::new();
    let host = Installation::on(backend).start();
    let (ada, token) = host.account("ada", &[]);
    let (bob, _) = host.account("bob", &[]);
    run(&host, "s-1", "ada", &desktop.address());
    run(&host, "s-2", "ada", &desktop.address());
    let path = at("/s-1/vnc");

    // A token, as a program has it.
    let bearer = format!("Bearer {token}");
    let mut socket = Viewer::open(&host, &path, &[("Authorization", &bearer)]).unwrap();
    desktop.accept().write_all(b"RFB 003.008\n").unwrap();
    assert_eq!(socket.read(12), b"RFB 003.008\n");

    // A ticket, once, and for its session.
    let good = ticket(&ada, "s-1").expect(201).json();
    assert_eq!(good["access"], "control");
    let way = good["path"].as_str().unwrap();
    let _socket = Viewer::open(&host, way, &[]).unwrap();
    let _stream = desktop.accept();
    assert_eq!(Viewer::open(&host, way, &[]).unwrap_err(), (401, "SSP-VNC-004".into()), "twice");
    let other = ticket(&ada, "s-2").expect(201).json();
    let other = format!("{path}?ticket={}", other["ticket"].as_str().unwrap());
    assert_eq!(
        Viewer::open(&host, &other, &[]).unwrap_err(),
        (401, "SSP-VNC-004".into()),
        "of another session"
    );

    // Nobody, a stranger, another site's page.
    assert_eq!(Viewer::open(&host, &path, &[]).unwrap_err().0, 401);
    assert_eq!(ticket(&bob, "s-1").problem(&[404])["code"], "SSP-SES-001");
    let fresh = || ticket(&ada, "s-1").expect(201).json()["path"].as_str().unwrap().to_owned();
    assert_eq!(
        Viewer::open(&host, &fresh(), &[("Origin", "https://evil.example")]).unwrap_err(),
        (403, "SSP-AUT-005".into())
    );
    let own = format!("http://{}", host.address());
    let _socket = Viewer::open(&host, &fresh(), &[("Origin", &own)]).unwrap();
    let _stream = desktop.accept();

    // Shared for use, and for looking.
    let share = |access: &str| {
        let body = json!({ "access": access }).to_string();
        let headers = [("Content-Type", "application/json")];
        let _ = ada.send("PUT", &at("/s-1/shares/bob"), &headers, Some(body.as_bytes()));
    };
    share("control");
    let mut shared = Viewer::with_ticket(&host, &bob, "s-1");
    let _stream = desktop.accept();
    let _ = ada.delete(&at("/s-1/shares/bob")).expect(204);
    assert!(shared.closed().contains("not the viewer's any more"), "what was taken back ends");
    share("view");
    let looking = ticket(&bob, "s-1").expect(201).json();
    assert_eq!(looking["access"], "view");
    let _socket = Viewer::open(&host, looking["path"].as_str().unwrap(), &[]).unwrap();
    let _stream = desktop.accept();
    assert!(!host.log().text().contains(&token), "a token was logged");
}

fn who_may_no_more_is_let_go(backend: &Backend) {
    let desktop = Desktop::new();
    let host = Installation::on(backend).start();
    let (ada, _) = host.account("ada", &[]);
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let mut stream = desktop.accept();
    stream.write_all(b"RFB 003.008\n").unwrap();
    assert_eq!(viewer.read(12), b"RFB 003.008\n");
    let ticket = ada.post("/api/v1/sessions/s-1/tickets").expect(201).json();

    // Neither her desktop nor a ticket that she has is hers any more.
    let _ = host.api().post("/api/v1/users/ada/disable").expect(200);
    assert!(viewer.closed().contains("not the viewer's any more"));
    let refused = Viewer::open(&host, ticket["path"].as_str().unwrap(), &[]).unwrap_err();
    assert_eq!(refused, (401, "SSP-VNC-004".into()));
}

fn a_viewer_is_a_connection_of_the_session_and_gone_when_it_goes(backend: &Backend) {
    let desktop = Desktop::new();
    let host = Installation::on(backend).start();
    let (ada, _) = host.account("ada", &[]);
    run(&host, "s-1", "ada", &desktop.address());
    let events = || {
        let page = host.api().get("/api/v1/events?topic=session.*&limit=1000").expect(200).json();
        let events = page["events"].as_array().unwrap().clone();
        events.iter().map(|event| event["topic"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    let mut socket = Viewer::with_ticket(&host, &ada, "s-1");
    let stream = desktop.accept();
    assert_eq!(host.connections("s-1"), 1);
    assert!(events().contains(&"session.connected".to_owned()));
    socket.0.close(None).unwrap();
    host.wait_connections("s-1", 0);
    assert!(events().contains(&"session.disconnected".to_owned()));
    assert_eq!((&stream).read(&mut [0; 1]).unwrap(), 0, "the desktop is told");

    // A viewer that vanishes, a desktop that ends.
    let socket = Viewer::with_ticket(&host, &ada, "s-1");
    let stream = desktop.accept();
    socket.0.get_ref().shutdown(Shutdown::Both).unwrap();
    assert_eq!((&stream).read(&mut [0; 1]).unwrap(), 0);
    host.wait_connections("s-1", 0);
    let mut socket = Viewer::with_ticket(&host, &ada, "s-1");
    drop(desktop.accept());
    assert_eq!(socket.closed(), "the desktop closed the connection");
    host.wait_connections("s-1", 0);

    // A session that ends.
    let mut socket = Viewer::with_ticket(&host, &ada, "s-1");
    let _stream = desktop.accept();
    host.step_session("s-1", "hibernated");
    assert!(socket.closed().contains("the session has ended"));
    let ticket = ticket(&ada, "s-1").expect(201).json();
    assert_eq!(
        Viewer::open(&host, ticket["path"].as_str().unwrap(), &[]).unwrap_err(),
        (409, "SSP-SES-005".into())
    );
}

fn what_an_earlier_process_had_is_over(backend: &Backend) {
    let desktop = Desktop::new();
    let host = Installation::on(backend).start();
    let (ada, _) = host.account("ada", &[]);
    run(&host, "s-1", "ada", &desktop.address());
    let _socket = Viewer::with_ticket(&host, &ada, "s-1");
    let _stream = desktop.accept();
    let controllers = json!({"id": "c1", "client_address": "192.0.2.1"});
    let _ = host.api().post_json(&at("/s-1/connections"), &controllers).expect(201);
    assert_eq!(host.connections("s-1"), 2);
    let host = host.end(Signal::KILL, DEADLINE).installation.start();
    assert_eq!(host.connections("s-1"), 1, "those that a controller told of are its own");
}

#[test]
fn of_an_account_only_so_many_tickets_wait_to_be_used() {
    let desktop = Desktop::new();
    let host = Installation::new().start();
    let (ada, _) = host.account("ada", &[]);
    let (bob, _) = host.account("bob", &[]);
    run(&host, "s-1", "ada", &desktop.address());
    run(&host, "s-2", "bob", &desktop.address());
    let bobs = ticket(&bob, "s-2").expect(201).json();
    let (mut last, mut refused) = (None, None);
    // Those that are over make room, which takes longer than this on every machine that is not stuck.
    for _ in 0..1000 {
        let answer = ticket(&ada, "s-1");
        if answer.status != 201 {
            refused = Some(answer);
            break;
        }
        last = Some(answer.json());
    }
    let refused = refused.expect("there is no end of tickets");
    assert_eq!(refused.header("retry-after"), Some("30"));
    assert_eq!(refused.problem(&[429])["code"], "SSP-TKT-001");

    // Nobody else has lost anything, and one that is used makes room.
    let _ = ticket(&bob, "s-2").expect(201);
    let _viewers = [bobs, last.unwrap()]
        .map(|used| Viewer::open(&host, used["path"].as_str().unwrap(), &[]).expect("a good ticket"));
    let _ = ticket(&ada, "s-1").expect(201);
}

#[test]
fn a_viewer_that_comes_while_plugins_start_stays() {
    let desktop = Desktop::new();
    let host = Installation::new()
        .set("plugins.load_deadline_secs", 3600)
        .set("server.shutdown_deadline_secs", 1)
        .plugin("fixture-panics", &json!({"slow_load_secs": 3600}))
        .start();
    let (ada, _) = host.account("ada", &[]);
    run(&host, "s-1", "ada", &desktop.address());
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let mut stream = desktop.accept();
    stream.write_all(b"RFB 003.008\n").unwrap();
    assert_eq!(viewer.read(12), b"RFB 003.008\n");
    // With its first look after the viewer, the host asks it for a sign of life, or throws it out.
    let looked = viewer.0.read().unwrap();
    assert!(matches!(looked, Message::Ping(_)), "{looked:?}");
    stream.write_all(&[1, 1]).unwrap();
    assert_eq!(viewer.read(2), [1, 1]);
    let _ = host.api().get("/readyz").problem(&[503]);
}

#[test]
fn every_byte_arrives_in_order_in_both_directions() {
    const PIECES: usize = 300;
    let desktop = Desktop::new();
    let host = Installation::new().start();
    let (ada, _) = host.account("ada", &[]);
    run(&host, "s-1", "ada", &desktop.address());
    let mut socket = Viewer::with_ticket(&host, &ada, "s-1");
    let stream = desktop.accept();
    let echoing = echo(stream);
    for n in 0..PIECES {
        // From one byte up to a few frames of the relay's own.
        let piece: Vec<u8> = (0..=n * 331).map(|i| (i * 7 + n) as u8).collect();
        socket.0.send(Message::Binary(piece.clone().into())).unwrap();
        assert_eq!(socket.read(piece.len()), piece);
    }
    socket.0.close(None).unwrap();
    assert_eq!(echoing.join().unwrap(), (0..PIECES as u64).map(|n| n * 331 + 1).sum::<u64>());
}

#[test]
fn a_viewer_that_takes_nothing_holds_up_its_desktop_and_nobody_else() {
    let desktop = Desktop::new();
    let host = Installation::new().start();
    let (ada, _) = host.account("ada", &[]);
    run(&host, "s-1", "ada", &desktop.address());
    let _slow = Viewer::with_ticket(&host, &ada, "s-1");
    let mut stream = desktop.accept();
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let before = host.memory();
    // As much as goes into the buffers of the kernel and the host.
    let piece = vec![7; 1024 * 1024];
    let mut taken = 0;
    loop {
        match stream.write(&piece) {
            Ok(count) => taken += count,
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(why) => panic!("{why}"),
        }
        assert!(taken < 256 * 1024 * 1024, "nothing holds the desktop up");
    }
    assert!(host.memory() < before + 32 * 1024, "{before} KiB became {} KiB", host.memory());

    let mut other = Viewer::with_ticket(&host, &ada, "s-1");
    desktop.accept().write_all(b"RFB 003.008\n").unwrap();
    assert_eq!(other.read(12), b"RFB 003.008\n");
}

#[test]
fn what_is_no_stream_is_refused_and_leaves_nothing() {
    let desktop = Desktop::new();
    let host = Installation::new().set("server.max_viewers", 1).start();
    let (ada, _) = host.account("ada", &[]);
    let away = {
        let gone = Desktop::new();
        gone.address()
    };
    run(&host, "s-1", "ada", &away);
    let way = || ticket(&ada, "s-1").expect(201).json()["path"].as_str().unwrap().to_owned();
    assert_eq!(Viewer::open(&host, &way(), &[]).unwrap_err(), (502, "SSP-VNC-002".into()));
    assert_eq!(host.connections("s-1"), 0);
    assert_eq!(host.api().get(&way()).problem(&[400])["code"], "SSP-VNC-003");

    let _ = host.api().patch(&at("/s-1"), &json!({"rfb_address": desktop.address()})).expect(200);
    let mut socket = Viewer::with_ticket(&host, &ada, "s-1");
    let _stream = desktop.accept();
    assert_eq!(Viewer::open(&host, &way(), &[]).unwrap_err(), (503, "SSP-VNC-001".into()));
    // A frame that is larger than any message of RFB.
    let _ = socket.0.send(Message::Binary(vec![0; 2 * 1024 * 1024].into()));
    host.wait_connections("s-1", 0);
    let mut socket = Viewer::with_ticket(&host, &ada, "s-1");
    let _stream = desktop.accept();
    socket.0.send(Message::Text("RFB".into())).unwrap();
    assert_eq!(socket.closed(), "the viewer went");

    let mut socket = Viewer::with_ticket(&host, &ada, "s-1");
    let _stream = desktop.accept();
    let stopping = thread::spawn(move || host.stop());
    assert_eq!(socket.closed(), "the host stops");
    assert!(stopping.join().unwrap().status.success());
}
