//! Bytes as what a client of RFB sends: refused with words, or messages that are the same again once they are written and read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamspace_rfb::{
    Limits,
    message::{ClientParser, Progress, SecurityType, ServerMessage},
};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { cut_text: 1 << 20, ..Limits::default() };
    let mut first = ClientParser::new(limits);
    // Of version 3.3 the server chooses.
    first.heard(&ServerMessage::Security(SecurityType::VNC));
    read(first, bytes);
    read(ClientParser::after_handshake(limits), bytes);
});

fn read(mut parser: ClientParser, mut bytes: &[u8]) {
    loop {
        let before = parser.clone();
        match parser.parse(bytes) {
            Err(why) => return assert!(!why.to_string().is_empty(), "a refusal without words"),
            Ok(Progress::Need { more }) => return assert!(more > 0, "nothing is missing"),
            Ok(Progress::Message { consumed, message }) => {
                let written = message.to_bytes();
                let again = before.clone().parse(&written).expect("what was written is a message");
                assert_eq!(again.message(), Some((written.len(), message)), "it changed on its way");
                bytes = &bytes[consumed..];
            }
        }
    }
}
