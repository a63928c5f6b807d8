//! The removal of an organization's data a year after its last order (R156, R157): memberships end, accounts that began with them and belong
//! nowhere else are erased, and what [`purges::REMOVED`] names goes. What stays is in [`purges::KEPT`], and both are in the certificate.

use habilis_keys::token::file_digest_hex;
use habilis_policies::api_keys::Event as Happening;
use habilis_policies::calendar;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::work::Job;
use crate::account::membership;
use crate::api_keys::happened_to_organization;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::members::Member;
use crate::db::organizations::Organization;
use crate::db::purges::{self, Purge};
use crate::db::{At, Tx, contacts, data_returns, document_requests, members, orders, organizations, people};
use crate::mail::subscriptions::{Notice, SubscriptionLetter};
use crate::mail::{self, Recipient};
use crate::orders::removal;
use crate::outcome::Outcome;
use crate::seats;
use crate::web::text::Locale;

/// Kind of the job.
pub(crate) const KIND: &str = "organization_purge";
/// People in one transaction.
const BATCH: u32 = 20;

/// Removes the rest, some people a transaction: after a crash the next worker goes on with who is left. An order that is signed meanwhile
/// keeps them.
///
/// # Errors
/// The database or a template failed.
pub(super) async fn run(app: &App, job: &Job) -> Outcome<()> {
    let (organization, id) = (job.taken.organization_id.as_str(), job.taken.subject.as_str());
    loop {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let purge = purges::find(&mut tx, id).await?.filter(|purge| purge.finished_at.is_none());
        let Some(purge) = purge else {
            job.finish(&mut tx, "done", now).await?;
            return Ok(tx.commit().await?);
        };
        if !job.advance(&mut tx, (purge.memberships, 0), now).await? {
            return Ok(());
        }
        // Whoever signs an order holds the organization: it was before this, and is seen, or comes when these people are gone.
        members::lock(&mut tx, organization).await?;
        let Some(found) = organizations::find(&mut tx, organization).await? else {
            job.finish(&mut tx, "done", now).await?;
            return Ok(tx.commit().await?);
        };
        if !is_due(&mut tx, organization, now).await? {
            return stop(job, (tx, &purge), now).await;
        }
        let people = members::after(&mut tx, organization, ("", BATCH)).await?;
        if people.is_empty() {
            return finish(app, job, (tx, &found, &purge), now).await;
        }
        let mut erased = 0;
        for person in &people {
            erased += i64::from(leave(&mut tx, app, (&found, person), now).await?);
        }
        purges::count(&mut tx, id, (i64::try_from(people.len())?, erased)).await?;
        tx.commit().await?;
    }
}

/// Whether the data are still to be removed, as the orders are now.
async fn is_due(tx: &mut Tx, organization: &str, now: Timestamp) -> Outcome<bool> {
    let all: Vec<_> = orders::all(tx, organization).await?.iter().map(orders::Order::rule).collect();
    Ok(removal(tx, (organization, &all)).await?.is_some_and(|removal| removal.at <= now))
}

/// Leaves what is left as it is: the order that goes on plans a removal of its own. What is gone is told by the trail.
async fn stop(job: &Job, (mut tx, purge): (Tx, &Purge), now: Timestamp) -> Outcome<()> {
    let organization = purge.organization_id.as_str();
    purges::forget(&mut tx, &purge.id).await?;
    let event =
        Event::new("organization.purge_stopped").by("lifecycle").in_organization(organization).about(organization);
    let event = event.with("purge", purge.id.clone()).with("memberships", purge.memberships);
    audit::record(&mut tx, event.with("accounts", purge.accounts), now).await?;
    job.finish(&mut tx, "cancelled", now).await?;
    tx.commit().await?;
    tracing::warn!(event = "purge_stopped", organization, memberships = purge.memberships, accounts = purge.accounts);
    Ok(())
}

