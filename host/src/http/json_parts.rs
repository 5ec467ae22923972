//! JSON taken apart without being read: each part has the characters that it was written with.
//!
//! `serde_json` does the same with its `RawValue`. But that feature changes every `Value` in the program: one that is an
//! object with a certain key is replaced by what the text in it says, which may hold such an object again. So a text
//! would nest far deeper than the 128 levels that `serde_json` allows, and run a thread out of its stack.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde_json::{Deserializer, Error};

/// The values of a list.
pub(super) fn values(text: &str) -> Result<Vec<&str>, Error> {
    let known: Vec<IgnoredAny> = serde_json::from_str(text)?;
    let mut rest = inside(text);
    let mut values = Vec::with_capacity(known.len());
    for _ in known {
        let (_, value, behind) = first::<IgnoredAny>(rest)?;
        values.push(value);
        rest = behind;
    }
    Ok(values)
}

/// The members of an object; the last one of those that share a name.
pub(super) fn members(text: &str) -> Result<BTreeMap<String, &str>, Error> {
    serde_json::from_str::<BTreeMap<String, IgnoredAny>>(text)?;
    let mut rest = inside(text);
    let mut members = BTreeMap::new();
    while !rest.starts_with('}') {
        let (name, _, behind) = first::<String>(rest)?;
        let (_, value, behind) = first::<IgnoredAny>(behind)?;
        members.insert(name, value);
        rest = behind;
    }
    Ok(members)
}

/// What is behind the bracket, in a text that is a list or an object.
fn inside(text: &str) -> &str {
    text.trim_start().get(1..).unwrap_or_default().trim_start()
}

/// The value that `text` begins with, its characters, and what is behind it and the comma or colon that follows.
fn first<T: DeserializeOwned>(text: &str) -> Result<(T, &str, &str), Error> {
    let mut values = Deserializer::from_str(text).into_iter();
    let value = values.next().unwrap_or_else(|| Err(Error::custom("a value is missing")))?;
    let (written, behind) = text.split_at_checked(values.byte_offset()).unwrap_or((text, ""));
    let behind = behind.trim_start();
    Ok((value, written.trim_end(), behind.strip_prefix([',', ':']).unwrap_or(behind).trim_start()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_values_of_a_list_are_as_they_were_written() {
        let list = [r#"{"b": 1, "a" : [ ]}"#, "1e2", "-0.0", r#""x,]\"\u00e9""#, "null", "[[1] ,2]", "\"ü\""];
        assert_eq!(values(&format!("\n[ {} ] ", list.join(" ,\t"))).expect("a list"), list);
        assert_eq!(values(&format!("[{}]", list.join(","))).expect("a list"), list);
        assert_eq!(values("[]").expect("a list"), [""; 0]);
    }

    #[test]
    fn the_members_of_an_object_are_as_they_were_written() {
        let object = members(" { \"a\" : [1 , 2] ,\"\\u0062,:\":{\"c\":\"}\"}, \"d\":1.50,\"d\":true} ")
            .expect("an object");
        let expected = [("a", "[1 , 2]"), ("b,:", "{\"c\":\"}\"}"), ("d", "true")];
        assert_eq!(object, expected.map(|(name, value)| (name.to_owned(), value)).into());
        assert_eq!(members("{}").expect("an object").len(), 0);
    }

    #[test]
    fn what_is_not_a_list_or_not_json_is_refused_with_its_place() {
        for (text, words) in
            [("{}", "invalid type: map"), ("[1,,2]", "line 1 column 4"), ("[1] 2", "trailing")]
        {
            let why = values(text).expect_err("no list").to_string();
            assert!(why.contains(words), "{why}");
        }
        for (text, words) in [("[]", "invalid type: sequence"), ("{\"a\"}", "column 5"), ("", "EOF")] {
            let why = members(text).expect_err("no object").to_string();
            assert!(why.contains(words), "{why}");
        }
    }

    /// It would be replaced by the text in it, to any depth, with the feature `raw_value` of `serde_json`.
    #[test]
    fn no_key_has_a_meaning_of_its_own() {
        let text = r#"{"$serde_json::private::RawValue":"[1]"}"#;
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(value.to_string(), text);
    }
}
