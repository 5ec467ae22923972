//! What has to be known of a recording before its first frame.

use std::{ops::ControlFlow, time::Duration};

use streamspace_video::Chapter;

use super::{Error, Progress, unreadable};
use crate::scene::{Moment, Scene, Source};

/// Nobody records for longer; what says so is broken, and would be video for ever.
const MOST: Moment = Moment(7 * 24 * 3_600 * 1_000_000);

/// Chapters that a file has at most; they are kept in memory. And the longest text of one, in bytes.
const CHAPTERS: usize = 1_000;
const CHAPTER_BYTES: usize = 200;

/// Pixels that a picture has at most: two screens of 3840x2160, and a little. The encoder has some ninety bytes for each.
const PIXELS: u32 = 1 << 24;

/// The least side that the encoder takes.
const LEAST: u16 = 16;

/// What a recording has.
#[derive(Debug)]
pub(super) struct Plan {
    /// Even, and at least as large as any picture.
    pub(super) width: u16,
    /// Even, and at least as large as any picture.
    pub(super) height: u16,
    pub(super) length: Moment,
    pub(super) chapters: Vec<Chapter>,
}

impl Plan {
    /// Reads a recording from its beginning to its end.
    pub(super) fn new<S: Source>(
        source: &mut S,
        progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Self, Error> {
        let mut length = source.length();
        let mut size = None::<(u16, u16)>;
        let (mut chapters, mut wire, mut read) = (Vec::new(), false, 0_u64);
        source.seek(Moment(0)).map_err(unreadable)?;
        while let Some((at, scene)) = source.next().map_err(unreadable)? {
            length = length.max(at);
            let chapter = match scene {
                Scene::Picture { width, height, .. } if width > 0 && height > 0 => {
                    let (widest, highest) = size.unwrap_or_default();
                    size = Some((widest.max(width), highest.max(height)));
                    None
                }
                Scene::Wire { .. } => {
                    wire = true;
                    None
                }
                Scene::Gap(why) => Some(format!("gap: {}", short(why))),
                Scene::Paused => Some("paused".to_owned()),
                Scene::Marker { kind, text } => Some(format!("{}: {}", short(kind), short(text))),
                _ => None,
            };
            chapters.extend(
                chapter
                    .filter(|_| chapters.len() < CHAPTERS)
                    .map(|text| Chapter { at_ms: at.0 / 1_000, text }),
            );
            read += 1;
            if read.is_multiple_of(256) {
                let so_far = Progress { at: Moment(0), length, frames: 0, bytes: 0 };
                if progress(so_far).is_break() {
                    return Err(Error::Stopped);
                }
            }
        }
        let (width, height) = size.ok_or(if wire { Error::Wire } else { Error::Empty })?;
        if length > MOST {
            let of = |moment: Moment| Duration::from_micros(moment.0);
            return Err(Error::Length { length: of(length), most: of(MOST) });
        }
        // The largest of both may come from two pictures.
        let even = |side: u16| side.max(LEAST).checked_next_multiple_of(2).unwrap_or(u16::MAX - 1);
        let (width, height) = (even(width), even(height));
        if u32::from(width) * u32::from(height) > PIXELS {
            return Err(Error::Size { width, height, most: PIXELS });
        }
        Ok(Self { width, height, length, chapters })
    }
}

fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(CHAPTER_BYTES)]
}
