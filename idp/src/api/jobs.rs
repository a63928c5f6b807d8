//! `/jobs`: long work and how far it is, whatever it is about.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::caller::Caller;
use super::page::{Asked, Page, Paging, cursor_before};
use super::problem::{Answer, Problem};
use super::{Problems, instant};
use crate::app::App;
use crate::db::jobs::{self, Shown, Whose};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
}

/// Long work.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Job {
    /// `job_…`.
    id: String,
    /// `import_check`, `import_apply`, `review_sign_off`, or the removal of an organization's data.
    kind: String,
    /// For which organization, `org_…`.
    organization: String,
    /// What it is about: the id of an import, a review or a removal.
    subject: String,
    /// `waiting`, `running`, `done`, `failed` or `cancelled`.
    state: String,
    /// Steps done.
    done: i64,
    /// Steps; 0 while that is not known.
    total: i64,
    /// How many times it was begun; more than once when a server stopped in the middle of it.
    attempts: i64,
    /// Why nothing came of it, as a stable word.
    error: Option<String>,
    /// Who started it.
    created_by: String,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339; absent while it waits or runs.
    ended_at: Option<String>,
}

impl From<Shown> for Job {
    fn from(row: Shown) -> Self {
        // A job that failed without a word of its own: its worker was lost too often.
        let error = row.failure.or_else(|| (row.state == "failed").then(|| "broken".to_owned()));
        Self {
            id: row.id,
            kind: row.kind,
            organization: row.organization_id,
            subject: row.subject,
            state: row.state,
            done: row.done,
            total: row.total,
            attempts: row.attempts,
            error,
            created_by: row.created_by,
            created_at: instant(row.created_at),
            ended_at: row.ended_at.map(instant),
        }
    }
}

/// Which jobs.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct JobQuery {
    /// Of this organization, `org_…`.
    #[param(max_length = 64)]
    organization: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

/// List long work, newest first: of an organization, or, when none is named, all of it for the operator, that of the organization for
/// whoever administers one, and for anybody else what they started in those that they administer and whose data are open to them. It is
/// forgotten 90 days after its end.
#[utoipa::path(
    get, path = "/jobs", tag = "jobs", params(JobQuery),
    responses((status = 200, description = "A page", body = Page<Job>), Problems),
    security(("oauth2" = ["habilis.jobs.read"]))
)]
async fn list(State(app): State<App>, caller: Caller, Asked(query): Asked<JobQuery>) -> Answer {
    let only = match caller.administers() {
        [only] if !caller.is_operator() => Some(only.as_str()),
        _ => None,
    };
    let mut open = Vec::new();
    let whose = match query.organization.as_deref().or(only) {
        Some(organization) => {
            caller.in_organization(&app, Action::ReadJobs, organization).await?;
            Whose::Organization(organization)
        }
        None if caller.is_operator() => {
            caller.may(&app, Action::ReadJobs).await?;
            Whose::Everybody
        }
        None => {
            caller.on_self(&app, Action::ReadJobs).await?;
            open.extend(caller.administers_where(&app, Action::ReadJobs).await?);
            Whose::StartedBy(caller.id(), &open)
        }
    };
    let paging = Paging::new(query.limit, query.cursor.clone());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let rows = jobs::list(&mut app.db.reader().await?, whose, (at, &id, limit + 1)).await?;
    let page = Page::of(rows, limit, |row| cursor_before(row.created_at.milliseconds(), &row.id), Job::from);
    Ok(page.into_response())
}

/// Read how far long work is.
#[utoipa::path(
    get, path = "/jobs/{job}", tag = "jobs",
    params(("job" = String, Path, description = "`job_…`")),
    responses((status = 200, description = "The job", body = Job), Problems),
    security(("oauth2" = ["habilis.jobs.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path(job): Path<String>) -> Answer {
    let found = jobs::find_in_any_organization(&mut app.db.reader().await?, &job).await?;
    match &found {
        Some(found) => {
            caller.in_organization(&app, Action::ReadJobs, &found.organization_id).await?;
        }
        // The scope is asked for first, as everywhere.
        None => caller.holds(Action::ReadJobs)?,
    }
    let found = found.ok_or_else(Problem::not_found)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(Job::from(found))).into_response())
}
