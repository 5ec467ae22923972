//! What has to be installed for what is asked for: from what is installed, and from what catalogues offer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use streamspace_package::{ContentHash, Machine};
use streamspace_plugin::manifest::PluginName;
use utoipa::ToSchema;

use super::{
    ExactVersion, InstallError, Plugins,
    resolve::{self, Candidate, Plan, Unresolved, Wish, World},
};
use crate::{
    catalog::{
        CatalogError, Catalogues, FetchError, Location, Offer, PackageAt, PackageFile, Release, ReleaseTarget,
    },
    clock,
};

/// Why there is no plan, or why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// What is asked for is not understood.
    #[error(
        "{text:?} is not what can be asked for: expected NAME or NAME@RANGE, such as `streamspace-slack` or `streamspace-slack@^1.2`: {problem}"
    )]
    Wish {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No catalogue has exactly this package.
    #[error(
        "no catalogue has `{plugin}` {version} as the package {expected}: found {found}. Sync the catalogues, or add the one that it is from"
    )]
    Exact {
        /// The plugin.
        plugin: String,
        /// The version.
        version: String,
        /// The hash that was asked for.
        expected: String,
        /// What there is.
        found: String,
    },
    /// The version cannot be installed here.
    #[error("`{plugin}` {version} cannot be installed: it {problem}")]
    Unusable {
        /// The plugin.
        plugin: String,
        /// The version.
        version: String,
        /// Why, as what follows "it".
        problem: String,
    },
    /// Nothing goes together.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// The catalogues.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A package cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The installed plugins.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// One of several was not installed.
    #[error("{}: {}", .0.words(), .0.source)]
    BrokenOff(Box<BrokenOff>),
}

/// One of several was not installed, and those that come after it neither.
#[derive(Debug)]
pub struct BrokenOff {
    /// What came before it, and stays.
    pub done: Vec<String>,
    /// The one.
    pub failed: String,
    /// What would have come after it.
    pub rest: Vec<String>,
    /// Why.
    pub source: InstallError,
}

impl BrokenOff {
    /// How far it came.
    #[must_use]
    pub fn words(&self) -> String {
        let part = |what: &str, names: &[String]| match names {
            [] => String::new(),
            names => format!("{what}: {}. ", names.join(", ")),
        };
        let done = part("Installed, and there to stay", &self.done);
        let rest = part("Not begun", &self.rest);
        format!("{done}{rest}Not installed: {}", self.failed)
    }
}

impl PlanError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Wish { .. } => "SSP-DEP-004",
            Self::Exact { .. } => "SSP-DEP-005",
            Self::Unusable { .. } => "SSP-DEP-006",
            Self::Unresolved(why) => why.code(),
            Self::Catalog(why) => why.code(),
            Self::Fetch(why) => why.code(),
            Self::Install(why) => why.code(),
            Self::BrokenOff(broken) => broken.source.code(),
        }
    }
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanView {
    /// One plugin each; what is needed comes before what needs it.
    pub steps: Vec<StepView>,
}

/// A plugin that is installed, or changes its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// Its name.
    pub name: String,
    /// The version that is installed.
    pub from: Option<String>,
    /// The version that will be.
    pub to: String,
    /// Whether it was asked for, and not only needed.
    pub asked: bool,
    /// Which of the plugins that will be there need it.
    pub needed_by: Vec<String>,
    /// What it asks to be allowed.
    pub permissions: Vec<String>,
    /// The catalogue.
    pub catalog: String,
    /// Where that is: a URL, or a folder of the host's machine.
    pub location: String,
    /// Where the package is in it.
    pub path: String,
    /// SHA-256 of the package's file.
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of its `package.json`.
    pub package: String,
}

/// An installed plugin, beside what catalogues offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutdatedView {
    /// Its name.
    pub name: String,
    /// The version that is installed.
    pub installed: String,
    /// The newest version that can be installed here beside the other plugins as they are.
    pub fitting: Option<String>,
    /// The newest version that there is.
    pub newest: Option<String>,
    /// Whether it stays at its version.
    pub pinned: bool,
    /// The catalogue.
    pub catalog: Option<String>,
    /// Why the version that is installed should not stay.
    pub warning: Option<String>,
}

impl OutdatedView {
    /// Whether there is a newer version, be it one that fits or not.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        let version = |text: &String| text.parse::<Version>().ok();
        let newest = self.newest.as_ref().and_then(version);
        newest.is_some_and(|newest| version(&self.installed).is_none_or(|installed| newest > installed))
    }
}

