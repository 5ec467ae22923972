//! Stretches of a recording.

use crate::scene::Moment;

/// From one moment to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// Where it begins.
    pub from: Moment,
    /// Where it ends; not before it begins.
    pub to: Moment,
}

impl Span {
    /// How long it is, in microseconds.
    pub const fn micros(&self) -> u64 {
        self.to.0.saturating_sub(self.from.0)
    }
}

/// Stretches that do not touch, in their order: a list that never grows beyond [`Spans::MOST`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// How many there are at most. Where there would be more, the two that are nearest to each other become one.
    pub const MOST: usize = 1_024;

    /// Adds one. What touches becomes one. One that ends before it begins is left out.
    pub fn add(&mut self, mut span: Span) {
        if span.to < span.from {
            return;
        }
        let first = self.0.partition_point(|old| old.to < span.from);
        let behind = self.0.partition_point(|old| old.from <= span.to);
        if let Some(touching) = self.0.get(first..behind)
            && let (Some(one), Some(last)) = (touching.first(), touching.last())
        {
            span = Span { from: span.from.min(one.from), to: span.to.max(last.to) };
        }
        self.0.splice(first..behind.max(first), [span]);
        if self.0.len() > Self::MOST {
            let distance = |i: &usize| self.0[i + 1].from.0 - self.0[*i].to.0;
            if let Some(i) = (0..self.0.len() - 1).min_by_key(distance) {
                let next = self.0.remove(i + 1);
                self.0[i].to = next.to;
            }
        }
    }

    /// All of them.
    pub fn as_slice(&self) -> &[Span] {
        &self.0
    }

    /// How long they are together, in microseconds.
    pub fn micros(&self) -> u64 {
        self.0.iter().map(Span::micros).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, to: u64) -> Span {
        Span { from: Moment(from), to: Moment(to) }
    }

    #[test]
    fn what_touches_becomes_one() {
        let mut spans = Spans::default();
        for (from, to) in [(10, 20), (40, 50), (20, 25), (60, 60), (5, 3), (24, 41)] {
            spans.add(span(from, to));
        }
        assert_eq!(spans.as_slice(), [span(10, 50), span(60, 60)]);
        assert_eq!(spans.micros(), 40);
        spans.add(span(0, 100));
        assert_eq!(spans.as_slice(), [span(0, 100)]);
    }

    #[test]
    fn the_list_is_bounded_and_loses_nothing() {
        let mut spans = Spans::default();
        let all: Vec<_> = (0..5_000).map(|i| i * 7_919 % 100_003).map(|at| span(at, at + at % 5)).collect();
        for one in &all {
            spans.add(*one);
            assert!(spans.as_slice().len() <= Spans::MOST);
        }
        for one in all {
            assert!(spans.as_slice().iter().any(|there| there.from <= one.from && there.to >= one.to));
        }
        assert!(spans.as_slice().windows(2).all(|two| two[0].to < two[1].from));
    }
}
