//! What a package says of itself and what is in it, for people and programs.

use std::{
    collections::BTreeMap,
    io::{Read, Seek},
};

use serde::Serialize;
use serde_json::{Map, Value};
use streamspace_package::{Blob, Document, PackageError, SBOM_PATH, Target, Verified};
use streamspace_plugin::manifest::Manifest;

use super::{Dependency, LibraryFacts, MAX_SBOM_BYTES, SbomSummary, bill_of_materials};

/// The largest library that is looked into for its crates, in bytes. What is larger is listed without.
const MAX_LOOKED_INTO: u64 = 128 * 1024 * 1024;

/// A package.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The name that people read.
    pub display_name: String,
    /// What it does.
    pub description: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// Its licence.
    pub license: Option<String>,
    /// Where to read about it.
    pub homepage: Option<String>,
    /// Versions of the host that it was made for.
    pub host: Option<String>,
    /// The hash of the package, which signatures are of.
    pub hash: String,
    /// How many bytes the file has.
    pub size: u64,
    /// What it asks to be allowed.
    pub permissions: Vec<String>,
    /// Plugins that it needs, and their versions.
    pub dependencies: BTreeMap<String, String>,
    /// Plugins that it cannot be beside, and their versions.
    pub conflicts: BTreeMap<String, String>,
    /// The keys of its configuration, by their paths, and what each is.
    pub config: BTreeMap<String, ConfigKey>,
    /// What it has libraries for.
    pub targets: Vec<TargetSummary>,
    /// Its other files.
    pub files: Vec<FileSummary>,
    /// What it says it is made of.
    pub sbom: Option<SbomSummary>,
    /// The key that its vendor signs with, as it says.
    pub signing_key_id: Option<String>,
    /// The key that its vendor will sign later versions with.
    pub next_key_id: Option<String>,
    /// The signatures in it. That they are there says nothing: `package verify` looks whose they are.
    pub signatures: Vec<SignatureSummary>,
}

/// A key of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigKey {
    /// Its type, as the schema has it: `string`, `string or null`; empty if it says none.
    pub kind: String,
    /// Whether it must be set.
    pub required: bool,
    /// All that the schema says of it but for its words, as one text.
    #[serde(skip)]
    pub rules: String,
}

/// A target.
#[derive(Debug, Clone, Serialize)]
pub struct TargetSummary {
    /// What it was compiled for.
    pub triple: String,
    /// The processor that it takes; `None` for all of the triple.
    pub cpu: Option<String>,
    /// Features of the processor that the compiler was told to use.
    pub cpu_features: Vec<String>,
    /// The oldest glibc that has its symbols.
    pub glibc_min: Option<String>,
    /// The compiler.
    pub rustc: String,
    /// The version of the SDK.
    pub sdk: String,
    /// The number of the binary interface.
    pub abi: u32,
    /// Capabilities of the host that it does not load without.
    pub needs: Vec<String>,
    /// The library.
    pub library: FileSummary,
    /// The crates in the library; `None` if it does not say.
    pub crates: Option<Vec<Dependency>>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileSummary {
    /// Where it is unpacked to.
    pub path: String,
    /// How many bytes it has.
    pub size: u64,
    /// How many bytes it takes in the package.
    pub compressed_size: u64,
    /// Its hash.
    pub sha256: String,
}

/// A signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignatureSummary {
    /// The key that it says to be made with.
    pub key_id: String,
    /// What the signer says beside it.
    pub comment: String,
}

impl Summary {
    /// Reads a package: its document, manifest, bill of materials, and its libraries as far as they say what is in them.
    ///
    /// # Errors
    ///
    /// [`PackageError`] for what is damaged.
    pub fn of<S: Read + Seek>(package: &mut Verified<S>, size: u64) -> Result<Self, PackageError> {
        let document = package.document().clone();
        let manifest = package.manifest()?;
        let mut targets = Vec::new();
        for target in &document.targets {
            targets.push(of_target(package, target)?);
        }
        let sbom = match document.sbom {
            Some(_) => bill_of_materials(&package.read(SBOM_PATH, MAX_SBOM_BYTES)?).ok(),
            None => None,
        };
        let signatures = package.signatures().iter().map(|signature| SignatureSummary {
            key_id: signature.key_id().to_string(),
            comment: signature.trusted_comment().to_owned(),
        });
        let signatures = signatures.collect();
        let named = |named: &BTreeMap<_, semver::VersionReq>| {
            named
                .iter()
                .map(|(name, range): (&streamspace_plugin::manifest::PluginName, _)| {
                    (name.to_string(), range.to_string())
                })
                .collect()
        };
        let Document { name, version, display_name, description, author, license, homepage, host, .. } =
            &document;
        Ok(Self {
            name: name.to_string(),
            version: version.to_string(),
            display_name: display_name.clone(),
            description: description.clone(),
            author: author.clone(),
            license: license.clone(),
            homepage: homepage.clone(),
            host: host.as_ref().map(ToString::to_string),
            hash: package.hash().to_string(),
            size,
            permissions: document.permissions.iter().map(ToString::to_string).collect(),
            dependencies: named(&document.dependencies),
            conflicts: named(&document.conflicts),
            config: config_keys(&manifest),
            targets,
            files: document.files.iter().map(|file| of_file(&file.path, &file.blob)).collect(),
            sbom,
            signing_key_id: document.signing_key_id.map(|key| key.to_string()),
            next_key_id: document.next_key.as_ref().map(|key| key.id().to_string()),
            signatures,
        })
    }

