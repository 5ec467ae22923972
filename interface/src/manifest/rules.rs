//! The rules of a manifest, and the advice about one that keeps them.

use std::{fmt::Display, str::FromStr};

use semver::{Version, VersionReq};
use serde_json::{Map, Value};

use super::{Fields, Finding, Permission, PluginName, PluginType, Warning, keys, told::Told};

/// Longest `displayName`, in characters.
const DISPLAY_NAME_CHARS: usize = 100;
/// Longest `description` that catalogs show whole, in characters.
const DESCRIPTION_CHARS: usize = 200;
/// Longest path, route or file name, in bytes.
const PATH_BYTES: usize = 512;

/// The keys without which there is no manifest, with what is expected of each.
const REQUIRED: [(&str, &str); 4] = [
    ("name", "the plugin's name, such as `streamspace-slack`"),
    ("version", "a version such as `1.0.0`"),
    ("displayName", "the name people read, such as `Slack Integration`"),
    ("type", "one of extension, webhook, integration, api, ui, theme, system, cli"),
];

/// What the document breaks before it is typed: so that every fault of these keys is told, not the first alone.
pub(super) fn of_document(document: &Map<String, Value>) -> Told<Finding> {
    let mut findings = Told::nothing();
    for (key, expected) in REQUIRED {
        if !document.contains_key(key) {
            findings.add(|| Finding::new(key, format!("the required key is missing: add {expected}")));
        }
    }
    let mut text = |path: String, value: &Value, check: fn(&str) -> Result<(), String>| {
        if let Err(problem) = value.as_str().map_or(Ok(()), check) {
            findings.add(|| Finding::new(path, problem));
        }
    };
    for (key, check) in [
        ("name", parses::<PluginName> as fn(&str) -> _),
        ("version", version),
        ("type", parses::<PluginType>),
    ] {
        text(key.to_owned(), document.get(key).unwrap_or(&Value::Null), check);
    }
    for (i, value) in document.get("permissions").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        text(format!("permissions[{i}]"), value, parses::<Permission>);
    }
    for key in ["dependencies", "conflicts"] {
        for (name, range) in document.get(key).and_then(Value::as_object).into_iter().flatten() {
            text(format!("{key}.{name}"), range, version_range);
        }
    }
    findings
}

/// What a typed manifest breaks.
pub(super) fn of_fields(fields: &Fields) -> Told<Finding> {
    let mut found = Told::nothing();
    let mut rule = |path: &str, outcome: Result<(), String>| {
        if let Err(problem) = outcome {
            found.add(|| Finding::new(path, problem));
        }
    };
    rule("displayName", display_name(&fields.display_name));
    for (key, address) in [
        ("homepage", fields.homepage.as_deref()),
        ("repository", fields.repository.as_deref()),
        ("bugs", fields.bugs.as_ref().and_then(|bugs| bugs.url())),
        (
            "deprecation.migration_guide",
            fields.deprecation.as_ref().and_then(|d| d.migration_guide.as_deref()),
        ),
    ] {
        rule(key, address.map_or(Ok(()), web_address));
    }
    if let Some(icon) = &fields.icon {
        rule("icon", if icon.contains("://") { web_address(icon) } else { package_path(icon) });
    }
    for (key, path) in fields.entrypoints.iter() {
        rule(
            &format!("entrypoints.{key}"),
            if key == "library" { file_name(path) } else { package_path(path) },
        );
    }
    for (i, alias) in fields.aliases.iter().enumerate() {
        // Otherwise a name could mean one plugin today and another one tomorrow.
        let is_alone = fields.conflicts.get(alias.as_str()) == Some(&VersionReq::STAR);
        rule(&format!("aliases[{i}]"), if is_alone { Ok(()) } else { Err(beside(alias)) });
    }
    for (i, path) in fields.api.endpoints.iter().enumerate() {
        rule(&format!("api.endpoints[{i}]"), route(path));
    }
    for (i, endpoint) in fields.api_endpoints.iter().enumerate() {
        rule(&format!("apiEndpoints[{i}].path"), route(&endpoint.path));
    }
    for (list, pages) in [
        ("ui.adminPages", &fields.ui.admin_pages),
        ("ui.pages", &fields.ui.pages),
        ("ui.userPages", &fields.ui.user_pages),
        ("adminUI.pages", &fields.admin_ui.pages),
    ] {
        unique(list, "id", pages.iter().map(|page| page.id.as_str()), &mut rule);
        for (i, page) in pages.iter().enumerate() {
            rule(&format!("{list}[{i}]"), page.location().map_or(Ok(()), route));
        }
    }
    unique("ui.widgets", "id", fields.ui.widgets.iter().map(|w| w.id.as_str()), &mut rule);
    unique("ui.adminWidgets", "id", fields.ui.admin_widgets.iter().map(|w| w.id.as_str()), &mut rule);
    unique("ui.menuItems", "id", fields.ui.menu_items.iter().map(|item| item.id.as_str()), &mut rule);
    unique("adminUI.widgets", "id", fields.admin_ui.widgets.iter().map(|w| w.id.as_str()), &mut rule);
    unique("scheduler.jobs", "name", fields.scheduler.jobs.iter().map(|job| job.name.as_str()), &mut rule);
    found
}

