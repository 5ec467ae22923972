//! The list of all that the host answers: what is in it is mounted and described, and nothing else is.
//!
//! A handler has its path, method, parameters and answers in `#[utoipa::path]` beside it. The path is as the web server
//! has it: `{rest:.*}` matches several segments, and is `{rest}` in the document. The names of what is answered, which are
//! those of the types, share one space: two types of one name would be one in the document.

use actix_web::{
    Route, guard,
    http::Method,
    web::{self, ServiceConfig},
};
use utoipa::{
    Modify, OpenApi, Path,
    openapi::{
        path::HttpMethod,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    Problem, catalogs, catalogued, dead_letters, events, gateway, groups, health, jobs, logs, metrics,
    needs::{self, Needs},
    observe, openapi, origin, packages, plugins,
    problem::{RefusalMembers, TransitionMembers, method_not_allowed},
    sessions, sign_in, stream, tokens, trust, ui, users, vnc,
};

/// One method of one path.
pub(super) struct Operation {
    /// As the web server has it.
    pub(super) path: String,
    pub(super) method: Method,
    /// What it asks of the caller.
    pub(super) needs: Needs,
    route: fn() -> Route,
}

impl Operation {
    /// As `#[utoipa::path]` has it.
    fn of<P: Path>(needs: Needs, route: fn() -> Route) -> Self {
        let method = P::methods().into_iter().next().map_or(Method::GET, method);
        Self { path: P::path(), method, needs, route }
    }
}

/// Takes handlers with `#[utoipa::path]`, each as `file::function`.
macro_rules! operations {
    ($($file:ident::$handler:ident),* $(,)?) => { pastey::paste! {
        /// All of them, described.
        #[derive(OpenApi)]
        #[openapi(
            info(
                title = "StreamSpace",
                description = "The host's HTTP interface, and that of its plugins. `HEAD` is answered wherever `GET` is. \
                    Other methods are answered with 405 and `Allow`, and what is not here with 404, both with a problem \
                    document.",
            ),
            paths($($file::$handler),*),
            components(schemas(Problem, RefusalMembers, TransitionMembers)),
            security(("token" = []), ("cookie" = [])),
            modifiers(&Schemes),
        )]
        pub(super) struct Described;

        pub(super) fn operations() -> Vec<Operation> {
            vec![$(Operation::of::<$file::[<__path_ $handler>]>(
                needs::of($file::$handler),
                || web::to($file::$handler),
            )),*]
        }
    }};
}

operations![
    health::healthz,
    health::readyz,
    metrics::metrics,
    openapi::show,
    sign_in::sign_in,
    sign_in::sign_out,
    sign_in::me,
    sign_in::change_me,
    sign_in::change_password,
    sign_in::permissions,
    observe::status,
    observe::consumers,
    observe::events,
    events::post,
    stream::stream,
    logs::host,
    plugins::list,
    plugins::install,
    // Before those of one plugin, whose name this is not.
    catalogued::list,
    catalogued::show,
    catalogued::rate,
    catalogued::plan_listed,
    catalogued::install,
    plugins::show,
    plugins::uninstall,
    plugins::enable,
    plugins::disable,
    plugins::config,
    plugins::set_config,
    plugins::set_log_level,
    plugins::rotate_secret_key,
    packages::upload,
    packages::plan,
    packages::install,
    packages::upgrade,
    packages::rollback,
    packages::generations,
    packages::pin,
    packages::unpin,
    trust::show,
    trust::add,
    trust::remove,
    trust::revoke,
    trust::allow_unsigned,
    observe::consumers_of,
    observe::health,
    observe::grants,
    logs::plugin,
    catalogued::plan,
    catalogued::plan_exactly,
    catalogued::install_exactly,
    catalogued::outdated,
    catalogued::lock,
    catalogued::compare_lock,
    catalogued::crates,
    catalogs::list,
    catalogs::add,
    // Before that of one catalogue, whose name this may not be.
    catalogs::sync,
    catalogs::import,
    catalogs::remove,
    plugins::blocked,
    plugins::unblock,
    dead_letters::list,
    dead_letters::drop_all,
    // Before those of one event, whose id this is not.
    dead_letters::replay_all,
    dead_letters::show,
    dead_letters::drop_one,
    dead_letters::replay_one,
    jobs::list,
    jobs::show,
    jobs::run,
    jobs::pause,
    jobs::resume,
    gateway::list,
    gateway::ticket,
    sessions::list,
    sessions::create,
    sessions::show,
    sessions::change,
    sessions::delete,
    sessions::transition,
    sessions::heartbeat,
    sessions::activity,
    vnc::ticket,
    vnc::vnc,
    sessions::connect,
    sessions::disconnect,
    sessions::share,
    sessions::unshare,
    users::list,
    users::create,
    users::show,
    users::update,
    users::remove,
    users::enable,
    users::disable,
    users::set_password,
    users::grant,
    users::revoke,
    groups::list,
    groups::create,
    groups::show,
    groups::update,
    groups::remove,
    groups::add,
    groups::take_out,
    groups::grant,
    groups::revoke,
    tokens::list,
    tokens::create,
    tokens::revoke,
    ui::all,
    ui::components,
    ui::widgets,
    ui::admin_widgets,
    ui::pages,
    ui::admin_pages,
    ui::menu_items,
    ui::settings_pages,
    ui::asset,
    ui::of_plugin,
    ui::schema,
];

