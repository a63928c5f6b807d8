//! Indexes what an earlier version of the server wrote, beside this one or before it: nobody stays unfound for longer.

use jiff::Timestamp;

use crate::app::App;
use crate::db::search;
use crate::outcome::Outcome;

/// People, and organizations, indexed in one transaction.
const BATCH: u32 = 50;
/// Transactions of one look, so that a million people to index hold up nothing else.
const BATCHES: u32 = 40;

/// Indexes what waits for it, a bounded number in one go.
///
/// # Errors
/// The database failed.
pub(super) async fn run(app: &App, now: Timestamp) -> Outcome<()> {
    for _ in 0..BATCHES {
        let mut tx = app.db.begin().await?;
        let indexed = search::index_waiting(&mut tx, BATCH, now).await?;
        tx.commit().await?;
        if indexed == 0 {
            break;
        }
    }
    Ok(())
}
