//! The smallest viewer that sees something.

use super::{Host, Viewer};

/// What a viewer sees, that understands Raw and nothing else.
#[derive(Debug)]
pub struct Screen {
    viewer: Viewer,
    bytes: Vec<u8>,
    width: usize,
    /// Row by row: blue, green, red, from the least byte on.
    pub pixels: Vec<u32>,
}

impl Screen {
    /// Shakes hands, and says how it wants pixels.
    ///
    /// # Panics
    ///
    /// When something else is said than RFB without a password.
    #[must_use]
    pub fn over(viewer: Viewer) -> Self {
        let mut screen = Self { viewer, bytes: Vec::new(), width: 0, pixels: Vec::new() };
        assert_eq!(screen.take(12), b"RFB 003.008\n");
        screen.viewer.send(b"RFB 003.008\n");
        let count = screen.take(1)[0];
        assert!(screen.take(count.into()).contains(&1), "without a password");
        screen.viewer.send(&[1]);
        assert_eq!(screen.take(4), [0; 4]);
        screen.viewer.send(&[1]);
        let init = screen.take(24);
        screen.size(&init);
        let name = u32::from_be_bytes([init[20], init[21], init[22], init[23]]);
        screen.take(name as usize);
        screen.viewer.send(&[0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
        screen.viewer.send(&[2, 0, 0, 1, 0, 0, 0, 0]);
        screen
    }

    /// At a session's desktop.
    ///
    /// # Panics
    ///
    /// When the administrator is not let in.
    #[must_use]
    pub fn of(host: &Host, session: &str) -> Self {
        Self::over(Viewer::with_ticket(host, host.api(), session))
    }

    fn size(&mut self, size: &[u8]) {
        let [width, height] = [0, 2].map(|at| usize::from(u16::from_be_bytes([size[at], size[at + 1]])));
        self.width = width;
        self.pixels = vec![0; width * height];
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        if self.bytes.len() < count {
            let more = self.viewer.read(count - self.bytes.len());
            self.bytes.extend(more);
        }
        self.bytes.drain(..count).collect()
    }

    /// Asks for all of the screen or for what has changed, and waits until it is there.
    ///
    /// # Panics
    ///
    /// When something else comes than an update in Raw.
    pub fn look(&mut self, is_incremental: bool) {
        let height = self.pixels.len() / self.width;
        let mut ask = vec![3, u8::from(is_incremental), 0, 0, 0, 0];
        ask.extend((self.width as u16).to_be_bytes());
        ask.extend((height as u16).to_be_bytes());
        self.viewer.send(&ask);
        loop {
            match self.take(1)[0] {
                0 => break,
                2 => {}
                3 => {
                    let head = self.take(7);
                    let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
                    self.take(length as usize);
                }
                other => panic!("a message of type {other}"),
            }
        }
        let head = self.take(3);
        for _ in 0..u16::from_be_bytes([head[1], head[2]]) {
            let head = self.take(12);
            assert_eq!(head[8..], [0; 4], "Raw");
            let [x, y, width, height] =
                [0, 2, 4, 6].map(|at| usize::from(u16::from_be_bytes([head[at], head[at + 1]])));
            let pixels = self.take(width * height * 4);
            for (at, pixel) in pixels.chunks_exact(4).enumerate() {
                let place = (y + at / width) * self.width + x + at % width;
                self.pixels[place] = u32::from_le_bytes([pixel[0], pixel[1], pixel[2], 0]);
            }
        }
    }

    /// Looks at all of the screen, and so many times at what changes. Answers what is there then.
    ///
    /// # Panics
    ///
    /// As [`look`](Self::look).
    pub fn watch(&mut self, changes: usize) -> Vec<u32> {
        self.look(false);
        (0..changes).for_each(|_| self.look(true));
        self.pixels.clone()
    }

    /// Goes, and waits until the host has let it go.
    ///
    /// # Panics
    ///
    /// When the connection is broken.
    pub fn close(mut self) {
        self.viewer.0.close(None).unwrap();
        while self.viewer.0.read().is_ok() {}
    }
}
