//! The list of all that the host answers: what is in it is mounted and described, and nothing else is.
//!
//! A handler has its path, method, parameters and answers in `#[utoipa::path]` beside it. The names of what is answered,
//! which are those of the types, share one space: two types of one name would be one in the document.

use actix_web::{
    Route, guard,
    http::Method,
    web::{self, ServiceConfig},
};
use utoipa::{
    Modify, OpenApi, Path,
    openapi::{
        path::HttpMethod,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    Problem, dead_letters, events, gateway, health, jobs, observe, openapi, plugins,
    problem::{RefusalMembers, method_not_allowed},
};

/// One method of one path.
struct Operation {
    path: String,
    method: Method,
    route: fn() -> Route,
}

impl Operation {
    /// As `#[utoipa::path]` has it.
    fn of<P: Path>(route: fn() -> Route) -> Self {
        let method = P::methods().into_iter().next().map_or(Method::GET, method);
        Self { path: P::path(), method, route }
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
            components(schemas(Problem, RefusalMembers)),
            security(("token" = [])),
            modifiers(&Token),
        )]
        pub(super) struct Described;

        fn operations() -> Vec<Operation> {
            vec![$(Operation::of::<$file::[<__path_ $handler>]>(|| web::to($file::$handler))),*]
        }
    }};
}

operations![
    health::healthz,
    health::readyz,
    openapi::show,
    observe::events,
    events::post,
    plugins::list,
    plugins::install,
    plugins::show,
    plugins::uninstall,
    plugins::enable,
    plugins::disable,
    plugins::config,
    plugins::set_config,
    plugins::set_log_level,
    plugins::rotate_secret_key,
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
];

/// How one signs in.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The administrator's token, which is in `admin.token` in the data folder"));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token.build()));
    }
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
            .map(|operation| (operation.path, operation.method.to_string()))
            .collect();
        assert_eq!(mounted, described);
        assert_eq!(mounted.len(), operations().len(), "a method of a path is there twice");
    }
}