fn beside(alias: &PluginName) -> String {
    format!("a plugin is not beside the one in whose place it is: add `{alias}` to `conflicts`, with `*`")
}

/// What a valid manifest's author may want to change.
pub(super) fn advice(document: &Map<String, Value>, fields: &Fields) -> Told<Warning> {
    let mut warnings = keys::unknown(document);
    for (key, value) in
        [("description", &fields.description), ("author", &fields.author), ("license", &fields.license)]
    {
        if value.as_deref().is_none_or(|text| text.trim().is_empty()) {
            warnings.add(|| {
                Warning::new(
                    key,
                    format!("`{key}` is missing; catalogs and operators look for it, so add it"),
                )
            });
        }
    }
    let long = fields.description.as_ref().map_or(0, |text| text.chars().count());
    if long > DESCRIPTION_CHARS {
        warnings.add(|| {
            Warning::new(
                "description",
                format!("{long} characters; catalogs cut it after {DESCRIPTION_CHARS}, so shorten it"),
            )
        });
    }
    for (i, permission) in
        fields.permissions.iter().enumerate().filter(|(_, permission)| !permission.is_known())
    {
        warnings.add(|| {
            let advice = match keys::nearest(permission.name(), Permission::plain_names()) {
                Some(near) if permission.parameter().is_none() => format!("it resembles `{near}`"),
                _ => "name permissions of your own routes `plugin.NAME`".to_owned(),
            };
            Warning::new(
                format!("permissions[{i}]"),
                format!("`{permission}` is not a known permission and grants nothing; {advice}"),
            )
        });
    }
    for (key, range) in [
        ("requirements.streamspaceVersion", &fields.requirements.streamspace_version),
        ("requirements.kubernetes", &fields.requirements.kubernetes),
        ("requirements.minimumVersion", &fields.requirements.minimum_version),
        ("requirements.maximumVersion", &fields.requirements.maximum_version),
        ("compatibility.streamspace", &fields.compatibility.as_ref().and_then(|c| c.streamspace.clone())),
    ] {
        if let Some(Err(problem)) = range.as_deref().map(version_range) {
            warnings.add(|| Warning::new(key, format!("{problem}; as written it is not checked")));
        }
    }
    for (key, named) in [("dependencies", &fields.dependencies), ("conflicts", &fields.conflicts)] {
        for name in named.keys().filter(|name| name.parse::<PluginName>().is_err()) {
            warnings.add(|| {
                Warning::new(
                    format!("{key}.{name}"),
                    format!(
                        "`{name}` is no plugin name; list plugins only: libraries are part of the plugin's binary"
                    ),
                )
            });
        }
    }
    for topic in fields.events.keys().filter(|topic| !is_topic(topic)) {
        warnings.add(|| {
            Warning::new(
                format!("events.{topic}"),
                format!(
                    "{topic:?} is no topic; expected words joined by dots such as `session.created`, `*` or a last `>`"
                ),
            )
        });
    }
    for (i, endpoint) in fields.api_endpoints.iter().enumerate() {
        if !matches!(endpoint.method.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE") {
            warnings.add(|| {
                Warning::new(
                    format!("apiEndpoints[{i}].method"),
                    format!("{:?} is not served; expected GET, POST, PUT, PATCH or DELETE", endpoint.method),
                )
            });
        }
    }
    warnings
}

fn parses<T: FromStr<Err: Display>>(text: &str) -> Result<(), String> {
    text.parse::<T>().map(drop).map_err(|e| e.to_string())
}

fn version(text: &str) -> Result<(), String> {
    Version::parse(text).map(drop).map_err(|e| {
        format!("{text:?} is not a version: {e}; expected three numbers such as `1.0.0` (semver 2.0)")
    })
}

