//! Members ask for a seat of a product, and an administrator of their organization decides (R059): `/me/seat-requests` for who asks,
//! `/organizations/{organization}/seat-requests` for who decides. What becomes of a request where nobody is asked is a rule of the
//! organization's, `seat_requests` in its rules.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use habilis_policies::seat_requests::{MOST_CHARACTERS, Refusal};
use habilis_policies::trail::OPERATOR;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields};
use super::caller::Caller;
use super::page::{self, Asked, Page, Paging};
use super::problem::{Answer, Code, Problem};
use super::requests::{DecisionNote, RequestQuery};
use super::seats::seat_problem;
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::app::App;
use crate::db::members;
use crate::db::seat_requests as rows;
use crate::seats::SeatRefusal;
use crate::seats::requests::{self, Answered, Asking, GrantRefusal};
use crate::web::routing::routes;

const STATUSES: &[&str] = &["requested", "granted", "declined", "withdrawn", "expired"];

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(askable))
        .routes(routes!(mine, ask))
        .routes(routes!(read_mine))
        .routes(routes!(withdraw))
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(approve))
        .routes(routes!(decline))
}

/// A member's request for a seat.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SeatRequest {
    /// `srq_…`.
    id: String,
    /// Of whose seats, `org_…`.
    organization: String,
    /// A seat of what.
    product: String,
    /// Who asks, `usr_…`.
    person: String,
    /// Their given name; absent once they are no member any more.
    given_name: Option<String>,
    /// Their family name; likewise.
    family_name: Option<String>,
    /// Why, in their words.
    reason: Option<String>,
    /// `requested`, `granted`, `declined`, `withdrawn` or `expired`.
    status: String,
    /// RFC 3339.
    requested_at: String,
    /// Who decided: `usr_…`, a client, or `operator`; absent when the organization's rule did, time, or the
    /// end of the membership or of the organization.
    decided_by: Option<String>,
    /// RFC 3339.
    decided_at: Option<String>,
    /// What was said to it.
    note: Option<String>,
}

impl SeatRequest {
    /// As the caller may know of it: not who of the operator's staff decided, unless they are of it too.
    pub(super) fn shown(row: rows::SeatRequest, caller: &Caller) -> Self {
        let hidden = row.by_operator && !caller.is_staff();
        // Who left is told of by their id alone.
        let named = row.member || caller.is_staff() || caller.id() == row.person_id;
        Self {
            id: row.id,
            organization: row.organization_id,
            product: row.product_id,
            person: row.person_id,
            given_name: named.then_some(row.given_name),
            family_name: named.then_some(row.family_name),
            reason: row.reason,
            status: row.status,
            requested_at: instant(row.requested_at),
            decided_by: row.decided_by.map(|by| if hidden { OPERATOR.to_owned() } else { by }),
            decided_at: row.decided_at.map(instant),
            note: row.note,
        }
    }
}

/// Whether the caller may know of a request: the operator's staff is shown to itself alone.
fn seen(row: &rows::SeatRequest, caller: &Caller) -> bool {
    caller.sees(&row.person_id, (row.staff, row.staff))
}

fn shown(found: Vec<rows::SeatRequest>, limit: u32, caller: &Caller) -> Page<SeatRequest> {
    let cursor = |row: &rows::SeatRequest| page::cursor_before(row.requested_at.milliseconds(), &row.id);
    let mut page = Page::of(found, limit, cursor, |row| row);
    page.items.retain(|row| seen(row, caller));
    Page { items: page.items.into_iter().map(|row| SeatRequest::shown(row, caller)).collect(), next: page.next }
}

/// A seat that one can ask for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AskableSeat {
    /// `org_…`.
    organization: String,
    /// Its name.
    organization_name: String,
    /// The product.
    product: String,
    /// Its name.
    product_name: String,
}

