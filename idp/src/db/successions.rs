//! Successions: an administrator leaves, and another takes over (R053).

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO successions (id, organization_id, leaving, successor, afterwards, effective_on, reason, status, requested_by, requested_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7, 'requested', $8, $9)";
    FIND = "SELECT id, organization_id, leaving, successor, afterwards, effective_on, reason, status, requested_by, requested_at, decided_by, decided_at, note
            FROM successions WHERE organization_id = $1 AND id = $2";
    LIST = "SELECT id, organization_id, leaving, successor, afterwards, effective_on, reason, status, requested_by, requested_at, decided_by, decided_at, note
            FROM successions
            WHERE organization_id = $1 AND (CAST($2 AS TEXT) IS NULL OR status = $2) AND (requested_at < $3 OR (requested_at = $3 AND id < $4))
            ORDER BY requested_at DESC, id DESC LIMIT $5";
    EVERYWHERE = "SELECT id, organization_id, leaving, successor, afterwards, effective_on, reason, status, requested_by, requested_at, decided_by, decided_at, note
                  FROM successions WHERE status = $1 AND (requested_at < $2 OR (requested_at = $2 AND id < $3))
                  ORDER BY requested_at DESC, id DESC LIMIT $4";
    DUE = "SELECT id, organization_id, leaving, successor, afterwards, effective_on, reason, status, requested_by, requested_at, decided_by, decided_at, note
           FROM successions WHERE status = 'approved' AND effective_on <= $1 AND (requested_at, id) > ($2, $3) ORDER BY requested_at, id LIMIT $4";
    WAITING = "SELECT COUNT(*), MIN(effective_on) FROM successions WHERE status = 'approved' AND effective_on IS NOT NULL";
    DECIDE = "UPDATE successions SET status = $4, decided_by = $5, decided_at = $6, note = $7 WHERE organization_id = $1 AND id = $2 AND status = $3";
    CLOSE = "UPDATE successions SET status = 'withdrawn', decided_by = $2, decided_at = $3, note = $4
             WHERE organization_id = $1 AND status IN ('requested', 'approved')";
    SETTLE = "UPDATE successions SET status = $3, note = COALESCE($4, note) WHERE organization_id = $1 AND id = $2 AND status = 'approved'";
}

/// A succession.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Succession {
    /// `suc_…`.
    pub id: String,
    /// Where.
    pub organization_id: String,
    /// The administrator who leaves.
    pub leaving: String,
    /// Who takes over.
    pub successor: String,
    /// `member` or `removed`: what the one who leaves is afterwards.
    pub afterwards: String,
    /// Civil day (Paris) from which it is so; as soon as approved when absent.
    pub effective_on: Option<String>,
    /// Why.
    pub reason: String,
    /// `requested`, `approved` (waits for its day), `done`, `declined`, `withdrawn` or `failed`.
    pub status: String,
    /// A person, or a client.
    pub requested_by: String,
    /// When.
    pub requested_at: At,
    /// A person, or a client.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<At>,
    /// What was said to it, or why it failed.
    pub note: Option<String>,
}

/// What is asked for.
#[derive(Debug)]
pub struct NewSuccession<'a> {
    /// `suc_…`.
    pub id: &'a str,
    /// Where.
    pub organization: &'a str,
    /// The administrator who leaves.
    pub leaving: &'a str,
    /// Who takes over.
    pub successor: &'a str,
    /// See [`Succession::afterwards`].
    pub afterwards: &'a str,
    /// See [`Succession::effective_on`].
    pub effective_on: Option<&'a str>,
    /// Why.
    pub reason: &'a str,
    /// Who asks.
    pub by: &'a str,
}

/// Records the request. At most one is open for one who leaves: another violates a unique index.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, new: &NewSuccession<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, new.id, new.organization, new.leaving, new.successor, new.afterwards, new.effective_on, new.reason, new.by, At::from(now))
        .map(drop)
}

/// The succession `id` of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<Succession>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Succession: FIND, organization, id)
}

/// Those of `organization`, newest first, from before the instant (milliseconds since 1970) and id of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    (organization, status): (&str, Option<&str>),
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Succession>> {
    sql!(c, all Succession: LIST, organization, status, at, id, i64::from(limit))
}

/// Those of every organization with one status, as [`list`].
///
/// # Errors
/// The engine failed.
pub async fn everywhere(
    c: &mut impl Conn,
    status: &str,
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Succession>> {
    sql!(c, all Succession: EVERYWHERE, status, at, id, i64::from(limit))
}

/// Those that were approved for the civil day `day` (ISO 8601, Paris) or an earlier one, by request from behind a place.
///
/// # Errors
/// The engine failed.
pub async fn due(
    c: &mut impl Conn,
    day: &str,
    (at, id): (At, &str),
    limit: u32,
) -> sqlx::Result<Vec<Succession>> {
    sql!(c, all Succession: DUE, day, at, id, i64::from(limit))
}

/// How many wait for their day, and the first.
///
/// # Errors
/// The engine failed.
pub async fn waiting(c: &mut impl Conn) -> sqlx::Result<(i64, Option<String>)> {
    sql!(c, one (i64, Option<String>): WAITING)
}

/// Decides a succession that is in the status `from`; false when it is no more.
///
/// # Errors
/// The engine failed.
pub async fn decide(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    (from, to): (&str, &str),
    (by, note): (&str, Option<&str>),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute DECIDE, organization, id, from, to, by, At::from(now), note).map(|rows| rows == 1)
}

/// Settles an approved succession as `done` or `failed`; false when it is not approved any more.
///
/// # Errors
/// The engine failed.
pub async fn settle(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    (to, note): (&str, Option<&str>),
) -> sqlx::Result<bool> {
    sql!(tx, execute SETTLE, organization, id, to, note).map(|rows| rows == 1)
}

/// Withdraws every succession of `organization` that waits for an approval or its day; says how many.
///
/// # Errors
/// The engine failed.
pub async fn close(
    tx: &mut Tx,
    organization: &str,
    (by, note): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<u64> {
    sql!(tx, execute CLOSE, organization, by, At::from(now), note)
}
