//! The next generation of the interface, made from this one, and what is built against it.
//!
//! It is this interface with something appended, the way `docs/abi.md` tells to append: a function to a table of the
//! host, a function to a table of the plugin, and a capability.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::{Value, json};

use crate::{Cargo, builds, builds::assemble, workspace};

/// The SDK's version in it, and the hosts'.
const VERSION: &str = "9.0.0";
/// Where its sources are put, and what is built of them: in the target folder.
const SOURCES: &str = "tests-generations/next";
const BUILD: &str = "tests-generations/build";
const PACKAGES: &str = "tests-generations/packages";

/// The plugins that are built against it, and the feature of `fixture-generation` that makes them.
const PLUGINS: [(&str, &str); 2] =
    [("fixture-generation-next", "next"), ("fixture-generation-needy", "needy")];
const PLUGIN: &str = "tests/fixtures/fixture-generation";
const HOST: &str = "tests/fixtures/fixture-host";

/// Where in a file something is inserted.
#[derive(Clone, Copy)]
enum Place {
    /// After these lines, which are there once.
    After(&'static str),
    /// Before the end of what begins with these lines: the first that follows them.
    End(&'static str, &'static str),
    /// Below the file's first comment, unless the file has it.
    Top,
}

use Place::{After, End, Top};

const EXPECT: &str = "#![expect(unsafe_code, reason = \"the derived accessor of an appended function reads through a pointer\")]\n";

/// In this file, at this place, insert that.
const APPENDED: [(&str, Place, &str); 15] = [
    // A function of the host's `log/1`.
    ("interface/src/log/table.rs", Top, EXPECT),
    (
        "interface/src/log/table.rs",
        End("pub struct Log {\n", "}\n"),
        "    /// `[any]` Answers once the records that were handed over before are written.\n    \
         pub flush: extern \"C\" fn(Handle),\n",
    ),
    (
        "interface/src/log/mod.rs",
        After("fn current() -> Option<Bound<LogRef>> {\n    CURRENT.read().ok().and_then(|log| *log)\n}\n"),
        "\npub(crate) fn flush() -> bool {\n    let Some(log) = current() else { return false };\n    \
         log.table.flush().map(|flush| flush(log.handle)).is_some()\n}\n",
    ),
    (
        "interface/src/context.rs",
        After("        &self.0.http\n    }\n"),
        "\n    /// `[any]` Waits until what was logged is written. `false`: this host cannot tell.\n    \
         pub fn flush_log(&self) -> bool {\n        log::flush()\n    }\n",
    ),
    (
        "interface/layouts/host/log-1.txt",
        End("functions\n", "\ntypes\n"),
        "  0badf00d flush: extern \"C\" fn(Handle)\n",
    ),
    // A function of the plugin's `lifecycle/1`.
    ("interface/src/lifecycle/table.rs", Top, EXPECT),
    (
        "interface/src/lifecycle/table.rs",
        End("pub struct Lifecycle {\n", "}\n"),
        "    /// After `load`: what the plugin says of itself.\n    \
         pub describe: extern \"C\" fn(Handle) -> Outcome<abi_stable::std_types::RString>,\n",
    ),
    (
        "interface/src/lifecycle/mod.rs",
        After("    fn unload(&self) {}\n"),
        "\n    /// `[setup]` What the plugin says of itself.\n    \
         fn describe(&self) -> String {\n        String::new()\n    }\n",
    ),
    (
        "interface/src/abi/entries.rs",
        After("        release: release::<P>,\n"),
        "        describe: describe::<P>,\n",
    ),
    (
        "interface/src/abi/entries.rs",
        After(
            "    enter_loaded(\"`enable`\", instance, |plugin: &P, _| plugin.enable().map_err(failed))\n}\n",
        ),
        "\nextern \"C\" fn describe<P: Plugin>(instance: Handle) -> Outcome<super::RString> {\n    \
         enter_loaded(\"`describe`\", instance, |plugin: &P, _| Ok(plugin.describe().into()))\n}\n",
    ),
    (
        "interface/layouts/plugin/lifecycle-1.txt",
        End("functions\n", "\ntypes\n"),
        "  0badf00d describe: extern \"C\" fn(Handle) -> Outcome<RString>\n",
    ),
    // The host's `greeter/1`, whose own files are beside this one.
    ("interface/src/lib.rs", After("pub mod events;\n"), "pub mod greeter;\n"),
    (
        "interface/src/context.rs",
        After("    http: Http,\n"),
        "    greeter: Option<Bound<crate::greeter::GreeterRef>>,\n",
    ),
    (
        "interface/src/context.rs",
        After("            http: Http::new(optional::<HttpRef>(host, http::ID)?),\n"),
        "            greeter: optional(host, crate::greeter::ID)?,\n",
    ),
    (
        "interface/src/context.rs",
        After("        &self.0.http\n    }\n"),
        "\n    /// `[any]` Greets, where the host can.\n    \
         pub fn greeter(&self) -> Option<crate::greeter::Greetings> {\n        \
         self.0.greeter.map(crate::greeter::Greetings)\n    }\n",
    ),
];

/// Files that the next generation has and this one has not.
const ADDED: [(&str, &str); 3] = [
    ("interface/src/greeter/mod.rs", include_str!("next/greeter/mod.rs")),
    ("interface/src/greeter/table.rs", include_str!("next/greeter/table.rs")),
    ("interface/layouts/host/greeter-1.txt", include_str!("next/greeter-1.txt")),
];

/// What is built against the next generation.
#[derive(Debug)]
pub struct NextGeneration {
    /// `fixture-host`.
    pub host: PathBuf,
    packages: PathBuf,
}

impl NextGeneration {
    /// The directory of a plugin, as an operator gives it to `plugin install`.
    #[must_use]
    pub fn plugin(&self, name: &str) -> PathBuf {
        self.packages.join(name)
    }
}

/// `fixture-host`, built against this generation the first time it is asked for in a process.
pub fn fixture_host() -> &'static Path {
    static HOST: OnceLock<PathBuf> = OnceLock::new();
    HOST.get_or_init(|| Cargo::new("plugin").build(&["fixture-host"]).remove("fixture-host").unwrap())
}

