//! What becomes of a stream when something is wrong with either end: it ends for its own viewer, with a reason and an event, and
//! for nobody else.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use streamspace_tests::{
    Api, Backend, DEADLINE, Desktop, Host, Installation, Viewer, on_both_backends, read_exactly,
};

on_both_backends!(a_session_is_idle_when_nobody_does_anything_and_active_again);

const VERSION: &[u8] = b"RFB 003.008\n";
/// 4x3 pixels, 32 bits, and a name.
const INIT: &[u8] = &[0, 4, 0, 3, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0, 0, 0, 0, 1, b'd'];
const REQUEST: &[u8] = &[3, 1, 0, 0, 0, 0, 0, 4, 0, 3];
const KEY: &[u8] = &[4, 1, 0, 0, 0, 0, 0, 0x61];
const POINTER: &[u8] = &[5, 0, 0, 1, 0, 2];
const CLIPBOARD: &[u8] = &[6, 0, 0, 0, 0, 0, 0, 2, b'h', b'i'];
const DESKTOP_SIZE: &[u8] = &[251, 0, 0, 4, 0, 3, 0, 0];
const QEMU_KEY: &[u8] = &[255, 0, 0, 1, 0, 0, 0, 0x61, 0, 0, 0, 30];
const FENCE: &[u8] = &[248, 0, 0, 0, 0x80, 0, 0, 1, 2, 7, 7];

fn start(desktop: &Desktop) -> (Host, Api) {
    let host = Installation::new().start();
    let (ada, _) = host.account("ada", &[]);
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
    (host, ada)
}

/// The handshake of a desktop without a password.
fn shake_hands(viewer: &mut Viewer, mut desktop: &TcpStream) {
    desktop.write_all(VERSION).unwrap();
    assert_eq!(viewer.read(12), VERSION);
    viewer.send(VERSION);
    assert_eq!(read_exactly(desktop, 12), VERSION);
    desktop.write_all(&[1, 1]).unwrap();
    assert_eq!(viewer.read(2), [1, 1]);
    viewer.send(&[1]);
    assert_eq!(read_exactly(desktop, 1), [1]);
    desktop.write_all(&[0; 4]).unwrap();
    assert_eq!(viewer.read(4), [0; 4]);
    // To be alone.
    viewer.send(&[0]);
    assert_eq!(read_exactly(desktop, 1), [1], "one more viewer throws nobody out");
    desktop.write_all(INIT).unwrap();
    assert_eq!(viewer.read(INIT.len()), INIT);
}

fn connections(host: &Host) -> usize {
    let session = host.api().get("/api/v1/sessions/s-1").expect(200).json();
    session["connections"].as_array().unwrap().len()
}

fn wait_connections(host: &Host, count: usize) {
    host.wait_for(DEADLINE, &format!("{count} connections"), || (connections(host) == count).then_some(()));
}

fn topics(host: &Host) -> Vec<String> {
    events(host).iter().map(|event| event["topic"].as_str().unwrap().to_owned()).collect()
}

fn events(host: &Host) -> Vec<Value> {
    let page = host.api().get("/api/v1/events?topic=session.*&limit=1000").expect(200).json();
    page["events"].as_array().unwrap().clone()
}

fn count(host: &Host, topic: &str) -> usize {
    topics(host).iter().filter(|known| *known == topic).count()
}

/// That as many went as came, nobody is left, and the host is well.
fn all_left(host: &Host, came: usize) {
    wait_connections(host, 0);
    assert_eq!(count(host, "session.connected"), came);
    assert_eq!(count(host, "session.disconnected"), came);
    let log = host.log().text();
    assert!(!log.contains("panicked"), "{log}");
}

