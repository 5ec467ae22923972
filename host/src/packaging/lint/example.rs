//! `config.example.json`: it is there, and what it shows is valid.

use std::path::Path;

use serde_json::Value;
use streamspace_plugin::manifest::Manifest;

use super::{Report, exists, is_configurable, text};
use crate::plugin_config::ConfigSchema;

const FILE: &str = "config.example.json";

pub(super) fn check(folder: &Path, manifest: &Manifest, report: &mut Report) {
    // One that does not compile has been told of.
    let Ok(schema) = ConfigSchema::compile(manifest) else { return };
    let Some(text) = text(folder, FILE) else {
        if exists(folder, FILE) {
            report.error("SSP-LNT-031", FILE, "it is no text in UTF-8 of at most 1 MiB", "save it as UTF-8");
        } else if is_configurable(manifest) {
            report.error(
                "SSP-LNT-030",
                FILE,
                "the plugin can be configured, and there is no example",
                "write one that an operator changes in a few places, with placeholders for secrets",
            );
        }
        return;
    };
    let problem = match serde_json::from_str(&text) {
        Ok(Value::Object(example)) => match schema.effective(&example) {
            Ok(_) => return,
            Err(why) => why.to_string(),
        },
        Ok(_) => "it is no JSON object".to_owned(),
        Err(why) => format!("it is not JSON: {why}"),
    };
    report.error("SSP-LNT-031", FILE, problem, "make it valid against `configSchema` in manifest.json");
}
