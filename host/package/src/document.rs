//! `package.json`: what is signed.

use std::collections::{BTreeMap, BTreeSet};

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use streamspace_plugin::{
    CapabilityFacts, Facts,
    manifest::{Manifest, Permission, PluginName},
};

use crate::{ContentHash, CpuLevel, Glibc, KeyId, Machine, PackageError, PublicKey, Triple, json, rules};

/// The schema that this version writes and reads.
pub const SCHEMA: u32 = 1;

/// The JSON Schema of `package.json`.
pub const JSON_SCHEMA: &str = include_str!("schema.json");

/// What a package says of itself: `package.json`.
///
/// One that was [parsed](Self::parse) keeps every rule of `docs/package-format.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an object")]
#[non_exhaustive]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The plugin's name.
    pub name: PluginName,
    /// The plugin's version.
    pub version: Version,
    /// The name that people read, 1 to 100 characters.
    pub display_name: String,
    /// What it does, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A person or company, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// An SPDX expression, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// An http or https address, at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Versions of the host that it was made for. Advice: what decides is each target's `abi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<VersionReq>,
    /// What it asks to be allowed, as the manifest has it; at most 256, none twice.
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// Plugins that it needs, with the versions that will do; at most 256.
    #[serde(default)]
    pub dependencies: BTreeMap<PluginName, VersionReq>,
    /// Plugins that it cannot be beside, with the versions; at most 256.
    #[serde(default)]
    pub conflicts: BTreeMap<PluginName, VersionReq>,
    /// The author's `manifest.json`.
    pub manifest: Blob,
    /// What it has libraries for: 1 to 64, in the order of triple and level, each pair once.
    pub targets: Vec<Target>,
    /// Its other files, in the order of their paths; at most 4000.
    #[serde(default)]
    pub files: Vec<PackedFile>,
    /// What it is made of: CycloneDX as JSON. Unpacked as [`SBOM_PATH`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom: Option<Blob>,
    /// The key that its vendor signs it with. Others may sign it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key_id: Option<KeyId>,
    /// The key that its vendor will sign later versions with. What the old key says of the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_key: Option<PublicKey>,
    /// Keys that begin with `x-`: whatever the vendor likes. Kept, and never looked at.
    #[serde(flatten)]
    pub extensions: Extensions,
}

/// Keys that begin with `x-`, and their values.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Extensions(pub Map<String, Value>);

/// A file in the package: where its bytes are, and what they must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with sha256, size, compressed_sha256, compressed_size")]
pub struct Blob {
    /// The hash of its bytes, which names its entry: `payload/SHA256.zst`.
    pub sha256: ContentHash,
    /// How many bytes it has, at most 512 MiB.
    pub size: u64,
    /// The hash of the entry's bytes.
    pub compressed_sha256: ContentHash,
    /// How many bytes the entry has.
    pub compressed_size: u64,
}

/// A file with its path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with path and blob")]
pub struct PackedFile {
    /// Below the plugin's folder: `ui/panel.js`. At most 200 bytes and 8 segments with `/` between them, each of 1 to 100
    /// letters, digits, `-`, `_` and `.`, which is not the first nor the last.
    pub path: String,
    /// Its bytes.
    pub blob: Blob,
}

/// A library, and what it was built for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[non_exhaustive]
pub struct Target {
    /// What it was compiled for.
    pub triple: Triple,
    /// The processor that it takes; every one of the triple without it. Only with a triple of `x86_64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuLevel>,
    /// The features of the processor that the compiler was told to use, as Rust calls them; at most 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpu_features: Vec<String>,
    /// The oldest glibc that has all its symbols. Only with a triple of glibc.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glibc_min: Option<Glibc>,
    /// What `rustc --version` printed.
    pub rustc: String,
    /// Its panic strategy: `unwind`.
    pub panic: String,
    /// The version of the SDK.
    pub sdk: Version,
    /// What it knows of the binary interface.
    pub abi: Abi,
    /// The library: a name without a folder, which ends with `.so`, `.dylib` or `.dll`.
    pub library: PackedFile,
}

