//! What follows an end of an organization's access in the rows of its people.
//!
//! The effect itself is a state of the organization that every check reads: at once, on every node, for a hundred thousand people
//! as for one. The rows follow in small turns: sessions end and their portals are told, grants are revoked; after a kill switch
//! each account is suspended until its password is renewed by link, and its person is told.

use std::time::Duration;

use jiff::Timestamp;

use crate::app::App;
use crate::db::account_links::{self, Purpose};
use crate::db::audit::{self, Event};
use crate::db::{
    Tx, browsers, factor_removals, grants, members, organizations, password_links, passwords, people, sessions,
    sign_in_steps,
};
use crate::lifecycle::seats;
use crate::login::{factors, session};
use crate::mail::measures::AccessClosedLetter;
use crate::mail::{self, Post};
use crate::outcome::Outcome;

/// People in one transaction, so that others get their turn.
const BATCH: u32 = 50;
/// How often it is looked whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Lets the rows follow until the task is dropped.
pub async fn run(app: App) {
    loop {
        if let Err(fault) = run_due(&app).await {
            tracing::error!(event = "job_failed", cause = ?fault);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Lets all rows follow that have to.
///
/// # Errors
/// The database or a template failed.
pub async fn run_due(app: &App) -> Outcome<()> {
    loop {
        let found = organizations::to_settle(&mut app.db.reader().await?).await?;
        let Some((organization, from)) = found else { return Ok(()) };
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        members::lock(&mut tx, &organization).await?;
        let batch = members::after(&mut tx, &organization, (&from, BATCH)).await?;
        for person in &batch {
            settle_person(&mut tx, app.into(), person, now).await?;
        }
        let whole = batch.len() == BATCH as usize;
        let to = batch.last().filter(|_| whole).map(String::as_str);
        // Who comes second finds nothing left to do; what it did is undone.
        if organizations::settled(&mut tx, &organization, (&from, to)).await? {
            tx.commit().await?;
            app.mail_waiting.notify_one();
        }
    }
}

/// Lets the rows of one person follow what happened to their organizations. Nothing happens to somebody to whom nothing did.
///
/// # Errors
/// The database or a template failed.
pub async fn settle_person(tx: &mut Tx, post: Post<'_>, person: &str, now: Timestamp) -> Outcome<()> {
    if people::must_renew(tx, person).await? {
        return suspend_until_renewed(tx, post, person, now).await;
    }
    for id in sessions::cut_off(tx, person, now).await? {
        session::end_by_id(tx, (&id, person), now).await?;
    }
    grants::revoke_cut_off(tx, person, now).await?;
    if account_links::invitation_closed(tx, person).await? {
        account_links::void(tx, person, Purpose::Activate, now).await?;
        seats::release_all_held(tx, person, now).await?;
    }
    Ok(())
}

/// As after a compromise: everything of the account closes, and a link to its declared address opens it again.
async fn suspend_until_renewed(tx: &mut Tx, post: Post<'_>, person: &str, now: Timestamp) -> Outcome<()> {
    people::lock(tx, person).await?;
    if !people::must_renew(tx, person).await?
        || !people::set_status(tx, person, ("active", "suspended_password"), now).await?
    {
        return Ok(());
    }
    session::end_of_person(tx, (person, ""), now).await?;
    grants::revoke_of_person(tx, person, "", now).await?;
    passwords::take_away(tx, person, now).await?;
    password_links::void(tx, person, now).await?;
    sign_in_steps::void(tx, person, now).await?;
    account_links::void(tx, person, Purpose::NewEmail, now).await?;
    factor_removals::void(tx, person, now).await?;
    let removed = factors::remove_doubted(tx, person, now).await?;
    browsers::forget(tx, person).await?;
    let href = format!("{}{}", post.config.server.issuer, crate::login::forgot::PATH);
    mail::write(tx, post, (person, &AccessClosedLetter { href, removed }), now).await?;
    let event = Event::new("account.suspended").about(person).with("reason", "kill_switch");
    Ok(audit::record(tx, removed.tell(event), now).await?)
}
