//! The seat that an invitation or an offer holds until it is answered.

use jiff::Timestamp;

use crate::db::audit::{self, Event};
use crate::db::{Tx, seats as rows};
use crate::outcome::Outcome;
use crate::seats;

/// Frees the seats that are held in an organization for a person who has not answered: an invitation or an offer lapsed. Called in
/// the transaction that lets it lapse, once for each.
///
/// # Errors
/// The database failed.
pub async fn release_held(tx: &mut Tx, (organization, person): (&str, &str), now: Timestamp) -> Outcome<()> {
    for seat in rows::of_member(tx, organization, person).await? {
        if seats::lapse(tx, &seat, now).await? {
            let event = Event::new("seat.lapsed").by("lifecycle").in_organization(organization).about(person);
            audit::record(tx, event.with("product", seat.product_id.clone()), now).await?;
        }
    }
    Ok(())
}
