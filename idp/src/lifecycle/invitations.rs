//! Invitations nobody answered: at the end the link is void, and the seat that it held is free.
//!
//! There is no reminder: of a link nothing is kept that could be sent again.

use habilis_policies::reminders::Ladder;
use jiff::Timestamp;

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying, seats};
use crate::app::App;
use crate::db::account_links::{self, Lapsing};
use crate::db::audit::{self, Event};
use crate::db::{At, Conn, imported_passwords, organizations};
use crate::outcome::Outcome;

/// See the module.
pub(super) struct Invitations;

impl Row for Lapsing {
    fn place(&self) -> (At, &str) {
        (self.expires_at, &self.person_id)
    }
}

impl Kind for Invitations {
    const NAME: &'static str = "invitation";
    const AT_THE_END: &'static str = "the link is void and its seat free";
    type Row = Lapsing;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<Lapsing>> {
        Ok(account_links::to_lapse(c, page.until, page.after, page.limit).await?)
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&Lapsing], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        let facts = |link: &&Lapsing| {
            Some(Facts {
                subject: link.person_id.clone(),
                concerns: Concerns::Person(link.person_id.clone()),
                due: link.expires_at.into(),
                since: link.created_at.into(),
                ladder: Ladder::NONE,
                end: Some(link.expires_at.into()),
            })
        };
        Ok(rows.iter().map(facts).collect())
    }

    async fn end(saying: &mut Saying<'_>, link: &Lapsing, _: &Facts) -> Outcome<Ended> {
        let person = &link.person_id;
        if !account_links::lapse(saying.tx, person, saying.now).await? {
            return Ok(Ended::Gone);
        }
        imported_passwords::forget(saying.tx, person).await?;
        let memberships = organizations::all_of_person(saying.tx, person).await?;
        for membership in &memberships {
            seats::release_held(saying.tx, (&membership.id, person), saying.now).await?;
        }
        let mut event = Event::new("account.invitation_lapsed").about(person);
        if let [only] = &memberships[..] {
            event = event.in_organization(&only.id);
        }
        audit::record(saying.tx, event, saying.now).await?;
        Ok(Ended::Done)
    }

    async fn prepare(app: &App, now: Timestamp) -> Outcome<()> {
        if app.lifecycle.sweeps(now) { seats::sweep(app, now).await } else { Ok(()) }
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        let (count, next) = account_links::waiting_to_lapse(c).await?;
        Ok((count, next.map(Timestamp::from)))
    }
}
