#![forbid(unsafe_code)]
use streamspace_plugin::prelude::*;
struct Slack;
impl Plugin for Slack {
    type Config = serde_json::Value;
    fn load(_: &Context, _: Self::Config) -> Result<Self> {
        Ok(Self)
    }
}
streamspace_plugin::export!(Slack);
