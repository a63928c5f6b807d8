//! Seats that were held for an invitation or an offer which nobody can take any more are free again.

use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::seats as rows;
use crate::outcome::Outcome;
use crate::seats;

/// Seats looked at in one go.
const BATCH: u32 = 200;
/// A seat is left alone for so long after it was taken: the invitation it is held for may not be committed yet on another engine.
const SETTLE: SignedDuration = SignedDuration::from_mins(1);

/// Frees what lapsed.
///
/// # Errors
/// The database failed.
pub(super) async fn run(app: &App, now: Timestamp) -> Outcome<()> {
    loop {
        let since = now.saturating_sub(SETTLE)?;
        let found = rows::held_for_nobody(&mut app.db.reader().await?, (now, since), BATCH).await?;
        let mut freed = 0;
        for seat in &found {
            let mut tx = app.db.begin().await?;
            if seats::lapse(&mut tx, seat, now).await? {
                freed += 1;
                let event = Event::new("seat.lapsed").by("lifecycle").in_organization(&seat.organization_id);
                let event = event.about(&seat.person_id).with("product", seat.product_id.clone());
                audit::record(&mut tx, event, now).await?;
            }
            tx.commit().await?;
        }
        if freed < BATCH {
            return Ok(());
        }
    }
}
