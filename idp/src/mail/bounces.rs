//! Mail that came back (R005): by the answer of the mail server, or by a bounce that the management API or `habilis mail bounced` is told
//! of. The address is no proven one any more, and the administrators of the organization are told, once.

use jiff::Timestamp;

use super::accounts::AccountLetter;
use super::{Post, Recipient, write_to};
use crate::db::audit::{self, Event};
use crate::db::{Tx, bounced_addresses, outbox, people};
use crate::outcome::Outcome;
use crate::web::text::Locale;

/// Most administrators told of one address.
const MAX_TOLD: u32 = 20;

/// Where it is known from that an address takes no mail.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// The line of the trail, with who says so.
    pub event: Event,
    /// The mail that came back, if it is known.
    pub mail: Option<&'a str>,
}

/// The name of the line of the trail.
pub const EVENT: &str = "mail.bounced";

/// What came back, as a bounce names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned<'a> {
    /// A mail to this address.
    Address(&'a str),
    /// This mail, `mail_…`.
    Mail(&'a str),
}

impl<'a> Returned<'a> {
    /// Reads what a bounce names: `mail_…`, `<mail_…@domain>`, or an address. An address of that look is an address.
    pub fn parse(text: &'a str) -> Self {
        Self::message(text).unwrap_or(Self::Address(text))
    }

    /// Reads the `Message-ID` of a mail of ours, or its id.
    pub fn message(text: &'a str) -> Option<Self> {
        let id = match text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) {
            Some(message_id) => message_id.split_once('@')?.0,
            None => text,
        };
        (id.starts_with("mail_") && !id.contains('@')).then_some(Self::Mail(id))
    }
}

/// Somebody whose address took no mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concerned {
    /// `usr_…`.
    pub person: String,
    /// Whether the address counted as good until now: then it does no more, and the administrators are told.
    pub first: bool,
}

/// Notes a bounce with everybody it concerns, with a line like `event` for each; none when there is no such mail, it is known to have come
/// back, or nobody has the address. The caller commits.
///
/// # Errors
/// The database or a template failed.
pub async fn returned(
    tx: &mut Tx,
    post: Post<'_>,
    (what, event): (Returned<'_>, &Event),
    now: Timestamp,
) -> Outcome<Option<Vec<Concerned>>> {
    let mut found = Vec::new();
    let mail = match what {
        Returned::Mail(mail) => {
            let Some(sent) = outbox::returned(tx, mail, now).await? else { return Ok(None) };
            found.extend(sent.person_id.map(|person| (person, sent.recipient)));
            Some(mail)
        }
        Returned::Address(address) => {
            let folded = people::fold_login(address);
            for person in people::find_by_login_or_email(tx, address).await? {
                let address = person.email.filter(|email| people::fold_login(email) == folded);
                found.extend(address.map(|address| (person.id, address)));
            }
            if found.is_empty() {
                return Ok(None);
            }
            None
        }
    };
    let mut concerned = Vec::with_capacity(found.len());
    for (person, address) in found {
        let source = Source { event: event.clone(), mail };
        let first = note(tx, post, (&person, &address, source), now).await?;
        concerned.push(Concerned { person, first });
    }
    Ok(Some(concerned))
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
    let mut event = source.event.about(person).with("unverified", first).with("administrators_told", told);
    if let Some(mail) = source.mail {
        event = event.with("mail", mail);
    }
    audit::record(tx, event, now).await?;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_named_by_its_id_or_message_id_and_an_address_is_an_address() {
        let id = "mail_01h455vb4pex5vsknk084sn02q";
        for (text, expected) in [
            (id, Returned::Mail(id)),
            ("<mail_01h455vb4pex5vsknk084sn02q@example.fr>", Returned::Mail(id)),
            ("<zoe@example.fr>", Returned::Address("<zoe@example.fr>")),
            ("zoe@example.fr", Returned::Address("zoe@example.fr")),
            ("mail_zoe@example.fr", Returned::Address("mail_zoe@example.fr")),
            ("", Returned::Address("")),
        ] {
            assert_eq!(Returned::parse(text), expected, "{text}");
        }
    }
}
