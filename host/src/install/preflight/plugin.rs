//! One installed plugin: what a start would ask of it, all of it and not only up to the first answer that is no.

use std::io::ErrorKind;

use streamspace_plugin::Facts;

use super::{About, Finding, Judges, Outcome, PluginReport, of_store, of_trust};
use crate::{
    install::{InstallError, spec},
    loader::{Identity, Refusal, Rule},
    store::{Generation, Installed, Listed, StoreError, TrustLevel, until_date},
};

impl Judges {
    pub(super) fn look_at(&self, listed: Listed) -> PluginReport {
        let mut report = PluginReport {
            version: String::new(),
            enabled: false,
            trust: None,
            outcome: Outcome::Ok,
            findings: Vec::new(),
            name: listed.name,
        };
        match listed.plugin {
            Ok(plugin) => self.look_at_files(&plugin, &mut report),
            Err(why) => {
                if let Ok(Some(record)) = self.store.record(&report.name) {
                    (report.version, report.enabled) = (record.version, record.enabled);
                }
                let about = match &why {
                    StoreError::Manifest { .. } => About::Manifest,
                    StoreError::Io { .. } | StoreError::File { .. } => About::Files,
                    _ => About::Record,
                };
                // That something is gone is known; that it may not be read says nothing.
                let is_gone =
                    matches!(&why, StoreError::Io { source, .. } if source.kind() == ErrorKind::NotFound);
                let finding = of_store(about, why);
                let outcome = if is_gone { Outcome::Fails } else { finding.outcome };
                report.findings.push(Finding { outcome, ..finding });
            }
        }
        let gravest = report.findings.iter().map(|finding| finding.outcome).max();
        report.outcome = gravest.unwrap_or(Outcome::Ok);
        report
    }

    fn look_at_files(&self, plugin: &Installed, report: &mut PluginReport) {
        let record = &plugin.record;
        (report.version, report.enabled) = (record.version.clone(), record.enabled);
        if let Some(reason) = &record.quarantine {
            let said = format!("it is in quarantine, and does not run until it is enabled: {reason}");
            report.findings.push(Finding::new(About::Record, Outcome::Note, None, said));
        }
        let generation = match self.store.generation_of(record) {
            Ok(generation) => generation,
            Err(why) => {
                report.findings.push(of_store(About::Files, why));
                return;
            }
        };
        report.trust = Some(generation.provenance.trust);
        let trust = self.trust_in(&generation);
        let files = self.store.check(&generation).err().map(|why| of_store(About::Files, why));
        // Nothing is run that nobody answers for, or that was changed.
        let is_admissible =
            files.is_none() && trust.as_ref().is_none_or(|finding| finding.outcome <= Outcome::Note);
        report.findings.extend(trust);
        report.findings.extend(files);
        report.findings.extend(self.library(plugin, is_admissible));
        if let Err(why) = spec(plugin) {
            report.findings.push(of_configuration(&why));
        }
        let permissions = record.permissions.iter().map(String::as_str);
        let folder = self.store.folder(&record.name, &record.content);
        if let Err(why) = self.databases.judge(permissions, &folder) {
            report.findings.push(Finding::new(About::Migrations, Outcome::Fails, Some(why.code()), &why));
        }
        report.findings.extend(self.dependencies(plugin));
    }

    fn trust_in(&self, generation: &Generation) -> Option<Finding> {
        if let Err(why) = self.trust.check(generation) {
            return Some(of_trust(&why));
        }
        let provenance = &generation.provenance;
        let note = |said: String| Some(Finding::new(About::Trust, Outcome::Note, None, said));
        match (provenance.trust, &provenance.key) {
            (TrustLevel::Unsigned, _) => {
                let until = self.trust.unsigned_until(&generation.plugin).ok().flatten()?;
                note(format!("nobody signed it: it is loaded until {}", until_date(until)))
            }
            (TrustLevel::Folder, _) | (_, None) => None,
            (_, Some(key)) => {
                let keys = match self.trust.keys() {
                    Ok(keys) => keys,
                    Err(why) => return Some(of_trust(&why)),
                };
                let is_known = keys.iter().any(|known| known.id.to_string() == *key);
                let said = format!(
                    "the key {key}, which signed it, is not trusted any more: it is loaded, and no further version of it is \
                     taken until the key is trusted again"
                );
                if is_known { None } else { note(said) }
            }
        }
    }

    fn library(&self, plugin: &Installed, is_admissible: bool) -> Option<Finding> {
        let (path, record) = (&plugin.library, &plugin.record);
        let identity = Identity { name: &record.name, version: &record.version };
        let judged: Result<(), Refusal> = if is_admissible {
            self.loader.admit(path, path, identity).map(drop)
        } else {
            self.loader.judge(path, identity).map(|_: Facts| ())
        };
        match judged {
            Ok(()) if is_admissible => None,
            Ok(()) => {
                let said = "it was not tried, for the reason above; by what its file says, it fits this host";
                Some(Finding::new(About::Library, Outcome::Note, None, said))
            }
            Err(refusal) => {
                let unknown = matches!(refusal.rule, Rule::Readable | Rule::Tried);
                let outcome = if unknown { Outcome::Unknown } else { Outcome::Fails };
                Some(Finding::new(About::Library, outcome, refusal.code(), &refusal))
            }
        }
    }

    fn dependencies(&self, plugin: &Installed) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, range) in &plugin.manifest.dependencies {
            let found = match self.versions.get(name) {
                Some(version) if range.matches(version) => continue,
                Some(version) => format!("version {version}"),
                None => "none".to_owned(),
            };
            let said = format!(
                "it needs the plugin `{name}`: expected {range} to be installed, found {found}. Install that \
                 (`streamspace plugin install {name}`), or do without both"
            );
            findings.push(Finding::new(About::Dependencies, Outcome::Fails, "SSP-DEP-009", said));
        }
        findings
    }
}

fn of_configuration(why: &InstallError) -> Finding {
    Finding::new(About::Configuration, Outcome::Fails, why.code(), why)
}