/// List the seats one can ask for: of one's organizations that take requests, what they ordered or may order and one has no seat of.
#[utoipa::path(
    get, path = "/me/askable-seats", tag = "me",
    responses((status = 200, description = "At most 100", body = Page<AskableSeat>), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn askable(State(app): State<App>, caller: Caller) -> Answer {
    caller.on_self(&app, Action::ReadSelf).await?;
    let found = rows::askable(&mut app.db.reader().await?, caller.id(), None, app.clock.now()).await?;
    let show = |row: rows::Askable| AskableSeat {
        organization: row.organization_id,
        organization_name: row.organization,
        product: row.product_id,
        product_name: row.product,
    };
    Ok(Page { items: found.into_iter().map(show).collect(), next: None }.into_response())
}

/// List what one asked for, newest first.
#[utoipa::path(
    get, path = "/me/seat-requests", tag = "me", params(Paging),
    responses((status = 200, description = "A page", body = Page<SeatRequest>), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn mine(State(app): State<App>, caller: Caller, Asked(paging): Asked<Paging>) -> Answer {
    caller.on_self(&app, Action::ReadSelf).await?;
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let found = rows::list_of_person(&mut app.db.reader().await?, caller.id(), (at, &id, limit + 1)).await?;
    Ok(shown(found, limit, &caller).into_response())
}

/// A seat that is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSeatRequest {
    /// Of whose seats: an organization one belongs to, `org_…`.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    organization: fields::Line,
    /// A seat of what.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    product: fields::Line,
    /// Why, for who decides.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 500)]
    reason: Option<Reason>,
}

/// Why a seat is asked for, in the words of who asks.
#[derive(Debug)]
struct Reason(String);

impl fields::FromText for Reason {
    fn from_text(text: &str) -> Result<Self, String> {
        let fits = text.trim().chars().count() <= MOST_CHARACTERS;
        let text = fields::Paragraph::from_text(text).ok().filter(|_| fits);
        text.map(|text| Self(text.0)).ok_or_else(|| format!("1 to {MOST_CHARACTERS} characters of text"))
    }
}

/// Ask for a seat. It is the organization's request, and billed to it: an administrator decides within thirty days, unless the
/// organization's rule grants it at once (`status`). A day has to pass before the same is asked for again.
#[utoipa::path(
    post, path = "/me/seat-requests", tag = "me", request_body = NewSeatRequest,
    responses((status = 201, description = "It waits for an answer, or is granted", body = SeatRequest), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn ask(State(app): State<App>, caller: Caller, body: Body<NewSeatRequest>) -> Answer {
    caller.on_self(&app, Action::UpdateSelf).await?;
    let new = &body.value;
    let mut tx = app.db.begin().await?;
    requests::hold(&mut tx, (&new.organization.0, caller.id()), app.clock.now()).await?;
    let mut write = Write::begin_in(tx, (&app, &caller), &body.idempotency).await?;
    let asking = Asking {
        organization: &new.organization.0,
        product: &new.product.0,
        person: caller.id(),
        reason: new.reason.as_ref().map(|reason| reason.0.as_str()),
        event: caller.event("seat.requested"),
    };
    let row = requests::ask(&mut write.tx, &app, asking, write.now).await?.map_err(refused)?;
    let location = format!("/api/v1/me/seat-requests/{}", row.id);
    let answer = write.finish(Written::created(location, &SeatRequest::shown(row, &caller))?).await;
    app.mail_waiting.notify_one();
    answer
}

/// Why somebody cannot ask, as a problem.
fn refused(refusal: Refusal) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        Refusal::NotAMember => Problem::field("/organization", "unknown", detail),
        Refusal::NotOffered => Problem::field("/product", "unknown", detail),
        Refusal::Over => Problem::new(Code::SubscriptionOver, detail),
        Refusal::Off | Refusal::Holds | Refusal::Waits | Refusal::TooMany => Problem::new(Code::Conflict, detail),
        Refusal::TooSoon { left } => Problem::wait(detail, left),
    }
}

/// Read what one asked for.
#[utoipa::path(
    get, path = "/me/seat-requests/{seat_request}", tag = "me",
    params(("seat_request" = String, Path, description = "`srq_…`")),
    responses((status = 200, description = "Found", body = SeatRequest), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn read_mine(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.on_self(&app, Action::ReadSelf).await?;
    let row = rows::find_of_person(&mut app.db.reader().await?, caller.id(), &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    Ok(Written::changed(&SeatRequest::shown(row, &caller))?.into_response())
}

/// Take back what one asked for.
#[utoipa::path(
    post, path = "/me/seat-requests/{seat_request}/withdraw", tag = "me", request_body = DecisionNote,
    params(("seat_request" = String, Path, description = "`srq_…`")),
    responses((status = 200, description = "As it is now", body = SeatRequest), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn withdraw(State(app): State<App>, caller: Caller, Path(id): Path<String>, body: Body<DecisionNote>) -> Answer {
    caller.on_self(&app, Action::UpdateSelf).await?;
    let mut tx = app.db.begin().await?;
    let row = requests::held(&mut tx, caller.id(), &id).await?;
    let mut write = Write::begin_in(tx, (&app, &caller), &body.idempotency).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let event = caller.event("seat.request_withdrawn");
    if !requests::withdraw(&mut write.tx, (&row, body.value.text(), event), write.now).await? {
        return Err(answered().into());
    }
    let row = rows::find_of_person(&mut write.tx, caller.id(), &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    write.finish(Written::changed(&SeatRequest::shown(row, &caller))?).await
}

fn answered() -> Problem {
    Problem::new(Code::Conflict, GrantRefusal::Answered.to_string())
}

/// List what members ask an organization for, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/seat-requests", tag = "seats",
    params(("organization" = String, Path, description = "`org_…`"), RequestQuery),
    responses((status = 200, description = "A page", body = Page<SeatRequest>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(query): Asked<RequestQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadSeats, &organization).await?;
    let (status, paging) = (query.status(STATUSES)?, query.paging());
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let of = (acting.organization.id.as_str(), status);
    let found = rows::list(&mut app.db.reader().await?, of, (at, &id, limit + 1)).await?;
    Ok(shown(found, limit, &caller).into_response())
}

/// Read a request.
#[utoipa::path(
    get, path = "/organizations/{organization}/seat-requests/{seat_request}", tag = "seats",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("seat_request" = String, Path, description = "`srq_…`")
    ),
    responses((status = 200, description = "Found", body = SeatRequest), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, id)): Path<(String, String)>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadSeats, &organization).await?;
    let row = rows::find(&mut app.db.reader().await?, &acting.organization.id, &id).await?;
    let row = row.filter(|row| seen(row, &caller));
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    Ok(Written::changed(&SeatRequest::shown(row, &caller))?.into_response())
}

