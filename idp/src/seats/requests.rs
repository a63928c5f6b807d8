//! Members ask for a seat, and an administrator decides (R059): one operation each, for the account's page, the management API and the
//! lifecycle. What is asked for is the organization's request: a seat that is granted is one of its own, and stands in the account of
//! its usage with who asked and who agreed.

use habilis_keys::random;
use habilis_policies::calendar;
use habilis_policies::seat_requests::{self as rules, Facts, Has, Refusal, Way};
use jiff::Timestamp;
use jiff::civil::Date;

use super::{SeatRefusal, State, Taking, check, take};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::members;
use crate::db::seat_requests::{self as rows, End, NewSeatRequest, SeatRequest};
use crate::db::{At, Conn, Tx, organizations, people, products, seats};
use crate::mail::seat_requests::{SeatRequestLetter, SeatRequestStage};
use crate::mail::{self, Post};
use crate::outcome::{Fault, Outcome};

/// Why a seat is taken that was asked for, in the history.
const REASON: &str = "requested";

/// What a member asks for.
#[derive(Debug)]
pub struct Asking<'a> {
    /// Of which organization's seats.
    pub organization: &'a str,
    /// A seat of what.
    pub product: &'a str,
    /// Who asks.
    pub person: &'a str,
    /// Why, in their words.
    pub reason: Option<&'a str>,
    /// The line of the trail, with who and from where.
    pub event: Event,
}

/// Holds the organization that somebody asks for a seat of, unless they have nothing to do with it. It is held before its people are.
///
/// # Errors
/// The database failed.
pub async fn hold(tx: &mut Tx, (organization, person): (&str, &str), now: Timestamp) -> Outcome<()> {
    if belongs(tx, (organization, person), now).await? {
        members::lock(tx, organization).await?;
    }
    Ok(())
}

/// The request `id` of a person, with its organization held.
///
/// # Errors
/// The database failed.
pub async fn held(tx: &mut Tx, person: &str, id: &str) -> Outcome<Option<SeatRequest>> {
    let Some(row) = rows::find_of_person(tx, person, id).await? else { return Ok(None) };
    members::lock(tx, &row.organization_id).await?;
    Ok(rows::find_of_person(tx, person, id).await?)
}

/// Whether a person is a member today.
async fn belongs(c: &mut impl Conn, (organization, person): (&str, &str), now: Timestamp) -> Outcome<bool> {
    let found = members::in_force(c, person, &calendar::date_at(now).to_string()).await?;
    Ok(found.iter().any(|membership| membership.organization_id == organization))
}

