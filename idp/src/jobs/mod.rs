//! What runs by itself: mail, logout tokens, key rotation, removal of what is of no use any more.
//!
//! Each job asks the application's clock, finds in the database what is due, and may run twice or late without harm.

pub(crate) mod imports;
pub(crate) mod purges;
mod search;
pub(crate) mod sign_offs;
mod whole_imports;
mod work;

use std::time::Duration;

use habilis_policies::calendar;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::account::sign_up;
use crate::app::App;
use crate::db::events as event_rows;
use crate::db::{
    account_links, api_key_uses, browsers, compromise_links, device_requests, document_requests, enrolment_links,
    factor_removals, failures, grants, idempotency_keys, imported_passwords, imports as import_files, incidents,
    initial_access_tokens, interactions, jobs as long_work, logout_outbox, membership_offers, notices, overrides,
    passkeys, password_links, pushed_requests, refresh_tokens, revoked_tokens, sessions, sharing_suspicions,
    sign_in_steps, signing_keys, totp_devices, used_tokens, webhook_deliveries, webhooks,
};
use crate::events;
use crate::lifecycle;
use crate::login::forgot;
use crate::mail::{self, transport::Transport};
use crate::measures;
use crate::oidc::backchannel_logout;
use crate::outcome::Outcome;

/// How often the jobs look, when nothing wakes them.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often keys are read again, what is due is done and old rows are removed: however often mail wakes the jobs meanwhile.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(30);

/// Rows are removed this long after they stopped being of use, so that a late look still explains itself.
const KEEP: SignedDuration = SignedDuration::from_hours(24);
/// A browser not used for so long is new again.
const FORGET_BROWSER: SignedDuration = SignedDuration::from_hours(24 * 180);
/// What was said of things that expire is kept as proof as long as somebody may go to court over it: five years (code civil,
/// art. 2224). The same goes for a written request of an organization (R054).
const FORGET_PROOF: SignedDuration = SignedDuration::from_hours(24 * (5 * 365 + 1));
/// Notices forgotten in one go.
const NOTICES_AT_ONCE: u32 = 500;
/// A logout that was settled so long ago need not be accounted for.
const FORGET_LOGOUT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// What was delivered to a webhook so long ago need not be accounted for.
const FORGET_DELIVERY: SignedDuration = SignedDuration::from_hours(24 * 30);
/// A job that ended so long ago need not be shown.
const FORGET_JOB: SignedDuration = SignedDuration::from_hours(24 * 90);
/// How long signs of sharing are kept.
const FORGET_SHARING: SignedDuration = SignedDuration::from_hours(24 * 90);
/// An offer of a membership that was answered so long ago is of no use any more: the audit trail has it.
const FORGET_OFFER: SignedDuration = SignedDuration::from_hours(24 * 90);
/// A digest that came with somebody who did not open their account for so long is of no use any more.
const FORGET_IMPORTED: SignedDuration = SignedDuration::from_hours(24 * 90);
/// How long an incident is kept after it was handled: three years.
const FORGET_INCIDENT: SignedDuration = SignedDuration::from_hours(24 * (3 * 365 + 1));
/// How long the uses of API keys are told by day.
const FORGET_USES: SignedDuration = SignedDuration::from_hours(24 * 400);
/// An ID token older than this is no hint any more.
const FORGET_KEY: SignedDuration = SignedDuration::from_hours(24 * 366);

/// Runs the jobs until the task is dropped.
pub async fn run(app: App, transport: Transport) {
    // Tasks of their own, which end with this one: long work delays no mail.
    let mut workers = JoinSet::new();
    for _ in 0..work::WORKERS {
        workers.spawn(work::run(app.clone()));
    }
    workers.spawn(run_lifecycle(app.clone()));
    tokio::join!(run_looks(&app, &transport), events::run(app.clone()), measures::run(app.clone()));
}

/// Looks at what expires. A night with a million people holds back neither letters nor logout tokens.
async fn run_lifecycle(app: App) {
    loop {
        if let Err(fault) = lifecycle::run(&app, app.clock.now()).await {
            tracing::error!(event = "job_failed", cause = ?fault);
        }
        tokio::time::sleep(HOUSEKEEPING_EVERY).await;
    }
}

async fn run_looks(app: &App, transport: &Transport) {
    let mut kept: Option<Instant> = None;
    loop {
        let housekeeping = kept.is_none_or(|kept| kept.elapsed() >= HOUSEKEEPING_EVERY);
        if let Err(fault) = look(app, transport, housekeeping).await {
            tracing::error!(event = "job_failed", cause = ?fault);
        }
        if housekeeping {
            kept = Some(Instant::now());
        }
        // Either somebody put mail into the outbox, or it is time.
        let _ = tokio::time::timeout(LOOK_EVERY, app.mail_waiting.notified()).await;
    }
}

