//! A plugin's configuration: `config/1`.

mod table;

use serde::de::DeserializeOwned;

pub use self::table::{ConfigSink, ConfigSinkRef, ConfigSource, ConfigSourceRef, ID};
use crate::{
    Context, Error, Result,
    decode::{Mismatch, decode},
};

/// Asks the host for the configuration and reads it as a `T`.
pub(crate) fn read<T: DeserializeOwned>(context: &Context) -> Result<T> {
    let source = context.config_source();
    let text = source.table.current()(source.handle).into_result()?;
    parse(&text)
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    decode(text.as_bytes())
        // `()` is written `null`, and a plugin without a configuration says `()`.
        .or_else(|why| decode(b"null").map_err(|_| why))
        .map_err(|Mismatch { path, reason }| {
            Error::new(format!(
                "the plugin's own type does not take the configuration at `{path}`: {reason}. The manifest's \
                 configSchema allows what the plugin's code does not"
            ))
        })
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
