//! Rights in portals: what the operator grants an organization, and what its administrators give their members within it.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::body::Body;
use super::caller::{Caller, OnMember};
use super::members::{Member, check_granted, show, still};
use super::page::Page;
use super::precondition::{IfMatch, check_if_named};
use super::problem::{Answer, Problem};
use super::write::{Write, Written, found};
use crate::app::App;
use crate::db::members::{self, Right};
use crate::db::{audit, clients, organizations, portal_grants};
use crate::web::routing::routes;

/// Longest name of a role.
const MAX_ROLE: usize = 64;
/// Longest id of a client.
const MAX_CLIENT_ID: usize = 256;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(portals)).routes(routes!(granted, grant)).routes(routes!(give))
}

/// A right of a member in a portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RightGiven {
    /// `client_id` of the portal.
    #[serde(deserialize_with = "client_id")]
    #[schema(min_length = 1, max_length = 256)]
    pub(super) client_id: String,
    /// What it is called there: visible ASCII characters without spaces.
    #[serde(deserialize_with = "role")]
    #[schema(min_length = 1, max_length = 64)]
    pub(super) role: String,
}

impl RightGiven {
    pub(super) fn new(client_id: &str, role: &str) -> Self {
        Self { client_id: client_id.to_owned(), role: role.to_owned() }
    }
}

impl From<Right> for RightGiven {
    fn from(Right { client_id, role }: Right) -> Self {
        Self { client_id, role }
    }
}

/// What an organization's administrators may give in a portal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PortalGranted {
    /// `client_id` of the portal.
    client_id: String,
    /// Its name, as people see it.
    name: Option<String>,
    /// The roles.
    roles: Vec<String>,
}

/// A role in a portal: visible ASCII characters without spaces.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(min_length = 1, max_length = 64)]
struct PortalRole(#[serde(deserialize_with = "role")] String);

fn role<'de, D: Deserializer<'de>>(reader: D) -> Result<String, D::Error> {
    graphic(reader, MAX_ROLE)
}

fn client_id<'de, D: Deserializer<'de>>(reader: D) -> Result<String, D::Error> {
    graphic(reader, MAX_CLIENT_ID)
}

fn graphic<'de, D: Deserializer<'de>>(reader: D, most: usize) -> Result<String, D::Error> {
    let text = String::deserialize(reader)?;
    if (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text);
    }
    Err(D::Error::custom(format!("1 to {most} visible ASCII characters without spaces")))
}

fn roles<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<String>, D::Error> {
    Ok(Vec::<PortalRole>::deserialize(reader)?.into_iter().map(|PortalRole(role)| role).collect())
}

/// The roles in one portal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Roles {
    /// All of them: what is not named is taken away.
    #[serde(deserialize_with = "roles")]
    #[schema(max_items = 50, value_type = Vec<PortalRole>)]
    pub(super) roles: Vec<String>,
}

impl Roles {
    /// The roles, each once.
    pub(super) fn checked(&self) -> Result<Vec<String>, Problem> {
        if self.roles.len() > 50 {
            return Err(Problem::field("/roles", "too_many", "at most 50 roles"));
        }
        let mut roles = self.roles.clone();
        roles.sort_unstable();
        roles.dedup();
        Ok(roles)
    }
}

/// List what the organization's administrators may give.
#[utoipa::path(
    get, path = "/organizations/{organization}/portals", tag = "rights",
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "All portals with a role to give", body = Page<PortalGranted>), Problems),
    security(("oauth2" = ["habilis.organizations.read"]))
)]
async fn portals(State(app): State<App>, caller: Caller, Path(organization): Path<String>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadOrganization, &organization).await?;
    let mut by_client = BTreeMap::<String, Vec<String>>::new();
    for Right { client_id, role } in portal_grants::list(&mut app.db.reader().await?, &acting.organization.id).await? {
        by_client.entry(client_id).or_default().push(role);
    }
    let mut items = Vec::with_capacity(by_client.len());
    for (client_id, roles) in by_client {
        let name = app.client(&client_id).await?.and_then(|client| client.metadata.client_name.clone());
        items.push(PortalGranted { client_id, name, roles });
    }
    Ok(Page { items, next: None }.into_response())
}

/// Read what the organization's administrators may give in a portal; 404 where nothing was ever granted.
#[utoipa::path(
    get, path = "/organizations/{organization}/portals/{client_id}", tag = "rights",
    params(("organization" = String, Path, description = "`org_…`"), ("client_id" = String, Path, description = "The portal")),
    responses((status = 200, description = "Found", body = PortalGranted), Problems),
    security(("oauth2" = ["habilis.organizations.read"]))
)]
async fn granted(
    State(app): State<App>,
    caller: Caller,
    Path((organization, client_id)): Path<(String, String)>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadOrganization, &organization).await?;
    let Some(client) = app.client(&client_id).await? else { return Err(Problem::not_found().into()) };
    let mut reader = app.db.reader().await?;
    let version = portal_grants::version(&mut reader, &acting.organization.id, &client.id).await?;
    let Some(version) = version else { return Err(Problem::not_found().into()) };
    let roles = portal_grants::roles(&mut reader, &acting.organization.id, &client.id).await?;
    found(&PortalGranted { client_id, name: client.metadata.client_name.clone(), roles }, version)
}