/// Makes and builds the next generation the first time it is called in a process.
pub fn next_generation() -> &'static NextGeneration {
    static NEXT: OnceLock<NextGeneration> = OnceLock::new();
    NEXT.get_or_init(|| {
        let target = &builds().target;
        let sources = target.join(SOURCES);
        Sources::next().write(&sources);
        fs::copy(workspace().join("Cargo.lock"), sources.join("Cargo.lock")).unwrap();

        let cargo = Cargo::new("plugin").workspace(sources.clone(), BUILD);
        let mut built = cargo.build(&["fixture-host", PLUGINS[0].0, PLUGINS[1].0]);
        let packages = target.join(PACKAGES);
        for (name, _) in PLUGINS {
            let library = built.remove(&name.replace('-', "_")).unwrap();
            assemble(&sources.join("tests/fixtures").join(name), &library, &packages.join(name));
        }
        NextGeneration { host: built.remove("fixture-host").unwrap(), packages }
    })
}

/// The library in a plugin's directory.
#[must_use]
pub fn library_in(package: &Path) -> PathBuf {
    let name = package.file_name().unwrap().to_str().unwrap().replace('-', "_");
    package.join(format!("{}{name}{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX))
}

/// Runs a `fixture-host` without some capabilities, and answers with what it says of each library.
///
/// # Panics
///
/// When it does not end well.
#[must_use]
pub fn run_fixture_host(host: &Path, without: &[&str], libraries: &[&Path]) -> Vec<Value> {
    let output = Command::new(host)
        .args(without.iter().flat_map(|id| ["--without", id]))
        .args(libraries)
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("the host runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let said: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.len(), libraries.len(), "{text}");
    said
}

/// Sources of a workspace: texts by their paths.
struct Sources(BTreeMap<PathBuf, String>);

impl Sources {
    /// The next generation's.
    fn next() -> Self {
        let mut next = Self(BTreeMap::new());
        for folder in ["interface/src", "interface/layouts", HOST] {
            next.read(Path::new(folder), Path::new(folder));
        }
        for file in ["Cargo.toml", "interface/Cargo.toml", "interface/build.rs"] {
            next.read(Path::new(file), Path::new(file));
        }
        // Lints, profiles and versions of dependencies are this workspace's.
        next.toml("Cargo.toml", |root| {
            root["workspace"]["members"] = vec!["interface", "tests/fixtures/*"].into();
            root["workspace"]["package"]["version"] = VERSION.into();
        });
        for (file, place, text) in APPENDED {
            next.insert(file, place, text);
        }
        next.0.extend(ADDED.map(|(file, text)| (PathBuf::from(file), text.to_owned())));

        let feature = |name: &'static str| {
            move |package: &mut toml::Table| {
                package["features"]["default"] = vec![name].into();
            }
        };
        next.toml(&format!("{HOST}/Cargo.toml"), feature("next"));
        for (name, built_with) in PLUGINS {
            let folder = format!("tests/fixtures/{name}");
            next.read(Path::new(PLUGIN), Path::new(&folder));
            next.toml(&format!("{folder}/Cargo.toml"), feature(built_with));
            next.toml(&format!("{folder}/Cargo.toml"), |package| package["package"]["name"] = name.into());
            let manifest = next.file(&format!("{folder}/manifest.json"));
            let mut json: Value = serde_json::from_str(manifest).unwrap();
            (json["name"], json["version"]) = (json!(name), json!(VERSION));
            *manifest = json.to_string();
        }
        next
    }

    /// Reads a file of the workspace, or all in a folder, as `to`.
    fn read(&mut self, from: &Path, to: &Path) {
        let source = workspace().join(from);
        if source.is_dir() {
            for entry in fs::read_dir(&source).unwrap() {
                let name = entry.unwrap().file_name();
                self.read(&from.join(&name), &to.join(&name));
            }
        } else {
            self.0.insert(to.to_owned(), fs::read_to_string(&source).unwrap());
        }
    }

    fn file(&mut self, path: &str) -> &mut String {
        self.0.get_mut(Path::new(path)).unwrap_or_else(|| panic!("`{path}` is no more: change {}", file!()))
    }

    fn insert(&mut self, path: &str, place: Place, text: &str) {
        let file = self.file(path);
        let found = match place {
            After(lines) => once(file, lines).map(|at| at + lines.len()),
            End(lines, end) => once(file, lines).and_then(|at| Some(at + file.get(at..)?.find(end)?)),
            Top if file.contains("#![expect(unsafe_code") => return,
            Top => file.find("\n\n").map(|at| at + 1),
        };
        let lines = match place {
            After(lines) | End(lines, _) => lines,
            Top => "a comment, and an empty line",
        };
        let at = found.unwrap_or_else(|| {
            panic!("`{path}` has changed: expected once `{lines}`. Say in {} what is there now", file!())
        });
        file.insert_str(at, text);
    }

    fn toml(&mut self, path: &str, change: impl FnOnce(&mut toml::Table)) {
        let file = self.file(path);
        let mut table = file.parse().unwrap();
        change(&mut table);
        *file = toml::to_string(&table).unwrap();
    }

    /// Writes what is new and removes what is gone. The rest keeps its time, so that it is not built again.
    fn write(&self, folder: &Path) {
        for (path, text) in &self.0 {
            let file = folder.join(path);
            if fs::read_to_string(&file).ok().as_ref() != Some(text) {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
        }
        let mut folders = vec![folder.to_owned()];
        while let Some(inside) = folders.pop() {
            for entry in fs::read_dir(inside).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !self.0.contains_key(path.strip_prefix(folder).unwrap()) {
                    fs::remove_file(path).unwrap();
                }
            }
        }
    }
}

/// Where `lines` are, if they are there once.
fn once(text: &str, lines: &str) -> Option<usize> {
    let mut places = text.match_indices(lines).map(|(at, _)| at);
    let first = places.next();
    if places.next().is_some() { None } else { first }
}
