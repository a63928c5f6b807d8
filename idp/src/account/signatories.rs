//! Letters to an organization's signatory about sensitive acts of its administrators (R055).

use jiff::Timestamp;

use crate::app::App;
use crate::config::Config;
use crate::db::clients::{self, MANAGES_ALL};
use crate::db::contacts::{self, Contact};
use crate::db::organizations::Organization;
use crate::db::{Tx, people};
use crate::mail::organizations::SensitiveAct;
use crate::mail::{self, Post, Recipient};
use crate::outcome::Outcome;
use crate::web::text::Locale;

/// Tells the signatories that who administers their organization has changed. Commit sends it.
///
/// # Errors
/// The database or the template failed.
pub async fn administrator_changed<'p>(
    tx: &mut Tx,
    post: impl Into<Post<'p>>,
    (organization, person): (&Organization, &str),
    now: Timestamp,
) -> Outcome<()> {
    let post = post.into();
    let name = people::find(tx, person).await?.map(|person| format!("{} {}", person.given_name, person.family_name));
    let act = SensitiveAct::AdministratorChanged { person: name.unwrap_or_else(|| person.to_owned()) };
    tell(tx, post, (organization, act), now).await
}

/// Tells the signatories of a sensitive act. Commit sends it.
///
/// # Errors
/// The database or the template failed.
pub async fn tell<'p>(
    tx: &mut Tx,
    post: impl Into<Post<'p>>,
    (organization, act): (&Organization, SensitiveAct),
    now: Timestamp,
) -> Outcome<()> {
    tell_duty(tx, post, (organization, "signatory", act), now).await
}

/// Tells the contacts with one duty. Commit sends it.
///
/// # Errors
/// The database or the template failed.
pub async fn tell_duty<'p>(
    tx: &mut Tx,
    post: impl Into<Post<'p>>,
    (organization, duty, act): (&Organization, &str, SensitiveAct),
    now: Timestamp,
) -> Outcome<()> {
    let post = post.into();
    let to = contacts::of_duty(tx, &organization.id, duty).await?;
    write(tx, post, (organization, act, &to), now).await
}

/// Tells the signatories as they were, `before`, and as they are that they have changed. Commit sends it.
///
/// # Errors
/// The database or the template failed.
pub async fn changed(
    tx: &mut Tx,
    app: &App,
    (organization, before, by): (&Organization, &[Contact], &str),
    now: Timestamp,
) -> Outcome<()> {
    let after = contacts::of_duty(tx, &organization.id, "signatory").await?;
    let signatories = after.iter().map(|contact| contact.name.clone()).collect();
    let act = SensitiveAct::SignatoryChanged { person: acted(tx, &app.config, by).await?, signatories };
    let known = |contact: &&Contact| !before.iter().any(|other| other.email == contact.email);
    let to: Vec<_> = before.iter().chain(after.iter().filter(known)).cloned().collect();
    write(tx, app.into(), (organization, act, &to), now).await
}

async fn write(
    tx: &mut Tx,
    post: Post<'_>,
    (organization, act, to): (&Organization, SensitiveAct, &[Contact]),
    now: Timestamp,
) -> Outcome<()> {
    let letter = act.letter(&organization.name, now);
    for contact in to {
        let to = Recipient { address: &contact.email, person: contact.person_id.as_deref(), locale: Locale::Fr };
        mail::write_to(tx, post, (&to, &letter), (now, now)).await?;
    }
    Ok(())
}

/// What a letter to an organization calls whoever acted: of its own the name, of the operator's staff and automation the operator's. Its audit
/// trail says no more (R036).
///
/// # Errors
/// The database failed.
pub async fn acted(tx: &mut Tx, config: &Config, id: &str) -> Outcome<String> {
    let staff = people::find(tx, id).await?.is_some_and(|person| person.operator || person.privacy);
    if staff || clients::manages(tx, id).await?.as_deref() == Some(MANAGES_ALL) {
        return Ok(config.pages.name.clone());
    }
    actor(tx, id).await
}

/// What a letter calls whoever acted: the person's name, or the id of a client.
///
/// # Errors
/// The database failed.
pub async fn actor(tx: &mut Tx, id: &str) -> Outcome<String> {
    let person = people::find(tx, id).await?;
    Ok(person.map_or_else(|| id.to_owned(), |person| format!("{} {}", person.given_name, person.family_name)))
}
