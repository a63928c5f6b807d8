//! Digests of passwords that came with people from elsewhere, until they open their account by the link (R212).

use jiff::Timestamp;

use super::{At, Conn, Tx};

/// Times that one is compared with what was typed; afterwards another password is chosen.
const MOST_TRIES: i64 = 5;

/// One that may be compared: a kill switch of an organization of its person's is a reason to choose another (R033).
macro_rules! open {
    () => {
        "imported_passwords.person_id = $1 AND tries < $2
           AND NOT EXISTS (SELECT 1 FROM memberships m JOIN organizations o ON o.id = m.organization_id
                           WHERE m.person_id = imported_passwords.person_id AND o.renewal_at >= imported_passwords.imported_at)"
    };
}

statements! {
    ADD = "INSERT INTO imported_passwords (person_id, phc, changed_at, imported_at, tries)
           SELECT p.id, $2, $3, $4, 0 FROM people p WHERE p.id = $1 AND p.status = 'pending'
           ON CONFLICT (person_id) DO NOTHING";
    FIND = (concat!("SELECT changed_at FROM imported_passwords WHERE ", open!()));
    TRY = (concat!("UPDATE imported_passwords SET tries = tries + 1 WHERE ", open!(), " RETURNING phc, changed_at"));
    FORGET = "DELETE FROM imported_passwords WHERE person_id = $1";
    PURGE = "DELETE FROM imported_passwords WHERE imported_at < $1";
}

/// Keeps a digest of the password that somebody has elsewhere whose account waits.
///
/// # Errors
/// The engine failed.
pub async fn add(
    tx: &mut Tx,
    person: &str,
    (phc, changed_at): (&str, Timestamp),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute ADD, person, phc, At::from(changed_at), At::from(now)).map(drop)
}

/// When the password of `person` was chosen elsewhere, if there is one to compare with.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, person: &str) -> sqlx::Result<Option<At>> {
    Ok(sql!(c, optional (At,): FIND, person, MOST_TRIES)?.map(|(at,)| at))
}

/// Counts one more look at the digest, then gives it and when its password was chosen; none when there were too many.
///
/// # Errors
/// The engine failed.
pub async fn look(tx: &mut Tx, person: &str) -> sqlx::Result<Option<(String, At)>> {
    sql!(tx, optional (String, At): TRY, person, MOST_TRIES)
}

/// Forgets it.
///
/// # Errors
/// The engine failed.
pub async fn forget(tx: &mut Tx, person: &str) -> sqlx::Result<()> {
    sql!(tx, execute FORGET, person).map(drop)
}

/// Forgets those that came before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
