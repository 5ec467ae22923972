//! The configuration is read from JSON.

use streamspace_plugin::prelude::*;

struct Config {
    greeting: String,
}

struct Greeter(Config);

impl Plugin for Greeter {
    type Config = Config;

    fn load(_: &Context, config: Config) -> Result<Self> {
        Ok(Self(config))
    }
}

streamspace_plugin::export!(Greeter);

fn main() {}
