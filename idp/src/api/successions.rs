//! `/organizations/{organization}/successions`: an administrator leaves, and another takes over (R053).
//!
//! Who asks does not approve: another administrator or an operator does, with a recent strong sign-in. Approved for a later day, it
//! is carried out by a job on that day.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_keys::random;
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields};
use super::caller::{Acting, Caller};
use super::page::{self, Asked, Page};
use super::problem::{Answer, Code, Problem};
use super::requests::{DecisionNote, RequestQuery};
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::account::succession::{self, Stage};
use crate::app::App;
use crate::db::members::{self, Member};
use crate::db::successions::{self, NewSuccession};
use crate::db::{audit, is_unique_violation};
use crate::web::routing::routes;

const STATUSES: &[&str] = &["requested", "approved", "done", "declined", "withdrawn", "failed"];

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read))
        .routes(routes!(approve))
        .routes(routes!(decline))
        .routes(routes!(withdraw))
        .routes(routes!(everywhere))
}

/// A succession of administrators.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Succession {
    /// `suc_…`.
    id: String,
    /// `org_…`.
    organization: String,
    /// The administrator who leaves, `usr_…`.
    leaving: String,
    /// Who takes over, `usr_…`.
    successor: String,
    /// `member` or `removed`: what the one who leaves is afterwards.
    afterwards: String,
    /// The day (Paris) from which it is so; absent: as soon as it is approved.
    effective_on: Option<String>,
    /// Why.
    reason: String,
    /// `requested`, `approved` (waits for its day), `done`, `declined`, `withdrawn` or `failed`.
    status: String,
    /// `usr_…` or a client.
    requested_by: String,
    /// RFC 3339.
    requested_at: String,
    /// `usr_…` or a client.
    decided_by: Option<String>,
    /// RFC 3339.
    decided_at: Option<String>,
    /// What was said to it, or why it failed.
    note: Option<String>,
}

