//! Where recordings are kept: files that are only ever appended to, survive a crash, and show whether anybody changed them.
//!
//! A recording is a folder: `00000.ssrec`, `00001.ssrec` and so on, its segments, each of which was written in one go, and `key`, the
//! data key under a master key, if it is encrypted. `docs/recording-format.md` says what is in them, byte for byte.
//!
//! - [`Writer`] takes scenes. It makes keyframes itself: a capture puts a picture at the beginning, after a gap and when the size
//!   changes, and no more. [`Writer::tick`] is for when there is nothing to put.
//! - [`Reader`] gives them again, from any moment.
//! - [`verify`] names the first thing that is wrong.
//! - [`DataKey`] encrypts one recording, [`MasterKey`] wraps data keys, [`rewrap`] exchanges the master key.
//!
//! ```
//! use std::time::Duration;
//! use streamspace_session_recorder::{
//!     scene::{Moment, Scene, Sink, Source},
//!     store::{DataKey, Limits, MasterKey, Options, Reader, Subject, Writer, keep_key, read_key, verify},
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = &folder.path().join("recording");
//! let subject = Subject {
//!     recording: "rec-1".into(),
//!     session: "ses-1".into(),
//!     started_at: 1_800_000_000_000_000,
//! };
//! let (master, key) = (MasterKey::generate("2026")?, DataKey::generate()?);
//! let mut writer = Writer::create(folder, &subject, Some(&key), Options::default())?;
//! keep_key(folder, &key.wrap(&master, "rec-1")?)?;
//! writer.put(Moment(0), &Scene::Picture { width: 2, height: 1, pixels: &[[1, 2, 3, 255]; 2] })?;
//! writer.put(Moment(40_000), &Scene::Bell)?;
//! let finished = writer.finish(Moment(1_000_000))?;
//!
//! let key = read_key(folder)?.unwrap(&master, "rec-1")?;
//! assert_eq!(verify(folder, Some(&key), &Limits::default())?.hash, finished.hash);
//! let mut reader = Reader::open(folder, Some(&key), Limits::default())?;
//! assert_eq!(reader.length(), Moment(1_000_000));
//! reader.seek(Moment(500_000))?;
//! while let Some((at, scene)) = reader.next()? {
//!     println!("{at:?} {scene:?}");
//! }
//! # Ok(())
//! # }
//! ```

mod canvas;
mod error;
mod files;
mod format;
mod head;
mod index;
mod key;
mod open;
mod options;
mod parse;
mod pixels;
mod reader;
mod record;
mod recover;
mod segment;
mod verify;
mod walk;
mod writer;

pub use self::{
    error::{Error, Fault, Wrong},
    files::{segment_path, segments},
    format::Hash,
    head::Head,
    key::{DataKey, KEY_BYTES, MasterKey, WrappedKey, keep_key, read_key, rewrap},
    options::{Limits, Options, Subject},
    reader::{Reader, read_head},
    recover::end_interrupted,
    verify::{Verified, verify},
    writer::{Finished, Writer},
};