fn version_range(text: &str) -> Result<(), String> {
    VersionReq::parse(text).map(drop).map_err(|e| {
        format!("{text:?} is not a range of versions: {e}; expected one such as `>=1.0.0`, `^2.0` or `*`")
    })
}

fn display_name(text: &str) -> Result<(), String> {
    let chars = text.chars().count();
    if text.trim().is_empty() || chars > DISPLAY_NAME_CHARS || text.chars().any(char::is_control) {
        return Err(format!(
            "expected 1 to {DISPLAY_NAME_CHARS} characters on one line, found {chars}{}",
            if text.trim().is_empty() { ", none of them visible" } else { "" }
        ));
    }
    Ok(())
}

fn web_address(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            Ok(())
        }
        _ => Err(format!("{text:?} is not an address to open in a browser: expected `https://…`")),
    }
}

fn package_path(text: &str) -> Result<(), String> {
    let outside = text.starts_with(['/', '\\']) || text.split(['/', '\\']).any(|part| part == "..");
    if text.is_empty()
        || text.len() > PATH_BYTES
        || outside
        || text.contains(|c: char| c == ':' || c.is_control())
    {
        return Err(format!(
            "{text:?} is not a file of the package: expected a relative path without `..`, {PATH_BYTES} bytes at most"
        ));
    }
    Ok(())
}

fn file_name(text: &str) -> Result<(), String> {
    if matches!(text, "" | "." | "..")
        || text.len() > 128
        || text.contains(|c: char| matches!(c, '/' | '\\' | ':') || c.is_control())
    {
        return Err(format!(
            "{text:?} is not a file name: expected the library's name without a folder, 128 bytes at most"
        ));
    }
    Ok(())
}

fn route(text: &str) -> Result<(), String> {
    let escapes = text.split(['/', '\\']).any(|part| matches!(part, "." | ".."));
    if !text.starts_with('/')
        || text.len() > PATH_BYTES
        || escapes
        || text.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err(format!(
            "{text:?} is not a route: expected a path from `/` without `.`, `..` or blanks, {PATH_BYTES} bytes at most"
        ));
    }
    Ok(())
}

fn unique<'a>(
    list: &str,
    key: &str,
    values: impl Iterator<Item = &'a str>,
    rule: &mut impl FnMut(&str, Result<(), String>),
) {
    let mut seen = std::collections::HashMap::new();
    for (i, value) in values.enumerate() {
        if value.is_empty() {
            rule(&format!("{list}[{i}].{key}"), Err("empty; give each entry a name of its own".to_owned()));
        } else if let Some(first) = seen.insert(value, i) {
            rule(
                &format!("{list}[{i}].{key}"),
                Err(format!(
                    "{value:?} is used already by {list}[{first}]; give each entry a {key} of its own"
                )),
            );
        }
    }
}

fn is_topic(topic: &str) -> bool {
    let tokens: Vec<&str> = topic.split('.').collect();
    let word =
        |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    tokens.iter().enumerate().all(|(i, t)| word(t) || *t == "*" || (*t == ">" && i + 1 == tokens.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_stay_under_their_prefix() {
        for good in ["/", "/billing/usage", "/nodes/:name/labels/:key", "/a.b/..c"] {
            assert_eq!(route(good), Ok(()), "{good}");
        }
        for bad in ["", "billing", "/../../v1/x", "/a/..", "/a\\..\\b", "/a b", "/a/./b"] {
            assert!(route(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn package_paths_stay_in_the_package() {
        for good in ["slack_plugin.go", "./index.js", "ui/main.js", "slack-icon.png"] {
            assert_eq!(package_path(good), Ok(()), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../../b", "C:\\x", "\\\\server\\x", "a\0b"] {
            assert!(package_path(bad).is_err(), "{bad}");
        }
        assert_eq!(file_name("libslack.so"), Ok(()));
        assert!(file_name("lib/slack.so").is_err());
    }

    #[test]
    fn addresses_are_for_browsers() {
        assert_eq!(web_address("https://example.com/a"), Ok(()));
        for bad in ["javascript:alert(1)", "https://", "example.com", "https://a b"] {
            assert!(web_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn topics_are_words_and_wildcards() {
        for good in ["session.created", "session.*", ">", "plugin.a-b.x_y", "session.>"] {
            assert!(is_topic(good), "{good}");
        }
        for bad in ["", "a..b", ">.a", "a b", "a.", "s*"] {
            assert!(!is_topic(bad), "{bad}");
        }
    }
}
