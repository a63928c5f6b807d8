//! `/incidents`: the queue of the data protection officer. Administrators report a security flaw or a misuse of credentials (R032); what people
//! report of their own accounts and the kill switch come there by themselves (R034).

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields};
use super::caller::Caller;
use super::page::{self, Asked, Page};
use super::problem::{Answer, Code, Problem};
use super::requests::RequestQuery;
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::account::signatories;
use crate::app::App;
use crate::db::members::Member;
use crate::db::{audit, incidents as rows, members};
use crate::incidents::{self, Kind, Reported};
use crate::mail::incidents::About;
use crate::web::routing::routes;

const STATUSES: &[&str] = &["open", "handled"];
/// Reports in words that the administrators of one organization may make within [`WINDOW`]: each is mailed.
const MOST: i64 = 20;
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(report, of_organization))
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(handled))
}

/// Something that was reported to the data protection officer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Incident {
    /// `inc_…`.
    id: String,
    /// Who reported it: `person` (of their own account), `administrator` (or the organization's API client), `operator`.
    kind: String,
    /// `compromise` (the person reported one), `address_restored` (the person took a change of their address back), `kill_switch`, or
    /// `report` (somebody said so in words).
    cause: String,
    /// The person concerned, `usr_…`.
    person: Option<String>,
    /// The organization concerned, `org_…`.
    organization: Option<String>,
    /// What was said.
    description: Option<String>,
    /// `usr_…`, or the id of a client.
    reported_by: String,
    /// RFC 3339.
    reported_at: String,
    /// `open` or `handled`.
    status: String,
    /// `usr_…`.
    handled_by: Option<String>,
    /// RFC 3339.
    handled_at: Option<String>,
    /// What was done about it.
    note: Option<String>,
}

impl From<rows::Incident> for Incident {
    fn from(row: rows::Incident) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            cause: row.cause,
            person: row.person_id,
            organization: row.organization_id,
            description: row.description,
            reported_by: row.reported_by,
            reported_at: instant(row.reported_at),
            status: if row.handled_at.is_some() { "handled" } else { "open" }.to_owned(),
            handled_by: row.handled_by,
            handled_at: row.handled_at.map(instant),
            note: row.note,
        }
    }
}

/// An incident to report.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewIncident {
    /// What happened, and what was done about it. No password, no key.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    description: fields::Paragraph,
    /// The member concerned, `usr_…`, if it is about one.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 200)]
    person: Option<fields::Line>,
}

/// What was done about an incident.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Handled {
    /// Kept with it.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    note: fields::Paragraph,
}

/// Report a security flaw, or a disclosure or misuse of credentials. The data protection officer is mailed at once. It closes nothing: that is
/// what the kill switch, the suspension of a member and the revocation of a key are for.
#[utoipa::path(
    post, path = "/organizations/{organization}/incidents", tag = "incidents", request_body = NewIncident,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 201, description = "In the queue", body = Incident), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn report(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewIncident>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReportIncident, &organization).await?;
    let (organization, new) = (&acting.organization, &body.value);
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, &organization.id).await?;
    let member = match &new.person {
        Some(person) => Some(concerned(&mut write, &caller, (&organization.id, &person.0)).await?),
        None => None,
    };
    if !caller.is_operator() {
        bound(&mut write, &organization.id).await?;
    }
    let of = Reported {
        kind: if caller.is_operator() { Kind::Operator } else { Kind::Administrator },
        by: caller.id(),
        person: member.as_ref().map(|member| member.person_id.as_str()),
        organization: Some(&organization.id),
    };
    let name = |member: &Member| format!("{} {}, {}", member.given_name, member.family_name, member.person_id);
    let about = About::Report {
        organization: format!("{}, {}", organization.name, organization.id),
        person: member.as_ref().map(name),
        by: signatories::actor(&mut write.tx, caller.id()).await?,
        description: new.description.0.clone(),
    };
    let id = incidents::open(&mut write.tx, &app, (of, about), write.now).await?;
    let mut event = acting.event(&caller, "incident.reported").with("incident", id.clone());
    if let Some(member) = &member {
        event = event.about(&member.person_id);
    }
    audit::record(&mut write.tx, event, write.now).await?;
    let row = found(&mut write, &id).await?;
    // Who reports reads what they reported among the organization's; the operator, in the queue.
    let location = if caller.is_staff() {
        format!("/api/v1/incidents/{id}")
    } else {
        format!("/api/v1/organizations/{}/incidents", organization.id)
    };
    let answer = write.finish(Written::created(location, &Incident::from(row))?).await;
    app.mail_waiting.notify_one();
    answer
}

