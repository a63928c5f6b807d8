//! What ends or changes somebody's place in an organization, beyond the rows: one operation for the management API, for
//! successions, for overrides and for reviews of access. The caller holds the organization's lock ([`members::lock`]), records
//! what happened and commits.

use habilis_policies::api_keys::Event as Happening;
use habilis_policies::calendar;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::api_keys::happened_to_issuer;
use crate::app::App;
use crate::db::members::Member;
use crate::db::{Tx, account_links, grants, members, people};
use crate::login::session;
use crate::measures::settle_person;
use crate::outcome::Outcome;
use crate::seats;

/// Whether an organization that has an administrator keeps one on `day` without `person` (R053).
///
/// # Errors
/// The database failed.
pub async fn another_administers(
    tx: &mut Tx,
    (organization, person): (&str, &str),
    day: Date,
    now: Timestamp,
) -> Outcome<bool> {
    let today = calendar::date_at(now);
    let administer = members::administrators(tx, organization, &today.to_string()).await?;
    if !administer.iter().any(|one| one == person) {
        return Ok(true);
    }
    let then = members::administrators(tx, organization, &day.to_string()).await?;
    Ok(then.iter().any(|one| one != person))
}

/// Suspends an active membership.
///
/// # Errors
/// The database failed.
pub async fn suspend(tx: &mut Tx, (organization, person): (&str, &str), now: Timestamp) -> Outcome<()> {
    members::set_status(tx, (organization, person), ("active", "suspended"), now).await?;
    end_access(tx, person, now).await
}

/// Ends a membership. Whether with it an invitation was withdrawn that nobody had answered: then its address is free again.
///
/// # Errors
/// The database or a template failed.
pub async fn remove(
    tx: &mut Tx,
    app: &App,
    (organization, member, by): (&str, &Member, &str),
    now: Timestamp,
) -> Outcome<bool> {
    let person = &member.person_id;
    // What happened to the organization happened to who belonged to it then, whether their rows say so already or not.
    settle_person(tx, app.into(), person, now).await?;
    end_access(tx, person, now).await?;
    seats::release(tx, (organization, person), None, (by, "removed"), now).await?;
    members::remove(tx, organization, person).await?;
    happened_to_issuer(tx, app, (person, Some(organization), Happening::IssuerRemoved), now).await?;
    if member.account_status != "pending" || members::count_of_person(tx, person).await? > 0 {
        return Ok(false);
    }
    account_links::void(tx, person, account_links::Purpose::Activate, now).await?;
    people::withdraw(tx, person, now).await?;
    Ok(true)
}

/// Ends what a person has open where this organization is all they have; elsewhere the tokens of the organization stop by
/// themselves, since each use looks at the membership.
async fn end_access(tx: &mut Tx, person: &str, now: Timestamp) -> Outcome<()> {
    if members::count_of_person(tx, person).await? <= 1 {
        session::end_of_person(tx, (person, ""), now).await?;
        grants::revoke_of_person(tx, person, "", now).await?;
    }
    Ok(())
}
