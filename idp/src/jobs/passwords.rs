//! Passwords that come of age: reminders 30, 7 and 1 days before, suspension after the grace (R045, R047).
//!
//! Each password has the time of its next look; a run takes a password on by moving that time in the transaction that also
//! writes the mail and what was said, so that two runs, or two nodes, say it once.

use habilis_policies::calendar;
use habilis_policies::passwords::State;
use habilis_policies::reminders::{self, Ladder, Watch};
use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::passwords::{self, Due};
use crate::db::{Tx, grants, password_notices, people};
use crate::login::{rules, session};
use crate::mail;
use crate::mail::passwords::PasswordLetter;
use crate::outcome::Outcome;

/// Passwords looked at in one go.
const BATCH: u32 = 200;
/// The longest time between two looks, so that a changed configuration is noticed.
const LOOK_AT_LEAST_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Stands for the notice of suspension among the rungs.
const SUSPENSION: u16 = 0;

/// Looks at every password whose time has come.
///
/// # Errors
/// The database or a template failed.
pub(super) async fn run(app: &App, now: Timestamp) -> Outcome<()> {
    loop {
        let due = passwords::to_look_at(&mut app.db.reader().await?, now, BATCH).await?;
        for due in &due {
            look_at(app, due, now).await?;
        }
        if due.len() < BATCH as usize {
            return Ok(());
        }
    }
}

async fn look_at(app: &App, due: &Due, now: Timestamp) -> Outcome<()> {
    let changed = Timestamp::from(due.changed_at);
    let latest = now.saturating_add(LOOK_AT_LEAST_EVERY)?;
    let mut tx = app.db.begin().await?;
    let rule = rules::of_person(&mut tx, &app.config, &due.person_id).await?;
    let expiry = rules::expires_on(&app.config, &rule, changed).map(|(date, _)| calendar::midnight(date));
    let Some(expiry) = expiry.filter(|_| due.status == "active") else {
        passwords::looked_at(&mut tx, due, latest).await?;
        return Ok(tx.commit().await?);
    };
    let sent = password_notices::sent(&mut tx, &due.person_id, expiry).await?;
    let watch = Watch { due: expiry, since: changed, ladder: &Ladder::PASSWORD, sent: &sent };
    let decision = reminders::decide(&watch, None, now);
    let next = decision.next.map_or(latest, |next| next.min(latest));
    if !passwords::looked_at(&mut tx, due, next).await? {
        return Ok(());
    }
    if let Some(notice) = decision.send
        && password_notices::insert(&mut tx, (&due.person_id, expiry), notice.rung, now).await?
    {
        let letter = PasswordLetter::reminder(app, notice.days_left, calendar::date_at(expiry));
        mail::write(&mut tx, app, (&due.person_id, &letter), now).await?;
        let event = Event::new("password.reminder_sent").about(&due.person_id).with("rung", notice.rung);
        audit::record(&mut tx, event, now).await?;
    }
    if let State::SuspendedForAge { .. } = rules::state(app, &rule, changed, now) {
        suspend(&mut tx, app, (&due.person_id, expiry), now).await?;
    }
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(())
}

async fn suspend(tx: &mut Tx, app: &App, (person, expiry): (&str, Timestamp), now: Timestamp) -> Outcome<()> {
    if !people::set_status(tx, person, ("active", "suspended_password"), now).await? {
        return Ok(());
    }
    session::end_of_person(tx, (person, ""), now).await?;
    grants::revoke_of_person(tx, person, "", now).await?;
    password_notices::insert(tx, (person, expiry), SUSPENSION, now).await?;
    mail::write(tx, app, (person, &PasswordLetter::suspended(app)), now).await?;
    audit::record(tx, Event::new("account.suspended").about(person).with("reason", "password_expired"), now).await?;
    Ok(())
}
