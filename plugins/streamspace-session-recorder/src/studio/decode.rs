//! Pictures of what was recorded as it went over the wire.

use std::{fs, path::Path};

use streamspace_plugin::prelude::*;

use super::{
    record::{create, kept, subject},
    shelf,
};
use crate::{
    capture::{Capture, NotDecoded, decode_wire},
    config::{Config, MasterKey},
    scene::{Moment, Scene, Source},
    store::{self, Limits, Reader},
};

/// A recording that is to be decoded.
pub(crate) struct Undecoded<'a> {
    /// The recording's id.
    pub(crate) id: &'a str,
    pub(crate) session: &'a str,
    /// Microseconds since 1970.
    pub(crate) started_at: u64,
    /// Where the recording is.
    pub(crate) folder: &'a Path,
    pub(crate) key: &'a MasterKey,
    pub(crate) config: &'a Config,
}

/// Makes pictures of a recording, beside what was recorded. Answers the bytes of both; none if `goes_on` said no meanwhile.
pub(super) fn decode(wish: &Undecoded<'_>, goes_on: &dyn Fn() -> bool) -> Result<Option<u64>> {
    let (wire, part) = (shelf::wire(wish.folder), wish.folder.join("pictures.part"));
    let key = super::keys::open(wish.id, &wire, wish.key)?;
    // It is finished: this says what it came to.
    let original = store::end_interrupted(&wire, key.as_ref()).map_err(Error::new)?;
    let mut reader = Reader::open(&wire, key.as_ref(), Limits::default()).map_err(Error::new)?;
    reader.seek(Moment(0)).map_err(Error::new)?;
    if part.exists() {
        // What an earlier process has begun.
        fs::remove_dir_all(&part).map_err(|why| Error::new(format!("{}: {why}", part.display())))?;
    }
    let subject = subject(wish.id, wish.session, wish.started_at);
    let writer = create(&part, &subject, key.is_some().then_some(wish.key), wish.config)?;
    let mut capture = Capture::new(writer, kept(wish.config));
    match decode_wire(&mut Until { reader, goes_on }, &mut capture) {
        Ok(()) => {}
        Err(NotDecoded::Source(Halted::Stopped)) => return Ok(None),
        Err(why) => return Err(Error::new(why)),
    }
    let text = format!("of what was recorded as it went over the wire, whose hash is {}", original.hash);
    capture.marker(original.length, "decoded", &text).map_err(Error::new)?;
    let made = capture.into_sink().finish(original.length).map_err(Error::new)?;
    // Under its name is only what is whole.
    let pictures = wish.folder.join(shelf::PICTURES);
    fs::rename(&part, &pictures).map_err(|why| Error::new(format!("{}: {why}", pictures.display())))?;
    Ok(Some(original.bytes + made.bytes))
}

/// What is read as long as it is to go on.
struct Until<'a, R> {
    reader: R,
    goes_on: &'a dyn Fn() -> bool,
}

#[derive(Debug, thiserror::Error)]
enum Halted<E> {
    #[error("it was told to stop")]
    Stopped,
    #[error(transparent)]
    Of(E),
}

impl<R: Source> Source for Until<'_, R> {
    type Error = Halted<R::Error>;

    fn length(&self) -> Moment {
        self.reader.length()
    }

    fn seek(&mut self, to: Moment) -> Result<(), Self::Error> {
        self.reader.seek(to).map_err(Halted::Of)
    }

    fn next(&mut self) -> Result<Option<(Moment, Scene<'_>)>, Self::Error> {
        if !(self.goes_on)() {
            return Err(Halted::Stopped);
        }
        self.reader.next().map_err(Halted::Of)
    }
}
