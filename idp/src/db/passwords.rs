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
                  WHERE w.look_at <= $1 AND (w.look_at, w.person_id) > ($2, $3)
                  ORDER BY w.look_at, w.person_id LIMIT $4";
    ALL_FROM = "SELECT w.person_id, w.changed_at, w.look_at, p.status
                FROM passwords w JOIN people p ON p.id = w.person_id
                WHERE w.person_id > $1 AND p.id > $1
                ORDER BY w.person_id LIMIT $2";
    PLAN = {
        sqlite "UPDATE passwords SET look_at = v.next
                FROM (SELECT value ->> 0 AS person_id, value ->> 1 AS look_at, value ->> 2 AS changed_at, value ->> 3 AS next FROM json_each($1)) v
                WHERE passwords.person_id = v.person_id AND passwords.look_at = v.look_at AND passwords.changed_at = v.changed_at",
        postgres "UPDATE passwords SET look_at = v.next
                  FROM (SELECT value ->> 0 AS person_id, CAST(value ->> 1 AS BIGINT) AS look_at, CAST(value ->> 2 AS BIGINT) AS changed_at,
                               CAST(value ->> 3 AS BIGINT) AS next
                        FROM jsonb_array_elements(CAST(CAST($1 AS TEXT) AS JSONB))) v
                  WHERE passwords.person_id = v.person_id AND passwords.look_at = v.look_at AND passwords.changed_at = v.changed_at"
    };
    WAITING = "SELECT COUNT(*), MIN(look_at) FROM passwords WHERE look_at < $1";
    TO_REPLAN = "SELECT id, replan_from FROM organizations WHERE replan_from IS NOT NULL ORDER BY id LIMIT 1";
    LAST_OF_BATCH = "SELECT MAX(b.person_id), COUNT(*) FROM
                     (SELECT person_id FROM memberships WHERE organization_id = $1 AND person_id > $2 ORDER BY person_id LIMIT $3) b";
    LOOK_AGAIN = "UPDATE passwords SET look_at = CASE WHEN look_at > 0 THEN 0 ELSE look_at - 1 END
                  WHERE person_id IN (SELECT person_id FROM memberships WHERE organization_id = $1 AND person_id > $2 AND person_id <= $3)";
    REPLANNED = "UPDATE organizations SET replan_from = $3 WHERE id = $1 AND replan_from = $2";
    ROSTER = "SELECT w.person_id, w.changed_at, p.status, p.login, p.given_name, p.family_name, p.operator, p.privacy, CAST(0 AS BIGINT) AS joined_at
              FROM passwords w JOIN people p ON p.id = w.person_id
              WHERE w.person_id > $1 AND p.id > $1
              ORDER BY w.person_id LIMIT $2";
    ROSTER_OF = "SELECT w.person_id, w.changed_at, p.status, p.login, p.given_name, p.family_name, p.operator, p.privacy, m.created_at AS joined_at
                 FROM memberships m JOIN passwords w ON w.person_id = m.person_id JOIN people p ON p.id = m.person_id
                 WHERE m.organization_id = $1 AND (m.created_at, m.person_id) > ($2, $3)
                   AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $4)
                 ORDER BY m.created_at, m.person_id LIMIT $5";
    RENEWED_SINCE = "SELECT COUNT(*) FROM passwords w
                     WHERE w.changed_at >= $1
                       AND EXISTS (SELECT 1 FROM password_history h WHERE h.person_id = w.person_id AND h.replaced_at >= $1)";
    SUSPENDED = "SELECT COUNT(*) FROM people p
                 WHERE p.status = 'suspended_password'
                   AND ($1 = '' OR EXISTS (SELECT 1 FROM memberships m WHERE m.person_id = p.id AND m.organization_id = $1
                                              AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $2)))";
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
    /// Staff of the operator.
    pub operator: bool,
    /// Data protection officer of the operator.
    pub privacy: bool,
    /// Since when a member of the organization that was asked for; 0 when none was.
    pub joined_at: At,
}