impl From<successions::Succession> for Succession {
    fn from(row: successions::Succession) -> Self {
        Self {
            id: row.id,
            organization: row.organization_id,
            leaving: row.leaving,
            successor: row.successor,
            afterwards: row.afterwards,
            effective_on: row.effective_on,
            reason: row.reason,
            status: row.status,
            requested_by: row.requested_by,
            requested_at: instant(row.requested_at),
            decided_by: row.decided_by,
            decided_at: row.decided_at.map(instant),
            note: row.note,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Afterwards {
    Member,
    Removed,
}

/// A succession to be approved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSuccessionBody {
    /// The administrator who leaves, `usr_…`; who calls when absent.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 200)]
    leaving: Option<fields::Line>,
    /// A member with an open account, `usr_…`.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, max_length = 200)]
    successor: fields::Line,
    /// What the one who leaves is afterwards; `member` when absent.
    afterwards: Option<Afterwards>,
    /// From which day, within a year; as soon as approved when absent.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    effective_on: Option<Date>,
    /// Why.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
}

fn shown(rows: Vec<successions::Succession>, limit: u32) -> Page<Succession> {
    Page::of(rows, limit, |row| page::cursor_before(row.requested_at.milliseconds(), &row.id), Succession::from)
}

/// List the successions of an organization, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/successions", tag = "successions",
    params(("organization" = String, Path, description = "`org_…`"), RequestQuery),
    responses((status = 200, description = "A page", body = Page<Succession>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<RequestQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadSuccessions, &organization).await?;
    let (status, paging) = (query.status(STATUSES)?, query.paging());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let of = (acting.organization.id.as_str(), status);
    let rows = successions::list(&mut app.db.reader().await?, of, (at, &id, limit + 1)).await?;
    Ok(shown(rows, limit).into_response())
}

/// List the successions of all organizations with one status, newest first: `requested` when absent, what waits for an approval.
#[utoipa::path(
    get, path = "/successions", tag = "successions", params(RequestQuery),
    responses((status = 200, description = "A page", body = Page<Succession>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn everywhere(State(app): State<App>, caller: Caller, Asked(query): Asked<RequestQuery>) -> Answer {
    caller.may(&app, Action::ReadSuccessions).await?;
    let (status, paging) = (query.status(STATUSES)?.unwrap_or("requested"), query.paging());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let rows = successions::everywhere(&mut app.db.reader().await?, status, (at, &id, limit + 1)).await?;
    Ok(shown(rows, limit).into_response())
}

/// Ask that an administrator be followed by another member. Somebody else approves it.
#[utoipa::path(
    post, path = "/organizations/{organization}/successions", tag = "successions", request_body = NewSuccessionBody,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 201, description = "Waits for an approval", body = Succession), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewSuccessionBody>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::RequestSuccession, &organization).await?;
    let organization = &acting.organization.id;
    let new = &body.value;
    let Some(leaving) = new.leaving.as_ref().map(|line| line.0.as_str()).or(caller.person()) else {
        return Err(Problem::field("/leaving", "missing", "a program names who leaves").into());
    };
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let today = calendar::date_at(write.now);
    let day = new.effective_on.unwrap_or(today);
    check(&mut write, (organization, leaving, &new.successor.0), &caller, day).await?;
    if new.effective_on.is_some_and(|day| day < today || day > calendar::add_years(today, 1)) {
        return Err(Problem::field("/effective_on", "out_of_range", "a day from today on, within a year").into());
    }
    let id = random::id("suc", write.now);
    let effective_on = new.effective_on.filter(|day| *day > today).map(|day| day.to_string());
    let row = NewSuccession {
        id: &id,
        organization,
        leaving,
        successor: &new.successor.0,
        afterwards: if new.afterwards == Some(Afterwards::Removed) { "removed" } else { "member" },
        effective_on: effective_on.as_deref(),
        reason: &new.reason.0,
        by: caller.id(),
    };
    match successions::insert(&mut write.tx, &row, write.now).await {
        Err(error) if is_unique_violation(&error) => {
            return Err(Problem::new(Code::Conflict, "a succession of this administrator is open already").into());
        }
        inserted => inserted?,
    }
    let row = of(&mut write, organization, &id).await?;
    let event = acting.event(&caller, "succession.requested").about(&row.successor).with("succession", id.clone());
    let after = json!({ "leaving": row.leaving, "afterwards": row.afterwards, "effective_on": row.effective_on });
    audit::record(&mut write.tx, event.changed(json!(null), after).with("reason", row.reason.clone()), write.now)
        .await?;
    succession::tell(&mut write.tx, &app, (&acting.organization, &row, Stage::Requested), write.now).await?;
    let location = format!("/api/v1/organizations/{organization}/successions/{id}");
    let answer = write.finish(Written::created(location, &Succession::from(row))?).await;
    app.mail_waiting.notify_one();
    answer
}

/// Who leaves administers, who follows can.
async fn check(
    write: &mut Write,
    (organization, leaving, successor): (&str, &str, &str),
    caller: &Caller,
    day: Date,
) -> Answer<()> {
    let seen = |member: &Member| caller.sees(&member.person_id, (member.operator, member.privacy));
    let member = members::find(&mut write.tx, organization, leaving).await?;
    if member.is_none_or(|member| member.role != "administrator" || !seen(&member)) {
        return Err(Problem::field("/leaving", "no_administrator", "not an administrator of the organization").into());
    }
    let member = members::find(&mut write.tx, organization, successor).await?;
    let good = member.is_some_and(|member| succession::can_administer(&member, day) && seen(&member));
    if !good || successor == leaving {
        let detail = "the successor is another active member whose account is open and who stays longer";
        return Err(Problem::field("/successor", "not_eligible", detail).into());
    }
    Ok(())
}

async fn of(write: &mut Write, organization: &str, id: &str) -> Answer<successions::Succession> {
    let row = successions::find(&mut write.tx, organization, id).await?;
    row.ok_or_else(|| Problem::not_found().into())
}

/// Read a succession.
#[utoipa::path(
    get, path = "/organizations/{organization}/successions/{succession}", tag = "successions",
    params(("organization" = String, Path, description = "`org_…`"), ("succession" = String, Path, description = "`suc_…`")),
    responses((status = 200, description = "Found", body = Succession), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, id)): Path<(String, String)>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadSuccessions, &organization).await?;
    let row = successions::find(&mut app.db.reader().await?, &acting.organization.id, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    Ok(Written::changed(&Succession::from(row))?.into_response())
}

