//! Mail: written to the outbox inside the transaction that causes it, sent afterwards, kept as proof of notice (R026, R201).
//!
//! Its text lies there sealed and only until it is sent: whoever reads the database finds no link that works.

pub mod accounts;
pub mod api_keys;
pub mod bounces;
pub mod documents;
pub mod duties;
pub mod factors;
pub mod identity;
pub mod incidents;
pub mod information;
pub mod letters;
pub mod measures;
pub mod organizations;
pub mod passwords;
pub mod seat_requests;
pub mod signing_keys;
pub mod subscriptions;
pub mod transport;
pub mod updates;
pub mod webhooks;

use habilis_keys::seal::MasterKey;
use habilis_keys::secret::Secret;
use habilis_keys::token::digest_hex;
use jiff::{SignedDuration, Timestamp};

use crate::account::compromise;
use crate::app::App;
use crate::config::Config;
use crate::db::audit::{self, Event};
use crate::db::outbox::{self, Claimed, NewMail};
use crate::db::{Db, Tx, people};
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;
use bounces::Source;
use letters::{Kind, Letter};
use transport::{Delivery, Transport};

/// How long a node holds a mail it is sending.
///
/// Longer than a whole batch takes when each mail waits for its time-out, so that no other node sends one again.
const HOLD: SignedDuration = SignedDuration::from_mins(15);
/// After so long without success a mail is given up.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24 * 5);
const BATCH: u32 = 20;
/// Mails of an earlier version that one round seals.
const SEALED_AT_ONCE: u32 = 200;
/// What the texts are sealed for.
const PURPOSE: &str = "mail";

/// What it takes to write a letter: the settings, and the key its text is sealed under.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// Settings.
    pub config: &'a Config,
    /// The key.
    pub master: &'a MasterKey,
}

impl<'a> From<&'a App> for Post<'a> {
    fn from(app: &'a App) -> Self {
        Self { config: &app.config, master: app.keys.master() }
    }
}

/// A letter as it is sent.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    /// Name and version of the text.
    pub template: &'a str,
    /// Subject line.
    pub subject: &'a str,
    /// Plain text.
    pub body: &'a str,
    /// The notice that it carries.
    pub notice: Option<&'a str>,
}

/// Seals a written letter and puts it into the outbox, to leave at `due`; gives its id.
///
/// # Errors
/// The database failed.
pub(crate) async fn put(
    tx: &mut Tx,
    master: &MasterKey,
    (to, written): (&Recipient<'_>, Written<'_>),
    (due, now): (Timestamp, Timestamp),
) -> Outcome<String> {
    let id = habilis_keys::random::id("mail", now);
    let mail = NewMail {
        id: &id,
        recipient: to.address,
        person: to.person,
        template: written.template,
        locale: to.locale.tag(),
        subject: written.subject,
        sealed: &master.seal(PURPOSE, id.as_bytes(), written.body.as_bytes()),
        body_digest: &digest_hex(written.body),
        notice: written.notice,
    };
    outbox::insert(tx, &mail, (due, now)).await?;
    Ok(id)
}

/// Reads a sealed text; none when it was sealed under another master key.
pub fn text(app: &App, id: &str, sealed: &[u8]) -> Option<Secret<String>> {
    let opened = app.keys.master().open(PURPOSE, id.as_bytes(), sealed).ok()?;
    String::from_utf8(opened.expose().clone()).ok().map(Secret::new)
}

