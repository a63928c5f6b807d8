//! What was reported to the data protection officer: the queue (R032, R034).

use jiff::Timestamp;

use super::{At, Conn, Tx};

/// The columns of [`Incident`].
macro_rules! columns {
    () => {
        "id, kind, cause, person_id, organization_id, description, reported_by, reported_at, handled_at, handled_by, note"
    };
}

statements! {
    INSERT = "INSERT INTO incidents (id, kind, cause, person_id, organization_id, description, reported_by, reported_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    FIND = (concat!("SELECT ", columns!(), " FROM incidents WHERE id = $1"));
    LIST = (concat!("SELECT ", columns!(), " FROM incidents
            WHERE (CAST($1 AS TEXT) IS NULL OR (CASE WHEN handled_at IS NULL THEN 'open' ELSE 'handled' END) = $1)
              AND (reported_at < $2 OR (reported_at = $2 AND id < $3))
            ORDER BY reported_at DESC, id DESC LIMIT $4"));
    OF_ORGANIZATION = (concat!("SELECT ", columns!(), " FROM incidents
            WHERE organization_id = $1 AND kind = 'administrator'
              AND (CAST($2 AS TEXT) IS NULL OR (CASE WHEN handled_at IS NULL THEN 'open' ELSE 'handled' END) = $2)
              AND (reported_at < $3 OR (reported_at = $3 AND id < $4))
            ORDER BY reported_at DESC, id DESC LIMIT $5"));
    HANDLE = "UPDATE incidents SET handled_at = $2, handled_by = $3, note = $4 WHERE id = $1 AND handled_at IS NULL";
    LATELY = "SELECT COUNT(*), MIN(reported_at) FROM incidents
              WHERE organization_id = $1 AND cause = 'report' AND kind = 'administrator' AND reported_at > $2";
    PURGE = "DELETE FROM incidents WHERE handled_at < $1";
}

/// An incident.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Incident {
    /// `inc_…`.
    pub id: String,
    /// Who reported it: `person`, `administrator` or `operator`.
    pub kind: String,
    /// `compromise`, `address_restored`, `kill_switch` or `report`.
    pub cause: String,
    /// The person concerned.
    pub person_id: Option<String>,
    /// The organization concerned.
    pub organization_id: Option<String>,
    /// What was said of it.
    pub description: Option<String>,
    /// The person or client who reported it.
    pub reported_by: String,
    /// When.
    pub reported_at: At,
    /// When it was handled.
    pub handled_at: Option<At>,
    /// By whom.
    pub handled_by: Option<String>,
    /// What was done about it.
    pub note: Option<String>,
}

/// An incident that is reported.
#[derive(Debug)]
pub struct NewIncident<'a> {
    /// `inc_…`.
    pub id: &'a str,
    /// See [`Incident::kind`].
    pub kind: &'a str,
    /// See [`Incident::cause`].
    pub cause: &'a str,
    /// The person concerned.
    pub person: Option<&'a str>,
    /// The organization concerned.
    pub organization: Option<&'a str>,
    /// What is said of it.
    pub description: Option<&'a str>,
    /// Who reports it.
    pub by: &'a str,
}

/// Puts an incident into the queue.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, new: &NewIncident<'_>, now: Timestamp) -> sqlx::Result<()> {
    let (person, organization) = (new.person, new.organization);
    sql!(tx, execute INSERT, new.id, new.kind, new.cause, person, organization, new.description, new.by, At::from(now))
        .map(drop)
}

/// The incident `id`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Incident>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Incident: FIND, id)
}

/// Those that are `open` or `handled`, or all, newest first, from before the instant (milliseconds since 1970) and id of another, at
/// most so many.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    status: Option<&str>,
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Incident>> {
    sql!(c, all Incident: LIST, status, at, id, i64::from(limit))
}

/// Those of `organization` that its administrators or its API clients reported, otherwise as [`list`].
///
/// # Errors
/// The engine failed.
pub async fn of_organization(
    c: &mut impl Conn,
    (organization, status): (&str, Option<&str>),
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Incident>> {
    sql!(c, all Incident: OF_ORGANIZATION, organization, status, at, id, i64::from(limit))
}

/// Notes that an open incident was handled; false when it is not open any more.
///
/// # Errors
/// The engine failed.
pub async fn handle(tx: &mut Tx, id: &str, (by, note): (&str, &str), now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute HANDLE, id, At::from(now), by, note).map(|rows| rows == 1)
}

/// How many the administrators of `organization` reported in words after `since`, and when the first of them.
///
/// # Errors
/// The engine failed.
pub async fn lately(tx: &mut Tx, organization: &str, since: Timestamp) -> sqlx::Result<(i64, Option<At>)> {
    sql!(tx, one (i64, Option<At>): LATELY, organization, At::from(since))
}

/// Forgets those handled before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
