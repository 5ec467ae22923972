//! A viewer at a desktop, through the host.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use streamspace_tests::{Desktop, Host, Viewer, read_exactly};

/// A viewer at a desktop, and all that passed between them.
pub(crate) struct Viewed {
    pub(crate) viewer: Viewer,
    pub(crate) desktop: TcpStream,
    pub(crate) to_viewer: Vec<u8>,
    pub(crate) to_desktop: Vec<u8>,
}

impl Viewed {
    /// Opens a session's desktop and shakes hands: RFB 3.8, no password.
    pub(crate) fn open(host: &Host, session: &str, desktop: &Desktop) -> Self {
        let mut viewed = Self::connect(host, session, desktop);
        viewed.show(&[1, 1]);
        viewed.act(&[1]);
        viewed.show(&[0; 4]);
        viewed.begin();
        viewed
    }

    /// Opens a session's desktop, and says which RFB both sides speak.
    pub(crate) fn connect(host: &Host, session: &str, desktop: &Desktop) -> Self {
        let viewer = Viewer::with_ticket(host, host.api(), session);
        let mut viewed =
            Self { viewer, desktop: desktop.accept(), to_viewer: Vec::new(), to_desktop: Vec::new() };
        viewed.show(b"RFB 003.008\n");
        viewed.act(b"RFB 003.008\n");
        viewed
    }

    /// The end of the handshake, the same whatever was agreed on before.
    pub(crate) fn begin(&mut self) {
        self.act(&[1]);
        let mut init =
            vec![0, 64, 0, 48, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0, 0, 0, 0, 4];
        init.extend_from_slice(b"desk");
        self.show(&init);
    }

    /// The desktop sends something, and the viewer gets it.
    pub(crate) fn show(&mut self, bytes: &[u8]) {
        self.desktop.write_all(bytes).unwrap();
        assert_eq!(self.viewer.read(bytes.len()), bytes);
        self.to_viewer.extend_from_slice(bytes);
    }

    /// The viewer sends something, and the desktop gets it.
    pub(crate) fn act(&mut self, bytes: &[u8]) {
        self.viewer.send(bytes);
        assert_eq!(read_exactly(&self.desktop, bytes.len()), bytes);
        self.to_desktop.extend_from_slice(bytes);
    }

    /// A pointer's move.
    pub(crate) fn point(&mut self, x: u8) {
        self.act(&[5, 0, 0, x, 0, 1]);
    }

    /// The viewer goes.
    pub(crate) fn leave(mut self) -> (Vec<u8>, Vec<u8>) {
        self.viewer.0.close(None).unwrap();
        assert_eq!(self.desktop.read(&mut [0; 1]).unwrap(), 0, "the desktop is told");
        (self.to_viewer, self.to_desktop)
    }
}
