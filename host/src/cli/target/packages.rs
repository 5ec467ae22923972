//! Packages, versions and trust, on a running host or a stopped one.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::{Method, Target, UPGRADED, coded};
use crate::{
    install::{
        AllowUnsigned, Consent, GenerationView, InstallError, KeyView, Plan, PluginView, Revoked, Source,
        TrustView, UnsignedView,
    },
    store::parse_until,
};

/// A package, as the host that is to take it names it.
#[derive(Debug)]
pub(in crate::cli) struct Package {
    source: Source,
    /// The plugin that may be unsigned, and until when.
    unsigned: Option<(String, String)>,
}

impl Package {
    fn allow(&self) -> anyhow::Result<Option<AllowUnsigned>> {
        let Some((plugin, until)) = &self.unsigned else { return Ok(None) };
        let until_us = coded(parse_until(until).map_err(InstallError::from))?;
        Ok(Some(AllowUnsigned { plugin: plugin.clone(), until_us }))
    }

    fn request(&self, consent: Option<&str>) -> Value {
        let mut request = match &self.source {
            Source::File(path) => json!({"path": path}),
            Source::Uploaded(hash) => json!({"package": hash}),
        };
        if let Some((plugin, until)) = &self.unsigned {
            request["allow_unsigned"] = json!({"plugin": plugin, "until": until});
        }
        if let Some(consent) = consent {
            request["consent"] = json!(consent);
        }
        request
    }
}

impl Target {
    /// Has a package where the host can read it: a host elsewhere is sent it.
    pub(in crate::cli) fn package(
        &self,
        file: &Path,
        unsigned: Option<(String, String)>,
    ) -> anyhow::Result<Package> {
        let path =
            file.canonicalize().with_context(|| format!("cannot find the package {}", file.display()))?;
        let source = match self {
            Self::Running(client) if client.is_elsewhere => Source::Uploaded(client.upload(&path)?),
            _ => Source::File(path),
        };
        Ok(Package { source, unsigned })
    }

    pub(in crate::cli) fn plan(&self, package: &Package) -> anyhow::Result<Plan> {
        match self {
            Self::Running(client) => {
                client.call(Method::Post, &["packages", "plan"], Some(package.request(None)))
            }
            Self::Stopped { plugins, .. } => coded(plugins.plan(&package.source, package.allow()?.as_ref())),
        }
    }

    pub(in crate::cli) fn install_package(
        &self,
        package: &Package,
        consent: &str,
    ) -> anyhow::Result<PluginView> {
        match self {
            Self::Running(client) => {
                client.call(Method::Post, &["packages", "install"], Some(package.request(Some(consent))))
            }
            Self::Stopped { plugins, .. } => {
                let allow = package.allow()?;
                coded(plugins.install_package(&package.source, allow.as_ref(), &Consent::parse(consent)))
            }
        }
    }

    pub(in crate::cli) fn upgrade_package(
        &self,
        name: &str,
        package: &Package,
        consent: &str,
    ) -> anyhow::Result<PluginView> {
        match self {
            Self::Running(client) => {
                let path = ["plugins", name, "upgrade"];
                client.call_within(UPGRADED, Method::Post, &path, &[], Some(package.request(Some(consent))))
            }
            Self::Stopped { plugins, .. } => {
                let (allow, consent) = (package.allow()?, Consent::parse(consent));
                coded(plugins.upgrade(name, &package.source, allow.as_ref(), &consent))
            }
        }
    }

    pub(in crate::cli) fn rollback(&self, name: &str, to: Option<&str>) -> anyhow::Result<PluginView> {
        match self {
            Self::Running(client) => {
                let path = ["plugins", name, "rollback"];
                client.call_within(UPGRADED, Method::Post, &path, &[], Some(json!({"to": to})))
            }
            Self::Stopped { plugins, .. } => coded(plugins.rollback(name, to)),
        }
    }

    pub(in crate::cli) fn generations(&self, name: &str) -> anyhow::Result<Vec<GenerationView>> {
        match self {
            Self::Running(client) => {
                let mut answer: Value = client.call(Method::Get, &["plugins", name, "generations"], None)?;
                Ok(serde_json::from_value(answer["generations"].take())?)
            }
            Self::Stopped { plugins, .. } => coded(plugins.generations(name)),
        }
    }

    pub(in crate::cli) fn pin(&self, name: &str, version: Option<&str>) -> anyhow::Result<PluginView> {
        match self {
            Self::Running(client) => {
                client.call(Method::Put, &["plugins", name, "pin"], Some(json!({"version": version})))
            }
            Self::Stopped { plugins, .. } => coded(plugins.pin(name, version)),
        }
    }

    pub(in crate::cli) fn unpin(&self, name: &str) -> anyhow::Result<PluginView> {
        match self {
            Self::Running(client) => client.call(Method::Delete, &["plugins", name, "pin"], None),
            Self::Stopped { plugins, .. } => coded(plugins.unpin(name)),
        }
    }

    pub(in crate::cli) fn trust(&self) -> anyhow::Result<TrustView> {
        match self {
            Self::Running(client) => client.call(Method::Get, &["trust"], None),
            Self::Stopped { plugins, .. } => coded(plugins.trust()),
        }
    }

    pub(in crate::cli) fn trust_key(&self, key: &str, name: &str) -> anyhow::Result<KeyView> {
        match self {
            Self::Running(client) => {
                client.call(Method::Post, &["trust", "keys"], Some(json!({"key": key, "name": name})))
            }
            Self::Stopped { plugins, .. } => coded(plugins.trust_key(key, name)),
        }
    }

    pub(in crate::cli) fn distrust_key(&self, key: &str) -> anyhow::Result<KeyView> {
        match self {
            Self::Running(client) => client.call(Method::Delete, &["trust", "keys", key], None),
            Self::Stopped { plugins, .. } => coded(plugins.distrust_key(key)),
        }
    }

    pub(in crate::cli) fn revoke(&self, subject: &str, reason: &str) -> anyhow::Result<Revoked> {
        match self {
            Self::Running(client) => {
                let body = json!({"subject": subject, "reason": reason});
                client.call(Method::Post, &["trust", "revocations"], Some(body))
            }
            Self::Stopped { plugins, .. } => coded(plugins.revoke(subject, reason)),
        }
    }

    pub(in crate::cli) fn revoke_list(&self, list: &str) -> anyhow::Result<Revoked> {
        match self {
            Self::Running(client) => {
                client.call(Method::Post, &["trust", "revocations"], Some(json!({"list": list})))
            }
            Self::Stopped { plugins, .. } => coded(plugins.revoke_list(list)),
        }
    }

    pub(in crate::cli) fn allow_unsigned(&self, plugin: &str, until: &str) -> anyhow::Result<UnsignedView> {
        match self {
            Self::Running(client) => {
                client.call(Method::Put, &["trust", "unsigned", plugin], Some(json!({"until": until})))
            }
            Self::Stopped { plugins, .. } => {
                let until_us = coded(parse_until(until).map_err(InstallError::from))?;
                coded(plugins.allow_unsigned(plugin, until_us))
            }
        }
    }
}

impl super::Client {
    /// Sends a package, and answers with what the host calls it.
    fn upload(&self, file: &Path) -> anyhow::Result<String> {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let request = self
            .client
            .post(self.url(&["packages"])?)
            .header("Content-Type", "application/octet-stream")
            .body(bytes);
        match self.send(request)?["package"].as_str() {
            Some(package) => Ok(package.to_owned()),
            None => bail!("the host does not say what it calls the package"),
        }
    }
}
