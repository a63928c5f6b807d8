//! A change of duties that one operator asked for and no other decided within seven days (R054): it lapses.

use habilis_policies::reminders::Ladder;
use jiff::{SignedDuration, Timestamp};

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::duty_changes::{self, DutyChange};
use crate::db::{At, Conn};
use crate::outcome::Outcome;

/// How long one waits to be decided.
const LAPSE: SignedDuration = SignedDuration::from_hours(24 * 7);

/// See the module.
pub(super) struct DutyChanges;

impl Row for DutyChange {
    fn place(&self) -> (At, &str) {
        (self.requested_at, &self.id)
    }
}

impl Kind for DutyChanges {
    const NAME: &'static str = "duty_change";
    const AT_THE_END: &'static str = "the request lapses";
    type Row = DutyChange;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<DutyChange>> {
        let until = page.until.saturating_sub(LAPSE)?;
        Ok(duty_changes::to_lapse(c, until, page.after, page.limit).await?)
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&DutyChange], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        let facts = |row: &&DutyChange| -> Outcome<Option<Facts>> {
            let since = Timestamp::from(row.requested_at);
            let due = since.saturating_add(LAPSE)?;
            Ok(Some(Facts {
                subject: row.id.clone(),
                concerns: Concerns::Operator,
                due,
                since,
                ladder: Ladder::NONE,
                end: Some(due),
            }))
        };
        rows.iter().map(facts).collect()
    }

    async fn end(saying: &mut Saying<'_>, row: &DutyChange, _: &Facts) -> Outcome<Ended> {
        if !duty_changes::lapse(saying.tx, &row.id).await? {
            return Ok(Ended::Gone);
        }
        let event = Event::new("person.duties_change_expired").about(&row.person_id);
        audit::record(saying.tx, event.with("duty_change", row.id.clone()), saying.now).await?;
        Ok(Ended::Done)
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        let (count, first) = duty_changes::waiting_to_lapse(c).await?;
        let first = first.map(|at| Timestamp::from(at).saturating_add(LAPSE)).transpose()?;
        Ok((count, first))
    }
}
