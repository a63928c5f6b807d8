//! Mail that came back (R005): by the answer of the mail server, or by a bounce that `habilis mail bounced` is told of. The address
//! is no proven one any more, and the administrators of the organization are told, once.

use jiff::Timestamp;

use super::accounts::AccountLetter;
use super::{Post, Recipient, write_to};
use crate::db::audit::{self, Event};
use crate::db::{Tx, bounced_addresses, people};
use crate::outcome::Outcome;
use crate::web::text::Locale;

/// Most administrators told of one address.
const MAX_TOLD: u32 = 20;

/// Where it is known from that an address takes no mail.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// `smtp` or `cli`.
    pub by: &'static str,
    /// The mail that came back, if it is known.
    pub mail: Option<&'a str>,
}

/// Notes that `address` takes no mail for `person`, and tells the administrators the first time; says whether it is the first.
/// The caller commits.
///
/// # Errors
/// The database or a template failed.
pub async fn note(
    tx: &mut Tx,
    post: Post<'_>,
    (person, address, source): (&str, &str, Source<'_>),
    now: Timestamp,
) -> Outcome<bool> {
    let first = bounced_addresses::note(tx, (person, address), now).await?;
    let mut told = 0;
    if first && let Some(found) = people::find(tx, person).await? {
        let letter = AccountLetter::AddressRefused {
            name: format!("{} {}", found.given_name, found.family_name),
            login: found.login,
            address: address.to_owned(),
        };
        for id in bounced_addresses::administrators(tx, person, MAX_TOLD).await? {
            let Some(administrator) = people::find(tx, &id).await? else { continue };
            let Some(email) = &administrator.email else { continue };
            let locale = Locale::negotiate(Some(&administrator.locale), None);
            let to = Recipient { address: email, person: Some(&administrator.id), locale };
            write_to(tx, post, (&to, &letter), (now, now)).await?;
            told += 1;
        }
    }
    let mut event = Event::new("mail.bounced")
        .by(source.by)
        .about(person)
        .with("unverified", first)
        .with("administrators_told", told);
    if let Some(mail) = source.mail {
        event = event.with("mail", mail);
    }
    audit::record(tx, event, now).await?;
    Ok(first)
}
