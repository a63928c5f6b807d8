//! The seat that an invitation or an offer holds until it is answered.

use super::Saying;
use crate::db::audit::{self, Event};
use crate::db::seats as rows;
use crate::outcome::Outcome;
use crate::seats;

/// Frees the seats that are held in an organization for a person who has not answered: an invitation or an offer lapsed. Called in
/// the transaction that lets it lapse, once for each.
///
/// # Errors
/// The database failed.
pub async fn release_held(saying: &mut Saying<'_>, (organization, person): (&str, &str)) -> Outcome<()> {
    for seat in rows::of_member(saying.tx, organization, person).await? {
        if seat.state == "held" && seats::lapse(saying.tx, &seat, saying.now).await? {
            let event = Event::new("seat.lapsed").by("lifecycle").in_organization(organization).about(person);
            audit::record(saying.tx, event.with("product", seat.product_id), saying.now).await?;
        }
    }
    Ok(())
}
