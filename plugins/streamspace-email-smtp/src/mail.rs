//! A message as it goes over the line: RFC 5322 and MIME.

use std::time::SystemTime;

use lettre::{
    Message as Mime,
    message::{
        Mailbox, Mailboxes, MultiPart, SinglePart,
        header::{self, HeaderName, HeaderValue},
    },
};

use crate::{config::Sender, render::Message};

/// What is in the headers of one mail, beside what is the same in all.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) to: Vec<Mailbox>,
    pub(crate) cc: Vec<Mailbox>,
    /// With its angle brackets.
    pub(crate) id: String,
    /// The mail that the story began with.
    pub(crate) answers: Option<String>,
    /// Where one says that one wants no more of these.
    pub(crate) unsubscribe: Option<String>,
    pub(crate) date: SystemTime,
}

/// The bytes of a mail: seven bits, lines of at most 998 octets that end with CRLF.
///
/// # Errors
///
/// When `lettre` sees something missing.
pub(crate) fn compose(
    sender: &Sender,
    envelope: &Envelope,
    message: &Message,
) -> Result<Vec<u8>, lettre::error::Error> {
    let mut mail = Mime::builder()
        .from(sender.from.clone())
        .mailbox(header::To::from(Mailboxes::from_iter(envelope.to.iter().cloned())))
        .subject(message.subject.clone())
        .date(envelope.date)
        .message_id(Some(envelope.id.clone()))
        // RFC 3834: nobody's holiday is told to a machine.
        .raw_header(fixed("Auto-Submitted", "auto-generated".into()));
    if !envelope.cc.is_empty() {
        mail = mail.mailbox(header::Cc::from(Mailboxes::from_iter(envelope.cc.iter().cloned())));
    }
    if let Some(to) = &sender.reply_to {
        mail = mail.reply_to(to.clone());
    }
    if let Some(first) = &envelope.answers {
        mail = mail.in_reply_to(first.clone()).references(first.clone());
    }
    if let Some(url) = &envelope.unsubscribe {
        // RFC 8058: one click, without a page to be read.
        mail = mail
            .raw_header(fixed("List-Unsubscribe", format!("<{url}>")))
            .raw_header(fixed("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".into()));
    }
    let mail = match &message.html {
        // The last is the one that is preferred: RFC 2046, section 5.1.4.
        Some(html) => mail.multipart(MultiPart::alternative_plain_html(message.text.clone(), html.clone())),
        None => mail.singlepart(SinglePart::plain(message.text.clone())),
    }?;
    Ok(mail.formatted())
}

/// A header of ASCII that is neither encoded nor folded.
fn fixed(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}
