//! What a catalogue offers: `index.json`. `docs/catalogue-format.md` defines it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use semver::{Version, VersionReq};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use streamspace_package::{ContentHash, CpuLevel, Glibc, KeyId, PublicKey, Triple};
use streamspace_plugin::manifest::PluginName;

/// The file, in the catalogue's folder.
pub const INDEX: &str = "index.json";
/// Its signatures, beside it.
pub const SIGNATURE: &str = "index.minisig";
/// The largest index, in bytes.
pub const MAX_INDEX_BYTES: u64 = 16 * 1024 * 1024;
/// The largest file of signatures, in bytes: eight signatures of four lines.
pub const MAX_SIGNATURE_BYTES: u64 = 32 * 1024;
/// The form of this document.
pub const SCHEMA: u32 = 1;

const MAX_PLUGINS: usize = 20_000;
const MAX_VERSIONS: usize = 1000;
const MAX_LIST: usize = 256;
const MAX_WORD: usize = 256;
const MAX_DESCRIPTION: usize = 4096;
const MAX_CHANGELOG: usize = 64 * 1024;
const MAX_PATH: usize = 512;

/// `index.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The catalogue's name.
    pub name: CatalogueName,
    /// Higher with each index. A host refuses one that is lower than what it has seen.
    pub version: u64,
    /// When it was made.
    pub issued_at: Moment,
    /// From when on it is not to be believed any more.
    pub expires: Moment,
    /// A key that later indexes may be signed with: that this index names it is its introduction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_key: Option<PublicKey>,
    /// What is not to be installed any more.
    #[serde(default, skip_serializing_if = "Revoked::is_empty")]
    pub revoked: Revoked,
    /// The plugins, each once.
    pub plugins: Vec<Listing>,
}

/// What is not to be installed any more, by whomever it is offered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// Ids of keys, with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<KeyId, String>,
    /// Hashes of packages (SHA-256 of `package.json`), with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<ContentHash, String>,
}

impl Revoked {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.packages.is_empty()
    }
}

/// A plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Its name.
    pub name: PluginName,
    /// Its name for people.
    pub display_name: String,
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Its licence, an SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// A heading.
    #[serde(default)]
    pub category: String,
    /// Words to search for.
    #[serde(default)]
    pub tags: Vec<String>,
    /// `extension`, `webhook`, `integration`, `theme`, or another word.
    #[serde(rename = "type")]
    pub kind: String,
    /// An image in the catalogue's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<PackagePath>,
    /// Its versions, each once.
    pub versions: Vec<Release>,
}

/// A version of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The version.
    pub version: Version,
    /// Its package; absent in what was imported and has no native code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageFile>,
    /// What it runs on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<ReleaseTarget>,
    /// The plugins that it needs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dependencies: BTreeMap<PluginName, VersionReq>,
    /// The plugins that it cannot be beside.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conflicts: BTreeMap<PluginName, VersionReq>,
    /// What it asks to be allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
    /// When it came out.
    pub released_at: Moment,
    /// What is new in it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub changelog: String,
    /// Why it was withdrawn: it is installed nowhere anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked: Option<String>,
}

/// A package in a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageFile {
    /// Where it is, from the catalogue's folder.
    pub path: PackagePath,
    /// SHA-256 of the file.
    pub sha256: ContentHash,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of its `package.json`, by which packages are revoked and locked: signatures beside it do not change it.
    pub package: ContentHash,
}

/// What a version runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseTarget {
    /// The target triple.
    pub triple: Triple,
    /// The least level of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuLevel>,
    /// The oldest glibc.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glibc_min: Option<Glibc>,
}

/// A catalogue's name: as a plugin's, 2 to 64 lower-case letters, digits and hyphens, a letter first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct CatalogueName(String);

