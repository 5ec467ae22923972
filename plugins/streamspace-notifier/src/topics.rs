//! Which topics a filter names, as the host sees it.

/// Whether a topic is one of those that a filter names: `*` stands for one word, a last `>` for the rest.
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    let mut topic = topic.split('.');
    for word in filter.split('.') {
        match (word, topic.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (word, Some(found)) if word == found => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

/// Whether any of the filters names the topic.
pub fn any<'a>(filters: impl IntoIterator<Item = &'a String>, topic: &str) -> bool {
    filters.into_iter().any(|filter| matches(filter, topic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_word_and_an_arrow_is_the_rest() {
        for (filter, topic, expected) in [
            ("session.created", "session.created", true),
            ("session.created", "session.created.late", false),
            ("session.created.late", "session.created", false),
            ("session.*", "session.created", true),
            ("session.*", "session", false),
            ("session.*", "session.a.b", false),
            ("session.>", "session.a.b", true),
            ("session.>", "session", false),
            ("*.created", "user.created", true),
            (">", "plugin.x.created", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }
}
