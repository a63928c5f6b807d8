//! The audit trail: of an organization for its administrators (R055), of everything for the operator and the data protection
//! officer.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use habilis_policies::trail::{self, Line};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::caller::Caller;
use super::page::{Asked, Page, Paging, cursor_before};
use super::problem::Answer;
use super::{Problems, instant};
use crate::app::App;
use crate::db::audit::{self, Entry};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_organization)).routes(routes!(of_server))
}

/// A line of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditLine {
    /// `evt_…`.
    id: String,
    /// RFC 3339.
    at: String,
    /// Dotted name.
    event: String,
    /// Who acted: a person, a client, `cli`. Organizations read `operator` where the operator's staff or automation did.
    actor: Option<String>,
    /// Whom or what it concerns.
    subject: Option<String>,
    /// The application used.
    client_id: Option<String>,
    /// Address the request came from. Organizations do not read that of the operator's staff.
    address: Option<String>,
    /// Request id, as in the log.
    request_id: Option<String>,
    /// Further facts: `before`, `after`, `reason`, `policy`… The operator's `reason` is left out for organizations.
    #[schema(value_type = Object)]
    detail: Value,
}

impl AuditLine {
    /// As `caller` reads it: whoever is not of the operator's staff learns that the operator acted, and not who of it.
    pub(super) fn of(row: Entry, caller: &Caller) -> Self {
        let line = Line {
            event: row.event,
            actor: row.actor,
            subject: row.subject,
            client_id: row.client_id,
            address: row.address,
            detail: serde_json::from_str(&row.detail).unwrap_or_default(),
        };
        let line = if caller.is_staff() { line } else { trail::for_organization(line, row.by_operator) };
        Self {
            at: instant(row.at),
            id: row.id,
            event: line.event,
            actor: line.actor,
            subject: line.subject,
            client_id: line.client_id,
            address: line.address,
            request_id: row.request_id,
            detail: line.detail,
        }
    }
}

fn page(rows: Vec<Entry>, limit: u32, caller: &Caller) -> Page<AuditLine> {
    Page::of(rows, limit, |row| cursor_before(row.at.milliseconds(), &row.id), |row| AuditLine::of(row, caller))
}

/// List what happened in an organization, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/audit", tag = "audit",
    params(("organization" = String, Path, description = "`org_…`"), Paging),
    responses((status = 200, description = "A page", body = Page<AuditLine>), Problems),
    security(("oauth2" = ["habilis.audit.read"]))
)]
async fn of_organization(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadAudit, &organization).await?;
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let mut reader = app.db.reader().await?;
    let rows = audit::in_organization(&mut reader, &acting.organization.id, (at, &id), limit + 1).await?;
    Ok(page(rows, limit, &caller).into_response())
}

/// List what happened on the whole server, newest first.
#[utoipa::path(
    get, path = "/audit", tag = "audit", params(Paging),
    responses((status = 200, description = "A page", body = Page<AuditLine>), Problems),
    security(("oauth2" = ["habilis.audit.read"]))
)]
async fn of_server(State(app): State<App>, caller: Caller, Asked(paging): Asked<Paging>) -> Answer {
    caller.may(&app, Action::ReadAudit).await?;
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let rows = audit::everywhere(&mut app.db.reader().await?, (at, &id), limit + 1).await?;
    Ok(page(rows, limit, &caller).into_response())
}
