//! The bill of materials of a package: CycloneDX as JSON, <https://cyclonedx.org/docs/1.5/json/>.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Dependency, PackagingError};

/// The largest one that is packed, in bytes.
pub const MAX_SBOM_BYTES: u64 = 8 * 1024 * 1024;

/// What is said of a bill of materials in a few words.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SbomSummary {
    /// The version of CycloneDX: `1.5`.
    pub spec_version: String,
    /// How many components it has.
    pub components: usize,
}

/// Writes the bill of materials of a plugin, from the lists in its libraries. The same lists give the same bytes: there is
/// neither a time nor a serial number in it.
#[must_use]
pub fn sbom(name: &str, version: &str, libraries: &[Vec<Dependency>]) -> Vec<u8> {
    let mut components = BTreeMap::new();
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let own = format!("{name}@{version}");
    for library in libraries {
        for crate_ in library {
            let needed = crate_.needs.iter().filter_map(|at| library.get(*at)).map(reference);
            if crate_.root {
                needs.entry(own.clone()).or_default().extend(needed);
                continue;
            }
            needs.entry(reference(crate_)).or_default().extend(needed);
            // What one library has in it is in the package, whatever another one only was built with.
            let component = components.entry(reference(crate_)).or_insert_with(|| (crate_, true));
            component.1 &= crate_.build_only;
        }
    }
    let listed: Vec<Value> = components
        .into_iter()
        .map(|(reference, (crate_, build_only))| component(&reference, crate_, build_only))
        .collect();
    let needs: Vec<Value> = needs
        .into_iter()
        .map(|(reference, needed)| json!({ "ref": reference, "dependsOn": needed }))
        .collect();
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "tools": { "components": [
                { "type": "application", "name": "streamspace", "version": env!("CARGO_PKG_VERSION") },
            ] },
            "component": { "type": "library", "bom-ref": own, "name": name, "version": version },
        },
        "components": listed,
        "dependencies": needs,
    });
    format!("{document:#}\n").into_bytes()
}

/// Crates of one name and version may come from several places.
fn reference(crate_: &Dependency) -> String {
    let Dependency { name, version, source, .. } = crate_;
    match source.as_str() {
        "crates.io" => format!("pkg:cargo/{name}@{}", escaped(version)),
        _ => format!("{name}@{version} ({source})"),
    }
}

fn component(reference: &str, crate_: &Dependency, build_only: bool) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference,
        "name": crate_.name,
        "version": crate_.version,
        "scope": if build_only { "excluded" } else { "required" },
        "properties": [{ "name": "cargo:source", "value": crate_.source }],
    });
    // A package URL says that it is the one on crates.io: https://github.com/package-url/purl-spec
    if crate_.source == "crates.io" {
        component["purl"] = json!(reference);
    }
    component
}

/// A version in a package URL: the `+` before the build's name is a space there.
fn escaped(version: &str) -> String {
    version.replace('+', "%2B")
}

/// Reads a bill of materials that somebody else made, or that came with a package.
///
/// # Errors
///
/// [`PackagingError::Sbom`] for what is not CycloneDX as JSON, from version 1.5 on.
pub fn bill_of_materials(document: &[u8]) -> Result<SbomSummary, PackagingError> {
    let wrong = |found: String| PackagingError::Sbom { found };
    let document: Value = serde_json::from_slice(document).map_err(|why| wrong(format!("no JSON: {why}")))?;
    if document.get("bomFormat").and_then(Value::as_str) != Some("CycloneDX") {
        return Err(wrong("JSON whose `bomFormat` is not `CycloneDX`".to_owned()));
    }
    let spec = document.get("specVersion").and_then(Value::as_str).unwrap_or_default();
    let known =
        spec.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    match known {
        Some((1_u32, minor @ 5_u32..)) => Ok(SbomSummary {
            spec_version: format!("1.{minor}"),
            components: document.get("components").and_then(Value::as_array).map_or(0, Vec::len),
        }),
        _ => Err(wrong(format!("`specVersion` {spec:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(name: &str, source: &str, build_only: bool, needs: &[usize]) -> Dependency {
        Dependency {
            name: name.to_owned(),
            version: "1.0.0+b".to_owned(),
            source: source.to_owned(),
            build_only,
            root: name == "greeter",
            needs: needs.to_vec(),
        }
    }

    fn of(libraries: &[Vec<Dependency>]) -> Value {
        let bytes = sbom("streamspace-greeter", "0.1.0", libraries);
        assert_eq!(bytes, sbom("streamspace-greeter", "0.1.0", libraries), "the same bytes");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    #[test]
    fn the_crates_of_all_libraries_are_in_it_once() {
        let first = vec![
            dependency("serde", "crates.io", true, &[]),
            dependency("own", "git", false, &[0]),
            dependency("greeter", "local", false, &[1]),
        ];
        let second =
            vec![dependency("serde", "crates.io", false, &[]), dependency("greeter", "local", false, &[0])];
        let document = of(&[first, second]);
        let list = |key: &str| {
            let components = document["components"].as_array().expect("a list");
            components.iter().map(|component| component[key].clone()).collect::<Vec<_>>()
        };
        assert_eq!(list("bom-ref"), ["own@1.0.0+b (git)", "pkg:cargo/serde@1.0.0%2Bb"]);
        assert_eq!(list("purl"), [Value::Null, json!("pkg:cargo/serde@1.0.0%2Bb")]);
        assert_eq!(list("scope"), ["required", "required"], "one library has it in it");
        assert_eq!(
            document["dependencies"],
            json!([
                { "ref": "own@1.0.0+b (git)", "dependsOn": ["pkg:cargo/serde@1.0.0%2Bb"] },
                { "ref": "pkg:cargo/serde@1.0.0%2Bb", "dependsOn": [] },
                { "ref": "streamspace-greeter@0.1.0", "dependsOn": ["own@1.0.0+b (git)", "pkg:cargo/serde@1.0.0%2Bb"] },
            ])
        );
    }

    #[test]
    fn what_is_written_is_read_and_other_documents_are_not() {
        let own = sbom("a", "1.0.0", &[vec![dependency("serde", "crates.io", false, &[])]]);
        assert_eq!(
            bill_of_materials(&own).expect("CycloneDX"),
            SbomSummary { spec_version: "1.5".to_owned(), components: 1 }
        );
        assert!(bill_of_materials(br#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#).is_ok());
        for wrong in [
            "",
            "[]",
            r#"{"spdxVersion":"SPDX-2.3"}"#,
            r#"{"bomFormat":"CycloneDX"}"#,
            r#"{"bomFormat":"CycloneDX","specVersion":"1.4"}"#,
            r#"{"bomFormat":"CycloneDX","specVersion":"2.0"}"#,
        ] {
            assert!(
                matches!(bill_of_materials(wrong.as_bytes()), Err(PackagingError::Sbom { .. })),
                "{wrong}"
            );
        }
    }
}
