//! Members of organizations, one at a time: what the management API reads and changes. Lists are in `members_list`.

use jiff::Timestamp;

use super::{At, Conn, Tx, organizations, search};

statements! {
    IN_FORCE = "SELECT m.organization_id, m.role
                FROM memberships m JOIN organizations o ON o.id = m.organization_id
                WHERE m.person_id = $1 AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $2)
                ORDER BY m.created_at, m.organization_id";
    FIND = "SELECT m.person_id, p.login, p.email, p.email_verified, p.given_name, p.family_name, p.locale, p.status AS account_status,
                   p.operator, p.privacy, m.role, m.status, m.affiliation, m.ends_on, m.mandate, m.created_at, m.updated_at,
                   p.claims, m.version + p.version + o.version AS version,
                   (SELECT COUNT(*) FROM passkeys k WHERE k.person_id = p.id)
                     + (SELECT COUNT(*) FROM totp_devices d WHERE d.person_id = p.id AND d.confirmed_at IS NOT NULL) AS second_factors,
                   p.identity_changed_at
            FROM memberships m JOIN people p ON p.id = m.person_id JOIN organizations o ON o.id = m.organization_id
            WHERE m.organization_id = $1 AND m.person_id = $2";
    RIGHTS = "SELECT client_id, role FROM rights WHERE organization_id = $1 AND person_id = $2 ORDER BY client_id, role";
    RIGHTS_OF_MANY = {
        sqlite "SELECT person_id, client_id, role FROM rights
                WHERE organization_id = $1 AND person_id IN (SELECT value FROM json_each($2)) ORDER BY person_id, client_id, role",
        postgres "SELECT person_id, client_id, role FROM rights
                  WHERE organization_id = $1 AND person_id IN (SELECT jsonb_array_elements_text(CAST(CAST($2 AS TEXT) AS JSONB)))
                  ORDER BY person_id, client_id, role"
    };
    LOCK_ORGANIZATION = "UPDATE organizations SET updated_at = updated_at WHERE id = $1";
    ADMINISTRATORS = "SELECT m.person_id
                      FROM memberships m JOIN people p ON p.id = m.person_id
                      WHERE m.organization_id = $1 AND m.role = 'administrator' AND m.status = 'active'
                        AND (m.ends_on IS NULL OR m.ends_on >= $2) AND p.status IN ('active', 'pending', 'suspended_password')
                      ORDER BY m.created_at, m.person_id LIMIT 200";
    HEADS = "SELECT m.person_id, p.status = 'pending' AS waits
             FROM memberships m JOIN people p ON p.id = m.person_id
             WHERE m.organization_id = $1 AND m.role = 'administrator' AND m.status = 'active'
               AND (m.ends_on IS NULL OR m.ends_on >= $2) AND p.status IN ('active', 'pending', 'suspended_password')
             ORDER BY CASE p.status WHEN 'pending' THEN 1 ELSE 0 END, m.created_at, m.person_id LIMIT 200";
    VACANT = "SELECT NOT EXISTS (SELECT 1 FROM memberships m JOIN people p ON p.id = m.person_id
                                 WHERE m.organization_id = $1 AND m.role = 'administrator' AND p.status <> 'pending')";
    IS_ADMINISTERED = "SELECT EXISTS (SELECT 1 FROM memberships m JOIN people p ON p.id = m.person_id JOIN organizations o ON o.id = m.organization_id
                                      WHERE m.organization_id = $1 AND m.role = 'administrator' AND m.status = 'active'
                                        AND (m.ends_on IS NULL OR m.ends_on >= $2)
                                        AND (p.status IN ('active', 'suspended_password')
                                             OR p.status = 'pending' AND EXISTS (SELECT 1 FROM account_links l
                                                                                 WHERE l.person_id = p.id AND l.purpose = 'activate' AND l.used_at IS NULL
                                                                                   AND l.expires_at > $3 AND l.created_at > o.renewal_at)))";
    UPDATE = "UPDATE memberships SET affiliation = $4, ends_on = $5, mandate = $6, updated_at = $7, version = version + 1
              WHERE organization_id = $1 AND person_id = $2
                AND version + (SELECT p.version FROM people p WHERE p.id = $2) + (SELECT o.version FROM organizations o WHERE o.id = $1) = $3";
    SET_TERMS = "UPDATE memberships SET affiliation = $3, ends_on = $4, mandate = $5, updated_at = $6, version = version + 1
                 WHERE organization_id = $1 AND person_id = $2";
    SET_ROLE = "UPDATE memberships SET role = $4, updated_at = $5, version = version + 1
                WHERE organization_id = $1 AND person_id = $2 AND role = $3";
    SET_STATUS = "UPDATE memberships SET status = $4, updated_at = $5, version = version + 1
                  WHERE organization_id = $1 AND person_id = $2 AND status = $3";
    REMOVE = "DELETE FROM memberships WHERE organization_id = $1 AND person_id = $2";
    COUNT_OF_PERSON = "SELECT COUNT(*) FROM memberships WHERE person_id = $1";
    CLEAR_RIGHTS = "DELETE FROM rights WHERE organization_id = $1 AND person_id = $2 AND client_id = $3";
    TOUCH = "UPDATE memberships SET updated_at = $3, version = version + 1 WHERE organization_id = $1 AND person_id = $2";
    PENDING = "SELECT m.person_id, p.login, p.email, p.given_name, p.family_name, p.operator, p.privacy, m.role, m.created_at,
                      (SELECT MAX(l.expires_at) FROM account_links l
                       WHERE l.person_id = m.person_id AND l.purpose = 'activate' AND l.used_at IS NULL AND l.expires_at > $5
                         AND NOT EXISTS (SELECT 1 FROM organizations o WHERE o.id = m.organization_id AND o.renewal_at >= l.created_at)) AS expires_at
               FROM memberships m JOIN people p ON p.id = m.person_id
               WHERE m.organization_id = $1 AND p.status = 'pending' AND (m.created_at < $2 OR (m.created_at = $2 AND m.person_id < $3))
               ORDER BY m.created_at DESC, m.person_id DESC LIMIT $4";
    USED = "UPDATE memberships SET signed_in_at = $2 WHERE person_id = $1 AND signed_in_at < $2";
    INACTIVE = "SELECT m.person_id, p.login, p.given_name, p.family_name, p.status AS account_status, p.operator, p.privacy, m.role, m.status,
                       m.signed_in_at, m.created_at
                FROM memberships m JOIN people p ON p.id = m.person_id
                WHERE m.organization_id = $1 AND (m.signed_in_at, m.person_id) > ($2, $3) AND m.signed_in_at < $4 AND m.created_at < $4
                ORDER BY m.signed_in_at, m.person_id LIMIT $5";
    AFTER = "SELECT person_id FROM memberships WHERE organization_id = $1 AND person_id > $2 ORDER BY person_id LIMIT $3";
    OPEN_PEOPLE = "SELECT COUNT(*)
                   FROM memberships m JOIN people p ON p.id = m.person_id JOIN organizations o ON o.id = m.organization_id
                        LEFT JOIN passwords w ON w.person_id = p.id
                   WHERE m.organization_id = $1 AND p.status = 'active' AND NOT p.operator AND NOT p.privacy
                     AND (o.renewal_at = 0 OR o.settle_after IS NULL OR COALESCE(w.changed_at, 0) > o.renewal_at)";
    OPEN_INVITATIONS = "SELECT COUNT(*)
                        FROM memberships m JOIN people p ON p.id = m.person_id JOIN organizations o ON o.id = m.organization_id
                        WHERE m.organization_id = $1 AND p.status = 'pending' AND NOT p.operator AND NOT p.privacy
                          AND EXISTS (SELECT 1 FROM account_links l
                                      WHERE l.person_id = m.person_id AND l.purpose = 'activate' AND l.used_at IS NULL AND l.expires_at > $2
                                        AND l.created_at > o.renewal_at)";
    OPEN_SESSIONS = "SELECT COUNT(*)
                     FROM memberships m JOIN people p ON p.id = m.person_id JOIN organizations o ON o.id = m.organization_id
                          JOIN sessions s ON s.person_id = m.person_id
                     WHERE m.organization_id = $1 AND NOT p.operator AND NOT p.privacy
                       AND s.ended_at IS NULL AND s.expires_at > $2 AND s.created_at > o.renewal_at";
    OPEN_GRANTS = "SELECT COUNT(*)
                   FROM memberships m JOIN people p ON p.id = m.person_id JOIN organizations o ON o.id = m.organization_id
                        JOIN grants g ON g.person_id = m.person_id
                   WHERE m.organization_id = $1
                     AND (g.organization_id = m.organization_id AND g.created_at > o.access_ended_at OR NOT p.operator AND NOT p.privacy)
                     AND g.revoked_at IS NULL AND g.expires_at > $2 AND g.created_at > o.renewal_at";
    SET_LOCALE_AND_NAMES = "UPDATE people SET given_name = $2, family_name = $3, locale = $4, updated_at = $5, version = version + 1 WHERE id = $1";
    TO_LOOK_AT = "SELECT m.person_id, m.organization_id, m.organization_id || '/' || m.person_id AS place, o.name AS organization, p.given_name, p.family_name,
                         m.role, m.status, m.ends_on, m.look_at, m.created_at, m.updated_at
                  FROM memberships m JOIN people p ON p.id = m.person_id JOIN organizations o ON o.id = m.organization_id
                  WHERE m.ends_on IS NOT NULL AND m.look_at IS NOT NULL AND m.look_at <= $1
                    AND (m.look_at, (m.organization_id || '/' || m.person_id)) > ($2, $3)
                  ORDER BY m.look_at, (m.organization_id || '/' || m.person_id) LIMIT $4";
    LOOKED_AT = "UPDATE memberships SET look_at = $5 WHERE organization_id = $1 AND person_id = $2 AND look_at = $3 AND ends_on = $4";
    WAITING_TO_END = "SELECT COUNT(*), MIN(look_at) FROM memberships WHERE ends_on IS NOT NULL AND look_at IS NOT NULL";
    LOOK_AT_PASSWORD = "UPDATE passwords SET look_at = CASE WHEN look_at > 0 THEN 0 ELSE look_at - 1 END WHERE person_id = $1";
    IN_FORCE_ELSEWHERE = "SELECT COUNT(*) FROM memberships
                          WHERE person_id = $1 AND organization_id <> $2 AND status = 'active' AND (ends_on IS NULL OR ends_on >= $3)";
}