/// Makes a request, and grants it at once where the organization's rule says so and a seat is left. The caller holds the organization, by
/// [`hold`], and commits.
///
/// # Errors
/// The database or a template failed.
pub async fn ask(tx: &mut Tx, app: &App, asking: Asking<'_>, now: Timestamp) -> Outcome<Result<SeatRequest, Refusal>> {
    let Asking { organization, product, person, reason, event } = asking;
    let facts = facts(tx, (organization, product, person), now).await?;
    let way = match rules::decide(&facts, now) {
        Ok(way) => way,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let id = random::id("srq", now);
    rows::insert(tx, &NewSeatRequest { id: &id, organization, product, person, reason }, now).await?;
    let Some(row) = rows::find(tx, organization, &id).await? else { return Ok(Err(Refusal::NotAMember)) };
    audit::record(tx, traced(event, &row), now).await?;
    let products = [product.to_owned()];
    let seat = Taking::again((organization, person), State::Assigned, REASON);
    let seat = Taking { products: Some(&products), ..seat };
    if way == Way::AtOnce && check(tx, &seat, now).await?.is_ok() {
        rows::decide(tx, &id, &End { status: "granted", by: None, note: None }, now).await?;
        if take(tx, app.into(), &seat, now).await?.is_err() {
            return Err(Fault::new("a seat that was free is not"));
        }
        for name in ["seat.request_granted", "seat.assigned"] {
            audit::record(tx, line(name, &row).by(person), now).await?;
        }
    } else {
        let letter = letter(tx, &row, SeatRequestStage::Requested).await?;
        for administrator in members::administrators(tx, organization, &calendar::date_at(now).to_string()).await? {
            mail::write(tx, app, (&administrator, &letter), now).await?;
        }
    }
    Ok(rows::find(tx, organization, &id).await?.ok_or(Refusal::NotAMember))
}

/// What is known when somebody asks.
async fn facts(tx: &mut Tx, (organization, product, person): (&str, &str, &str), now: Timestamp) -> Outcome<Facts> {
    let at = (organization, product, person);
    let found = organizations::find(tx, organization).await?;
    let active = found.as_ref().filter(|found| found.status == "active");
    // The operator's staff is given its seats by the operator, and unknown to administrators.
    let staff = people::find(tx, person).await?.is_none_or(|person| person.operator || person.privacy);
    let belongs = !staff && belongs(tx, (organization, person), now).await?;
    let pool = seats::pool(tx, organization, product).await?;
    let sold = products::find(tx, product).await?.is_some_and(|product| product.sold);
    let held = seats::of_member(tx, organization, person).await?;
    let last = rows::last(tx, at).await?;
    let declined = last.as_ref().is_some_and(|(_, status)| status == "declined");
    Ok(Facts {
        rule: active.filter(|_| belongs).map(organizations::Organization::seat_requests),
        over: active.is_some_and(|found| found.subscription_over_at.is_some_and(|at| Timestamp::from(at) <= now)),
        offered: sold || pool.is_some(),
        has: if held.iter().any(|seat| seat.product_id == product) {
            Has::Seat
        } else if rows::open(tx, at).await?.is_some() {
            Has::Request
        } else {
            Has::Nothing
        },
        waiting: rows::waiting_of_member(tx, organization, person).await?,
        last: last.map(|(at, _)| Timestamp::from(at)),
        refused: declined || rows::taken_back(tx, at).await?,
    })
}

/// Why a request is not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// It was answered, or taken back, or lapsed.
    #[error("it does not wait for an answer any more")]
    Answered,
    /// Who asked cannot use a seat: suspended, past their last day, or with an account that is not open.
    #[error("who asks is no active member with an open account")]
    NotInForce,
    /// There is no seat.
    #[error(transparent)]
    Seat(#[from] SeatRefusal),
}

/// An answer to a request.
#[derive(Debug)]
pub struct Answered<'a> {
    /// Who gives it.
    pub by: &'a str,
    /// What they say to it.
    pub note: Option<&'a str>,
    /// The line of the trail.
    pub event: Event,
}

