//! `/organizations/{organization}/inactive-members`: who has not signed in for long (R052).

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::caller::Caller;
use super::page::{self, Asked, Page, Paging};
use super::problem::{Answer, Problem};
use super::{Problems, instant};
use crate::app::App;
use crate::db::members::{self, Inactive};
use crate::web::routing::routes;

/// Days without a sign-in when the caller names no number.
const USUAL: u16 = 90;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A member who has not signed in for long.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InactiveMember {
    /// `usr_…`.
    person: String,
    /// What they sign in with.
    login: String,
    /// Given name.
    given_name: String,
    /// Family name.
    family_name: String,
    /// Of the account; `pending` for an invitation nobody answered.
    account_status: String,
    /// `administrator` or `member`.
    role: String,
    /// `active` or `suspended`.
    status: String,
    /// RFC 3339; absent for somebody who never did as a member.
    signed_in_at: Option<String>,
    /// RFC 3339.
    joined_at: String,
}

impl From<Inactive> for InactiveMember {
    fn from(row: Inactive) -> Self {
        Self {
            person: row.person_id,
            login: row.login,
            given_name: row.given_name,
            family_name: row.family_name,
            account_status: row.account_status,
            role: row.role,
            status: row.status,
            signed_in_at: (row.signed_in_at.milliseconds() > 0).then(|| instant(row.signed_in_at)),
            joined_at: instant(row.created_at),
        }
    }
}

/// Who is meant.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct InactiveQuery {
    /// Days without a sign-in, 1 to 3,650; 90 when absent.
    #[param(minimum = 1, maximum = 3650)]
    days: Option<u16>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

/// List the members who have not signed in for long, those who never did first. Nobody who joined since is in it.
#[utoipa::path(
    get, path = "/organizations/{organization}/inactive-members", tag = "reviews",
    params(("organization" = String, Path, description = "`org_…`"), InactiveQuery),
    responses((status = 200, description = "A page", body = Page<InactiveMember>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<InactiveQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadActivity, &organization).await?;
    let days = query.days.unwrap_or(USUAL);
    if !(1..=3650).contains(&days) {
        return Err(Problem::parameter("days", "1 to 3650").into());
    }
    let before = app.clock.now().saturating_sub(SignedDuration::from_hours(24 * i64::from(days)))?;
    let paging = Paging::new(query.limit, query.cursor);
    let (limit, (at, id)) = (paging.limit()?, paging.after()?);
    let mut reader = app.db.reader().await?;
    let rows = members::inactive(&mut reader, &acting.organization.id, (at, &id, limit + 1), before).await?;
    let cursor = |row: &Inactive| page::cursor_before(row.signed_in_at.milliseconds(), &row.person_id);
    let mut page = Page::of(rows, limit, cursor, |row| row);
    page.items.retain(|row| caller.sees(&row.person_id, (row.operator, row.privacy)));
    let items = page.items.into_iter().map(InactiveMember::from).collect();
    Ok(Page { items, next: page.next }.into_response())
}