/// An organization a person belongs to today, whatever its own status.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct InForce {
    /// `org_…`.
    pub organization_id: String,
    /// `administrator` or `member`.
    pub role: String,
}

/// A member, with what of the account concerns the organization.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Member {
    /// `usr_…`.
    pub person_id: String,
    /// Folded login.
    pub login: String,
    /// Mail address.
    pub email: Option<String>,
    /// Whether the address was proven.
    pub email_verified: bool,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// `fr` or `en`.
    pub locale: String,
    /// `pending`, `active`, `suspended`, `suspended_password` or `closed`.
    pub account_status: String,
    /// Staff of the operator.
    pub operator: bool,
    /// Data protection officer of the operator.
    pub privacy: bool,
    /// `administrator` or `member`.
    pub role: String,
    /// `active` or `suspended`.
    pub status: String,
    /// `employee` or `external` (R056).
    pub affiliation: String,
    /// Last civil day in Paris, ISO 8601.
    pub ends_on: Option<String>,
    /// `legal_representative`, `delegation` or `invitation` (R011).
    pub mandate: Option<String>,
    /// For `ETag`: the sum of the versions of membership, person and organization. Each only grows, and a membership that ends leaves its
    /// own to the person, so two sums are equal only when nothing changed of what is told of a member.
    pub version: i64,
    /// Since when.
    pub created_at: At,
    /// Last change; 0 when never.
    pub updated_at: At,
    /// See [`super::people::Person::claims`].
    pub claims: String,
    /// Passkeys and confirmed authenticator apps.
    pub second_factors: i64,
    /// See [`super::people::Person::identity_changed_at`].
    pub identity_changed_at: Option<At>,
}

