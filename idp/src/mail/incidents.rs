//! The mail to the data protection officer about a reported compromise (R034).

use askama::Template;
use jiff::Timestamp;

use super::letters::{device, paris};
use super::passwords::PasswordText;
use super::{Recipient, Written, put};
use crate::app::App;
use crate::db::organizations::Organization;
use crate::db::people::Person;
use crate::db::{Tx, organizations};
use crate::outcome::Outcome;
use crate::web::Origin;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// Puts the mail into the outbox, when `mail.dpo` names an address.
///
/// # Errors
/// The database or the template failed.
pub async fn tell_dpo(tx: &mut Tx, app: &App, (person, origin): (&Person, &Origin), now: Timestamp) -> Outcome<()> {
    let Some(address) = &app.config.mail.dpo else { return Ok(()) };
    let locale = Locale::Fr;
    let organizations: Vec<String> =
        organizations::of_person(tx, &person.id, now).await?.into_iter().map(|membership| membership.name).collect();
    let name = format!("{} {}, {}", person.given_name, person.family_name, person.id);
    let lines = vec![
        locale.text("mail-dpo-compromise-what"),
        locale.text_with("mail-dpo-compromise-person", &[("name", &name)]),
        locale.text_with("mail-dpo-compromise-organization", &[("name", &organizations.join(", "))]),
        locale.text_with("mail-new-sign-in-when", &[("when", &paris(now, locale))]),
        locale.text_with("mail-new-sign-in-device", &[("device", &device(&origin.user_agent))]),
        locale.text_with("mail-new-sign-in-address", &[("address", &origin.address.to_string())]),
        locale.text("mail-dpo-compromise-done"),
    ];
    let chrome = Chrome::new(locale, app.config.pages.name.clone());
    let (subject, body) = (locale.text("mail-dpo-compromise-subject"), PasswordText { chrome, lines }.render()?);
    let to = Recipient { address, person: None, locale };
    let written = Written { template: "dpo_compromise.1", subject: &subject, body: &body, notice: None };
    put(tx, app.keys.master(), (&to, written), (now, now)).await?;
    Ok(())
}

/// The same for the kill switch of an organization (R033).
///
/// # Errors
/// The database or the template failed.
pub async fn tell_dpo_of_kill_switch(
    tx: &mut Tx,
    app: &App,
    (organization, people): (&Organization, i64),
    now: Timestamp,
) -> Outcome<()> {
    let Some(address) = &app.config.mail.dpo else { return Ok(()) };
    let locale = Locale::Fr;
    let name = format!("{}, {}", organization.name, organization.id);
    let lines = vec![
        locale.text_with("mail-dpo-kill-switch-what", &[("name", &name)]),
        locale.text_with("mail-dpo-kill-switch-people", &[("count", &people.to_string())]),
        locale.text_with("mail-new-sign-in-when", &[("when", &paris(now, locale))]),
    ];
    let chrome = Chrome::new(locale, app.config.pages.name.clone());
    let (subject, body) = (locale.text("mail-dpo-kill-switch-subject"), PasswordText { chrome, lines }.render()?);
    let to = Recipient { address, person: None, locale };
    let written = Written { template: "dpo_kill_switch.1", subject: &subject, body: &body, notice: None };
    put(tx, app.keys.master(), (&to, written), (now, now)).await?;
    Ok(())
}