/// List what was reported, newest first.
#[utoipa::path(
    get, path = "/incidents", tag = "incidents", params(RequestQuery),
    responses((status = 200, description = "A page; `status` is `open` or `handled`", body = Page<Incident>), Problems),
    security(("oauth2" = ["habilis.audit.read"]))
)]
async fn list(State(app): State<App>, caller: Caller, Asked(query): Asked<RequestQuery>) -> Answer {
    caller.may(&app, Action::ReadIncidents).await?;
    let (status, paging) = (query.status(STATUSES)?, query.paging());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let found = rows::list(&mut app.db.reader().await?, status, (at, &id, limit + 1)).await?;
    let cursor = |row: &rows::Incident| page::cursor_before(row.reported_at.milliseconds(), &row.id);
    Ok(Page::of(found, limit, cursor, Incident::from).into_response())
}

/// List what the administrators of an organization reported, newest first, and whether it was handled: what was noted about it, and by whom,
/// is for the operator's staff.
#[utoipa::path(
    get, path = "/organizations/{organization}/incidents", tag = "incidents",
    params(("organization" = String, Path, description = "`org_…`"), RequestQuery),
    responses((status = 200, description = "A page; `status` is `open` or `handled`", body = Page<Incident>), Problems),
    security(("oauth2" = ["habilis.audit.read"]))
)]
async fn of_organization(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<RequestQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadIncidents, &organization).await?;
    let (status, paging) = (query.status(STATUSES)?, query.paging());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let place = (at, id.as_str(), limit + 1);
    let found = rows::of_organization(&mut app.db.reader().await?, (&acting.organization.id, status), place).await?;
    let cursor = |row: &rows::Incident| page::cursor_before(row.reported_at.milliseconds(), &row.id);
    let staff = caller.is_staff();
    let shown = |row| {
        let incident = Incident::from(row);
        if staff { incident } else { Incident { handled_by: None, note: None, ..incident } }
    };
    Ok(Page::of(found, limit, cursor, shown).into_response())
}

/// Read an incident.
#[utoipa::path(
    get, path = "/incidents/{incident}", tag = "incidents",
    params(("incident" = String, Path, description = "`inc_…`")),
    responses((status = 200, description = "Found", body = Incident), Problems),
    security(("oauth2" = ["habilis.audit.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.may(&app, Action::ReadIncidents).await?;
    let row = rows::find(&mut app.db.reader().await?, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    Ok(Written::changed(&Incident::from(row))?.into_response())
}

/// Say that an incident was handled, and how.
#[utoipa::path(
    post, path = "/incidents/{incident}/handled", tag = "incidents", request_body = Handled,
    params(("incident" = String, Path, description = "`inc_…`")),
    responses((status = 200, description = "As it is now", body = Incident), Problems),
    security(("oauth2" = ["habilis.measures"]))
)]
async fn handled(State(app): State<App>, caller: Caller, Path(id): Path<String>, body: Body<Handled>) -> Answer {
    caller.may(&app, Action::HandleIncident).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let row = found(&mut write, &id).await?;
    if !rows::handle(&mut write.tx, &row.id, (caller.id(), &body.value.note.0), write.now).await? {
        return Err(Problem::new(Code::Conflict, "it was handled already").into());
    }
    let mut event = caller.event("incident.handled").with("incident", row.id.clone());
    if let Some(person) = &row.person_id {
        event = event.about(person);
    }
    if let Some(organization) = &row.organization_id {
        event = event.in_organization(organization);
    }
    audit::record(&mut write.tx, event, write.now).await?;
    let after = found(&mut write, &row.id).await?;
    write.finish(Written::changed(&Incident::from(after))?).await
}

/// The member an incident is about. Who is none, or nobody the caller may know of, is answered alike.
async fn concerned(write: &mut Write, caller: &Caller, (organization, person): (&str, &str)) -> Answer<Member> {
    let found = members::find(&mut write.tx, organization, person).await?;
    let found = found.filter(|member| caller.sees(&member.person_id, (member.operator, member.privacy)));
    found.ok_or_else(|| Problem::field("/person", "no_member", "there is no such member").into())
}

/// Refuses what would bury the data protection officer in mail.
async fn bound(write: &mut Write, organization: &str) -> Answer<()> {
    let since = write.now.saturating_sub(WINDOW)?;
    let (count, first) = rows::lately(&mut write.tx, organization, since).await?;
    if count < MOST {
        return Ok(());
    }
    let free = first.map_or(write.now, Timestamp::from).saturating_add(WINDOW)?;
    let detail = "twenty incidents of this organization were reported within a day";
    Err(Problem::wait(detail, free.duration_since(write.now)).into())
}

async fn found(write: &mut Write, id: &str) -> Answer<rows::Incident> {
    rows::find(&mut write.tx, id).await?.ok_or_else(|| Problem::not_found().into())
}
