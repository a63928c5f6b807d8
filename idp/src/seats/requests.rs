//! Members ask for a seat, and an administrator decides (R059): one operation each, for the account's page, the management API and the
//! lifecycle. What is asked for is the organization's request: a seat that is granted is one of its own, and stands in the account of
//! its usage with who asked and who agreed.

use habilis_keys::random;
use habilis_policies::calendar;
use habilis_policies::seat_requests::{self as rules, Facts, Has, Refusal, Way};
use jiff::Timestamp;

use super::{SeatRefusal, State, Taking, take};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::members::{self, Member};
use crate::db::seat_requests::{self as rows, End, NewSeatRequest, SeatRequest};
use crate::db::{Conn, Tx, organizations, products, seats};
use crate::mail;
use crate::mail::seat_requests::{SeatRequestLetter, SeatRequestStage};
use crate::outcome::Outcome;

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

/// Makes a request, and grants it at once where the organization's rule says so and a seat is left. The caller commits.
///
/// # Errors
/// The database or a template failed.
pub async fn ask(tx: &mut Tx, app: &App, asking: Asking<'_>, now: Timestamp) -> Outcome<Result<SeatRequest, Refusal>> {
    let Asking { organization, product, person, reason, event } = asking;
    // Of two requests at once, the later one sees the earlier.
    members::lock(tx, organization).await?;
    let (facts, member) = facts(tx, (organization, product, person), now).await?;
    let way = match rules::decide(&facts, now) {
        Ok(way) => way,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let id = random::id("srq", now);
    rows::insert(tx, &NewSeatRequest { id: &id, organization, product, person, reason }, now).await?;
    let event = event.about(person).in_organization(organization).with("product", product);
    audit::record(tx, event.with("seat_request", id.clone()), now).await?;
    if let (Way::AtOnce, Some(member)) = (way, &member)
        && let Some(row) = rows::find(tx, organization, &id).await?
        && sit(tx, app, (&row, member, person), now).await?.is_ok()
    {
        rows::decide(tx, &id, &End { status: "granted", by: None, note: None }, now).await?;
        audit::record(tx, line("seat.assigned", &row).by(person), now).await?;
    } else if let Some(row) = rows::find(tx, organization, &id).await? {
        let letter = letter(tx, &row, SeatRequestStage::Requested).await?;
        for administrator in members::administrators(tx, organization, &calendar::date_at(now).to_string()).await? {
            mail::write(tx, app, (&administrator, &letter), now).await?;
        }
    }
    let row = rows::find(tx, organization, &id).await?;
    Ok(row.ok_or(Refusal::NotAMember))
}

/// What is known when somebody asks; the member too, when there is one.
async fn facts(
    tx: &mut Tx,
    (organization, product, person): (&str, &str, &str),
    now: Timestamp,
) -> Outcome<(Facts, Option<Member>)> {
    let at = (organization, product, person);
    let today = calendar::date_at(now).to_string();
    let found = organizations::find(tx, organization).await?;
    let member = members::find(tx, organization, person).await?;
    let active = found.as_ref().is_some_and(|found| found.status == "active");
    let in_force = members::in_force(tx, person, &today).await?;
    let in_force = in_force.iter().any(|membership| membership.organization_id == organization);
    let pool = seats::pool(tx, organization, product).await?;
    let sold = products::find(tx, product).await?.is_some_and(|product| product.sold);
    let held = seats::of_member(tx, organization, person).await?;
    let facts = Facts {
        belongs: active && in_force,
        rule: found.as_ref().map_or(rules::Rule::Off, organizations::Organization::seat_requests),
        over: found.and_then(|found| found.subscription_over_at).is_some_and(|at| Timestamp::from(at) <= now),
        offered: sold || pool.is_some(),
        has: if held.iter().any(|seat| seat.product_id == product) {
            Has::Seat
        } else if rows::open(tx, at).await?.is_some() {
            Has::Request
        } else {
            Has::Nothing
        },
        last: rows::last(tx, at).await?.map(Timestamp::from),
    };
    Ok((facts, member))
}

/// Gives who asked their seat; who has one meanwhile keeps it.
async fn sit(
    tx: &mut Tx,
    app: &App,
    (row, member, by): (&SeatRequest, &Member, &str),
    now: Timestamp,
) -> Outcome<Result<(), SeatRefusal>> {
    let state = if member.account_status == "pending" { State::Held } else { State::Assigned };
    let products = [row.product_id.clone()];
    let seat = Taking::again((&row.organization_id, &row.person_id), state, "requested").by(by);
    take(tx, app.into(), &Taking { products: Some(&products), ..seat }, now).await
}

/// Why a request is not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// It was answered, or taken back, or lapsed.
    #[error("it does not wait for an answer any more")]
    Answered,
    /// There is no seat.
    #[error(transparent)]
    Seat(#[from] SeatRefusal),
}

/// An answer to a request.
#[derive(Debug)]
pub struct Answered<'a> {
    /// Who gives it, and whether for the operator.
    pub by: (&'a str, bool),
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
    let end = End { status: "granted", by: Some(answer.by), note: answer.note };
    if !rows::decide(tx, &row.id, &end, now).await? {
        return Ok(Err(GrantRefusal::Answered));
    }
    let Some(member) = members::find(tx, &row.organization_id, &row.person_id).await? else {
        return Ok(Err(GrantRefusal::Answered));
    };
    if let Err(refusal) = sit(tx, app, (row, &member, answer.by.0), now).await? {
        return Ok(Err(refusal.into()));
    }
    audit::record(tx, traced(answer.event, row), now).await?;
    audit::record(tx, line("seat.assigned", row).by(answer.by.0), now).await?;
    tell(tx, app, (row, SeatRequestStage::Granted, answer.note), now).await?;
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
    tell(tx, app, (row, SeatRequestStage::Declined, answer.note), now).await?;
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
    let end = End { status: "withdrawn", by: Some((&row.person_id, false)), note };
    if !rows::decide(tx, &row.id, &end, now).await? {
        return Ok(false);
    }
    audit::record(tx, traced(event, row), now).await?;
    Ok(true)
}

/// Settles the request of somebody who was given the seat without an answer to it. The caller commits.
///
/// # Errors
/// The database or a template failed.
pub async fn settle(
    tx: &mut Tx,
    app: &App,
    (organization, product, person): (&str, &str, &str),
    by: (&str, bool),
    now: Timestamp,
) -> Outcome<()> {
    let Some(row) = rows::open(tx, (organization, product, person)).await? else { return Ok(()) };
    if rows::decide(tx, &row.id, &End { status: "granted", by: Some(by), note: None }, now).await? {
        audit::record(tx, line("seat.request_granted", &row).by(by.0), now).await?;
        tell(tx, app, (&row, SeatRequestStage::Granted, None), now).await?;
    }
    Ok(())
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
    app: &App,
    (row, stage, note): (&SeatRequest, SeatRequestStage, Option<&str>),
    now: Timestamp,
) -> Outcome<()> {
    let letter = SeatRequestLetter { words: note.map(str::to_owned), ..letter(tx, row, stage).await? };
    mail::write(tx, app, (&row.person_id, &letter), now).await?;
    Ok(())
}

/// The letter about a request, with what was said by who asked.
///
/// # Errors
/// The database failed.
pub async fn letter(c: &mut impl Conn, row: &SeatRequest, stage: SeatRequestStage) -> Outcome<SeatRequestLetter> {
    let organization = organizations::find(c, &row.organization_id).await?;
    let product = products::find(c, &row.product_id).await?;
    let lapses = Timestamp::from(row.requested_at).saturating_add(rules::WAITS_FOR)?;
    Ok(SeatRequestLetter {
        stage,
        organization: organization.map_or_else(|| row.organization_id.clone(), |found| found.name),
        product: product.map_or_else(|| row.product_id.clone(), |found| found.name),
        person: format!("{} {}", row.given_name, row.family_name),
        words: row.reason.clone(),
        until: calendar::date_at(lapses),
    })
}