/// A right in a portal.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Right {
    /// `client_id` of the portal.
    pub client_id: String,
    /// What it is called there.
    pub role: String,
}

/// What is changed of a membership.
#[derive(Debug)]
pub struct Terms<'a> {
    /// `employee` or `external`.
    pub affiliation: &'a str,
    /// Last civil day, ISO 8601.
    pub ends_on: Option<&'a str>,
    /// See [`Member::mandate`].
    pub mandate: Option<&'a str>,
}

/// The memberships of `person` that count on the civil day `today` (ISO 8601, Paris), the oldest first.
///
/// # Errors
/// The engine failed.
pub async fn in_force(c: &mut impl Conn, person: &str, today: &str) -> sqlx::Result<Vec<InForce>> {
    sql!(c, all InForce: IN_FORCE, person, today)
}

/// The member `person` of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, person: &str) -> sqlx::Result<Option<Member>> {
    // No id has a NUL, and PostgreSQL refuses to be asked for one.
    if person.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Member: FIND, organization, person)
}

/// Somebody invited whose account is not open yet.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Pending {
    /// `usr_…`.
    pub person_id: String,
    /// Folded login.
    pub login: String,
    /// Mail address.
    pub email: Option<String>,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// `administrator` or `member`.
    pub role: String,
    /// Staff of the operator.
    pub operator: bool,
    /// Data protection officer of the operator.
    pub privacy: bool,
    /// Since when.
    pub created_at: At,
    /// End of the link; none when no link works.
    pub expires_at: Option<At>,
}

