//! What an operator asked for on an organization's written request and no other operator decided within thirty days (R054): it
//! lapses, and its document goes.

use habilis_policies::reminders::Ladder;
use jiff::{SignedDuration, Timestamp};

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::overrides::{self, Waiting};
use crate::db::{At, Conn};
use crate::outcome::Outcome;

/// How long one waits to be decided.
const LAPSE: SignedDuration = SignedDuration::from_hours(24 * 30);

/// See the module.
pub(super) struct Overrides;

impl Row for Waiting {
    fn place(&self) -> (At, &str) {
        (self.requested_at, &self.id)
    }
}

impl Kind for Overrides {
    const NAME: &'static str = "override";
    const AT_THE_END: &'static str = "the request lapses and its document goes";
    type Row = Waiting;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<Waiting>> {
        let until = page.until.saturating_sub(LAPSE)?;
        Ok(overrides::to_lapse(c, until, page.after, page.limit).await?)
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&Waiting], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        let facts = |row: &&Waiting| -> Outcome<Option<Facts>> {
            let since = Timestamp::from(row.requested_at);
            let due = since.saturating_add(LAPSE)?;
            Ok(Some(Facts {
                subject: row.id.clone(),
                concerns: Concerns::Organization(row.organization_id.clone()),
                due,
                since,
                ladder: Ladder::NONE,
                end: Some(due),
            }))
        };
        rows.iter().map(facts).collect()
    }

    async fn end(saying: &mut Saying<'_>, row: &Waiting, _: &Facts) -> Outcome<Ended> {
        if !overrides::lapse(saying.tx, &row.id).await? {
            return Ok(Ended::Gone);
        }
        let event = Event::new("override.expired").about(&row.person_id).in_organization(&row.organization_id);
        audit::record(saying.tx, event.with("override", row.id.clone()), saying.now).await?;
        Ok(Ended::Done)
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        let (count, first) = overrides::waiting_to_lapse(c).await?;
        let first = first.map(|at| Timestamp::from(at).saturating_add(LAPSE)).transpose()?;
        Ok((count, first))
    }
}
