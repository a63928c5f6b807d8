//! Reviews of access that are open: the administrators are written to a week before the last day, and when it has passed (R052,
//! R057).

use habilis_policies::calendar;
use habilis_policies::reminders::{Ladder, Notice};
use jiff::Timestamp;

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying};
use crate::account::review;
use crate::app::App;
use crate::db::reviews::{self, Review};
use crate::db::{At, Conn, Tx};
use crate::mail::organizations::ReviewStage;
use crate::outcome::Outcome;

/// See the module.
pub(super) struct Reviews;

impl Row for Review {
    fn place(&self) -> (At, &str) {
        (self.notice_at.unwrap_or(self.opened_at), &self.id)
    }
}

impl Kind for Reviews {
    const NAME: &'static str = "review";
    const AT_THE_END: &'static str = "the administrators are told that it is overdue";
    type Row = Review;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<Review>> {
        Ok(reviews::to_notice(c, page.until, page.after, page.limit).await?)
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&Review], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        let facts = |row: &&Review| -> Outcome<Option<Facts>> {
            let after = calendar::cut_after(row.due_on.parse()?);
            Ok(Some(Facts {
                subject: row.id.clone(),
                concerns: Concerns::Organization(row.organization_id.clone()),
                due: after,
                since: row.opened_at.into(),
                ladder: Ladder::REVIEW,
                end: Some(after),
            }))
        };
        rows.iter().map(facts).collect()
    }

    async fn plan(tx: &mut Tx, looks: &[(&Review, Option<Timestamp>)]) -> Outcome<usize> {
        let mut moved = 0;
        for (row, next) in looks {
            let Some(from) = row.notice_at else { continue };
            moved += usize::from(reviews::noticed(tx, &row.id, (from, *next)).await?);
        }
        Ok(moved)
    }

    async fn remind(saying: &mut Saying<'_>, row: &Review, _: &Facts, _: Notice) -> Outcome<()> {
        review::tell(saying, (row, ReviewStage::Reminder)).await
    }

    async fn end(saying: &mut Saying<'_>, row: &Review, _: &Facts) -> Outcome<Ended> {
        review::tell(saying, (row, ReviewStage::Overdue)).await?;
        Ok(Ended::Done)
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        let (count, next) = reviews::waiting_to_notice(c).await?;
        Ok((count, next.map(Timestamp::from)))
    }
}
