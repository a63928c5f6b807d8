//! What was already said about a password that expires: rungs of reminders, and the suspension as rung 0 (R045, R047).

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO password_notices (person_id, due_at, rung, sent_at) VALUES ($1, $2, $3, $4)
              ON CONFLICT DO NOTHING";
    FIND = "SELECT rung FROM password_notices WHERE person_id = $1 AND due_at = $2";
    PURGE = "DELETE FROM password_notices WHERE sent_at < $1";
}

/// Notes that a notice is sent; false when it was before.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, (person, due): (&str, Timestamp), rung: u16, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute INSERT, person, At::from(due), i64::from(rung), At::from(now)).map(|rows| rows == 1)
}

/// The rungs sent for one due date.
///
/// # Errors
/// The engine failed.
pub async fn sent(c: &mut impl Conn, person: &str, due: Timestamp) -> sqlx::Result<Vec<u16>> {
    let rows = sql!(c, all (i64,): FIND, person, At::from(due))?;
    Ok(rows.into_iter().filter_map(|(rung,)| u16::try_from(rung).ok()).collect())
}

/// Forgets notices sent before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
