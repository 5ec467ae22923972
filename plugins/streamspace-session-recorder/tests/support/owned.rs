//! Scenes that own what they have, and recordings made of them.

use std::path::Path;

use streamspace_rfb::{Area, Cursor, Pixel};
use streamspace_session_recorder::{
    scene::{Moment, Scene, Side, Sink, Source},
    store::{DataKey, Finished, Limits, Options, Reader, Subject, Writer},
};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Owned {
    Picture(u16, u16, Vec<Pixel>),
    Patch(Area, Vec<Pixel>),
    Cursor(Option<Cursor>),
    Pointer(u16, u16, u16),
    Key(bool, Option<u32>),
    Clipboard(Side, u32, Option<String>),
    Bell,
    Wire(Side, Vec<u8>),
    Gap(String),
    Paused,
    Marker(String, String),
}

impl Owned {
    pub(crate) fn scene(&self) -> Scene<'_> {
        match self {
            Self::Picture(width, height, pixels) => Scene::Picture { width: *width, height: *height, pixels },
            Self::Patch(area, pixels) => Scene::Patch { area: *area, pixels },
            Self::Cursor(cursor) => Scene::Cursor(cursor.as_ref()),
            Self::Pointer(x, y, buttons) => Scene::Pointer { x: *x, y: *y, buttons: *buttons },
            Self::Key(down, keysym) => Scene::Key { down: *down, keysym: *keysym },
            Self::Clipboard(from, length, text) => {
                Scene::Clipboard { from: *from, length: *length, text: text.as_deref() }
            }
            Self::Bell => Scene::Bell,
            Self::Wire(from, bytes) => Scene::Wire { from: *from, bytes },
            Self::Gap(text) => Scene::Gap(text),
            Self::Paused => Scene::Paused,
            Self::Marker(kind, text) => Scene::Marker { kind, text },
        }
    }

    pub(crate) fn of(scene: &Scene<'_>) -> Self {
        match *scene {
            Scene::Picture { width, height, pixels } => Self::Picture(width, height, pixels.to_vec()),
            Scene::Patch { area, pixels } => Self::Patch(area, pixels.to_vec()),
            Scene::Cursor(cursor) => Self::Cursor(cursor.cloned()),
            Scene::Pointer { x, y, buttons } => Self::Pointer(x, y, buttons),
            Scene::Key { down, keysym } => Self::Key(down, keysym),
            Scene::Clipboard { from, length, text } => Self::Clipboard(from, length, text.map(str::to_owned)),
            Scene::Bell => Self::Bell,
            Scene::Wire { from, bytes } => Self::Wire(from, bytes.to_vec()),
            Scene::Gap(text) => Self::Gap(text.into()),
            Scene::Paused => Self::Paused,
            Scene::Marker { kind, text } => Self::Marker(kind.into(), text.into()),
        }
    }
}

pub(crate) type Happened = (Moment, Owned);

/// A folder in memory where there is such a place: a thousand recordings need not wait for a disk.
pub(crate) fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}

pub(crate) fn subject() -> Subject {
    Subject { recording: "rec-1".into(), session: "ses-1".into(), started_at: 1_800_000_000_000_000 }
}

/// Small blocks, and keyframes often.
pub(crate) fn small() -> Options {
    Options {
        block_bytes: 16 << 10,
        keyframe_after: std::time::Duration::from_millis(500),
        keyframe_not_before: std::time::Duration::from_millis(50),
        ..Options::default()
    }
}

pub(crate) fn put_all(writer: &mut Writer, scenes: &[Happened]) {
    for (at, scene) in scenes {
        writer.put(*at, &scene.scene()).expect("it is kept");
    }
}

pub(crate) fn write(folder: &Path, key: Option<&DataKey>, options: Options, scenes: &[Happened]) -> Finished {
    let mut writer = Writer::create(folder, &subject(), key, options).expect("it begins");
    put_all(&mut writer, scenes);
    writer.finish(Moment(0)).expect("it is finished")
}

/// From where the reader is to the end.
pub(crate) fn rest(reader: &mut Reader) -> Vec<Happened> {
    let mut scenes = Vec::new();
    while let Some((at, scene)) = reader.next().expect("it is read") {
        scenes.push((at, Owned::of(&scene)));
    }
    scenes
}

