//! A viewer's bytes as they are, and pictures of them afterwards.

use streamspace_rfb::{
    Error,
    message::{ClientMessage, ClientParser, Progress, ServerMessage, ServerParser},
};

use super::{
    Capture, Clipboard, Following, Input, Options, Tee, TeeEnd, Trouble,
    reassembly::{Reassembly, Step, Stop},
    talk::Talk,
};
use crate::scene::{Moment, Scene, Side, Sink, Source};

/// Why a stream cannot be kept as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a stream that is kept as it is has all of the screen in it: {areas} areas are to be redacted, which only what is decoded can be"
)]
pub struct Unfit {
    /// How many areas are to be redacted.
    pub areas: usize,
}

/// Keeps the bytes of one connection between a viewer and a desktop as they are, as [`Scene::Wire`].
///
/// If all that is said may be kept, no byte is looked at. If keys, pointers or texts of clipboards must not be, both sides are split
/// into messages (nothing is decoded), and those are left out; a key is kept without its symbol if that is what is wanted.
#[derive(Debug)]
pub struct WireTee {
    sift: Option<Box<Sift>>,
    ended: Option<TeeEnd>,
}

#[derive(Debug)]
struct Sift {
    clipboard: Clipboard,
    input: Input,
    desktop: ServerParser,
    from_desktop: Reassembly,
    viewer: ClientParser,
    from_viewer: Reassembly,
    talk: Talk,
    most: usize,
    /// A message that is not kept as it came.
    rewritten: Vec<u8>,
}

impl WireTee {
    /// For a connection that begins.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if the options want what only decoding can do.
    pub fn new(options: &Options) -> Result<Self, Unfit> {
        if !options.redact.is_empty() {
            return Err(Unfit { areas: options.redact.len() });
        }
        let everything = options.clipboard == Clipboard::Text && options.input == Input::Full;
        let sift = || Sift {
            clipboard: options.clipboard,
            input: options.input,
            desktop: ServerParser::new(options.limits),
            from_desktop: Reassembly::new(options.most_buffered),
            viewer: ClientParser::new(options.limits),
            from_viewer: Reassembly::new(options.most_buffered),
            talk: Talk::default(),
            most: options.most_buffered,
            rewritten: Vec::new(),
        };
        Ok(Self { sift: (!everything).then(|| Box::new(sift())), ended: None })
    }

    /// Why nothing more is kept.
    pub fn ended(&self) -> Option<&TeeEnd> {
        self.ended.as_ref()
    }

    /// Takes a piece, as [`Tee::take`] does.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn take<S: Sink>(
        &mut self,
        at: Moment,
        from: Side,
        lost: u64,
        bytes: &[u8],
        sink: &mut S,
    ) -> Result<Following, S::Error> {
        if self.ended.is_some() {
            return Ok(Following::No);
        }
        if lost > 0 {
            return self.end(at, TeeEnd::Lost { from, bytes: lost }, sink);
        }
        let Some(sift) = &mut self.sift else {
            sink.put(at, &Scene::Wire { from, bytes })?;
            return Ok(Following::Yes);
        };
        let taken = sift
            .take(at, from, bytes, sink)
            .and_then(|()| sift.take(at, other(from), &[], sink))
            .and_then(|()| sift.take(at, from, &[], sink));
        match taken {
            Ok(()) => Ok(Following::Yes),
            Err(Trouble::Sink(error)) => Err(error),
            Err(Trouble::Stream(end)) => self.end(at, end, sink),
        }
    }

    /// Ends this connection's part of the recording: it is closed, or recording pauses. What is kept later is another connection's,
    /// from its first byte on, since what lies between is missing.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn closed<S: Sink>(&mut self, at: Moment, why: &str, sink: &mut S) -> Result<(), S::Error> {
        match self.ended {
            Some(_) => Ok(()),
            None => self.end(at, TeeEnd::Closed(why.into()), sink).map(|_| ()),
        }
    }

    fn end<S: Sink>(&mut self, at: Moment, end: TeeEnd, sink: &mut S) -> Result<Following, S::Error> {
        let why = end.to_string();
        (self.ended, self.sift) = (Some(end), None);
        sink.put(at, &Scene::Gap(&why))?;
        Ok(Following::No)
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Desktop => Side::Viewer,
        Side::Viewer => Side::Desktop,
    }
}

