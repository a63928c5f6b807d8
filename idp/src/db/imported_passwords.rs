//! Digests of passwords that came with people from elsewhere, until they open their account by the link (R212).

use jiff::Timestamp;

use super::{At, Conn, Tx};

/// Times that one is compared with what was typed to be kept; afterwards another password is chosen.
const MOST_TRIES: i64 = 5;
/// Times that one is compared at all and found to be another.
const MOST_COMPARED: i64 = 20;

/// One that may be kept: a kill switch of an organization of its person's is a reason to choose another (R033).
macro_rules! open {
    () => {
        "tries < $2
         AND NOT EXISTS (SELECT 1 FROM memberships m JOIN organizations o ON o.id = m.organization_id
                         WHERE m.person_id = imported_passwords.person_id AND o.renewal_at >= imported_passwords.imported_at)"
    };
}

statements! {
    ADD = "INSERT INTO imported_passwords (person_id, phc, changed_at, imported_at, tries)
           SELECT p.id, $2, $3, MIN(m.created_at), 0 FROM people p JOIN memberships m ON m.person_id = p.id
           WHERE p.id = $1 AND p.status = 'pending' GROUP BY p.id
           ON CONFLICT (person_id) DO NOTHING";
    FIND = (concat!("SELECT changed_at, (", open!(), ") FROM imported_passwords WHERE person_id = $1"));
    TRY = (concat!("UPDATE imported_passwords SET tries = tries + 1 WHERE person_id = $1 AND ", open!(), " RETURNING phc, changed_at"));
    COMPARE = "UPDATE imported_passwords SET tries = tries + 1 WHERE person_id = $1 AND tries < $2 RETURNING phc";
    GIVE_BACK = "UPDATE imported_passwords SET tries = tries - 1 WHERE person_id = $1 AND tries > 0";
    OUTLIVE = "INSERT INTO password_history (person_id, replaced_at, phc)
               SELECT person_id, $2, phc FROM imported_passwords WHERE person_id = $1
               ON CONFLICT DO NOTHING";
    FORGET = "DELETE FROM imported_passwords WHERE person_id = $1";
    PURGE = "DELETE FROM imported_passwords WHERE imported_at < $1";
}

/// Keeps a digest of the password that somebody has elsewhere whose account waits, as of when they became a member: a kill switch since
/// is one after it. Nothing is kept of who is no member any more.
///
/// # Errors
/// The engine failed.
pub async fn add(tx: &mut Tx, person: &str, (phc, changed_at): (&str, Timestamp)) -> sqlx::Result<()> {
    sql!(tx, execute ADD, person, phc, At::from(changed_at)).map(drop)
}

/// When the password was chosen elsewhere that came with `person`, and whether it may be kept; none when none came.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, person: &str) -> sqlx::Result<Option<(At, bool)>> {
    sql!(c, optional (At, bool): FIND, person, MOST_TRIES)
}

/// Counts one more look at the digest, then gives it and when its password was chosen; none when it may not be kept.
///
/// # Errors
/// The engine failed.
pub async fn look(tx: &mut Tx, person: &str) -> sqlx::Result<Option<(String, At)>> {
    sql!(tx, optional (String, At): TRY, person, MOST_TRIES)
}

/// Counts one more look, then gives the digest whatever stands against keeping it; none when there were too many: whoever has the link
/// does not guess for ever.
///
/// # Errors
/// The engine failed.
pub async fn compare(tx: &mut Tx, person: &str) -> sqlx::Result<Option<String>> {
    Ok(sql!(tx, optional (String,): COMPARE, person, MOST_COMPARED)?.map(|(phc,)| phc))
}

/// Takes the last look back: what was typed was the password.
///
/// # Errors
/// The engine failed.
pub async fn give_back(tx: &mut Tx, person: &str) -> sqlx::Result<()> {
    sql!(tx, execute GIVE_BACK, person).map(drop)
}

/// Moves it among the earlier passwords of `person`, who has chosen another.
///
/// # Errors
/// The engine failed.
pub async fn outlive(tx: &mut Tx, person: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute OUTLIVE, person, At::from(now))?;
    forget(tx, person).await
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
