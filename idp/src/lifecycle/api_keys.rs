//! API keys that come of age: reminders 60, 30, 7 and 1 days before to the administrators of the centre, and a line in the trail
//! when one ends (R104).

use habilis_policies::reminders::{Ladder, Notice};
use jiff::Timestamp;

use super::{Concerns, Ended, Facts, Kind, Page, Row, Saying};
use crate::app::App;
use crate::db::api_keys::{self, Due};
use crate::db::audit::{self, Event};
use crate::db::{At, Conn, Tx};
use crate::mail::api_keys::KeyLetter;
use crate::outcome::Outcome;

/// See the module.
pub(super) struct ApiKeys;

impl Row for Due {
    fn place(&self) -> (At, &str) {
        (self.look_at, &self.id)
    }
}

impl Due {
    fn told(&self, name: &'static str) -> Event {
        Event::new(name).about(&self.id).in_organization(&self.organization_id)
    }
}

impl Kind for ApiKeys {
    const NAME: &'static str = "api_key";
    const AT_THE_END: &'static str = "the key is dead";
    type Row = Due;

    async fn due<C: Conn>(c: &mut C, _: &App, page: Page<'_>) -> Outcome<Vec<Due>> {
        Ok(api_keys::to_look_at(c, page.until, page.after, page.limit).await?)
    }

    async fn facts<C: Conn>(_: &mut C, _: &App, rows: &[&Due], _: Timestamp) -> Outcome<Vec<Option<Facts>>> {
        let facts = |key: &&Due| {
            Some(Facts {
                subject: key.id.clone(),
                concerns: Concerns::Organization(key.organization_id.clone()),
                due: key.dies_at.into(),
                since: key.created_at.into(),
                ladder: Ladder::API_KEY,
                end: Some(key.dies_at.into()),
            })
        };
        Ok(rows.iter().map(facts).collect())
    }

    async fn plan(tx: &mut Tx, looks: &[(&Due, Option<Timestamp>)]) -> Outcome<usize> {
        let mut moved = 0;
        for (key, next) in looks {
            moved += usize::from(api_keys::looked_at(tx, key, *next).await?);
        }
        Ok(moved)
    }

    async fn remind(saying: &mut Saying<'_>, key: &Due, _: &Facts, notice: Notice) -> Outcome<()> {
        let letter = KeyLetter::reminder(&key.organization, &key.name, (notice.days_left, key.ends_on.parse()?));
        saying.to_administrators(&key.organization_id, &letter).await?;
        let event = key.told("api_key.reminder_sent").with("rung", notice.rung);
        Ok(audit::record(saying.tx, event, saying.now).await?)
    }

    /// The key is refused by its day already: what is left to do is to say that it ended.
    async fn end(saying: &mut Saying<'_>, key: &Due, _: &Facts) -> Outcome<Ended> {
        let event = key.told("api_key.expired").with("key", key.handle.clone());
        audit::record(saying.tx, event, saying.now).await?;
        Ok(Ended::Done)
    }

    async fn waiting<C: Conn>(c: &mut C, _: &App) -> Outcome<(i64, Option<Timestamp>)> {
        let (count, next) = api_keys::waiting(c).await?;
        Ok((count, next.map(Timestamp::from)))
    }
}
