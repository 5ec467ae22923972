use streamspace_rfb::{
    Area, Encoding, PixelFormat,
    message::{ClientMessage, CutText, Encodings, Secret, SecurityType, ServerInit, ServerMessage, Version},
};

use super::*;

const SECRET: &[u8; 16] = b"a secret of 16 b";
const NAME: &[u8] = b"a desktop";

fn init() -> Vec<u8> {
    let init = ServerInit { width: 4, height: 3, format: PixelFormat::BGRX, name: NAME };
    ServerMessage::Init(init).to_bytes()
}

/// A handshake in this version, with a password: who says what, in order.
fn with_password(version: Version) -> Vec<(Direction, Vec<u8>)> {
    use Direction::{ToDesktop, ToViewer};
    let mut said = vec![
        (ToViewer, ServerMessage::Version(version).to_bytes()),
        (ToDesktop, ClientMessage::Version(version).to_bytes()),
    ];
    if version == Version::V3_3 {
        said.push((ToViewer, ServerMessage::Security(SecurityType::VNC).to_bytes()));
    } else {
        said.push((ToViewer, ServerMessage::SecurityTypes(&[1, 2]).to_bytes()));
        said.push((ToDesktop, ClientMessage::Security(SecurityType::VNC).to_bytes()));
    }
    said.extend([
        (ToViewer, ServerMessage::Challenge(Secret(SECRET)).to_bytes()),
        (ToDesktop, ClientMessage::Response(Secret(SECRET)).to_bytes()),
        (ToViewer, ServerMessage::SecurityResult { code: 0, reason: None }.to_bytes()),
        (ToDesktop, ClientMessage::Init { shared: true }.to_bytes()),
        (ToViewer, init()),
    ]);
    said
}

/// What goes on to each side, and what taps see of it.
#[derive(Default)]
struct Through {
    down: (Vec<u8>, Vec<u8>),
    up: (Vec<u8>, Vec<u8>),
    input: bool,
}

impl Through {
    fn hear(
        &mut self,
        conversation: &mut Conversation,
        direction: Direction,
        bytes: &[u8],
    ) -> Result<(), NotUnderstood> {
        let heard = conversation.hear(direction, Bytes::copy_from_slice(bytes))?;
        let shown = heard.shown();
        assert_eq!(shown.data.len(), heard.bytes.len());
        assert!(shown.is_masked || shown.data == heard.bytes);
        let (sent, seen) = match direction {
            Direction::ToViewer => &mut self.down,
            Direction::ToDesktop => &mut self.up,
        };
        sent.extend_from_slice(&heard.bytes);
        seen.extend_from_slice(&shown.data);
        self.input |= heard.is_input;
        Ok(())
    }
}

/// A conversation past a handshake without a password.
fn relayed(access: Access) -> Conversation {
    let mut conversation = Conversation::new(access);
    let mut through = Through::default();
    for (direction, bytes) in [
        (Direction::ToViewer, b"RFB 003.008\n".to_vec()),
        (Direction::ToDesktop, b"RFB 003.008\n".to_vec()),
        (Direction::ToViewer, vec![1, 1]),
        (Direction::ToDesktop, vec![1]),
        (Direction::ToViewer, vec![0; 4]),
        (Direction::ToDesktop, vec![0]),
        (Direction::ToViewer, init()),
    ] {
        through.hear(&mut conversation, direction, &bytes).expect("a handshake");
    }
    assert_eq!(through.up.0.last(), Some(&1), "nobody is thrown out");
    assert!(matches!(conversation.stage, Stage::Relayed));
    conversation
}

fn count(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).filter(|window| *window == needle).count()
}