pub(crate) fn read(folder: &Path, key: Option<&DataKey>) -> Vec<Happened> {
    rest(&mut Reader::open(folder, key, Limits::default()).expect("it opens"))
}

/// What is on the screen.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Screen {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) pixels: Vec<Pixel>,
    pub(crate) cursor: Option<Option<Cursor>>,
}

impl Screen {
    pub(crate) fn show(&mut self, scene: &Owned) {
        match scene {
            Owned::Picture(width, height, pixels) => {
                (self.width, self.height, self.pixels) = (*width, *height, pixels.clone());
            }
            Owned::Patch(area, pixels) => {
                for (i, pixel) in pixels.iter().enumerate() {
                    let (x, y) = (i % usize::from(area.width), i / usize::from(area.width));
                    let at = (usize::from(area.y) + y) * usize::from(self.width) + usize::from(area.x) + x;
                    self.pixels[at] = *pixel;
                }
            }
            Owned::Cursor(cursor) => self.cursor = Some(cursor.clone()),
            _ => {}
        }
    }
}

/// Numbers that are the same each time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn pixels(&mut self, count: usize) -> Vec<Pixel> {
        // Few colours in some, all in others.
        let colours = [2, 16, 1 << 24][self.below(3) as usize];
        (0..count)
            .map(|_| {
                let [red, green, blue, ..] = (self.below(colours) as u32).to_le_bytes();
                [red, green, blue, 255]
            })
            .collect()
    }
}

/// A picture that is hardly smaller when it is compressed: some 90 KB.
pub(crate) fn noise(seed: u64) -> Owned {
    let mut random = Random(seed);
    let pixel = |_| {
        let [red, green, blue, ..] = random.next().to_le_bytes();
        [red, green, blue, 255]
    };
    Owned::Picture(300, 100, (0..30_000).map(pixel).collect())
}

/// What may happen in a session: so many scenes, the first of which is a picture of this size.
pub(crate) fn happened(seed: u64, count: usize, width: u16, height: u16) -> Vec<Happened> {
    let random = &mut Random(seed);
    let mut at = 0;
    let mut size = (width, height);
    let mut whole = false;
    let mut scenes = Vec::new();
    for i in 0..count {
        at += random.below(100_000);
        let text = |random: &mut Random| "größer ".repeat(random.below(4) as usize);
        let kind = if i == 0 { 0 } else { random.below(24) };
        let scene = match kind {
            0 | 1 => {
                if kind == 1 {
                    size = (1 + random.below(width.into()) as u16, 1 + random.below(height.into()) as u16);
                }
                whole = true;
                Owned::Picture(size.0, size.1, random.pixels(usize::from(size.0) * usize::from(size.1)))
            }
            2..12 if whole => {
                let (x, y) = (random.below(size.0.into()) as u16, random.below(size.1.into()) as u16);
                let (w, h) =
                    (random.below((size.0 - x).into()) as u16, random.below((size.1 - y).into()) as u16);
                let area = Area::new(x, y, w, h);
                Owned::Patch(area, random.pixels(area.pixels()))
            }
            12 => {
                let (width, height) = (random.below(20) as u16, random.below(20) as u16);
                let pixels = random.pixels(usize::from(width) * usize::from(height));
                Owned::Cursor(Some(Cursor { x: 1, y: 2, width, height, pixels }))
            }
            13 => Owned::Cursor(None),
            14 => Owned::Pointer(random.next() as u16, random.next() as u16, random.next() as u16),
            15 => Owned::Key(true, None),
            16 => Owned::Key(false, Some(random.next() as u32)),
            17 => Owned::Clipboard(Side::Desktop, random.next() as u32, None),
            18 => Owned::Clipboard(Side::Viewer, 5, Some(text(random))),
            19 => Owned::Bell,
            20 => {
                let bytes = (0..random.below(40_000)).map(|_| random.next() as u8).collect();
                Owned::Wire(if random.below(2) == 0 { Side::Desktop } else { Side::Viewer }, bytes)
            }
            21 => {
                whole = false;
                Owned::Gap(text(random))
            }
            22 => {
                whole = false;
                Owned::Paused
            }
            _ => Owned::Marker(text(random), text(random)),
        };
        scenes.push((Moment(at), scene));
    }
    scenes
}
