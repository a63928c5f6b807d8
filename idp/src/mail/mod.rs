//! Mail: written to the outbox inside the transaction that causes it, sent afterwards, kept as proof of notice (R026, R201).

pub mod accounts;
pub mod factors;
pub mod incidents;
pub mod letters;
pub mod organizations;
pub mod passwords;
pub mod transport;

use jiff::{SignedDuration, Timestamp};

use crate::account::compromise;
use crate::app::App;
use crate::config::Config;
use crate::db::audit::{self, Event};
use crate::db::outbox::{self, Claimed, NewMail};
use crate::db::{Tx, people};
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;
use letters::{Kind, Letter};
use transport::{Delivery, Transport};

/// How long a node holds a mail it is sending.
///
/// Longer than a whole batch takes when each mail waits for its time-out, so that no other node sends one again.
const HOLD: SignedDuration = SignedDuration::from_mins(15);
/// After so long without success a mail is given up.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24 * 5);
const BATCH: u32 = 20;

/// Puts `letter` to `person` into the outbox; a person without an address gets none.
///
/// # Errors
/// The database or the template failed.
pub async fn write(tx: &mut Tx, app: &App, (person, letter): (&str, &impl Letter), now: Timestamp) -> Outcome<()> {
    let Some(person) = people::find(tx, person).await? else { return Ok(()) };
    let Some(address) = &person.email else { return Ok(()) };
    let locale = Locale::negotiate(Some(&person.locale), None);
    let to = Recipient { address, person: Some(&person.id), locale };
    write_to(tx, &app.config, (&to, letter), (now, now)).await.map(drop)
}

/// Whom a mail is for.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// The address.
    pub address: &'a str,
    /// The person, when there is an account.
    pub person: Option<&'a str>,
    /// The language.
    pub locale: Locale,
}

/// Puts `letter` to an address into the outbox, to leave at `due`, and gives its id: with what the mail server says later, it
/// is the proof of notice (R026).
///
/// # Errors
/// The database or the template failed.
pub async fn write_to(
    tx: &mut Tx,
    config: &Config,
    (to, letter): (&Recipient<'_>, &impl Letter),
    (due, now): (Timestamp, Timestamp),
) -> Outcome<String> {
    let locale = to.locale;
    let pages = &config.pages;
    let report_href = match (letter.kind(), to.person) {
        (Kind::Security, Some(person)) => Some(compromise::new_link(tx, config, person, now).await?),
        _ => None,
    };
    let chrome = Chrome {
        report_href,
        help_href: pages.help_url.as_ref().map(ToString::to_string),
        privacy_href: pages.privacy_url.as_ref().map(ToString::to_string),
        ..Chrome::new(locale, pages.name.clone())
    };
    let mail = NewMail {
        recipient: to.address,
        person: to.person,
        template: letter.template(),
        locale: locale.tag(),
        subject: &letter.subject(locale),
        body: &letter.body(chrome)?,
    };
    Ok(outbox::insert_for(tx, &mail, (due, now)).await?)
}

/// Sends what is due, and says how many mails went out.
///
/// # Errors
/// The database failed. A mail that could not be sent is no error: it is tried again later.
pub async fn deliver_due(app: &App, transport: &Transport, now: Timestamp) -> Outcome<usize> {
    let mut sent = 0;
    loop {
        let until = now.saturating_add(HOLD)?;
        let mut single = app.db.single().await?;
        let claimed = outbox::claim(&mut single, now, until, BATCH).await?;
        single.commit().await?;
        let last = claimed.len() < BATCH as usize;
        for mail in claimed {
            sent += usize::from(deliver(app, transport, &mail, now).await?);
        }
        if last {
            return Ok(sent);
        }
    }
}

async fn deliver(app: &App, transport: &Transport, mail: &Claimed, now: Timestamp) -> Outcome<bool> {
    let delivery = transport.send(&app.config.mail.from, mail).await;
    if let Delivery::Never(answer) = &delivery {
        tracing::warn!(event = "mail_refused", mail = mail.id, answer);
        bounced(app, mail, (answer, now)).await?;
        metrics::counter!("habilis_mails_total", "outcome" => "bounced").increment(1);
        return Ok(false);
    }
    let mut single = app.db.single().await?;
    let outcome = match delivery {
        Delivery::Accepted(answer) => {
            outbox::sent(&mut single, &mail.id, now, &answer).await?;
            "sent"
        }
        Delivery::Later(answer) | Delivery::Never(answer) => {
            let age = now.duration_since(mail.created_at.into());
            let next = if age > GIVE_UP { None } else { Some(now.saturating_add(backoff(mail.attempts))?) };
            tracing::warn!(event = "mail_delayed", mail = mail.id, attempts = mail.attempts, answer);
            outbox::failed(&mut single, &mail.id, next, &answer).await?;
            "failed"
        }
    };
    single.commit().await?;
    metrics::counter!("habilis_mails_total", "outcome" => outcome).increment(1);
    Ok(outcome == "sent")
}

/// Keeps what the mail server said; an address that takes no mail is not a proven one any more (R005).
async fn bounced(app: &App, mail: &Claimed, (answer, now): (&str, Timestamp)) -> Outcome<()> {
    let mut tx = app.db.begin().await?;
    outbox::bounced(&mut tx, &mail.id, now, answer).await?;
    if let Some(person) = &mail.person_id {
        let flipped = people::address_bounced(&mut tx, (person, &mail.recipient), now).await?;
        let event = Event::new("mail.bounced").about(person).with("mail", mail.id.clone()).with("unverified", flipped);
        audit::record(&mut tx, event, now).await?;
    }
    Ok(tx.commit().await?)
}

/// One minute, then four, nine, sixteen… at most an hour.
fn backoff(attempts: i64) -> SignedDuration {
    SignedDuration::from_mins(attempts.saturating_mul(attempts).clamp(1, 60))
}
