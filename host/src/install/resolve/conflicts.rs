//! Plugins that cannot be beside each other.

use std::collections::BTreeMap;

use semver::{Version, VersionReq};

use super::{
    Present,
    ranges::{self, Choice},
};

/// Two plugins that would be beside each other although one of them says that it cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// The one that says so.
    pub plugin: String,
    /// Its version.
    pub version: Version,
    /// What it says.
    pub range: VersionReq,
    /// The other one.
    pub other: String,
    /// Its version.
    pub found: Version,
}

/// Two plugins that cannot be beside each other when all are as in `after`. What has come about `before` stands in nobody's
/// way.
#[must_use]
pub fn clash(before: &BTreeMap<String, Present>, after: &BTreeMap<String, Present>) -> Option<Clash> {
    for (plugin, present) in after {
        let is_as_before = before.get(plugin).is_some_and(|before| {
            (&before.version, &before.conflicts) == (&present.version, &present.conflicts)
        });
        for (other, range) in &present.conflicts {
            let Some(found) = after.get(other).filter(|_| other != plugin) else { continue };
            if is_in(range, &found.version) && !(is_as_before && is_there(before, other, range)) {
                return Some(Clash {
                    plugin: plugin.clone(),
                    version: present.version.clone(),
                    range: range.clone(),
                    other: other.clone(),
                    found: found.version.clone(),
                });
            }
        }
    }
    None
}

/// Whether a plugin is there in one of these versions.
pub(super) fn is_there(installed: &BTreeMap<String, Present>, name: &str, range: &VersionReq) -> bool {
    installed.get(name).is_some_and(|present| is_in(range, &present.version))
}

/// Whether a version is one of these. Pre-releases are, other than where one looks for what to install: one is there as well
/// as any other version.
pub(super) fn is_in(range: &VersionReq, version: &Version) -> bool {
    ranges::meeting(range).contains(&Choice::Version(version.clone()))
}
