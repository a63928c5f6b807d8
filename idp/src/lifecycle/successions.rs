//! Successions that were approved for a day (R053): carried out when it has come, or said to have failed, and why.

use habilis_policies::calendar;
use habilis_policies::reminders::Ladder;
use jiff::Timestamp;

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying};
use crate::account::succession;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::successions::{self, Succession};
use crate::db::{At, Conn};
use crate::outcome::Outcome;

/// See the module.
pub(super) struct Successions;

impl Row for Succession {
    fn place(&self) -> (At, &str) {
        (self.requested_at, &self.id)
    }
}

impl Kind for Successions {
    const NAME: &'static str = "succession";
    const AT_THE_END: &'static str = "the successor administers";
    type Row = Succession;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<Succession>> {
        let day = calendar::date_at(page.until).to_string();
        Ok(successions::due(c, &day, page.after, page.limit).await?)
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&Succession], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        let facts = |row: &&Succession| -> Outcome<Option<Facts>> {
            let Some(day) = &row.effective_on else { return Ok(None) };
            let due = calendar::midnight(day.parse()?);
            Ok(Some(Facts {
                subject: row.id.clone(),
                concerns: Concerns::Organization(row.organization_id.clone()),
                due,
                since: row.requested_at.into(),
                ladder: Ladder::NONE,
                end: Some(due),
            }))
        };
        rows.iter().map(facts).collect()
    }

    async fn end(saying: &mut Saying<'_>, row: &Succession, _: &Facts) -> Outcome<Ended> {
        let at = (row.organization_id.as_str(), row.id.as_str());
        let by = row.decided_by.as_deref().unwrap_or(&row.requested_by);
        if !successions::settle(saying.tx, at, ("done", None)).await? {
            return Ok(Ended::Gone);
        }
        match succession::carry_out(saying.tx, saying.app, (row, by), saying.now).await? {
            Ok(()) => Ok(Ended::Done),
            Err(refusal) => Ok(Ended::Refused(refusal.to_string())),
        }
    }

    async fn refused(saying: &mut Saying<'_>, row: &Succession, reason: &str) -> Outcome<()> {
        let at = (row.organization_id.as_str(), row.id.as_str());
        if successions::settle(saying.tx, at, ("failed", Some(reason))).await? {
            let event = Event::new("succession.failed").in_organization(at.0).about(&row.successor);
            let event = event.with("succession", row.id.clone()).with("reason", reason);
            audit::record(saying.tx, event, saying.now).await?;
        }
        Ok(())
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        let (count, day) = successions::waiting(c).await?;
        let day = day.map(|day| day.parse()).transpose()?;
        Ok((count, day.map(calendar::midnight)))
    }
}
