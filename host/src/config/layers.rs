//! Reads the layers, checks each value where it stands, and lays one over the other.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::IntoDeserializer;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::keys::{self, Key};
use super::{Config, ConfigError, Origin, Overrides, Problem};

const PREFIX: &str = "STREAMSPACE_";
/// Names the configuration file.
const FILE: &str = "CONFIG";
/// Variables that are no keys: of the command line's other verbs, and the keys that secrets are sealed with.
const RESERVED: &[&str] = &["TOKEN", "URL", "SECRET_KEY", "SECRET_KEY_PREVIOUS"];

pub(super) fn load(
    file: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    overrides: &Overrides,
    default_file: &Path,
) -> Result<Config, ConfigError> {
    let mut variables = BTreeMap::new();
    let mut file = file.map(Path::to_owned);
    for (variable, value) in env {
        match variable.strip_prefix(PREFIX) {
            Some(FILE) if file.is_none() && !value.is_empty() => file = Some(PathBuf::from(value)),
            Some(FILE) | None => {}
            Some(name) if RESERVED.contains(&name) => {}
            Some(_) => drop(variables.insert(variable, value)),
        }
    }

    let mut layers = Layers::default();
    if let Some((path, text)) = read(file, default_file)? {
        layers.file(&path, &text)?;
    }
    for (variable, value) in variables {
        layers.variable(&variable, value);
    }
    layers.flags(overrides);
    layers.finish(overrides)
}

fn read(named: Option<PathBuf>, default: &Path) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let (path, optional) = match named {
        Some(path) => (path, false),
        None => (default.to_owned(), true),
    };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if optional && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Unreadable { path, source }),
    }
}

/// The values so far, each valid, and what was wrong with the others.
#[derive(Default)]
struct Layers {
    values: Table,
    problems: Vec<Problem>,
}

impl Layers {
    fn file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let syntax = |error: toml::de::Error| {
            let (line, column) = position(text, error.span().unwrap_or(0..0));
            ConfigError::Syntax { path: path.to_owned(), line, column, message: error.message().to_owned() }
        };
        let mut lines = BTreeMap::new();
        index_table(text, "", DeTable::parse(text).map_err(syntax)?.get_ref(), &mut lines);
        let table = text.parse::<Table>().map_err(syntax)?;
        self.section("", table, &|key: &str| Origin::File {
            path: path.to_owned(),
            line: lines.get(key).copied(),
        });
        Ok(())
    }

    fn section(&mut self, section: &str, table: Table, origin: &dyn Fn(&str) -> Origin) {
        for (name, value) in table {
            let path = join(section, &name);
            match (keys::find(&path), value) {
                (Some(key), value) => self.set(key, value, origin),
                (None, Value::Table(inner)) if keys::is_section(&path) => self.section(&path, inner, origin),
                (None, value) if keys::is_section(&path) => {
                    self.problem(&path, "a table".to_owned(), keys::describe(&value), origin(&path));
                }
                (None, _) => {
                    let expected = format!("a known key (the closest is {})", keys::closest(&path));
                    self.problem(&path, expected, "a key that does not exist".to_owned(), origin(&path));
                }
            }
        }
    }

    fn variable(&mut self, variable: &str, text: String) {
        let path = variable[PREFIX.len()..].to_lowercase().replace("__", ".");
        let origin = || Origin::Environment { variable: variable.to_owned() };
        // Upper case only, as documented: two spellings of one variable would override each other unseen.
        let key = keys::find(&path).filter(|key| spelled(key.path) == variable);
        let Some(key) = key else {
            let closest = keys::closest(&path);
            let expected =
                format!("the variable of a known key (the closest is {}, for {closest})", spelled(closest));
            self.problem(&path, expected, "a key that does not exist".to_owned(), origin());
            return;
        };
        let value = if key.kind.is_string() {
            Value::String(text)
        } else {
            text.parse::<Value>().unwrap_or(Value::String(text))
        };
        self.set(key, value, &|_: &str| origin());
    }

    fn flags(&mut self, overrides: &Overrides) {
        let data_dir = overrides.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
        let flags = [
            ("--data-dir", "data_dir", data_dir.as_ref()),
            ("--address", "server.address", overrides.address.as_ref()),
            ("--log-level", "log.level", overrides.log_level.as_ref()),
        ];
        for (flag, path, value) in flags {
            let (Some(key), Some(value)) = (keys::find(path), value) else {
                continue;
            };
            self.set(key, Value::String(value.clone()), &|_: &str| Origin::Flag { flag });
        }
    }

    fn set(&mut self, key: &Key, value: Value, origin: &dyn Fn(&str) -> Origin) {
        let wrong = key.kind.check(&value);
        if wrong.is_empty() {
            match key.path.split_once('.') {
                None => drop(self.values.insert(key.path.to_owned(), value)),
                Some((section, name)) => {
                    let section = self.values.entry(section).or_insert_with(|| Value::Table(Table::new()));
                    if let Value::Table(section) = section {
                        section.insert(name.to_owned(), value);
                    }
                }
            }
        }
        for mismatch in wrong {
            let path = format!("{}{}", key.path, mismatch.below);
            self.problem(&path, mismatch.expected, mismatch.found, origin(&path));
        }
    }

    fn problem(&mut self, key: &str, expected: String, found: String, origin: Origin) {
        self.problems.push(Problem { key: key.to_owned(), expected, found, origin });
    }

    fn finish(mut self, overrides: &Overrides) -> Result<Config, ConfigError> {
        if self.problems.is_empty() {
            match serde_path_to_error::deserialize::<_, Config>(Value::Table(self.values).into_deserializer())
            {
                Ok(mut config) => {
                    if let Some(path) = &overrides.data_dir {
                        config.data_dir.clone_from(path); // a path need not be UTF-8, a TOML string must
                    }
                    return Ok(config);
                }
                Err(error) => self.problems.push(Problem {
                    key: error.path().to_string(),
                    expected: "a value of the key's type".to_owned(),
                    found: error.inner().message().to_owned(),
                    origin: Origin::Default,
                }),
            }
        }
        Err(ConfigError::Invalid(self.problems))
    }
}

/// The variable of the key at `path`.
fn spelled(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// The line and column of a span's start, both from 1.
fn position(text: &str, span: Range<usize>) -> (usize, usize) {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

fn index_table(text: &str, section: &str, table: &DeTable<'_>, lines: &mut BTreeMap<String, usize>) {
    for (name, value) in table {
        let path = join(section, name.get_ref());
        lines.insert(path.clone(), position(text, name.span()).0);
        match value.get_ref() {
            DeValue::Table(inner) => index_table(text, &path, inner, lines),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    lines.insert(format!("{path}[{index}]"), position(text, item.span()).0);
                }
            }
            _ => {}
        }
    }
}
