//! Why a library is refused: one of a few rules, with what was expected and found, and what to do.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

/// The most that is told of what was expected or found, in characters: a library may say very much of itself.
const MAX_CHARS: usize = 1000;

/// What a library has to keep to. Each rule has a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The file can be read.
    Readable,
    /// It is a dynamic library.
    Library,
    /// It is whole.
    Whole,
    /// It is for this operating system.
    OperatingSystem,
    /// It is for processors of this architecture.
    Architecture,
    /// It has the note of a plugin.
    Plugin,
    /// It was built against this interface.
    Interface,
    /// It is the plugin that the manifest says.
    Identity,
    /// Its panics unwind.
    PanicStrategy,
    /// Its compiler is not denied.
    Compiler,
    /// This processor can run it.
    Processor,
    /// The C library is new enough.
    Glibc,
    /// The capabilities that it needs are there.
    CapabilityPresent,
    /// The capabilities that both sides know look the same.
    CapabilityLayout,
    /// The system's loader finds everything that it needs.
    SystemLoader,
    /// Loading it does not end the process.
    Survivable,
    /// Loading it ends.
    Timely,
    /// It could be tried.
    Tried,
    /// It is loaded as it was admitted.
    Admitted,
}

impl Rule {
    /// The stable code of what breaks the rule.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.parts().0
    }

    /// What is wrong.
    fn complaint(self) -> &'static str {
        self.parts().1
    }

    /// What to do about it.
    #[must_use]
    pub fn action(self) -> &'static str {
        self.parts().2
    }

    fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Readable => (
                "SSP-LIB-001",
                "it cannot be read",
                "Look whether it is there, and who owns it and the folders above it",
            ),
            Self::Library => (
                "SSP-LIB-002",
                "it is not a dynamic library",
                "Name the file that the plugin's build made, with `crate-type = [\"cdylib\"]`",
            ),
            Self::Whole => ("SSP-LIB-003", "it is truncated or damaged", "Copy or download it again"),
            Self::OperatingSystem => (
                "SSP-LIB-004",
                "it was built for another operating system",
                "Ask its vendor for the build for this one",
            ),
            Self::Architecture => (
                "SSP-LIB-005",
                "it was built for processors of another architecture",
                "Ask its vendor for the build for this one",
            ),
            Self::Plugin => (
                "SSP-LIB-006",
                "it is not a StreamSpace plugin",
                "Build it with `streamspace_plugin::export!`",
            ),
            Self::Interface => (
                "SSP-LIB-007",
                "it was built against another interface",
                "Ask its vendor for a build with an SDK of this interface",
            ),
            Self::Identity => (
                "SSP-LIB-008",
                "it is another plugin than the manifest says",
                "Make the manifest and the crate say the same, and build it anew",
            ),
            Self::PanicStrategy => (
                "SSP-LIB-009",
                "a panic in it would end the host",
                "Build it with `panic = \"unwind\"`, which is the default",
            ),
            Self::Compiler => (
                "SSP-LIB-010",
                "it was built by a compiler that is denied",
                "Ask its vendor for a build by another compiler, or change `plugins.denied_compilers`",
            ),
            Self::Processor => (
                "SSP-LIB-011",
                "it needs a newer processor",
                "Ask its vendor for a build for older processors, or run it on a machine with a newer one",
            ),
            Self::Glibc => (
                "SSP-LIB-012",
                "it needs a newer C library",
                "Ask its vendor for a build against an older glibc, or run it on a newer system",
            ),
            Self::CapabilityPresent => (
                "SSP-LIB-013",
                "a capability that it cannot do without is missing",
                "Use a version of host or plugin that has it",
            ),
            Self::CapabilityLayout => (
                "SSP-LIB-014",
                "a capability looks different to it and to this host",
                "Ask its vendor for a build with an SDK of a released version",
            ),
            Self::SystemLoader => (
                "SSP-LIB-015",
                "the system's loader refuses it",
                "Install the library that is missing, or ask its vendor for a build for this system",
            ),
            Self::Survivable => (
                "SSP-LIB-016",
                "loading it ends the process that loads it",
                "Report it to its vendor. `streamspace plugin unblock HASH` has it tried again",
            ),
            Self::Timely => (
                "SSP-LIB-017",
                "loading it does not end",
                "Report it to its vendor. `streamspace plugin unblock HASH` has it tried again",
            ),
            Self::Tried => (
                "SSP-LIB-018",
                "it could not be tried in a process of its own",
                "Restart the host if its program file was replaced; else look at the limits on processes and memory",
            ),
            Self::Admitted => (
                "SSP-LIB-019",
                "its file was changed while it was made ready",
                "Find out who writes into the host's data folder, and enable the plugin again",
            ),
        }
    }
}

