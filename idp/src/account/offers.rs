//! Memberships offered to people who have an account already. Nobody becomes a member against their will: they accept or decline,
//! signed in, on `/account/organizations` or through the management API. Until then the administrator learns nothing of them but
//! that the address has an account.

use habilis_keys::random;
use habilis_policies::attributes::Attribute;
use habilis_policies::calendar;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::signatories;
use super::{attributes, organizations_page};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::members::{self, Terms};
use crate::db::membership_offers::{self, NewOffer, Offer};
use crate::db::organizations::{self, Organization};
use crate::db::people::Person;
use crate::db::{Tx, is_unique_violation, people, portal_grants};
use crate::mail::accounts::AccountLetter;
use crate::mail::{self, Post, Recipient};
use crate::outcome::Outcome;
use crate::seats::{self, SeatRefusal, State, Taking};
use crate::web::Origin;
use crate::web::text::Locale;

/// Why an offer is not made, or cannot be taken any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferRefusal {
    /// The person is a member.
    #[error("the person is a member already")]
    AlreadyMember,
    /// The address that is invited is not the proven one of the account.
    #[error("the address is not that of the account")]
    NotTheirs,
    /// Another offer is open.
    #[error("the person was invited already and has not answered")]
    AlreadyOffered,
    /// No seat for them (R060).
    #[error(transparent)]
    Seat(#[from] SeatRefusal),
    /// Their account does not say what the organization asks of its people (R004).
    #[error("what the organization asks of its people was not said")]
    Missing(Vec<Attribute>),
    /// Settled, lapsed, or the organization is not active.
    #[error("the offer is not open any more")]
    Over,
}

/// What is offered, the products whose seats go with it, and what an order will add of them: the last two as in [`Taking`].
pub type Wanted<'a> = (NewOffer<'a>, Option<&'a [String]>, Option<u32>);

