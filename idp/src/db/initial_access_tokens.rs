//! Initial access tokens of client registration (RFC 7591 §3), by digest.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO initial_access_tokens (digest, uses_left, created_at, expires_at) VALUES ($1, $2, $3, $4)
              ON CONFLICT DO NOTHING";
    USES_LEFT = "SELECT uses_left FROM initial_access_tokens WHERE digest = $1 AND expires_at > $2";
    SPEND = "UPDATE initial_access_tokens SET uses_left = uses_left - 1
             WHERE digest = $1 AND uses_left > 0 AND expires_at > $2";
    PURGE = "DELETE FROM initial_access_tokens WHERE expires_at < $1";
}

/// Stores a token good for `uses` registrations until `expires_at`; false when it is known already.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    tx: &mut Tx,
    digest: &[u8],
    (uses, expires_at): (u32, Timestamp),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute INSERT, digest, i64::from(uses), At::from(now), At::from(expires_at)).map(|rows| rows == 1)
}

/// How often a known token still serves; none when it is unknown or expired.
///
/// # Errors
/// The engine failed.
pub async fn uses_left(c: &mut impl Conn, digest: &[u8], now: Timestamp) -> sqlx::Result<Option<i64>> {
    Ok(sql!(c, optional (i64,): USES_LEFT, digest, At::from(now))?.map(|(left,)| left))
}

/// Takes one use of the token; false when it is unknown, expired or used up. Undone with the transaction.
///
/// # Errors
/// The engine failed.
pub async fn spend(c: &mut impl Conn, digest: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    sql!(c, execute SPEND, digest, At::from(now)).map(|rows| rows == 1)
}

/// Removes tokens that expired before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