/// A library that is not loaded, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The rule that it breaks.
    pub rule: Rule,
    /// The file.
    pub file: Box<Path>,
    /// The plugin, if it is known.
    pub plugin: Option<Box<str>>,
    /// What was expected.
    pub expected: Box<str>,
    /// What was found.
    pub found: Box<str>,
    /// The SHA-256 of a file that is on the block list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Box<str>>,
    /// The long version: for a debug log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<str>>,
}

impl Refusal {
    pub(super) fn new(
        rule: Rule,
        file: &Path,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self {
            rule,
            file: file.into(),
            plugin: None,
            expected: shortened(&expected.to_string()),
            found: shortened(&found.to_string()),
            hash: None,
            detail: None,
        }
    }

    pub(super) fn of(mut self, plugin: &str) -> Self {
        self.plugin = Some(shortened(plugin));
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.rule.code()
    }

    /// What to do.
    #[must_use]
    pub fn action(&self) -> String {
        let action = self.rule.action();
        match &self.hash {
            Some(hash) => action.replace("HASH", hash.get(..12).unwrap_or(hash)),
            None => action.to_owned(),
        }
    }
}

/// A text that may be a file's own words: neither very long nor with anything that a terminal would act on.
fn shortened(text: &str) -> Box<str> {
    if text.contains(char::is_control) {
        let escaped: String = text
            .chars()
            .take(MAX_CHARS)
            .flat_map(|char| if char.is_control() { char.escape_default().collect() } else { vec![char] })
            .collect();
        return shortened(&escaped);
    }
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the library {}", self.file.display())?;
        if let Some(plugin) = &self.plugin {
            write!(f, " of `{plugin}`")?;
        }
        let (complaint, expected, found) = (self.rule.complaint(), &self.expected, &self.found);
        write!(f, " is refused: {complaint}. Expected {expected}, found {found}. {}", self.action())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_rule_has_a_code_of_its_own() {
        let rules = [
            Rule::Readable,
            Rule::Library,
            Rule::Whole,
            Rule::OperatingSystem,
            Rule::Architecture,
            Rule::Plugin,
            Rule::Interface,
            Rule::Identity,
            Rule::PanicStrategy,
            Rule::Compiler,
            Rule::Processor,
            Rule::Glibc,
            Rule::CapabilityPresent,
            Rule::CapabilityLayout,
            Rule::SystemLoader,
            Rule::Survivable,
            Rule::Timely,
            Rule::Tried,
            Rule::Admitted,
        ];
        let codes: BTreeSet<_> = rules.iter().map(|rule| rule.code()).collect();
        assert_eq!(codes.len(), rules.len());
    }

    #[test]
    fn a_refusal_tells_what_to_what_expected_found_and_what_to_do() {
        let mut refusal = Refusal::new(
            Rule::Survivable,
            Path::new("/p/liba.so"),
            "a library that loads",
            "that it ended by signal 11",
        )
        .of("a");
        refusal.hash = Some("0123456789abcdef".into());
        assert_eq!(
            refusal.to_string(),
            "the library /p/liba.so of `a` is refused: loading it ends the process that loads it. \
             Expected a library that loads, found that it ended by signal 11. \
             Report it to its vendor. `streamspace plugin unblock 0123456789ab` has it tried again"
        );
    }

    #[test]
    fn what_a_terminal_would_act_on_is_written_out() {
        let refusal = Refusal::new(Rule::SystemLoader, Path::new("/p/liba.so"), "a", "lib\u{1b}[2Jx.so\n");
        assert_eq!(&*refusal.found, "lib\\u{1b}[2Jx.so\\n");
    }

    #[test]
    fn a_library_that_says_very_much_of_itself_is_refused_shortly() {
        let much = "é".repeat(60_000);
        let refusal = Refusal::new(Rule::Identity, Path::new("/p/liba.so"), &much, &much).of(&much);
        let text = refusal.to_string();
        assert_eq!(text.matches('é').count(), 3 * MAX_CHARS);
        assert_eq!(text.matches('…').count(), 3);
    }
}
