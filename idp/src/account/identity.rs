//! Whether an account still is of the person it was opened for (R007). Whatever changes its names, day of birth or address weighs it here, in
//! the same transaction. The rule is in `policies::identity`; what the account said before is kept by the database.
//!
//! While it may be somebody else's, portals turn its person away, and nothing that was granted is worth anything; the account's own pages stay open.
//! It ends when an operator records that the identity was verified, or by itself when the account says again what it said.

use habilis_policies::attributes::Attribute;
use habilis_policies::identity::{Said, Weight, weigh as decide};
use jiff::Timestamp;

use super::attributes::claimed;
use super::profile::NewProfile;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::identities::{self, Anchor, Verification};
use crate::db::people::{self, Person};
use crate::db::{Tx, bounced_addresses, grants};
use crate::login::session;
use crate::mail::identity::{IdentityLetter, Settled};
use crate::mail::{self, Recipient};
use crate::outcome::Outcome;
use crate::web::Origin;
use crate::web::text::Locale;

/// Most administrators that are told.
const MAX_TOLD: u32 = 50;

/// Weighs what the account of `person` says now, after a change that came from `origin`. The caller holds the lock on the person, commits, and
/// wakes the jobs by `app.mail_waiting`.
///
/// # Errors
/// The database or a template failed.
pub async fn weigh(tx: &mut Tx, app: &App, (person, origin): (&str, &Origin), now: Timestamp) -> Outcome<()> {
    let Some(anchor) = identities::anchor(tx, person).await? else { return Ok(()) };
    let Some(account) = people::find(tx, person).await? else { return Ok(()) };
    let weight = decide(&said_by_anchor(&anchor), &said_by(&account, birthdate(&account).as_deref()));
    if weight == Weight::Unchanged {
        identities::anchor_anew(tx, person).await?;
    }
    match (weight, account.identity_changed_at) {
        (Weight::SomebodyElse, None) => begin(tx, app, (&account, &anchor, origin), now).await,
        (Weight::Unchanged | Weight::SamePerson, Some(_)) => {
            identities::settle(tx, person).await?;
            let event = Event::new("account.identity_restored").about(person).from(origin);
            audit::record(tx, event, now).await?;
            mail::write(tx, app, (person, &IdentityLetter::Settled { how: Settled::Restored, at: now }), now).await
        }
        (Weight::SomebodyElse, Some(_)) | (Weight::Unchanged | Weight::SamePerson, None) => Ok(()),
    }
}

/// Records that an operator verified who the person of `account` is: what it says now is what it is weighed against from now on. The caller
/// holds the lock on the person, records the line of the audit trail, and commits. Says whether portals waited for it.
///
/// # Errors
/// The database or a template failed.
pub async fn verified(
    tx: &mut Tx,
    app: &App,
    (account, made): (&Person, &Verification),
    now: Timestamp,
) -> Outcome<bool> {
    identities::insert(tx, &account.id, made).await?;
    identities::anchor_anew(tx, &account.id).await?;
    let waited = identities::settle(tx, &account.id).await?;
    if waited {
        let letter = IdentityLetter::Settled { how: Settled::Verified, at: now };
        mail::write(tx, app, (&account.id, &letter), now).await?;
    }
    Ok(waited)
}

/// Whether `new` changes who the account says its person is: that needs a recent sign-in.
pub fn touched(before: &Person, new: &NewProfile<'_>) -> bool {
    let mut said = new.attributes.iter().filter(|(attribute, _)| *attribute == Attribute::Birthdate);
    new.given.as_str() != before.given_name
        || new.family.as_str() != before.family_name
        || said.any(|(_, value)| *value != birthdate(before))
}

fn birthdate(account: &Person) -> Option<String> {
    claimed(&account.claims, Attribute::Birthdate)
}

fn said_by<'a>(account: &'a Person, birthdate: Option<&'a str>) -> Said<'a> {
    Said { given: &account.given_name, family: &account.family_name, birthdate, email: account.email.as_deref() }
}

fn said_by_anchor(anchor: &Anchor) -> Said<'_> {
    Said {
        given: &anchor.given_name,
        family: &anchor.family_name,
        birthdate: anchor.birthdate.as_deref(),
        email: anchor.email.as_deref(),
    }
}

/// Has portals wait: they are told of the sessions they know, what was granted ends, and letters go out.
async fn begin(
    tx: &mut Tx,
    app: &App,
    (account, anchor, origin): (&Person, &Anchor, &Origin),
    now: Timestamp,
) -> Outcome<()> {
    let id = account.id.as_str();
    identities::wait(tx, id, now).await?;
    session::tell_portals(tx, (id, ""), now).await?;
    let revoked = grants::revoke_of_person(tx, id, "", now).await?;
    mail::write(tx, app, (id, &IdentityLetter::Changed { at: now }), now).await?;
    let mut told = 0;
    // Who goes back and forth fills no other mailbox than their own.
    if anchor.told_at.is_none() {
        identities::told(tx, id, now).await?;
        told = tell_others(tx, app, (account, anchor), now).await?;
    }
    let event = Event::new("account.identity_changed").about(id).from(origin);
    let event = event.with("grants_revoked", revoked).with("others_told", told);
    Ok(audit::record(tx, event, now).await?)
}

/// Writes to the address that the account had, to the administrators of the person's organizations and to the operators; gives how many.
/// Who works for the operator is no affair of an organization's.
async fn tell_others(tx: &mut Tx, app: &App, (account, anchor): (&Person, &Anchor), now: Timestamp) -> Outcome<usize> {
    let mut told = 0;
    if let Some(address) = anchor.email.as_deref().filter(|address| !account.is_reached_at(address)) {
        let locale = Locale::negotiate(Some(&account.locale), None);
        let to = Recipient { address, person: Some(&account.id), locale };
        mail::write_to(tx, app.into(), (&to, &IdentityLetter::Changed { at: now }), (now, now)).await?;
        told += 1;
    }
    let (before, after) = (
        format!("{} {}", anchor.given_name, anchor.family_name),
        format!("{} {}", account.given_name, account.family_name),
    );
    if !account.operator && !account.privacy {
        let letter = IdentityLetter::OfMember { before: before.clone(), after: after.clone(), at: now };
        for administrator in bounced_addresses::administrators(tx, &account.id, MAX_TOLD).await? {
            mail::write(tx, app, (&administrator, &letter), now).await?;
            told += 1;
        }
    }
    let letter = IdentityLetter::ToVerify { person: account.id.clone(), before, after, at: now };
    for operator in people::operators(tx).await?.into_iter().filter(|operator| *operator != account.id) {
        mail::write(tx, app, (&operator, &letter), now).await?;
        told += 1;
    }
    Ok(told)
}
