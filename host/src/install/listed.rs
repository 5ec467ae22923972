//! Versions that catalogues have, down to the bytes of their packages: what installing them would change, and doing it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    AllowUnsigned, Consent, InstallError, PREAPPROVED, Plan, PlanError, PlanView, Planner, PluginView,
    Plugins, Source, StepView, planner::BrokenOff, present::Together, resolve::Present,
};
use crate::{catalog::Fetcher, progress::Progress, store::parse_until};

/// A version, down to the bytes of its package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExactVersion {
    /// The plugin's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// SHA-256 of the package's `package.json`.
    pub package: String,
    /// The digest of the package's plan, which is consented to, or `preapproved`, as which it counts if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
    /// The last day on which the plugin may be signed by nobody who is trusted, such as `2026-12-31`, in UTC; within a year.
    /// Takes the permission `host.trust` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsigned_until: Option<String>,
}

impl From<&StepView> for ExactVersion {
    fn from(step: &StepView) -> Self {
        Self {
            name: step.name.clone(),
            version: step.to.clone(),
            package: step.package.clone(),
            consent: None,
            unsigned_until: None,
        }
    }
}

/// One of several packages that are to be installed.
struct Order<'a> {
    wanted: &'a ExactVersion,
    file: PathBuf,
    allow: Option<AllowUnsigned>,
    consent: Consent,
}

impl<'a> Order<'a> {
    fn new(wanted: &'a ExactVersion, file: PathBuf) -> Result<Self, InstallError> {
        let allow = match &wanted.unsigned_until {
            Some(until) => Some(AllowUnsigned { plugin: wanted.name.clone(), until_us: parse_until(until)? }),
            None => None,
        };
        let consent = Consent::parse(wanted.consent.as_deref().unwrap_or(PREAPPROVED));
        Ok(Self { wanted, file, allow, consent })
    }

    fn source(&self) -> Source {
        Source::File(self.file.clone())
    }
}

impl Planner<'_> {
    /// What installing exactly these would change, each beside what is installed now. The packages are fetched for it, and
    /// wait for being installed.
    ///
    /// # Errors
    ///
    /// [`PlanError`].
    pub fn plans(&self, wanted: &[ExactVersion], progress: &dyn Progress) -> Result<Vec<Plan>, PlanError> {
        let (_, orders) = self.fetched(wanted, progress)?;
        orders.iter().map(|order| Ok(self.plugins().plan_listed(order)?.0)).collect()
    }

    /// Installs exactly these, in this order. All of them are fetched, and consent to each is looked at, before anything is
    /// changed. Then those in `remove` are uninstalled, whose data stays. Answers with what was installed.
    ///
    /// # Errors
    ///
    /// [`PlanError`]; what came before the step that failed stays, which [`PlanError::BrokenOff`] says.
    pub fn carry_out(
        &self,
        wanted: &[ExactVersion],
        remove: &[String],
        progress: &dyn Progress,
    ) -> Result<Vec<PluginView>, PlanError> {
        let (plan, orders) = self.fetched(wanted, progress)?;
        let together = self.plugins().ready(&orders, remove)?;
        // First, since what comes may not be able to be beside it.
        for name in remove {
            self.plugins().uninstall(name, false)?;
        }
        let mut views: Vec<PluginView> = Vec::new();
        for (step, order) in plan.steps.iter().zip(&orders) {
            match self.plugins().take(step, order, &together) {
                Ok(view) => views.push(view),
                Err(why) if orders.len() == 1 => return Err(why.into()),
                Err(why) => {
                    let named = |step: &StepView| format!("`{}` {}", step.name, step.to);
                    let at = views.len();
                    return Err(PlanError::BrokenOff(Box::new(BrokenOff {
                        done: plan.steps[..at].iter().map(named).collect(),
                        failed: named(step),
                        rest: plan.steps[at + 1..].iter().map(named).collect(),
                        source: why,
                    })));
                }
            }
            self.catalogues().count_install(&step.name, &step.to, &step.package, &step.catalog)?;
            // It is in the store now; what cannot be removed goes after a week.
            let _ = std::fs::remove_file(&order.file);
        }
        Ok(views)
    }

    /// The packages, which are downloaded or taken from where they were downloaded to before.
    fn fetched<'a>(
        &self,
        wanted: &'a [ExactVersion],
        progress: &dyn Progress,
    ) -> Result<(PlanView, Vec<Order<'a>>), PlanError> {
        let plan = self.exactly(wanted)?;
        let (data, fetcher) = (self.catalogues().data(), Fetcher::new(self.catalogues().config())?);
        let mut orders = Vec::new();
        for (step, one) in plan.steps.iter().zip(wanted) {
            orders.push(Order::new(one, step.at()?.fetch(&fetcher, data, progress)?)?);
        }
        Ok((plan, orders))
    }
}

impl Plugins {
    /// What a package would change, and what it would be beside the others: not yet whether it can be.
    fn plan_listed(&self, order: &Order<'_>) -> Result<(Plan, Present), InstallError> {
        let opened = self.open(&order.source(), order.allow.as_ref())?;
        let (wanted, document) = (order.wanted, opened.package.document());
        let found =
            (document.name.to_string(), document.version.to_string(), opened.package.hash().to_string());
        if (&wanted.name, &wanted.version, &wanted.package) != (&found.0, &found.1, &found.2) {
            return Err(InstallError::OtherPackage {
                expected: format!("`{}` {}, {}", wanted.name, wanted.version, wanted.package),
                found: format!("`{}` {}, {}", found.0, found.1, found.2),
            });
        }
        Ok((self.plan_opened(&opened)?, Present::of(&opened.manifest)))
    }

    /// Sees that nothing that is known now is in the way of any of these. Answers with what they will be.
    fn ready(&self, orders: &[Order<'_>], remove: &[String]) -> Result<Together, InstallError> {
        for name in remove {
            self.record(name)?;
        }
        let mut together = Together::new();
        for order in orders {
            let (plan, present) = self.plan_listed(order)?;
            self.refuse_pinned(&plan.plugin, &plan.to)?;
            order.consent.check(&plan, &self.packages.settings)?;
            together.insert(plan.plugin, present);
        }
        self.refuse_clashes(together.clone(), remove)?;
        Ok(together)
    }

    fn take(
        &self,
        step: &StepView,
        order: &Order<'_>,
        together: &Together,
    ) -> Result<PluginView, InstallError> {
        let (source, allow) = (order.source(), order.allow.as_ref());
        match step.from {
            Some(_) => self.upgrade_with(&step.name, &source, allow, &order.consent, together),
            None => self.install_with(&source, allow, &order.consent, together),
        }
    }
}