/// What the host takes of memory, in KiB.
fn memory(host: &Host) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Closes a connection so that the other end is told of a reset.
fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_desktop_that_dies_at_any_byte_of_the_handshake_ends_its_viewer() {
    let desktop = Desktop::new();
    let (host, ada) = start(&desktop);
    let mut came = 0;
    for (n, dies_by_reset) in
        [0, 5, 12, 13, 14, 16, 18, 30].into_iter().zip([false, true].into_iter().cycle())
    {
        let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
        let mut stream = desktop.accept();
        came += 1;
        let said: Vec<u8> = [VERSION, &[1, 1], &[0; 4], INIT].concat();
        viewer.send(VERSION);
        viewer.send(&[1]);
        stream.write_all(&said[..n]).unwrap();
        assert_eq!(viewer.read(n).len(), n);
        if dies_by_reset {
            reset(&stream);
        }
        drop(stream);
        let why = viewer.closed();
        assert!(why.contains("the desktop closed the connection") || why.contains("broke"), "{n}: {why}");
    }
    all_left(&host, came);
}

#[test]
fn a_desktop_that_dies_in_an_update_ends_its_viewer_who_has_what_came_before() {
    let desktop = Desktop::new();
    let (host, ada) = start(&desktop);
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let mut stream = desktop.accept();
    shake_hands(&mut viewer, &stream);
    viewer.send(REQUEST);
    assert_eq!(read_exactly(&stream, REQUEST.len()), REQUEST);
    // The head of an update of 12 pixels, and seven bytes of them.
    let part = [&[0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0, 3, 0, 0, 0, 0][..], &[9; 7]].concat();
    stream.write_all(&part).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(viewer.read(part.len()), part);
    assert_eq!(viewer.closed(), "the desktop closed the connection");
    all_left(&host, 1);
}

#[test]
fn a_desktop_that_never_answers_is_given_up() {
    let desktop = Desktop::new();
    let (host, ada) = start(&desktop);
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let _stream = desktop.accept();
    assert_eq!(viewer.closed(), "the desktop said nothing for 10 s");
    all_left(&host, 1);
}

#[test]
fn what_a_viewer_sent_last_reaches_the_desktop_and_a_reset_ends_it() {
    let desktop = Desktop::new();
    let (host, ada) = start(&desktop);
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let mut stream = desktop.accept();
    shake_hands(&mut viewer, &stream);
    // Nobody reads this, which would reset a connection that is closed.
    stream.write_all(&[7; 100_000]).unwrap();
    viewer.send(KEY);
    viewer.0.close(None).unwrap();
    assert_eq!(read_exactly(&stream, KEY.len()), KEY);
    assert_eq!((&stream).read(&mut [0]).unwrap(), 0, "the desktop is told");
    drop(stream);
    wait_connections(&host, 0);

    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let stream = desktop.accept();
    shake_hands(&mut viewer, &stream);
    reset(viewer.0.get_ref());
    drop(viewer);
    assert_eq!((&stream).read(&mut [0]).unwrap(), 0, "the desktop is told");
    all_left(&host, 2);
}

#[test]
fn a_viewer_that_resets_before_its_desktop_is_reached_leaves_nothing_behind() {
    // A desktop that takes nobody: as many as may wait have not been accepted.
    let desktop = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&desktop, 0).unwrap();
    let address = desktop.local_addr().unwrap();
    let waiting: Vec<_> =
        (0..64).map_while(|_| TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()).collect();
    assert!(waiting.len() < 64, "the desktop takes everybody");
    let host = Installation::new().start();
    let (ada, _) = host.account("ada", &[]);
    host.run_session("s-1", "ada", &address.to_string(), json!({}));
    let ticket = ada.post("/api/v1/sessions/s-1/tickets").expect(201).json();
    let mut viewer = TcpStream::connect(host.address()).unwrap();
    let (path, at) = (ticket["path"].as_str().unwrap(), host.address());
    let handshake = format!(
        "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: binary\r\n\r\n"
    );
    viewer.write_all(handshake.as_bytes()).unwrap();
    wait_connections(&host, 1);
    reset(&viewer);
    drop(viewer);
    all_left(&host, 1);
}

