//! The mail outbox: written inside the transaction that causes the mail, sent afterwards, kept as proof of notice.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO outbox (id, recipient, person_id, template, locale, subject, body, created_at, next_attempt_at, attempts)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)";
    CLAIM = {
        sqlite "UPDATE outbox SET claimed_until = $2, attempts = attempts + 1
                WHERE id IN (SELECT id FROM outbox WHERE next_attempt_at <= $1 AND (claimed_until IS NULL OR claimed_until < $1) ORDER BY next_attempt_at, id LIMIT $3)
                RETURNING id, recipient, person_id, subject, body, attempts, created_at",
        postgres "UPDATE outbox SET claimed_until = $2, attempts = attempts + 1
                  WHERE id IN (SELECT id FROM outbox WHERE next_attempt_at <= $1 AND (claimed_until IS NULL OR claimed_until < $1) ORDER BY next_attempt_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)
                  RETURNING id, recipient, person_id, subject, body, attempts, created_at"
    };
    SENT = "UPDATE outbox SET sent_at = $2, next_attempt_at = NULL, claimed_until = NULL, answer = $3 WHERE id = $1";
    FAILED = "UPDATE outbox SET next_attempt_at = $2, claimed_until = NULL, answer = $3 WHERE id = $1 AND sent_at IS NULL";
    BOUNCED = "UPDATE outbox SET bounced_at = $2, next_attempt_at = NULL, claimed_until = NULL, answer = $3
               WHERE id = $1 AND sent_at IS NULL";
    RECENT = "SELECT id, recipient, subject, body, created_at, sent_at, bounced_at, answer FROM outbox ORDER BY created_at DESC, id DESC LIMIT $1";
    OF_PERSON = "SELECT id, template, created_at, sent_at, attempts, answer FROM outbox WHERE person_id = $1
                 ORDER BY created_at DESC, id DESC LIMIT $2";
    WAITING = "SELECT COUNT(*) FROM outbox WHERE next_attempt_at IS NOT NULL";
}

/// A mail a node took on to send.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Claimed {
    /// `mail_…`.
    pub id: String,
    /// Where to.
    pub recipient: String,
    /// The person it is for.
    pub person_id: Option<String>,
    /// Subject line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// How many times it was tried, this one included.
    pub attempts: i64,
    /// When it was written.
    pub created_at: At,
}

/// A mail as the demonstration's mailbox shows it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Recent {
    /// `mail_…`.
    pub id: String,
    /// Where to.
    pub recipient: String,
    /// Subject line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// When it was written.
    pub created_at: At,
    /// When it was sent.
    pub sent_at: Option<At>,
    /// When the mail server refused it for good.
    pub bounced_at: Option<At>,
    /// What the mail server said last.
    pub answer: Option<String>,
}

/// A mail to send once the transaction commits.
#[derive(Debug)]
pub struct NewMail<'a> {
    /// Where to.
    pub recipient: &'a str,
    /// The person it is for.
    pub person: Option<&'a str>,
    /// Name and version of the text.
    pub template: &'a str,
    /// `fr` or `en`.
    pub locale: &'a str,
    /// Subject line.
    pub subject: &'a str,
    /// Plain text.
    pub body: &'a str,
}

/// A mail as proof of notice: what was sent when, and what the mail server said (R026). Without address and text.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Notice {
    /// `mail_…`, also the `Message-ID`.
    pub id: String,
    /// Name and version of the text.
    pub template: String,
    /// When it was written.
    pub created_at: At,
    /// When the mail server took it.
    pub sent_at: Option<At>,
    /// How many times it was tried.
    pub attempts: i64,
    /// What the mail server said last.
    pub answer: Option<String>,
}

/// The mails to `person`, newest first.
///
/// # Errors
/// The engine failed.
pub async fn of_person(c: &mut impl Conn, person: &str, limit: u32) -> sqlx::Result<Vec<Notice>> {
    sql!(c, all Notice: OF_PERSON, person, i64::from(limit))
}

/// Puts a mail into the outbox and returns its id.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, mail: &NewMail<'_>, now: Timestamp) -> sqlx::Result<String> {
    insert_for(tx, mail, (now, now)).await
}

/// Puts a mail written `now` into the outbox that leaves at `due`, and returns its id.
///
/// # Errors
/// The engine failed.
pub async fn insert_for(tx: &mut Tx, mail: &NewMail<'_>, (due, now): (Timestamp, Timestamp)) -> sqlx::Result<String> {
    let id = habilis_keys::random::id("mail", now);
    sql!(
        tx,
        execute INSERT,
        &id,
        mail.recipient,
        mail.person,
        mail.template,
        mail.locale,
        mail.subject,
        mail.body,
        At::from(now),
        At::from(due),
    )?;
    Ok(id)
}

/// Takes on at most `limit` mails that are due; nobody else gets them before `until`.
///
/// # Errors
/// The engine failed.
pub async fn claim(c: &mut impl Conn, now: Timestamp, until: Timestamp, limit: u32) -> sqlx::Result<Vec<Claimed>> {
    sql!(c, all Claimed: CLAIM, At::from(now), At::from(until), i64::from(limit))
}

/// Notes that a mail was sent and what the mail server said.
///
/// # Errors
/// The engine failed.
pub async fn sent(c: &mut impl Conn, id: &str, now: Timestamp, answer: &str) -> sqlx::Result<()> {
    sql!(c, execute SENT, id, At::from(now), answer).map(drop)
}

/// Notes a failure; the mail is tried again at `next`, or never.
///
/// # Errors
/// The engine failed.
pub async fn failed(c: &mut impl Conn, id: &str, next: Option<Timestamp>, answer: &str) -> sqlx::Result<()> {
    sql!(c, execute FAILED, id, next.map(At::from), answer).map(drop)
}

/// Notes that the mail server refused a mail for good, and what it said.
///
/// # Errors
/// The engine failed.
pub async fn bounced(tx: &mut Tx, id: &str, now: Timestamp, answer: &str) -> sqlx::Result<()> {
    sql!(tx, execute BOUNCED, id, At::from(now), answer).map(drop)
}

/// The newest mails, for the demonstration's mailbox.
///
/// # Errors
/// The engine failed.
pub async fn recent(c: &mut impl Conn, limit: u32) -> sqlx::Result<Vec<Recent>> {
    sql!(c, all Recent: RECENT, i64::from(limit))
}

/// How many mails wait to be sent.
///
/// # Errors
/// The engine failed.
pub async fn waiting(c: &mut impl Conn) -> sqlx::Result<i64> {
    sql!(c, one (i64,): WAITING).map(|(count,)| count)
}
