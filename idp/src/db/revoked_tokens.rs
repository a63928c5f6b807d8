//! Access tokens that were revoked one by one (RFC 7009), by `jti`, until they expire.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    FIND = "SELECT jti FROM revoked_tokens WHERE jti = $1";
    PURGE = "DELETE FROM revoked_tokens WHERE expires_at < $1";
}

/// Notes that a token is refused until it expires; false when it was noted before.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, jti: &str, expires_at: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute INSERT, jti, At::from(expires_at)).map(|rows| rows == 1)
}

/// Whether a token was revoked.
///
/// # Errors
/// The engine failed.
pub async fn contains(c: &mut impl Conn, jti: &str) -> sqlx::Result<bool> {
    sql!(c, optional (String,): FIND, jti).map(|found| found.is_some())
}

/// Forgets tokens that expired before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
