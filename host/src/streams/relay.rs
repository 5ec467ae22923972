//! A viewer and a desktop, and the bytes between them.

use std::{cell::RefCell, future::Future, io, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, future::Either, future::select, pin_mut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    conversation::{Conversation, Direction, NotUnderstood},
    tee::Tee,
};

/// What is read of a desktop at once at most, in bytes. A memory page's multiple; what agents of the platform read.
const PIECE: usize = 32 * 1024;
/// Room for less than this is not read into. What taps have not seen yet keeps the memory of its pieces: so small pieces are in one
/// memory until it is full, and do not keep much each.
const LEAST: usize = 4 * 1024;
/// How long either end may take for a piece that is sent to it. Who takes longer is gone, or as good as.
const SLOW: Duration = Duration::from_secs(30);
/// How long a desktop may take for its first word. It speaks first, and has nothing to wait for.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// How long a desktop may go on sending when its viewer is gone, before what was sent to it last may be lost.
const LINGER: Duration = Duration::from_secs(1);

/// The viewer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// The half of a viewer that takes bytes.
pub trait Outgoing {
    /// Sends a piece; done when there is room for the next.
    fn send(&mut self, piece: Bytes) -> impl Future<Output = Result<(), Gone>>;
}

/// Why a relay ended.
#[derive(Debug)]
pub enum Ended {
    /// The viewer went.
    Viewer,
    /// The viewer takes nothing more.
    ViewerSlow,
    /// The viewer gives no sign.
    ViewerSilent,
    /// The session has ended, or is not the viewer's any more.
    Over,
    /// The host stops.
    Stopping,
    /// The desktop closed the connection.
    Desktop,
    /// The desktop takes nothing more.
    DesktopSlow,
    /// The connection to the desktop broke.
    Broken(io::Error),
    /// The desktop never said anything.
    DesktopSilent,
    /// What one who may only look on sends cannot be told from what would do something.
    NotUnderstood(NotUnderstood),
}

impl Ended {
    /// What all of them are called where they are counted, as [`number`](Self::number) has them.
    pub(crate) const NAMES: [&str; 10] = [
        "viewer",
        "viewer_slow",
        "viewer_silent",
        "over",
        "stopping",
        "desktop",
        "desktop_slow",
        "desktop_broken",
        "desktop_silent",
        "not_understood",
    ];

    /// Where it stands in [`NAMES`](Self::NAMES).
    pub(super) fn number(&self) -> usize {
        match self {
            Self::Viewer => 0,
            Self::ViewerSlow => 1,
            Self::ViewerSilent => 2,
            Self::Over => 3,
            Self::Stopping => 4,
            Self::Desktop => 5,
            Self::DesktopSlow => 6,
            Self::Broken(_) => 7,
            Self::DesktopSilent => 8,
            Self::NotUnderstood(_) => 9,
        }
    }

    /// In words, for whoever is told.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Viewer => "the viewer went".into(),
            Self::ViewerSlow => format!("the viewer took nothing for {} s", SLOW.as_secs()),
            Self::ViewerSilent => "the viewer gave no sign".into(),
            Self::Over => "the session has ended, or is not the viewer's any more".into(),
            Self::Stopping => "the host stops".into(),
            Self::Desktop => "the desktop closed the connection".into(),
            Self::DesktopSlow => format!("the desktop took nothing for {} s", SLOW.as_secs()),
            Self::Broken(why) => format!("the connection to the desktop broke: {why}"),
            Self::DesktopSilent => format!("the desktop said nothing for {} s", FIRST_WORD.as_secs()),
            Self::NotUnderstood(why) => why.to_string(),
        }
    }
}

/// Carries bytes between a viewer and a desktop until one of them has enough. Each direction waits for its receiver and not for
/// the other direction. Nothing is copied here: what was read from the desktop is what the viewer is given, and what taps see.
/// `on_input` is called when the viewer does something.
pub async fn relay(
    incoming: impl Stream<Item = Result<Bytes, Gone>>,
    mut outgoing: impl Outgoing,
    desktop: TcpStream,
    conversation: Conversation,
    tee: &Tee,
    on_input: impl Fn(),
) -> Ended {
    // Both directions are one task: neither holds it while it waits.
    let conversation = RefCell::new(conversation);
    let (mut from_desktop, mut to_desktop) = desktop.into_split();
    let ended = {
        let down = async {
            let mut buffer = BytesMut::with_capacity(PIECE);
            let mut has_spoken = false;
            loop {
                // What the viewer has let go of is used again; otherwise this is a new piece of memory.
                if buffer.capacity() < LEAST {
                    buffer.reserve(PIECE);
                }
                let read = from_desktop.read_buf(&mut buffer);
                let read = if has_spoken {
                    read.await
                } else {
                    match timeout(FIRST_WORD, read).await {
                        Ok(read) => read,
                        Err(_) => return Ended::DesktopSilent,
                    }
                };
                match read {
                    Ok(0) => return Ended::Desktop,
                    Ok(_) => has_spoken = true,
                    Err(why) => return Ended::Broken(why),
                }
                let piece = buffer.split().freeze();
                let heard = match conversation.borrow_mut().hear(Direction::ToViewer, piece) {
                    Ok(heard) => heard,
                    Err(why) => return Ended::NotUnderstood(why),
                };
                tee.to_viewer(&heard.shown()).await;
                match timeout(SLOW, outgoing.send(heard.bytes)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(Gone)) => return Ended::Viewer,
                    Err(_) => return Ended::ViewerSlow,
                }
            }
        };
        let up = async {
            pin_mut!(incoming);
            while let Some(Ok(piece)) = incoming.next().await {
                let heard = match conversation.borrow_mut().hear(Direction::ToDesktop, piece) {
                    Ok(heard) => heard,
                    Err(why) => return Ended::NotUnderstood(why),
                };
                if heard.is_input {
                    on_input();
                }
                tee.to_desktop(&heard.shown()).await;
                match timeout(SLOW, to_desktop.write_all(&heard.bytes)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(why)) => return Ended::Broken(why),
                    Err(_) => return Ended::DesktopSlow,
                }
            }
            Ended::Viewer
        };
        pin_mut!(down, up);
        match select(down, up).await {
            Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
        }
    };
    if matches!(ended, Ended::Viewer) {
        // A connection that is closed with something unread in it is reset, and takes along what was on its way to the desktop.
        let rest = async {
            to_desktop.shutdown().await?;
            tokio::io::copy(&mut from_desktop, &mut tokio::io::sink()).await
        };
        let _ = timeout(LINGER, rest).await;
    }
    ended
}
