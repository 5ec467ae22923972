//! The configuration. The manifest's `configSchema` describes the same, and has the defaults.

use std::path::PathBuf;

use serde::Deserialize;
use streamspace_plugin::prelude::{Error, Result};

use crate::master::Digits;
pub(crate) use crate::master::MasterKey;

/// The plugin's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Config {
    pub(crate) enabled: bool,
    pub(crate) default_format: Format,
    default_retention_days: u32,
    pub(crate) max_file_size: u64,
    pub(crate) max_duration_sec: u64,
    storage_path: String,
    pub(crate) auto_record_for_compliance: bool,
    pub(crate) compliance_frameworks: Vec<String>,
    pub(crate) encrypt_recordings: bool,
    pub(crate) export_hours: u32,
    #[serde(default)]
    master_key: Option<Digits>,
    #[serde(default)]
    master_key_file: Option<PathBuf>,
    #[serde(default)]
    previous_master_keys: Vec<Digits>,
    #[serde(default)]
    previous_master_key_files: Vec<PathBuf>,
    pub(crate) capture: Way,
    pub(crate) fps_cap: u32,
    pub(crate) cpu_budget_pct: u32,
    pub(crate) keyframe_interval_sec: u64,
    pub(crate) segment_sec: u64,
    pub(crate) ring_bytes: u64,
    pub(crate) capture_input: Input,
    pub(crate) capture_clipboard: bool,
    pub(crate) redact_regions: Vec<Region>,
    pub(crate) consent_banner: String,
    pub(crate) max_concurrent: u64,
    pub(crate) max_concurrent_per_user: u64,
    pub(crate) quota_bytes: u64,
    pub(crate) quota_bytes_per_user: u64,
    pub(crate) retention: Retention,
    storage: Storage,
    pub(crate) policies: Defaults,
}

/// What a recording is exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Webm,
    /// Taken for what the platform wrote, and made as WebM.
    Mp4,
    /// FBS 001.000.
    Vnc,
}

impl Format {
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "webm" => Some(Self::Webm),
            "mp4" => Some(Self::Mp4),
            "vnc" | "fbs" => Some(Self::Vnc),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Webm => "webm",
            Self::Mp4 => "mp4",
            Self::Vnc => "vnc",
        }
    }
}

/// How a session is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    Viewer,
    Tee,
    Wire,
}

/// What is recorded of keys and pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Input {
    Off,
    Metadata,
    Full,
}

/// An area of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Region {
    pub(crate) x: u16,
    pub(crate) y: u16,
    pub(crate) width: u16,
    pub(crate) height: u16,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Retention {
    #[serde(default = "yes")]
    pub(crate) enabled: bool,
    #[serde(default)]
    days: Option<u32>,
    #[serde(default = "yes")]
    pub(crate) auto_purge: bool,
    #[serde(default)]
    pub(crate) tombstone_days: u32,
}

#[derive(Debug, Clone, Deserialize)]
struct Storage {
    #[serde(default)]
    path: Option<String>,
    #[serde(default = "one")]
    compression: i32,
}

/// What is recorded where no policy applies.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Defaults {
    #[serde(default)]
    pub(crate) auto_record: bool,
    #[serde(default)]
    pub(crate) record_by_role: Vec<String>,
    #[serde(default)]
    pub(crate) notify_on_access: bool,
}

fn yes() -> bool {
    true
}

fn one() -> i32 {
    1
}

impl Config {
    /// The folder of recordings.
    pub(crate) fn folder(&self) -> PathBuf {
        PathBuf::from(self.storage.path.as_deref().unwrap_or(&self.storage_path))
    }

    /// The level of zstd.
    pub(crate) fn compression(&self) -> i32 {
        self.storage.compression
    }

    /// For how many days a recording is kept that nobody says anything else of; 0 is for ever.
    pub(crate) fn retention_days(&self) -> u32 {
        self.retention.days.unwrap_or(self.default_retention_days)
    }

