//! Plugins that catalogues have: `/api/v1/plugins/catalog…`, and what would be done to install them.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Edge, Problem,
    auth::{self, May},
    body,
    catalogs::blocking,
    query::{Query, understood},
};
use crate::{
    catalog::{CatalogEntry, CatalogPage, Search, Sort},
    install::{
        CratesView, ExactVersion, Lock, LockPlan, OutdatedView, Plan, PlanError, PlanView, Planner,
        PluginView, wish,
    },
    platform::access::rights::{CatalogUse, HostTrust, PluginsManage, PluginsRead, Right},
    progress::Quiet,
};

/// How many are listed if nothing else is asked for, and at most.
const LISTED: usize = 50;
const MOST_LISTED: usize = 200;

/// Which plugins.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct CatalogQuery {
    /// Words that all stand in the name, the description or a tag.
    search: Option<String>,
    /// Those of this category.
    category: Option<String>,
    /// Those of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Those with this tag.
    tag: Option<String>,
    /// The order: `popular` (if nothing else is asked for), `rating`, `newest` or `name`.
    #[serde(default)]
    sort: Sort,
    /// How many of the first are left out.
    #[serde(default)]
    skip: usize,
    /// How many are listed: 50, and at most 200.
    limit: Option<usize>,
}

/// `GET /api/v1/plugins/catalog`
///
/// Plugins that the catalogues have.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/catalog",
    params(CatalogQuery),
    responses(
        (status = 200, description = "The plugins", body = CatalogPage),
        (status = 400, description = "The query is not understood"),
    ),
)]
pub(super) async fn list(
    _: May<CatalogUse>,
    query: Query<CatalogQuery>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let CatalogQuery { search, category, kind, tag, sort, skip, limit } = understood(query)?;
    let limit = limit.unwrap_or(LISTED).min(MOST_LISTED);
    let search = Search { text: search, category, tag, kind, sort, skip, limit };
    let page = blocking(&edge, move |catalogues| catalogues.search(&search)).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// `GET /api/v1/plugins/catalog/{name}`
///
/// A plugin of the catalogues, with its versions and what users think of it.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/catalog/{name}",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = 200, description = "The plugin", body = CatalogEntry),
        (status = 404, description = "No catalogue has a plugin of this name"),
    ),
)]
pub(super) async fn show(
    _: May<CatalogUse>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let entry = blocking(&edge, move |catalogues| catalogues.show(&name)).await?;
    Ok(HttpResponse::Ok().json(entry))
}

/// What a user thinks of a plugin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rate {
    /// 1 to 5.
    #[schema(minimum = 1, maximum = 5)]
    rating: i64,
    /// In words, 4096 bytes at most.
    #[serde(default)]
    review: String,
}

/// `POST /api/v1/plugins/catalog/{name}/rate`
///
/// Rates a plugin, in place of what the same account said before.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/catalog/{name}/rate",
    params(("name" = String, Path, description = "The plugin's name")),
    request_body = Rate,
    responses(
        (status = 200, description = "The plugin, with its new average", body = CatalogEntry),
        (status = 403, description = "This takes `catalog.use`, and an account: the administrator's token is none"),
        (status = 404, description = "No catalogue has a plugin of this name"),
        (status = 422, description = "The rating or the review is not as it has to be"),
    ),
)]
pub(super) async fn rate(
    may: May<CatalogUse>,
    name: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let Rate { rating, review } = body::json(payload, edge.max_body_bytes).await?;
    let user = may.identity.caller.id().to_owned();
    let entry = blocking(&edge, move |catalogues| catalogues.rate(&user, &name, rating, &review)).await?;
    Ok(HttpResponse::Ok().json(entry))
}

/// Runs an operation on the threads for blocking ones.
async fn planning<T: Send + 'static, E>(
    edge: &web::Data<Edge>,
    operation: impl FnOnce(&Edge, Planner<'_>) -> Result<T, E> + Send + 'static,
) -> Result<T, Problem>
where
    E: Send + 'static,
    Problem: From<E>,
{
    let edge = edge.clone();
    let done = web::block(move || operation(&edge, Planner::new(&edge.plugins, &edge.catalogues))).await;
    match done {
        Ok(result) => result.map_err(Problem::from),
        Err(why) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "SSP-API-500", why)),
    }
}

/// Which plugins are asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlanRequest {
    /// Each as `NAME` or `NAME@RANGE`.
    plugins: Vec<String>,
    /// Whether the newest that fits is wanted of those that are installed.
    #[serde(default)]
    newest: bool,
}

/// `POST /api/v1/install-plans`
///
/// What would have to be installed and upgraded for what is asked for, in order. Changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/install-plans",
    request_body = PlanRequest,
    responses(
        (status = 200, description = "What would be done", body = PlanView),
        (status = 409, description = "There are no versions that go together; the document says why"),
        (status = 422, description = "A plugin is listed without native code"),
    ),
)]
pub(super) async fn plan(
    _: May<PluginsRead>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let PlanRequest { plugins, newest } = body::json(payload, edge.max_body_bytes).await?;
    let view = planning(&edge, move |_, planner| {
        let wishes = plugins.iter().map(|text| wish(text, newest)).collect::<Result<Vec<_>, _>>()?;
        planner.plan(&wishes)
    });
    Ok(HttpResponse::Ok().json(view.await?))
}

