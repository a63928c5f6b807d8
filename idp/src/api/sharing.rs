//! `/sharing-suspicions`: accounts that were used at the same time from distinct networks or devices (R002), for the operator and the data
//! protection officer. It is a reason to ask, not a proof, and nobody else is told.

use axum::extract::State;
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::caller::Caller;
use super::page::{Asked, Page, Paging, cursor_before};
use super::people::somebody;
use super::problem::{Answer, Problem};
use super::{Problems, instant};
use crate::app::App;
use crate::db::sharing_suspicions::{self, Suspicion};
use crate::web::routing::routes;

/// Days back when the caller names no number.
const USUAL: u16 = 30;
/// Most days back: they are kept no longer.
const MOST: u16 = 90;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A sign that an account is used by several people.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SharingSuspicion {
    /// `usr_…`.
    person: String,
    /// What they sign in with.
    login: String,
    /// The day, in Paris; an account has one a day at the most.
    day: String,
    /// RFC 3339.
    noticed_at: String,
    /// What was counted: `networks` or `devices`.
    counted: String,
    /// From how many of them it was used at the same time.
    count: i64,
}

impl From<Suspicion> for SharingSuspicion {
    fn from(row: Suspicion) -> Self {
        Self {
            person: row.person_id,
            login: row.login,
            day: row.day,
            noticed_at: instant(row.raised_at),
            counted: row.counted,
            count: row.devices,
        }
    }
}

/// Which suspicions.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SharingQuery {
    /// Days back, 1 to 90; 30 when absent.
    #[param(minimum = 1, maximum = 90)]
    days: Option<u16>,
    /// Of this person only, `usr_…`.
    #[param(max_length = 64)]
    person: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

/// List the accounts that were used at the same time from distinct networks or devices, newest first. Neither addresses nor devices are kept.
#[utoipa::path(
    get, path = "/sharing-suspicions", tag = "audit", params(SharingQuery),
    responses((status = 200, description = "A page", body = Page<SharingSuspicion>), Problems),
    security(("oauth2" = ["habilis.audit.read"]))
)]
async fn list(State(app): State<App>, caller: Caller, Asked(query): Asked<SharingQuery>) -> Answer {
    caller.may(&app, Action::ReadAudit).await?;
    let days = query.days.unwrap_or(USUAL);
    if !(1..=MOST).contains(&days) {
        return Err(Problem::parameter("days", format!("1 to {MOST}")).into());
    }
    let since = app.clock.now().saturating_sub(SignedDuration::from_hours(24 * i64::from(days)))?;
    let paging = Paging::new(query.limit, query.cursor);
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let mut reader = app.db.reader().await?;
    let person = match &query.person {
        Some(person) => somebody(&mut reader, person).await?.id,
        None => String::new(),
    };
    let rows = sharing_suspicions::list(&mut reader, (&person, since), (at, &id, limit + 1)).await?;
    let cursor = |row: &Suspicion| cursor_before(row.raised_at.milliseconds(), &row.person_id);
    Ok(Page::of(rows, limit, cursor, SharingSuspicion::from).into_response())
}
