//! `/organizations/{organization}/groups`: groups of members with a size limit (R016). Portals learn the names of a person's groups with
//! the scope `organization`.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_keys::random;
use habilis_policies::authorization::Action;
use habilis_policies::groups as rules;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, NoBody, fields};
use super::caller::Caller;
use super::page::{self, Asked, Page, Paging};
use super::precondition::{IfMatch, check_if_named, stale};
use super::problem::{Answer, Code, Problem};
use super::write::{Write, Written, found};
use super::{Problems, instant};
use crate::app::App;
use crate::db::groups::{self, Group as Row, GroupMember};
use crate::db::{audit, is_unique_violation};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update, remove))
        .routes(routes!(members))
        .routes(routes!(join, leave))
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Group {
    /// `grp_…`.
    id: String,
    /// Its name, unique in the organization: what portals are told.
    name: String,
    /// Members at the most.
    size_limit: i64,
    /// Members with whom it may begin.
    starts_from: i64,
    /// Members now.
    size: i64,
    /// Whether it has as many as it begins with.
    may_start: bool,
    /// RFC 3339.
    created_at: String,
}

impl From<Row> for Group {
    fn from(row: Row) -> Self {
        let number = |number: i64| u32::try_from(number).unwrap_or(0);
        Self {
            may_start: rules::may_start(number(row.size), number(row.starts_from)),
            id: row.id,
            name: row.name,
            size_limit: row.size_limit,
            starts_from: row.starts_from,
            size: row.size,
            created_at: instant(row.created_at),
        }
    }
}

/// A group to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewGroup {
    /// Its name, unique in the organization.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: fields::Line,
    /// Members at the most.
    #[schema(minimum = 1, maximum = 10_000)]
    size_limit: u32,
    /// Members with whom it may begin; 1 when absent.
    #[schema(minimum = 1, maximum = 10_000)]
    starts_from: Option<u32>,
}

/// What changes of a group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupPatch {
    /// Its name.
    #[serde(default, deserialize_with = "fields::kept")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Option<fields::Line>,
    /// Members at the most: not fewer than it has.
    #[serde(default, deserialize_with = "fields::kept_value")]
    #[schema(value_type = u32, minimum = 1, maximum = 10_000)]
    size_limit: Option<u32>,
    /// Members with whom it may begin.
    #[serde(default, deserialize_with = "fields::kept_value")]
    #[schema(value_type = u32, minimum = 1, maximum = 10_000)]
    starts_from: Option<u32>,
}

fn check(size_limit: u32, starts_from: u32) -> Result<(), Problem> {
    if !(1..=rules::MOST).contains(&size_limit) {
        return Err(Problem::field("/size_limit", "out_of_range", "between 1 and 10,000"));
    }
    if !(1..=size_limit).contains(&starts_from) {
        return Err(Problem::field("/starts_from", "out_of_range", "between 1 and the size limit"));
    }
    Ok(())
}

fn name_taken() -> Problem {
    Problem::field("/name", "taken", "another group of the organization has this name")
}

/// List the groups of an organization, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/groups", tag = "groups",
    params(("organization" = String, Path, description = "`org_…`"), Paging),
    responses((status = 200, description = "A page", body = Page<Group>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadGroups, &organization).await?;
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let rows = groups::list(&mut app.db.reader().await?, &acting.organization.id, (at, &id, limit + 1)).await?;
    let cursor = |row: &Row| page::cursor_before(row.created_at.milliseconds(), &row.id);
    Ok(Page::of(rows, limit, cursor, Group::from).into_response())
}

/// Make a group.
#[utoipa::path(
    post, path = "/organizations/{organization}/groups", tag = "groups", request_body = NewGroup,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 201, description = "Made", body = Group), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewGroup>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WriteGroups, &organization).await?;
    let (organization, new) = (acting.organization.id.as_str(), &body.value);
    let starts_from = new.starts_from.unwrap_or(1);
    check(new.size_limit, starts_from)?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let id = random::id("grp", write.now);
    let written = groups::Written { name: &new.name.0, size_limit: new.size_limit, starts_from };
    match groups::insert(&mut write.tx, (&id, organization, caller.id()), written, write.now).await {
        Err(error) if is_unique_violation(&error) => return Err(name_taken().into()),
        inserted => inserted?,
    }
    let row = groups::find(&mut write.tx, organization, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let (version, shown) = (row.version, Group::from(row));
    let event = acting.event(&caller, "group.created").about(&id);
    audit::record(&mut write.tx, event.changed(Value::Null, serde_json::to_value(&shown)?), write.now).await?;
    let location = format!("/api/v1/organizations/{organization}/groups/{id}");
    write.finish(Written::created(location, &shown)?.with_version(version)).await
}

