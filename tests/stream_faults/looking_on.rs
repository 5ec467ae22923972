//! Viewers that may look on and no more.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::json;
use streamspace_tests::{Desktop, Host, Viewer, read_exactly};

use crate::ends::{CLIPBOARD, KEY, POINTER, REQUEST, VERSION, all_left, shake_hands, start};

const DESKTOP_SIZE: &[u8] = &[251, 0, 0, 4, 0, 3, 0, 0];
const QEMU_KEY: &[u8] = &[255, 0, 0, 1, 0, 0, 0, 0x61, 0, 0, 0, 30];
const FENCE: &[u8] = &[248, 0, 0, 0, 0x80, 0, 0, 1, 2, 7, 7];

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