/// Seals what an earlier version left in clear, and drops what it has sent.
pub(crate) async fn seal_what_lies_in_clear(db: &Db, master: &MasterKey, now: Timestamp) -> Outcome<()> {
    let found = outbox::in_clear(&mut db.reader().await?, SEALED_AT_ONCE, now).await?;
    if found.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    for mail in found {
        let digest = digest_hex(&mail.body);
        if mail.next_attempt_at.is_some() {
            let sealed = master.seal(PURPOSE, mail.id.as_bytes(), mail.body.as_bytes());
            outbox::seal(&mut tx, &mail.id, (&sealed, &digest), now).await?;
        } else {
            outbox::drop_text(&mut tx, &mail.id, &digest).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Puts `letter` to `person` into the outbox; a person without an address gets none.
///
/// # Errors
/// The database or the template failed.
pub async fn write<'a>(
    tx: &mut Tx,
    post: impl Into<Post<'a>>,
    (person, letter): (&str, &impl Letter),
    now: Timestamp,
) -> Outcome<()> {
    let post = post.into();
    let Some(person) = people::find(tx, person).await? else { return Ok(()) };
    let Some(address) = &person.email else { return Ok(()) };
    let locale = Locale::negotiate(Some(&person.locale), None);
    let to = Recipient { address, person: Some(&person.id), locale };
    write_to(tx, post, (&to, letter), (now, now)).await.map(drop)
}

/// The same for a letter that carries a notice, so that what the mail server says stands beside it.
///
/// # Errors
/// The database or the template failed.
pub async fn write_notice(
    tx: &mut Tx,
    app: &App,
    (person, letter, notice): (&str, &impl Letter, &str),
    now: Timestamp,
) -> Outcome<()> {
    let Some(person) = people::find(tx, person).await? else { return Ok(()) };
    let Some(address) = &person.email else { return Ok(()) };
    let locale = Locale::negotiate(Some(&person.locale), None);
    let to = Recipient { address, person: Some(&person.id), locale };
    compose(tx, app.into(), (&to, letter, Some(notice)), (now, now)).await.map(drop)
}

/// The same to an address that need not be of somebody with an account; gives the mail's id.
///
/// # Errors
/// The database or the template failed.
pub async fn write_notice_to(
    tx: &mut Tx,
    post: Post<'_>,
    (to, letter, notice): (&Recipient<'_>, &impl Letter, &str),
    now: Timestamp,
) -> Outcome<String> {
    compose(tx, post, (to, letter, Some(notice)), (now, now)).await
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
    post: Post<'_>,
    (to, letter): (&Recipient<'_>, &impl Letter),
    times: (Timestamp, Timestamp),
) -> Outcome<String> {
    compose(tx, post, (to, letter, None), times).await
}

async fn compose(
    tx: &mut Tx,
    Post { config, master }: Post<'_>,
    (to, letter, notice): (&Recipient<'_>, &impl Letter, Option<&str>),
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
    let (subject, body) = (letter.subject(locale), letter.body(chrome)?);
    let written = Written { template: letter.template(), subject: &subject, body: &body, notice };
    put(tx, master, (to, written), (due, now)).await
}

/// Sends what is due, and says how many mails went out.
///
/// # Errors
/// The database failed. A mail that could not be sent is no error: it is tried again later.
pub async fn deliver_due(app: &App, transport: &Transport, now: Timestamp) -> Outcome<usize> {
    seal_what_lies_in_clear(&app.db, app.keys.master(), now).await?;
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
    let delivery = match mail.sealed.as_deref().and_then(|sealed| text(app, &mail.id, sealed)) {
        Some(text) => transport.send(&app.config.mail.from, (mail, text.expose())).await,
        None => Delivery::Later("the text cannot be unsealed; is this the right master key?".to_owned()),
    };
    if let Delivery::Never(answer) | Delivery::NoMailbox(answer) = &delivery {
        tracing::warn!(event = "mail_refused", mail = mail.id, answer);
        bounced(app, mail, (&delivery, answer), now).await?;
        metrics::counter!("habilis_mails_total", "outcome" => "bounced").increment(1);
        return Ok(false);
    }
    let mut single = app.db.single().await?;
    let outcome = match delivery {
        Delivery::Accepted(answer) => {
            match transport {
                Transport::Memory => outbox::sent_and_kept(&mut single, &mail.id, now, &answer).await?,
                Transport::Smtp(_) | Transport::Folder(_) => {
                    outbox::sent(&mut single, &mail.id, now, &answer).await?;
                }
            }
            "sent"
        }
        Delivery::Later(answer) | Delivery::Never(answer) | Delivery::NoMailbox(answer) => {
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
async fn bounced(app: &App, mail: &Claimed, (delivery, answer): (&Delivery, &str), now: Timestamp) -> Outcome<()> {
    let mut tx = app.db.begin().await?;
    outbox::bounced(&mut tx, &mail.id, now, answer).await?;
    match (&mail.person_id, delivery) {
        (Some(person), Delivery::NoMailbox(_)) => {
            let source = Source { event: Event::new(bounces::EVENT).by("smtp"), mail: Some(&mail.id) };
            bounces::note(&mut tx, app.into(), (person, &mail.recipient, source), now).await?;
        }
        (Some(person), _) => {
            let event = Event::new("mail.refused").about(person).with("mail", mail.id.clone());
            audit::record(&mut tx, event, now).await?;
        }
        (None, _) => {}
    }
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(())
}

/// One minute, then four, nine, sixteen… at most an hour.
fn backoff(attempts: i64) -> SignedDuration {
    SignedDuration::from_mins(attempts.saturating_mul(attempts).clamp(1, 60))
}
