//! What operators have messages say: templates for title and summary, by topic.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};
use serde::Deserialize;
use serde_json::{Value, json};
use streamspace_plugin::prelude::{Error, Event, Result};

use crate::{notification::Notification, text};

/// Steps that one template may take: enough for any message, and over in a moment.
const FUEL: u64 = 20_000;
/// Most of what a template may write, in bytes.
const MAX_OUTPUT: usize = 16 * 1024;

/// The words for one topic. What is not given stays as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Words {
    /// A template of the title.
    pub title: Option<String>,
    /// A template of the sentence.
    pub summary: Option<String>,
}

/// All templates, compiled.
#[derive(Debug)]
pub struct Wording {
    templates: Environment<'static>,
}

impl Wording {
    /// Compiles the templates of each topic.
    ///
    /// # Errors
    ///
    /// When one is not a template; the error names topic and line.
    pub fn new(messages: BTreeMap<String, Words>) -> Result<Self> {
        let mut templates = Environment::new();
        templates.set_fuel(Some(FUEL));
        templates.set_undefined_behavior(UndefinedBehavior::Chainable);
        // Plain text: it is the renderer that escapes.
        templates.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        for (topic, words) in messages {
            for (part, source) in [("title", words.title), ("summary", words.summary)] {
                let Some(source) = source else { continue };
                templates.add_template_owned(format!("{topic}/{part}"), source).map_err(|why| {
                    Error::permanent(format!("messages: the {part} of `{topic}` is no template: {why}"))
                })?;
            }
        }
        Ok(Self { templates })
    }

    /// Puts the operator's words into the message of `event`.
    ///
    /// # Errors
    ///
    /// When a template cannot be rendered; what was to be said otherwise is in the message still.
    pub fn apply(&self, notification: &mut Notification, event: &Event<'_>) -> Result<()> {
        let title = self.render("title", notification, event);
        let summary = self.render("summary", notification, event);
        if let Some(title) = title? {
            notification.title = title;
        }
        if let Some(summary) = summary? {
            notification.summary = summary;
        }
        Ok(())
    }

    fn render(&self, part: &str, notification: &Notification, event: &Event<'_>) -> Result<Option<String>> {
        let Ok(template) = self.templates.get_template(&format!("{}/{part}", event.topic())) else {
            return Ok(None);
        };
        let data: Value = serde_json::from_slice(event.data()).unwrap_or_default();
        let values = json!({
            "topic": event.topic(), "source": event.source(), "subject": notification.subject,
            "severity": notification.severity, "time": text::rfc3339(event.time()),
            "title": notification.title, "summary": notification.summary, "data": data,
        });
        let failed = |why: String| Error::new(format!("messages: the {part} of `{}`: {why}", event.topic()));
        let mut output = Bounded(Vec::new());
        template
            .render_captured_to(minijinja::value::Serde(&values), &mut output)
            .map_err(|why| failed(why.to_string()))?;
        let said = String::from_utf8(output.0).map_err(|why| failed(why.to_string()))?;
        Ok((!said.trim().is_empty()).then_some(said))
    }
}

struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + piece.len() > MAX_OUTPUT {
            return Err(std::io::Error::other(format!("it writes more than {MAX_OUTPUT} bytes")));
        }
        self.0.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::from_value;

    use super::*;
    use crate::{message, testing::Sample};

    fn said(messages: Value) -> Result<Notification> {
        let wording = Wording::new(from_value(messages).expect("words"))?;
        let sample = Sample::new("session.created", json!({"id": "s-1", "user": "ada", "template": "gimp"}));
        sample.with(|event| {
            let mut notification = message::notification(event, true).expect("a message");
            wording.apply(&mut notification, event).map(|()| notification)
        })
    }

    #[test]
    fn a_template_says_what_the_operator_wants() {
        let told = said(json!({"session.created": {
            "title": "{{ data.user | upper }}: {{ severity }}", "summary": "{{ summary }} ({{ data.nothing.deep }}{{ subject }})",
        }}))
        .expect("a message");
        assert_eq!(told.title, "ADA: info");
        assert_eq!(told.summary, "ada's gimp session was created. (s-1)");
    }

    #[test]
    fn other_topics_and_empty_texts_stay_as_they_are() {
        let told = said(
            json!({"session.woken": {"title": "x"}, "session.created": {"title": "{{ data.nothing }}"}}),
        )
        .expect("a message");
        assert_eq!(told.title, "Session created");
    }

    #[test]
    fn a_wrong_template_is_named_when_it_is_configured() {
        let why =
            said(json!({"session.created": {"title": "{{ data.user"}})).expect_err("no template").to_string();
        assert!(why.contains("title of `session.created`"), "{why}");
    }

    #[test]
    fn a_template_that_does_not_end_is_ended() {
        for template in [
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
            "{{ 'x' * 20000 }}",
            "{% for a in range(1000) %}{{ summary }}{% endfor %}",
        ] {
            let why =
                said(json!({"session.created": {"summary": template}})).expect_err("too much").to_string();
            assert!(why.contains("summary of `session.created`"), "{why}");
        }
    }
}
