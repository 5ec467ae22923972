//! Catalogues: `/api/v1/catalogs…`.

use std::path::PathBuf;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use streamspace_package::PublicKey;
use utoipa::ToSchema;

use super::{Edge, Problem, auth::May, body};
use crate::{
    catalog::{CatalogError, CatalogView, Catalogues, NewCatalog, SyncView},
    platform::access::rights::{PluginsManage, PluginsOperate, PluginsRead},
};

/// Runs an operation on the threads for blocking ones: it waits for other machines, disks and locks.
pub(super) async fn blocking<T: Send + 'static>(
    edge: &web::Data<Edge>,
    operation: impl FnOnce(&Catalogues) -> Result<T, CatalogError> + Send + 'static,
) -> Result<T, Problem> {
    let catalogues = edge.catalogues.clone();
    match web::block(move || operation(&catalogues)).await {
        Ok(result) => result.map_err(Problem::from),
        Err(why) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "SSP-API-500", why)),
    }
}

/// Catalogues.
#[derive(Debug, Serialize, ToSchema)]
struct CatalogList {
    /// In the order in which they were added: of a plugin that several have, the first one's is taken.
    catalogs: Vec<CatalogView>,
}

/// `GET /api/v1/catalogs`
///
/// The catalogues.
#[utoipa::path(
    get,
    path = "/api/v1/catalogs",
    responses((status = 200, description = "The catalogues", body = CatalogList)),
)]
pub(super) async fn list(_: May<PluginsRead>, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let catalogs = blocking(&edge, Catalogues::list).await?;
    Ok(HttpResponse::Ok().json(CatalogList { catalogs }))
}

/// A catalogue that is to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddCatalog {
    /// A URL, or the absolute path of a folder on the host's machine.
    location: String,
    /// The minisign public key that its index is signed with.
    #[schema(value_type = String)]
    key: PublicKey,
    /// Its name here, instead of the one that it gives itself.
    name: Option<String>,
}

/// `POST /api/v1/catalogs`
///
/// Adds a catalogue whose index can be read and is signed with the key.
#[utoipa::path(
    post,
    path = "/api/v1/catalogs",
    request_body = AddCatalog,
    responses(
        (status = 201, description = "The catalogue", body = CatalogView),
        (status = 409, description = "There is a catalogue of this name"),
        (status = 422, description = "The location, the signature or the index is not accepted"),
        (status = 502, description = "The index cannot be read from where it is"),
    ),
)]
pub(super) async fn add(
    _: May<PluginsManage>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let AddCatalog { location, key, name } = body::json(payload, edge.max_body_bytes).await?;
    let new = NewCatalog { location, key, name };
    let view = blocking(&edge, move |catalogues| catalogues.add(&new)).await?;
    Ok(HttpResponse::Created().json(view))
}

/// `DELETE /api/v1/catalogs/{name}`
///
/// Removes a catalogue. What was installed from it stays, and so does what users think of its plugins.
#[utoipa::path(
    delete,
    path = "/api/v1/catalogs/{name}",
    params(("name" = String, Path, description = "The catalogue's name")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is no catalogue of this name"),
    ),
)]
pub(super) async fn remove(
    _: May<PluginsManage>,
    name: web::Path<String>,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    blocking(&edge, move |catalogues| catalogues.remove(&name)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Which catalogues are synced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct SyncCatalogs {
    /// This one alone.
    name: Option<String>,
}

/// What came of syncing.
#[derive(Debug, Serialize, ToSchema)]
struct Synced {
    /// One for each catalogue that has a signature.
    catalogs: Vec<SyncView>,
}

/// `POST /api/v1/catalogs/sync`
///
/// Reads the indexes of catalogues anew, and answers when that is done.
///
/// What fails leaves what was known, and stands in the answer.
#[utoipa::path(
    post,
    path = "/api/v1/catalogs/sync",
    request_body = SyncCatalogs,
    responses(
        (status = 200, description = "What came of each", body = Synced),
        (status = 404, description = "There is no catalogue of this name"),
        (status = 409, description = "The catalogue was imported, and has nothing to sync from"),
    ),
)]
pub(super) async fn sync(
    _: May<PluginsOperate>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let SyncCatalogs { name } = body::json(payload, edge.max_body_bytes).await?;
    let catalogs = blocking(&edge, move |catalogues| catalogues.sync(name.as_deref())).await?;
    Ok(HttpResponse::Ok().json(Synced { catalogs }))
}

/// What is imported.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ImportCatalog {
    /// `catalog.yaml`, `catalog.json` or a folder with a manifest for each plugin, on the host's machine, as an absolute
    /// path.
    #[schema(value_type = String)]
    path: PathBuf,
    /// The name of the catalogue, instead of the one in the file.
    name: Option<String>,
}

/// `POST /api/v1/catalogs/import`
///
/// Reads a list of the platform's plugins as a catalogue of plugins that cannot be installed.
#[utoipa::path(
    post,
    path = "/api/v1/catalogs/import",
    request_body = ImportCatalog,
    responses(
        (status = 201, description = "The catalogue", body = CatalogView),
        (status = 409, description = "There is a catalogue of this name that was not imported"),
        (status = 422, description = "The file is no such list"),
    ),
)]
pub(super) async fn import(
    _: May<PluginsManage>,
    payload: web::Payload,
    edge: web::Data<Edge>,
) -> Result<HttpResponse, Problem> {
    let ImportCatalog { path, name } = body::json(payload, edge.max_body_bytes).await?;
    if !path.is_absolute() {
        return Err(Problem::bad_request(
            "SSP-API-003",
            "`path`: expected an absolute path on the host's machine",
        ));
    }
    let view = blocking(&edge, move |catalogues| catalogues.import(&path, name.as_deref())).await?;
    Ok(HttpResponse::Created().json(view))
}
