//! A message that is small enough.
//!
//! Teams takes 28 KB (<https://learn.microsoft.com/microsoftteams/limits-specifications-teams#chat>), in which it counts what it makes
//! of a message as well: above some 21 KB of JSON it begins to refuse.

use serde_json::Value;
use streamspace_notifier::Notification;

/// Bytes of a message's JSON.
pub(crate) const MOST: usize = 21_000;
/// Facts of a message, however short.
pub(crate) const FACTS: usize = 40;
/// Characters of one text, however few there are.
const TEXT: usize = 2000;
/// A text is not made shorter than that.
const SHORTEST: usize = 60;

/// How much of a notification there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Facts that are written out.
    pub(crate) facts: usize,
    /// Characters of each text.
    pub(crate) text: usize,
}

/// What `write` writes with the most room with which it has at most [`MOST`] bytes: first facts go, from the last on, then texts
/// become shorter. With the least room it is what it is: a few thousand bytes, since everything that is written has a limit.
pub(crate) fn fitted(notification: &Notification, write: impl Fn(Room) -> Value) -> Value {
    let mut room = Room { facts: notification.fields.len().min(FACTS), text: TEXT };
    loop {
        let message = write(room);
        if message.to_string().len() <= MOST {
            return message;
        }
        if room.facts > 0 {
            room.facts -= 1;
        } else if room.text > SHORTEST {
            room.text = (room.text / 2).max(SHORTEST);
        } else {
            return message;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::json;
    use streamspace_notifier::{Field, testing::Sample};

    use super::*;

    fn with_facts(count: usize) -> Notification {
        let fields = vec![Field { label: "a".into(), value: "b".into() }; count];
        Notification { fields, ..Sample::new("session.created", json!({})).notification() }
    }

    /// The room that was left when the message, of so many bytes by fact and by character, was small enough.
    fn room(facts: usize, by_fact: usize, by_character: usize) -> (usize, usize) {
        let last = RefCell::new(None);
        let _ = fitted(&with_facts(facts), |room| {
            *last.borrow_mut() = Some((room.facts, room.text));
            "x".repeat(room.facts * by_fact + room.text * by_character).into()
        });
        last.into_inner().expect("it was written")
    }

    #[test]
    fn what_is_small_is_whole() {
        assert_eq!(room(10, 100, 1), (10, TEXT));
    }

    #[test]
    fn facts_go_first_and_texts_become_shorter_then() {
        assert_eq!(room(10, 5_000, 1), (3, TEXT));
        assert_eq!(room(10, 5_000, 20), (0, TEXT / 2));
        assert_eq!(room(10, 0, 10_000), (0, SHORTEST), "and that is the end");
    }

    #[test]
    fn no_more_facts_are_written_than_anybody_reads() {
        assert_eq!(room(1000, 1, 1), (FACTS, TEXT));
    }

    #[test]
    fn a_message_of_exactly_the_most_is_sent() {
        let message = |bytes: usize| Value::from("x".repeat(bytes - 2)); // and two quotes
        let written =
            |bytes| fitted(&with_facts(1), |room| if room.facts == 1 { message(bytes) } else { json!(0) });
        assert_eq!(written(MOST), message(MOST));
        assert_eq!(written(MOST + 1), json!(0));
    }
}
