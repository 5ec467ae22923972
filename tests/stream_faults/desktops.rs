//! Ends that die, are silent, or say one byte at a time.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    time::Duration,
};

use serde_json::json;
use streamspace_tests::{Desktop, Installation, Viewer, read_exactly};

use crate::ends::{CLIPBOARD, INIT, KEY, POINTER, REQUEST, VERSION, all_left, shake_hands, start};

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
    host.wait_connections("s-1", 0);

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
    host.wait_connections("s-1", 1);
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

/// Closes a connection so that the other end is told of a reset.
fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}