/// What a library knows of the binary interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[non_exhaustive]
pub struct Abi {
    /// The number of the interface.
    pub major: u32,
    /// Capabilities of the host that it does not load without; at most 100.
    #[serde(default)]
    pub needs: Vec<Capability>,
    /// Capabilities of the host that it uses if they are there; at most 100.
    #[serde(default)]
    pub uses: Vec<Capability>,
    /// Capabilities that it offers to the host; at most 100.
    #[serde(default)]
    pub offers: Vec<Capability>,
}

/// A capability, as a library knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with id, since, layout")]
pub struct Capability {
    /// Its id: `events/1`.
    pub id: String,
    /// The first version of the host that has it.
    pub since: String,
    /// The hashes of its functions: eight hexadecimal digits each, in the order of the table.
    pub layout: String,
}

impl From<&CapabilityFacts> for Capability {
    fn from(facts: &CapabilityFacts) -> Self {
        let CapabilityFacts { id, since, layout } = facts;
        Self { id: id.to_string(), since: since.to_string(), layout: layout.to_string() }
    }
}

impl Abi {
    /// What the note of a library says.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let all = |facts: &[CapabilityFacts]| facts.iter().map(Capability::from).collect();
        Self {
            major: facts.abi,
            needs: all(&facts.needs),
            uses: all(&facts.uses),
            offers: all(&facts.offers),
        }
    }
}

/// Where the author's manifest is unpacked.
pub const MANIFEST_PATH: &str = "manifest.json";
/// Where the list of what it is made of is unpacked.
pub const SBOM_PATH: &str = "sbom.cdx.json";

impl Blob {
    /// The name of its entry.
    #[must_use]
    pub fn entry(&self) -> String {
        format!("payload/{}.zst", self.sha256)
    }
}

impl Target {
    /// Why it does not run on a machine, if so.
    #[must_use]
    pub fn misfit(&self, machine: &Machine) -> Option<String> {
        if self.triple != machine.triple {
            return Some(format!("it is for {}", self.triple));
        }
        match (self.cpu, machine.cpu) {
            (Some(wanted), Some(found)) if found < wanted => {
                return Some(format!("it needs a processor of {wanted}"));
            }
            _ => {}
        }
        match (self.glibc_min, machine.glibc) {
            (Some(wanted), Some(found)) if found < wanted => Some(format!("it needs glibc {wanted}")),
            _ => None,
        }
    }
}

impl Document {
    /// Reads `package.json`.
    ///
    /// # Errors
    ///
    /// [`PackageError::Schema`] for another schema, [`PackageError::Document`] for the first rule that it breaks.
    pub fn parse(bytes: &[u8]) -> Result<Self, PackageError> {
        let document: Self = json::parse(bytes, SCHEMA)?;
        rules::check(&document)?;
        Ok(document)
    }

