//! The release builds of the host and of every plugin that the suites use.

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::Cargo;

/// The packages and the folders, from the workspace, that their manifests are in.
const PLUGINS: [(&str, &str); 22] = [
    ("streamspace-slack", "plugins/streamspace-slack"),
    ("streamspace-teams", "plugins/streamspace-teams"),
    ("streamspace-pagerduty", "plugins/streamspace-pagerduty"),
    ("streamspace-discord", "plugins/streamspace-discord"),
    ("streamspace-email-smtp", "plugins/streamspace-email-smtp"),
    ("streamspace-session-recorder", "plugins/streamspace-session-recorder"),
    ("fixture-counter", "tests/fixtures/fixture-counter"),
    ("fixture-database", "tests/fixtures/fixture-database"),
    ("fixture-jobs", "tests/fixtures/fixture-jobs"),
    ("fixture-journal", "tests/fixtures/fixture-journal"),
    ("fixture-panics", "tests/fixtures/fixture-panics"),
    ("fixture-outbound", "tests/fixtures/fixture-outbound"),
    ("fixture-logger", "tests/fixtures/fixture-logger"),
    ("fixture-initializer", "tests/fixtures/fixture-initializer"),
    ("fixture-platform", "tests/fixtures/fixture-platform"),
    ("fixture-routes", "tests/fixtures/fixture-routes"),
    ("fixture-sockets", "tests/fixtures/fixture-sockets"),
    ("fixture-storage", "tests/fixtures/fixture-storage"),
    ("fixture-taps", "tests/fixtures/fixture-taps"),
    ("fixture-ui", "tests/fixtures/fixture-ui"),
    ("fixture-upgrade", "tests/fixtures/fixture-upgrade"),
    ("fixture-generation", "tests/fixtures/fixture-generation"),
];

/// What lies beside a plugin's library, where it exists.
const BESIDE: [&str; 6] =
    ["manifest.json", "README.md", "CHANGELOG.md", "config.example.json", "icon.svg", "icon.png"];

/// Where the builds are.
#[derive(Debug)]
pub struct Builds {
    /// The host's binary.
    pub host: PathBuf,
    /// The target folder.
    pub target: PathBuf,
    plugins: HashMap<&'static str, PathBuf>,
}

impl Builds {
    /// The directory of the plugin `name`, as an operator gives it to `plugin install`.
    ///
    /// # Panics
    ///
    /// When there is no such plugin.
    #[must_use]
    pub fn plugin(&self, name: &str) -> &Path {
        self.plugins.get(name).unwrap_or_else(|| panic!("there is no plugin `{name}` among the builds"))
    }
}

/// The workspace's directory.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Builds everything the first time it is called in a process.
pub fn builds() -> &'static Builds {
    static BUILDS: OnceLock<Builds> = OnceLock::new();
    BUILDS.get_or_init(build)
}

fn build() -> Builds {
    // A release build takes minutes: whoever works on a suite may do without.
    let profile = if env::var_os("STREAMSPACE_TESTS_DEV_HOST").is_some() { "dev" } else { "release" };
    let mut artifacts = Cargo::new(profile).build(&["streamspace-host"]);
    artifacts.extend(Cargo::new("plugin").build(&PLUGINS.map(|(name, _)| name)));
    let artifact = |target: &str| {
        artifacts.get(target).unwrap_or_else(|| panic!("the build has no artifact of the target `{target}`"))
    };
    let host = artifact("streamspace").clone();
    // <target>/release/streamspace
    let target = host.parent().and_then(Path::parent).unwrap().to_owned();
    let plugins = PLUGINS
        .into_iter()
        .map(|(name, source)| {
            let directory = target.join("tests-plugins").join(name);
            assemble(&workspace().join(source), artifact(&name.replace('-', "_")), &directory);
            (name, directory)
        })
        .collect();
    Builds { host, target, plugins }
}

/// Puts a plugin's files into `directory`, as an operator gives it to `plugin install`: those that lie in `source`, its
/// migrations and assets, and its library.
///
/// # Panics
///
/// When a file cannot be copied.
pub fn assemble(source: &Path, library: &Path, directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    let beside = BESIDE.iter().map(|name| source.join(name)).filter(|file| file.exists());
    for file in beside.chain([library.to_owned()]) {
        place(&file, directory, target_of(directory));
    }
    for folder in ["migrations", "ui"] {
        place_all(&source.join(folder), &directory.join(folder), target_of(directory));
    }
}

/// Puts everything in a folder, if there is one, and in the folders in it into `directory`.
fn place_all(folder: &Path, directory: &Path, scratch: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            place_all(&path, &directory.join(path.file_name().unwrap()), scratch);
        } else {
            place(&path, directory, scratch);
        }
    }
}

/// Puts a file into `directory`. It is replaced as a whole, since other test processes may be installing from there.
fn place(file: &Path, directory: &Path, scratch: &Path) {
    fs::create_dir_all(directory).unwrap();
    let fresh = tempfile::NamedTempFile::new_in(scratch).unwrap();
    fs::copy(file, fresh.path()).unwrap();
    fresh.persist(directory.join(file.file_name().unwrap())).unwrap();
}

/// The folder above the plugin's: on the same file system, and not part of the plugin.
fn target_of(directory: &Path) -> &Path {
    directory.parent().unwrap()
}
