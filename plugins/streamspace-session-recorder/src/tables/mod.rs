//! What is written down: the plugin's tables.

pub(crate) mod access;
pub(crate) mod approvals;
pub(crate) mod exports;
pub(crate) mod find;
pub(crate) mod holds;
pub(crate) mod policies;
pub(crate) mod recordings;
pub(crate) mod stats;

use streamspace_plugin::{database::ToValue, prelude::*};
use uuid::Uuid;

/// An id that sorts by time.
pub(crate) fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// What stands behind `WHERE`, put together of conditions.
#[derive(Default)]
pub(crate) struct Conditions {
    all: Vec<String>,
    params: Vec<Box<dyn ToValue>>,
}

impl Conditions {
    /// The number of a parameter with this value.
    pub(crate) fn param(&mut self, value: impl ToValue + 'static) -> String {
        self.params.push(Box::new(value));
        format!("${}", self.params.len())
    }

    /// One more that has to hold.
    pub(crate) fn and(&mut self, condition: String) {
        self.all.push(condition);
    }

    /// `column operator value`.
    pub(crate) fn compare(&mut self, column: &str, operator: &str, value: impl ToValue + 'static) {
        let param = self.param(value);
        self.and(format!("{column} {operator} {param}"));
    }

    pub(crate) fn sql(&self) -> String {
        if self.all.is_empty() { String::new() } else { format!(" WHERE {}", self.all.join(" AND ")) }
    }

    pub(crate) fn params(&self) -> Vec<&dyn ToValue> {
        self.params.iter().map(|value| &**value).collect()
    }
}

/// A pattern of `LIKE … ESCAPE '!'` for what contains a text, in lower case.
pub(crate) fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Whether a statement was refused for what is in the tables already.
pub(crate) fn is_taken(why: &DatabaseError) -> bool {
    matches!(why, DatabaseError::Constraint(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_number_their_values() {
        let mut conditions = Conditions::default();
        assert_eq!(conditions.sql(), "");
        conditions.compare("a", "=", 1_i64);
        let (b, c) = (conditions.param("b"), conditions.param("c"));
        conditions.and(format!("x IN ({b}, {c})"));
        assert_eq!(conditions.sql(), " WHERE a = $1 AND x IN ($2, $3)");
        assert_eq!(conditions.params().len(), 3);
    }

    #[test]
    fn a_search_is_for_what_is_written() {
        assert_eq!(containing("50%_Off!"), "%50!%!_off!!%");
    }
}
