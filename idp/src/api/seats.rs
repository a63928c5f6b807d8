//! `/organizations/{organization}/seats`: how many, who holds them, what happened to them; giving one, taking it back, handing it
//! over (R060, R061, R068). The limit is what orders open: nobody edits it.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use habilis_policies::seats as rules;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, NoBody, fields};
use super::caller::Caller;
use super::page::{self, Asked, Page, Paging};
use super::problem::{Answer, Code, Problem};
use super::write::{Write, Written};
use super::{Problems, instant};
use crate::app::App;
use crate::db::members::{self, Member};
use crate::db::seats::{self as rows, Pool};
use crate::db::{Conn, audit};
use crate::seats::{self, SeatRefusal, State as SeatState, Taking, TransferRefusal};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(holders))
        .routes(routes!(history))
        .routes(routes!(assign, release))
        .routes(routes!(transfer))
}

/// Why somebody gets no seat, as a problem.
pub(super) fn seat_problem(refusal: &SeatRefusal) -> Problem {
    metrics::counter!("habilis_seats_refused_total").increment(1);
    match refusal {
        SeatRefusal::LimitReached { product, figures } => Problem::new(Code::SeatLimitReached, refusal.to_string())
            .with("product", product.clone())
            .with("limit", figures.limit)
            .with("taken", figures.taken),
        SeatRefusal::ProductUnnamed(products) => {
            Problem::field("/products", "missing", refusal.to_string()).with("products", products.clone())
        }
        SeatRefusal::NoSuchProduct(_) => Problem::field("/products", "unknown", refusal.to_string()),
    }
}

/// The seats of a product in an organization.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Seats {
    /// The product.
    product: String,
    /// `named`, or `concurrent`: then those connected count, not those named.
    mode: String,
    /// Seats that orders and trials open now.
    limit: u64,
    /// Seats taken: by members, suspended ones included, by invitations and by offers.
    taken: i64,
    /// `free`, `nearly_full` (from 80 %), `full`, or `over` when an order ended: then nobody new comes in, and nobody is thrown out;
    /// `closed` when no order opens any seat.
    level: String,
    /// How often a seat was handed from one person to another.
    transfers: i64,
    /// When what is open changes next, RFC 3339; absent when no change is known.
    changes_at: Option<String>,
}

impl Seats {
    pub(super) fn of(pool: &Pool, now: jiff::Timestamp) -> Self {
        let grants = pool.grants();
        let changes = grants.iter().flat_map(|grant| [Some(grant.from), grant.until]).flatten();
        Self {
            product: pool.product_id.clone(),
            mode: pool.mode(now).name().to_owned(),
            limit: rules::limit(&grants, now),
            taken: pool.taken,
            level: seats::level_of(pool, now).name().to_owned(),
            transfers: pool.transfers,
            changes_at: changes.filter(|at| *at > now).min().map(|at| at.to_string()),
        }
    }
}

/// List the seats of an organization, product by product.
#[utoipa::path(
    get, path = "/organizations/{organization}/seats", tag = "seats",
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "All of them", body = Page<Seats>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn list(State(app): State<App>, caller: Caller, Path(organization): Path<String>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadSeats, &organization).await?;
    let now = app.clock.now();
    let pools = rows::pools(&mut app.db.reader().await?, &acting.organization.id).await?;
    Ok(Page { items: pools.iter().map(|pool| Seats::of(pool, now)).collect(), next: None }.into_response())
}

/// Who holds a seat.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SeatHolder {
    /// `usr_…`.
    person: String,
    /// What they sign in with.
    login: String,
    /// Given name.
    given_name: String,
    /// Family name.
    family_name: String,
    /// `assigned`, or `held` by an invitation or an offer.
    state: String,
    /// RFC 3339.
    since: String,
    /// How often they took such a seat over from somebody.
    taken_over: i64,
}

impl From<rows::Holder> for SeatHolder {
    fn from(row: rows::Holder) -> Self {
        Self {
            person: row.person_id,
            login: row.login,
            given_name: row.given_name,
            family_name: row.family_name,
            state: row.state,
            since: instant(row.since),
            taken_over: row.taken_over,
        }
    }
}

async fn pool(c: &mut impl Conn, organization: &str, product: &str) -> Answer<Pool> {
    rows::pool(c, organization, product).await?.ok_or_else(|| Problem::not_found().into())
}

