//! `/resources`: the protected resources that access tokens can be issued for (RFC 8707), as the operator makes them known. What is done
//! is `crate::resources`.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, NoBody, fields};
use super::caller::Caller;
use super::page::{self, Asked, Page, Paging};
use super::precondition::{IfMatch, check_if_named, stale};
use super::problem::{Answer, Code, Problem, Stop};
use super::write::{Write, Written, found};
use super::{Problems, instant};
use crate::app::App;
use crate::db::Conn;
use crate::db::resources as rows;
use crate::resources::{self, Refused, Terms};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, update, remove))
}

/// A resource that access tokens can be issued for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Resource {
    /// `rsc_…`.
    id: String,
    /// Its address, the audience of its tokens.
    uri: String,
    /// The scope tokens that mean something there, space separated.
    scope: String,
    /// `client_id` of the resource server, which may introspect its tokens.
    server: Option<String>,
    /// RFC 3339.
    created_at: String,
}

impl From<rows::Resource> for Resource {
    fn from(row: rows::Resource) -> Self {
        Self { id: row.id, uri: row.uri, scope: row.scopes, server: row.client_id, created_at: instant(row.created_at) }
    }
}

/// Scope tokens.
#[derive(Debug)]
struct ScopeText(String);

impl fields::FromText for ScopeText {
    fn from_text(text: &str) -> Result<Self, String> {
        habilis_policies::resources::check_scope(text)
            .map(|scope| Self(scope.to_string()))
            .map_err(|problem| problem.to_string())
    }
}

/// A `client_id`, whether it is there or not.
#[derive(Debug)]
struct ServerId(String);

impl fields::FromText for ServerId {
    fn from_text(text: &str) -> Result<Self, String> {
        let good = (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if good { Ok(Self(text.to_owned())) } else { Err("the client_id of a portal".to_owned()) }
    }
}

/// A resource to make known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewResource {
    /// Its address: an absolute URI without fragment, for good.
    #[schema(min_length = 1, max_length = 512)]
    uri: String,
    /// The scope tokens that mean something there, space separated.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 4096)]
    scope: ScopeText,
    /// `client_id` of the resource server, which may then introspect the tokens for this resource.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256)]
    server: Option<ServerId>,
}

/// What changes of a resource; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourcePatch {
    /// The scope tokens that mean something there, all of them.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 4096)]
    scope: Option<ScopeText>,
    /// `client_id` of the resource server; null for none.
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256)]
    server: fields::Patched<ServerId>,
}

fn refused(refused: &Refused) -> Stop {
    use habilis_policies::resources::Problem as Rule;
    let detail = refused.to_string();
    let problem = match refused {
        Refused::Rule(Rule::Malformed) => Problem::field("/uri", "invalid", detail),
        Refused::Rule(Rule::Own) => Problem::field("/uri", "taken", detail),
        Refused::Rule(Rule::MalformedScope | Rule::NoScope) => Problem::field("/scope", "invalid", detail),
        Refused::NoServer(_) => Problem::field("/server", "unknown", "there is no such portal"),
        Refused::Taken(_) => Problem::new(Code::Conflict, "another resource has this address"),
        Refused::Unknown => Problem::not_found(),
        Refused::Changed(version) => stale(*version),
    };
    problem.into()
}

/// List the resources, the oldest first.
#[utoipa::path(
    get, path = "/resources", tag = "portals", params(Paging),
    responses((status = 200, description = "A page", body = Page<Resource>), Problems),
    security(("oauth2" = ["habilis.portals"]))
)]
async fn list(State(app): State<App>, caller: Caller, Asked(paging): Asked<Paging>) -> Answer {
    caller.may(&app, Action::ReadPortals).await?;
    let (limit, (at, id)) = (paging.limit()?, paging.after()?);
    let found = rows::list(&mut app.db.reader().await?, (at, &id, limit + 1)).await?;
    let cursor = |row: &rows::Resource| page::cursor_before(row.created_at.milliseconds(), &row.id);
    Ok(Page::of(found, limit, cursor, Resource::from).into_response())
}