impl StepView {
    /// Where its package is.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Location`] if this is none.
    pub fn at(&self) -> Result<PackageAt, CatalogError> {
        let wrong = |problem: String| CatalogError::Location { location: self.location.clone(), problem };
        let hash = |text: &str| text.parse::<ContentHash>().map_err(|why| wrong(why.to_string()));
        Ok(PackageAt {
            location: Location::parse(&self.location)?,
            package: PackageFile {
                path: self.path.parse().map_err(|why: &str| wrong(why.to_owned()))?,
                sha256: hash(&self.sha256)?,
                size: self.size,
                package: hash(&self.package)?,
            },
        })
    }
}

/// Reads `NAME` or `NAME@RANGE`.
///
/// # Errors
///
/// [`PlanError::Wish`].
pub fn wish(text: &str, newest: bool) -> Result<Wish, PlanError> {
    let (name, range) = text.split_once('@').unwrap_or((text, "*"));
    let wrong = |problem: String| PlanError::Wish { text: text.chars().take(200).collect(), problem };
    let name: PluginName = name.parse().map_err(|why| wrong(format!("{why}")))?;
    let range: VersionReq = range.parse().map_err(|why| wrong(format!("{why}")))?;
    Ok(Wish { name: name.to_string(), range, newest })
}

/// Plans with what is installed and what catalogues offer.
#[derive(Debug, Clone, Copy)]
pub struct Planner<'a> {
    plugins: &'a Plugins,
    catalogues: &'a Catalogues,
}

impl<'a> Planner<'a> {
    /// On these.
    #[must_use]
    pub fn new(plugins: &'a Plugins, catalogues: &'a Catalogues) -> Self {
        Self { plugins, catalogues }
    }

