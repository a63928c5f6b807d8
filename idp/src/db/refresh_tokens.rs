//! Refresh tokens, by digest. All tokens of a grant are one family: revoking the grant ends them together.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO refresh_tokens (digest, grant_id, created_at, expires_at, dpop_jkt) VALUES ($1, $2, $3, $4, $5)";
    FIND = "SELECT grant_id, created_at, expires_at, replaced_at, dpop_jkt FROM refresh_tokens WHERE digest = $1";
    REPLACE = "UPDATE refresh_tokens SET replaced_at = $2 WHERE digest = $1 AND replaced_at IS NULL";
    PURGE = "DELETE FROM refresh_tokens WHERE expires_at < $1";
}

/// A refresh token as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RefreshToken {
    /// Its grant.
    pub grant_id: String,
    /// When it was given.
    pub created_at: At,
    /// When it stops working.
    pub expires_at: At,
    /// When it was exchanged for another.
    pub replaced_at: Option<At>,
    /// Thumbprint of the key it is bound to, for public clients (RFC 9449 §5).
    pub dpop_jkt: Option<String>,
}

/// Stores a token.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    tx: &mut Tx,
    digest: &[u8],
    (grant, expires_at, dpop_jkt): (&str, Timestamp, Option<&str>),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, digest, grant, At::from(now), At::from(expires_at), dpop_jkt).map(drop)
}

/// Finds a token, replaced or not.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, digest: &[u8]) -> sqlx::Result<Option<RefreshToken>> {
    sql!(c, optional RefreshToken: FIND, digest)
}

/// Marks a token as replaced; false when it was already.
///
/// # Errors
/// The engine failed.
pub async fn replace(tx: &mut Tx, digest: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute REPLACE, digest, At::from(now)).map(|rows| rows == 1)
}

/// Removes tokens that expired before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
