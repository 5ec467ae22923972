//! The layers of the configuration and every way they can be wrong.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};

use streamspace_host::config::{Config, ConfigError, Format, Level, Origin, Overrides, Problem};

struct Layers {
    directory: tempfile::TempDir,
    env: Vec<(String, String)>,
    overrides: Overrides,
}

impl Layers {
    fn file(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("streamspace.toml"), text).unwrap();
        Self { directory, env: Vec::new(), overrides: Overrides::default() }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("streamspace.toml")
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(Some(&self.path()), self.env.iter().cloned(), &self.overrides)
    }

    fn problems(&self) -> Vec<Problem> {
        match self.load() {
            Err(ConfigError::Invalid(problems)) => problems,
            other => panic!("expected problems, found {other:?}"),
        }
    }

    fn problem(&self) -> Problem {
        let mut problems = self.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }

    fn line(&self, line: usize) -> Origin {
        Origin::File { path: self.path(), line: Some(line) }
    }
}

#[test]
fn without_any_layer_the_defaults_hold() {
    let config = Config::load(None, std::iter::empty(), &Overrides::default()).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.server.address, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.outbound.max_response_bytes, 10_485_760);
}

#[test]
fn the_file_overrides_the_defaults_and_leaves_the_rest() {
    let config = Layers::file(
        r#"
        data_dir = "/srv/streamspace"
        [server]
        workers = 4
        [log]
        level = "warning"
        [log.plugins]
        slack = "debug"
        [outbound]
        allow_addresses = ["10.0.0.0/8", "::1"]
        ca_file = "roots.pem"
        [outbound.hosts]
        "hooks.slack.test" = "10.1.2.3:8443"
        "#,
    )
    .load()
    .unwrap();
    assert_eq!(config.data_dir, Path::new("/srv/streamspace"));
    assert_eq!((config.server.workers, config.server.max_body_bytes), (4, 1_048_576));
    assert_eq!((config.log.level, config.log.plugins["slack"]), (Level::Warning, Level::Debug));
    assert!(config.outbound.allow_addresses[0].contains("10.9.9.9".parse().unwrap()));
    assert_eq!(config.outbound.allow_addresses[1].to_string(), "::1");
    assert_eq!(config.outbound.hosts["hooks.slack.test"].port, Some(8443));
    assert_eq!(config.outbound.ca_file.as_deref(), Some(Path::new("roots.pem")));
}

#[test]
fn the_environment_overrides_the_file() {
    let config = Layers::file("[server]\nworkers = 4\n[log]\nformat = \"json\"")
        .env("STREAMSPACE_SERVER__WORKERS", "8")
        .env("STREAMSPACE_DATA_DIR", "123")
        .env("STREAMSPACE_OUTBOUND__ALLOW_ADDRESSES", r#"["127.0.0.1"]"#)
        .env("STREAMSPACE_LOG__PLUGINS", r#"{ slack = "trace" }"#)
        .env("HOME", "/root")
        .load()
        .unwrap();
    assert_eq!(config.server.workers, 8);
    assert_eq!(config.log.format, Format::Json);
    assert_eq!(config.data_dir, Path::new("123"), "a string key takes the variable as it stands");
    assert_eq!(config.outbound.allow_addresses.len(), 1);
    assert_eq!(config.log.plugins["slack"], Level::Trace);
}

#[test]
fn flags_override_the_environment() {
    let mut layers = Layers::file("")
        .env("STREAMSPACE_SERVER__ADDRESS", "127.0.0.1:1")
        .env("STREAMSPACE_LOG__LEVEL", "error")
        .env("STREAMSPACE_DATA_DIR", "/env");
    layers.overrides = Overrides {
        data_dir: Some("/flag".into()),
        address: Some("[::1]:2".to_owned()),
        log_level: Some("trace".to_owned()),
    };
    let config = layers.load().unwrap();
    assert_eq!(config.data_dir, Path::new("/flag"));
    assert_eq!(config.server.address, "[::1]:2".parse().unwrap());
    assert_eq!(config.log.level, Level::Trace);
}

#[test]
fn reserved_variables_are_not_keys() {
    let layers = Layers::file("").env("STREAMSPACE_TOKEN", "x").env("STREAMSPACE_URL", "y");
    assert_eq!(layers.load().unwrap(), Config::default());
}

#[test]
fn a_variable_names_the_file_unless_the_caller_does() {
    let named = Layers::file("data_dir = \"/named\"");
    let path = named.path().display().to_string();
    let env = [("STREAMSPACE_CONFIG".to_owned(), path.clone())];
    let config = Config::load(None, env.into_iter(), &Overrides::default()).unwrap();
    assert_eq!(config.data_dir, Path::new("/named"));

    let config = Layers::file("data_dir = \"/mine\"").env("STREAMSPACE_CONFIG", &path).load().unwrap();
    assert_eq!(config.data_dir, Path::new("/mine"));
}

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    let error = Config::load(Some(Path::new("/nowhere/s.toml")), std::iter::empty(), &Overrides::default());
    let error = error.unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error:?}");
    assert!(error.to_string().contains("/nowhere/s.toml"), "{error}");
}