/// The invitations that wait, newest first, from before the instant (milliseconds since 1970) and person of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn pending(
    c: &mut impl Conn,
    organization: &str,
    (at, person, limit): (i64, &str, u32),
    now: Timestamp,
) -> sqlx::Result<Vec<Pending>> {
    sql!(c, all Pending: PENDING, organization, at, person, i64::from(limit), At::from(now))
}

/// What a member may do in portals, in order.
///
/// # Errors
/// The engine failed.
pub async fn rights(c: &mut impl Conn, organization: &str, person: &str) -> sqlx::Result<Vec<Right>> {
    sql!(c, all Right: RIGHTS, organization, person)
}

/// What members may do in portals, in order: person, client and role.
///
/// # Errors
/// The engine failed.
pub async fn rights_of_many(
    c: &mut impl Conn,
    organization: &str,
    people: &[&str],
) -> sqlx::Result<Vec<(String, String, String)>> {
    let people = serde_json::to_string(people).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sql!(c, all (String, String, String): RIGHTS_OF_MANY, organization, people)
}

/// Keeps others from changing who administers `organization` until the transaction ends.
///
/// # Errors
/// The engine failed.
pub async fn lock(tx: &mut Tx, organization: &str) -> sqlx::Result<()> {
    sql!(tx, execute LOCK_ORGANIZATION, organization).map(drop)
}

/// Holds every organization of `person`, as [`lock`] does: before the person, as whoever ends or closes an organization goes.
///
/// # Errors
/// The engine failed.
pub async fn lock_all(tx: &mut Tx, person: &str) -> sqlx::Result<()> {
    let mut ids: Vec<_> = organizations::all_of_person(tx, person).await?.into_iter().map(|one| one.id).collect();
    ids.sort_unstable();
    for id in ids {
        lock(tx, &id).await?;
    }
    Ok(())
}

/// Who administers `organization` on the civil day `today` (ISO 8601, Paris) and can sign in or will: at most 200.
///
/// # Errors
/// The engine failed.
pub async fn administrators(c: &mut impl Conn, organization: &str, today: &str) -> sqlx::Result<Vec<String>> {
    let rows = sql!(c, all (String,): ADMINISTRATORS, organization, today)?;
    Ok(rows.into_iter().map(|(person,)| person).collect())
}

/// Whether somebody administers `organization` on the civil day `today` (ISO 8601, Paris): can sign in, or was invited by a link that works
/// at `now`.
///
/// # Errors
/// The engine failed.
pub async fn is_administered(
    c: &mut impl Conn,
    (organization, today): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(c, one (bool,): IS_ADMINISTERED, organization, today, At::from(now)).map(|(is,)| is)
}

/// Somebody who administers an organization, or will.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Head {
    /// `usr_…`.
    pub person_id: String,
    /// Whether they were invited and have not come yet.
    pub waits: bool,
}

