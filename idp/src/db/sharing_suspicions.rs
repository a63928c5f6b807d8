//! Accounts that seem to be used by several people, once a day each (R002). Holds neither addresses nor devices.

use jiff::Timestamp;
use jiff::civil::Date;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO sharing_suspicions (person_id, day, raised_at, devices, counted) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    LIST = "SELECT s.person_id, p.login, s.day, s.raised_at, s.devices, s.counted
            FROM sharing_suspicions s JOIN people p ON p.id = s.person_id
            WHERE s.raised_at >= $1 AND ($2 = '' OR s.person_id = $2) AND (s.raised_at, s.person_id) < ($3, $4)
            ORDER BY s.raised_at DESC, s.person_id DESC LIMIT $5";
    PURGE = "DELETE FROM sharing_suspicions WHERE raised_at < $1";
}

/// A suspicion as the operator reads it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Suspicion {
    /// Whose account.
    pub person_id: String,
    /// What they sign in with.
    pub login: String,
    /// The day, in Paris.
    pub day: String,
    /// When it was noticed.
    pub raised_at: At,
    /// How many networks or devices it was used from at the same time.
    pub devices: i64,
    /// Which of the two: `networks` or `devices`.
    pub counted: String,
}

/// Notes a suspicion; false when there is one of that day.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    tx: &mut Tx,
    person: &str,
    (day, many, counted): (Date, i64, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute INSERT, person, day.to_string(), At::from(now), many, counted).map(|rows| rows == 1)
}

/// The suspicions since then about `person`, or with an empty text about everybody: newest first, from before an instant and a person,
/// at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    (person, since): (&str, Timestamp),
    (at, before, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Suspicion>> {
    sql!(c, all Suspicion: LIST, At::from(since), person, at, before, i64::from(limit))
}

/// Forgets those raised before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
