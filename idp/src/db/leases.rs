//! Leases: work that one node does at a time. Nothing hangs on them but work done twice: conditions of the rows settle races.

use jiff::{SignedDuration, Timestamp};

use super::{At, Conn, Tx};

/// An end farther away than this was written by a clock that was wrong, and is not waited for.
const IMPLAUSIBLE: SignedDuration = SignedDuration::from_mins(30);

statements! {
    TAKE = "INSERT INTO leases (name, holder, until) VALUES ($1, $2, $4)
            ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
            WHERE leases.holder = $2 OR leases.until < $3 OR leases.until > $5";
    GIVE_BACK = "DELETE FROM leases WHERE name = $1 AND holder = $2";
    FIND = "SELECT holder, until FROM leases WHERE name = $1";
    CLEAR = "DELETE FROM leases";
}

/// Who holds a lease.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Lease {
    /// The process.
    pub holder: String,
    /// Until when.
    pub until: At,
}

/// Takes a lease until `until`, or holds on to it; false when another process has it.
///
/// # Errors
/// The engine failed.
pub async fn take(
    c: &mut impl Conn,
    (name, holder): (&str, &str),
    (now, until): (Timestamp, Timestamp),
) -> sqlx::Result<bool> {
    let implausible = now.saturating_add(IMPLAUSIBLE).unwrap_or(now);
    let rows = sql!(c, execute TAKE, name, holder, At::from(now), At::from(until), At::from(implausible))?;
    Ok(rows == 1)
}

/// Gives a lease back, unless another process has it by now.
///
/// # Errors
/// The engine failed.
pub async fn give_back(c: &mut impl Conn, (name, holder): (&str, &str)) -> sqlx::Result<()> {
    sql!(c, execute GIVE_BACK, name, holder).map(drop)
}

/// Who holds a lease, or held it last without giving it back.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, name: &str) -> sqlx::Result<Option<Lease>> {
    sql!(c, optional Lease: FIND, name)
}

/// Forgets every lease: for a process that knows to be alone.
///
/// # Errors
/// The engine failed.
pub async fn clear(tx: &mut Tx) -> sqlx::Result<()> {
    sql!(tx, execute CLEAR).map(drop)
}
