//! What this host is, and whether a library fits it. Decided from what the file says, before anything of it runs.

use std::path::Path;

use semver::{Version, VersionReq};
use streamspace_plugin::{
    Facts, SDK_VERSION,
    abi::{ABI_MAJOR, HOST_TABLES, PLUGIN_TABLES, TableLayout},
    lifecycle,
};

use super::{Contents, DYNAMIC_LIBRARY, Glibc, Inspection, Refusal, Rule, library};

/// The name and the version that a library must have.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The plugin's name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
}

/// What a library has to fit.
#[derive(Debug, Clone)]
pub struct HostFacts {
    version: &'static str,
    system: &'static str,
    architecture: &'static str,
    /// The C library: `gnu`, `musl`, or nothing where there is no choice.
    environment: &'static str,
    glibc: Option<Glibc>,
    /// Whether the processor has a feature. `None`: this host cannot tell.
    has_feature: fn(&str) -> Option<bool>,
    /// What it offers to plugins.
    offers: &'static [TableLayout],
    /// What it knows of plugins.
    knows: &'static [TableLayout],
    denied_compilers: Vec<VersionReq>,
}

impl HostFacts {
    /// This host, on this machine.
    #[must_use]
    pub fn this(denied_compilers: &[VersionReq]) -> Self {
        Self {
            version: SDK_VERSION,
            system: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
            environment: if cfg!(target_env = "gnu") {
                "gnu"
            } else if cfg!(target_env = "musl") {
                "musl"
            } else {
                ""
            },
            glibc: library::glibc(),
            has_feature,
            offers: HOST_TABLES,
            knows: PLUGIN_TABLES,
            denied_compilers: denied_compilers.to_vec(),
        }
    }

    /// The host's version.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// The glibc that it runs with, if it does.
    pub(super) fn glibc(&self) -> Option<Glibc> {
        self.glibc
    }

    /// Whether a library fits; if so, what it says of itself.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks.
    pub fn judge(
        &self,
        file: &Path,
        inspection: &Inspection,
        expected: Option<Identity<'_>>,
    ) -> Result<Facts, Refusal> {
        let refuse = |rule: Rule, wanted: String, found: String| Err(Refusal::new(rule, file, wanted, found));
        if inspection.system != self.system {
            return refuse(Rule::OperatingSystem, self.system.to_owned(), inspection.system.clone());
        }
        // An unknown one is a damaged header.
        if inspection.architecture != self.architecture && inspection.architecture != "unknown" {
            return refuse(Rule::Architecture, self.architecture.to_owned(), inspection.architecture.clone());
        }
        let contents = match &inspection.contents {
            Ok(contents) => contents,
            Err(damage) => return refuse(Rule::Whole, "a whole file".to_owned(), damage.clone()),
        };
        if contents.kind != DYNAMIC_LIBRARY {
            return refuse(Rule::Library, DYNAMIC_LIBRARY.to_owned(), contents.kind.clone());
        }
        let facts = match &contents.facts {
            Ok(facts) => facts,
            Err(why) => return refuse(Rule::Plugin, "a library with a note".to_owned(), why.clone()),
        };
        let broken = self
            .identity(facts, expected)
            .or_else(|| self.build(facts))
            .or_else(|| self.machine(facts, contents))
            .or_else(|| self.capabilities(facts));
        match broken {
            Some((rule, wanted, found)) => Err(Refusal::new(rule, file, wanted, found).of(&facts.name)),
            None => Ok(facts.clone()),
        }
    }

    fn identity(&self, facts: &Facts, expected: Option<Identity<'_>>) -> Option<(Rule, String, String)> {
        if facts.abi != ABI_MAJOR {
            return Some((
                Rule::Interface,
                format!("interface {ABI_MAJOR}"),
                format!("interface {}, of the SDK {}", facts.abi, facts.sdk),
            ));
        }
        let expected = expected?;
        let wanted = format!("{} {}", expected.name, expected.version);
        let found = format!("{} {}", facts.name, facts.version);
        (wanted != found)
            .then(|| (Rule::Identity, format!("{wanted}, which is what the manifest says"), found))
    }

