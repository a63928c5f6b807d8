//! Sign-ins whose password was right and that wait for a second step. Bound to the browser; no session exists yet.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO sign_in_steps (id, browser_digest, person_id, interaction_id, place, created_at, expires_at, session_id, leads_to)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    FIND = "SELECT s.id, s.person_id, s.interaction_id, s.place, s.session_id, s.leads_to
            FROM sign_in_steps s JOIN people p ON p.id = s.person_id
            WHERE s.id = $1 AND s.browser_digest = $2 AND s.expires_at > $3 AND s.finished_at IS NULL AND p.status = 'active'";
    FINISH = "UPDATE sign_in_steps SET finished_at = $2 WHERE id = $1 AND finished_at IS NULL";
    VOID = "UPDATE sign_in_steps SET finished_at = $2 WHERE person_id = $1 AND finished_at IS NULL";
    PURGE = "DELETE FROM sign_in_steps WHERE expires_at < $1";
}

/// A sign-in that waits.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Step {
    /// `step_…`.
    pub id: String,
    /// Whose password was right.
    pub person_id: String,
    /// The authorization request that waits.
    pub interaction_id: Option<String>,
    /// The page of ours the person is on the way to, when no request waits.
    pub place: String,
    /// The session it adds to; none for a sign-in whose password was given for it.
    pub session_id: Option<String>,
    /// The address that the invitation leads to which was just accepted.
    pub leads_to: Option<String>,
}

/// A sign-in that begins to wait.
#[derive(Debug)]
pub struct NewStep<'a> {
    /// `step_…`.
    pub id: &'a str,
    /// SHA-256 of the browser cookie.
    pub browser_digest: &'a [u8],
    /// Whose password was right.
    pub person: &'a str,
    /// The authorization request that waits.
    pub interaction: Option<&'a str>,
    /// The page of ours the person is on the way to.
    pub place: &'a str,
    /// The session it adds to.
    pub session: Option<&'a str>,
    /// The address that the invitation leads to which was just accepted.
    pub leads_to: Option<&'a str>,
    /// When the password has to be given again.
    pub expires_at: Timestamp,
}

/// Lets a sign-in wait.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, new: &NewStep<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(
        tx,
        execute INSERT,
        new.id,
        new.browser_digest,
        new.person,
        new.interaction,
        new.place,
        At::from(now),
        At::from(new.expires_at),
        new.session,
        new.leads_to,
    )
    .map(drop)
}

/// Finds a sign-in that waits in this browser, of a person who may still sign in.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, id: &str, browser_digest: &[u8], now: Timestamp) -> sqlx::Result<Option<Step>> {
    sql!(c, optional Step: FIND, id, browser_digest, At::from(now))
}

/// Ends the wait; false when it had ended before.
///
/// # Errors
/// The engine failed.
pub async fn finish(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute FINISH, id, At::from(now)).map(|rows| rows == 1)
}

/// Ends every wait of `person`: the password they rest on is no longer good.
///
/// # Errors
/// The engine failed.
pub async fn void(tx: &mut Tx, person: &str, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute VOID, person, At::from(now))
}

/// Removes waits that expired before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
