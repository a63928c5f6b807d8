//! Removals of all second factors by mail: asked for, announced, and possible only after a wait.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO factor_removals (digest, person_id, created_at, ready_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
    FIND = "SELECT person_id, ready_at FROM factor_removals WHERE digest = $1 AND closed_at IS NULL AND expires_at > $2";
    CLOSE = "UPDATE factor_removals SET closed_at = $2 WHERE digest = $1 AND closed_at IS NULL AND expires_at > $2";
    OPEN = "SELECT COUNT(*) FROM factor_removals WHERE person_id = $1 AND closed_at IS NULL AND expires_at > $2";
    VOID = "UPDATE factor_removals SET closed_at = $2 WHERE person_id = $1 AND closed_at IS NULL";
    PURGE = "DELETE FROM factor_removals WHERE expires_at < $1";
}

/// A removal somebody asked for.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Removal {
    /// Whose factors.
    pub person_id: String,
    /// When it may be done.
    pub ready_at: At,
}

/// Keeps a removal of the factors of `person`, possible from `ready_at` until `expires_at`.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    tx: &mut Tx,
    (digest, person): (&[u8], &str),
    (ready_at, expires_at): (Timestamp, Timestamp),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, digest, person, At::from(now), At::from(ready_at), At::from(expires_at)).map(drop)
}

/// Finds a removal that is open.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, digest: &[u8], now: Timestamp) -> sqlx::Result<Option<Removal>> {
    sql!(c, optional Removal: FIND, digest, At::from(now))
}

/// Closes a removal, done or stopped; false when somebody was first.
///
/// # Errors
/// The engine failed.
pub async fn close(tx: &mut Tx, digest: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute CLOSE, digest, At::from(now)).map(|rows| rows == 1)
}

/// Whether a removal for `person` is open.
///
/// # Errors
/// The engine failed.
pub async fn is_open(c: &mut impl Conn, person: &str, now: Timestamp) -> sqlx::Result<bool> {
    sql!(c, one (i64,): OPEN, person, At::from(now)).map(|(count,)| count > 0)
}

/// Closes every removal for `person`.
///
/// # Errors
/// The engine failed.
pub async fn void(tx: &mut Tx, person: &str, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute VOID, person, At::from(now))
}

/// Removes what expired before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