    fn build(&self, facts: &Facts) -> Option<(Rule, String, String)> {
        if facts.panic != "unwind" {
            return Some((
                Rule::PanicStrategy,
                "panic = \"unwind\"".to_owned(),
                format!("panic = \"{}\"", facts.panic),
            ));
        }
        // `rustc 1.95.0 (59807616e 2026-04-14)`
        let compiler =
            facts.rustc.split_whitespace().nth(1).and_then(|version| Version::parse(version).ok())?;
        // A requirement matches no pre-release unless it names one; a nightly has the bugs of its release.
        let release = Version::new(compiler.major, compiler.minor, compiler.patch);
        let matches = |denied: &&VersionReq| denied.matches(&compiler) || denied.matches(&release);
        let denied = self.denied_compilers.iter().find(matches)?;
        Some((
            Rule::Compiler,
            format!("a compiler that `plugins.denied_compilers` does not name with `{denied}`"),
            facts.rustc.clone().into_owned(),
        ))
    }

    fn machine(&self, facts: &Facts, contents: &Contents) -> Option<(Rule, String, String)> {
        let environment = if facts.target.contains("-musl") {
            "musl"
        } else if facts.target.contains("-gnu") {
            "gnu"
        } else {
            ""
        };
        if environment != self.environment {
            return Some((
                Rule::OperatingSystem,
                format!("a target with the C library `{}`", self.environment),
                facts.target.clone().into_owned(),
            ));
        }
        // One that this host cannot tell came with a newer SDK; most processors have it by then.
        let missing: Vec<&str> = facts
            .cpu
            .iter()
            .map(AsRef::as_ref)
            .filter(|feature| (self.has_feature)(feature) == Some(false))
            .collect();
        if !missing.is_empty() {
            return Some((
                Rule::Processor,
                format!("a library for a processor of the level {}", level(self.has_feature)),
                format!("that it uses {}", missing.join(", ")),
            ));
        }
        match (contents.glibc, self.glibc) {
            (Some(needed), Some(here)) if needed > here => {
                Some((Rule::Glibc, format!("glibc {here} or older"), format!("that it needs {needed}")))
            }
            _ => None,
        }
    }

    fn capabilities(&self, facts: &Facts) -> Option<(Rule, String, String)> {
        for need in &facts.needs {
            if !self.offers.iter().any(|table| table.id == need.id) {
                return Some((
                    Rule::CapabilityPresent,
                    format!(
                        "a plugin that does without `{}`, which hosts have from version {} on",
                        need.id, need.since
                    ),
                    format!("that it needs it, and that this host is version {}", self.version),
                ));
            }
        }
        if !facts.offers.iter().any(|offer| offer.id == lifecycle::ID) {
            return Some((
                Rule::CapabilityPresent,
                format!("a plugin that offers `{}`, without which it cannot be run", lifecycle::ID),
                "that it does not".to_owned(),
            ));
        }
        let host = facts.needs.iter().chain(&facts.uses).map(|theirs| (theirs, self.offers, "host"));
        let plugin = facts.offers.iter().map(|theirs| (theirs, self.knows, "plugin"));
        for (theirs, tables, side) in host.chain(plugin) {
            let Some(ours) = tables.iter().find(|table| table.id == theirs.id) else { continue };
            if let Some(at) = ours.parts_from(&theirs.layout) {
                let function = ours.functions.get(at).copied().unwrap_or("?");
                return Some((
                    Rule::CapabilityLayout,
                    format!("the `{}` that the {side} offers as host {} knows it", ours.id, self.version),
                    format!("another function {} (`{function}`), of the SDK {}", at + 1, facts.sdk),
                ));
            }
        }
        None
    }
}

