//! `README.md`: what an operator needs is in it.

use std::path::Path;

use streamspace_plugin::manifest::Manifest;

use super::{Report, exists, is_configurable, text};

const FILE: &str = "README.md";

/// A part of a text under a heading.
struct Section<'a> {
    depth: usize,
    heading: String,
    lines: Vec<&'a str>,
}

pub(super) fn check(folder: &Path, manifest: &Manifest, report: &mut Report) {
    let Some(text) = text(folder, FILE) else {
        let (problem, action) = match exists(folder, FILE) {
            true => ("it is no text in UTF-8 of at most 1 MiB", "save it as UTF-8"),
            false => (
                "there is no README",
                "write one, with the sections installation, configuration, permissions, troubleshooting",
            ),
        };
        report.error("SSP-LNT-010", FILE, problem, action);
        return;
    };
    let sections = sections(&text);
    let configurable = is_configurable(manifest);
    for (word, name, is_needed, what) in [
        ("install", "Installation", true, "how an operator gets from the package to a plugin that runs"),
        ("configur", "Configuration", configurable, "each key, its default and its meaning"),
        ("permission", "Permissions", !manifest.permissions.is_empty(), "what each permission is for"),
        ("troubleshoot", "Troubleshooting", true, "what goes wrong, how it shows, and what to do"),
    ] {
        if is_needed && !sections.iter().any(|section| section.heading.contains(word)) {
            report.error(
                "SSP-LNT-011",
                FILE,
                format!("there is no section `{name}`"),
                format!("add the heading `## {name}` with {what}"),
            );
        }
    }
    permissions(&sections, manifest, report);
    if configurable {
        keys(&text, manifest, report);
    }
}

fn permissions(sections: &[Section<'_>], manifest: &Manifest, report: &mut Report) {
    let explained = below(sections, "permission");
    if explained.is_empty() {
        // There is no such section, which has been said.
        return;
    }
    for permission in &manifest.permissions {
        if !explained.iter().any(|line| has_word(line, permission.as_str())) {
            report.error(
                "SSP-LNT-012",
                FILE,
                format!("the permission `{permission}` is not explained under `Permissions`"),
                "say there, by its name, what the plugin does with it",
            );
        }
    }
}

fn keys(text: &str, manifest: &Manifest, report: &mut Report) {
    let properties = manifest.config_schema().and_then(|schema| schema.get("properties")?.as_object());
    for key in properties.into_iter().flat_map(|properties| properties.keys()) {
        if !text.lines().any(|line| has_word(line, key)) {
            report.warning(
                "SSP-LNT-013",
                FILE,
                format!("the configuration's key `{key}` is not in it"),
                "say under `Configuration` what it does and what its default is",
            );
        }
    }
}

/// The text's parts, by its headings. What is in a block of code is no heading.
fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut fence = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        let depth = line.bytes().take_while(|byte| *byte == b'#').count();
        if fence.is_none() && (1..=6).contains(&depth) && line[depth..].starts_with(' ') {
            sections.push(Section { depth, heading: line[depth..].trim().to_lowercase(), lines: Vec::new() });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        }
    }
    sections
}

/// The lines of the sections whose headings have `word`, with those of the sections in them.
fn below<'a>(sections: &[Section<'a>], word: &str) -> Vec<&'a str> {
    let mut lines = Vec::new();
    let mut within = None;
    for section in sections {
        if within.is_some_and(|depth| section.depth <= depth) {
            within = None;
        }
        if within.is_none() && section.heading.contains(word) {
            within = Some(section.depth);
        }
        if within.is_some() {
            lines.extend(&section.lines);
        }
    }
    lines
}

/// Whether `word` stands in `line` by itself: `network` is not in `network:example.com`.
fn has_word(line: &str, word: &str) -> bool {
    let inner = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "_-:*".contains(c));
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        // A full stop ends a sentence, unless something follows it.
        let goes_on = after.strip_prefix('.').is_some_and(|rest| inner(rest.chars().next()));
        !inner(before.chars().next_back())
            && !before.ends_with('.')
            && !inner(after.chars().next())
            && !goes_on
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn findings(readme: &str) -> Vec<(&'static str, String)> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), readme).expect("a file");
        let manifest = json!({
            "name": "a-plugin", "version": "1.0.0", "displayName": "A", "type": "extension",
            "permissions": ["database", "network:api.example.com"],
            "configSchema": { "properties": { "rateLimit": { "type": "number" } } },
        });
        let manifest = Manifest::parse(manifest.to_string().as_bytes()).expect("a manifest");
        let mut report = Report::default();
        check(folder.path(), &manifest, &mut report);
        report.findings.into_iter().map(|finding| (finding.code, finding.problem)).collect()
    }

    const WHOLE: &str = "# A\n## Installing\nx\n## Configuration\n`rateLimit`: x\n## Permissions\n### All\n\
        - `database`: x\n- network:api.example.com.\n## Troubleshooting\nx\n";

    #[test]
    fn one_with_everything_has_no_findings() {
        assert_eq!(findings(WHOLE), []);
    }

    #[test]
    fn each_section_is_looked_for() {
        for heading in ["## Installing", "## Configuration", "## Permissions", "## Troubleshooting"] {
            let without = WHOLE.replace(heading, "## Other");
            let found = findings(&without);
            assert_eq!(
                found.iter().filter(|(code, _)| *code == "SSP-LNT-011").count(),
                1,
                "{heading}: {found:?}"
            );
            let in_code = WHOLE.replace(heading, &format!("```sh\n{heading}\n```"));
            assert!(findings(&in_code).iter().any(|(code, _)| *code == "SSP-LNT-011"), "{heading} in code");
        }
    }

    #[test]
    fn a_permission_is_explained_by_its_own_name_in_its_section() {
        let elsewhere =
            WHOLE.replace("- `database`: x\n", "").replace("# A\n", "# A\nIt keeps a database.\n");
        assert_eq!(findings(&elsewhere).len(), 1, "{:?}", findings(&elsewhere));
        let another = WHOLE.replace("network:api.example.com.", "network:api.example.com.evil.org");
        assert_eq!(findings(&another)[0].0, "SSP-LNT-012");
    }

    #[test]
    fn a_key_that_is_not_there_is_a_warning() {
        assert_eq!(findings(&WHOLE.replace("`rateLimit`", "`rateLimits`"))[0].0, "SSP-LNT-013");
    }
}
