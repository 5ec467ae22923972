//! Which sessions are asked for, and where a page begins.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::{SessionError, State};

/// How many sessions a page has, unless something else is asked for.
pub const PAGE: u32 = 100;
/// And at most.
pub const MAX_PAGE: u32 = 500;

/// Which sessions. All that is given must hold.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Whose.
    pub owner: Option<String>,
    /// In which state.
    pub state: Option<State>,
    /// From which template.
    pub template: Option<String>,
    /// With which tag.
    pub tag: Option<String>,
    /// Shared with whom.
    pub shared_with: Option<String>,
    /// What id, owner or template contain, whatever the case of ASCII letters.
    pub text: Option<String>,
    /// Where the page begins: `next` of the one before.
    pub after: Option<String>,
    /// How many at most, 1 to 500; 100 unless given.
    pub limit: Option<u32>,
}

/// The last session of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) created_us: i64,
    pub(super) id: String,
}

impl Filter {
    pub(super) fn limit(&self) -> Result<u32, SessionError> {
        match self.limit.unwrap_or(PAGE) {
            limit @ 1..=MAX_PAGE => Ok(limit),
            limit => Err(SessionError::Invalid {
                field: "limit",
                expected: format!("1 to {MAX_PAGE}"),
                found: limit.to_string(),
            }),
        }
    }

    pub(super) fn place(&self) -> Result<Option<Place>, SessionError> {
        let Some(after) = &self.after else { return Ok(None) };
        Place::read(after).map(Some).ok_or_else(|| SessionError::Invalid {
            field: "after",
            expected: "`next` of another page".to_owned(),
            found: format!("`{}`", after.chars().take(80).collect::<String>().escape_debug()),
        })
    }

    /// What no row can hold is asked for in vain, and one database would complain.
    pub(super) fn check(&self) -> Result<(), SessionError> {
        let texts = [
            ("owner", &self.owner),
            ("template", &self.template),
            ("tag", &self.tag),
            ("shared_with", &self.shared_with),
            ("text", &self.text),
        ];
        for (field, text) in texts {
            let text = text.as_deref().unwrap_or_default();
            if text.len() > 255 || text.contains('\0') {
                return Err(SessionError::Invalid {
                    field,
                    expected: "at most 255 bytes without NUL".to_owned(),
                    found: format!("{} bytes", text.len()),
                });
            }
        }
        Ok(())
    }
}

impl Place {
    pub(super) fn written(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}:{}", self.created_us, self.id))
    }

    fn read(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (created_us, id) = text.split_once(':')?;
        let created_us = created_us.parse().ok()?;
        super::input::check_id("after", id).ok()?;
        Some(Self { created_us, id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let place = Place { created_us: 1_700_000_000_000_000, id: "a-b.c_d".to_owned() };
        assert_eq!(Place::read(&place.written()), Some(place));
        for text in ["", "x", "MTp", "MTo", "\u{e9}"] {
            assert_eq!(Place::read(text), None, "{text}");
        }
    }
}
