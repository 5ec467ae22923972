//! What plugins show in the console: `/api/plugins/ui…`.

use actix_files::NamedFile;
use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    web,
};
use serde::Serialize;
use streamspace_plugin::ui::SCHEMA;

use super::{
    Edge, Problem,
    auth::{May, SignedIn},
    plugins::blocking,
    problem,
};
use crate::{
    platform::access::rights::PluginsRead,
    routes::split,
    ui::{Asset, ContributionsView, MenuItemView, PageView, WidgetView},
};

/// What an asset may do if a browser is led to it by itself: nothing but show what comes from this host. What it may do
/// within the console is the console's policy.
const POLICY: &str = "default-src 'none'; img-src 'self'; style-src 'self'; font-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; sandbox";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    let resource = |path: &str, methods: &'static str| {
        web::resource(path)
            .default_service(web::to(move || std::future::ready(problem::method_not_allowed(methods))))
    };
    app.service(resource("/api/plugins/ui", "GET").route(web::get().to(all)))
        .service(resource("/api/plugins/ui/components", "GET").route(web::get().to(all)))
        .service(resource("/api/plugins/ui/widgets", "GET").route(web::get().to(widgets)))
        .service(resource("/api/plugins/ui/admin-widgets", "GET").route(web::get().to(admin_widgets)))
        .service(resource("/api/plugins/ui/pages", "GET").route(web::get().to(pages)))
        .service(resource("/api/plugins/ui/admin-pages", "GET").route(web::get().to(admin_pages)))
        .service(resource("/api/plugins/ui/menu-items", "GET").route(web::get().to(menu_items)))
        .service(resource("/api/plugins/ui/settings-pages", "GET").route(web::get().to(settings_pages)))
        .service(
            resource("/api/plugins/ui/assets/{tail:.*}", "GET, HEAD")
                .route(web::get().to(asset))
                .route(web::head().to(asset)),
        );
}

fn shown(signed_in: &SignedIn, edge: &Edge) -> ContributionsView {
    edge.ui.shown_to(&signed_in.0.caller)
}

/// An answer that depends on who asks.
fn personal(answer: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer)
}

/// A list of widgets.
#[derive(Debug, Serialize)]
struct Widgets {
    /// Sorted by order.
    widgets: Vec<WidgetView>,
}

/// A list of widgets of the administration's dashboard.
#[derive(Debug, Serialize)]
struct AdminWidgets {
    /// Sorted by order.
    admin_widgets: Vec<WidgetView>,
}

/// A list of pages.
#[derive(Debug, Serialize)]
struct Pages {
    /// Sorted by order.
    pages: Vec<PageView>,
}

/// A list of pages of the administration.
#[derive(Debug, Serialize)]
struct AdminPages {
    /// Sorted by order.
    admin_pages: Vec<PageView>,
}

/// A list of menu items.
#[derive(Debug, Serialize)]
struct MenuItems {
    /// Sorted by order.
    menu_items: Vec<MenuItemView>,
}

/// A list of settings pages.
#[derive(Debug, Serialize)]
struct SettingsPages {
    /// Sorted by order.
    settings_pages: Vec<PageView>,
}

/// `GET /api/plugins/ui` and `GET /api/plugins/ui/components`: contributions of every kind.
async fn all(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    personal(&shown(&caller, &edge))
}

/// `GET /api/plugins/ui/widgets`
async fn widgets(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    let ContributionsView { widgets, .. } = shown(&caller, &edge);
    personal(&Widgets { widgets })
}

/// `GET /api/plugins/ui/admin-widgets`
async fn admin_widgets(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    let ContributionsView { admin_widgets, .. } = shown(&caller, &edge);
    personal(&AdminWidgets { admin_widgets })
}

/// `GET /api/plugins/ui/pages`
async fn pages(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    let ContributionsView { pages, .. } = shown(&caller, &edge);
    personal(&Pages { pages })
}

/// `GET /api/plugins/ui/admin-pages`
async fn admin_pages(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    let ContributionsView { admin_pages, .. } = shown(&caller, &edge);
    personal(&AdminPages { admin_pages })
}

/// `GET /api/plugins/ui/menu-items`
async fn menu_items(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    let ContributionsView { menu_items, .. } = shown(&caller, &edge);
    personal(&MenuItems { menu_items })
}

/// `GET /api/plugins/ui/settings-pages`
async fn settings_pages(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    let ContributionsView { settings_pages, .. } = shown(&caller, &edge);
    personal(&SettingsPages { settings_pages })
}

/// `GET /api/v1/plugins/{name}/contributions`: all of one plugin, whoever may see them.
pub(super) async fn of_plugin(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let plugin = name.clone();
    blocking(&edge, move |plugins| plugins.show(&plugin)).await?;
    Ok(HttpResponse::Ok().json(edge.ui.views(&name)))
}

/// `GET /api/v1/schemas/ui.json`: the JSON Schema of declarative views. For everybody: it is the same for all hosts.
pub(super) async fn schema() -> HttpResponse {
    HttpResponse::Ok().content_type("application/schema+json").body(SCHEMA)
}

/// `GET /api/plugins/ui/assets/{name}/{hash}/{path}`: a file below `ui/` of a plugin that runs.
async fn asset(_: SignedIn, request: HttpRequest, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let none = || {
        let detail =
            "no plugin that runs has an asset at this path; `GET /api/plugins/ui` names those that are used";
        Problem::new(StatusCode::NOT_FOUND, "SSP-UIC-010", detail)
    };
    // The path as it was sent: the web server's own reading of it decodes some of it.
    let sent = request.uri().path().strip_prefix("/api/plugins/ui/assets/");
    let (name, below) = sent.and_then(split).ok_or_else(none)?;
    let ui = edge.ui.of(name).ok_or_else(none)?;
    let (hash, file) = below.trim_start_matches('/').split_once('/').ok_or_else(none)?;
    let (hash, file) = (hash.to_owned(), file.to_owned());
    let opened = web::block(move || ui.assets().open(&hash, &file)).await;
    let Asset { file, path, content_type } = opened.ok().and_then(Result::ok).ok_or_else(none)?;
    let file = NamedFile::from_file(file, path).map_err(|_| none())?;
    let mut response =
        file.prefer_utf8(false).disable_content_disposition().respond_to(&request).map_into_boxed_body();
    let headers = response.headers_mut();
    set(headers, header::CONTENT_TYPE, content_type);
    set(headers, header::CONTENT_SECURITY_POLICY, POLICY);
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(headers, header::REFERRER_POLICY, "no-referrer");
    // What is at this address never changes; but only who is signed in is given it.
    set(headers, header::CACHE_CONTROL, "private, max-age=31536000, immutable");
    Ok(response)
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