/// At most `limit` people with a password, from after a place: those whose membership of `organization` is in force `now`, the oldest
/// membership first; with an empty text all, by id.
///
/// # Errors
/// The engine failed.
pub async fn roster(
    c: &mut impl Conn,
    (organization, after): (&str, (i64, &str)),
    (limit, now): (u32, Timestamp),
) -> sqlx::Result<Vec<Holder>> {
    let (joined_at, person) = after;
    if organization.is_empty() {
        return sql!(c, all Holder: ROSTER, person, i64::from(limit));
    }
    sql!(c, all Holder: ROSTER_OF, organization, joined_at, person, today(now), i64::from(limit))
}

/// How many have chosen another password in the place of an earlier one from `since` on.
///
/// # Errors
/// The engine failed.
pub async fn renewed_since(c: &mut impl Conn, since: Timestamp) -> sqlx::Result<i64> {
    Ok(sql!(c, one (i64,): RENEWED_SINCE, At::from(since))?.0)
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

/// Takes the password of `person` away, and keeps its digest; only a one-time link opens the account then. False when there was
/// none.
///
/// # Errors
/// The engine failed.
pub async fn take_away(tx: &mut Tx, person: &str, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute KEEP, person, At::from(now))?;
    sql!(tx, execute DROP, person).map(|rows| rows == 1)
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

/// The passwords whose look lies at `until` or before, by look and person from behind a place, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn to_look_at(
    c: &mut impl Conn,
    until: Timestamp,
    (at, person): (At, &str),
    limit: u32,
) -> sqlx::Result<Vec<Due>> {
    sql!(c, all Due: TO_LOOK_AT, At::from(until), at, person, i64::from(limit))
}

/// Every password, by person from behind `after`, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn all_from(c: &mut impl Conn, after: &str, limit: u32) -> sqlx::Result<Vec<Due>> {
    sql!(c, all Due: ALL_FROM, after, i64::from(limit))
}

/// Says when to look next at each of these passwords, unless another run did, or it changed meanwhile; says at how many.
///
/// # Errors
/// The engine failed.
pub async fn plan(tx: &mut Tx, looks: &[(&Due, Option<Timestamp>)]) -> sqlx::Result<usize> {
    let values: Vec<_> = looks
        .iter()
        .map(|(due, next)| {
            let next = At::from(next.unwrap_or(Timestamp::MAX)).milliseconds();
            (&due.person_id, due.look_at.milliseconds(), due.changed_at.milliseconds(), next)
        })
        .collect();
    let values = serde_json::to_string(&values).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let rows = sql!(tx, execute PLAN, values)?;
    Ok(usize::try_from(rows).unwrap_or(usize::MAX))
}

/// How many passwords will be looked at again, and when the first.
///
/// # Errors
/// The engine failed.
pub async fn waiting(c: &mut impl Conn) -> sqlx::Result<(i64, Option<At>)> {
    sql!(c, one (i64, Option<At>): WAITING, At::from(Timestamp::MAX))
}

/// An organization whose rule changed, and behind which person its people are to be looked at again.
///
/// # Errors
/// The engine failed.
pub async fn to_replan(c: &mut impl Conn) -> sqlx::Result<Option<(String, String)>> {
    sql!(c, optional (String, String): TO_REPLAN)
}

/// Has the passwords of the next `limit` people of an organization looked at again, from behind a person.
///
/// # Errors
/// The engine failed.
pub async fn replan(tx: &mut Tx, (organization, from): (&str, &str), limit: u32) -> sqlx::Result<()> {
    let (last, count) = sql!(tx, one (Option<String>, i64): LAST_OF_BATCH, organization, from, i64::from(limit))?;
    // Whoever joins behind the last of a last batch is looked at anyway.
    let to = last.as_deref().filter(|_| count == i64::from(limit));
    if sql!(tx, execute REPLANNED, organization, from, to)? == 1
        && let Some(last) = &last
    {
        sql!(tx, execute LOOK_AGAIN, organization, from, last)?;
    }
    Ok(())
}
