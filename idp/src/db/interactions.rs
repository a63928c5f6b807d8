//! Authorization requests that wait for a person: to sign in, to consent.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO interactions (id, browser_digest, client_id, request, created_at, expires_at)
              VALUES ($1, $2, $3, $4, $5, $6)";
    FIND = "SELECT id, client_id, request, created_at, authenticated_at, consented_at, consented_by, organization_id
            FROM interactions
            WHERE id = $1 AND browser_digest = $2 AND expires_at > $3 AND finished_at IS NULL";
    AUTHENTICATED = "UPDATE interactions SET authenticated_at = $2 WHERE id = $1 AND finished_at IS NULL";
    CONSENTED = "UPDATE interactions SET consented_at = $2, consented_by = $3 WHERE id = $1 AND finished_at IS NULL";
    CHOSE = "UPDATE interactions SET organization_id = $2 WHERE id = $1 AND finished_at IS NULL";
    FINISH = "UPDATE interactions SET finished_at = $2 WHERE id = $1 AND finished_at IS NULL";
    PURGE = "DELETE FROM interactions WHERE expires_at < $1";
}

/// An interaction that is still open in this browser.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Interaction {
    /// `int_…`.
    pub id: String,
    /// Who asks.
    pub client_id: String,
    /// The validated request, JSON.
    pub request: String,
    /// When it began.
    pub created_at: At,
    /// When a sign-in happened for it.
    pub authenticated_at: Option<At>,
    /// When consent was given for it.
    pub consented_at: Option<At>,
    /// Who gave it: somebody else may sign in before the request is answered.
    pub consented_by: Option<String>,
    /// For which organization the person answered that it is.
    pub organization_id: Option<String>,
}

/// An interaction to begin.
#[derive(Debug)]
pub struct NewInteraction<'a> {
    /// `int_…`.
    pub id: &'a str,
    /// SHA-256 of the browser cookie.
    pub browser_digest: &'a [u8],
    /// Who asks.
    pub client: &'a str,
    /// The validated request, JSON.
    pub request: &'a str,
    /// When it is of no use any more.
    pub expires_at: Timestamp,
}

/// Begins an interaction.
///
/// # Errors
/// The engine failed.
pub async fn insert(c: &mut impl Conn, new: &NewInteraction<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(c, execute INSERT, new.id, new.browser_digest, new.client, new.request, At::from(now), At::from(new.expires_at))
        .map(drop)
}

/// Finds an open interaction of this browser.
///
/// # Errors
/// The engine failed.
pub async fn find(
    c: &mut impl Conn,
    id: &str,
    browser_digest: &[u8],
    now: Timestamp,
) -> sqlx::Result<Option<Interaction>> {
    sql!(c, optional Interaction: FIND, id, browser_digest, At::from(now))
}

/// Notes that the person signed in for this request.
///
/// # Errors
/// The engine failed.
pub async fn authenticated(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute AUTHENTICATED, id, At::from(now)).map(drop)
}

/// Notes that `person` consented to this request.
///
/// # Errors
/// The engine failed.
pub async fn consented(tx: &mut Tx, (id, person): (&str, &str), now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute CONSENTED, id, At::from(now), person).map(drop)
}

/// Notes for which organization this request is.
///
/// # Errors
/// The engine failed.
pub async fn chose(tx: &mut Tx, id: &str, organization: &str) -> sqlx::Result<()> {
    sql!(tx, execute CHOSE, id, organization).map(drop)
}

/// Ends an interaction; false when it had ended before, so an answer is given once.
///
/// # Errors
/// The engine failed.
pub async fn finish(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute FINISH, id, At::from(now)).map(|rows| rows == 1)
}

/// Removes interactions that expired before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