/// Which version is installed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct PlanListed {
    /// A range of versions, such as `^1.2`.
    version: Option<String>,
}

/// Which version is installed, and what is consented to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct InstallListed {
    /// A range of versions, such as `^1.2`.
    version: Option<String>,
    /// For each plugin the digest of its plan, as `POST /api/v1/plugins/catalog/{name}/plan` has it, by the plugin's name. One
    /// that is missing here counts as `preapproved`: what `packages.preapproved` approves.
    consents: BTreeMap<String, String>,
}

/// What would be changed.
#[derive(Debug, Serialize, ToSchema)]
struct PlanList {
    /// In the order in which it is done; what is needed is among it. The `digest` of each is what one consents to.
    plugins: Vec<Plan>,
}

/// What has to be installed for a plugin of the catalogues.
fn listed(
    edge: &Edge,
    planner: &Planner<'_>,
    name: &str,
    version: Option<String>,
) -> Result<Vec<ExactVersion>, PlanError> {
    edge.catalogues.show(name)?;
    let asked = version.map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"));
    let plan = planner.plan(&[wish(&asked, false)?])?;
    Ok(plan.steps.iter().map(ExactVersion::from).collect())
}

/// `POST /api/v1/plugins/catalog/{name}/plan`
///
/// Downloads a plugin and what it needs, and says what installing them would change.
///
/// Changes nothing. What was downloaded waits for being installed, a week at most.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/catalog/{name}/plan",
    params(("name" = String, Path, description = "The plugin's name")),
    request_body = PlanListed,
    responses(
        (status = 200, description = "The plans, none if everything is there", body = PlanList),
        (status = 400, description = "The version is none"),
        (status = 404, description = "No catalogue has a plugin of this name"),
        (status = 409, description = "There are no versions that go together"),
        (status = 422, description = "It has no native code, or a package that this host does not take"),
        (status = 502, description = "A package cannot be had, or is not what the index says"),
    ),
)]
pub(super) async fn plan_listed(
    _: May<PluginsManage>,
    name: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let PlanListed { version } = body::json(payload, edge.max_body_bytes).await?;
    let plans =
        planning(&edge, move |edge, planner| planner.plans(&listed(edge, &planner, &name, version)?, &Quiet));
    Ok(HttpResponse::Ok().json(PlanList { plugins: plans.await? }))
}

/// What was installed.
#[derive(Debug, Serialize, ToSchema)]
struct InstalledList {
    /// In the order in which it was done; what was needed is among it.
    plugins: Vec<PluginView>,
}

/// `POST /api/v1/plugins/catalog/{name}/install`
///
/// Downloads a plugin and what it needs, and installs them, with consent to the plan of each.
///
/// Nothing is installed before all are there and consented to. Waits until each runs or failed: which of the two is in
/// `state`. If one cannot be installed, those before it stay, and the problem document names them and what was not begun.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/catalog/{name}/install",
    params(("name" = String, Path, description = "The plugin's name")),
    request_body = InstallListed,
    responses(
        (status = 201, description = "They are installed", body = InstalledList),
        (status = 400, description = "The version is none"),
        (status = 404, description = "No catalogue has a plugin of this name"),
        (status = 409, description = "There are no versions that go together, one is being changed, or what would change is not what was consented to"),
        (status = 422, description = "It has no native code, or this host does not take or load it"),
        (status = 502, description = "A package cannot be had, or is not what the index says"),
    ),
)]
pub(super) async fn install(
    _: May<PluginsManage>,
    name: web::Path<String>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let InstallListed { version, mut consents } = body::json(payload, edge.max_body_bytes).await?;
    let plugins = planning(&edge, move |edge, planner| {
        let mut exact = listed(edge, &planner, &name, version)?;
        for one in &mut exact {
            one.consent = consents.remove(&one.name);
        }
        planner.carry_out(&exact, &[], &Quiet)
    });
    Ok(HttpResponse::Created().json(InstalledList { plugins: plugins.await? }))
}

/// What is to be installed, in this order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InstallExactly {
    /// Versions, down to the bytes of their packages: as an answer of `POST /api/v1/install-plans` has them.
    plugins: Vec<ExactVersion>,
    /// Plugins that are uninstalled before the first is installed, once all are there and consented to. What they have stored
    /// stays.
    #[serde(default)]
    remove: Vec<String>,
}

