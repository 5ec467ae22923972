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
use utoipa::ToSchema;

use super::{
    Edge, Problem,
    auth::{May, SignedIn},
    plugins::blocking,
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

fn shown(signed_in: &SignedIn, edge: &Edge) -> ContributionsView {
    edge.ui.shown_to(&signed_in.0.caller)
}

/// An answer that depends on who asks.
fn personal(answer: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer)
}

/// A list of widgets.
#[derive(Debug, Serialize, ToSchema)]
struct Widgets {
    /// Sorted by order.
    widgets: Vec<WidgetView>,
}

/// A list of widgets of the administration's dashboard.
#[derive(Debug, Serialize, ToSchema)]
struct AdminWidgets {
    /// Sorted by order.
    admin_widgets: Vec<WidgetView>,
}

/// A list of pages.
#[derive(Debug, Serialize, ToSchema)]
struct Pages {
    /// Sorted by order.
    pages: Vec<PageView>,
}

/// A list of pages of the administration.
#[derive(Debug, Serialize, ToSchema)]
struct AdminPages {
    /// Sorted by order.
    admin_pages: Vec<PageView>,
}

/// A list of menu items.
#[derive(Debug, Serialize, ToSchema)]
struct MenuItems {
    /// Sorted by order.
    menu_items: Vec<MenuItemView>,
}

/// A list of settings pages.
#[derive(Debug, Serialize, ToSchema)]
struct SettingsPages {
    /// Sorted by order.
    settings_pages: Vec<PageView>,
}

/// `GET /api/plugins/ui`
///
/// What plugins show in the console, of every kind, as far as the caller may see it.
#[utoipa::path(
    get,
    path = "/api/plugins/ui",
    responses(
        (status = 200, description = "The contributions", body = ContributionsView),
    ),
)]
pub(super) async fn all(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    personal(&shown(&caller, &edge))
}

/// `GET /api/plugins/ui/components`
///
/// The same.
#[utoipa::path(
    get,
    path = "/api/plugins/ui/components",
    responses(
        (status = 200, description = "The contributions", body = ContributionsView),
    ),
)]
pub(super) async fn components(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    personal(&shown(&caller, &edge))
}

/// `GET /api/plugins/ui/widgets`
///
/// The widgets of the home dashboard.
#[utoipa::path(
    get,
    path = "/api/plugins/ui/widgets",
    responses(
        (status = 200, description = "The widgets of the home dashboard", body = Widgets),
    ),
)]
pub(super) async fn widgets(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    let ContributionsView { widgets, .. } = shown(&caller, &edge);
    personal(&Widgets { widgets })
}

/// `GET /api/plugins/ui/admin-widgets`
///
/// The widgets of the administration's dashboard.
#[utoipa::path(
    get,
    path = "/api/plugins/ui/admin-widgets",
    responses(
        (status = 200, description = "The widgets of the administration's dashboard", body = AdminWidgets),
    ),
)]
pub(super) async fn admin_widgets(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    let ContributionsView { admin_widgets, .. } = shown(&caller, &edge);
    personal(&AdminWidgets { admin_widgets })
}

/// `GET /api/plugins/ui/pages`
///
/// The pages for users.
#[utoipa::path(
    get,
    path = "/api/plugins/ui/pages",
    responses(
        (status = 200, description = "The pages for users", body = Pages),
    ),
)]
pub(super) async fn pages(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    let ContributionsView { pages, .. } = shown(&caller, &edge);
    personal(&Pages { pages })
}

/// `GET /api/plugins/ui/admin-pages`
///
/// The pages of the administration.
#[utoipa::path(
    get,
    path = "/api/plugins/ui/admin-pages",
    responses(
        (status = 200, description = "The pages of the administration", body = AdminPages),
    ),
)]
pub(super) async fn admin_pages(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    let ContributionsView { admin_pages, .. } = shown(&caller, &edge);
    personal(&AdminPages { admin_pages })
}

/// `GET /api/plugins/ui/menu-items`
///
/// The entries of the main navigation.
#[utoipa::path(
    get,
    path = "/api/plugins/ui/menu-items",
    responses(
        (status = 200, description = "The entries of the main navigation", body = MenuItems),
    ),
)]
pub(super) async fn menu_items(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    let ContributionsView { menu_items, .. } = shown(&caller, &edge);
    personal(&MenuItems { menu_items })
}

/// `GET /api/plugins/ui/settings-pages`
///
/// The pages where operators set plugins up.
#[utoipa::path(
    get,
    path = "/api/plugins/ui/settings-pages",
    responses(
        (status = 200, description = "The pages where operators set plugins up", body = SettingsPages),
    ),
)]
pub(super) async fn settings_pages(caller: SignedIn, edge: web::Data<Edge>) -> HttpResponse {
    let ContributionsView { settings_pages, .. } = shown(&caller, &edge);
    personal(&SettingsPages { settings_pages })
}

/// `GET /api/v1/plugins/{name}/contributions`
///
/// All that a plugin shows in the console, whoever may see it.
#[utoipa::path(
    get,
    path = "/api/v1/plugins/{name}/contributions",
    params(
        ("name" = String, Path, description = "The plugin's name"),
    ),
    responses(
        (status = 200, description = "The contributions", body = ContributionsView),
        (status = 404, description = "No plugin of this name is installed"),
    ),
)]
pub(super) async fn of_plugin(
    _: May<PluginsRead>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let plugin = name.clone();
    blocking(&edge, move |plugins| plugins.show(&plugin)).await?;
    Ok(HttpResponse::Ok().json(edge.ui.views(&name)))
}

/// `GET /api/v1/schemas/ui.json`
///
/// The JSON Schema of declarative views. It is the same for all hosts.
#[utoipa::path(
    get,
    path = "/api/v1/schemas/ui.json",
    security(()),
    responses(
        (status = 200, description = "The schema", body = Object, content_type = "application/schema+json"),
    ),
)]
pub(super) async fn schema() -> HttpResponse {
    HttpResponse::Ok().content_type("application/schema+json").body(SCHEMA)
}

/// `GET /api/plugins/ui/assets/{path}`
///
/// A file below `ui/` of a plugin that runs.
#[utoipa::path(
    get,
    path = "/api/plugins/ui/assets/{path:.*}",
    params(
        ("path" = String, Path, description = "The plugin's name, the hash of its files, and the file's path: `NAME/HASH/PATH`"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the client has"),
        ("Range" = Option<String>, Header, description = "Which bytes"),
    ),
    responses(
        (
            status = 200,
            description = "The file, by its name's ending",
            content_type = "*/*",
            body = Vec<u8>,
            headers(("ETag" = String, description = "For `If-None-Match`")),
        ),
        (status = 206, description = "The bytes that were asked for", content_type = "*/*", body = Vec<u8>),
        (status = 304, description = "The client has it"),
        (status = 404, description = "No plugin that runs has such a file"),
        (status = 412, description = "The file is not as `If-Match` or `If-Unmodified-Since` has it"),
        (status = 416, description = "The file does not have these bytes"),
    ),
)]
pub(super) async fn asset(
    _: SignedIn,
    request: HttpRequest,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
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
    match response.status() {
        StatusCode::PRECONDITION_FAILED => {
            let detail = "the file is not as `If-Match` or `If-Unmodified-Since` has it";
            return Err(Problem::new(StatusCode::PRECONDITION_FAILED, "SSP-API-412", detail));
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let detail = "the file does not have the bytes that `Range` asks for";
            return Err(Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "SSP-API-416", detail));
        }
        _ => {}
    }
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
