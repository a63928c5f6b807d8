//! The seat that an invitation or an offer holds until it is answered.

use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::seats::{self as rows, Seat};
use crate::db::{Tx, organizations};
use crate::outcome::Outcome;
use crate::seats;

/// The kind of notice that tells how full a pool is.
pub const NOTICE: &str = "seats";
/// An import of all or nothing seats everybody before it writes to the first: what is held for so short a time is let be.
const LEFT_ALONE: SignedDuration = SignedDuration::from_hours(24);
/// Seats freed in one transaction.
const AT_ONCE: u32 = 50;

/// Frees the seats that are held in an organization for a person who has not answered: an invitation or an offer lapsed. Called in
/// the transaction that lets it lapse, once for each.
///
/// # Errors
/// The database failed.
pub async fn release_held(tx: &mut Tx, (organization, person): (&str, &str), now: Timestamp) -> Outcome<()> {
    for seat in rows::of_member(tx, organization, person).await? {
        free(tx, &seat, now).await?;
    }
    Ok(())
}

/// The same in every organization that the person was invited into.
///
/// # Errors
/// The database failed.
pub async fn release_all_held(tx: &mut Tx, person: &str, now: Timestamp) -> Outcome<()> {
    for membership in organizations::all_of_person(tx, person).await? {
        release_held(tx, (&membership.id, person), now).await?;
    }
    Ok(())
}

/// Frees the seats that are held for nobody since before yesterday, whatever way nobody thought of brought that about: some at a time,
/// each in the transaction that looks again.
///
/// # Errors
/// The database failed.
pub(super) async fn sweep(app: &App, now: Timestamp) -> Outcome<()> {
    let before = now.saturating_sub(LEFT_ALONE)?;
    loop {
        let found = rows::held_for_nobody(&mut app.db.reader().await?, (now, before), AT_ONCE).await?;
        let mut tx = app.db.begin().await?;
        let mut freed = 0;
        for seat in &found {
            freed += u32::from(free(&mut tx, seat, now).await?);
        }
        tx.commit().await?;
        if freed < AT_ONCE {
            return Ok(());
        }
    }
}

async fn free(tx: &mut Tx, seat: &Seat, now: Timestamp) -> Outcome<bool> {
    if !seats::lapse(tx, seat, now).await? {
        return Ok(false);
    }
    let event = Event::new("seat.lapsed").by("lifecycle").in_organization(&seat.organization_id).about(&seat.person_id);
    audit::record(tx, event.with("product", seat.product_id.clone()), now).await?;
    Ok(true)
}