/// `POST /api/v1/installations/plan`
///
/// Downloads exactly these versions, and says what installing each would change.
///
/// Changes nothing. What was downloaded waits for being installed, a week at most. `consent` and `remove` are not looked at.
#[utoipa::path(
    post,
    path = "/api/v1/installations/plan",
    request_body = InstallExactly,
    responses(
        (status = 200, description = "The plans, in the order of what was asked", body = PlanList),
        (status = 409, description = "No catalogue has one of them with this hash, or it is no upgrade of what is installed"),
        (status = 422, description = "This host does not take or load one of them"),
        (status = 502, description = "A package cannot be had, or is not what the index says"),
    ),
)]
pub(super) async fn plan_exactly(
    caller: May<PluginsManage>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let InstallExactly { plugins, .. } = body::json(payload, edge.max_body_bytes).await?;
    may_be_unsigned(&caller, &plugins)?;
    let plans = planning(&edge, move |_, planner| planner.plans(&plugins, &Quiet)).await?;
    Ok(HttpResponse::Ok().json(PlanList { plugins: plans }))
}

/// Whom nobody trusts is only for those who decide about trust.
fn may_be_unsigned(caller: &May<PluginsManage>, plugins: &[ExactVersion]) -> Result<(), Problem> {
    if plugins.iter().any(|one| one.unsigned_until.is_some()) {
        auth::must_be_permitted(&caller.identity.caller, HostTrust::NAME)?;
    }
    Ok(())
}

/// `POST /api/v1/installations`
///
/// Downloads and installs exactly these versions, in this order, with consent to the plan of each.
///
/// Nothing is installed before all are there and consented to. Waits until each runs or failed: which of the two is in
/// `state`. If one cannot be installed, those before it stay, and the problem document names them and what was not begun.
#[utoipa::path(
    post,
    path = "/api/v1/installations",
    request_body = InstallExactly,
    responses(
        (status = 201, description = "They are installed", body = InstalledList),
        (status = 404, description = "A plugin that is to be removed is not installed"),
        (status = 409, description = "No catalogue has one of them with this hash, one is being changed, or what would change is not what was consented to"),
        (status = 422, description = "This host does not take or load one of them"),
        (status = 502, description = "A package cannot be had, or is not what the index says"),
    ),
)]
pub(super) async fn install_exactly(
    caller: May<PluginsManage>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let InstallExactly { plugins, remove } = body::json(payload, edge.max_body_bytes).await?;
    may_be_unsigned(&caller, &plugins)?;
    let done = planning(&edge, move |_, planner| planner.carry_out(&plugins, &remove, &Quiet));
    Ok(HttpResponse::Created().json(InstalledList { plugins: done.await? }))
}

/// Installed plugins beside what catalogues offer.
#[derive(Debug, Serialize, ToSchema)]
struct OutdatedList {
    /// By name.
    plugins: Vec<OutdatedView>,
}

/// `GET /api/v1/outdated-plugins`
///
/// The installed plugins, beside what catalogues offer.
#[utoipa::path(
    get,
    path = "/api/v1/outdated-plugins",
    responses((status = 200, description = "All installed plugins", body = OutdatedList)),
)]
pub(super) async fn outdated(_: May<PluginsRead>, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let plugins = planning(&edge, |_, planner| planner.outdated()).await?;
    Ok(HttpResponse::Ok().json(OutdatedList { plugins }))
}

/// What the file is about.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct LockQuery {
    /// Whether plugins whose package is not known are left out, instead of the answer being refused.
    #[serde(default)]
    partial: bool,
}

/// `GET /api/v1/plugin-lock`
///
/// The installed plugins, down to the bytes of their packages.
#[utoipa::path(
    get,
    path = "/api/v1/plugin-lock",
    params(LockQuery),
    responses(
        (status = 200, description = "The plugins", body = Lock),
        (status = 400, description = "The query is not understood"),
        (status = 409, description = "It is not known of some which package they are from"),
    ),
)]
pub(super) async fn lock(
    _: May<PluginsRead>,
    query: Query<LockQuery>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let LockQuery { partial } = understood(query)?;
    let lock = planning(&edge, move |_, planner| planner.lock(partial)).await?;
    Ok(HttpResponse::Ok().json(lock))
}

/// `POST /api/v1/plugin-lock/compare`
///
/// What would have to be done to be as a lock says, and nothing else. Changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/plugin-lock/compare",
    request_body = Lock,
    responses(
        (status = 200, description = "What would be done", body = LockPlan),
        (status = 409, description = "A plugin differs from the lock, or no catalogue has it with this hash"),
        (status = 422, description = "The lock is none, or has what this host cannot load"),
    ),
)]
pub(super) async fn compare_lock(
    _: May<PluginsRead>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let lock: Lock = body::json(payload, edge.max_body_bytes).await?;
    let plan = planning(&edge, move |_, planner| planner.compare(&lock)).await?;
    Ok(HttpResponse::Ok().json(plan))
}

/// `GET /api/v1/plugins/{name}/crates`
///
/// The crates that a plugin's library was built of, if it says so.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/crates",
    params(("name" = String, Path, description = "The plugin's name")),
    responses(
        (status = 200, description = "The crates", body = CratesView),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn crates(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let view = super::plugins::blocking(&edge, move |plugins| plugins.crates(&name)).await?;
    Ok(HttpResponse::Ok().json(view))
}
