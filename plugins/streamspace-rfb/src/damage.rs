//! What has changed.

use crate::geometry::Area;

/// Areas that have changed since somebody took them: a list that never grows beyond [`Damage::MOST`].
///
/// Every changed pixel is in at least one area. Areas may overlap, and cover more than what changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    areas: Vec<Area>,
}

impl Damage {
    /// How many areas there are at most. Where there would be more, the two that waste least become one.
    pub const MOST: usize = 32;

    /// Adds an area.
    pub fn add(&mut self, area: Area) {
        if area.is_empty() || self.areas.iter().any(|old| old.contains(&area)) {
            return;
        }
        self.areas.retain(|old| !area.contains(old));
        // What is drawn piece by piece, as text is, becomes one area at once.
        match self.areas.iter_mut().find(|old| waste(old, &area) == 0) {
            Some(old) => *old = old.union(&area),
            None => self.areas.push(area),
        }
        if self.areas.len() > Self::MOST {
            self.join();
        }
    }

    fn join(&mut self) {
        let pairs = (0..self.areas.len()).flat_map(|i| (0..i).map(move |j| (j, i)));
        let cheapest = pairs.min_by_key(|(j, i)| waste(&self.areas[*j], &self.areas[*i]));
        if let Some((j, i)) = cheapest {
            let second = self.areas.swap_remove(i);
            let both = self.areas[j].union(&second);
            self.areas.swap_remove(j);
            self.areas.retain(|old| !both.contains(old));
            self.areas.push(both);
        }
    }

    /// The areas.
    pub fn areas(&self) -> &[Area] {
        &self.areas
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }

    /// The areas; from now on nothing has changed.
    pub fn take(&mut self) -> Vec<Area> {
        std::mem::take(&mut self.areas)
    }

    /// Forgets the areas, and keeps their memory.
    pub fn clear(&mut self) {
        self.areas.clear();
    }
}

/// Pixels that both together cover and neither alone.
fn waste(one: &Area, other: &Area) -> usize {
    let common = one.intersection(other).map_or(0, |common| common.pixels());
    one.union(other).pixels().saturating_sub(one.pixels() + other.pixels() - common)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_area() {
        let mut damage = Damage::default();
        for x in 0..10 {
            damage.add(Area::new(x * 16, 0, 16, 16));
        }
        assert_eq!(damage.areas(), [Area::new(0, 0, 160, 16)]);
        damage.add(Area::new(20, 4, 5, 5));
        assert_eq!(damage.areas().len(), 1);
        damage.add(Area::new(0, 0, 500, 500));
        assert_eq!(damage.take(), [Area::new(0, 0, 500, 500)]);
        assert!(damage.is_empty());
    }

    #[test]
    fn the_list_is_bounded_and_loses_nothing() {
        let mut damage = Damage::default();
        let all: Vec<_> = (0..500).map(|i| Area::new(i * 37 % 1000, i * 91 % 1000, 1 + i % 7, 3)).collect();
        for area in &all {
            damage.add(*area);
            assert!(damage.areas().len() <= Damage::MOST);
        }
        for area in all {
            let inside = |x, y| damage.areas().iter().any(|other| other.contains(&Area::new(x, y, 1, 1)));
            for y in area.y..area.y + area.height {
                assert!((area.x..area.x + area.width).all(|x| inside(x, y)), "{area}");
            }
        }
    }
}
