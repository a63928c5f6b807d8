//! Requests for a seat that nobody answers: the administrators are reminded, and after thirty days the request lapses and who made it is
//! told (R059).

use habilis_policies::calendar;
use habilis_policies::reminders::{Ladder, Notice};
use jiff::Timestamp;

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying};
use crate::app::App;
use crate::db::audit;
use crate::db::seat_requests::{self, End, SeatRequest};
use crate::db::{At, Conn, Tx};
use crate::mail::seat_requests::SeatRequestStage;
use crate::outcome::Outcome;
use crate::seats::requests;

/// See the module.
pub(super) struct SeatRequests;

impl Row for SeatRequest {
    fn place(&self) -> (At, &str) {
        (self.look_at.unwrap_or(self.requested_at), &self.id)
    }
}

impl Kind for SeatRequests {
    const NAME: &'static str = "seat_request";
    const AT_THE_END: &'static str = "the request lapses, and who made it is told";
    type Row = SeatRequest;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<SeatRequest>> {
        Ok(seat_requests::to_look_at(c, page.until, page.after, page.limit).await?)
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&SeatRequest], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        let facts = |row: &&SeatRequest| -> Outcome<Option<Facts>> {
            if row.status != "requested" {
                return Ok(None);
            }
            let since = Timestamp::from(row.requested_at);
            let due = calendar::cut_after(requests::last_day(row)?);
            Ok(Some(Facts {
                subject: row.id.clone(),
                concerns: Concerns::Organization(row.organization_id.clone()),
                due,
                since,
                ladder: Ladder::SEAT_REQUEST,
                end: Some(due),
            }))
        };
        rows.iter().map(facts).collect()
    }

    async fn plan(tx: &mut Tx, looks: &[(&SeatRequest, Option<Timestamp>)]) -> Outcome<usize> {
        let mut moved = 0;
        for (row, next) in looks {
            let Some(from) = row.look_at else { continue };
            moved += usize::from(seat_requests::looked(tx, &row.id, (from, *next)).await?);
        }
        Ok(moved)
    }

    async fn remind(saying: &mut Saying<'_>, row: &SeatRequest, _: &Facts, _: Notice) -> Outcome<()> {
        // Administrators who cannot answer are not reminded.
        if !requests::is_answered(saying.tx, &row.organization_id, saying.now).await? {
            return Ok(());
        }
        let letter = requests::letter(saying.tx, row, SeatRequestStage::Reminder).await?;
        saying.to_administrators(&row.organization_id, &letter).await
    }

    async fn end(saying: &mut Saying<'_>, row: &SeatRequest, _: &Facts) -> Outcome<Ended> {
        let end = End { status: "expired", by: None, note: None };
        if !seat_requests::decide(saying.tx, &row.id, &end, saying.now).await? {
            return Ok(Ended::Gone);
        }
        let letter = requests::letter(saying.tx, row, SeatRequestStage::Expired).await?;
        saying.to_person(&row.person_id, &letter).await?;
        audit::record(saying.tx, requests::line("seat.request_expired", row).by("lifecycle"), saying.now).await?;
        Ok(Ended::Done)
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        let (count, first) = seat_requests::waiting(c).await?;
        Ok((count, first.map(Timestamp::from)))
    }
}
