//! The mail outbox: written inside the transaction that causes the mail, sent afterwards, kept as proof of notice.
//!
//! Texts carry one-time links, so none lies here in clear: sealed under the master key until it is sent, then gone. What stays is
//! the proof: whom, which text in which version, its subject and digest, when, and what the mail server said.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO outbox (id, recipient, person_id, template, locale, subject, body, created_at, due_at, attempts, sealed, body_digest, notice_id)
              VALUES ($1, $2, $3, $4, $5, $6, '', $7, $8, 0, $9, $10, $11)";
    CLAIM = {
        sqlite "UPDATE outbox SET claimed_until = $2, attempts = attempts + 1
                WHERE id IN (SELECT id FROM outbox WHERE due_at <= $1 AND (claimed_until IS NULL OR claimed_until < $1) ORDER BY due_at, id LIMIT $3)
                RETURNING id, recipient, person_id, subject, sealed, attempts, created_at",
        postgres "UPDATE outbox SET claimed_until = $2, attempts = attempts + 1
                  WHERE id IN (SELECT id FROM outbox WHERE due_at <= $1 AND (claimed_until IS NULL OR claimed_until < $1) ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)
                  RETURNING id, recipient, person_id, subject, sealed, attempts, created_at"
    };
    SENT = "UPDATE outbox SET sent_at = $2, due_at = NULL, claimed_until = NULL, answer = $3, sealed = NULL WHERE id = $1";
    SENT_AND_KEPT = "UPDATE outbox SET sent_at = $2, due_at = NULL, claimed_until = NULL, answer = $3 WHERE id = $1";
    FAILED = "UPDATE outbox SET due_at = $2, claimed_until = NULL, answer = $3 WHERE id = $1 AND sent_at IS NULL";
    GIVEN_UP = "UPDATE outbox SET due_at = NULL, claimed_until = NULL, answer = $2, sealed = NULL WHERE id = $1 AND sent_at IS NULL";
    BOUNCED = "UPDATE outbox SET bounced_at = $2, due_at = NULL, claimed_until = NULL, answer = $3, sealed = NULL
               WHERE id = $1 AND sent_at IS NULL";
    RETURNED = "UPDATE outbox SET bounced_at = $2, due_at = NULL, next_attempt_at = NULL, claimed_until = NULL, sealed = NULL
                WHERE id = $1 AND bounced_at IS NULL RETURNING recipient, person_id";
    IN_CLEAR = "SELECT id, body, next_attempt_at FROM outbox
                WHERE body <> '' AND (claimed_until IS NULL OR claimed_until < $1) ORDER BY id LIMIT $2";
    SEAL = "UPDATE outbox SET body = '', body_digest = $2, sealed = $3, due_at = next_attempt_at, next_attempt_at = NULL
            WHERE id = $1 AND body <> '' AND next_attempt_at IS NOT NULL AND (claimed_until IS NULL OR claimed_until < $4)";
    DROP_TEXT = "UPDATE outbox SET body = '', body_digest = $2 WHERE id = $1 AND body <> '' AND next_attempt_at IS NULL";
    RECENT = "SELECT id, recipient, subject, sealed, created_at, sent_at, bounced_at, answer FROM outbox ORDER BY created_at DESC, id DESC LIMIT $1";
    OF_PERSON = "SELECT id, template, locale, created_at, COALESCE(due_at, next_attempt_at) AS due_at, sent_at, bounced_at, attempts, answer,
                        body_digest, notice_id
                 FROM outbox
                 WHERE person_id = $1 AND (created_at, id) < ($2, $3)
                 ORDER BY created_at DESC, id DESC LIMIT $4";
    OF_NOTICES = {
        sqlite "SELECT notice_id, id, person_id, template, locale, created_at, due_at, sent_at, bounced_at, attempts, answer, body_digest FROM outbox
                WHERE notice_id IN (SELECT value FROM json_each($1)) ORDER BY id LIMIT $2",
        postgres "SELECT notice_id, id, person_id, template, locale, created_at, due_at, sent_at, bounced_at, attempts, answer, body_digest FROM outbox
                  WHERE notice_id IN (SELECT jsonb_array_elements_text(CAST(CAST($1 AS TEXT) AS JSONB))) ORDER BY id LIMIT $2"
    };
    WAITING = "SELECT COUNT(*) FROM outbox WHERE due_at IS NOT NULL OR next_attempt_at IS NOT NULL";
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
    /// The text, sealed.
    pub sealed: Option<Vec<u8>>,
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
    /// The text, sealed; none when it is not kept.
    pub sealed: Option<Vec<u8>>,
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
    /// `mail_…`.
    pub id: &'a str,
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
    /// The text, sealed and bound to the id.
    pub sealed: &'a [u8],
    /// SHA-256 of the text, hexadecimal.
    pub body_digest: &'a str,
    /// The notice that it carries, `ntc_…`.
    pub notice: Option<&'a str>,
}

/// A mail as proof of notice: what was sent when, and what the mail server said (R026). Without address and text.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Notice {
    /// `mail_…`, also the `Message-ID`.
    pub id: String,
    /// Name and version of the text.
    pub template: String,
    /// `fr` or `en`.
    pub locale: String,
    /// When it was written.
    pub created_at: At,
    /// When it is tried next; none when there is nothing left to do.
    pub due_at: Option<At>,
    /// When the mail server took it.
    pub sent_at: Option<At>,
    /// When it was refused for good, or came back.
    pub bounced_at: Option<At>,
    /// How many times it was tried.
    pub attempts: i64,
    /// What the mail server said last.
    pub answer: Option<String>,
    /// SHA-256 of the text, hexadecimal.
    pub body_digest: Option<String>,
    /// The notice that it carries, `ntc_…`.
    pub notice_id: Option<String>,
}

