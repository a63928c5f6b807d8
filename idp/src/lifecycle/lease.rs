//! The engine runs on one node at a time. Nothing breaks when it does not: conditions of the rows settle every race.

use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::db::leases;
use crate::outcome::Outcome;

/// The name of the engine's lease.
const NAME: &str = "lifecycle";
/// How long a run holds it between two signs of life. Clocks of nodes differ by a minute; a dead holder's lapses.
const HOLD: SignedDuration = SignedDuration::from_mins(3);
/// A sign of life is given when less than this is left.
const RENEW: SignedDuration = SignedDuration::from_mins(2);

/// The lease of a run.
#[derive(Debug)]
pub(super) struct Lease {
    holder: String,
    until: Timestamp,
    lost: bool,
}

impl Lease {
    /// Takes it, or says who has it.
    ///
    /// # Errors
    /// The database failed.
    pub(super) async fn take(app: &App, holder: &str) -> Outcome<Result<Self, String>> {
        let mut lease = Self { holder: holder.to_owned(), until: Timestamp::MIN, lost: false };
        if lease.keep(app).await? {
            return Ok(Ok(lease));
        }
        let holder = leases::find(&mut app.db.reader().await?, NAME).await?;
        Ok(Err(holder.map_or_else(String::new, |lease| lease.holder)))
    }

    /// Holds on to it; false when another process has taken it, and this one is to stop.
    ///
    /// # Errors
    /// The database failed.
    pub(super) async fn keep(&mut self, app: &App) -> Outcome<bool> {
        let now = app.clock.now();
        if self.lost || now.saturating_add(RENEW)? < self.until {
            return Ok(!self.lost);
        }
        let until = now.saturating_add(HOLD)?;
        let mut single = app.db.single().await?;
        let kept = leases::take(&mut single, (NAME, &self.holder), (now, until)).await?;
        single.commit().await?;
        (self.until, self.lost) = (until, !kept);
        Ok(kept)
    }

    /// Whether another process has taken it.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Gives it back.
    ///
    /// # Errors
    /// The database failed; it lapses by itself.
    pub(super) async fn give_back(self, app: &App) -> Outcome<()> {
        let mut single = app.db.single().await?;
        leases::give_back(&mut single, (NAME, &self.holder)).await?;
        Ok(single.commit().await?)
    }
}

/// Who has it, and until when.
///
/// # Errors
/// The database failed.
pub(super) async fn holder(app: &App) -> Outcome<Option<(String, Timestamp)>> {
    let lease = leases::find(&mut app.db.reader().await?, NAME).await?;
    Ok(lease.map(|lease| (lease.holder, lease.until.into())))
}