/// List who holds a seat of a product, the longest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/seats/{product}/holders", tag = "seats",
    params(("organization" = String, Path, description = "`org_…`"), ("product" = String, Path, description = "The product"), Paging),
    responses((status = 200, description = "A page", body = Page<SeatHolder>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn holders(
    State(app): State<App>,
    caller: Caller,
    Path((organization, product)): Path<(String, String)>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadSeats, &organization).await?;
    let (limit, (at, person)) = (paging.limit()?, paging.after()?);
    let mut reader = app.db.reader().await?;
    pool(&mut reader, &acting.organization.id, &product).await?;
    let of = (acting.organization.id.as_str(), product.as_str());
    let found = rows::holders(&mut reader, of, (at, &person, limit + 1)).await?;
    let cursor = |row: &rows::Holder| page::cursor_before(row.since.milliseconds(), &row.person_id);
    let mut page = Page::of(found, limit, cursor, |row| row);
    page.items.retain(|row| caller.sees(&row.person_id, (row.operator, row.privacy)));
    let items = page.items.into_iter().map(SeatHolder::from).collect();
    Ok(Page { items, next: page.next }.into_response())
}

/// Something that happened to a seat.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SeatEvent {
    /// `sea_…`.
    id: String,
    /// `usr_…`.
    person: String,
    /// `held`, `assigned`, `released`, `given_over` or `taken_over`.
    event: String,
    /// The other person of a transfer, `usr_…`.
    other_person: Option<String>,
    /// `usr_…`, a client, `cli` or `lifecycle`.
    by: String,
    /// Why.
    reason: String,
    /// RFC 3339.
    at: String,
}

impl From<rows::Line> for SeatEvent {
    fn from(row: rows::Line) -> Self {
        Self {
            id: row.id,
            person: row.person_id,
            event: row.event,
            other_person: row.other_person_id,
            by: row.by_whom,
            reason: row.reason,
            at: instant(row.at),
        }
    }
}

/// List what happened to the seats of a product, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/seats/{product}/history", tag = "seats",
    params(("organization" = String, Path, description = "`org_…`"), ("product" = String, Path, description = "The product"), Paging),
    responses((status = 200, description = "A page", body = Page<SeatEvent>), Problems),
    security(("oauth2" = ["habilis.members.read"]))
)]
async fn history(
    State(app): State<App>,
    caller: Caller,
    Path((organization, product)): Path<(String, String)>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadSeats, &organization).await?;
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let mut reader = app.db.reader().await?;
    pool(&mut reader, &acting.organization.id, &product).await?;
    let of = (acting.organization.id.as_str(), product.as_str());
    let found = rows::history(&mut reader, of, (at, &id, limit + 1)).await?;
    let cursor = |row: &rows::Line| page::cursor_before(row.at.milliseconds(), &row.id);
    Ok(Page::of(found, limit, cursor, SeatEvent::from).into_response())
}

/// The state of the seat of a member.
fn state_of(member: &Member) -> SeatState {
    if member.account_status == "pending" { SeatState::Held } else { SeatState::Assigned }
}