async fn look(app: &App, transport: &Transport, housekeeping: bool) -> Outcome<()> {
    let now = app.clock.now();
    if housekeeping {
        app.keys.reload(&app.db).await?;
        app.keys.rotate_if_due(&app.db, now).await?;
        search::run(app, now).await?;
        purge(app, now).await?;
    }
    crate::api_keys::flush(app).await?;
    forgot::answer_waiting(app, now).await?;
    sign_up::answer_waiting(app, now).await?;
    // Neither a slow mail server nor a slow portal delays the other's.
    let (mails, logouts) =
        tokio::join!(mail::deliver_due(app, transport, now), backchannel_logout::deliver_due(app, now));
    mails?;
    logouts?;
    Ok(())
}

/// Runs everything that is due now, once, and waits for it.
///
/// # Errors
/// The database failed.
pub async fn run_due(app: &App, transport: &Transport) -> Outcome<()> {
    measures::run_due(app).await?;
    lifecycle::run(app, app.clock.now()).await?;
    look(app, transport, true).await?;
    events::run_due(app).await
}

/// Removes what is of no use any more.
async fn purge(app: &App, now: Timestamp) -> Outcome<()> {
    let before = now.saturating_sub(KEEP)?;
    let mut tx = app.db.begin().await?;
    let mut rows = interactions::purge(&mut tx, now).await?;
    rows += pushed_requests::purge(&mut tx, before).await?;
    rows += device_requests::purge(&mut tx, before).await?;
    rows += initial_access_tokens::purge(&mut tx, before).await?;
    rows += refresh_tokens::purge(&mut tx, before).await?;
    rows += grants::purge(&mut tx, before).await?;
    rows += sessions::purge(&mut tx, before).await?;
    rows += revoked_tokens::purge(&mut tx, now).await?;
    rows += logout_outbox::purge(&mut tx, now.saturating_sub(FORGET_LOGOUT)?).await?;
    rows += used_tokens::purge(&mut tx, now).await?;
    rows += password_links::purge(&mut tx, before).await?;
    rows += compromise_links::purge(&mut tx, before).await?;
    rows += notices::purge(&mut tx, now.saturating_sub(FORGET_PROOF)?, NOTICES_AT_ONCE).await?;
    rows += document_requests::drop_documents(&mut tx, now.saturating_sub(FORGET_PROOF)?).await?;
    rows += overrides::drop_documents(&mut tx, now.saturating_sub(FORGET_PROOF)?).await?;
    rows += sign_in_steps::purge(&mut tx, before).await?;
    rows += passkeys::purge(&mut tx, now).await?;
    rows += totp_devices::purge(&mut tx, before).await?;
    rows += factor_removals::purge(&mut tx, before).await?;
    rows += account_links::purge(&mut tx, before).await?;
    rows += enrolment_links::purge(&mut tx, before).await?;
    rows += incidents::purge(&mut tx, now.saturating_sub(FORGET_INCIDENT)?).await?;
    rows += sharing_suspicions::purge(&mut tx, now.saturating_sub(FORGET_SHARING)?).await?;
    rows += event_rows::purge(&mut tx, now.saturating_sub(app.config.events.keep())?).await?;
    rows += webhook_deliveries::purge(&mut tx, now.saturating_sub(FORGET_DELIVERY)?).await?;
    rows += webhooks::drop_earlier_secrets(&mut tx, now).await?;
    rows += import_files::purge(&mut tx, now).await?;
    rows += long_work::purge(&mut tx, now.saturating_sub(FORGET_JOB)?).await?;
    rows += idempotency_keys::purge(&mut tx, now).await?;
    rows += imported_passwords::purge(&mut tx, now.saturating_sub(FORGET_IMPORTED)?).await?;
    rows += membership_offers::purge(&mut tx, now.saturating_sub(FORGET_OFFER)?).await?;
    rows += failures::purge(&mut tx, before).await?;
    let first_day = calendar::date_at(now.saturating_sub(FORGET_USES)?).to_string();
    rows += api_key_uses::purge(&mut tx, &first_day).await?;
    rows += browsers::purge(&mut tx, now.saturating_sub(FORGET_BROWSER)?).await?;
    rows += signing_keys::purge(&mut tx, now.saturating_sub(FORGET_KEY)?).await?;
    tx.commit().await?;
    if rows > 0 {
        tracing::info!(event = "purged", rows);
    }
    Ok(())
}
