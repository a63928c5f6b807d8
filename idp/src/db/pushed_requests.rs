//! Pushed authorization requests (RFC 9126), by digest of their `request_uri`.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO pushed_requests (digest, client_id, request, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
    FIND = "SELECT request FROM pushed_requests
            WHERE digest = $1 AND client_id = $2 AND expires_at > $3 AND answered_at IS NULL";
    ANSWER = "UPDATE pushed_requests SET answered_at = $2 WHERE digest = $1 AND answered_at IS NULL";
    PURGE = "DELETE FROM pushed_requests WHERE expires_at < $1";
}

/// Stores the validated request of a client.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    c: &mut impl Conn,
    digest: &[u8],
    (client, request, expires_at): (&str, &str, Timestamp),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(c, execute INSERT, digest, client, request, At::from(now), At::from(expires_at)).map(drop)
}

/// Finds what this client pushed, while it may be opened and no answer was sent.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, digest: &[u8], client: &str, now: Timestamp) -> sqlx::Result<Option<String>> {
    let row = sql!(c, optional (String,): FIND, digest, client, At::from(now))?;
    Ok(row.map(|(request,)| request))
}

/// Uses the request up, because an answer is sent; false when one was sent before.
///
/// # Errors
/// The engine failed.
pub async fn answer(c: &mut impl Conn, digest: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    sql!(c, execute ANSWER, digest, At::from(now)).map(|rows| rows == 1)
}

/// Removes requests that expired before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
