//! The removal of an organization's data a year after its last order (R156, R157): memberships end, accounts of people who belong nowhere else
//! are erased, contacts, enrolments and offers go. What stays: the organization's name, its order forms, the audit trail, and the certificate.

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
use crate::db::purges::{self, Purge};
use crate::db::{At, Tx, contacts, data_returns, document_requests, members, organizations, people};
use crate::mail::subscriptions::{Notice, SubscriptionLetter};
use crate::mail::{self, Recipient};
use crate::outcome::Outcome;
use crate::seats;
use crate::web::text::Locale;

/// Kind of the job.
pub(crate) const KIND: &str = "organization_purge";
/// People in one transaction.
const BATCH: u32 = 20;

/// Removes the rest, some people a transaction: after a crash the next worker goes on with who is left.
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
        let people = members::after(&mut tx, organization, ("", BATCH)).await?;
        let done = purge.memberships + i64::try_from(people.len())?;
        if !job.advance(&mut tx, (done, 0), now).await? {
            return Ok(());
        }
        if people.is_empty() {
            return finish(app, job, (tx, &purge), now).await;
        }
        members::lock(&mut tx, organization).await?;
        let mut erased = 0;
        for person in &people {
            erased += i64::from(leave(&mut tx, app, (organization, person), now).await?);
        }
        purges::count(&mut tx, id, (i64::try_from(people.len())?, erased)).await?;
        tx.commit().await?;
    }
}

/// Ends a membership, and the account with it when it is the only one; whether it is.
async fn leave(tx: &mut Tx, app: &App, (organization, person): (&str, &str), now: Timestamp) -> Outcome<bool> {
    let Some(member) = members::find(tx, organization, person).await? else { return Ok(false) };
    let event =
        |name| Event::new(name).by("lifecycle").in_organization(organization).about(person).with("reason", "purge");
    let withdrawn = membership::end(tx, app, (organization, &member, "lifecycle"), now).await?;
    let before = json!({ "role": member.role, "status": member.status });
    audit::record(tx, event("member.removed").changed(before, Value::Null), now).await?;
    let alone = members::count_of_person(tx, person).await? == 0;
    if withdrawn || !alone || !people::erase(tx, person, now).await? {
        return Ok(withdrawn);
    }
    audit::record(tx, event("account.erased"), now).await?;
    Ok(true)
}

async fn finish(app: &App, job: &Job, (mut tx, purge): (Tx, &Purge), now: Timestamp) -> Outcome<()> {
    let organization = purge.organization_id.as_str();
    let Some(found) = organizations::find(&mut tx, organization).await? else {
        job.finish(&mut tx, "done", now).await?;
        return Ok(tx.commit().await?);
    };
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
        "accounts_erased": purge.accounts, "removed": ["memberships", "accounts", "contacts", "enrolments", "offers", "api_keys", "documents"],
        "kept": ["organization", "orders", "audit", "notices", "seat_history"],
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
