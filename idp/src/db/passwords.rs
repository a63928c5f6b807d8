//! Password digests (Argon2id, PHC strings), one a person at most.

use jiff::Timestamp;

use super::{At, Tx};

statements! {
    SET = "INSERT INTO passwords (person_id, phc, changed_at) VALUES ($1, $2, $3)
           ON CONFLICT (person_id) DO UPDATE SET phc = excluded.phc, changed_at = excluded.changed_at";
    REHASH = "UPDATE passwords SET phc = $3 WHERE person_id = $1 AND phc = $2";
}

/// Sets the password of `person`; this is a change, so its year begins `now`.
///
/// # Errors
/// The engine failed.
pub async fn set(tx: &mut Tx, person: &str, phc: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute SET, person, phc, At::from(now)).map(drop)
}

/// Replaces the digest of an unchanged password by one with current parameters, unless it changed meanwhile.
///
/// # Errors
/// The engine failed.
pub async fn rehash(tx: &mut Tx, person: &str, old: &str, new: &str) -> sqlx::Result<()> {
    sql!(tx, execute REHASH, person, old, new).map(drop)
}