impl Sift {
    fn take<S: Sink>(
        &mut self,
        at: Moment,
        from: Side,
        piece: &[u8],
        sink: &mut S,
    ) -> Result<(), Trouble<S::Error, TeeEnd>> {
        let Self { clipboard, input, desktop, from_desktop, viewer, from_viewer, talk, most, rewritten } =
            self;
        let mut put = |bytes: &[u8]| sink.put(at, &Scene::Wire { from, bytes }).map_err(Trouble::Sink);
        let taken = match from {
            Side::Desktop => from_desktop.feed(piece, |bytes| {
                let parsed = desktop.parse(bytes);
                step(from, parsed, |consumed, message| {
                    viewer.heard(&message);
                    talk.desktop(desktop, &message);
                    match message {
                        ServerMessage::CutText(_) if *clipboard != Clipboard::Text => Ok(()),
                        _ => put(&bytes[..consumed]),
                    }
                })
            }),
            Side::Viewer => from_viewer.feed(piece, |bytes| {
                step(from, viewer.parse(bytes), |consumed, message| {
                    talk.viewer(desktop, &message).map_err(Trouble::Stream)?;
                    match message {
                        ClientMessage::CutText(_) if *clipboard != Clipboard::Text => Ok(()),
                        ClientMessage::Pointer { .. } if *input == Input::Off => Ok(()),
                        ClientMessage::Key { down, .. } | ClientMessage::ExtendedKey { down, .. } => {
                            match *input {
                                Input::Off => Ok(()),
                                Input::Full => put(&bytes[..consumed]),
                                Input::Metadata => {
                                    rewritten.clear();
                                    ClientMessage::Key { down, symbol: 0 }.write(rewritten);
                                    put(rewritten)
                                }
                            }
                        }
                        _ => put(&bytes[..consumed]),
                    }
                })
            }),
        };
        taken.map_err(|stop| match stop {
            Stop::TooLong(bytes) => Trouble::Stream(TeeEnd::TooLong { from, bytes, most: *most }),
            Stop::Of(trouble) => trouble,
        })
    }
}

fn step<M, E>(
    from: Side,
    parsed: Result<Progress<M>, Error>,
    take: impl FnOnce(usize, M) -> Result<(), Trouble<E, TeeEnd>>,
) -> Result<Step, Trouble<E, TeeEnd>> {
    match parsed {
        Ok(Progress::Message { consumed, message }) => {
            take(consumed, message).map(|()| Step::Consumed(consumed))
        }
        Ok(Progress::Need { more }) => Ok(Step::Need(more)),
        Err(Error::Unheard { .. }) => Ok(Step::Wait),
        Err(error) => Err(Trouble::Stream(TeeEnd::unreadable(from, error))),
    }
}

/// Why a recording was not decoded.
#[derive(Debug, thiserror::Error)]
pub enum NotDecoded<R, S> {
    /// It cannot be read.
    #[error("the recording cannot be read: {0}")]
    Source(R),
    /// What it was decoded to cannot be kept.
    #[error("what was decoded cannot be kept: {0}")]
    Sink(S),
}

/// Decodes what a [`WireTee`] has kept, to the source's end. Other scenes go through as they are.
///
/// Each connection in it begins the recording, or stands behind a gap.
///
/// # Errors
///
/// Those of the source and of the sink. What cannot be decoded is a gap.
pub fn decode_wire<R: Source, S: Sink>(
    source: &mut R,
    capture: &mut Capture<S>,
) -> Result<(), NotDecoded<R::Error, S::Error>> {
    let mut tee = Tee::new(capture.options());
    let mut last = Moment(0);
    while let Some((at, scene)) = source.next().map_err(NotDecoded::Source)? {
        last = at;
        let taken = match scene {
            Scene::Wire { from, bytes } => capture
                .resume(at)
                .and_then(|()| capture.tick(at))
                .and_then(|_| tee.take(at, from, 0, bytes, capture).map(|_| ())),
            Scene::Gap(why) => {
                let ended = tee.ended().is_some();
                tee = Tee::new(capture.options());
                // The gap with which decoding ended is one already.
                if ended { Ok(()) } else { capture.lost(at, why) }
            }
            Scene::Paused => capture.pause(at),
            scene => capture.through(at, &scene),
        };
        taken.map_err(NotDecoded::Sink)?;
    }
    capture.finish(last).map_err(NotDecoded::Sink)
}