    pub(super) fn plugins(&self) -> &'a Plugins {
        self.plugins
    }

    pub(super) fn catalogues(&self) -> &'a Catalogues {
        self.catalogues
    }

    /// What has to be done for what is asked for.
    ///
    /// # Errors
    ///
    /// [`PlanError`].
    pub fn plan(&self, wishes: &[Wish]) -> Result<PlanView, PlanError> {
        // What is installed may have to become newer, so that what is new goes with it.
        let installed = self.plugins.present()?.into_keys();
        let offers = self.offers(wishes.iter().map(|wish| wish.name.clone()).chain(installed))?;
        for wish in wishes {
            if let Some(offer) = offers.get(&wish.name).filter(|offer| offer.imported) {
                let (plugin, catalogue) = (wish.name.clone(), offer.catalog.clone());
                return Err(CatalogError::NoCode { plugin, catalogue }.into());
            }
        }
        let world = self.world(&offers)?;
        let plan = resolve::resolve(&world, wishes)?;
        self.view(&plan, &offers)
    }

    /// The installed plugins beside what catalogues offer.
    ///
    /// # Errors
    ///
    /// [`PlanError`].
    pub fn outdated(&self) -> Result<Vec<OutdatedView>, PlanError> {
        let installed = self.plugins.present()?;
        let offers = self.offers(installed.keys().cloned())?;
        let world = self.world(&offers)?;
        let revoked = self.catalogues.revocations()?;
        let mut views = Vec::new();
        for (name, present) in &installed {
            let offer = offers.get(name);
            let newest = offer.and_then(|offer| offer.listing.shown()).map(|release| release.version.clone());
            let wish = Wish { name: name.clone(), range: VersionReq::STAR, newest: true };
            let fitting = match resolve::resolve(&world, &[wish]) {
                Ok(plan) => plan.steps.into_iter().find(|step| step.name == *name).map(|step| step.to),
                Err(_) => None,
            };
            views.push(OutdatedView {
                name: name.clone(),
                installed: present.version.to_string(),
                fitting: fitting.filter(|_| !present.pinned).map(|version| version.to_string()),
                newest: newest.map(|version| version.to_string()),
                pinned: present.pinned,
                catalog: offer.map(|offer| offer.catalog.clone()),
                warning: offer.and_then(|offer| warning(offer, &present.version, &revoked)),
            });
        }
        Ok(views)
    }

    /// The plan that installs exactly these, in this order.
    ///
    /// # Errors
    ///
    /// [`PlanError::Exact`] for one that no catalogue has with this hash.
    pub fn exactly(&self, wanted: &[ExactVersion]) -> Result<PlanView, PlanError> {
        let installed = self.plugins.present()?;
        let mut plan = Plan::default();
        let mut offers = BTreeMap::new();
        for one in wanted {
            let offer = self.catalogues.offer(&one.name)?;
            let found = offer.as_ref().and_then(|offer| {
                let mut all = offer.listing.versions.iter();
                all.find(|release| release.version.to_string() == one.version)
            });
            let hash =
                found.and_then(|release| release.package.as_ref()).map(|package| package.package.to_string());
            let (Some(offer), Some(release)) =
                (&offer, found.filter(|_| hash.as_ref() == Some(&one.package)))
            else {
                return Err(PlanError::Exact {
                    plugin: one.name.clone(),
                    version: one.version.clone(),
                    expected: one.package.clone(),
                    found: hash.unwrap_or_else(|| "no such version".to_owned()),
                });
            };
            if let Some(problem) = self.unusable(offer, release)? {
                let (plugin, version) = (one.name.clone(), one.version.clone());
                return Err(PlanError::Unusable { plugin, version, problem });
            }
            plan.steps.push(resolve::Step {
                name: one.name.clone(),
                from: installed.get(&one.name).map(|present| present.version.clone()),
                to: release.version.clone(),
                asked: true,
                needed_by: Vec::new(),
            });
            offers.insert(one.name.clone(), Arc::clone(offer));
        }
        self.view(&plan, &offers)
    }

    fn unusable(&self, offer: &Offer, release: &Release) -> Result<Option<String>, PlanError> {
        let revoked = self.catalogues.revocations()?;
        Ok(unusable(offer, release, &self.plugins.loader.machine(), &revoked, clock::unix_time_us()))
    }

    /// What is offered of some plugins, and of all that these may need.
    pub(super) fn offers(
        &self,
        names: impl Iterator<Item = String>,
    ) -> Result<BTreeMap<String, Arc<Offer>>, CatalogError> {
        let mut open: Vec<String> = names.collect();
        let (mut seen, mut offers) = (BTreeSet::new(), BTreeMap::new());
        // What is installed is not needed anew, but may have to become newer.
        while let Some(name) = open.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            if let Some(offer) = self.catalogues.offer(&name)? {
                for release in &offer.listing.versions {
                    open.extend(release.dependencies.keys().map(ToString::to_string));
                }
                offers.insert(name, offer);
            }
        }
        Ok(offers)
    }

    fn world(&self, offers: &BTreeMap<String, Arc<Offer>>) -> Result<World, PlanError> {
        let machine = self.plugins.loader.machine();
        let revoked = self.catalogues.revocations()?;
        let now = clock::unix_time_us();
        let offered = offers.iter().map(|(name, offer)| {
            let all = offer.listing.versions.iter();
            (name.clone(), all.map(|release| candidate(offer, release, &machine, &revoked, now)).collect())
        });
        Ok(World { offered: offered.collect(), installed: self.plugins.present()? })
    }

    fn view(&self, plan: &Plan, offers: &BTreeMap<String, Arc<Offer>>) -> Result<PlanView, PlanError> {
        let mut steps = Vec::new();
        for step in &plan.steps {
            let none = || CatalogError::NoListing { name: step.name.clone() };
            let offer = offers.get(&step.name).ok_or_else(none)?;
            let release = offer.listing.versions.iter().find(|release| release.version == step.to);
            let release = release.ok_or_else(none)?;
            let package = release.package.as_ref().ok_or_else(none)?;
            steps.push(StepView {
                name: step.name.clone(),
                from: step.from.as_ref().map(ToString::to_string),
                to: step.to.to_string(),
                asked: step.asked,
                needed_by: step.needed_by.clone(),
                permissions: release.permissions.clone(),
                catalog: offer.catalog.clone(),
                location: self.catalogues.location(&offer.catalog)?.to_string(),
                path: package.path.as_str().to_owned(),
                sha256: package.sha256.to_string(),
                size: package.size,
                package: package.package.to_string(),
            });
        }
        Ok(PlanView { steps })
    }
}

fn candidate(
    offer: &Offer,
    release: &Release,
    machine: &Machine,
    revoked: &BTreeMap<String, String>,
    now_us: u64,
) -> Candidate {
    Candidate {
        version: release.version.clone(),
        dependencies: ranges(&release.dependencies),
        conflicts: ranges(&release.conflicts),
        unusable: unusable(offer, release, machine, revoked, now_us),
    }
}

pub(super) fn ranges(all: &BTreeMap<PluginName, VersionReq>) -> BTreeMap<String, VersionReq> {
    all.iter().map(|(name, range)| (name.to_string(), range.clone())).collect()
}