    /// The master key that the operator gave, if any.
    ///
    /// # Errors
    ///
    /// When there are two, or the file has none.
    pub(crate) fn master_key(&self) -> Result<Option<MasterKey>> {
        match (&self.master_key, &self.master_key_file) {
            (Some(_), Some(_)) => {
                Err(Error::permanent("there are a `masterKey` and a `masterKeyFile`: give one of them"))
            }
            (Some(digits), None) => digits.key("masterKey").map(Some),
            (None, Some(path)) => MasterKey::of_file("masterKeyFile", path).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Master keys that may have sealed older recordings.
    ///
    /// # Errors
    ///
    /// When one of them is none.
    pub(crate) fn previous_master_keys(&self) -> Result<Vec<MasterKey>> {
        let given = self.previous_master_keys.iter().map(|digits| digits.key("previousMasterKeys"));
        let files = self.previous_master_key_files.iter();
        given.chain(files.map(|path| MasterKey::of_file("previousMasterKeyFiles", path))).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;

    use serde_json::{Map, Value, json};

    use super::*;

    fn fill(schema: &Value, value: &mut Value) {
        let (Some(object), Some(properties)) = (value.as_object_mut(), schema["properties"].as_object())
        else {
            return;
        };
        for (key, schema) in properties {
            if let Some(default) = schema.get("default") {
                object.entry(key.clone()).or_insert_with(|| default.clone());
            }
            if let Some(inner) = object.get_mut(key) {
                fill(schema, inner);
            }
        }
    }

    /// As the host gives it: valid, with the defaults of the manifest.
    pub(crate) fn config(change: Value) -> Result<Config, String> {
        let manifest: Value = serde_json::from_str(include_str!("../manifest.json")).expect("JSON");
        let schema = &manifest["configSchema"];
        let mut value = change;
        fill(schema, &mut value);
        jsonschema::validate(schema, &value).map_err(|why| why.to_string())?;
        serde_json::from_value(value).map_err(|why| why.to_string())
    }

    #[test]
    fn nothing_has_to_be_said() {
        let config = config(Value::Object(Map::new())).expect("a configuration");
        assert!(config.enabled && config.encrypt_recordings && !config.auto_record_for_compliance);
        assert_eq!(config.default_format, Format::Webm);
        assert_eq!((config.retention_days(), config.export_hours), (365, 24));
        assert_eq!(config.max_file_size, 10 * 1024 * 1024 * 1024);
        assert_eq!(config.folder(), PathBuf::from("/var/lib/streamspace/recordings"));
        assert_eq!((config.compression(), config.master_key().expect("no fault")), (1, None));
    }

    #[test]
    fn the_example_is_valid_and_read() {
        let example: Value = serde_json::from_str(include_str!("../config.example.json")).expect("JSON");
        config(example).expect("a configuration");
    }

    #[test]
    fn what_the_platform_planned_is_taken() {
        let config = config(json!({
            "storage": {"backend": "local", "path": "/srv/recordings", "compression": 3},
            "retention": {"enabled": true, "days": 30, "autoPurge": false},
            "policies": {"autoRecord": true, "recordByRole": ["admin"], "notifyOnAccess": true},
        }))
        .expect("a configuration");
        assert_eq!(config.folder(), PathBuf::from("/srv/recordings"));
        assert_eq!((config.retention_days(), config.compression()), (30, 3));
        assert!(config.policies.auto_record && !config.retention.auto_purge);
    }

    #[test]
    fn a_key_is_given_once_and_whole() {
        let digits = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
        let key = config(json!({ "masterKey": digits })).expect("valid").master_key().expect("a key");
        assert_eq!(key.expect("a key").digits(), digits.to_ascii_lowercase());
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        fs::write(&file, format!("{digits}\n")).expect("a file");
        let of_file = config(json!({ "masterKeyFile": file })).expect("valid");
        assert!(of_file.master_key().expect("a key").is_some());
        assert!(
            config(json!({"masterKeyFile": file, "masterKey": digits})).expect("valid").master_key().is_err()
        );
        fs::write(&file, "no key").expect("a file");
        assert!(of_file.master_key().is_err());
        for bad in [json!({"masterKey": "abc"}), json!({"masterKeyFile": "key"})] {
            assert!(config(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn former_keys_are_read_and_have_to_be_some() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        fs::write(&file, "b".repeat(64)).expect("a file");
        let of = |files: Value| {
            config(json!({ "previousMasterKeys": ["a".repeat(64)], "previousMasterKeyFiles": files }))
        };
        let former = of(json!([file])).expect("valid").previous_master_keys().expect("two");
        assert_eq!(former, ["a", "b"].map(|digit| MasterKey::of(&digit.repeat(64)).expect("a key")));
        let gone = folder.path().join("gone");
        let why = of(json!([gone])).expect("valid").previous_master_keys().expect_err("there is none");
        assert!(why.to_string().contains("`previousMasterKeyFiles`"), "{why}");
        assert!(config(json!({"previousMasterKeys": ["abc"]})).is_err());
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let digits = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let config = config(json!({ "masterKey": digits, "previousMasterKeys": [digits] })).expect("valid");
        let shown = format!("{config:?}{:?}{:?}", config.master_key(), config.previous_master_keys());
        assert!(!shown.contains("00112233") && !shown.contains("17, 34"), "{shown}");
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for bad in [
            json!({"defaultFormat": "avi"}),
            json!({"storagePath": "recordings"}),
            json!({"maxFileSize": 10}),
            json!({"fpsCap": 0}),
            json!({"exportHours": 0}),
            json!({"cpuBudgetPct": 0}),
            json!({"captureInput": "some"}),
            json!({"redactRegions": [{"x": 0, "y": 0, "width": 0, "height": 1}]}),
            json!({"storage": {"backend": "s3"}}),
            json!({"retentionDays": 1}),
        ] {
            assert!(config(bad.clone()).is_err(), "{bad}");
        }
    }
}