/// The same people as [`administrators`], first those who can sign in, then those who will: at most 200.
///
/// # Errors
/// The engine failed.
pub async fn heads(c: &mut impl Conn, organization: &str, today: &str) -> sqlx::Result<Vec<Head>> {
    sql!(c, all Head: HEADS, organization, today)
}

/// Whether `organization` has no administrator who has opened their account, suspended or past their last day as they may be.
///
/// # Errors
/// The engine failed.
pub async fn is_vacant(c: &mut impl Conn, organization: &str) -> sqlx::Result<bool> {
    Ok(sql!(c, one (bool,): VACANT, organization)?.0)
}

/// Changes the terms of a membership that is still at `version`; false when somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn update(
    tx: &mut Tx,
    (organization, person, version): (&str, &str, i64),
    terms: &Terms<'_>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let rows = sql!(tx, execute UPDATE, organization, person, version, terms.affiliation, terms.ends_on, terms.mandate, At::from(now))?;
    Ok(rows == 1)
}

/// Sets the terms of a membership that this transaction made.
///
/// # Errors
/// The engine failed.
pub async fn set_terms(
    tx: &mut Tx,
    (organization, person): (&str, &str),
    terms: &Terms<'_>,
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute SET_TERMS, organization, person, terms.affiliation, terms.ends_on, terms.mandate, At::from(now))
        .map(drop)
}

/// Changes the role of a member from one to another; false when it was not the first.
///
/// # Errors
/// The engine failed.
pub async fn set_role(
    tx: &mut Tx,
    (organization, person): (&str, &str),
    (from, to): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute SET_ROLE, organization, person, from, to, At::from(now)).map(|rows| rows == 1)
}

/// Changes the status of a membership from one to another; false when it was not the first.
///
/// # Errors
/// The engine failed.
pub async fn set_status(
    tx: &mut Tx,
    (organization, person): (&str, &str),
    (from, to): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute SET_STATUS, organization, person, from, to, At::from(now)).map(|rows| rows == 1)
}

/// Ends a membership with its rights; false when there was none.
///
/// # Errors
/// The engine failed.
pub async fn remove(tx: &mut Tx, organization: &str, person: &str) -> sqlx::Result<bool> {
    sql!(tx, execute REMOVE, organization, person).map(|rows| rows == 1)
}

/// To how many organizations `person` belongs.
///
/// # Errors
/// The engine failed.
pub async fn count_of_person(c: &mut impl Conn, person: &str) -> sqlx::Result<i64> {
    sql!(c, one (i64,): COUNT_OF_PERSON, person).map(|(count,)| count)
}

/// Takes a member's rights in a portal away, and gives a new version to the membership.
///
/// # Errors
/// The engine failed.
pub async fn clear_rights(
    tx: &mut Tx,
    (organization, person): (&str, &str),
    client: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute CLEAR_RIGHTS, organization, person, client)?;
    sql!(tx, execute TOUCH, organization, person, At::from(now)).map(drop)
}

/// A member who has not signed in for long.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Inactive {
    /// `usr_…`.
    pub person_id: String,
    /// Folded login.
    pub login: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Of the account.
    pub account_status: String,
    /// Staff of the operator.
    pub operator: bool,
    /// Data protection officer of the operator.
    pub privacy: bool,
    /// `administrator` or `member`.
    pub role: String,
    /// Of the membership.
    pub status: String,
    /// 1970 for never.
    pub signed_in_at: At,
    /// Member since when.
    pub created_at: At,
}

/// Notes that a person signed in.
///
/// # Errors
/// The engine failed.
pub async fn used(tx: &mut Tx, person: &str, at: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute USED, person, At::from(at)).map(drop)
}

/// The members of `organization` since before `before` who have not signed in since, the longest first, after the instant
/// (milliseconds since 1970) and person of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn inactive(
    c: &mut impl Conn,
    organization: &str,
    (at, person, limit): (i64, &str, u32),
    before: Timestamp,
) -> sqlx::Result<Vec<Inactive>> {
    sql!(c, all Inactive: INACTIVE, organization, at, person, At::from(before), i64::from(limit))
}

