//! The outbox of webhooks: what is to be sent, what was, and what the receiver answered.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO webhook_deliveries (id, webhook_id, event_id, type, body, status, attempts, answers, next_attempt_at, created_at)
              VALUES ($1, $2, $3, $4, $5, 'pending', 0, '[]', $6, $6)";
    DUE = "SELECT id, webhook_id, event_id, type AS kind, body, status, attempts, answers, next_attempt_at, delivered_at, created_at
           FROM webhook_deliveries WHERE webhook_id = $1 AND next_attempt_at <= $2 ORDER BY next_attempt_at, id LIMIT 1";
    LIST = "SELECT id, webhook_id, event_id, type AS kind, body, status, attempts, answers, next_attempt_at, delivered_at, created_at
            FROM webhook_deliveries
            WHERE webhook_id = $1 AND ($2 = '' OR status = $2) AND (created_at < $3 OR (created_at = $3 AND id < $4))
            ORDER BY created_at DESC, id DESC LIMIT $5";
    FIND = "SELECT id, webhook_id, event_id, type AS kind, body, status, attempts, answers, next_attempt_at, delivered_at, created_at
            FROM webhook_deliveries WHERE webhook_id = $1 AND id = $2";
    DELIVERED = "UPDATE webhook_deliveries SET status = 'delivered', attempts = attempts + 1, answers = $2, next_attempt_at = NULL, delivered_at = $3
                 WHERE id = $1";
    FAILED = "UPDATE webhook_deliveries SET status = $4, attempts = attempts + 1, answers = $2, next_attempt_at = $3 WHERE id = $1";
    GIVE_UP = "UPDATE webhook_deliveries SET status = 'given_up', next_attempt_at = NULL WHERE webhook_id = $1 AND next_attempt_at IS NOT NULL";
    AGAIN = "UPDATE webhook_deliveries SET status = 'pending', attempts = 0, next_attempt_at = $2, delivered_at = NULL
             WHERE id = $1 AND next_attempt_at IS NULL";
    PURGE = "DELETE FROM webhook_deliveries WHERE created_at < $1 AND next_attempt_at IS NULL";
}

/// Something to deliver, or delivered.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Delivery {
    /// `whd_…`.
    pub id: String,
    /// Where to.
    pub webhook_id: String,
    /// The event, which is what `webhook-id` says.
    pub event_id: String,
    /// Of the catalogue, or the test.
    pub kind: String,
    /// As it is sent.
    pub body: String,
    /// `pending`, `delivered` or `given_up`.
    pub status: String,
    /// Since it was put here, or asked for again.
    pub attempts: i64,
    /// JSON array, the last ones.
    pub answers: String,
    /// None when it is settled.
    pub next_attempt_at: Option<At>,
    /// When it was taken.
    pub delivered_at: Option<At>,
    /// Since when.
    pub created_at: At,
}

/// Puts something into the outbox, to leave at once; gives its id.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    tx: &mut Tx,
    webhook: &str,
    (event, kind, body): (&str, &str, &str),
    now: Timestamp,
) -> sqlx::Result<String> {
    let id = habilis_keys::random::id("whd", now);
    sql!(tx, execute INSERT, &id, webhook, event, kind, body, At::from(now))?;
    Ok(id)
}

/// What is due for a webhook, the longest due first.
///
/// # Errors
/// The engine failed.
pub async fn due(c: &mut impl Conn, webhook: &str, now: Timestamp) -> sqlx::Result<Option<Delivery>> {
    sql!(c, optional Delivery: DUE, webhook, At::from(now))
}

/// At most `limit` of a webhook with this status, any when empty; newest first, from before another.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    (webhook, status): (&str, &str),
    (at, id): (i64, &str),
    limit: u32,
) -> sqlx::Result<Vec<Delivery>> {
    sql!(c, all Delivery: LIST, webhook, status, at, id, i64::from(limit))
}

/// One of a webhook.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, webhook: &str, id: &str) -> sqlx::Result<Option<Delivery>> {
    sql!(c, optional Delivery: FIND, webhook, id)
}

/// Notes that the receiver took it.
///
/// # Errors
/// The engine failed.
pub async fn delivered(tx: &mut Tx, id: &str, answers: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute DELIVERED, id, answers, At::from(now)).map(drop)
}

/// Notes that the receiver did not take it; it is tried again at `next`, or never.
///
/// # Errors
/// The engine failed.
pub async fn failed(tx: &mut Tx, id: &str, answers: &str, next: Option<Timestamp>) -> sqlx::Result<()> {
    let status = if next.is_some() { "pending" } else { "given_up" };
    sql!(tx, execute FAILED, id, answers, next.map(At::from), status).map(drop)
}

/// Gives up whatever waits for a webhook.
///
/// # Errors
/// The engine failed.
pub async fn give_up(tx: &mut Tx, webhook: &str) -> sqlx::Result<u64> {
    sql!(tx, execute GIVE_UP, webhook)
}

/// Puts a settled one back, to leave at once; false when it waits already.
///
/// # Errors
/// The engine failed.
pub async fn again(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    Ok(sql!(tx, execute AGAIN, id, At::from(now))? == 1)
}

/// Removes what was settled and put here before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