impl CatalogueName {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CatalogueName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_one = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && (2..=64).contains(&text.len());
        if !is_one {
            return Err(
                "expected a catalogue's name: 2 to 64 lower-case letters, digits and hyphens, a letter first",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for CatalogueName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for CatalogueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file below the catalogue's folder: it leads nowhere else, be it in a folder or in a URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct PackagePath(String);

impl PackagePath {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PackagePath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
        let is_segment =
            |segment: &str| !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(plain);
        if text.len() > MAX_PATH || !text.split('/').all(is_segment) {
            return Err(
                "expected a path below the catalogue's folder: letters, digits, `.`, `_`, `+`, `-`, with `/` between, and no part that begins with a dot",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for PackagePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A moment, as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(jiff::Timestamp);

impl Moment {
    /// At these microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn at_us(us: u64) -> Self {
        let time = i64::try_from(us).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
        Self(time.unwrap_or(jiff::Timestamp::MAX))
    }

    /// Microseconds since 1970-01-01 UTC; 0 for what is before.
    #[must_use]
    pub fn us(self) -> u64 {
        u64::try_from(self.0.as_microsecond()).unwrap_or(0)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = "expected a time as in RFC 3339, such as 2026-11-26T12:00:00Z";
        text.parse().map(Self).map_err(|_| de::Error::custom(expected))
    }
}

/// Why a document is no index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It is of another form.
    #[error("its schema is {found}, and this host reads {SCHEMA}: use a newer host")]
    Schema {
        /// The schema that it has.
        found: u64,
    },
    /// It breaks a rule.
    #[error("at `{at}`: {problem}")]
    Invalid {
        /// Where.
        at: String,
        /// What was expected and found.
        problem: String,
    },
}

impl Index {
    /// Reads an index whose signature was verified.
    ///
    /// # Errors
    ///
    /// [`IndexError`] for the first rule that it breaks.
    pub fn parse(bytes: &[u8]) -> Result<Self, IndexError> {
        #[derive(Deserialize)]
        struct Form {
            schema: Option<u64>,
        }
        if let Ok(Form { schema: Some(found) }) = serde_json::from_slice(bytes)
            && found != u64::from(SCHEMA)
        {
            return Err(IndexError::Schema { found });
        }
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let index: Self = serde_path_to_error::deserialize(&mut json).map_err(|why| IndexError::Invalid {
            at: why.path().to_string(),
            problem: why.into_inner().to_string(),
        })?;
        json.end()
            .map_err(|why| IndexError::Invalid { at: "the end".to_owned(), problem: why.to_string() })?;
        index.check()?;
        Ok(index)
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("its keys are texts");
        bytes.push(b'\n');
        bytes
    }

    /// Holds the index against the rules that its types do not say.
    ///
    /// # Errors
    ///
    /// [`IndexError::Invalid`].
    pub fn check(&self) -> Result<(), IndexError> {
        at_most("plugins", self.plugins.len(), MAX_PLUGINS)?;
        let mut names = BTreeSet::new();
        for listing in &self.plugins {
            if !names.insert(&listing.name) {
                return Err(invalid(&listing.name, "this plugin is there twice"));
            }
            listing.check()?;
        }
        for reason in self.revoked.keys.values().chain(self.revoked.packages.values()) {
            text("revoked", reason, MAX_DESCRIPTION)?;
        }
        Ok(())
    }
}

impl Listing {
    fn check(&self) -> Result<(), IndexError> {
        let name = self.name.as_str();
        for (what, value, most) in [
            ("display_name", Some(&self.display_name), MAX_WORD),
            ("description", Some(&self.description), MAX_DESCRIPTION),
            ("author", self.author.as_ref(), MAX_WORD),
            ("license", self.license.as_ref(), MAX_WORD),
            ("homepage", self.homepage.as_ref(), MAX_DESCRIPTION),
            ("category", Some(&self.category), MAX_WORD),
            ("type", Some(&self.kind), MAX_WORD),
        ] {
            if let Some(value) = value {
                text(&format!("{name}.{what}"), value, most)?;
            }
        }
        if self.display_name.trim().is_empty() {
            return Err(invalid(name, "`display_name` is empty"));
        }
        let is_web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        if self.homepage.as_ref().is_some_and(|url| !is_web(url)) {
            return Err(invalid(name, "`homepage`: expected an address with http:// or https://"));
        }
        at_most(&format!("{name}.tags"), self.tags.len(), MAX_LIST)?;
        self.tags.iter().try_for_each(|tag| text(&format!("{name}.tags"), tag, MAX_WORD))?;
        at_most(&format!("{name}.versions"), self.versions.len(), MAX_VERSIONS)?;
        let mut versions = BTreeSet::new();
        for release in &self.versions {
            // Two that differ in what was built alone are one version to whoever asks for it.
            let version = Version { build: semver::BuildMetadata::EMPTY, ..release.version.clone() };
            if !versions.insert(version) {
                return Err(invalid(name, &format!("version {} is there twice", release.version)));
            }
            release.check(&format!("{name} {}", release.version))?;
        }
        Ok(())
    }

    /// Its versions, the newest first.
    #[must_use]
    pub fn newest_first(&self) -> Vec<&Release> {
        let mut all: Vec<&Release> = self.versions.iter().collect();
        all.sort_by(|one, other| other.version.cmp(&one.version));
        all
    }

    /// The version that a listing is about: the newest that is neither withdrawn nor a pre-release, else the newest.
    #[must_use]
    pub fn shown(&self) -> Option<&Release> {
        let all = self.newest_first();
        let settled = |release: &&&Release| release.yanked.is_none() && release.version.pre.is_empty();
        all.iter().find(settled).or_else(|| all.first()).copied()
    }
}

impl Release {
    fn check(&self, at: &str) -> Result<(), IndexError> {
        at_most(&format!("{at}: targets"), self.targets.len(), MAX_LIST)?;
        at_most(&format!("{at}: dependencies"), self.dependencies.len(), MAX_LIST)?;
        at_most(&format!("{at}: conflicts"), self.conflicts.len(), MAX_LIST)?;
        at_most(&format!("{at}: permissions"), self.permissions.len(), MAX_LIST)?;
        self.permissions.iter().try_for_each(|one| text(&format!("{at}: permissions"), one, MAX_WORD))?;
        text(&format!("{at}: changelog"), &self.changelog, MAX_CHANGELOG)?;
        text(&format!("{at}: yanked"), self.yanked.as_deref().unwrap_or_default(), MAX_DESCRIPTION)?;
        if self.package.is_some() && self.targets.is_empty() {
            return Err(invalid(at, "it has a package and no target"));
        }
        Ok(())
    }
}

fn invalid(at: impl fmt::Display, problem: &str) -> IndexError {
    IndexError::Invalid { at: at.to_string(), problem: problem.to_owned() }
}

fn at_most(at: &str, found: usize, most: usize) -> Result<(), IndexError> {
    if found <= most {
        return Ok(());
    }
    Err(invalid(at, &format!("expected at most {most}, found {found}")))
}

/// A text that is shown: within bounds, and without what would steer a terminal.
fn text(at: &str, value: &str, most: usize) -> Result<(), IndexError> {
    if value.len() > most {
        return Err(invalid(at, &format!("expected at most {most} bytes, found {}", value.len())));
    }
    if value.chars().any(|char| char.is_control() && char != '\n' && char != '\t') {
        return Err(invalid(at, "control characters are not allowed"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn whole() -> Value {
        json!({
            "schema": 1, "name": "example", "version": 3,
            "issued_at": "2026-11-26T12:00:00Z", "expires": "2027-11-26T12:00:00Z",
            "revoked": {"keys": {"E7620F1842B4E81F": "lost"}, "packages": {"0".repeat(64): "harmful"}},
            "plugins": [{
                "name": "streamspace-slack", "display_name": "Slack", "type": "webhook", "tags": ["chat"],
                "versions": [{
                    "version": "1.2.0",
                    "package": {"path": "packages/streamspace-slack-1.2.0.sspkg", "sha256": "1".repeat(64),
                        "size": 10, "package": "2".repeat(64)},
                    "targets": [{"triple": "x86_64-unknown-linux-gnu", "glibc_min": "2.28"}],
                    "dependencies": {"base-plugin": "^1.2"}, "conflicts": {"other-plugin": "*"},
                    "permissions": ["network"], "released_at": "2026-11-26T12:00:00Z", "changelog": "New.\n",
                }],
            }],
        })
    }

    fn parse(document: &Value) -> Result<Index, IndexError> {
        Index::parse(document.to_string().as_bytes())
    }

    #[test]
    fn an_index_is_read_and_written() {
        let index = parse(&whole()).expect("an index");
        assert_eq!(Index::parse(&index.to_bytes()).expect("the same"), index);
    }

    #[test]
    fn what_breaks_a_rule_is_refused_with_its_place() {
        type Change = fn(&mut Value);
        let cases: &[(Change, &str)] = &[
            (|index| index["schema"] = json!(2), "its schema is 2"),
            (|index| index["extra"] = json!(1), "unknown field `extra`"),
            (|index| index["version"] = json!(-1), "version"),
            (|index| index["name"] = json!("../x"), "a catalogue's name"),
            (|index| index["expires"] = json!("tomorrow"), "RFC 3339"),
            (|index| index["plugins"][0]["name"] = json!("../../etc"), "plugins[0].name"),
            (|index| index["plugins"][0]["display_name"] = json!("\u{1b}[2J"), "control characters"),
            (|index| index["plugins"][0]["homepage"] = json!("javascript:alert(1)"), "homepage"),
            (
                |index| index["plugins"][0]["versions"][0]["package"]["path"] = json!("../x.sspkg"),
                "a path below",
            ),
            (
                |index| index["plugins"][0]["versions"][0]["package"]["path"] = json!("/x.sspkg"),
                "a path below",
            ),
            (
                |index| index["plugins"][0]["versions"][0]["package"]["path"] = json!("http://x/y"),
                "a path below",
            ),
            (|index| index["plugins"][0]["versions"][0]["package"]["path"] = json!("a?b"), "a path below"),
            (|index| index["plugins"][0]["versions"][0]["package"]["sha256"] = json!("xyz"), "SHA-256"),
            (|index| index["plugins"][0]["versions"][0]["targets"] = json!([]), "no target"),
            (
                |index| index["plugins"][0]["versions"][0]["changelog"] = json!("x".repeat(70_000)),
                "at most 65536",
            ),
            (
                |index| {
                    let twice = index["plugins"][0].clone();
                    index["plugins"].as_array_mut().expect("a list").push(twice);
                },
                "this plugin is there twice",
            ),
            (
                |index| {
                    let mut twice = index["plugins"][0]["versions"][0].clone();
                    twice["version"] = json!("1.2.0+build");
                    index["plugins"][0]["versions"].as_array_mut().expect("a list").push(twice);
                },
                "1.2.0+build is there twice",
            ),
        ];
        for (change, expected) in cases {
            let mut document = whole();
            change(&mut document);
            let why = parse(&document).expect_err(expected).to_string();
            assert!(why.contains(expected), "expected {expected}, found {why}");
        }
    }

    #[test]
    fn a_listing_is_about_its_newest_settled_version() {
        let mut document = whole();
        let versions = document["plugins"][0]["versions"].as_array_mut().expect("a list");
        for (version, yanked) in [("1.3.0", json!("broken")), ("2.0.0-rc.1", json!(null))] {
            let mut release = versions[0].clone();
            release["version"] = json!(version);
            release["yanked"] = yanked;
            versions.push(release);
        }
        let index = parse(&document).expect("an index");
        assert_eq!(
            index.plugins[0].shown().map(|release| release.version.to_string()),
            Some("1.2.0".to_owned())
        );
    }
}
