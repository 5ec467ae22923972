//! The note in a plugin's library, changed in place.

use std::ops::Range;

use serde_json::Value;

/// The owner of a plugin's note.
const OWNER: &[u8] = b"StreamSpace\0";
/// Before the owner: the sizes of owner and description, and the type.
const NUMBERS: usize = 12;

/// Changes what a library says of itself. What it says must not get much longer: its place in the file is as it is.
///
/// # Panics
///
/// When there is no note, or no room in it.
pub fn change_note(library: &mut [u8], change: impl FnOnce(&mut Value)) {
    let place = note_in(library);
    let mut facts: Value = serde_json::from_slice(&library[place.clone()]).unwrap();
    change(&mut facts);
    let mut text = facts.to_string();
    if text.len() > place.len() {
        // The commit is of no interest to the host.
        let compiler = facts["rustc"].as_str().unwrap().split(" (").next().unwrap().to_owned();
        facts["rustc"] = compiler.into();
        text = facts.to_string();
    }
    assert!(text.len() <= place.len(), "{} bytes too many: {text}", text.len() - place.len());
    text.push_str(&" ".repeat(place.len() - text.len()));
    library[place].copy_from_slice(text.as_bytes());
}

/// Where in a library the JSON of its note is.
///
/// # Panics
///
/// When there is no note.
#[must_use]
pub fn note_in(library: &[u8]) -> Range<usize> {
    let number = |at: usize| u32::from_le_bytes(library[at..at + 4].try_into().unwrap()) as usize;
    let found =
        library.windows(OWNER.len()).enumerate().filter(|(_, at)| *at == OWNER).find_map(|(at, _)| {
            let numbers = at.checked_sub(NUMBERS)?;
            let is_note = number(numbers) == OWNER.len() && number(numbers + 8) == 1;
            let facts = at + OWNER.len();
            is_note.then(|| facts..facts + number(numbers + 4))
        });
    found.expect("a note in the library")
}