/// A succession that can be decided, and leave to decide it.
async fn to_decide(
    app: &App,
    caller: &Caller,
    (organization, id): (&str, &str),
) -> Answer<(Acting, successions::Succession)> {
    let acting = caller.in_organization(app, Action::ReadSuccessions, organization).await?;
    let row = successions::find(&mut app.db.reader().await?, &acting.organization.id, id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let member = members::find(&mut app.db.reader().await?, &row.organization_id, &row.successor).await?;
    if member.is_none() {
        return Err(Problem::new(Code::Conflict, "the successor is not a member any more").into());
    }
    let at = (row.organization_id.as_str(), row.successor.as_str());
    let on = caller.on_member_asked(app, Action::ApproveSuccession, at, Some(&row.requested_by)).await?;
    Ok((Acting { organization: on.organization, asked: on.asked, policy: on.policy }, row))
}

/// Approve a succession that somebody else asked for.
#[utoipa::path(
    post, path = "/organizations/{organization}/successions/{succession}/approve", tag = "successions",
    request_body = DecisionNote,
    params(("organization" = String, Path, description = "`org_…`"), ("succession" = String, Path, description = "`suc_…`")),
    responses((status = 200, description = "Carried out, or waits for its day", body = Succession), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn approve(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<DecisionNote>,
) -> Answer {
    let (acting, row) = to_decide(&app, &caller, (&organization, &id)).await?;
    let (mut write, decision) = begin(&app, &caller, &body, (&row, "approved")).await?;
    let event = acting.event(&caller, "succession.approved").about(&row.successor).with("succession", id.clone());
    audit::record(&mut write.tx, event, write.now).await?;
    let today = calendar::date_at(write.now).to_string();
    if decision.effective_on.as_ref().is_none_or(|day| *day <= today) {
        let carried = succession::carry_out(&mut write.tx, &app, (&decision, caller.id()), write.now).await?;
        if let Err(refusal) = carried {
            return Err(Problem::new(Code::Conflict, refusal.to_string()).into());
        }
        successions::settle(&mut write.tx, (&row.organization_id, &id), ("done", None)).await?;
    }
    finish(&app, write, &row).await
}

/// Decline a succession that somebody else asked for.
#[utoipa::path(
    post, path = "/organizations/{organization}/successions/{succession}/decline", tag = "successions",
    request_body = DecisionNote,
    params(("organization" = String, Path, description = "`org_…`"), ("succession" = String, Path, description = "`suc_…`")),
    responses((status = 200, description = "As it is now", body = Succession), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn decline(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<DecisionNote>,
) -> Answer {
    let (acting, row) = to_decide(&app, &caller, (&organization, &id)).await?;
    let (mut write, _) = begin(&app, &caller, &body, (&row, "declined")).await?;
    let event = acting.event(&caller, "succession.declined").about(&row.successor).with("succession", id.clone());
    audit::record(&mut write.tx, event, write.now).await?;
    finish(&app, write, &row).await
}

/// Withdraw a succession that is not carried out yet: who asked for it, or who was to leave.
#[utoipa::path(
    post, path = "/organizations/{organization}/successions/{succession}/withdraw", tag = "successions",
    request_body = DecisionNote,
    params(("organization" = String, Path, description = "`org_…`"), ("succession" = String, Path, description = "`suc_…`")),
    responses((status = 200, description = "As it is now", body = Succession), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<DecisionNote>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::RequestSuccession, &organization).await?;
    let row = successions::find(&mut app.db.reader().await?, &acting.organization.id, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    if ![row.requested_by.as_str(), row.leaving.as_str()].contains(&caller.id()) {
        return Err(Problem::new(Code::Forbidden, "it is withdrawn by who asked for it, or who was to leave").into());
    }
    let (mut write, _) = begin(&app, &caller, &body, (&row, "withdrawn")).await?;
    let event = acting.event(&caller, "succession.withdrawn").about(&row.successor).with("succession", id.clone());
    audit::record(&mut write.tx, event, write.now).await?;
    finish(&app, write, &row).await
}

/// Takes the decision in a transaction that goes on: of two at once, one.
async fn begin(
    app: &App,
    caller: &Caller,
    body: &Body<DecisionNote>,
    (row, to): (&successions::Succession, &str),
) -> Answer<(Write, successions::Succession)> {
    let mut write = Write::begin(app, caller, &body.idempotency).await?;
    let (organization, id) = (row.organization_id.as_str(), row.id.as_str());
    // What was approved for a later day can still be withdrawn.
    let from = if to == "withdrawn" && row.status == "approved" { "approved" } else { "requested" };
    let by = (caller.id(), body.value.text());
    if !successions::decide(&mut write.tx, (organization, id), (from, to), by, write.now).await? {
        return Err(Problem::new(Code::Conflict, "it was decided already").into());
    }
    let decided = of(&mut write, organization, id).await?;
    Ok((write, decided))
}

async fn finish(app: &App, mut write: Write, row: &successions::Succession) -> Answer {
    let after = of(&mut write, &row.organization_id, &row.id).await?;
    let answer = write.finish(Written::changed(&Succession::from(after))?).await;
    app.mail_waiting.notify_one();
    answer
}
