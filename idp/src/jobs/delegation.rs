//! Successions whose day has come (R053), reviews of access that open or run out (R052), and written requests kept long enough
//! (R054).

use habilis_policies::calendar;
use jiff::{SignedDuration, Timestamp};

use crate::account::{review, succession};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::successions::{self, Succession};
use crate::db::{organizations, overrides, reviews};
use crate::outcome::Outcome;

/// Rows looked at in one go, so that other jobs get their turn.
const BATCH: u32 = 100;
/// An override nobody decides lapses.
const LAPSE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// A written request is kept as long as somebody may go to court over it: five years (code civil, art. 2224).
const KEEP: SignedDuration = SignedDuration::from_hours(24 * (5 * 365 + 1));

/// Looks at everything whose time has come.
///
/// # Errors
/// The database or a template failed.
pub(super) async fn run(app: &App, now: Timestamp) -> Outcome<()> {
    let today = calendar::date_at(now).to_string();
    for due in successions::due(&mut app.db.reader().await?, &today, BATCH).await? {
        carry_out(app, &due, now).await?;
    }
    open_reviews(app, now).await?;
    for due in reviews::to_notice(&mut app.db.reader().await?, now, BATCH).await? {
        let mut tx = app.db.begin().await?;
        if let Some(organization) = organizations::find(&mut tx, &due.organization_id).await? {
            review::notice(&mut tx, app, (&due, &organization), now).await?;
        }
        tx.commit().await?;
    }
    let mut tx = app.db.begin().await?;
    overrides::purge(&mut tx, now.saturating_sub(LAPSE)?, now.saturating_sub(KEEP)?).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(())
}

async fn carry_out(app: &App, due: &Succession, now: Timestamp) -> Outcome<()> {
    let at = (due.organization_id.as_str(), due.id.as_str());
    let by = due.decided_by.as_deref().unwrap_or(&due.requested_by);
    let mut tx = app.db.begin().await?;
    if !successions::settle(&mut tx, at, ("done", None)).await? {
        return Ok(());
    }
    let Err(refusal) = succession::carry_out(&mut tx, app, (due, by), now).await? else {
        return Ok(tx.commit().await?);
    };
    // What was begun is undone; what stays is that it failed, and why.
    drop(tx);
    let mut tx = app.db.begin().await?;
    if successions::settle(&mut tx, at, ("failed", Some(&refusal.to_string()))).await? {
        let event = Event::new("succession.failed").in_organization(at.0).about(&due.successor);
        let event = event.with("succession", due.id.clone()).with("reason", refusal.to_string());
        audit::record(&mut tx, event, now).await?;
    }
    Ok(tx.commit().await?)
}

async fn open_reviews(app: &App, now: Timestamp) -> Outcome<()> {
    let every = i16::from(app.config.reviews.every_months);
    if every == 0 {
        return Ok(());
    }
    let unplanned = reviews::unplanned(&mut app.db.reader().await?, BATCH).await?;
    if !unplanned.is_empty() {
        let mut tx = app.db.begin().await?;
        for (organization, made) in unplanned {
            let first = calendar::add_months(calendar::date_at(made.into()), every);
            reviews::plan(&mut tx, &organization, calendar::midnight(first)).await?;
        }
        tx.commit().await?;
    }
    let today = calendar::date_at(now);
    let due_on = calendar::add_days(today, i32::from(app.config.reviews.due_days));
    for id in reviews::to_open(&mut app.db.reader().await?, now, BATCH).await? {
        let mut tx = app.db.begin().await?;
        reviews::plan(&mut tx, &id, calendar::midnight(calendar::add_months(today, every))).await?;
        if let Some(organization) = organizations::find(&mut tx, &id).await?
            && let Some((review, members)) =
                review::open(&mut tx, app, (&organization, "schedule", due_on), now).await?
        {
            let event = Event::new("review.opened").by("schedule").in_organization(&id).with("review", review);
            audit::record(&mut tx, event.with("members", members), now).await?;
            tx.commit().await?;
            continue;
        }
        // One is open already: the next comes in its turn.
        drop(tx);
        let mut tx = app.db.begin().await?;
        reviews::plan(&mut tx, &id, calendar::midnight(calendar::add_months(today, every))).await?;
        tx.commit().await?;
    }
    Ok(())
}
