//! `/organizations/{organization}/offers`, and `/me/offers`: memberships offered to people who have an account already.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::attributes::missing_problem;
use super::body::NoBody;
use super::caller::Caller;
use super::page::{self, Asked, Page};
use super::problem::{Answer, Code, Problem};
use super::requests::RequestQuery;
use super::rights::RightGiven;
use super::seats::seat_problem;
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::account::offers;
use crate::app::App;
use crate::db::audit;
use crate::db::membership_offers::{self, Offer as Row};
use crate::web::routing::routes;

const STATUSES: &[&str] = &["open", "accepted", "declined", "withdrawn", "expired"];

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(withdraw))
        .routes(routes!(mine))
        .routes(routes!(accept))
        .routes(routes!(decline))
}

/// A membership offered to somebody who has an account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Offer {
    /// `off_…`.
    id: String,
    /// The address as it was typed.
    email: String,
    /// `administrator` or `member`.
    role: String,
    /// `employee` or `external`.
    affiliation: String,
    /// Last day.
    ends_on: Option<String>,
    /// `legal_representative`, `delegation` or `invitation` (R011).
    mandate: String,
    /// What they may do in portals, if the organization may still give it then.
    rights: Vec<RightGiven>,
    /// `usr_…` or a client.
    offered_by: String,
    /// RFC 3339.
    offered_at: String,
    /// RFC 3339.
    expires_at: String,
    /// `open`, `accepted`, `declined`, `withdrawn` or `expired`.
    status: String,
    /// `usr_…`, once it was accepted.
    person: Option<String>,
}

impl From<Row> for Offer {
    fn from(row: Row) -> Self {
        let rights = row.rights().map(|(client, role)| RightGiven::new(client, role)).collect();
        let accepted = row.status == "accepted";
        Self {
            rights,
            id: row.id,
            email: row.email,
            role: row.role,
            affiliation: row.affiliation,
            ends_on: row.ends_on,
            mandate: row.mandate,
            offered_by: row.offered_by,
            offered_at: instant(row.created_at),
            expires_at: instant(row.expires_at),
            status: row.status,
            person: accepted.then_some(row.person_id),
        }
    }
}

/// A membership that one can accept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OfferToMe {
    /// `off_…`.
    id: String,
    /// `org_…`.
    organization: String,
    /// Its name.
    organization_name: String,
    /// `administrator` or `member`.
    role: String,
    /// RFC 3339.
    expires_at: String,
}

impl From<Row> for OfferToMe {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            organization: row.organization_id,
            organization_name: row.organization_name,
            role: row.role,
            expires_at: instant(row.expires_at),
        }
    }
}

/// List the memberships offered to people who have an account, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/offers", tag = "members",
    params(("organization" = String, Path, description = "`org_…`"), RequestQuery),
    responses((status = 200, description = "A page", body = Page<Offer>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<RequestQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ListInvitations, &organization).await?;
    let (status, paging) = (query.status(STATUSES)?, query.paging());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let of = (acting.organization.id.as_str(), status);
    let rows = membership_offers::of_organization(&mut app.db.reader().await?, of, (at, &id, limit + 1)).await?;
    let cursor = |row: &Row| page::cursor_before(row.created_at.milliseconds(), &row.id);
    Ok(Page::of(rows, limit, cursor, Offer::from).into_response())
}

/// Withdraw an offer that was not answered.
#[utoipa::path(
    delete, path = "/organizations/{organization}/offers/{offer}", tag = "members",
    params(("organization" = String, Path, description = "`org_…`"), ("offer" = String, Path, description = "`off_…`")),
    responses((status = 204, description = "Withdrawn"), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    request: NoBody,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WithdrawInvitation, &organization).await?;
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    let row = membership_offers::find(&mut write.tx, &acting.organization.id, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    if !membership_offers::settle(&mut write.tx, &row.id, "withdrawn", write.now).await? {
        return Err(over());
    }
    offers::give_back(&mut write.tx, &row, caller.id(), write.now).await?;
    let event = acting.event(&caller, "member.offer_withdrawn").with("offer", row.id);
    audit::record(&mut write.tx, event, write.now).await?;
    write.finish(Written::nothing()).await
}

fn over() -> super::problem::Stop {
    Problem::new(Code::Conflict, offers::OfferRefusal::Over.to_string()).into()
}

/// List what organizations offer to who calls.
#[utoipa::path(
    get, path = "/me/offers", tag = "me",
    responses((status = 200, description = "All of them, at most 100", body = Page<OfferToMe>), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn mine(State(app): State<App>, caller: Caller) -> Answer {
    caller.on_self(&app, Action::ReadSelf).await?;
    let rows = membership_offers::of_person(&mut app.db.reader().await?, caller.id(), app.clock.now()).await?;
    Ok(Page { items: rows.into_iter().map(OfferToMe::from).collect(), next: None }.into_response())
}

/// Accept an offer: one is a member from now on. What the organization asks of its people and one's account does not say is named (422);
/// it is said by `PATCH /me`.
#[utoipa::path(
    post, path = "/me/offers/{offer}/accept", tag = "me",
    params(("offer" = String, Path, description = "`off_…`")),
    responses((status = 204, description = "Accepted"), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn accept(State(app): State<App>, caller: Caller, Path(id): Path<String>, request: NoBody) -> Answer {
    caller.on_self(&app, Action::UpdateSelf).await?;
    let mut tx = app.db.begin().await?;
    let offer = offers::open_to(&mut tx, (caller.id(), &id), app.clock.now()).await?;
    let mut write = Write::begin_in(tx, (&app, &caller), &request.idempotency).await?;
    let Some(offer) = offer else { return Err(Problem::not_found().into()) };
    if let Err(refusal) = offers::accept(&mut write.tx, &app, (&offer, &caller.origin), write.now).await? {
        return Err(match refusal {
            offers::OfferRefusal::Seat(refusal) => seat_problem(&refusal).into(),
            offers::OfferRefusal::Missing(missing) => missing_problem(&missing).into(),
            refusal => Problem::new(Code::Conflict, refusal.to_string()).into(),
        });
    }
    let answer = write.finish(Written::nothing()).await;
    app.mail_waiting.notify_one();
    answer
}

/// Decline an offer.
#[utoipa::path(
    post, path = "/me/offers/{offer}/decline", tag = "me",
    params(("offer" = String, Path, description = "`off_…`")),
    responses((status = 204, description = "Declined"), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn decline(State(app): State<App>, caller: Caller, Path(id): Path<String>, request: NoBody) -> Answer {
    caller.on_self(&app, Action::UpdateSelf).await?;
    let mut tx = app.db.begin().await?;
    let offer = offers::open_to(&mut tx, (caller.id(), &id), app.clock.now()).await?;
    let mut write = Write::begin_in(tx, (&app, &caller), &request.idempotency).await?;
    let Some(offer) = offer else { return Err(Problem::not_found().into()) };
    if !offers::decline(&mut write.tx, (&offer, &caller.origin), write.now).await? {
        return Err(over());
    }
    write.finish(Written::nothing()).await
}
