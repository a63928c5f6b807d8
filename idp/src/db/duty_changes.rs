//! Changes of who is an operator or data protection officer, which one operator asks for and another decides (R054).

use jiff::Timestamp;

use super::{At, Conn, Tx};

/// The columns of [`DutyChange`].
macro_rules! columns {
    () => {
        "id, person_id, operator, privacy, reason, status, requested_by, requested_at, decided_by, decided_at, note"
    };
}

statements! {
    INSERT = "INSERT INTO duty_changes (id, person_id, operator, privacy, reason, status, requested_by, requested_at)
              VALUES ($1, $2, $3, $4, $5, 'requested', $6, $7)";
    FIND = (concat!("SELECT ", columns!(), " FROM duty_changes WHERE id = $1"));
    LIST = (concat!("SELECT ", columns!(), " FROM duty_changes
            WHERE (CAST($1 AS TEXT) IS NULL OR status = $1) AND (requested_at < $2 OR (requested_at = $2 AND id < $3))
            ORDER BY requested_at DESC, id DESC LIMIT $4"));
    DECIDE = "UPDATE duty_changes SET status = $2, decided_by = $3, decided_at = $4, note = $5 WHERE id = $1 AND status = 'requested'";
    TO_LAPSE = (concat!("SELECT ", columns!(), " FROM duty_changes
                WHERE status = 'requested' AND requested_at <= $1 AND (requested_at, id) > ($2, $3) ORDER BY requested_at, id LIMIT $4"));
    LAPSE = "UPDATE duty_changes SET status = 'expired' WHERE id = $1 AND status = 'requested'";
    WAITING_TO_LAPSE = "SELECT COUNT(*), MIN(requested_at) FROM duty_changes WHERE status = 'requested'";
}

/// A change of duties.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DutyChange {
    /// `dut_…`.
    pub id: String,
    /// The person concerned.
    pub person_id: String,
    /// Whether they are an operator afterwards.
    pub operator: bool,
    /// Whether they are a data protection officer afterwards.
    pub privacy: bool,
    /// Why.
    pub reason: String,
    /// `requested`, `done`, `refused`, `withdrawn` or `expired`.
    pub status: String,
    /// The operator who asks.
    pub requested_by: String,
    /// When.
    pub requested_at: At,
    /// Who decided, or withdrew.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<At>,
    /// What was said to it.
    pub note: Option<String>,
}

/// What an operator asks for.
#[derive(Debug)]
pub struct NewDutyChange<'a> {
    /// `dut_…`.
    pub id: &'a str,
    /// The person concerned.
    pub person: &'a str,
    /// Operator and data protection officer afterwards.
    pub duties: (bool, bool),
    /// Why.
    pub reason: &'a str,
    /// Who asks.
    pub by: &'a str,
}

/// Records what is asked for.
///
/// # Errors
/// A unique violation when a change of the same person waits already; the engine failed.
pub async fn insert(tx: &mut Tx, new: &NewDutyChange<'_>, now: Timestamp) -> sqlx::Result<()> {
    let (operator, privacy) = new.duties;
    sql!(tx, execute INSERT, new.id, new.person, operator, privacy, new.reason, new.by, At::from(now)).map(drop)
}

/// The change `id`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<DutyChange>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional DutyChange: FIND, id)
}

/// Those with a status, or all, newest first, from before the instant (milliseconds since 1970) and id of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    status: Option<&str>,
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<DutyChange>> {
    sql!(c, all DutyChange: LIST, status, at, id, i64::from(limit))
}

/// Decides a change that waits; false when it does not any more.
///
/// # Errors
/// The engine failed.
pub async fn decide(
    tx: &mut Tx,
    id: &str,
    (to, by, note): (&str, &str, Option<&str>),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute DECIDE, id, to, by, At::from(now), note).map(|rows| rows == 1)
}

/// Those that wait since `since` or before, from behind a place, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn to_lapse(
    c: &mut impl Conn,
    since: Timestamp,
    (at, id): (At, &str),
    limit: u32,
) -> sqlx::Result<Vec<DutyChange>> {
    sql!(c, all DutyChange: TO_LAPSE, At::from(since), at, id, i64::from(limit))
}

/// Lets one that waits lapse; false when it does not wait any more.
///
/// # Errors
/// The engine failed.
pub async fn lapse(tx: &mut Tx, id: &str) -> sqlx::Result<bool> {
    sql!(tx, execute LAPSE, id).map(|rows| rows == 1)
}

/// How many wait, and since when the first.
///
/// # Errors
/// The engine failed.
pub async fn waiting_to_lapse(c: &mut impl Conn) -> sqlx::Result<(i64, Option<At>)> {
    sql!(c, one (i64, Option<At>): WAITING_TO_LAPSE)
}
