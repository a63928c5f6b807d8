//! Recovery codes: each opens once what a lost second factor opened. Kept as keyed digests.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO recovery_codes (person_id, digest, created_at) VALUES ($1, $2, $3)";
    LEFT = "SELECT COUNT(*) FROM recovery_codes WHERE person_id = $1 AND used_at IS NULL";
    USE = "UPDATE recovery_codes SET used_at = $3 WHERE person_id = $1 AND digest = $2 AND used_at IS NULL";
    DELETE_ALL = "DELETE FROM recovery_codes WHERE person_id = $1";
    DELETE_SINCE = "DELETE FROM recovery_codes WHERE person_id = $1 AND created_at >= $2";
}

/// Puts a new set in the place of the old one.
///
/// # Errors
/// The engine failed.
pub async fn replace(tx: &mut Tx, person: &str, digests: &[Vec<u8>], now: Timestamp) -> sqlx::Result<()> {
    delete_all(tx, person).await?;
    for digest in digests {
        sql!(tx, execute INSERT, person, digest, At::from(now))?;
    }
    Ok(())
}

/// How many codes of `person` were not used.
///
/// # Errors
/// The engine failed.
pub async fn left(c: &mut impl Conn, person: &str) -> sqlx::Result<i64> {
    sql!(c, one (i64,): LEFT, person).map(|(count,)| count)
}

/// Uses a code up; false when there is no such code, or it was used before.
///
/// # Errors
/// The engine failed.
pub async fn use_up(tx: &mut Tx, person: &str, digest: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute USE, person, digest, At::from(now)).map(|rows| rows == 1)
}

/// Removes the codes of `person` that were made at `since` or later, and says how many.
///
/// # Errors
/// The engine failed.
pub async fn delete_since(tx: &mut Tx, person: &str, since: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute DELETE_SINCE, person, At::from(since))
}

/// Removes every code of `person`.
///
/// # Errors
/// The engine failed.
pub async fn delete_all(tx: &mut Tx, person: &str) -> sqlx::Result<u64> {
    sql!(tx, execute DELETE_ALL, person)
}