#[test]
fn secrets_are_zeros_for_taps_however_they_come() {
    for version in [Version::V3_3, Version::V3_7, Version::V3_8] {
        for piece in [1, 3, 16, 1000] {
            for access in [Access::Control, Access::View] {
                let (mut conversation, mut through) = (Conversation::new(access), Through::default());
                for (direction, bytes) in with_password(version) {
                    for piece in bytes.chunks(piece) {
                        through.hear(&mut conversation, direction, piece).expect("a handshake");
                    }
                }
                assert!(matches!(conversation.stage, Stage::Relayed), "{version:?} {piece}");
                for (sent, seen) in [&through.down, &through.up] {
                    assert_eq!(count(sent, SECRET), 1);
                    assert_eq!(count(seen, SECRET), 0);
                    // Nothing else is hidden.
                    let at = sent.windows(16).position(|window| window == SECRET).expect("it was sent");
                    let mut expected = sent.clone();
                    expected[at..at + 16].fill(0);
                    assert_eq!(*seen, expected);
                }
                assert_eq!(count(&through.down.1, NAME), 1);
                assert!(!through.input);
            }
        }
    }
}

#[test]
fn behind_the_handshake_a_piece_is_shown_as_it_is() {
    let mut conversation = relayed(Access::Control);
    let piece = Bytes::from(vec![7; 4096]);
    let heard = conversation.hear(Direction::ToViewer, piece.clone()).expect("anything");
    let shown = heard.shown();
    assert!(!shown.is_masked);
    assert_eq!(shown.data.as_ptr(), piece.as_ptr(), "it was copied");
}

#[test]
fn what_is_not_understood_goes_on_and_is_hidden() {
    let hidden = [b"RFB 003.008\n".to_vec(), vec![1, 19], vec![19], b"a password, perhaps".to_vec()];
    let garbage = [vec![0xFF; 100], vec![0; 100], vec![1; 100], vec![2; 300_000]];
    for pieces in [hidden, garbage] {
        let (mut conversation, mut through) = (Conversation::new(Access::Control), Through::default());
        let mut sent = (Vec::new(), Vec::new());
        through.hear(&mut conversation, Direction::ToViewer, &pieces[0]).expect("all goes on");
        sent.0.extend_from_slice(&pieces[0]);
        through.hear(&mut conversation, Direction::ToDesktop, &pieces[0]).expect("all goes on");
        sent.1.extend_from_slice(&pieces[0]);
        through.hear(&mut conversation, Direction::ToViewer, &pieces[1]).expect("all goes on");
        sent.0.extend_from_slice(&pieces[1]);
        for piece in &pieces[2..] {
            through.hear(&mut conversation, Direction::ToDesktop, piece).expect("all goes on");
            through.hear(&mut conversation, Direction::ToViewer, piece).expect("all goes on");
            sent.0.extend_from_slice(piece);
            sent.1.extend_from_slice(piece);
        }
        assert!(conversation.is_opaque());
        assert_eq!((&through.down.0, &through.up.0), (&sent.0, &sent.1));
        assert!(through.up.1.ends_with(&vec![0; pieces[3].len()]));
        assert!(through.down.1.ends_with(&vec![0; pieces[3].len()]));
        let mut last = Conversation::new(Access::View);
        let refused = pieces.iter().enumerate().any(|(n, piece)| {
            let direction = if n % 2 == 0 { Direction::ToViewer } else { Direction::ToDesktop };
            last.hear(direction, piece.clone().into()).is_err()
        });
        assert!(refused, "one who looks on was relayed blindly");
    }
}

#[test]
fn bytes_in_any_order_are_relayed_and_never_panic() {
    // Too early, too much, in the wrong version: each prefix of all, from both sides.
    let said: Vec<u8> = with_password(Version::V3_3).into_iter().flat_map(|(_, bytes)| bytes).collect();
    for split in 0..said.len() {
        for first in [Direction::ToDesktop, Direction::ToViewer] {
            let second =
                if first == Direction::ToViewer { Direction::ToDesktop } else { Direction::ToViewer };
            let (mut conversation, mut through) = (Conversation::new(Access::Control), Through::default());
            for (direction, bytes) in [(first, &said[..split]), (second, &said[..]), (first, &said[split..])]
            {
                through.hear(&mut conversation, direction, bytes).expect("all goes on");
            }
            assert_eq!((through.down.0.len(), through.up.0.len()), (said.len(), said.len()));
            let mut strict = Conversation::new(Access::View);
            let _ = strict.hear(first, Bytes::copy_from_slice(&said[..split]));
            let _ = strict.hear(second, Bytes::copy_from_slice(&said));
        }
    }
}