/// Corrects the names of a person, and the language they are written to in.
///
/// # Errors
/// The engine failed.
pub async fn set_names(
    tx: &mut Tx,
    person: &str,
    (given, family, locale): (&str, &str, &str),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute SET_LOCALE_AND_NAMES, person, given, family, locale, At::from(now))?;
    search::index(tx, person, now).await
}

/// The people of `organization` by id, from after `after`, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn after(
    c: &mut impl Conn,
    organization: &str,
    (after, limit): (&str, u32),
) -> sqlx::Result<Vec<String>> {
    let rows = sql!(c, all (String,): AFTER, organization, after, i64::from(limit))?;
    Ok(rows.into_iter().map(|(person,)| person).collect())
}

/// How much of an organization a kill switch would close now: people, sessions, grants.
///
/// # Errors
/// The engine failed.
pub async fn open(c: &mut impl Conn, organization: &str, now: Timestamp) -> sqlx::Result<(i64, i64, i64)> {
    let (people,) = sql!(c, one (i64,): OPEN_PEOPLE, organization)?;
    let (sessions,) = sql!(c, one (i64,): OPEN_SESSIONS, organization, At::from(now))?;
    let (grants,) = sql!(c, one (i64,): OPEN_GRANTS, organization, At::from(now))?;
    Ok((people, sessions, grants))
}

/// How many people of an organization have a link by which they could open their account now.
///
/// # Errors
/// The engine failed.
pub async fn open_invitations(c: &mut impl Conn, organization: &str, now: Timestamp) -> sqlx::Result<i64> {
    sql!(c, one (i64,): OPEN_INVITATIONS, organization, At::from(now)).map(|(count,)| count)
}

/// A membership with a last day.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Ending {
    /// `usr_…`.
    pub person_id: String,
    /// `org_…`.
    pub organization_id: String,
    /// Both: its place among others of the same look.
    pub place: String,
    /// The organization's name.
    pub organization: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// `administrator` or `member`.
    pub role: String,
    /// `active` or `suspended`.
    pub status: String,
    /// Last civil day in Paris, ISO 8601.
    pub ends_on: String,
    /// When it was to be looked at.
    pub look_at: At,
    /// Since when.
    pub created_at: At,
    /// Last change; 0 when never.
    pub updated_at: At,
}

/// Memberships with a last day whose look lies at `until` or before, from behind a place, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn to_look_at(
    c: &mut impl Conn,
    until: Timestamp,
    (at, place): (At, &str),
    limit: u32,
) -> sqlx::Result<Vec<Ending>> {
    sql!(c, all Ending: TO_LOOK_AT, At::from(until), at, place, i64::from(limit))
}

/// Sets when to look next at a membership; false when another run did, or its last day changed meanwhile.
///
/// # Errors
/// The engine failed.
pub async fn looked_at(tx: &mut Tx, member: &Ending, next: Option<Timestamp>) -> sqlx::Result<bool> {
    let (organization, person) = (&member.organization_id, &member.person_id);
    let next = next.map(At::from);
    let rows = sql!(tx, execute LOOKED_AT, organization, person, member.look_at, &member.ends_on, next)?;
    Ok(rows == 1)
}

/// How many memberships with a last day will be looked at again, and when the first.
///
/// # Errors
/// The engine failed.
pub async fn waiting_to_end(c: &mut impl Conn) -> sqlx::Result<(i64, Option<At>)> {
    sql!(c, one (i64, Option<At>): WAITING_TO_END)
}

/// Has the password of `person` looked at again: the rules of an organization are theirs no longer.
///
/// # Errors
/// The engine failed.
pub async fn look_at_password(tx: &mut Tx, person: &str) -> sqlx::Result<()> {
    sql!(tx, execute LOOK_AT_PASSWORD, person).map(drop)
}

/// How many memberships of `person` in other organizations are in force on the civil day `today`.
///
/// # Errors
/// The engine failed.
pub async fn in_force_elsewhere(
    c: &mut impl Conn,
    (person, organization): (&str, &str),
    today: &str,
) -> sqlx::Result<i64> {
    sql!(c, one (i64,): IN_FORCE_ELSEWHERE, person, organization, today).map(|(count,)| count)
}