/// A request that is to be answered, with its organization held, and the answer that `event` will tell of.
async fn to_answer<'a>(
    app: &App,
    caller: &'a Caller,
    ((organization, id), event): ((&str, &str), &'static str),
    body: &'a Body<DecisionNote>,
) -> Answer<(Write, rows::SeatRequest, Answered<'a>)> {
    let acting = caller.in_organization(app, Action::DecideSeatRequest, organization).await?;
    let mut write = Write::begin(app, caller, &body.idempotency).await?;
    members::lock(&mut write.tx, &acting.organization.id).await?;
    let row = rows::find(&mut write.tx, &acting.organization.id, id).await?;
    let Some(row) = row.filter(|row| seen(row, caller)) else { return Err(Problem::not_found().into()) };
    let answer = Answered { by: caller.id(), note: body.value.text(), event: acting.event(caller, event) };
    Ok((write, row, answer))
}

/// Answers with the request as it is now.
async fn finish(app: &App, caller: &Caller, (mut write, row): (Write, rows::SeatRequest)) -> Answer {
    let row = rows::find(&mut write.tx, &row.organization_id, &row.id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let answer = write.finish(Written::changed(&SeatRequest::shown(row, caller))?).await;
    app.mail_waiting.notify_one();
    answer
}

/// Approve a request: who asked has a seat at once, and is told. 409 `seat_limit_reached` when none is left, or nothing of the product was
/// ordered: the request waits on.
#[utoipa::path(
    post, path = "/organizations/{organization}/seat-requests/{seat_request}/approve", tag = "seats", request_body = DecisionNote,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("seat_request" = String, Path, description = "`srq_…`")
    ),
    responses((status = 200, description = "Granted", body = SeatRequest), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn approve(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<DecisionNote>,
) -> Answer {
    let asked = (organization.as_str(), id.as_str());
    let (mut write, row, answer) = to_answer(&app, &caller, (asked, "seat.request_granted"), &body).await?;
    match requests::grant(&mut write.tx, &app, (&row, answer), write.now).await? {
        Ok(()) => finish(&app, &caller, (write, row)).await,
        Err(refusal @ (GrantRefusal::Answered | GrantRefusal::NotInForce)) => {
            Err(Problem::new(Code::Conflict, refusal.to_string()).into())
        }
        Err(GrantRefusal::Seat(SeatRefusal::NoSuchProduct(product))) => {
            let detail = format!("no seat of {product} was ordered");
            let problem = Problem::new(Code::SeatLimitReached, detail).with("product", product);
            Err(problem.with("limit", 0).with("taken", 0).into())
        }
        Err(GrantRefusal::Seat(refusal)) => Err(seat_problem(&refusal).into()),
    }
}

/// Decline a request: who asked is told.
#[utoipa::path(
    post, path = "/organizations/{organization}/seat-requests/{seat_request}/decline", tag = "seats", request_body = DecisionNote,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("seat_request" = String, Path, description = "`srq_…`")
    ),
    responses((status = 200, description = "Declined", body = SeatRequest), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn decline(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    body: Body<DecisionNote>,
) -> Answer {
    let asked = (organization.as_str(), id.as_str());
    let (mut write, row, answer) = to_answer(&app, &caller, (asked, "seat.request_declined"), &body).await?;
    if !requests::decline(&mut write.tx, &app, (&row, answer), write.now).await? {
        return Err(answered().into());
    }
    finish(&app, &caller, (write, row)).await
}
