//! A plugin's configuration: `config/1`.

mod table;

use serde::de::DeserializeOwned;

pub use self::table::{ConfigSink, ConfigSinkRef, ConfigSource, ConfigSourceRef, ID};
use crate::{Context, Error, Result};

/// Asks the host for the configuration and reads it as a `T`.
pub(crate) fn read<T: DeserializeOwned>(context: &Context) -> Result<T> {
    let source = context.config_source();
    let text = source.table.current()(source.handle).into_result()?;
    parse(&text)
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json)
        .or_else(|why| {
            // `()` is written `null`, and a plugin without a configuration says `()`.
            serde_json::from_str("null").map_err(|_| why)
        })
        .map_err(|why| {
            // The value itself may be a secret, so of the message only what is about types is kept.
            let place = why.path().to_string();
            let reason = why.into_inner();
            Error::new(format!(
                "the plugin's own type does not take the configuration at `{place}` (line {}): {}. The manifest's \
                 configSchema allows what the plugin's code does not",
                reason.line(),
                without_values(&reason.to_string()),
            ))
        })
}

/// serde says "invalid type: string \"…\", expected u16": drops the value.
fn without_values(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}…{}", &message[..first], &message[last + 1..])
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_names_the_place_and_not_the_value() {
        #[derive(Debug, serde::Deserialize)]
        struct Inner {
            #[expect(dead_code, reason = "only its type matters")]
            port: u16,
        }
        #[derive(Debug, serde::Deserialize)]
        struct Outer {
            #[expect(dead_code, reason = "only its type matters")]
            server: Inner,
        }
        let message = parse::<Outer>(r#"{"server": {"port": "hunter2"}}"#).expect_err("a text").to_string();
        assert!(message.contains("`server.port`"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn a_plugin_without_configuration_takes_any_object() {
        parse::<()>("{}").expect("the unit type stands for no configuration");
    }
}
