//! Browsers a person has signed in with: what makes a sign-in "new" and worth a mail.

use jiff::Timestamp;

use super::{At, Tx};

statements! {
    INSERT = "INSERT INTO browsers (person_id, browser_digest, first_seen_at, last_seen_at) VALUES ($1, $2, $3, $3)
              ON CONFLICT DO NOTHING";
    TOUCH = "UPDATE browsers SET last_seen_at = $3 WHERE person_id = $1 AND browser_digest = $2";
    PURGE = "DELETE FROM browsers WHERE last_seen_at < $1";
}

/// Notes that `person` signed in with this browser; true when it is the first time.
///
/// # Errors
/// The engine failed.
pub async fn seen(tx: &mut Tx, person: &str, browser_digest: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    let new = sql!(tx, execute INSERT, person, browser_digest, At::from(now))? == 1;
    if !new {
        sql!(tx, execute TOUCH, person, browser_digest, At::from(now))?;
    }
    Ok(new)
}

/// Forgets browsers not used since `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
