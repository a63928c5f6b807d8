//! One-time links that open accounts for updates (R077), by digest. They stay after the opening, to say until when it is.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO enrolment_links (digest, enrolment_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
    FIND = "SELECT e.organization_id, e.id, e.person_id FROM enrolment_links l JOIN enrolments e ON e.id = l.enrolment_id
            WHERE l.digest = $1 AND l.void_at IS NULL AND l.expires_at > $2";
    VOID = "UPDATE enrolment_links SET void_at = $2 WHERE enrolment_id = $1 AND void_at IS NULL";
    LATEST_MADE = "SELECT MAX(created_at) FROM enrolment_links WHERE enrolment_id = $1";
    PURGE = "DELETE FROM enrolment_links WHERE expires_at < $1";
}

/// What a link is for.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Link {
    /// The training body.
    pub organization_id: String,
    /// The enrolment.
    pub id: String,
    /// Whose.
    pub person_id: String,
}

/// Stores a link to an enrolment.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    tx: &mut Tx,
    digest: &[u8],
    (enrolment, expires_at): (&str, Timestamp),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, digest, enrolment, At::from(now), At::from(expires_at)).map(drop)
}

/// Finds a link that is neither void nor over.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, digest: &[u8], now: Timestamp) -> sqlx::Result<Option<Link>> {
    sql!(c, optional Link: FIND, digest, At::from(now))
}

/// Makes the links to an enrolment worthless.
///
/// # Errors
/// The engine failed.
pub async fn void(tx: &mut Tx, enrolment: &str, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute VOID, enrolment, At::from(now))
}

/// When the newest link to an enrolment was made, usable or not.
///
/// # Errors
/// The engine failed.
pub async fn latest_made(c: &mut impl Conn, enrolment: &str) -> sqlx::Result<Option<Timestamp>> {
    let (at,) = sql!(c, one (Option<At>,): LATEST_MADE, enrolment)?;
    Ok(at.map(Timestamp::from))
}

/// Removes links that expired before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
