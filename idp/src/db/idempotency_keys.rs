//! Answers already given, told again to whoever repeats the request.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    CLAIM = "INSERT INTO idempotency_keys (caller, key_digest, fingerprint, status, headers, body, expires_at)
             VALUES ($1, $2, $3, 0, '', '', $4)
             ON CONFLICT (caller, key_digest) DO UPDATE SET fingerprint = excluded.fingerprint, status = 0, headers = '', body = '', expires_at = excluded.expires_at
             WHERE idempotency_keys.expires_at <= $5";
    FIND = "SELECT fingerprint, status, headers, body FROM idempotency_keys WHERE caller = $1 AND key_digest = $2";
    GIVEN = "SELECT fingerprint, status, headers, body FROM idempotency_keys
             WHERE caller = $1 AND key_digest = $2 AND status > 0 AND expires_at > $3";
    KEEP = "UPDATE idempotency_keys SET status = $3, headers = $4, body = $5 WHERE caller = $1 AND key_digest = $2";
    PURGE = "DELETE FROM idempotency_keys WHERE expires_at < $1";
}

/// An answer.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Kept {
    /// SHA-256 of the request it answered.
    pub fingerprint: Vec<u8>,
    /// HTTP status; 0 while a write of several turns is not at its end.
    pub status: i64,
    /// JSON object of texts.
    pub headers: String,
    /// The body; of a write of several turns what it has done so far.
    pub body: String,
}

/// Takes the key for this request; false when somebody has it. An expired one is free. Waits for another transaction's claim.
///
/// # Errors
/// The engine failed.
pub async fn claim(
    tx: &mut Tx,
    (caller, key): (&str, &[u8]),
    fingerprint: &[u8],
    (now, until): (Timestamp, Timestamp),
) -> sqlx::Result<bool> {
    sql!(tx, execute CLAIM, caller, key, fingerprint, At::from(until), At::from(now)).map(|rows| rows == 1)
}

/// The answer that was given to a request that came to its end, and is kept at `now`.
///
/// # Errors
/// The engine failed.
pub async fn given(
    c: &mut impl Conn,
    (caller, key): (&str, &[u8]),
    now: Timestamp,
) -> sqlx::Result<Option<Kept>> {
    sql!(c, optional Kept: GIVEN, caller, key, At::from(now))
}

/// What is kept under the key, whoever is in the middle of it.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, caller: &str, key: &[u8]) -> sqlx::Result<Option<Kept>> {
    sql!(c, optional Kept: FIND, caller, key)
}

/// Keeps the answer of the request that claimed the key.
///
/// # Errors
/// The engine failed.
pub async fn keep(
    tx: &mut Tx,
    (caller, key): (&str, &[u8]),
    (status, headers, body): (i64, &str, &str),
) -> sqlx::Result<()> {
    sql!(tx, execute KEEP, caller, key, status, headers, body).map(drop)
}

/// Forgets answers that expired before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
