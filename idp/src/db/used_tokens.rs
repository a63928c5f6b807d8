//! Identifiers (`jti`) that may be used once: client assertions (RFC 7523 §3) and DPoP proofs (RFC 9449 §11.1).

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO used_tokens (issuer, jti_digest, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    PURGE = "DELETE FROM used_tokens WHERE expires_at < $1";
}

/// Notes the first use of `jti` by `issuer`; false when it was used before. Kept until `expires_at`.
///
/// # Errors
/// The engine failed.
pub async fn first_use(c: &mut impl Conn, issuer: &str, jti: &str, expires_at: Timestamp) -> sqlx::Result<bool> {
    sql!(c, execute INSERT, issuer, habilis_keys::token::digest(jti), At::from(expires_at)).map(|rows| rows == 1)
}

/// Forgets what could not be used again anyway.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