/// Read a group.
#[utoipa::path(
    get, path = "/organizations/{organization}/groups/{group}", tag = "groups",
    params(("organization" = String, Path, description = "`org_…`"), ("group" = String, Path, description = "`grp_…`")),
    responses((status = 200, description = "Found", body = Group), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, id)): Path<(String, String)>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadGroups, &organization).await?;
    let row = groups::find(&mut app.db.reader().await?, &acting.organization.id, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let version = row.version;
    found(&Group::from(row), version)
}

/// Change a group.
#[utoipa::path(
    patch, path = "/organizations/{organization}/groups/{group}", tag = "groups", request_body = GroupPatch,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("group" = String, Path, description = "`grp_…`"),
        ("If-Match" = String, Header, description = "`ETag` that was read")
    ),
    responses((status = 200, description = "As it is now", body = Group), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    if_match: IfMatch,
    body: Body<GroupPatch>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WriteGroups, &organization).await?;
    let (organization, patch) = (acting.organization.id.as_str(), &body.value);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    groups::lock(&mut write.tx, &id).await?;
    let before = groups::find(&mut write.tx, organization, &id).await?;
    let Some(before) = before else { return Err(Problem::not_found().into()) };
    if_match.check(before.version)?;
    let kept = |number: i64| u32::try_from(number).unwrap_or(1);
    let size_limit = patch.size_limit.unwrap_or(kept(before.size_limit));
    let starts_from = patch.starts_from.unwrap_or(kept(before.starts_from));
    check(size_limit, starts_from)?;
    if i64::from(size_limit) < before.size {
        return Err(Problem::bare(Code::GroupFull).with("size", before.size).into());
    }
    let name = patch.name.as_ref().map_or(before.name.as_str(), |name| &name.0);
    let written = groups::Written { name, size_limit, starts_from };
    match groups::update(&mut write.tx, (organization, &id, before.version), written, write.now).await {
        Err(error) if is_unique_violation(&error) => return Err(name_taken().into()),
        Ok(false) => return Err(stale(before.version).into()),
        updated => updated?,
    };
    let after = groups::find(&mut write.tx, organization, &id).await?;
    let Some(after) = after else { return Err(Problem::not_found().into()) };
    let (version, before, after) = (after.version, Group::from(before), Group::from(after));
    let event = acting.event(&caller, "group.updated").about(&id);
    let event = event.changed(serde_json::to_value(&before)?, serde_json::to_value(&after)?);
    audit::record(&mut write.tx, event, write.now).await?;
    write.finish(Written::changed(&after)?.with_version(version)).await
}

/// Remove a group. Its members stay members of the organization.
#[utoipa::path(
    delete, path = "/organizations/{organization}/groups/{group}", tag = "groups",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("group" = String, Path, description = "`grp_…`"),
        ("If-Match" = Option<String>, Header, description = "`ETag` that was read; may be left out")
    ),
    responses((status = 204, description = "Removed"), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    if_match: Option<IfMatch>,
    request: NoBody,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WriteGroups, &organization).await?;
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    let row = groups::find(&mut write.tx, &acting.organization.id, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    check_if_named(if_match.as_ref(), row.version)?;
    groups::delete(&mut write.tx, &acting.organization.id, &row.id).await?;
    let event = acting.event(&caller, "group.removed").about(&id);
    audit::record(&mut write.tx, event.changed(serde_json::to_value(Group::from(row))?, Value::Null), write.now)
        .await?;
    write.finish(Written::nothing()).await
}