#[test]
fn bytes_that_come_one_by_one_are_a_stream_as_any_other() {
    let desktop = Desktop::new();
    let (host, ada) = start(&desktop);
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let mut stream = desktop.accept();
    stream.set_nodelay(true).unwrap();
    let said = [VERSION, &[1, 1], &[0; 4], INIT].concat();
    let heard = [VERSION, &[1, 0], REQUEST, KEY, CLIPBOARD, POINTER].concat();
    let both = said.len().max(heard.len());
    for n in 0..both {
        if let Some(byte) = said.get(n) {
            stream.write_all(&[*byte]).unwrap();
            assert_eq!(viewer.read(1), [*byte]);
        }
        if let Some(byte) = heard.get(n) {
            viewer.send(&[*byte]);
            // What asks for others to be thrown out.
            let becomes = if n == 13 { 1 } else { *byte };
            assert_eq!(read_exactly(&stream, 1), [becomes], "byte {n}");
        }
    }
    drop(stream);
    assert_eq!(viewer.closed(), "the desktop closed the connection");
    all_left(&host, 1);
}

#[test]
fn garbage_is_relayed_as_it_is_and_costs_no_memory() {
    let desktop = Desktop::new();
    let (host, ada) = start(&desktop);
    // Begins as other protocols do, as a name of 4 GiB, as a text of 2 GiB, as nothing at all.
    let beginnings = [
        b"HTTP/1.1 400 Bad Request\r\n".to_vec(),
        [VERSION, &[1, 1], &[0; 4], &INIT[..20], &[0xFF; 4]].concat(),
        vec![0xFF; 64],
        vec![0; 64],
    ];
    let before = memory(&host);
    let mut random = 0x9E37_79B9_u32;
    for (n, beginning) in beginnings.iter().enumerate() {
        let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
        let mut stream = desktop.accept();
        for round in 0..20 {
            let mut piece: Vec<u8> = (0..50_000 + round * 1000)
                .map(|_| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (random >> 24) as u8
                })
                .collect();
            if round == 0 {
                piece.splice(..0, beginning.iter().copied());
            }
            stream.write_all(&piece).unwrap();
            assert_eq!(viewer.read(piece.len()), piece, "{n} {round}");
            viewer.send(&piece);
            assert!(read_exactly(&stream, piece.len()) == piece, "{n} {round}");
        }
        viewer.0.close(None).unwrap();
        wait_connections(&host, 0);
    }
    assert!(memory(&host) < before + 32 * 1024, "{before} KiB became {} KiB", memory(&host));
    all_left(&host, beginnings.len());
}

#[test]
fn a_text_of_many_megabytes_and_an_oversize_frame_cost_no_memory() {
    let desktop = Desktop::new();
    let (host, ada) = start(&desktop);
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let stream = desktop.accept();
    shake_hands(&mut viewer, &stream);
    let before = memory(&host);
    let length: u32 = 16 << 20;
    let reading = thread::spawn(move || {
        let text = read_exactly(&stream, 8 + length as usize);
        assert_eq!(read_exactly(&stream, KEY.len()), KEY);
        (text, stream)
    });
    viewer.send(&[&[6, 0, 0, 0][..], &length.to_be_bytes()].concat());
    for _ in 0..64 {
        viewer.send(&[b'x'; 1 << 18]);
    }
    viewer.send(KEY);
    let (text, stream) = reading.join().unwrap();
    assert!(text[8..].iter().all(|byte| *byte == b'x'));
    assert!(memory(&host) < before + 16 * 1024, "{before} KiB became {} KiB", memory(&host));
    // More than a frame may have. Only its head is read.
    let _ = viewer.0.send(tungstenite::Message::Binary(vec![0; 2 << 20].into()));
    assert_eq!((&stream).read(&mut [0]).unwrap(), 0, "the desktop is told");
    all_left(&host, 1);
}

