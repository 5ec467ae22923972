//! The icon and the changelog.

use std::path::Path;

use streamspace_plugin::manifest::Manifest;

use super::{Report, exists, text};
use crate::store::read_bounded;

/// The largest icon without a warning, in bytes: lists load one for each plugin.
const LARGE_ICON: usize = 256 * 1024;
/// The most that is read of an icon, in bytes.
const MAX_ICON: u64 = 8 * 1024 * 1024;
const CHANGELOG: &str = "CHANGELOG.md";

pub(super) fn check(folder: &Path, manifest: &Manifest, report: &mut Report) {
    icon(folder, manifest.icon.as_deref(), report);
    changelog(folder, &manifest.version.to_string(), report);
}

fn icon(folder: &Path, named: Option<&str>, report: &mut Report) {
    let file = match named {
        Some(address) if address.contains("://") => {
            report.warning(
                "SSP-LNT-021",
                "manifest.json",
                "the icon is at an address: consoles without a way to the internet show none, and its owner sees who looks",
                "put the icon into the folder and name the file in `icon`",
            );
            return;
        }
        Some(file) => file,
        None => {
            report.error(
                "SSP-LNT-020",
                "manifest.json",
                "there is no icon",
                "draw `icon.svg`, put it into the folder and name it in `icon`",
            );
            return;
        }
    };
    let Ok(bytes) = read_bounded(&folder.join(file), MAX_ICON) else {
        report.error(
            "SSP-LNT-020",
            file,
            "the manifest names this icon, and it cannot be read",
            "put it there, or name another file in `icon`",
        );
        return;
    };
    let head = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
    let is_image = match file.rsplit_once('.').map(|(_, end)| end.to_lowercase()) {
        Some(end) if end == "svg" => String::from_utf8_lossy(head).contains("<svg"),
        Some(end) if end == "png" => head.starts_with(b"\x89PNG\r\n\x1a\n"),
        _ => false,
    };
    if !is_image {
        report.error("SSP-LNT-020", file, "the icon is neither SVG nor PNG", "save it as SVG or PNG");
    }
    let lower = String::from_utf8_lossy(&bytes).to_lowercase();
    if file.ends_with(".svg")
        && ["<script", "javascript:", "onload=", "<foreignobject"].iter().any(|bad| lower.contains(bad))
    {
        report.error(
            "SSP-LNT-022",
            file,
            "the icon has code in it",
            "export it as plain SVG, without scripts",
        );
    }
    if bytes.len() > LARGE_ICON {
        report.warning(
            "SSP-LNT-021",
            file,
            format!("the icon has {} bytes; lists load one for each plugin", bytes.len()),
            format!("make it smaller than {LARGE_ICON} bytes"),
        );
    }
}

fn changelog(folder: &Path, version: &str, report: &mut Report) {
    let Some(text) = text(folder, CHANGELOG) else {
        let (problem, action) = match exists(folder, CHANGELOG) {
            true => ("it is no text in UTF-8 of at most 1 MiB", "save it as UTF-8"),
            false => (
                "there is no changelog: operators cannot see what an upgrade brings",
                "write one, with a heading for each version",
            ),
        };
        report.warning("SSP-LNT-060", CHANGELOG, problem, action);
        return;
    };
    let mut headings = text.lines().filter(|line| line.starts_with('#'));
    if !headings.any(|heading| names(heading, version)) {
        report.warning(
            "SSP-LNT-061",
            CHANGELOG,
            format!("it has no heading for {version}, the version in manifest.json"),
            format!("write what is new under `## {version}`"),
        );
    }
}

/// Whether `heading` has `version` in it and not as a part of another one: 1.0.0 is not in 11.0.0 or 1.0.0-rc.1.
fn names(heading: &str, version: &str) -> bool {
    let words = heading.split(|c: char| !(c.is_ascii_alphanumeric() || ".-+".contains(c)));
    words.map(|word| word.trim_start_matches('v').trim_end_matches('.')).any(|word| word == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_names_a_version_whole() {
        for heading in ["## 1.0.0", "## [1.0.0] - 2026-01-01", "# v1.0.0", "## Version 1.0.0 (first)"] {
            assert!(names(heading, "1.0.0"), "{heading}");
        }
        for heading in ["## 11.0.0", "## 1.0.0-rc.1", "## 1.0", "## Unreleased"] {
            assert!(!names(heading, "1.0.0"), "{heading}");
        }
    }
}