/// Give a member a seat of a product. Who holds one keeps it.
#[utoipa::path(
    put, path = "/organizations/{organization}/members/{person}/seats/{product}", tag = "seats",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("person" = String, Path, description = "`usr_…`"),
        ("product" = String, Path, description = "The product")
    ),
    responses((status = 204, description = "They hold a seat"), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn assign(
    State(app): State<App>,
    caller: Caller,
    Path((organization, person, product)): Path<(String, String, String)>,
    request: NoBody,
) -> Answer {
    let on = caller.on_member(&app, Action::ReadMember, (&organization, &person)).await?;
    let acting = caller.in_organization(&app, Action::AssignSeat, &organization).await?;
    let (organization, person) = (&acting.organization.id, &on.member.person_id);
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    members::lock(&mut write.tx, organization).await?;
    let member = members::find(&mut write.tx, organization, person).await?;
    let Some(member) = member else { return Err(Problem::not_found().into()) };
    pool(&mut write.tx, organization, &product).await?;
    let held = rows::of_member(&mut write.tx, organization, person).await?;
    if held.iter().any(|seat| seat.product_id == product) {
        return write.finish(Written::nothing()).await;
    }
    let products = [product.clone()];
    let seat = Taking::again((organization, person), state_of(&member), "assigned").by(caller.id());
    let seat = Taking { products: Some(&products), ..seat };
    if let Err(refusal) = seats::take(&mut write.tx, (&app).into(), &seat, write.now).await? {
        return Err(seat_problem(&refusal).into());
    }
    let event = acting.event(&caller, "seat.assigned").about(person).with("product", product);
    audit::record(&mut write.tx, event, write.now).await?;
    let answer = write.finish(Written::nothing()).await;
    app.mail_waiting.notify_one();
    answer
}

/// Take a member's seat of a product back: they have no access to its portals any more. They stay a member.
#[utoipa::path(
    delete, path = "/organizations/{organization}/members/{person}/seats/{product}", tag = "seats",
    params(
        ("organization" = String, Path, description = "`org_…`"), ("person" = String, Path, description = "`usr_…`"),
        ("product" = String, Path, description = "The product")
    ),
    responses((status = 204, description = "The seat is free"), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn release(
    State(app): State<App>,
    caller: Caller,
    Path((organization, person, product)): Path<(String, String, String)>,
    request: NoBody,
) -> Answer {
    let on = caller.on_member(&app, Action::ReadMember, (&organization, &person)).await?;
    let acting = caller.in_organization(&app, Action::AssignSeat, &organization).await?;
    let (organization, person) = (&acting.organization.id, &on.member.person_id);
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    let who = (organization.as_str(), person.as_str());
    let why = (caller.id(), "taken_back");
    if seats::release(&mut write.tx, who, Some(&product), why, write.now).await? == 0 {
        return Err(Problem::not_found().into());
    }
    let event = acting.event(&caller, "seat.released").about(person).with("product", product);
    audit::record(&mut write.tx, event, write.now).await?;
    write.finish(Written::nothing()).await
}

/// A seat to be handed over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SeatTransfer {
    /// Who gives it over, `usr_…`.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    from: fields::Line,
    /// Who takes it over, `usr_…`: a member.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    to: fields::Line,
    /// Why.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: fields::Paragraph,
}

/// Hand a seat from one member to another. It is counted and shown: a seat that is passed around is a shared credential.
#[utoipa::path(
    post, path = "/organizations/{organization}/seats/{product}/transfers", tag = "seats", request_body = SeatTransfer,
    params(("organization" = String, Path, description = "`org_…`"), ("product" = String, Path, description = "The product")),
    responses((status = 200, description = "How the seats stand now", body = Seats), Problems),
    security(("oauth2" = ["habilis.members.write"]))
)]
async fn transfer(
    State(app): State<App>,
    caller: Caller,
    Path((organization, product)): Path<(String, String)>,
    body: Body<SeatTransfer>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::AssignSeat, &organization).await?;
    let organization = acting.organization.id.as_str();
    let asked = &body.value;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    members::lock(&mut write.tx, organization).await?;
    pool(&mut write.tx, organization, &product).await?;
    let to = members::find(&mut write.tx, organization, &asked.to.0).await?;
    let to = to.filter(|member| caller.sees(&member.person_id, (member.operator, member.privacy)));
    let Some(to) = to else { return Err(Problem::field("/to", "unknown", "there is no such member").into()) };
    if asked.from.0.contains('\0') {
        return Err(Problem::field("/from", "unknown", "there is no such member").into());
    }
    let who = (asked.from.0.as_str(), to.person_id.as_str(), state_of(&to));
    let why = (caller.id(), asked.reason.0.as_str());
    let moved = seats::transfer(&mut write.tx, (&app).into(), (organization, &product), who, why, write.now).await?;
    if let Err(refusal) = moved {
        let pointer = if refusal == TransferRefusal::NotHeld { "/from" } else { "/to" };
        return Err(Problem::new(Code::Conflict, refusal.to_string()).with("pointer", pointer).into());
    }
    let event = acting
        .event(&caller, "seat.transferred")
        .about(&to.person_id)
        .with("product", product.clone())
        .with("reason", asked.reason.0.clone())
        .changed(json!({ "person": asked.from.0 }), json!({ "person": to.person_id }));
    audit::record(&mut write.tx, event, write.now).await?;
    let pool = pool(&mut write.tx, organization, &product).await?;
    let shown = Seats::of(&pool, write.now);
    let answer = write.finish(Written::changed(&shown)?).await;
    app.mail_waiting.notify_one();
    answer
}
