//! Messages that come in pieces.

/// What a parser made of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It took so many.
    Consumed(usize),
    /// So many are missing at least.
    Need(usize),
    /// It must hear of the other side first.
    Wait,
}

/// What is fed came to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop<E> {
    /// A message, or what waits for the other side, is longer than what may be kept.
    TooLong(usize),
    /// What the parser says.
    Of(E),
}

impl<E> From<E> for Stop<E> {
    fn from(error: E) -> Self {
        Self::Of(error)
    }
}

/// Bytes that are copied at once at least, even if fewer are missing. Some encodings say only bit by bit how long they are, and a
/// parser that is asked for each bit spends its time on being asked.
const AHEAD: usize = 16 << 10;
/// Bytes for which there is room made at once, because a message says that it has so many. What is longer shows that it is.
const ROOM: usize = 8 << 20;

/// The beginning of a message whose end has not come.
///
/// A message that comes as a whole is parsed where it is. Of one that does not, the pieces are copied until its end is there.
/// What is kept is never more than one message and a little of the next, but while the other side is waited for.
#[derive(Debug)]
pub(super) struct Reassembly {
    kept: Vec<u8>,
    /// What of it was taken.
    start: usize,
    /// Bytes that the message lacks at least.
    missing: usize,
    most: usize,
}

impl Reassembly {
    /// Keeps so many bytes at most.
    pub(super) fn new(most: usize) -> Self {
        Self { kept: Vec::new(), start: 0, missing: 0, most }
    }

    /// Whether there is a message whose end has not come.
    pub(super) fn is_within(&self) -> bool {
        self.start < self.kept.len()
    }

    /// Gives back memory that no message needs at the moment.
    pub(super) fn shrink(&mut self) {
        if !self.is_within() {
            self.kept = Vec::new();
            self.start = 0;
        }
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.kept.capacity()
    }

    /// Has what was kept, and then these bytes, parsed message by message.
    pub(super) fn feed<E>(
        &mut self,
        piece: &[u8],
        mut step: impl FnMut(&[u8]) -> Result<Step, E>,
    ) -> Result<(), Stop<E>> {
        // Where the piece goes on. What lies before it was parsed, or stands at the end of what is kept.
        let mut at = 0;
        loop {
            let left = self.kept.len() - self.start;
            // What is left of a copy is parsed where it came from.
            if left <= at {
                at -= left;
                self.kept.clear();
                (self.start, self.missing) = (0, 0);
            }
            let kept = self.is_within();
            let rest = piece.get(at..).unwrap_or_default();
            if !kept && rest.is_empty() {
                return Ok(());
            }
            if kept && self.missing > 0 {
                let taken = self.missing.max(AHEAD).min(rest.len());
                self.keep(&rest[..taken])?;
                at += taken;
                self.missing = self.missing.saturating_sub(taken);
                if self.missing > 0 {
                    return Ok(());
                }
            }
            let bytes = if kept { &self.kept[self.start..] } else { rest };
            match step(bytes)? {
                Step::Consumed(count) if kept => self.start += count,
                Step::Consumed(count) => at += count,
                Step::Need(more) => {
                    let whole = bytes.len().saturating_add(more);
                    if whole > self.most {
                        return Err(Stop::TooLong(whole));
                    }
                    if !kept {
                        self.kept.reserve_exact(rest.len() + more.min(ROOM));
                        self.keep(rest)?;
                        self.missing = more.max(1);
                        return Ok(());
                    }
                    self.missing = more.max(1);
                }
                Step::Wait => return self.keep(piece.get(at..).unwrap_or_default()),
            }
        }
    }

    fn keep<E>(&mut self, piece: &[u8]) -> Result<(), Stop<E>> {
        self.kept.drain(..self.start);
        self.start = 0;
        let length = self.kept.len().saturating_add(piece.len());
        if length > self.most.saturating_add(AHEAD) {
            return Err(Stop::TooLong(length));
        }
        self.kept.extend_from_slice(piece);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages: a byte that says how many follow it.
    fn step(bytes: &[u8], seen: &mut Vec<Vec<u8>>) -> Result<Step, ()> {
        let length = usize::from(bytes[0]) + 1;
        if bytes.len() < length {
            return Ok(Step::Need(length - bytes.len()));
        }
        seen.push(bytes[1..length].to_vec());
        Ok(Step::Consumed(length))
    }

    #[test]
    fn messages_are_the_same_wherever_they_are_split() {
        let whole = [2, 7, 8, 0, 1, 9, 3, 1, 2, 3];
        let expected = [vec![7, 8], vec![], vec![9], vec![1, 2, 3]];
        for (first, second) in (0..=whole.len()).flat_map(|a| (a..=whole.len()).map(move |b| (a, b))) {
            let (mut reassembly, mut seen) = (Reassembly::new(16), Vec::new());
            for piece in [&whole[..first], &whole[first..second], &whole[second..]] {
                reassembly.feed(piece, |bytes| step(bytes, &mut seen)).expect("messages");
            }
            assert_eq!(seen, expected);
            assert!(!reassembly.is_within());
        }
    }

    #[test]
    fn what_waits_is_parsed_later_and_bounded() {
        let (mut reassembly, mut seen) = (Reassembly::new(8), Vec::new());
        reassembly.feed(&[1, 5, 2], |_| Ok::<_, ()>(Step::Wait)).expect("it waits");
        reassembly.feed(&[6], |_| Ok::<_, ()>(Step::Wait)).expect("it waits");
        reassembly.feed(&[], |bytes| step(bytes, &mut seen)).expect("a message");
        assert_eq!(seen, [vec![5]]);
        reassembly.feed(&[7], |bytes| step(bytes, &mut seen)).expect("another");
        assert_eq!(seen, [vec![5], vec![6, 7]]);
        assert_eq!(reassembly.feed(&[9, 1], |bytes| step(bytes, &mut seen)), Err(Stop::TooLong(10)));
        let mut waiting = Reassembly::new(8);
        let many = [1; AHEAD + 9];
        assert_eq!(waiting.feed(&many, |_| Ok::<_, ()>(Step::Wait)), Err(Stop::TooLong(many.len())));
    }
}
