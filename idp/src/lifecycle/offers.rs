//! Memberships offered to people who have an account: at the end the offer is closed, and the seat that it held is free.

use habilis_policies::reminders::Ladder;
use jiff::Timestamp;

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying, seats};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::membership_offers::{self, Lapsing};
use crate::db::{At, Conn, Tx};
use crate::outcome::Outcome;

/// See the module.
pub(super) struct Offers;

impl Row for Lapsing {
    fn place(&self) -> (At, &str) {
        (self.expires_at, &self.id)
    }
}

impl Kind for Offers {
    const NAME: &'static str = "offer";
    const AT_THE_END: &'static str = "the offer is closed and its seat free";
    type Row = Lapsing;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<Lapsing>> {
        Ok(membership_offers::to_lapse(c, page.until, page.after, page.limit).await?)
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&Lapsing], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        let facts = |offer: &&Lapsing| {
            Some(Facts {
                subject: offer.id.clone(),
                concerns: Concerns::Organization(offer.organization_id.clone()),
                due: offer.expires_at.into(),
                since: offer.created_at.into(),
                ladder: Ladder::NONE,
                end: Some(offer.expires_at.into()),
            })
        };
        Ok(rows.iter().map(facts).collect())
    }

    async fn end(saying: &mut Saying<'_>, offer: &Lapsing, _: &Facts) -> Outcome<Ended> {
        let lapsed = lapse(saying.tx, offer, saying.now).await?;
        Ok(if lapsed { Ended::Done } else { Ended::Gone })
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        let (count, next) = membership_offers::waiting_to_lapse(c).await?;
        Ok((count, next.map(Timestamp::from)))
    }
}

/// Closes an offer whose time is over; false when it was settled before. Also for who makes another one before a run came by.
///
/// # Errors
/// The database failed.
pub async fn lapse(tx: &mut Tx, offer: &Lapsing, now: Timestamp) -> Outcome<bool> {
    if !membership_offers::lapse(tx, &offer.id, now).await? {
        return Ok(false);
    }
    let (organization, person) = (offer.organization_id.as_str(), offer.person_id.as_str());
    seats::release_held(tx, (organization, person), now).await?;
    let event = Event::new("member.offer_lapsed").about(person).in_organization(organization);
    audit::record(tx, event.with("offer", offer.id.clone()), now).await?;
    Ok(true)
}