/// Grants a request: who asked has a seat, and is told. The caller holds the organization, and commits, or rolls back on a refusal.
///
/// # Errors
/// The database or a template failed.
pub async fn grant(
    tx: &mut Tx,
    app: &App,
    (row, answer): (&SeatRequest, Answered<'_>),
    now: Timestamp,
) -> Outcome<Result<(), GrantRefusal>> {
    let (organization, person) = (row.organization_id.as_str(), row.person_id.as_str());
    let end = End { status: "granted", by: Some(answer.by), note: answer.note };
    if !rows::decide(tx, &row.id, &end, now).await? {
        return Ok(Err(GrantRefusal::Answered));
    }
    let member = members::find(tx, organization, person).await?;
    let opens = member.is_some_and(|member| matches!(member.account_status.as_str(), "active" | "suspended_password"));
    if !opens || !belongs(tx, (organization, person), now).await? {
        return Ok(Err(GrantRefusal::NotInForce));
    }
    let products = [row.product_id.clone()];
    let seat = Taking::again((organization, person), State::Assigned, REASON).by(answer.by);
    if let Err(refusal) = take(tx, app.into(), &Taking { products: Some(&products), ..seat }, now).await? {
        return Ok(Err(refusal.into()));
    }
    audit::record(tx, traced(answer.event, row), now).await?;
    audit::record(tx, line("seat.assigned", row).by(answer.by), now).await?;
    tell(tx, app.into(), (row, SeatRequestStage::Granted, answer.note), now).await?;
    Ok(Ok(()))
}

/// Declines a request: who asked is told. False when it does not wait any more. The caller commits.
///
/// # Errors
/// The database or a template failed.
pub async fn decline(
    tx: &mut Tx,
    app: &App,
    (row, answer): (&SeatRequest, Answered<'_>),
    now: Timestamp,
) -> Outcome<bool> {
    let end = End { status: "declined", by: Some(answer.by), note: answer.note };
    if !rows::decide(tx, &row.id, &end, now).await? {
        return Ok(false);
    }
    audit::record(tx, traced(answer.event, row), now).await?;
    tell(tx, app.into(), (row, SeatRequestStage::Declined, answer.note), now).await?;
    Ok(true)
}

/// Takes a request back, by who made it. False when it does not wait any more. The caller commits.
///
/// # Errors
/// The database failed.
pub async fn withdraw(
    tx: &mut Tx,
    (row, note, event): (&SeatRequest, Option<&str>, Event),
    now: Timestamp,
) -> Outcome<bool> {
    let end = End { status: "withdrawn", by: Some(&row.person_id), note };
    if !rows::decide(tx, &row.id, &end, now).await? {
        return Ok(false);
    }
    audit::record(tx, traced(event, row), now).await?;
    Ok(true)
}

/// Settles the request of somebody who has the seat they asked for, whoever gave it: every way to a seat of one's own comes by here.
///
/// # Errors
/// The database or a template failed.
pub(super) async fn settle(
    tx: &mut Tx,
    post: Post<'_>,
    (organization, product, person): (&str, &str, &str),
    by: &str,
    now: Timestamp,
) -> Outcome<()> {
    let Some(row) = rows::open(tx, (organization, product, person)).await? else { return Ok(()) };
    if rows::decide(tx, &row.id, &End { status: "granted", by: Some(by), note: None }, now).await? {
        audit::record(tx, line("seat.request_granted", &row).by(by), now).await?;
        tell(tx, post, (&row, SeatRequestStage::Granted, None), now).await?;
    }
    Ok(())
}

/// Withdraws what somebody asks for whose membership ends.
///
/// # Errors
/// The database failed.
pub async fn end_of_member(tx: &mut Tx, (organization, person, by): (&str, &str, &str), now: Timestamp) -> Outcome<()> {
    for row in rows::open_of_member(tx, organization, person).await? {
        rows::decide(tx, &row.id, &End { status: "withdrawn", by: None, note: None }, now).await?;
        audit::record(tx, line("seat.request_withdrawn", &row).by(by), now).await?;
    }
    Ok(())
}

/// Whether somebody can answer requests in an organization: it is active, and its subscription is not over.
///
/// # Errors
/// The database failed.
pub async fn is_answered(c: &mut impl Conn, organization: &str, now: Timestamp) -> Outcome<bool> {
    let found = organizations::find(c, organization).await?;
    let over = |at: At| Timestamp::from(at) <= now;
    Ok(found.is_some_and(|found| found.status == "active" && !found.subscription_over_at.is_some_and(over)))
}

/// A line of the trail about a request.
pub fn line(name: &'static str, row: &SeatRequest) -> Event {
    traced(Event::new(name), row)
}

fn traced(event: Event, row: &SeatRequest) -> Event {
    let event = event.about(&row.person_id).in_organization(&row.organization_id);
    event.with("product", row.product_id.clone()).with("seat_request", row.id.clone())
}

async fn tell(
    tx: &mut Tx,
    post: Post<'_>,
    (row, stage, note): (&SeatRequest, SeatRequestStage, Option<&str>),
    now: Timestamp,
) -> Outcome<()> {
    let letter = SeatRequestLetter { words: note.map(str::to_owned), ..letter(tx, row, stage).await? };
    mail::write(tx, post, (&row.person_id, &letter), now).await?;
    Ok(())
}

/// The letter about a request, with what was said by who asked.
///
/// # Errors
/// The database failed.
pub async fn letter(c: &mut impl Conn, row: &SeatRequest, stage: SeatRequestStage) -> Outcome<SeatRequestLetter> {
    let organization = organizations::find(c, &row.organization_id).await?;
    let product = products::find(c, &row.product_id).await?;
    Ok(SeatRequestLetter {
        stage,
        organization: organization.map_or_else(|| row.organization_id.clone(), |found| found.name),
        product: product.map_or_else(|| row.product_id.clone(), |found| found.name),
        person: format!("{} {}", row.given_name, row.family_name),
        words: row.reason.clone(),
        until: last_day(row)?,
    })
}

/// The last day on which a request waits for an answer, Paris.
///
/// # Errors
/// The instant is out of all range.
pub fn last_day(row: &SeatRequest) -> Outcome<Date> {
    Ok(calendar::date_at(Timestamp::from(row.requested_at).saturating_add(rules::WAITS_FOR)?))
}
