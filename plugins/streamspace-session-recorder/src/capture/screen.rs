//! The screen of a session, and the scenes of what has changed on it.

use streamspace_rfb::{Area, Framebuffer, Pixel};

use crate::scene::{Moment, Scene, Sink};

const BLACK: Pixel = [0, 0, 0, 255];
/// Pixels of a patch at most, unless they need not be copied: larger areas are several patches. It bounds what is copied at a
/// time, 1 MiB.
const PATCH: usize = 1 << 18;

/// What patches and pictures are made in. Its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// Black in what is kept.
    redact: Vec<Area>,
    areas: Vec<Area>,
    patch: Vec<Pixel>,
    hidden: Vec<Pixel>,
}

impl Screen {
    pub(super) fn new(redact: Vec<Area>) -> Self {
        Self { redact, ..Self::default() }
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        (self.patch.capacity() + self.hidden.capacity()) * size_of::<Pixel>()
    }

    /// Everything that is on it. Nothing is damaged then.
    ///
    /// The framebuffer itself is what the sink gets: a copy of it would cost as much as all patches of a second. What must not be
    /// seen is painted over meanwhile.
    pub(super) fn picture<S: Sink>(
        &mut self,
        framebuffer: &mut Framebuffer,
        at: Moment,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let all = framebuffer.area();
        let redacted = || self.redact.iter().filter_map(|area| area.intersection(&all));
        self.hidden.clear();
        for area in redacted() {
            rows(framebuffer, area).for_each(|row| self.hidden.extend_from_slice(row));
        }
        for area in redacted() {
            // It is inside: that is where the two meet.
            framebuffer.fill(area, BLACK).ok();
        }
        let pixels = framebuffer.pixels();
        let put = sink.put(at, &Scene::Picture { width: all.width, height: all.height, pixels });
        let mut hidden = self.hidden.as_slice();
        for area in redacted() {
            let (pixels, rest) = hidden.split_at(area.pixels().min(hidden.len()));
            framebuffer.write(area, pixels).ok();
            hidden = rest;
        }
        framebuffer.damage_mut().clear();
        put
    }

    /// What has changed on it. Nothing is damaged then.
    pub(super) fn patches<S: Sink>(
        &mut self,
        framebuffer: &mut Framebuffer,
        at: Moment,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let all = framebuffer.area();
        self.areas.clear();
        self.areas.extend(framebuffer.damage().areas().iter().filter_map(|area| area.intersection(&all)));
        framebuffer.damage_mut().clear();
        // Areas may overlap. What is more than the screen is the screen.
        if self.areas.iter().map(Area::pixels).sum::<usize>() >= all.pixels() {
            self.areas.clear();
            self.areas.push(all);
        }
        for index in 0..self.areas.len() {
            self.area(framebuffer, self.areas[index], at, sink)?;
        }
        Ok(())
    }

    fn area<S: Sink>(
        &mut self,
        framebuffer: &Framebuffer,
        area: Area,
        at: Moment,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        if area.is_empty() || self.redact.iter().any(|redacted| redacted.contains(&area)) {
            return Ok(());
        }
        let hidden = self.redact.iter().any(|redacted| redacted.intersection(&area).is_some());
        // Whole rows lie behind each other already.
        if area.width == framebuffer.width() && !hidden {
            let start = usize::from(area.y) * usize::from(area.width);
            let pixels = framebuffer.pixels().get(start..start + area.pixels()).unwrap_or_default();
            return sink.put(at, &Scene::Patch { area, pixels });
        }
        let most = u16::try_from((PATCH / usize::from(area.width)).max(1)).unwrap_or(u16::MAX);
        let (mut y, mut left) = (area.y, area.height);
        while left > 0 {
            let height = left.min(most);
            let band = Area::new(area.x, y, area.width, height);
            self.patch.clear();
            // Copied, since a patch has no pixels between its rows.
            rows(framebuffer, band).for_each(|row| self.patch.extend_from_slice(row));
            self.redact_patch(band);
            sink.put(at, &Scene::Patch { area: band, pixels: &self.patch })?;
            y = y.saturating_add(height);
            left -= height;
        }
        Ok(())
    }

    fn redact_patch(&mut self, band: Area) {
        let stride = usize::from(band.width);
        for area in self.redact.iter().filter_map(|area| area.intersection(&band)) {
            let left = usize::from(area.x - band.x);
            let rows = self.patch.chunks_exact_mut(stride).skip(usize::from(area.y - band.y));
            for row in rows.take(area.height.into()) {
                row[left..left + usize::from(area.width)].fill(BLACK);
            }
        }
    }
}

/// The pixels of an area, row by row; of rows that are not inside, none.
fn rows(framebuffer: &Framebuffer, area: Area) -> impl Iterator<Item = &[Pixel]> {
    let (x, width) = (usize::from(area.x), usize::from(area.width));
    let rows = area.y..area.y.saturating_add(area.height);
    rows.map(move |y| framebuffer.row(y).get(x..x + width).unwrap_or_default())
}
