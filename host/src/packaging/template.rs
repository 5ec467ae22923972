//! A plugin to begin with. Its files are in `template/`, and the suites build it as a vendor would.

use std::{fs, io, path::Path};

use streamspace_plugin::manifest::PluginName;

use super::PackagingError;

/// Where each file goes, and what is in it.
const FILES: [(&str, &str); 8] = [
    ("Cargo.toml", include_str!("template/Cargo.toml")),
    ("manifest.json", include_str!("template/manifest.json")),
    ("src/lib.rs", include_str!("template/src/lib.rs")),
    ("README.md", include_str!("template/README.md")),
    ("CHANGELOG.md", include_str!("template/CHANGELOG.md")),
    ("config.example.json", include_str!("template/config.example.json")),
    ("icon.svg", include_str!("template/icon.svg")),
    // With a dot in this repository it would be git's here.
    (".gitignore", include_str!("template/gitignore")),
];
/// What stands in them for the plugin's name.
const NAME: &str = "streamspace-greeter";
/// What stands in `Cargo.toml` for the folder of the SDK.
const SDK: &str = "../streamspace/interface";

/// Writes a plugin's crate into `folder`, which must not be there yet. `sdk` is the folder of `streamspace-plugin`.
///
/// # Errors
///
/// [`PackagingError::Taken`], [`PackagingError::Io`].
pub fn begin(folder: &Path, name: &PluginName, sdk: Option<&Path>) -> Result<(), PackagingError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| PackagingError::Io { what: "write", path, source }
    };
    fs::create_dir(folder).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => PackagingError::Taken { path: folder.to_owned() },
        _ => failed(folder)(source),
    })?;
    for (file, text) in FILES {
        let path = folder.join(file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        let mut text = text.replace(NAME, name.as_str());
        if let Some(sdk) = sdk.filter(|_| file == "Cargo.toml") {
            // A path may have a backslash in it, which is one in TOML's literal strings too.
            text = text.replace(&format!("\"{SDK}\""), &format!("'{}'", sdk.display()));
        }
        fs::write(&path, text).map_err(failed(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packaging::{Severity, lint};

    #[test]
    fn what_a_vendor_begins_with_has_nothing_to_find_fault_with() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("streamspace-lamp");
        begin(&folder, &"streamspace-lamp".parse().expect("a name"), Some(Path::new("/sdk")))
            .expect("written");
        let report = lint(&folder, &[]);
        assert_eq!(report.findings(), [], "{}", report.count(Severity::Error));
        let cargo = fs::read_to_string(folder.join("Cargo.toml")).expect("a file");
        assert!(cargo.contains("path = '/sdk'") && cargo.contains("name = \"streamspace-lamp\""), "{cargo}");
        assert!(begin(&folder, &"streamspace-lamp".parse().expect("a name"), None).is_err(), "it is there");
    }
}
