//! What is sent without sense or measure, or taken by nobody, costs a bounded amount.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use streamspace_tests::{Desktop, Viewer, read_exactly};

use crate::ends::{INIT, KEY, VERSION, all_left, shake_hands, start};

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
    let before = host.memory();
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
        host.wait_connections("s-1", 0);
    }
    assert!(host.memory() < before + 32 * 1024, "{before} KiB became {} KiB", host.memory());
    all_left(&host, beginnings.len());
}

#[test]
fn a_text_of_many_megabytes_and_an_oversize_frame_cost_no_memory() {
    let desktop = Desktop::new();
    let (host, ada) = start(&desktop);
    let mut viewer = Viewer::with_ticket(&host, &ada, "s-1");
    let stream = desktop.accept();
    shake_hands(&mut viewer, &stream);
    let before = host.memory();
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
    assert!(host.memory() < before + 16 * 1024, "{before} KiB became {} KiB", host.memory());
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
    let before = host.memory();
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
    assert!(host.memory() < before + 32 * 1024, "{before} KiB became {} KiB", host.memory());
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
    assert_eq!(host.connections("s-1"), VIEWERS);
    let before = host.memory();
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
    assert!(host.memory() < before + 64 * 1024, "{before} KiB became {} KiB", host.memory());
    drop(all);
    all_left(&host, VIEWERS);
}