fn messages() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let area = Area::new(0, 0, 4, 3);
    let asked = Encodings::to_bytes(&[Encoding::RAW, Encoding::EXTENDED_MOUSE_BUTTONS, Encoding(-305)]);
    let kept = Encodings::to_bytes(&[Encoding::RAW]);
    let text = vec![b'x'; 100_000];
    let (mut sent, mut passed) = (Vec::new(), Vec::new());
    for (message, becomes) in [
        (
            ClientMessage::SetPixelFormat(PixelFormat::BGRX),
            Some(ClientMessage::SetPixelFormat(PixelFormat::BGRX)),
        ),
        (
            ClientMessage::SetEncodings(Encodings::from_bytes(&asked)),
            Some(ClientMessage::SetEncodings(Encodings::from_bytes(&kept))),
        ),
        (ClientMessage::Key { down: true, symbol: 0x61 }, None),
        (ClientMessage::CutText(CutText::Plain(&text)), None),
        (ClientMessage::CutText(CutText::Extended { flags: 1 << 28, data: &text }), None),
        (ClientMessage::Pointer { buttons: 0x81, more: None, x: 1, y: 2 }, None),
        (ClientMessage::ExtendedKey { down: true, symbol: 1, code: 1 }, None),
        (ClientMessage::Xvp { version: 1, code: 2 }, None),
        (
            ClientMessage::UpdateRequest { incremental: true, area },
            Some(ClientMessage::UpdateRequest { incremental: true, area }),
        ),
    ] {
        sent.push(message.to_bytes());
        passed.extend(becomes.map(|becomes| becomes.to_bytes()));
    }
    (sent, passed)
}

#[test]
fn of_one_who_looks_on_only_wishes_for_pictures_pass() {
    let (sent, passed) = messages();
    for piece in [1, 7, 4096, usize::MAX] {
        let (mut conversation, mut through) = (relayed(Access::View), Through::default());
        for piece in sent.concat().chunks(piece.min(1 << 20)) {
            through.hear(&mut conversation, Direction::ToDesktop, piece).expect("messages");
        }
        assert_eq!(through.up.0, passed.concat(), "in pieces of {piece}");
        assert!(!through.input);
    }
}

#[test]
fn keys_pointer_and_clipboard_are_somebody_and_nothing_else_is() {
    let does = |message: &ClientMessage<'_>| {
        let (mut conversation, mut through) = (relayed(Access::Control), Through::default());
        for byte in message.to_bytes() {
            through.hear(&mut conversation, Direction::ToDesktop, &[byte]).expect("anything");
        }
        through.input
    };
    let area = Area::new(0, 0, 4, 3);
    assert!(does(&ClientMessage::Key { down: true, symbol: 0x61 }));
    assert!(does(&ClientMessage::Pointer { buttons: 0, more: None, x: 1, y: 2 }));
    assert!(does(&ClientMessage::CutText(CutText::Plain(b"a text"))));
    assert!(does(&ClientMessage::CutText(CutText::Extended { flags: 1 << 27, data: b"" })));
    assert!(!does(&ClientMessage::CutText(CutText::Extended { flags: 1 << 24 | 1, data: &[0; 4] })));
    assert!(!does(&ClientMessage::UpdateRequest { incremental: true, area }));
    assert!(!does(&ClientMessage::SetPixelFormat(PixelFormat::BGRX)));
    let (mut conversation, mut through) = (relayed(Access::Control), Through::default());
    through.hear(&mut conversation, Direction::ToDesktop, &[77; 20]).expect("anything");
    assert!(through.input, "it may be a message that is not known here");
    through.input = false;
    let request = ClientMessage::UpdateRequest { incremental: true, area }.to_bytes();
    through.hear(&mut conversation, Direction::ToDesktop, &request).expect("anything");
    assert!(!through.input, "the next piece is understood again");
}
