//! A notification as a subject and two texts that say the same.

use serde::Serialize;
use streamspace_notifier::{
    Color, Field, Notification,
    text::{self, plain, web_address},
};

use crate::config::Style;

/// Ours, in characters and pieces: what fits a screen of a reader of mail. Providers cut large messages at some 100 kB.
mod limit {
    pub(super) const SUBJECT: usize = 200;
    pub(super) const SUMMARY: usize = 2_000;
    pub(super) const LABEL: usize = 100;
    pub(super) const VALUE: usize = 2_000;
    pub(super) const FIELDS: usize = 50;
    pub(super) const URL: usize = 2_000;
}

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    /// On one line, not yet encoded.
    pub(crate) subject: String,
    /// For those who read text.
    pub(crate) text: String,
    /// The same for those who read HTML, if it is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) html: Option<String>,
}

/// The mail of a notification; at its end how to get no more, if there is a way.
pub(crate) fn message(notification: &Notification, style: &Style, unsubscribe: Option<&str>) -> Message {
    let said = Said::of(notification, style, unsubscribe);
    Message { subject: said.subject(), text: said.text(), html: style.html.then(|| said.html()) }
}

/// What is said, in pieces that are cleaned and cut, and not yet escaped.
struct Said<'a> {
    prefix: String,
    title: String,
    about: String,
    summary: String,
    fields: Vec<(String, String)>,
    links: Vec<(&'static str, &'a str)>,
    foot: String,
    color: Color,
    unsubscribe: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn of(notification: &'a Notification, style: &Style, unsubscribe: Option<&'a str>) -> Self {
        let fields = notification.fields.iter().filter_map(|Field { label, value }| {
            let (label, value) = (plain(label, limit::LABEL), plain(value, limit::VALUE));
            (!label.is_empty() && !value.is_empty()).then_some((label, value))
        });
        let links = notification.links.iter().filter(|link| web_address(&link.url, limit::URL));
        let when = text::rfc3339(notification.occurred_at);
        Self {
            prefix: plain(&style.prefix, limit::LABEL),
            title: plain(&notification.title, limit::SUBJECT),
            about: plain(&notification.subject, limit::LABEL),
            summary: plain(&notification.summary, limit::SUMMARY),
            fields: fields.take(limit::FIELDS).collect(),
            links: links.map(|link| (link.label, link.url.as_str())).collect(),
            foot: format!("{} · {when} · StreamSpace", plain(&notification.topic, limit::LABEL)),
            color: notification.color,
            unsubscribe,
        }
    }

    fn subject(&self) -> String {
        let title = match (self.title.as_str(), self.about.as_str()) {
            ("", about) => about.to_owned(),
            (title, "") => title.to_owned(),
            (title, about) => format!("{title}: {about}"),
        };
        plain(&format!("{} {title}", self.prefix), limit::SUBJECT)
    }

    fn text(&self) -> String {
        let mut parts: Vec<String> = vec![self.title.clone(), self.summary.clone()];
        parts.push(self.fields.iter().map(|(label, value)| format!("{label}: {value}\n")).collect());
        parts.push(self.links.iter().map(|(label, url)| format!("{label}: {url}\n")).collect());
        parts.retain(|part| !part.is_empty());
        let mut text: String = parts.iter().map(|part| format!("{}\n\n", part.trim_end())).collect();
        // RFC 3676, section 4.3.
        text.push_str("-- \n");
        text.push_str(&self.foot);
        text.push('\n');
        if let Some(url) = self.unsubscribe {
            text.push_str(&format!("No more mails like this: {url}\n"));
        }
        text
    }

    /// Tables and styles in place, which is what readers of mail understand. Nothing in it is fetched from anywhere.
    fn html(&self) -> String {
        const FONT: &str = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
        let (background, ink) = (self.color.hex(), ink(self.color));
        let mut rows = String::new();
        if !self.summary.is_empty() {
            rows += &format!(
                "<p style=\"margin:0 0 16px;font-size:16px;line-height:24px\">{}</p>\n",
                escaped(&self.summary)
            );
        }
        if !self.fields.is_empty() {
            rows += "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"border-collapse:collapse;margin:0 0 16px\">\n";
            for (label, value) in &self.fields {
                rows += &format!(
                    "<tr><td width=\"170\" valign=\"top\" style=\"padding:8px 12px 8px 0;border-top:1px solid #e6e8eb;font-size:14px;color:#6b7280\">{}</td>\
                     <td valign=\"top\" style=\"padding:8px 0;border-top:1px solid #e6e8eb;font-size:14px;word-break:break-word\">{}</td></tr>\n",
                    escaped(label),
                    escaped(value)
                );
            }
            rows += "</table>\n";
        }
        for (label, url) in &self.links {
            rows += &format!(
                "<p style=\"margin:8px 0 16px\"><a href=\"{}\" style=\"display:inline-block;padding:10px 20px;border-radius:6px;background:{background};color:{ink};font-size:14px;font-weight:600;text-decoration:none\">{}</a></p>\n",
                escaped(url),
                escaped(label)
            );
        }
        let mut foot = escaped(&self.foot);
        if let Some(url) = self.unsubscribe {
            foot += &format!(
                "<br><a href=\"{}\" style=\"color:#6b7280\">No more mails like this</a>",
                escaped(url)
            );
        }
        format!(
            "<!DOCTYPE html>\n\
             <html lang=\"en\">\n\
             <head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title></head>\n\
             <body style=\"margin:0;padding:0;background:#f3f4f6\">\n\
             <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"background:#f3f4f6\"><tr><td align=\"center\" style=\"padding:24px 12px\">\n\
             <table role=\"presentation\" width=\"600\" cellpadding=\"0\" cellspacing=\"0\" style=\"width:600px;max-width:100%;background:#ffffff;border-radius:8px;overflow:hidden;{FONT};color:#1f2937\">\n\
             <tr><td bgcolor=\"{background}\" style=\"padding:20px 28px;background:{background};color:{ink};font-size:20px;font-weight:600;line-height:28px\">{title}</td></tr>\n\
             <tr><td style=\"padding:24px 28px 8px\">\n{rows}</td></tr>\n\
             <tr><td style=\"padding:12px 28px 20px;font-size:12px;line-height:18px;color:#6b7280\">{foot}</td></tr>\n\
             </table>\n</td></tr></table>\n</body>\n</html>\n",
            title = escaped(&self.title),
        )
    }
}