async fn known(c: &mut impl Conn, id: &str) -> Answer<rows::Resource> {
    rows::find_by_id(c, id).await?.ok_or_else(|| Problem::not_found().into())
}

/// Make a resource known, so that portals can ask for tokens that are good there and nowhere else.
#[utoipa::path(
    post, path = "/resources", tag = "portals", request_body = NewResource,
    responses((status = 201, description = "Known", body = Resource), Problems),
    security(("oauth2" = ["habilis.portals"]))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body<NewResource>) -> Answer {
    let policy = caller.may(&app, Action::WritePortals).await?;
    let new = &body.value;
    let terms = Terms { scope: &new.scope.0, server: new.server.as_ref().map(|server| server.0.as_str()) };
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let (address, event) = ((new.uri.as_str(), app.config.server.issuer.as_str()), caller.event("resource.added"));
    let done = resources::add(&mut write.tx, address, (terms, event.with("policy", policy)), write.now).await?;
    let row = done.map_err(|problem| refused(&problem))?;
    let (version, location) = (row.version, format!("/api/v1/resources/{}", row.id));
    write.finish(Written::created(location, &Resource::from(row))?.with_version(version)).await
}

/// Read a resource.
#[utoipa::path(
    get, path = "/resources/{resource}", tag = "portals",
    params(("resource" = String, Path, description = "`rsc_…`")),
    responses((status = 200, description = "Found", body = Resource), Problems),
    security(("oauth2" = ["habilis.portals"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.may(&app, Action::ReadPortals).await?;
    let row = known(&mut app.db.reader().await?, &id).await?;
    let version = row.version;
    found(&Resource::from(row), version)
}

/// Change what a resource knows and who serves it. Tokens that were issued keep their scope until they end; who may introspect them is asked
/// anew each time.
#[utoipa::path(
    patch, path = "/resources/{resource}", tag = "portals", request_body = ResourcePatch,
    params(
        ("resource" = String, Path, description = "`rsc_…`"),
        ("If-Match" = String, Header, description = "`ETag` that was read")
    ),
    responses((status = 200, description = "As it is now", body = Resource), Problems),
    security(("oauth2" = ["habilis.portals"]))
)]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    if_match: IfMatch,
    body: Body<ResourcePatch>,
) -> Answer {
    let policy = caller.may(&app, Action::WritePortals).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let before = known(&mut write.tx, &id).await?;
    if_match.check(before.version)?;
    let scope = body.value.scope.as_ref().map_or(before.scopes.as_str(), |scope| scope.0.as_str());
    let server = body.value.server.over(before.client_id.as_deref(), |server| server.0.as_str());
    let event = caller.event("resource.changed").with("policy", policy);
    let done = resources::change(&mut write.tx, &before, (Terms { scope, server }, event), write.now).await?;
    let row = done.map_err(|problem| refused(&problem))?;
    let version = row.version;
    write.finish(Written::changed(&Resource::from(row))?.with_version(version)).await
}

/// Forget a resource: no further token is issued for it, and introspection knows nothing of those that were. A resource that verifies
/// their signature itself lets them in until they end.
#[utoipa::path(
    delete, path = "/resources/{resource}", tag = "portals",
    params(
        ("resource" = String, Path, description = "`rsc_…`"),
        ("If-Match" = Option<String>, Header, description = "`ETag` that was read; may be left out")
    ),
    responses((status = 204, description = "Forgotten"), Problems),
    security(("oauth2" = ["habilis.portals"]))
)]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    if_match: Option<IfMatch>,
    request: NoBody,
) -> Answer {
    let policy = caller.may(&app, Action::WritePortals).await?;
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    let before = known(&mut write.tx, &id).await?;
    check_if_named(if_match.as_ref(), before.version)?;
    let event = caller.event("resource.removed").with("policy", policy);
    let done = resources::remove(&mut write.tx, &before, event, write.now).await?;
    done.map_err(|problem| refused(&problem))?;
    write.finish(Written::nothing()).await
}
