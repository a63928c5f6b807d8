//! Browsers a person has signed in with: what makes a sign-in "new" and worth a mail.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO browsers (person_id, browser_digest, first_seen_at, last_seen_at) VALUES ($1, $2, $3, $3)
              ON CONFLICT DO NOTHING";
    TOUCH = "UPDATE browsers SET last_seen_at = $3 WHERE person_id = $1 AND browser_digest = $2";
    IS_KNOWN = "SELECT EXISTS (SELECT 1 FROM browsers b JOIN people p ON p.id = b.person_id
                               WHERE p.login = $1 AND b.browser_digest = $2)";
    IS_KNOWN_TO = "SELECT EXISTS (SELECT 1 FROM browsers WHERE person_id = $1 AND browser_digest = $2)";
    FORGET = "DELETE FROM browsers WHERE person_id = $1";
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

/// Whether somebody signed in to the account `login` with this browser before. The browser's cookie holds 256 random bits and
/// stands here by its digest: that ties it to the account as a signature would, and can be forgotten.
///
/// # Errors
/// The engine failed.
pub async fn is_known(c: &mut impl Conn, login: &str, browser_digest: &[u8]) -> sqlx::Result<bool> {
    sql!(c, one (bool,): IS_KNOWN, login, browser_digest).map(|(known,)| known)
}

/// The same by the person's id.
///
/// # Errors
/// The engine failed.
pub async fn is_known_to(c: &mut impl Conn, person: &str, browser_digest: &[u8]) -> sqlx::Result<bool> {
    sql!(c, one (bool,): IS_KNOWN_TO, person, browser_digest).map(|(known,)| known)
}

/// Forgets every browser of `person`, and says how many: each is a stranger from now on.
///
/// # Errors
/// The engine failed.
pub async fn forget(tx: &mut Tx, person: &str) -> sqlx::Result<u64> {
    sql!(tx, execute FORGET, person)
}

/// Forgets browsers not used since `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
