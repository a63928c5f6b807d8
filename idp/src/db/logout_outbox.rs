//! The outbox of logout tokens: written inside the transaction that ends a session, delivered afterwards
//! (OpenID Connect Back-Channel Logout 1.0 §2.5).

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO logout_outbox (id, client_id, person_id, sid, created_at, next_attempt_at, attempts)
              VALUES ($1, $2, $3, $4, $5, $5, 0)";
    CLAIM = {
        sqlite "UPDATE logout_outbox SET claimed_until = $2, attempts = attempts + 1
                WHERE id IN (SELECT id FROM logout_outbox WHERE next_attempt_at <= $1 AND (claimed_until IS NULL OR claimed_until < $1) ORDER BY next_attempt_at, id LIMIT $3)
                RETURNING id, client_id, person_id, sid, attempts, created_at",
        postgres "UPDATE logout_outbox SET claimed_until = $2, attempts = attempts + 1
                  WHERE id IN (SELECT id FROM logout_outbox WHERE next_attempt_at <= $1 AND (claimed_until IS NULL OR claimed_until < $1) ORDER BY next_attempt_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)
                  RETURNING id, client_id, person_id, sid, attempts, created_at"
    };
    DELIVERED = "UPDATE logout_outbox SET delivered_at = $2, next_attempt_at = NULL, claimed_until = NULL, answer = $3 WHERE id = $1";
    FAILED = "UPDATE logout_outbox SET next_attempt_at = $2, claimed_until = NULL, answer = $3
              WHERE id = $1 AND delivered_at IS NULL";
    PURGE = "DELETE FROM logout_outbox WHERE created_at < $1 AND next_attempt_at IS NULL";
}

/// A logout that a node took on to deliver.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Claimed {
    /// `lgo_…`.
    pub id: String,
    /// To whom.
    pub client_id: String,
    /// Who signed out.
    pub person_id: String,
    /// The session, as the client knows it.
    pub sid: String,
    /// How many times it was tried, this one included.
    pub attempts: i64,
    /// When the session ended.
    pub created_at: At,
}

/// Puts a logout into the outbox.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    tx: &mut Tx,
    (client, person, sid): (&str, &str, &str),
    now: Timestamp,
) -> sqlx::Result<()> {
    let id = habilis_keys::random::id("lgo", now);
    sql!(tx, execute INSERT, id, client, person, sid, At::from(now)).map(drop)
}

/// Takes on at most `limit` logouts that are due; nobody else gets them before `until`.
///
/// # Errors
/// The engine failed.
pub async fn claim(c: &mut impl Conn, now: Timestamp, until: Timestamp, limit: u32) -> sqlx::Result<Vec<Claimed>> {
    sql!(c, all Claimed: CLAIM, At::from(now), At::from(until), i64::from(limit))
}

/// Notes that the client took the logout token.
///
/// # Errors
/// The engine failed.
pub async fn delivered(c: &mut impl Conn, id: &str, now: Timestamp, answer: &str) -> sqlx::Result<()> {
    sql!(c, execute DELIVERED, id, At::from(now), answer).map(drop)
}

/// Notes a failure; it is tried again at `next`, or never.
///
/// # Errors
/// The engine failed.
pub async fn failed(c: &mut impl Conn, id: &str, next: Option<Timestamp>, answer: &str) -> sqlx::Result<()> {
    sql!(c, execute FAILED, id, next.map(At::from), answer).map(drop)
}

/// Removes what was settled and began before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