    /// The paths of its migrations.
    pub fn migrations(&self) -> impl Iterator<Item = &FileSummary> {
        self.files.iter().filter(|file| file.path.starts_with("migrations/"))
    }
}

fn of_target<S: Read + Seek>(
    package: &mut Verified<S>,
    target: &Target,
) -> Result<TargetSummary, PackageError> {
    let blob = &target.library.blob;
    let mut crates = None;
    if blob.size <= MAX_LOOKED_INTO {
        let mut bytes = Vec::new();
        package.copy(&target.library.path, blob, &mut bytes)?;
        // What is wrong with a library is said by `package verify`.
        crates = LibraryFacts::read(&target.library.path, &bytes).ok().and_then(|facts| facts.dependencies);
    }
    Ok(TargetSummary {
        triple: target.triple.to_string(),
        cpu: target.cpu.map(|cpu| cpu.to_string()),
        cpu_features: target.cpu_features.clone(),
        glibc_min: target.glibc_min.map(|glibc| glibc.to_string()),
        rustc: target.rustc.clone(),
        sdk: target.sdk.to_string(),
        abi: target.abi.major,
        needs: target.abi.needs.iter().map(|capability| capability.id.clone()).collect(),
        library: of_file(&target.library.path, blob),
        crates,
    })
}

fn of_file(path: &str, blob: &Blob) -> FileSummary {
    FileSummary {
        path: path.to_owned(),
        size: blob.size,
        compressed_size: blob.compressed_size,
        sha256: blob.sha256.to_string(),
    }
}

/// The keys of a configuration, with those of objects and lists in it: `destinations[].name`. What stands behind references
/// and conditions is not followed.
fn config_keys(manifest: &Manifest) -> BTreeMap<String, ConfigKey> {
    let mut found = BTreeMap::new();
    if let Some(schema) = manifest.config_schema() {
        add_keys("", schema, &mut found);
    }
    found
}

fn add_keys(below: &str, schema: &Map<String, Value>, found: &mut BTreeMap<String, ConfigKey>) {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (key, value) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{below}{key}");
        let kind = match value.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            Some(Value::Array(kinds)) => {
                kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
            }
            _ => String::new(),
        };
        let required = required.contains(&key.as_str());
        found.insert(path.clone(), ConfigKey { kind, required, rules: rules(value) });
        let Some(value) = value.as_object() else { continue };
        add_keys(&format!("{path}."), value, found);
        if let Some(items) = value.get("items").and_then(Value::as_object) {
            add_keys(&format!("{path}[]."), items, found);
        }
    }
}

/// What decides about values. Keys below have entries of their own.
fn rules(schema: &Value) -> String {
    let Some(object) = schema.as_object() else { return schema.to_string() };
    let words = ["title", "description", "examples", "$comment", "properties", "required"];
    let mut kept: BTreeMap<&String, String> = BTreeMap::new();
    for (key, value) in object.iter().filter(|(key, _)| !words.contains(&key.as_str())) {
        kept.insert(key, if key == "items" { rules(value) } else { value.to_string() });
    }
    format!("{kept:?}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys(schema: Value) -> BTreeMap<String, ConfigKey> {
        let manifest = json!({
            "name": "a-plugin", "version": "1.0.0", "displayName": "A", "type": "extension", "configSchema": schema,
        });
        config_keys(&Manifest::parse(manifest.to_string().as_bytes()).expect("a manifest"))
    }

    #[test]
    fn keys_are_found_at_every_depth() {
        let found = keys(json!({
            "required": ["list"],
            "properties": {
                "url": { "type": ["string", "null"], "description": "x" },
                "list": { "type": "array", "items": { "required": ["name"], "properties": { "name": { "type": "string" } } } },
                "smtp": { "type": "object", "properties": { "host": {} } },
            },
        }));
        let shown: Vec<_> =
            found.iter().map(|(path, key)| (path.as_str(), key.kind.as_str(), key.required)).collect();
        assert_eq!(
            shown,
            [
                ("list", "array", true),
                ("list[].name", "string", true),
                ("smtp", "object", false),
                ("smtp.host", "", false),
                ("url", "string or null", false),
            ]
        );
    }

    #[test]
    fn words_are_no_rules() {
        let one = |schema: Value| keys(json!({ "properties": { "a": schema } }))["a"].rules.clone();
        assert_eq!(
            one(json!({ "type": "string", "description": "x", "default": "d" })),
            one(json!({ "default": "d", "type": "string", "title": "y" }))
        );
        assert_ne!(one(json!({ "default": "d" })), one(json!({ "default": "e" })));
        assert_eq!(
            one(json!({ "items": { "properties": { "b": {} } } })),
            one(json!({ "items": { "properties": { "c": {} } } }))
        );
    }
}
