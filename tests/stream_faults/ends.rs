//! The two ends of a stream, and what the host knows of them.

use std::{io::Write, net::TcpStream};

use serde_json::{Value, json};
use streamspace_tests::{Api, Desktop, Host, Installation, Viewer, read_exactly};

pub(crate) const VERSION: &[u8] = b"RFB 003.008\n";
/// 4x3 pixels, 32 bits, and a name.
pub(crate) const INIT: &[u8] =
    &[0, 4, 0, 3, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0, 0, 0, 0, 1, b'd'];
pub(crate) const REQUEST: &[u8] = &[3, 1, 0, 0, 0, 0, 0, 4, 0, 3];
pub(crate) const KEY: &[u8] = &[4, 1, 0, 0, 0, 0, 0, 0x61];
pub(crate) const POINTER: &[u8] = &[5, 0, 0, 1, 0, 2];
pub(crate) const CLIPBOARD: &[u8] = &[6, 0, 0, 0, 0, 0, 0, 2, b'h', b'i'];

pub(crate) fn start(desktop: &Desktop) -> (Host, Api) {
    let host = Installation::new().start();
    let (ada, _) = host.account("ada", &[]);
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
    (host, ada)
}

/// The handshake of a desktop without a password.
pub(crate) fn shake_hands(viewer: &mut Viewer, mut desktop: &TcpStream) {
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

pub(crate) fn topics(host: &Host) -> Vec<String> {
    events(host).iter().map(|event| event["topic"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn events(host: &Host) -> Vec<Value> {
    let page = host.api().get("/api/v1/events?topic=session.*&limit=1000").expect(200).json();
    page["events"].as_array().unwrap().clone()
}

pub(crate) fn count(host: &Host, topic: &str) -> usize {
    topics(host).iter().filter(|known| *known == topic).count()
}

/// That as many went as came, nobody is left, and the host is well.
pub(crate) fn all_left(host: &Host, came: usize) {
    host.wait_connections("s-1", 0);
    assert_eq!(count(host, "session.connected"), came);
    assert_eq!(count(host, "session.disconnected"), came);
    let log = host.log().text();
    assert!(!log.contains("panicked"), "{log}");
}