/// A mail whose text lies in clear: an earlier version wrote it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct InClear {
    /// `mail_…`.
    pub id: String,
    /// Plain text.
    pub body: String,
    /// When it is tried next; none when there is nothing left to do.
    pub next_attempt_at: Option<At>,
}

/// A mail of a notice, without address and text.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct OfNotice {
    /// `ntc_…`.
    pub notice_id: String,
    /// `mail_…`, also the `Message-ID`.
    pub id: String,
    /// The person it is for.
    pub person_id: Option<String>,
    /// Name and version of the text.
    pub template: String,
    /// `fr` or `en`.
    pub locale: String,
    /// When it was written.
    pub created_at: At,
    /// When it is tried next; none when there is nothing left to do.
    pub due_at: Option<At>,
    /// When the mail server took it.
    pub sent_at: Option<At>,
    /// When it was refused for good, or came back.
    pub bounced_at: Option<At>,
    /// How many times it was tried.
    pub attempts: i64,
    /// What the mail server said last.
    pub answer: Option<String>,
    /// SHA-256 of the text, hexadecimal.
    pub body_digest: Option<String>,
}

/// The mails of these notices, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn of_notices(c: &mut impl Conn, notices: &[&str], limit: u32) -> sqlx::Result<Vec<OfNotice>> {
    let ids = serde_json::to_string(notices).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sql!(c, all OfNotice: OF_NOTICES, ids, i64::from(limit))
}

/// The mails to `person`, newest first, from before an instant and a mail, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn of_person(
    c: &mut impl Conn,
    person: &str,
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Notice>> {
    sql!(c, all Notice: OF_PERSON, person, at, id, i64::from(limit))
}

/// Puts a mail written `now` into the outbox that leaves at `due`.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, mail: &NewMail<'_>, (due, now): (Timestamp, Timestamp)) -> sqlx::Result<()> {
    sql!(
        tx,
        execute INSERT,
        mail.id,
        mail.recipient,
        mail.person,
        mail.template,
        mail.locale,
        mail.subject,
        At::from(now),
        At::from(due),
        mail.sealed,
        mail.body_digest,
        mail.notice,
    )
    .map(drop)
}

/// Mails that lie in clear and that no node is sending, `limit` at most.
///
/// # Errors
/// The engine failed.
pub async fn in_clear(c: &mut impl Conn, limit: u32, now: Timestamp) -> sqlx::Result<Vec<InClear>> {
    sql!(c, all InClear: IN_CLEAR, At::from(now), i64::from(limit))
}

/// Puts a sealed text in the place of one that lies in clear and waits; from then on only this version sends it.
///
/// # Errors
/// The engine failed.
pub async fn seal(tx: &mut Tx, id: &str, (sealed, body_digest): (&[u8], &str), now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute SEAL, id, body_digest, sealed, At::from(now)).map(drop)
}

/// Drops a text that lies in clear and is not needed any more.
///
/// # Errors
/// The engine failed.
pub async fn drop_text(tx: &mut Tx, id: &str, body_digest: &str) -> sqlx::Result<()> {
    sql!(tx, execute DROP_TEXT, id, body_digest).map(drop)
}

/// Takes on at most `limit` mails that are due; nobody else gets them before `until`.
///
/// # Errors
/// The engine failed.
pub async fn claim(c: &mut impl Conn, now: Timestamp, until: Timestamp, limit: u32) -> sqlx::Result<Vec<Claimed>> {
    sql!(c, all Claimed: CLAIM, At::from(now), At::from(until), i64::from(limit))
}

/// Notes that a mail was sent and what the mail server said; its text is gone.
///
/// # Errors
/// The engine failed.
pub async fn sent(c: &mut impl Conn, id: &str, now: Timestamp, answer: &str) -> sqlx::Result<()> {
    sql!(c, execute SENT, id, At::from(now), answer).map(drop)
}

/// The same where the outbox is all there is to read: the text stays, sealed.
///
/// # Errors
/// The engine failed.
pub async fn sent_and_kept(c: &mut impl Conn, id: &str, now: Timestamp, answer: &str) -> sqlx::Result<()> {
    sql!(c, execute SENT_AND_KEPT, id, At::from(now), answer).map(drop)
}

/// Notes a failure; the mail is tried again at `next`, or never, and its text is gone.
///
/// # Errors
/// The engine failed.
pub async fn failed(c: &mut impl Conn, id: &str, next: Option<Timestamp>, answer: &str) -> sqlx::Result<()> {
    match next {
        Some(next) => sql!(c, execute FAILED, id, At::from(next), answer).map(drop),
        None => sql!(c, execute GIVEN_UP, id, answer).map(drop),
    }
}

/// Notes that the mail server refused a mail for good, and what it said; its text is gone.
///
/// # Errors
/// The engine failed.
pub async fn bounced(tx: &mut Tx, id: &str, now: Timestamp, answer: &str) -> sqlx::Result<()> {
    sql!(tx, execute BOUNCED, id, At::from(now), answer).map(drop)
}

/// A mail that came back.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Returned {
    /// Where it went.
    pub recipient: String,
    /// The person it was for.
    pub person_id: Option<String>,
}

/// Notes that a mail came back after the mail server had taken it; none when there is no such mail, or it is known.
///
/// # Errors
/// The engine failed.
pub async fn returned(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<Option<Returned>> {
    sql!(tx, optional Returned: RETURNED, id, At::from(now))
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
