//! Reviews of access that open by themselves, every so many months for each organization (R052).

use habilis_policies::calendar;
use habilis_policies::reminders::Ladder;
use jiff::Timestamp;

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying};
use crate::account::review;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::reviews::{self, Opening};
use crate::db::{At, Conn, organizations};
use crate::outcome::Outcome;

/// Organizations planned in one transaction.
const PLANNED_AT_ONCE: u32 = 200;

/// See the module.
pub(super) struct ReviewOpenings;

impl Row for Opening {
    fn place(&self) -> (At, &str) {
        (self.review_at, &self.id)
    }
}

fn every_months(app: &App) -> Option<i16> {
    Some(i16::from(app.config.reviews.every_months)).filter(|&months| months > 0)
}

impl Kind for ReviewOpenings {
    const NAME: &'static str = "review_opening";
    const AT_THE_END: &'static str = "a review of access opens, and the next is planned";
    type Row = Opening;

    async fn due<C: Conn>(c: &mut C, app: &App, page: Page<'_>) -> Outcome<Vec<Opening>> {
        if every_months(app).is_none() {
            return Ok(Vec::new());
        }
        Ok(reviews::to_open(c, page.until, page.after, page.limit).await?)
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&Opening], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        let facts = |row: &&Opening| {
            Some(Facts {
                subject: row.id.clone(),
                concerns: Concerns::Organization(row.id.clone()),
                due: row.review_at.into(),
                since: row.review_at.into(),
                ladder: Ladder::NONE,
                end: Some(row.review_at.into()),
            })
        };
        Ok(rows.iter().map(facts).collect())
    }

    async fn end(saying: &mut Saying<'_>, row: &Opening, _: &Facts) -> Outcome<Ended> {
        if !plan_next(saying, row).await? {
            return Ok(Ended::Gone);
        }
        let Some(organization) = organizations::find(saying.tx, &row.id).await? else { return Ok(Ended::Gone) };
        let days = i32::from(saying.app.config.reviews.due_days);
        let due_on = calendar::add_days(calendar::date_at(saying.now), days);
        let opened = review::open_by_schedule(saying, (&organization, due_on)).await?;
        let Some((review, members)) = opened else { return Ok(Ended::Refused("one is open already".to_owned())) };
        let event = Event::new("review.opened").by("schedule").in_organization(&row.id).with("review", review);
        audit::record(saying.tx, event.with("members", members), saying.now).await?;
        Ok(Ended::Done)
    }

    /// One is open already: the next comes in its turn.
    async fn refused(saying: &mut Saying<'_>, row: &Opening, _: &str) -> Outcome<()> {
        plan_next(saying, row).await.map(drop)
    }

    async fn waiting<C: Conn>(c: &mut C, app: &App) -> Outcome<(i64, Option<Timestamp>)> {
        if every_months(app).is_none() {
            return Ok((0, None));
        }
        let (count, next) = reviews::waiting_to_open(c).await?;
        Ok((count, next.map(Timestamp::from)))
    }

    /// Organizations whose first review was never planned.
    async fn prepare(app: &App, _: Timestamp) -> Outcome<()> {
        let Some(every) = every_months(app) else { return Ok(()) };
        loop {
            let unplanned = reviews::unplanned(&mut app.db.reader().await?, PLANNED_AT_ONCE).await?;
            if unplanned.is_empty() {
                return Ok(());
            }
            let mut tx = app.db.begin().await?;
            for (organization, made) in unplanned {
                let first = calendar::add_months(calendar::date_at(made.into()), every);
                reviews::plan_first(&mut tx, &organization, calendar::midnight(first)).await?;
            }
            tx.commit().await?;
        }
    }
}

async fn plan_next(saying: &mut Saying<'_>, row: &Opening) -> Outcome<bool> {
    let Some(every) = every_months(saying.app) else { return Ok(false) };
    let next = calendar::midnight(calendar::add_months(calendar::date_at(saying.now), every));
    Ok(reviews::plan(saying.tx, row, next).await?)
}