#[test]
fn one_that_takes_nothing_costs_a_bounded_amount_in_either_direction() {
    let desktop = Desktop::new();
    let (host, ada) = start(&desktop);
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let mut stream = desktop.accept();
    shake_hands(&mut viewer, &stream);
    let before = memory(&host);
    let piece = vec![7; 1 << 18];
    let fill = |mut write: Box<dyn FnMut() -> std::io::Result<usize>>| {
        let mut taken = 0;
        loop {
            match write() {
                Ok(count) => taken += count,
                Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
                Err(why) => panic!("{why}"),
            }
            assert!(taken < 256 << 20, "nothing holds it up");
        }
    };
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    fill(Box::new(|| stream.write(&piece)));
    let raw = viewer.0.get_ref().try_clone().unwrap();
    raw.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    fill(Box::new(move || {
        let sent = viewer.0.send(tungstenite::Message::Binary(vec![7; 1 << 18].into()));
        match sent {
            Ok(()) => Ok(1 << 18),
            Err(tungstenite::Error::Io(why)) => Err(why),
            Err(why) => panic!("{why}"),
        }
    }));
    assert!(memory(&host) < before + 32 * 1024, "{before} KiB became {} KiB", memory(&host));
    // Others are served meanwhile.
    let mut other = Viewer::with_ticket(&host, &ada, "s-1");
    let second = desktop.accept();
    shake_hands(&mut other, &second);
}

#[test]
fn a_viewer_that_takes_nothing_for_long_is_let_go() {
    let desktop = Desktop::new();
    let (host, ada) = start(&desktop);
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let mut stream = desktop.accept();
    shake_hands(&mut viewer, &stream);
    // As much as fits anywhere, and more; until the host closes the connection.
    let mut taken = 0;
    while let Ok(count) = stream.write(&[7; 1 << 18]) {
        taken += count;
        assert!(taken < 256 << 20, "nothing holds it up");
    }
    all_left(&host, 1);
    drop(viewer);
}

#[test]
fn many_viewers_at_once_have_each_a_stream_of_their_own() {
    const VIEWERS: usize = 60;
    let desktop = Desktop::new();
    let (host, ada) = start(&desktop);
    let mut all: Vec<(Viewer, TcpStream)> = Vec::new();
    for _ in 0..VIEWERS {
        let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
        let stream = desktop.accept();
        shake_hands(&mut viewer, &stream);
        all.push((viewer, stream));
    }
    assert_eq!(connections(&host), VIEWERS);
    let before = memory(&host);
    for round in 0..5_usize {
        for (n, (_, stream)) in all.iter_mut().enumerate() {
            stream.write_all(&vec![(n + round) as u8; 60_000]).unwrap();
        }
        for (n, (viewer, stream)) in all.iter_mut().enumerate() {
            assert!(viewer.read(60_000).iter().all(|byte| *byte == (n + round) as u8));
            viewer.send(&[n as u8; 100]);
            assert_eq!(read_exactly(stream, 100), [n as u8; 100]);
        }
    }
    assert!(memory(&host) < before + 64 * 1024, "{before} KiB became {} KiB", memory(&host));
    drop(all);
    all_left(&host, VIEWERS);
}

/// Ada's session, with Bob, who may look on.
fn looking_on(desktop: &Desktop) -> (Host, Viewer, TcpStream) {
    let (host, ada) = start(desktop);
    let (bob, _) = host.account("bob", &[]);
    let share = json!({"access": "view"}).to_string();
    let headers = [("Content-Type", "application/json")];
    let _ = ada.send("PUT", "/api/v1/sessions/s-1/shares/bob", &headers, Some(share.as_bytes()));
    let viewer = Viewer::with_ticket(&host, &bob, "s-1");
    let stream = desktop.accept();
    (host, viewer, stream)
}

