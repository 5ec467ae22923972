//! Catalogues as those who host them make them: folders of packages with a signed index.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use streamspace_package::{Builder, Glibc, Library, NewKey, SecretKey};

use crate::{Installation, Output};

/// A folder that is a catalogue, and the key that it is signed with.
#[derive(Debug)]
pub struct Hosted<'a> {
    installation: &'a Installation,
    /// What a web server would serve.
    pub folder: PathBuf,
    /// The key.
    pub key: NewKey,
    /// The file that its secret half is in.
    pub key_file: PathBuf,
}

/// A plugin's package with a library that nobody loads.
#[derive(Debug)]
pub struct Listed<'a> {
    /// The plugin's name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// What the library says that it was built for: this machine, unless told otherwise.
    pub target: &'a str,
    /// The plugins that it needs, and their ranges.
    pub dependencies: Value,
    /// How large the library is.
    pub bytes: usize,
    /// The oldest glibc that it runs with.
    pub glibc_min: Option<Glibc>,
}

/// The icon of each plugin.
pub const ICON: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'/>";
/// The target of this machine.
const HERE: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };

impl<'a> Listed<'a> {
    /// A small one of this version.
    #[must_use]
    pub fn new(name: &'a str, version: &'a str) -> Self {
        Self { name, version, target: HERE, dependencies: json!({}), bytes: 5000, glibc_min: None }
    }

    /// The same, needing another plugin in these versions.
    #[must_use]
    pub fn needs(mut self, name: &str, range: &str) -> Self {
        self.dependencies[name] = json!(range);
        self
    }

    /// Puts its package, signed, among the packages of a catalogue in `folder`, and answers its file.
    ///
    /// # Panics
    ///
    /// When it cannot be built or written.
    pub fn write(&self, folder: &Path, key: &NewKey) -> PathBuf {
        let Self { name, version, target, dependencies, bytes, glibc_min } = self;
        let manifest = json!({
            "name": name, "version": version, "displayName": format!("The {name}"), "type": "webhook",
            "description": "Sends notifications.", "category": "Chat", "tags": ["messaging", name],
            "permissions": ["network"], "dependencies": dependencies, "icon": "logo.svg",
        });
        let facts = json!({
            "name": name, "version": version, "sdk": "0.1.0", "abi": 1, "rustc": "rustc 1.95.0", "panic": "unwind",
            "target": target, "cpu": [], "needs": [], "uses": [], "offers": [],
        });
        let facts = serde_json::from_value(facts).unwrap();
        // What does not compress, so that there is something to interrupt.
        let mut noise = 0x2545_f491_u32;
        let library: Vec<u8> = (0..*bytes)
            .map(|_| {
                noise ^= noise << 13;
                noise ^= noise >> 17;
                noise ^= noise << 5;
                noise.to_le_bytes()[0]
            })
            .collect();
        let mut builder = Builder::new(manifest.to_string().as_bytes()).unwrap();
        let file = format!("lib{}.so", name.replace('-', "_"));
        let glibc_min = *glibc_min;
        let library = Library { file: &file, bytes: &library, facts: &facts, cpu: None, glibc_min };
        builder.library(&library).unwrap();
        let changelog = format!("# Changelog\n\n## {version}\n\n- New in {version}.\n");
        builder.file("logo.svg", ICON).unwrap();
        builder.file("CHANGELOG.md", changelog.as_bytes()).unwrap();
        let mut package = builder.build().unwrap();
        package.sign(&SecretKey::from_file_text(&key.secret_file, None).unwrap()).unwrap();
        let path = folder.join("packages").join(format!("{name}-{version}.sspkg"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        package.write(&mut fs::File::create(&path).unwrap()).unwrap();
        path
    }
}

impl<'a> Hosted<'a> {
    /// An empty one of this name, which is that of its folder, with a new key.
    ///
    /// # Panics
    ///
    /// When the folder cannot be made.
    #[must_use]
    pub fn new(installation: &'a Installation, name: &str) -> Self {
        let folder = installation.scratch().join(name);
        fs::create_dir_all(&folder).unwrap();
        let (key, key_file) = new_key(installation, &format!("{name}.key"));
        Self { installation, folder, key, key_file }
    }

    /// Puts a package into it, which the next index has.
    pub fn put(&self, package: &Listed<'_>) -> PathBuf {
        package.write(&self.folder, &self.key)
    }

    /// Runs `catalog build` with its name and its key, unless `more` has others.
    #[must_use]
    pub fn try_build(&self, more: &[&str]) -> Output {
        let name = self.folder.file_name().unwrap().to_str().unwrap();
        let mut all = vec!["catalog", "build", text(&self.folder)];
        if !more.contains(&"--name") {
            all.extend(["--name", name]);
        }
        if !more.contains(&"--key") {
            all.extend(["--key", text(&self.key_file)]);
        }
        all.extend_from_slice(more);
        self.installation.cli(&all)
    }

    /// The same, which works.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[track_caller]
    pub fn build(&self, more: &[&str]) {
        self.try_build(more).expect(0);
    }

    /// Adds it to the installation, as it is found at `location`.
    #[must_use]
    pub fn added(&self, location: &str) -> Output {
        let key = self.key.public.to_string();
        self.installation.cli(&["catalog", "add", location, "--key", &key])
    }

    /// The index and its signature, as they are.
    ///
    /// # Panics
    ///
    /// When there are none.
    #[must_use]
    pub fn taken(&self) -> [Vec<u8>; 2] {
        ["index.json", "index.minisig"].map(|file| fs::read(self.folder.join(file)).unwrap())
    }

    /// Puts an index and a signature in place of those that are there.
    ///
    /// # Panics
    ///
    /// When they cannot be written.
    pub fn put_back(&self, taken: &[Vec<u8>; 2]) {
        for (file, bytes) in ["index.json", "index.minisig"].iter().zip(taken) {
            fs::write(self.folder.join(file), bytes).unwrap();
        }
    }
}

/// A key, and a file of this name that its secret half is in.
///
/// # Panics
///
/// When it cannot be written.
#[must_use]
pub fn new_key(installation: &Installation, file: &str) -> (NewKey, PathBuf) {
    let key = SecretKey::generate(None).unwrap();
    let path = installation.scratch().join(file);
    fs::write(&path, &key.secret_file).unwrap();
    (key, path)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
