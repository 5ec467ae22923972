//! A reader of EBML that knows nothing of what writes it: for tests of WebM.

/// An element: its id, where it and its content begin, and what is in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) id: u32,
    /// In the file.
    pub(crate) at: usize,
    /// Of the content, in the file.
    pub(crate) start: usize,
    pub(crate) content: &'a [u8],
}

impl<'a> Element<'a> {
    /// The elements of a whole file.
    pub(crate) fn file(bytes: &'a [u8]) -> Vec<Self> {
        parse(bytes, 0)
    }

    /// The elements inside.
    pub(crate) fn all(&self) -> Vec<Self> {
        parse(self.content, self.start)
    }

    /// Those of an id.
    pub(crate) fn each(&self, id: u32) -> Vec<Self> {
        self.all().into_iter().filter(|element| element.id == id).collect()
    }

    /// The only one of an id.
    pub(crate) fn one(&self, id: u32) -> Self {
        let all = self.each(id);
        assert_eq!(all.len(), 1, "elements {id:X} in {:X}", self.id);
        all[0]
    }

    pub(crate) fn number(&self) -> u64 {
        assert!(self.content.len() <= 8, "a number in {:X}", self.id);
        self.content.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    pub(crate) fn float(&self) -> f64 {
        f64::from_be_bytes(self.content.try_into().expect("eight bytes"))
    }

    pub(crate) fn text(&self) -> &'a str {
        std::str::from_utf8(self.content).expect("text")
    }
}

fn parse(bytes: &[u8], base: usize) -> Vec<Element<'_>> {
    let (mut elements, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let length = bytes[at].leading_zeros() as usize + 1;
        assert!(length <= 4, "an id at {}", base + at);
        let id = bytes[at..at + length].iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
        let size_at = at + length;
        let length = bytes[size_at].leading_zeros() as usize + 1;
        assert!(length <= 8, "a size at {}", base + size_at);
        let marker = 1_u64 << (7 * length);
        let size = bytes[size_at..size_at + length].iter().fold(0, |size, byte| size << 8 | u64::from(*byte));
        assert!(size & (marker - 1) != marker - 1, "the size of {id:X} at {} is not known", base + at);
        let start = size_at + length;
        let end = start + (size & (marker - 1)) as usize;
        assert!(end <= bytes.len(), "{id:X} at {} ends at {}, after what it is in", base + at, base + end);
        elements.push(Element { id, at: base + at, start: base + start, content: &bytes[start..end] });
        at = end;
    }
    elements
}