    /// The bytes that [`Builder`](crate::Builder) writes: in this order of keys, indented by two blanks, with a line feed.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("its keys are texts");
        bytes.push(b'\n');
        bytes
    }

    /// What is signed beside it when it is signed here: for people who look at a signature.
    #[must_use]
    pub fn signature_comment(&self) -> String {
        format!("file:package.json\tplugin:{}\tversion:{}", self.name, self.version)
    }

    /// The best target for a machine: of those that fit, the one for the highest level of the processor.
    ///
    /// # Errors
    ///
    /// [`PackageError::NoTarget`] lists the targets that there are.
    pub fn target_for(&self, machine: &Machine) -> Result<&Target, PackageError> {
        let fitting = self.targets.iter().filter(|target| target.misfit(machine).is_none());
        fitting.max_by_key(|target| target.cpu).ok_or_else(|| PackageError::NoTarget {
            machine: machine.to_string(),
            offered: self
                .targets
                .iter()
                .map(|target| {
                    let level = target.cpu.map_or_else(String::new, |cpu| format!(" ({cpu})"));
                    match target.misfit(machine) {
                        Some(why) if target.triple == machine.triple => {
                            format!("{}{level}: {why}", target.triple)
                        }
                        _ => format!("{}{level}", target.triple),
                    }
                })
                .collect(),
        })
    }

    /// Every file that the package unpacks to for one target: path and blob. The manifest is first, the library second.
    pub fn unpacked<'a>(&'a self, target: &'a Target) -> impl Iterator<Item = (&'a str, &'a Blob)> {
        let first = [(MANIFEST_PATH, &self.manifest), (target.library.path.as_str(), &target.library.blob)];
        let sbom = self.sbom.as_ref().map(|blob| (SBOM_PATH, blob));
        first.into_iter().chain(self.files.iter().map(|file| (file.path.as_str(), &file.blob))).chain(sbom)
    }

    /// The blob of a path: of the manifest, the list of what it is made of, or one of the files. Not of a library.
    #[must_use]
    pub fn blob(&self, path: &str) -> Option<&Blob> {
        match path {
            MANIFEST_PATH => Some(&self.manifest),
            SBOM_PATH => self.sbom.as_ref(),
            _ => self.files.iter().find(|file| file.path == path).map(|file| &file.blob),
        }
    }

    /// Every blob once, in the order of the entries.
    pub(crate) fn blobs(&self) -> Vec<Blob> {
        let libraries = self.targets.iter().map(|target| &target.library.blob);
        let files = self.files.iter().map(|file| &file.blob);
        let all = [&self.manifest].into_iter().chain(libraries).chain(files).chain(&self.sbom);
        let mut seen = BTreeSet::new();
        let mut once: Vec<Blob> = all.filter(|blob| seen.insert(blob.sha256)).copied().collect();
        once.sort_by_key(|blob| blob.sha256);
        once
    }

    /// Checks that the author's manifest says the same as this document.
    ///
    /// # Errors
    ///
    /// [`PackageError::Disagrees`] names the field.
    pub fn check_manifest(&self, manifest: &Manifest) -> Result<(), PackageError> {
        rules::agrees(self, manifest)
    }

    /// Checks that a library's note says the same as this document and one of its targets. To be done before the library
    /// is loaded.
    ///
    /// # Errors
    ///
    /// [`PackageError::Disagrees`] names the field.
    pub fn check_library(&self, target: &Target, facts: &Facts) -> Result<(), PackageError> {
        let differs = |field, expected: String, found: String| {
            Err(PackageError::Disagrees { file: target.library.path.clone(), field, expected, found })
        };
        let texts = [
            ("the plugin's name", self.name.to_string(), &facts.name),
            ("the plugin's version", self.version.to_string(), &facts.version),
            ("the target", target.triple.to_string(), &facts.target),
            ("the compiler", target.rustc.clone(), &facts.rustc),
            ("the panic strategy", target.panic.clone(), &facts.panic),
            ("the SDK", target.sdk.to_string(), &facts.sdk),
        ];
        for (field, expected, found) in texts {
            if expected != *found {
                return differs(field, expected, found.to_string());
            }
        }
        if target.cpu_features != facts.cpu {
            return differs("the processor's features", target.cpu_features.join(","), facts.cpu.join(","));
        }
        let abi = Abi::of(facts);
        if target.abi != abi {
            return differs("the interface", brief(&target.abi), brief(&abi));
        }
        Ok(())
    }
}

/// The ids and layouts of capabilities, for a sentence.
fn brief(abi: &Abi) -> String {
    let all = abi.needs.iter().chain(&abi.uses).chain(&abi.offers);
    let ids: Vec<String> = all.map(|capability| format!("{} {}", capability.id, capability.layout)).collect();
    format!("{}: {}", abi.major, ids.join(", "))
}