#[test]
fn text_that_is_not_toml_is_reported_with_its_place() {
    let error = Layers::file("[server]\naddress = @\n").load().unwrap_err();
    let ConfigError::Syntax { line, column, .. } = error else { panic!("{error:?}") };
    assert_eq!((line, column), (2, 11));
}

#[test]
fn an_unknown_key_is_named_with_the_closest_one() {
    let layers = Layers::file("\n[server]\nadress = \"127.0.0.1:1\"");
    let problem = layers.problem();
    assert_eq!((problem.key.as_str(), &problem.origin), ("server.adress", &layers.line(3)));
    assert!(problem.expected.contains("server.address"), "{problem}");
}

#[test]
fn an_unknown_section_is_one_problem() {
    let problem = Layers::file("[serve]\naddress = \"x\"\nworkers = 1").problem();
    assert_eq!(problem.key, "serve");
    assert!(problem.expected.contains("closest is server"), "{problem}");
}

#[test]
fn a_value_of_the_wrong_type_says_what_was_expected_and_found() {
    let layers = Layers::file("[server]\nworkers = \"four\"");
    assert_eq!(
        layers.load().unwrap_err().to_string(),
        format!(
            "the configuration has a problem:\n  server.workers: expected a whole number from 0 to 1024, found the \
             string \"four\" (from {}, line 2)",
            layers.path().display()
        )
    );
    assert_eq!(Layers::file("server = 3").problem().expected, "a table");
    assert_eq!(Layers::file("[outbound]\nhosts = 3").problem().key, "outbound.hosts");
}

#[test]
fn an_unknown_variable_is_named_with_the_closest_one() {
    let problem = Layers::file("").env("STREAMSPACE_SERVER_ADDRESS", "127.0.0.1:1").problem();
    assert_eq!(problem.origin, Origin::Environment { variable: "STREAMSPACE_SERVER_ADDRESS".to_owned() });
    assert!(problem.expected.contains("STREAMSPACE_SERVER__ADDRESS"), "{problem}");
    let problem = Layers::file("").env("STREAMSPACE_data_dir", "x").problem();
    assert!(problem.expected.contains("STREAMSPACE_DATA_DIR"), "{problem}");
}

#[test]
fn a_flag_with_a_wrong_value_is_named() {
    let mut layers = Layers::file("");
    layers.overrides.log_level = Some("loud".to_owned());
    let problem = layers.problem();
    assert_eq!((problem.key.as_str(), problem.origin), ("log.level", Origin::Flag { flag: "--log-level" }));
    assert!(problem.expected.contains("trace, debug, info, warning, error, critical"));
}

#[test]
fn everything_wrong_in_every_layer_is_reported_at_once() {
    let mut layers = Layers::file(
        "[server]\nworkers = 5000\n[log.plugins]\nslack = \"loud\"\n[outbound]\nallow_addresses = [\n\"10.0.0.0/8\",\n\
         \"10.0.0.0/99\"]\n[outbound.hosts]\n\"a.test\" = \"b.test\"\n\"127.0.0.1\" = \"10.0.0.1\"",
    )
    .env("STREAMSPACE_EVENTS__MAX_PENDING", "0")
    .env("STREAMSPACE_OUTBOUND__ALLOW_ADDRESSES", "127.0.0.1")
    .env("STREAMSPACE_OUTBOUND__MAX_REDIRECTS", "-1")
    .env("STREAMSPACE_OUTBOUND__CA_FILE", "");
    layers.overrides.address = Some("localhost".to_owned());

    let found: Vec<(String, Origin)> = layers.problems().into_iter().map(|p| (p.key, p.origin)).collect();
    let variable = |variable: &str| Origin::Environment { variable: variable.to_owned() };
    let expected = [
        ("log.plugins.slack", layers.line(4)),
        ("outbound.allow_addresses[1]", layers.line(8)),
        ("outbound.hosts.127.0.0.1", layers.line(11)),
        ("outbound.hosts.a.test", layers.line(10)),
        ("server.workers", layers.line(2)),
        ("events.max_pending", variable("STREAMSPACE_EVENTS__MAX_PENDING")),
        ("outbound.allow_addresses", variable("STREAMSPACE_OUTBOUND__ALLOW_ADDRESSES")),
        ("outbound.ca_file", variable("STREAMSPACE_OUTBOUND__CA_FILE")),
        ("outbound.max_redirects", variable("STREAMSPACE_OUTBOUND__MAX_REDIRECTS")),
        ("server.address", Origin::Flag { flag: "--address" }),
    ];
    assert_eq!(found, expected.map(|(key, origin)| (key.to_owned(), origin)));
}

#[test]
fn a_configuration_written_out_reads_back_the_same() {
    let text = toml::to_string(&Config::default()).unwrap();
    assert_eq!(Layers::file(&text).load().unwrap(), Config::default());
}
