//! What goes in and out: messages whole and in pieces, too large, wrong, and faster than they are taken.

use std::{io::Write, thread, time::Duration};

use serde_json::{Value, json};
use streamspace_tests::DEADLINE;
use tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::socket::{
    PLUGIN, at, closed, closed_for, metric, open, read, read_text, start, start_with, text, wait_open,
    waiting, why_closed,
};

#[test]
fn both_kinds_of_messages_come_back_as_they_were() {
    let host = start();
    let mut socket = open(&host, "/echo").unwrap();
    for length in [0, 1, 125, 126, 65_535, 65_536, 1_000_000] {
        let sent: Vec<u8> = (0..length).map(|n: usize| (n * 7) as u8).collect();
        socket.send(Message::Binary(sent.clone().into())).unwrap();
        assert_eq!(read(&mut socket), Message::Binary(sent.into()), "{length}");
    }
    for said in ["", "ü and 🦀", &"x".repeat(100_000)] {
        socket.send(text(said)).unwrap();
        assert_eq!(read_text(&mut socket), said);
    }
    // Many, before the first is read.
    for number in 0..1000 {
        socket.send(text(&number.to_string())).unwrap();
    }
    for number in 0..1000 {
        assert_eq!(read_text(&mut socket), number.to_string());
    }
    socket.send(Message::Ping("are you there".into())).unwrap();
    loop {
        match socket.read().unwrap() {
            Message::Pong(said) => break assert_eq!(&said[..], b"are you there"),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
    socket.close(Some(CloseFrame { code: CloseCode::Library(4002), reason: "enough".into() })).unwrap();
    assert_eq!(closed(&mut socket).0, 4002, "the code is sent back");
    assert_eq!(why_closed(&host), "Client { code: 4002, reason: \"enough\" }");
    wait_open(&host, 0);
    assert_eq!(closed_for(&host, "client"), 1);
    let of =
        |name: &str, way: &str| metric(&host, &format!("{name}{{plugin=\"{PLUGIN}\",direction=\"{way}\"}}"));
    assert_eq!(of("streamspace_socket_messages_total", "in"), 1010);
    assert_eq!(of("streamspace_socket_bytes_total", "in"), of("streamspace_socket_bytes_total", "out"));
    host.stop();
}

#[test]
fn a_message_that_is_too_large_closes_the_socket_with_1009() {
    let host = start();
    let send = |message: Message| {
        let mut socket = open(&host, "/echo/7").unwrap();
        socket.send(Message::Binary(vec![1; 1000].into())).unwrap();
        assert_eq!(read(&mut socket).len(), 1000, "the largest that is taken");
        socket.send(message).unwrap();
        closed(&mut socket)
    };
    assert_eq!(send(Message::Binary(vec![1; 1001].into())).0, 1009);
    assert_eq!(send(text(&"x".repeat(100_000))).0, 1009);
    // The same in pieces, each of which is small.
    let mut socket = open(&host, "/echo/7").unwrap();
    let stream = socket.get_mut();
    stream.write_all(&frame(0x02, &[1; 100])).unwrap();
    for _ in 0..10 {
        stream.write_all(&frame(0x00, &[1; 100])).unwrap();
    }
    assert_eq!(closed(&mut socket).0, 1009);
    wait_open(&host, 0);
    assert_eq!(closed_for(&host, "too_large"), 3);
    host.stop();
}

/// A client's frame, of less than 126 bytes: its first byte has the kind, and whether it is the last.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | payload.len() as u8, 1, 2, 3, 4];
    frame.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[test]
fn what_is_no_websockets_closes_the_socket_with_what_is_wrong() {
    let host = start();
    for (bytes, code) in [
        (vec![0x82, 0x01, b'x'], 1002),
        (frame(0xf2, b"x"), 1002),
        (frame(0x83, b"x"), 1002),
        (frame(0x00, b"x"), 1002),
        ([frame(0x02, b"x"), frame(0x82, b"y")].concat(), 1002),
        (frame(0x81, b"\xff"), 1007),
        ([frame(0x01, b"\xc3"), frame(0x80, b"\x28")].concat(), 1007),
    ] {
        let mut socket = open(&host, "/echo").unwrap();
        socket.get_mut().write_all(&bytes).unwrap();
        assert_eq!(closed(&mut socket).0, code, "{bytes:?}");
    }
    wait_open(&host, 0);
    host.stop();
}

#[test]
fn frames_of_one_byte_are_put_together_and_a_letter_may_be_apart() {
    let host = start();
    let mut socket = open(&host, "/echo").unwrap();
    let said = "ü and 🦀 ".repeat(2000);
    let mut bytes = Vec::new();
    for (number, byte) in said.bytes().enumerate() {
        let is_last = if number + 1 == said.len() { 0x80 } else { 0 };
        bytes.extend(frame(is_last | u8::from(number == 0), &[byte]));
        if number % 1000 == 0 {
            // Between the pieces of a message.
            bytes.extend(frame(0x89, b"?"));
        }
    }
    socket.get_mut().write_all(&bytes).unwrap();
    assert_eq!(read_text(&mut socket), said);

    // Messages of one byte, each of which is one.
    let bytes: Vec<u8> = (0..5000).flat_map(|_| frame(0x82, b"x")).collect();
    let mut writer = socket.get_ref().try_clone().unwrap();
    let writing = thread::spawn(move || writer.write_all(&bytes).unwrap());
    for _ in 0..5000 {
        assert_eq!(read(&mut socket), Message::Binary(b"x"[..].into()));
    }
    writing.join().unwrap();
    host.stop();
}

#[test]
fn a_client_that_takes_nothing_is_bounded_and_cut_off() {
    let host = start_with(|installation| installation.set("plugins.socket_send_deadline_secs", 1));
    let before = host.memory();
    let slow = open(&host, "/floods").unwrap();
    let ended = host.logged("the flood to end", |line| line.message() == "The flood ended.");
    assert!(ended.text("why").contains("took nothing"), "{ended:?}");
    let sent = ended.field("sent").as_u64().unwrap();
    assert!(sent < 64 * 1024 * 1024, "nothing holds it up: {sent}");
    assert!(host.memory() < before + 64 * 1024, "{before} KiB became {} KiB", host.memory());
    host.wait_for(DEADLINE, "the socket to be closed", || (closed_for(&host, "slow") == 1).then_some(()));
    // That the client is slow is no failure of the plugin.
    assert!(!host.log().has(|line| line.message() == "A request failed."));
    // Others are served meanwhile.
    let mut other = open(&host, "/echo").unwrap();
    other.send(text("x")).unwrap();
    assert_eq!(read_text(&mut other), "x");
    drop(slow);
    other.close(None).unwrap();
    wait_open(&host, 0);
    host.stop();
}

#[test]
fn a_handler_that_takes_nothing_holds_up_its_client_and_loses_nothing() {
    let host = start();
    let mut socket = open(&host, "/holds").unwrap();
    waiting(&host, 1);
    let before = host.memory();
    let mut writer = socket.get_ref().try_clone().unwrap();
    writer.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Frames of 100 bytes, as many as the host and the kernel take.
    let piece: Vec<u8> = (0..1000).flat_map(|_| frame(0x82, &[7; 100])).collect();
    let mut written = 0_usize;
    let mut pending = Vec::new();
    while pending.is_empty() {
        let mut at = 0;
        while at < piece.len() {
            match writer.write(&piece[at..]) {
                Ok(count) => at += count,
                Err(_) => break,
            }
        }
        written += 1000;
        pending = piece[at..].to_vec();
        assert!(written < 10_000_000, "nothing holds the client up");
    }
    assert!(host.memory() < before + 32 * 1024, "{before} KiB became {} KiB", host.memory());
    let _ = host.api().post(&at("/open")).expect(204);
    writer.set_write_timeout(Some(DEADLINE)).unwrap();
    writer.write_all(&pending).unwrap();
    socket.send(text("count")).unwrap();
    let counted: Value = serde_json::from_str(&read_text(&mut socket)).unwrap();
    assert_eq!(counted, json!({"messages": written, "bytes": written * 100}));
    host.stop();
}
