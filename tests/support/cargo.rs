//! Cargo, as the suites call it.

use std::{
    collections::HashMap,
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::workspace;

/// Builds packages in the profile given: with the settings of the tests themselves, unless told otherwise.
#[derive(Debug, Clone)]
pub struct Cargo {
    profile: &'static str,
    workspace: PathBuf,
    arguments: Vec<String>,
    toolchain: Option<String>,
    environment: Vec<(&'static str, &'static str)>,
}

impl Cargo {
    /// Builds packages of this workspace.
    #[must_use]
    pub fn new(profile: &'static str) -> Self {
        Self {
            profile,
            workspace: workspace().to_owned(),
            arguments: Vec::new(),
            toolchain: None,
            environment: Vec::new(),
        }
    }

    /// Builds packages of another workspace, from what was downloaded for this one, and puts what it makes into
    /// `target`.
    #[must_use]
    pub fn workspace(mut self, workspace: PathBuf, target: &str) -> Self {
        self.workspace = workspace;
        self.arguments.push("--offline".to_owned());
        self.target(target)
    }

    /// Puts what it makes into a folder of this name below the target folder.
    #[must_use]
    pub fn target(mut self, name: &str) -> Self {
        let target = crate::builds().target.join(name);
        self.arguments.extend(["--target-dir".to_owned(), target.to_str().unwrap().to_owned()]);
        self
    }

    /// Builds with another toolchain of rustup.
    #[must_use]
    pub fn toolchain(mut self, name: &str) -> Self {
        self.toolchain = Some(name.to_owned());
        self
    }

    /// Sets variables for the build.
    #[must_use]
    pub fn environment(mut self, variables: &[(&'static str, &'static str)]) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Runs the build and answers with the file of each target: the executable, or the dynamic library.
    ///
    /// # Panics
    ///
    /// When it fails.
    #[must_use]
    pub fn build(&self, packages: &[&str]) -> HashMap<String, PathBuf> {
        let mut command = self.command();
        command
            .args(["build", "--profile", self.profile, "--message-format=json-render-diagnostics"])
            .args(&self.arguments)
            .args(packages.iter().flat_map(|name| ["-p", name]))
            .envs(self.environment.iter().copied())
            .current_dir(&self.workspace)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        let output = command.output().expect("cargo runs");
        assert!(output.status.success(), "{command:?} failed: {}", output.status);
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|message| message["reason"] == "compiler-artifact")
            .filter_map(|message| {
                let libraries = message["filenames"].as_array().into_iter().flatten();
                let file = message["executable"].as_str().or_else(|| {
                    libraries.filter_map(Value::as_str).find(|file| file.ends_with(env::consts::DLL_SUFFIX))
                })?;
                Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(file)))
            })
            .collect()
    }

    fn command(&self) -> Command {
        let Some(toolchain) = &self.toolchain else {
            return Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
        };
        let mut command = Command::new("rustup");
        command.args(["run", toolchain, "cargo"]);
        // What cargo and rustup set for the tests is about their own toolchain.
        for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
            command.env_remove(name);
        }
        command
    }
}
