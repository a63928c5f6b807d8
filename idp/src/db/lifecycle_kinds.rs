//! What is known of each kind of thing that expires: its last run, and under which settings its looks were planned.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    ALL_KINDS = "SELECT kind, rule, walked, ran_at, ran_by, busy_at, reminded, ended, failed FROM lifecycle_kinds ORDER BY kind";
    FIND = "SELECT kind, rule, walked, ran_at, ran_by, busy_at, reminded, ended, failed FROM lifecycle_kinds WHERE kind = $1";
    RAN = "INSERT INTO lifecycle_kinds (kind, ran_at, ran_by) VALUES ($1, $2, $3)
           ON CONFLICT (kind) DO UPDATE SET ran_at = excluded.ran_at, ran_by = excluded.ran_by";
    ALL_RAN = "UPDATE lifecycle_kinds SET ran_at = $1, ran_by = $2";
    BUSY = "UPDATE lifecycle_kinds SET busy_at = $2, reminded = $3, ended = $4, failed = $5 WHERE kind = $1";
    SET_RULE = "INSERT INTO lifecycle_kinds (kind, rule, walked) VALUES ($1, $2, '')
                ON CONFLICT (kind) DO UPDATE SET rule = excluded.rule, walked = ''";
    WALKED = "UPDATE lifecycle_kinds SET walked = $3 WHERE kind = $1 AND walked = $2";
}

/// A kind.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Known {
    /// Its name.
    pub kind: String,
    /// Fingerprint of the settings under which looks were planned.
    pub rule: Option<String>,
    /// Looks are planned anew behind this id.
    pub walked: Option<String>,
    /// Last run.
    pub ran_at: Option<At>,
    /// By which process.
    pub ran_by: Option<String>,
    /// The last run that had something to say or do.
    pub busy_at: Option<At>,
    /// Reminders of that run.
    pub reminded: i64,
    /// Ends of that run.
    pub ended: i64,
    /// What failed in that run, and is tried again.
    pub failed: i64,
}

/// Every kind that ever ran, by name.
///
/// # Errors
/// The engine failed.
pub async fn all(c: &mut impl Conn) -> sqlx::Result<Vec<Known>> {
    sql!(c, all Known: ALL_KINDS)
}

/// One kind.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, kind: &str) -> sqlx::Result<Option<Known>> {
    sql!(c, optional Known: FIND, kind)
}

/// Notes a run of a kind.
///
/// # Errors
/// The engine failed.
pub async fn ran(tx: &mut Tx, kind: &str, (by, now): (&str, Timestamp)) -> sqlx::Result<()> {
    sql!(tx, execute RAN, kind, At::from(now), by).map(drop)
}

/// Notes a run of all kinds known.
///
/// # Errors
/// The engine failed.
pub async fn all_ran(tx: &mut Tx, (by, now): (&str, Timestamp)) -> sqlx::Result<u64> {
    sql!(tx, execute ALL_RAN, At::from(now), by)
}

/// Notes what a run came to: reminders, ends, failures.
///
/// # Errors
/// The engine failed.
pub async fn busy(
    tx: &mut Tx,
    kind: &str,
    (reminded, ended, failed): (i64, i64, i64),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute BUSY, kind, At::from(now), reminded, ended, failed).map(drop)
}

/// States the settings of a kind: every look is to be planned anew.
///
/// # Errors
/// The engine failed.
pub async fn set_rule(tx: &mut Tx, kind: &str, rule: &str) -> sqlx::Result<()> {
    sql!(tx, execute SET_RULE, kind, rule).map(drop)
}

/// Notes that looks are planned as far as `to`, or all of them; false when another run is at it.
///
/// # Errors
/// The engine failed.
pub async fn walked(tx: &mut Tx, kind: &str, (from, to): (&str, Option<&str>)) -> sqlx::Result<bool> {
    sql!(tx, execute WALKED, kind, from, to).map(|rows| rows == 1)
}