#[test]
fn who_looks_on_sees_the_desktop_and_does_nothing_to_it() {
    let desktop = Desktop::new();
    let (host, mut viewer, mut stream) = looking_on(&desktop);
    shake_hands(&mut viewer, &stream);
    let text = [&[6, 0, 0, 0, 0, 1, 0x86, 0xA0][..], &[b'x'; 100_000]].concat();
    viewer.send(&[KEY, REQUEST, POINTER, CLIPBOARD, DESKTOP_SIZE, QEMU_KEY, FENCE].concat());
    for byte in [KEY, POINTER, REQUEST].concat() {
        viewer.send(&[byte]);
    }
    viewer.send(&text[..50_000]);
    viewer.send(&[&text[50_000..], KEY].concat());
    viewer.send(REQUEST);
    let passed = [REQUEST, FENCE, REQUEST, REQUEST].concat();
    assert_eq!(read_exactly(&stream, passed.len()), passed);
    stream.write_all(&[2; 1000]).unwrap();
    assert_eq!(viewer.read(1000), [2; 1000]);
    // Nobody knows what this does.
    viewer.send(&[77; 10]);
    let why = viewer.closed();
    assert!(why.contains("looking on takes RFB that the host can read"), "{why}");
    assert_eq!((&stream).read(&mut [0]).unwrap_or(0), 0, "nothing of it came");
    all_left(&host, 1);
}

#[test]
fn who_looks_on_is_not_let_through_what_cannot_be_read() {
    let desktop = Desktop::new();
    let (host, mut viewer, mut stream) = looking_on(&desktop);
    stream.write_all(VERSION).unwrap();
    assert_eq!(viewer.read(12), VERSION);
    viewer.send(VERSION);
    assert_eq!(read_exactly(&stream, 12), VERSION);
    // VeNCrypt alone.
    stream.write_all(&[1, 19]).unwrap();
    assert_eq!(viewer.read(2), [1, 19]);
    viewer.send(&[19]);
    let why = viewer.closed();
    assert!(why.contains("VeNCrypt") || why.contains("security type"), "{why}");
    all_left(&host, 1);
}

fn a_session_is_idle_when_nobody_does_anything_and_active_again(backend: &Backend) {
    let desktop = Desktop::new();
    let host = Installation::on(backend).start();
    let (ada, _) = host.account("ada", &[]);
    host.run_session("s-1", "ada", &desktop.address(), json!({"idle_timeout_secs": 1}));
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let stream = desktop.accept();
    shake_hands(&mut viewer, &stream);
    let wait = |topic: &str, many: usize| {
        host.wait_for(DEADLINE, &format!("{many} {topic}"), || (count(&host, topic) >= many).then_some(()));
    };
    let is_idle = || host.api().get("/api/v1/sessions/s-1").expect(200).json()["idle"] == true;
    wait("session.idle", 1);
    assert!(is_idle());
    let idle = events(&host).into_iter().find(|event| event["topic"] == "session.idle").unwrap();
    assert!(idle["data"]["idleDuration"].as_u64().is_some_and(|secs| secs >= 1), "{idle}");

    // What no user does is no activity: it stays idle, and that is said once.
    let active = count(&host, "session.active");
    viewer.send(REQUEST);
    assert_eq!(read_exactly(&stream, REQUEST.len()), REQUEST);
    // A key is, and the session is idle once more afterwards. It says so in this order.
    host.wait_for(DEADLINE, "the session to be active", || {
        viewer.send(KEY);
        assert_eq!(read_exactly(&stream, KEY.len()), KEY);
        (count(&host, "session.active") > active).then_some(())
    });
    wait("session.idle", 2);

    // Nobody is there: idle all the same, since somebody was.
    viewer.0.close(None).unwrap();
    drop(stream);
    wait_connections(&host, 0);
    let mut again = Viewer::with_ticket(&host, &ada, "s-1");
    let stream = desktop.accept();
    shake_hands(&mut again, &stream);
    again.0.close(None).unwrap();
    drop(stream);
    wait_connections(&host, 0);
    wait("session.idle", 3);
    assert!(is_idle());
    assert_eq!(count(&host, "session.active"), active + 2);
}