/// Somebody in a group.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InGroup {
    /// `usr_…`.
    person: String,
    /// What they sign in with.
    login: String,
    /// Given name.
    given_name: String,
    /// Family name.
    family_name: String,
    /// RFC 3339.
    since: String,
}

impl From<GroupMember> for InGroup {
    fn from(row: GroupMember) -> Self {
        Self {
            person: row.id,
            login: row.login,
            given_name: row.given_name,
            family_name: row.family_name,
            since: instant(row.added_at),
        }
    }
}

/// List who is in a group, the longest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/groups/{group}/members", tag = "groups",
    params(("organization" = String, Path, description = "`org_…`"), ("group" = String, Path, description = "`grp_…`"), Paging),
    responses((status = 200, description = "A page", body = Page<InGroup>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn members(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadGroups, &organization).await?;
    let (limit, (at, person)) = (paging.limit()?, paging.after()?);
    let mut reader = app.db.reader().await?;
    let group = groups::find(&mut reader, &acting.organization.id, &id).await?;
    let Some(group) = group else { return Err(Problem::not_found().into()) };
    let rows = groups::members(&mut reader, &group.id, (at, &person, limit + 1)).await?;
    let cursor = |row: &GroupMember| page::cursor_before(row.added_at.milliseconds(), &row.id);
    let mut page = Page::of(rows, limit, cursor, |row| row);
    page.items.retain(|row| caller.sees(&row.id, (row.operator, row.privacy)));
    Ok(Page { items: page.items.into_iter().map(InGroup::from).collect(), next: page.next }.into_response())
}

/// Add a member of the organization to a group. Who is in it stays.
#[utoipa::path(
    put, path = "/organizations/{organization}/groups/{group}/members/{person}", tag = "groups",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("group" = String, Path, description = "`grp_…`"),
        ("person" = String, Path, description = "`usr_…`")
    ),
    responses((status = 200, description = "The group as it is now", body = Group), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn join(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id, person)): Path<(String, String, String)>,
    request: NoBody,
) -> Answer {
    let on = caller.on_member(&app, Action::ReadMember, (&organization, &person)).await?;
    let acting = caller.in_organization(&app, Action::WriteGroups, &organization).await?;
    let (organization, person) = (acting.organization.id.as_str(), on.member.person_id.as_str());
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    groups::lock(&mut write.tx, &id).await?;
    let group = groups::find(&mut write.tx, organization, &id).await?;
    let Some(group) = group else { return Err(Problem::not_found().into()) };
    if !groups::has(&mut write.tx, &group.id, person).await? {
        let number = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        if let Err(full) = rules::admit(number(group.size), number(group.size_limit)) {
            let problem = Problem::new(Code::GroupFull, full.to_string());
            return Err(problem.with("size", full.size).with("limit", full.limit).into());
        }
        groups::add(&mut write.tx, &group, person, write.now).await?;
        let event = acting.event(&caller, "group.joined").about(person).with("group", json!(id));
        audit::record(&mut write.tx, event, write.now).await?;
    }
    let row = groups::find(&mut write.tx, organization, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let version = row.version;
    write.finish(Written::changed(&Group::from(row))?.with_version(version)).await
}

/// Take somebody out of a group.
#[utoipa::path(
    delete, path = "/organizations/{organization}/groups/{group}/members/{person}", tag = "groups",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("group" = String, Path, description = "`grp_…`"),
        ("person" = String, Path, description = "`usr_…`")
    ),
    responses((status = 204, description = "Not in it any more"), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn leave(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id, person)): Path<(String, String, String)>,
    request: NoBody,
) -> Answer {
    let on = caller.on_member(&app, Action::ReadMember, (&organization, &person)).await?;
    let acting = caller.in_organization(&app, Action::WriteGroups, &organization).await?;
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    let group = groups::find(&mut write.tx, &acting.organization.id, &id).await?;
    let Some(group) = group else { return Err(Problem::not_found().into()) };
    if !groups::leave(&mut write.tx, &group.id, &on.member.person_id).await? {
        return Err(Problem::not_found().into());
    }
    let event = acting.event(&caller, "group.left").about(&on.member.person_id).with("group", json!(id));
    audit::record(&mut write.tx, event, write.now).await?;
    write.finish(Written::nothing()).await
}
