//! Requests for documents that nobody has answered: the administrators are reminded, and when the last day has passed they are told, and
//! the organization is suspended if the request says so (R013).

use habilis_policies::calendar;
use habilis_policies::reminders::{Ladder, Notice};
use habilis_policies::sanctions::Act;
use jiff::Timestamp;

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying};
use crate::account::documents;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::document_requests::{self, DocumentRequest};
use crate::db::{At, Conn, Tx};
use crate::mail::documents::Stage;
use crate::measures::{self, Decision, Subject};
use crate::outcome::Outcome;

/// See the module.
pub(super) struct DocumentRequests;

impl Row for DocumentRequest {
    fn place(&self) -> (At, &str) {
        (self.notice_at.unwrap_or(self.requested_at), &self.id)
    }
}

impl Kind for DocumentRequests {
    const NAME: &'static str = "document_request";
    const AT_THE_END: &'static str =
        "the administrators are told that it is overdue; the organization is suspended if the request says so";
    type Row = DocumentRequest;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<DocumentRequest>> {
        Ok(document_requests::to_notice(c, page.until, page.after, page.limit).await?)
    }

    async fn facts<C: Conn>(
        _: &mut C,
        _: &App,
        rows: &[&DocumentRequest],
        _: Timestamp,
    ) -> Outcome<Vec<Option<Facts>>> {
        let facts = |row: &&DocumentRequest| -> Outcome<Option<Facts>> {
            if row.status != "open" || row.overdue_at.is_some() {
                return Ok(None);
            }
            let after = calendar::cut_after(row.due_on.parse()?);
            Ok(Some(Facts {
                subject: row.id.clone(),
                concerns: Concerns::Organization(row.organization_id.clone()),
                due: after,
                since: row.due_since.into(),
                ladder: Ladder::DOCUMENTS,
                end: Some(after),
            }))
        };
        rows.iter().map(facts).collect()
    }

    async fn plan(tx: &mut Tx, looks: &[(&DocumentRequest, Option<Timestamp>)]) -> Outcome<usize> {
        let mut moved = 0;
        for (row, next) in looks {
            let Some(from) = row.notice_at else { continue };
            moved += usize::from(document_requests::noticed(tx, &row.id, (from, *next)).await?);
        }
        Ok(moved)
    }

    async fn remind(saying: &mut Saying<'_>, row: &DocumentRequest, _: &Facts, _: Notice) -> Outcome<()> {
        let Some(letter) = documents::letter(saying.tx, row, Stage::Reminder).await? else { return Ok(()) };
        saying.to_administrators(&row.organization_id, &letter).await
    }

    async fn end(saying: &mut Saying<'_>, row: &DocumentRequest, _: &Facts) -> Outcome<Ended> {
        let organization = row.organization_id.as_str();
        let now = saying.now;
        let mut measure = None;
        if row.suspends {
            let order = Decision {
                act: Act::Suspend,
                breach: &row.breach,
                remedy: &row.remedy,
                irreparable: None,
                reason: &row.title,
                banner: None,
                by: "lifecycle",
            };
            let subject = Subject::Organization(organization);
            let event =
                Event::new(subject.event(Act::Suspend)).by("lifecycle").with("document_request", row.id.clone());
            // What is suspended already, or terminated, stays what it is.
            if let Ok(done) = measures::apply(saying.tx, saying.app.into(), (subject, &order, event), now).await? {
                measure = done.measure;
                saying.app.api_keys.forget();
            }
        }
        if !document_requests::overdue(saying.tx, &row.id, measure.as_deref(), now).await? {
            return Ok(Ended::Gone);
        }
        if let Some(letter) = documents::letter(saying.tx, row, Stage::Overdue).await? {
            saying.to_administrators(organization, &letter).await?;
        }
        let event = Event::new("document_request.overdue").by("lifecycle").in_organization(organization);
        let event = event.with("document_request", row.id.clone()).with("measure", measure);
        audit::record(saying.tx, event, now).await?;
        Ok(Ended::Done)
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        let (count, next) = document_requests::waiting(c).await?;
        Ok((count, next.map(Timestamp::from)))
    }
}
