//! API keys that come of age: reminders 60, 30, 7 and 1 days before to the administrators of the centre, and a line in the trail when
//! one ends (R104).
//!
//! As with passwords, each key has the time of its next look, moved in the transaction that writes the mail: two runs, or two
//! nodes, say it once.

use habilis_policies::calendar;
use habilis_policies::reminders::{self, Ladder, Watch};
use jiff::Timestamp;

use crate::app::App;
use crate::db::api_keys::{self, Due};
use crate::db::audit::{self, Event};
use crate::db::members;
use crate::mail;
use crate::mail::api_keys::KeyLetter;
use crate::outcome::Outcome;

/// Keys looked at in one go.
const BATCH: u32 = 200;

/// Looks at every key whose time has come.
///
/// # Errors
/// The database or a template failed.
pub(super) async fn run(app: &App, now: Timestamp) -> Outcome<()> {
    loop {
        let due = api_keys::to_look_at(&mut app.db.reader().await?, now, BATCH).await?;
        for due in &due {
            look_at(app, due, now).await?;
        }
        if due.len() < BATCH as usize {
            return Ok(());
        }
    }
}

async fn look_at(app: &App, key: &Due, now: Timestamp) -> Outcome<()> {
    let mut tx = app.db.begin().await?;
    let sent = api_keys::notices(&mut tx, (&key.id, key.dies_at)).await?;
    let watch = Watch { due: key.dies_at.into(), since: key.created_at.into(), ladder: &Ladder::API_KEY, sent: &sent };
    let decision = reminders::decide(&watch, None, now);
    if !api_keys::looked_at(&mut tx, key, decision.next).await? {
        return Ok(());
    }
    let told = |name: &'static str| Event::new(name).about(&key.id).in_organization(&key.organization_id);
    if let Some(notice) = decision.send
        && api_keys::notice(&mut tx, (&key.id, key.dies_at), notice.rung, now).await?
    {
        let letter = KeyLetter::reminder(&key.organization, &key.name, (notice.days_left, key.ends_on.parse()?));
        let today = calendar::date_at(now).to_string();
        for person in members::administrators(&mut tx, &key.organization_id, &today).await? {
            mail::write(&mut tx, app, (&person, &letter), now).await?;
        }
        audit::record(&mut tx, told("api_key.reminder_sent").with("rung", notice.rung), now).await?;
    }
    if decision.next.is_none() {
        audit::record(&mut tx, told("api_key.expired").with("key", key.handle.clone()), now).await?;
    }
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(())
}