/// Makes an offer to somebody with an open account, and writes to them. Gives the offer's id and the mail's. The caller records and
/// commits, or rolls back.
///
/// The account is found by what its person signs in with; whom the organization means is the address. Only where both are of one person
/// are they asked.
///
/// # Errors
/// The database or the template failed.
pub async fn make(
    tx: &mut Tx,
    post: Post<'_>,
    (person, organization, (new, products, initial_of)): (&Person, &Organization, Wanted<'_>),
    now: Timestamp,
) -> Outcome<Result<(String, Option<String>), OfferRefusal>> {
    if members::find(tx, &organization.id, &person.id).await?.is_some() {
        return Ok(Err(OfferRefusal::AlreadyMember));
    }
    if !person.email_verified || !person.is_reached_at(new.email) {
        return Ok(Err(OfferRefusal::NotTheirs));
    }
    if let Some(before) = membership_offers::lapsed_of(tx, (&organization.id, &person.id), now).await? {
        crate::lifecycle::offers::lapse(tx, &before, now).await?;
    }
    let seat = Taking {
        organization: &organization.id,
        person: &person.id,
        products,
        state: State::Held,
        by: new.by,
        reason: "offered",
        initial_of,
    };
    // Before anything is written; the pool is held from here on, so the seat is still there below.
    if let Err(refusal) = seats::check(tx, &seat, now).await? {
        return Ok(Err(refusal.into()));
    }
    let id = random::id("off", now);
    match membership_offers::insert(tx, &NewOffer { id: &id, ..new }, (now, open_until(post, now)?)).await {
        Err(error) if is_unique_violation(&error) => return Ok(Err(OfferRefusal::AlreadyOffered)),
        inserted => inserted?,
    }
    if let Err(refusal) = seats::take(tx, post, &seat, now).await? {
        return Ok(Err(refusal.into()));
    }
    let mail = write_to(tx, post, (person, organization), now).await?;
    Ok(Ok((id, mail)))
}

/// Until when an offer that is made `now` can be accepted.
///
/// # Errors
/// The end of time.
pub fn open_until(post: Post<'_>, now: Timestamp) -> Outcome<Timestamp> {
    let days = post.config.accounts.invitation_days;
    Ok(now.saturating_add(SignedDuration::from_hours(24 * i64::from(days)))?)
}

/// Writes to somebody who was made an offer; gives the mail's id, none when there is no address. The caller commits.
///
/// # Errors
/// The database or the template failed.
pub async fn write_to(
    tx: &mut Tx,
    post: Post<'_>,
    (person, organization): (&Person, &Organization),
    now: Timestamp,
) -> Outcome<Option<String>> {
    let Some(address) = &person.email else { return Ok(None) };
    let letter = AccountLetter::Offer {
        organization: organization.name.clone(),
        days: post.config.accounts.invitation_days,
        href: format!("{}{}", post.config.server.issuer, organizations_page::PATH),
    };
    let to = Recipient { address, person: Some(&person.id), locale: Locale::negotiate(Some(&person.locale), None) };
    Ok(Some(mail::write_to(tx, post, (&to, &letter), (now, now)).await?))
}

/// Takes an offer: the person is a member from now on, with the rights that the organization may still give. The caller commits, or
/// rolls back.
///
/// # Errors
/// The database or a template failed.
pub async fn accept(
    tx: &mut Tx,
    app: &App,
    (offer, origin): (&Offer, &Origin),
    now: Timestamp,
) -> Outcome<Result<(), OfferRefusal>> {
    let (organization, person) = (&offer.organization_id, &offer.person_id);
    members::lock(tx, organization).await?;
    let found = organizations::find(tx, organization).await?.filter(|found| found.status == "active");
    let Some(found) = found else { return Ok(Err(OfferRefusal::Over)) };
    let last_day = offer.ends_on.as_deref().and_then(|day| day.parse::<Date>().ok());
    let too_late = last_day.is_some_and(|day| day < calendar::date_at(now));
    if too_late || !membership_offers::settle(tx, &offer.id, "accepted", now).await? {
        return Ok(Err(OfferRefusal::Over));
    }
    if members::find(tx, organization, person).await?.is_some() {
        return Ok(Err(OfferRefusal::AlreadyMember));
    }
    let Some(account) = people::find(tx, person).await? else { return Ok(Err(OfferRefusal::Over)) };
    let missing = attributes::missing_of(&attributes::asked_by(tx, &app.config, organization).await?, &account)?;
    if !missing.is_empty() {
        return Ok(Err(OfferRefusal::Missing(missing)));
    }
    // The one that the offer held, unless it was made before there were seats.
    let seat = Taking::again((organization, person), State::Assigned, "joined");
    if let Err(refusal) = seats::take(tx, app.into(), &seat, now).await? {
        return Ok(Err(refusal.into()));
    }
    seats::taken_up(tx, person, organization, now).await?;
    organizations::add_member(tx, person, (organization, &offer.role), now).await?;
    let terms =
        Terms { affiliation: &offer.affiliation, ends_on: offer.ends_on.as_deref(), mandate: Some(&offer.mandate) };
    members::set_terms(tx, (organization, person), &terms, now).await?;
    let granted = portal_grants::list(tx, organization).await?;
    let mut rights = Vec::new();
    for (client, role) in offer.rights() {
        if granted.iter().any(|one| one.client_id == client && one.role == role) {
            organizations::give_right(tx, (person, organization), (client, role), now).await?;
            rights.push(json!({ "client_id": client, "role": role }));
        }
    }
    let after = json!({
        "role": offer.role, "status": "active", "affiliation": offer.affiliation, "ends_on": offer.ends_on, "mandate": offer.mandate,
        "rights": rights,
    });
    audit::record(tx, event("member.joined", offer, origin).changed(Value::Null, after), now).await?;
    if offer.role == "administrator" {
        signatories::administrator_changed(tx, app, (&found, person), now).await?;
    }
    Ok(Ok(()))
}

/// Declines an offer; false when it was not open any more. The caller commits.
///
/// # Errors
/// The database failed.
pub async fn decline(tx: &mut Tx, (offer, origin): (&Offer, &Origin), now: Timestamp) -> Outcome<bool> {
    if !membership_offers::settle(tx, &offer.id, "declined", now).await? {
        return Ok(false);
    }
    give_back(tx, offer, &offer.person_id, now).await?;
    audit::record(tx, event("member.declined", offer, origin), now).await?;
    Ok(true)
}

/// Frees the seats that a settled offer held. The caller commits.
///
/// # Errors
/// The database failed.
pub async fn give_back(tx: &mut Tx, offer: &Offer, by: &str, now: Timestamp) -> Outcome<()> {
    let who = (offer.organization_id.as_str(), offer.person_id.as_str());
    if members::find(tx, who.0, who.1).await?.is_none() {
        seats::release(tx, who, None, (by, "not_taken_up"), now).await?;
    }
    Ok(())
}

fn event(name: &'static str, offer: &Offer, origin: &Origin) -> Event {
    let event = Event::new(name).by(&offer.person_id).about(&offer.person_id).from(origin);
    event.in_organization(&offer.organization_id).with("offer", offer.id.clone())
}

/// The offer `id` to `person`, if they can take it, with the person locked against answering twice at once.
///
/// # Errors
/// The database failed.
pub async fn open_to(tx: &mut Tx, (person, id): (&str, &str), now: Timestamp) -> Outcome<Option<Offer>> {
    let found = async |tx: &mut Tx| -> Outcome<Option<Offer>> {
        let open = membership_offers::of_person(tx, person, now).await?;
        Ok(open.into_iter().find(|offer| offer.id == id))
    };
    // The organization before its people; it may have been closed while this waited.
    let Some(offer) = found(tx).await? else { return Ok(None) };
    members::lock(tx, &offer.organization_id).await?;
    people::lock(tx, person).await?;
    found(tx).await
}