/// Ends a membership, and with it the account that began with it and serves nobody else; whether it did.
async fn leave(tx: &mut Tx, app: &App, (found, person): (&Organization, &str), now: Timestamp) -> Outcome<bool> {
    let organization = found.id.as_str();
    let Some(member) = members::find(tx, organization, person).await? else { return Ok(false) };
    let event =
        |name| Event::new(name).by("lifecycle").in_organization(organization).about(person).with("reason", "purge");
    let withdrawn = membership::end(tx, app, (organization, &member, "lifecycle"), now).await?;
    let before = json!({ "role": member.role, "status": member.status });
    audit::record(tx, event("member.removed").changed(before, Value::Null), now).await?;
    let ours = withdrawn || purges::began_here(tx, (organization, person), member.created_at, now).await?;
    if !ours || !people::erase(tx, person, now).await? {
        return Ok(withdrawn);
    }
    audit::record(tx, event("account.erased"), now).await?;
    // Who never opened the account has nothing to miss.
    if !withdrawn {
        tell_erased(tx, app, (found, &member), now).await?;
    }
    Ok(true)
}

/// Tells somebody that their account is gone, at the address that it had.
async fn tell_erased(
    tx: &mut Tx,
    app: &App,
    (organization, member): (&Organization, &Member),
    now: Timestamp,
) -> Outcome<()> {
    let Some(address) = &member.email else { return Ok(()) };
    let letter = SubscriptionLetter {
        notice: Notice::Erased,
        organization: organization.name.clone(),
        product: organization.name.clone(),
        number: String::new(),
        date: Some(calendar::date_at(now)),
        deadline: None,
        seats: (0, 0),
    };
    let to = Recipient { address, person: None, locale: Locale::negotiate(Some(&member.locale), None) };
    mail::write_to(tx, app.into(), (&to, &letter), (now, now)).await.map(drop)
}

async fn finish(
    app: &App,
    job: &Job,
    (mut tx, found, purge): (Tx, &Organization, &Purge),
    now: Timestamp,
) -> Outcome<()> {
    let organization = purge.organization_id.as_str();
    // Seats that offers still held.
    for person in purges::holders(&mut tx, organization, 1000).await? {
        seats::release(&mut tx, (organization, &person), None, ("lifecycle", "purged"), now).await?;
    }
    happened_to_organization(&mut tx, app, (organization, Happening::CentreTerminated, "lifecycle"), now).await?;
    let wanted = data_returns::find(&mut tx, organization).await?;
    let instant = |at: Option<At>| at.map(|at| Timestamp::from(at).to_string());
    let certificate = json!({
        "choice": wanted.choice, "chosen_by": wanted.chosen_by, "chosen_at": instant(wanted.chosen_at),
        "exported_at": instant(wanted.exported_at), "requested_on": wanted.requested_on, "reversibility_until": wanted.reversibility_until,
        "organization": organization, "name": found.name, "siret": found.siret, "last_day": purge.last_day,
        "started_at": Timestamp::from(purge.started_at).to_string(), "finished_at": now.to_string(), "memberships": purge.memberships,
        "accounts_erased": purge.accounts, "removed": purges::words(&purges::REMOVED, &purges::REMOVED_BESIDE),
        "kept": purges::words(&purges::KEPT, &[]),
    });
    let certificate = certificate.to_string();
    let sha256 = file_digest_hex(certificate.as_bytes());
    let letter = SubscriptionLetter {
        notice: Notice::Purged,
        organization: found.name.clone(),
        product: found.name.clone(),
        number: sha256.clone(),
        date: Some(calendar::date_at(now)),
        deadline: None,
        seats: (u64::try_from(purge.memberships).unwrap_or(0), u64::try_from(purge.accounts).unwrap_or(0)),
    };
    for signatory in contacts::of_duty(&mut tx, organization, "signatory").await? {
        let to = Recipient { address: &signatory.email, person: None, locale: Locale::Fr };
        mail::write_to(&mut tx, app.into(), (&to, &letter), (now, now)).await?;
    }
    purges::drop_rest(&mut tx, organization).await?;
    document_requests::drop_of_organization(&mut tx, organization, now).await?;
    if found.status != "terminated" {
        organizations::set_status(&mut tx, organization, (&found.status, "terminated"), now).await?;
    }
    purges::finish(&mut tx, &purge.id, (&certificate, &sha256), now).await?;
    let event = Event::new("organization.purged").by("lifecycle").in_organization(organization).about(organization);
    let event = event.with("purge", purge.id.clone()).with("memberships", purge.memberships);
    audit::record(&mut tx, event.with("accounts", purge.accounts).with("sha256", sha256), now).await?;
    job.finish(&mut tx, "done", now).await?;
    tx.commit().await?;
    app.api_keys.forget();
    app.mail_waiting.notify_one();
    Ok(())
}