/// What can be read on a colour: the contrast of WCAG 2, roughly.
fn ink(color: Color) -> &'static str {
    let part = |shift: u32| f64::from((color.0 >> shift) & 0xff);
    let light = 0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0);
    if light > 145.0 { "#1f2937" } else { "#ffffff" }
}

/// Text between tags, or in an attribute in double quotes.
fn escaped(text: &str) -> String {
    text::escaped(text, usize::MAX, |c| match c {
        '"' => "&quot;",
        '\'' => "&#39;",
        other => text::entities(other),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use streamspace_notifier::{Link, testing::Sample};

    use super::*;

    fn style() -> Style {
        Style { html: true, prefix: "[StreamSpace]".into() }
    }

    fn hostile(text: &str) -> Message {
        let notification = Notification {
            title: text.into(),
            summary: text.into(),
            subject: text.into(),
            topic: text.into(),
            fields: vec![Field { label: text.into(), value: text.into() }],
            links: vec![Link { label: "Open session", url: text.into() }],
            ..Sample::new("session.created", json!({})).notification()
        };
        message(&notification, &style(), None)
    }

    #[test]
    fn a_name_forges_neither_a_header_nor_a_tag() {
        let mail = hostile(
            "x\r\nBcc: eve@example.com\r\n\r\n<script>alert('1')</script>\" onload=\"\u{202e}\u{2028}",
        );
        assert!(!mail.subject.contains(['\r', '\n', '\u{202e}', '\u{2028}']), "{}", mail.subject);
        let html = mail.html.expect("html");
        assert!(!html.contains("<script") && !html.contains("\" onload") && !html.contains("'1'"), "{html}");
        assert!(
            html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=&quot;"),
            "{html}"
        );
        assert!(!html.contains("href"), "that was no address: {html}");
        assert!(mail.text.lines().all(|line| !line.starts_with("Bcc:")), "{}", mail.text);
    }

    #[test]
    fn long_texts_are_cut() {
        let mail = hostile(&"é&".repeat(10_000));
        assert_eq!(mail.subject.chars().count(), limit::SUBJECT);
        assert!(mail.subject.ends_with('…') && mail.text.contains('…'));
        assert!(mail.html.expect("html").len() < 60_000);
    }

    #[test]
    fn only_text_if_that_is_wanted() {
        let notification = Sample::new("session.created", json!({"user": "ada"})).notification();
        let mail = message(
            &notification,
            &Style { html: false, prefix: String::new() },
            Some("https://a.example/u"),
        );
        assert_eq!(mail.html, None);
        assert_eq!(mail.subject, "Session created");
        assert!(
            mail.text.ends_with("StreamSpace\nNo more mails like this: https://a.example/u\n"),
            "{}",
            mail.text
        );
    }

    #[test]
    fn what_is_written_on_a_colour_can_be_read() {
        for color in [Color::GREEN, Color::BLUE, Color::GREY, Color::RED] {
            assert_eq!(ink(color), "#ffffff", "{color:?}");
        }
        assert_eq!(ink(Color::AMBER), "#1f2937");
    }
}
