//! The "report a compromise" links of security mails (R031), by digest, once.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO compromise_links (digest, person_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
    FIND = "SELECT person_id FROM compromise_links WHERE digest = $1 AND used_at IS NULL AND expires_at > $2";
    USE = "UPDATE compromise_links SET used_at = $2 WHERE digest = $1 AND used_at IS NULL AND expires_at > $2";
    VOID = "UPDATE compromise_links SET used_at = $2 WHERE person_id = $1 AND used_at IS NULL";
    PURGE = "DELETE FROM compromise_links WHERE expires_at < $1";
}

/// Stores a link for `person`.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    tx: &mut Tx,
    digest: &[u8],
    (person, expires_at): (&str, Timestamp),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, digest, person, At::from(now), At::from(expires_at)).map(drop)
}

/// Whose link this is, if it can still be used.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, digest: &[u8], now: Timestamp) -> sqlx::Result<Option<String>> {
    Ok(sql!(c, optional (String,): FIND, digest, At::from(now))?.map(|(person,)| person))
}

/// Uses a link up; false when somebody was first, or its time is over.
///
/// # Errors
/// The engine failed.
pub async fn use_up(tx: &mut Tx, digest: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute USE, digest, At::from(now)).map(|rows| rows == 1)
}

/// Makes the open links of `person` worthless.
///
/// # Errors
/// The engine failed.
pub async fn void(tx: &mut Tx, person: &str, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute VOID, person, At::from(now))
}

/// Removes links that expired before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