/// Why a version cannot be installed here, as what follows "it".
fn unusable(
    offer: &Offer,
    release: &Release,
    machine: &Machine,
    revoked: &BTreeMap<String, String>,
    now_us: u64,
) -> Option<String> {
    let Some(package) = &release.package else {
        return Some(format!("has no native code (it was imported into the catalogue {})", offer.catalog));
    };
    if let Some(reason) = revoked.get(&package.package.to_string()) {
        return Some(format!("is revoked: {reason}"));
    }
    if let Some(reason) = &release.yanked {
        return Some(format!("was withdrawn: {reason}"));
    }
    if offer.expires.us() <= now_us {
        return Some(format!(
            "is offered by the catalogue {} alone, whose index expired at {} (`streamspace catalog sync`)",
            offer.catalog, offer.expires
        ));
    }
    if !release.targets.iter().any(|target| misfit(target, machine).is_none()) {
        let mut offered: Vec<_> = release
            .targets
            .iter()
            .map(|target| match misfit(target, machine) {
                Some(why) if target.triple == machine.triple => format!("{} ({why})", target.triple),
                _ => target.triple.to_string(),
            })
            .collect();
        offered.dedup();
        return Some(format!("has no library for {machine}, only for {}", offered.join(", ")));
    }
    None
}

/// Why a library does not run on a machine, if so.
fn misfit(target: &ReleaseTarget, machine: &Machine) -> Option<String> {
    if target.triple != machine.triple {
        return Some(format!("it is for {}", target.triple));
    }
    match (target.cpu, machine.cpu) {
        (Some(wanted), Some(found)) if found < wanted => {
            return Some(format!("it needs a processor of {wanted}"));
        }
        _ => {}
    }
    match (target.glibc_min, machine.glibc) {
        (Some(wanted), Some(found)) if found < wanted => Some(format!("it needs glibc {wanted}")),
        _ => None,
    }
}

/// Why an installed version should not stay.
fn warning(offer: &Offer, installed: &Version, revoked: &BTreeMap<String, String>) -> Option<String> {
    let release = offer.listing.versions.iter().find(|release| release.version == *installed)?;
    let hash = release.package.as_ref().map(|package| package.package.to_string());
    if let Some(reason) = hash.and_then(|hash| revoked.get(&hash)) {
        return Some(format!("this version is revoked: {reason}"));
    }
    release.yanked.as_ref().map(|reason| format!("this version was withdrawn: {reason}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Why a version with these targets cannot be installed on a machine with this glibc.
    fn why(targets: Value, glibc: Option<&str>) -> Option<String> {
        let release = json!({
            "version": "1.0.0", "released_at": "2026-11-26T12:00:00Z", "targets": targets,
            "package": {"path": "a-1.0.0.sspkg", "sha256": "1".repeat(64), "size": 10, "package": "2".repeat(64)},
        });
        let listing = json!({"name": "aa-a", "display_name": "A", "type": "webhook", "versions": [release]});
        let offer = Offer {
            catalog: "example".to_owned(),
            imported: false,
            expires: serde_json::from_value(json!("2026-12-26T12:00:00Z")).expect("a time"),
            listing: serde_json::from_value(listing).expect("a listing"),
        };
        let machine = Machine {
            triple: "x86_64-unknown-linux-gnu".parse().expect("a triple"),
            cpu: Some("x86-64-v2".parse().expect("a level")),
            glibc: glibc.map(|glibc| glibc.parse().expect("a version")),
        };
        unusable(&offer, &offer.listing.versions[0], &machine, &BTreeMap::new(), 0)
    }

    #[test]
    fn a_library_for_a_newer_machine_is_not_taken_and_the_reason_says_what_it_needs() {
        let of = |glibc: &str| json!([{"triple": "x86_64-unknown-linux-gnu", "glibc_min": glibc}]);
        assert_eq!(why(of("2.36"), Some("2.36")), None);
        assert_eq!(why(of("2.38"), None), None, "what is not known is found out before it is loaded");
        assert_eq!(
            why(of("2.38"), Some("2.36")).expect("a reason"),
            "has no library for x86_64-unknown-linux-gnu, processor x86-64-v2, glibc 2.36, only for \
             x86_64-unknown-linux-gnu (it needs glibc 2.38)"
        );
        let several = json!([
            {"triple": "x86_64-unknown-linux-gnu", "cpu": "x86-64-v3", "glibc_min": "2.28"},
            {"triple": "x86_64-unknown-linux-gnu", "cpu": "x86-64-v1", "glibc_min": "2.38"},
            {"triple": "aarch64-unknown-linux-gnu", "glibc_min": "2.28"},
        ]);
        let reason = why(several.clone(), Some("2.36")).expect("a reason");
        for word in
            ["(it needs a processor of x86-64-v3)", "(it needs glibc 2.38)", ", aarch64-unknown-linux-gnu"]
        {
            assert!(reason.contains(word), "`{word}`: {reason}");
        }
        assert_eq!(why(several, Some("2.38")), None, "one of them fits");
    }
}