/// How one signs in.
struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "A token of an account (`POST /api/v1/tokens`), or the administrator's, which is in `admin.token` in the \
             data folder",
        ));
        let cookie = ApiKeyValue::with_description(
            origin::PLAIN,
            "The cookie of `POST /api/v1/sign-in`. Over HTTPS its name begins with `__Host-`",
        );
        let csrf = ApiKeyValue::with_description(
            "X-CSRF-Token",
            "The `csrf_token` that signing in and `GET /api/v1/me` answer: for calls with the cookie that change something",
        );
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token.build()));
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        components.add_security_scheme("csrf", SecurityScheme::ApiKey(ApiKey::Header(csrf)));
    }
}

/// A path as OpenAPI has it: which text a parameter matches is not in it.
pub(super) fn documented(path: &str) -> String {
    path.replace(":.*}", "}")
}

/// Paths with what is mounted at each, in the order of the list.
fn by_path() -> Vec<(String, Vec<Operation>)> {
    let mut paths: Vec<(String, Vec<Operation>)> = Vec::new();
    for operation in operations() {
        match paths.iter_mut().find(|(path, _)| *path == operation.path) {
            Some((_, operations)) => operations.push(operation),
            None => paths.push((operation.path.clone(), vec![operation])),
        }
    }
    paths
}

/// Mounts all of them.
pub(super) fn mount(app: &mut ServiceConfig) {
    for (path, operations) in by_path() {
        let allowed = allowed(&operations);
        let mut resource = web::resource(path)
            .default_service(web::to(move || std::future::ready(method_not_allowed(&allowed))));
        for Operation { method, route, .. } in operations {
            let route = route();
            resource = resource.route(match method {
                Method::GET => route.guard(guard::Any(guard::Get()).or(guard::Head())),
                method => route.guard(guard::Method(method)),
            });
        }
        app.service(resource);
    }
}

/// What `Allow` says of a path.
fn allowed(operations: &[Operation]) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for operation in operations {
        methods.push(operation.method.as_str());
        if operation.method == Method::GET {
            methods.push("HEAD");
        }
    }
    methods.join(", ")
}

fn method(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_mounted_is_described_and_what_is_described_is_mounted() {
        let document = openapi::host_document();
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in item.as_object().into_iter().flatten().map(|(method, _)| method) {
                described.insert((path.clone(), method.to_uppercase()));
            }
        }
        let mounted: BTreeSet<_> = operations()
            .into_iter()
            .map(|operation| (documented(&operation.path), operation.method.to_string()))
            .collect();
        assert_eq!(mounted, described);
        assert_eq!(mounted.len(), operations().len(), "a method of a path is there twice");
    }

    #[test]
    fn who_asks_nothing_of_the_caller_says_so() {
        let document = openapi::host_document();
        for Operation { path, method, needs, .. } in operations() {
            let operation = &document["paths"][documented(&path)][method.as_str().to_lowercase()];
            let security = operation.get("security").and_then(|security| security.as_array());
            let is_open = security.is_some_and(|ways| ways.contains(&serde_json::json!({})));
            assert_eq!(is_open, needs == Needs::Nothing, "{method} {path}");
        }
    }
}
