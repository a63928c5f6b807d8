//! Password digests (Argon2id, PHC strings), one a person at most.

use jiff::Timestamp;

use super::organizations::today;
use super::{At, Conn, Tx};

statements! {
    SET = "INSERT INTO passwords (person_id, phc, changed_at) VALUES ($1, $2, $3)
           ON CONFLICT (person_id) DO UPDATE SET phc = excluded.phc, changed_at = excluded.changed_at, look_at = 0";
    REHASH = "UPDATE passwords SET phc = $3 WHERE person_id = $1 AND phc = $2";
    KEEP = "INSERT INTO password_history (person_id, replaced_at, phc)
            SELECT person_id, $2, phc FROM passwords WHERE person_id = $1
            ON CONFLICT DO NOTHING";
    EARLIER = "SELECT phc FROM password_history WHERE person_id = $1 ORDER BY replaced_at DESC LIMIT $2";
    FORGET_EARLIER = "DELETE FROM password_history
                      WHERE person_id = $1 AND replaced_at NOT IN
                          (SELECT h.replaced_at FROM password_history h WHERE h.person_id = $1 ORDER BY h.replaced_at DESC LIMIT $2)";
    DROP = "DELETE FROM passwords WHERE person_id = $1";
    TO_LOOK_AT = "SELECT w.person_id, w.changed_at, w.look_at, p.status
                  FROM passwords w JOIN people p ON p.id = w.person_id
                  WHERE w.look_at <= $1
                  ORDER BY w.look_at LIMIT $2";
    ROSTER = "SELECT w.person_id, w.changed_at, p.status, p.login, p.given_name, p.family_name
              FROM passwords w JOIN people p ON p.id = w.person_id
              WHERE w.person_id > $1
                AND ($2 = '' OR EXISTS (SELECT 1 FROM memberships m WHERE m.person_id = w.person_id AND m.organization_id = $2
                                              AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $4)))
              ORDER BY w.person_id LIMIT $3";
    SUSPENDED = "SELECT COUNT(*) FROM people p
                 WHERE p.status = 'suspended_password'
                   AND ($1 = '' OR EXISTS (SELECT 1 FROM memberships m WHERE m.person_id = p.id AND m.organization_id = $1
                                              AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $2)))";
    LOOKED_AT = "UPDATE passwords SET look_at = $4 WHERE person_id = $1 AND look_at = $2 AND changed_at = $3";
}

/// Somebody with a password, for the list of those that come of age.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Holder {
    /// Who.
    pub person_id: String,
    /// When they chose it.
    pub changed_at: At,
    /// `people.status`
    pub status: String,
    /// What they sign in with.
    pub login: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
}

/// At most `limit` people with a password, by id from after `after`: those whose membership of `organization` is in force `now`,
/// or with an empty text all.
///
/// # Errors
/// The engine failed.
pub async fn roster(
    c: &mut impl Conn,
    (organization, after): (&str, &str),
    (limit, now): (u32, Timestamp),
) -> sqlx::Result<Vec<Holder>> {
    sql!(c, all Holder: ROSTER, after, organization, i64::from(limit), today(now))
}

/// How many are suspended because their password was not renewed: of `organization`, or with an empty text of all.
///
/// # Errors
/// The engine failed.
pub async fn suspended(c: &mut impl Conn, organization: &str, now: Timestamp) -> sqlx::Result<i64> {
    Ok(sql!(c, one (i64,): SUSPENDED, organization, today(now))?.0)
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

/// How many earlier digests are kept, whatever the policy of the day.
const KEPT: i64 = 24;

/// Sets a password like [`set`], and keeps the digest it replaces.
///
/// # Errors
/// The engine failed.
pub async fn replace(tx: &mut Tx, person: &str, phc: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute KEEP, person, At::from(now))?;
    sql!(tx, execute FORGET_EARLIER, person, KEPT)?;
    set(tx, person, phc, now).await
}

/// Takes the password of `person` away, and keeps its digest; only a one-time link opens the account then.
///
/// # Errors
/// The engine failed.
pub async fn take_away(tx: &mut Tx, person: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute KEEP, person, At::from(now))?;
    sql!(tx, execute DROP, person).map(drop)
}

/// The digests of earlier passwords, the last one first, without the current one.
///
/// # Errors
/// The engine failed.
pub async fn earlier(c: &mut impl Conn, person: &str, limit: u8) -> sqlx::Result<Vec<String>> {
    let rows = sql!(c, all (String,): EARLIER, person, i64::from(limit))?;
    Ok(rows.into_iter().map(|(phc,)| phc).collect())
}

/// A password the job has to look at.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Due {
    /// Whose.
    pub person_id: String,
    /// When it was chosen.
    pub changed_at: At,
    /// When the job was to look.
    pub look_at: At,
    /// Status of the person.
    pub status: String,
}

/// The passwords to look at now, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn to_look_at(c: &mut impl Conn, now: Timestamp, limit: u32) -> sqlx::Result<Vec<Due>> {
    sql!(c, all Due: TO_LOOK_AT, At::from(now), i64::from(limit))
}

/// Takes a password on and says when to look again; false when another run did, or the password changed meanwhile.
///
/// # Errors
/// The engine failed.
pub async fn looked_at(tx: &mut Tx, due: &Due, next: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute LOOKED_AT, &due.person_id, due.look_at, due.changed_at, At::from(next)).map(|rows| rows == 1)
}