#[cfg(target_arch = "x86_64")]
fn has_feature(name: &str) -> Option<bool> {
    macro_rules! detected {
        ($($feature:tt)+) => {
            match name {
                $($feature => Some(std::arch::is_x86_feature_detected!($feature)),)+
                _ => None,
            }
        };
    }
    detected! {
        "sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "cmpxchg16b" "avx" "avx2" "bmi1" "bmi2" "f16c" "fma"
        "lzcnt" "movbe" "avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl" "avx512vnni" "aes" "sha"
        "pclmulqdq" "vaes" "vpclmulqdq" "gfni" "adx" "rdrand" "rdseed" "avx512ifma" "avx512vbmi" "avx512vbmi2"
        "avx512bitalg" "avx512vpopcntdq" "avx512bf16" "avx512fp16" "avx512vp2intersect" "avxvnni" "sse4a" "tbm"
    }
}

#[cfg(target_arch = "aarch64")]
fn has_feature(name: &str) -> Option<bool> {
    macro_rules! detected {
        ($($feature:tt)+) => {
            match name {
                $($feature => Some(std::arch::is_aarch64_feature_detected!($feature)),)+
                _ => None,
            }
        };
    }
    detected! {
        "lse" "rdm" "rcpc" "dotprod" "fp16" "aes" "sha2" "sha3" "sve" "sve2" "crc" "bf16" "i8mm"
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn has_feature(_: &str) -> Option<bool> {
    None
}

/// The level of the x86-64 psABI that a processor reaches.
fn level(has_feature: fn(&str) -> Option<bool>) -> &'static str {
    let all = |features: &[&str]| features.iter().all(|feature| has_feature(feature) == Some(true));
    let v2 = all(&["sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cmpxchg16b"]);
    let v3 = all(&["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe"]);
    let v4 = all(&["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]);
    match (v2, v3, v4) {
        _ if !cfg!(target_arch = "x86_64") => "of this machine",
        (true, true, true) => "x86-64-v4",
        (true, true, false) => "x86-64-v3",
        (true, false, _) => "x86-64-v2",
        (false, _, _) => "x86-64",
    }
}

#[cfg(test)]
mod tests {
    use streamspace_plugin::CapabilityFacts;

    use super::*;
    use crate::loader::Format;

    const OFFERS: &[TableLayout] = &[TableLayout {
        id: "log/1",
        since: "0.1.0",
        hashes: "0000000111111111",
        functions: &["level", "write"],
    }];
    const KNOWS: &[TableLayout] =
        &[TableLayout { id: "lifecycle/1", since: "0.1.0", hashes: "22222222", functions: &["load"] }];

    fn host() -> HostFacts {
        HostFacts {
            version: "0.3.0",
            system: "linux",
            architecture: "x86_64",
            environment: "gnu",
            glibc: Some(Glibc(2, 36)),
            has_feature: |feature| match feature {
                "avx2" => Some(true),
                "avx512f" => Some(false),
                _ => None,
            },
            offers: OFFERS,
            knows: KNOWS,
            denied_compilers: vec![VersionReq::parse("=1.98.0").expect("a requirement")],
        }
    }

    fn capability(id: &'static str, layout: &'static str) -> CapabilityFacts {
        CapabilityFacts { id: id.into(), since: "0.1.0".into(), layout: layout.into() }
    }

    fn facts() -> Facts {
        Facts {
            name: "a".into(),
            version: "1.0.0".into(),
            sdk: "0.2.0".into(),
            abi: ABI_MAJOR,
            rustc: "rustc 1.95.0 (59807616e 2026-04-14)".into(),
            panic: "unwind".into(),
            target: "x86_64-unknown-linux-gnu".into(),
            cpu: vec!["avx2".into(), "unheard-of".into()],
            needs: vec![capability("log/1", "00000001")],
            uses: vec![capability("storage/1", "33333333")],
            offers: vec![capability("lifecycle/1", "2222222244444444"), capability("other/1", "55555555")],
        }
    }

    fn inspection(facts: Facts) -> Inspection {
        Inspection {
            format: Format::Elf,
            system: "linux".to_owned(),
            architecture: "x86_64".to_owned(),
            contents: Ok(Contents {
                kind: DYNAMIC_LIBRARY.to_owned(),
                glibc: Some(Glibc(2, 34)),
                facts: Ok(facts),
            }),
        }
    }

    fn judge(inspection: &Inspection) -> Result<Facts, Refusal> {
        let expected = Identity { name: "a", version: "1.0.0" };
        host().judge(Path::new("/p/liba.so"), inspection, Some(expected))
    }

    /// Refused by `rule`, with these words in what is said.
    #[track_caller]
    fn refused(rule: Rule, words: &[&str], change: impl FnOnce(&mut Facts)) {
        let mut facts = facts();
        change(&mut facts);
        let refusal = judge(&inspection(facts)).expect_err("it is refused");
        assert_eq!(refusal.rule, rule, "{refusal}");
        for word in words {
            assert!(refusal.to_string().contains(word), "`{word}` is not in: {refusal}");
        }
    }

    #[test]
    fn a_library_that_fits_is_admitted_older_or_newer() {
        judge(&inspection(facts())).expect("it fits");
    }

    #[test]
    fn a_library_of_another_interface_name_or_version_is_refused() {
        refused(Rule::Interface, &["interface 2", "interface 1"], |facts| facts.abi = 2);
        refused(Rule::Identity, &["a 1.0.0", "b 1.0.0"], |facts| facts.name = "b".into());
        refused(Rule::Identity, &["a 1.0.0", "a 1.0.1"], |facts| facts.version = "1.0.1".into());
    }

    #[test]
    fn how_it_was_built_decides() {
        refused(Rule::PanicStrategy, &["abort", "unwind"], |facts| facts.panic = "abort".into());
        refused(Rule::Compiler, &["=1.98.0", "rustc 1.98.0 (x)"], |facts| {
            facts.rustc = "rustc 1.98.0 (x)".into();
        });
        refused(Rule::Compiler, &["=1.98.0", "1.98.0-nightly"], |facts| {
            facts.rustc = "rustc 1.98.0-nightly (x 2026-06-01)".into();
        });
        refused(Rule::OperatingSystem, &["`gnu`", "musl"], |facts| {
            facts.target = "x86_64-unknown-linux-musl".into();
        });
        refused(Rule::Processor, &["avx512f"], |facts| facts.cpu.push("avx512f".into()));
    }

    #[test]
    fn a_newer_c_library_is_asked_for() {
        let mut inspection = inspection(facts());
        inspection.contents.as_mut().expect("contents").glibc = Some(Glibc(2, 38));
        let refusal = judge(&inspection).expect_err("it is refused");
        assert_eq!(refusal.rule, Rule::Glibc);
        assert!(refusal.to_string().contains("glibc 2.36 or older, found that it needs 2.38"), "{refusal}");
    }

    #[test]
    fn a_capability_that_is_missing_is_named_with_the_version_that_has_it() {
        refused(Rule::CapabilityPresent, &["`storage/1`", "version 0.4.0", "version 0.3.0"], |facts| {
            facts.needs.push(CapabilityFacts {
                id: "storage/1".into(),
                since: "0.4.0".into(),
                layout: "33333333".into(),
            });
        });
        refused(Rule::CapabilityPresent, &["`lifecycle/1`"], |facts| facts.offers.clear());
    }

    #[test]
    fn a_table_that_is_no_revision_is_named_with_its_function() {
        refused(Rule::CapabilityLayout, &["`log/1`", "function 2 (`write`)"], |facts| {
            facts.needs = vec![capability("log/1", "00000001ffffffff")];
        });
        refused(Rule::CapabilityLayout, &["`lifecycle/1`", "plugin offers", "`load`"], |facts| {
            facts.offers = vec![capability("lifecycle/1", "ffffffff")];
        });
    }

    #[test]
    fn every_feature_that_a_library_may_name_can_be_told() {
        for (feature, _) in streamspace_plugin::cpu_features!() {
            let elsewhere = [
                "lse", "rdm", "rcpc", "dotprod", "fp16", "sha2", "sha3", "sve", "sve2", "crc", "bf16", "i8mm",
            ];
            if cfg!(target_arch = "x86_64") && !elsewhere.contains(feature) {
                assert!(has_feature(feature).is_some(), "{feature}");
            }
        }
    }
}