/// Grant an organization the roles its administrators may give in a portal. Members' rights beyond them end.
#[utoipa::path(
    put, path = "/organizations/{organization}/portals/{client_id}", tag = "rights", request_body = Roles,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("client_id" = String, Path, description = "The portal"),
        ("If-Match" = Option<String>, Header, description = "`ETag` that was read; may be left out")
    ),
    responses((status = 200, description = "As it is now", body = PortalGranted), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn grant(
    State(app): State<App>,
    caller: Caller,
    Path((organization, client_id)): Path<(String, String)>,
    if_match: Option<IfMatch>,
    body: Body<Roles>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::GrantPortal, &organization).await?;
    let organization = &acting.organization.id;
    let roles = body.value.checked()?;
    let Some(client) = app.client(&client_id).await? else { return Err(Problem::not_found().into()) };
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, organization).await?;
    if clients::find(&mut write.tx, &client.id).await?.is_none() {
        return Err(Problem::not_found().into());
    }
    let version = portal_grants::version(&mut write.tx, organization, &client.id).await?;
    check_if_named(if_match.as_ref(), version.unwrap_or_default())?;
    let before = portal_grants::roles(&mut write.tx, organization, &client.id).await?;
    let name = client.metadata.client_name.clone();
    if let Some(version) = version.filter(|_| before == roles) {
        let written = Written::changed(&PortalGranted { client_id: client.id.clone(), name, roles })?;
        return write.finish(written.with_version(version)).await;
    }
    let withdrawn = portal_grants::replace(&mut write.tx, (organization, &client.id), &roles, write.now).await?;
    let event = acting
        .event(&caller, "portal.granted")
        .about(organization)
        .with("portal", client.id.clone())
        .with("rights_withdrawn", withdrawn)
        .changed(json!(before), json!(roles));
    audit::record(&mut write.tx, event, write.now).await?;
    let written = Written::changed(&PortalGranted { client_id: client.id.clone(), name, roles })?;
    let version = portal_grants::version(&mut write.tx, organization, &client.id).await?;
    write.finish(written.with_version(version.unwrap_or_default())).await
}

/// Give a member exactly these roles in a portal.
#[utoipa::path(
    put, path = "/organizations/{organization}/members/{person}/rights/{client_id}", tag = "rights", request_body = Roles,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("person" = String, Path, description = "`usr_…`"),
        ("client_id" = String, Path, description = "The portal"),
        ("If-Match" = Option<String>, Header, description = "`ETag` that was read; may be left out")
    ),
    responses((status = 200, description = "The member as it is now", body = Member), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn give(
    State(app): State<App>,
    caller: Caller,
    Path((organization, person, client_id)): Path<(String, String, String)>,
    if_match: Option<IfMatch>,
    body: Body<Roles>,
) -> Answer {
    let roles = body.value.checked()?;
    let on = caller.on_member(&app, giving(&roles), (&organization, &person)).await?;
    let Some(client) = app.client(&client_id).await? else { return Err(Problem::not_found().into()) };
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    still(&mut write, &on, if_match.as_ref()).await?;
    let (after, version) = set_roles(&mut write, &caller, &on, (&client.id, &roles)).await?;
    write.finish(Written::changed(&after)?.with_version(version)).await
}

/// What it is to give a member exactly these roles in a portal.
pub(super) fn giving(roles: &[String]) -> Action {
    if roles.is_empty() { Action::WithdrawRight } else { Action::GiveRight }
}

/// Gives a member exactly these roles in a portal. A refusal leaves nothing written.
pub(super) async fn set_roles(
    write: &mut Write,
    caller: &Caller,
    on: &OnMember,
    (client, roles): (&str, &[String]),
) -> Answer<(Member, i64)> {
    let (organization, person) = (&on.organization.id, &on.member.person_id);
    // The grant to the organization must not shrink meanwhile.
    members::lock(&mut write.tx, organization).await?;
    let given = |role: &String| RightGiven { client_id: client.to_owned(), role: role.clone() };
    let asked: Vec<_> = roles.iter().map(given).collect();
    check_granted(&mut write.tx, organization, &asked).await?;
    let (before, version) = show(&mut write.tx, (organization, person), &on.asked).await?;
    if before.has_exactly(client, roles) {
        return Ok((before, version));
    }
    members::clear_rights(&mut write.tx, (organization, person), client, write.now).await?;
    for role in roles {
        organizations::give_right(&mut write.tx, (person, organization), (client, role), write.now).await?;
    }
    let (after, version) = show(&mut write.tx, (organization, person), &on.asked).await?;
    let event = on.event(caller, "member.rights_changed").with("portal", client);
    audit::record(&mut write.tx, event.changed(before.traced(), after.traced()), write.now).await?;
    Ok((after, version))
}
