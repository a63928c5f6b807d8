//! `/organizations/{organization}/document-requests/{document_request}/accept`, `…/refuse`, `…/cancel`: what the operator decides about what an
//! organization answered, or has not (R013, R091). Settling a request reinstates an organization that was suspended because of it.

use axum::extract::{Path, State};
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::sanctions::Act;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Problems;
use super::body::{Body, fields};
use super::caller::{Acting, Caller};
use super::document_requests::{DocumentRequest, last_day, of, take, whole};
use super::problem::Answer;
use super::requests::DecisionNote;
use super::write::{Write, Written};
use crate::account::documents;
use crate::app::App;
use crate::db::document_requests as rows;
use crate::db::{Conn, audit, measures as measure_rows};
use crate::mail::documents::Stage;
use crate::measures::{self, Decision, Subject};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(accept)).routes(routes!(refuse)).routes(routes!(cancel))
}

/// What an answer does not have yet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentRefusal {
    /// Why, for the administrators.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
    /// The new last day: after today, within 366 days.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, format = Date)]
    due_on: Date,
}

/// Why a request is withdrawn.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentCancellation {
    /// For the audit trail and the report.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
}

/// Whether the organization is suspended because of this request, and nothing else.
async fn is_suspended_by(c: &mut impl Conn, row: &rows::DocumentRequest) -> Answer<bool> {
    let Some(measure) = &row.measure_id else { return Ok(false) };
    let standing = measure_rows::standing(c, ("organization", &row.organization_id), "suspension").await?;
    Ok(standing.first().is_some_and(|standing| standing.id == *measure))
}

/// Leave to settle a request, which reinstates an organization that is suspended because of it.
async fn leave(app: &App, caller: &Caller, (organization, id): (&str, &str)) -> Answer<Acting> {
    let acting = caller.in_organization(app, Action::DecideDocumentRequest, organization).await?;
    let mut reader = app.db.reader().await?;
    let row = of(&mut reader, &acting.organization.id, id).await?;
    let suspended = is_suspended_by(&mut reader, &row).await?;
    drop(reader);
    if suspended {
        caller.in_organization(app, Action::SetOrganizationStatus, organization).await?;
    }
    Ok(acting)
}

/// Settles a request in a transaction, lifts its suspension, seals its report and answers.
async fn settle(
    app: &App,
    mut write: Write,
    (caller, acting): (&Caller, &Acting),
    (row, to, note): (&rows::DocumentRequest, &'static str, Option<&str>),
) -> Answer {
    let at = (row.organization_id.as_str(), row.id.as_str());
    rows::settle(&mut write.tx, at, (&row.status, to), (caller.id(), note), write.now).await?;
    let lifts = is_suspended_by(&mut write.tx, row).await?;
    let subject = Subject::Organization(at.0);
    if lifts {
        let order = Decision {
            act: Act::Lift,
            breach: "",
            remedy: "",
            irreparable: None,
            reason: note.unwrap_or(&row.title),
            banner: None,
            by: caller.id(),
        };
        let event = acting.event(caller, subject.event(Act::Lift)).with("document_request", at.1);
        // Somebody else lifted it, or terminated the organization, meanwhile: nothing is left to lift.
        let _ = measures::apply(&mut write.tx, app.into(), (subject, &order, event), write.now).await?;
    }
    let after = of(&mut write.tx, at.0, at.1).await?;
    let sha256 = documents::seal(&mut write.tx, &after).await?;
    let name = if to == "accepted" { "document_request.accepted" } else { "document_request.cancelled" };
    let event = acting.event(caller, name).with("document_request", at.1).with("sha256", sha256);
    audit::record(&mut write.tx, event.with("lifted", lifts), write.now).await?;
    if to == "accepted" {
        documents::tell(&mut write.tx, app, (&after, Stage::Accepted), write.now).await?;
    }
    let found = whole(&mut write.tx, at.0, at.1).await?;
    let answer = write.finish(Written::changed(&found)?).await;
    measures::spread(app, subject).await;
    answer
}

/// Accept the answer. An organization that was suspended because of the request is reinstated.
#[utoipa::path(
    post, path = "/organizations/{organization}/document-requests/{document_request}/accept", tag = "document requests",
    request_body = DecisionNote,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("document_request" = String, Path, description = "`drq_…`")
    ),
    responses((status = 200, description = "Accepted", body = DocumentRequest), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn accept(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<DecisionNote>,
) -> Answer {
    let acting = leave(&app, &caller, (&organization, &id)).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let row = take(&mut write, (&acting.organization.id, &id), "answered").await?;
    settle(&app, write, (&caller, &acting), (&row, "accepted", body.value.text())).await
}

/// Withdraw a request. An organization that was suspended because of it is reinstated.
#[utoipa::path(
    post, path = "/organizations/{organization}/document-requests/{document_request}/cancel", tag = "document requests",
    request_body = DocumentCancellation,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("document_request" = String, Path, description = "`drq_…`")
    ),
    responses((status = 200, description = "Cancelled", body = DocumentRequest), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<DocumentCancellation>,
) -> Answer {
    let acting = leave(&app, &caller, (&organization, &id)).await?;
    let organization = acting.organization.id.as_str();
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let status = of(&mut write.tx, organization, &id).await?.status;
    let status = if status == "answered" { "answered" } else { "open" };
    let row = take(&mut write, (organization, &id), status).await?;
    settle(&app, write, (&caller, &acting), (&row, "cancelled", Some(&body.value.reason.0))).await
}

/// Refuse the answer: the request is open again until another day, and the administrators are told why.
#[utoipa::path(
    post, path = "/organizations/{organization}/document-requests/{document_request}/refuse", tag = "document requests",
    request_body = DocumentRefusal,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("document_request" = String, Path, description = "`drq_…`")
    ),
    responses((status = 200, description = "Open again", body = DocumentRequest), Problems),
    security(("oauth2" = ["habilis.organizations.write"]))
)]
async fn refuse(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<DocumentRefusal>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::DecideDocumentRequest, &organization).await?;
    let at = (acting.organization.id.as_str(), id.as_str());
    let refusal = &body.value;
    last_day(refusal.due_on, calendar::date_at(app.clock.now()))?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    take(&mut write, at, "answered").await?;
    let why = (&refusal.due_on.to_string(), caller.id(), refusal.reason.0.as_str());
    rows::reopen(&mut write.tx, at, (why.0, why.1, why.2), write.now).await?;
    let after = of(&mut write.tx, at.0, at.1).await?;
    documents::tell(&mut write.tx, &app, (&after, Stage::Refused), write.now).await?;
    let event = acting.event(&caller, "document_request.refused").with("document_request", id.clone());
    let event = event.with("reason", refusal.reason.0.clone()).with("due_on", after.due_on);
    audit::record(&mut write.tx, event, write.now).await?;
    let found = whole(&mut write.tx, at.0, at.1).await?;
    let answer = write.finish(Written::changed(&found)?).await;
    app.mail_waiting.notify_one();
    answer
}
