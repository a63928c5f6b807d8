//! Groups of members with a size limit (R016).

use jiff::Timestamp;

use super::{At, Conn, Tx};

/// The columns of [`Group`].
macro_rules! groups {
    () => {
        "SELECT g.id, g.organization_id, g.name, g.size_limit, g.starts_from, g.version, g.created_at,
                (SELECT COUNT(*) FROM group_members m WHERE m.group_id = g.id) AS size
         FROM member_groups g "
    };
}

statements! {
    INSERT = "INSERT INTO member_groups (id, organization_id, name, size_limit, starts_from, version, created_by, created_at, updated_at)
              VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $7)";
    FIND = (concat!(groups!(), "WHERE g.organization_id = $1 AND g.id = $2"));
    LIST = (concat!(groups!(), "WHERE g.organization_id = $1 AND (g.created_at < $2 OR (g.created_at = $2 AND g.id < $3))
                                ORDER BY g.created_at DESC, g.id DESC LIMIT $4"));
    UPDATE = "UPDATE member_groups SET name = $4, size_limit = $5, starts_from = $6, updated_at = $7, version = version + 1
              WHERE organization_id = $1 AND id = $2 AND version = $3";
    LOCK = "UPDATE member_groups SET updated_at = updated_at WHERE id = $1";
    DELETE = "DELETE FROM member_groups WHERE organization_id = $1 AND id = $2";
    ADD = "INSERT INTO group_members (group_id, person_id, organization_id, added_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (group_id, person_id) DO NOTHING";
    LEAVE = "DELETE FROM group_members WHERE group_id = $1 AND person_id = $2";
    HAS = "SELECT EXISTS (SELECT 1 FROM group_members WHERE group_id = $1 AND person_id = $2)";
    MEMBERS = "SELECT p.id, p.login, p.given_name, p.family_name, p.operator, p.privacy, m.added_at
               FROM group_members m JOIN people p ON p.id = m.person_id
               WHERE m.group_id = $1 AND (m.added_at > $2 OR (m.added_at = $2 AND m.person_id > $3))
               ORDER BY m.added_at, m.person_id LIMIT $4";
    NAMES_OF = "SELECT g.name FROM group_members m JOIN member_groups g ON g.id = m.group_id
                WHERE m.person_id = $1 AND m.organization_id = $2 ORDER BY g.name LIMIT 100";
}

/// A group.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Group {
    /// `grp_…`.
    pub id: String,
    /// Whose.
    pub organization_id: String,
    /// Unique in the organization.
    pub name: String,
    /// Members at the most.
    pub size_limit: i64,
    /// Members with whom it may begin.
    pub starts_from: i64,
    /// For `ETag`.
    pub version: i64,
    /// Since when.
    pub created_at: At,
    /// Members now.
    pub size: i64,
}

/// What a group is written from.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// See [`Group::name`].
    pub name: &'a str,
    /// See [`Group::size_limit`].
    pub size_limit: u32,
    /// See [`Group::starts_from`].
    pub starts_from: u32,
}

/// Adds a group.
///
/// # Errors
/// A unique violation when the organization has one of the name; the engine failed.
pub async fn insert(
    tx: &mut Tx,
    (id, organization, by): (&str, &str, &str),
    new: Written<'_>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let (limit, from) = (i64::from(new.size_limit), i64::from(new.starts_from));
    sql!(tx, execute INSERT, id, organization, new.name, limit, from, by, At::from(now)).map(drop)
}

/// The group `id` of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<Group>> {
    // No id has a NUL, and PostgreSQL refuses to be asked for one.
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Group: FIND, organization, id)
}

/// The groups of `organization`, newest first, from before the instant (milliseconds since 1970) and id of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    organization: &str,
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Group>> {
    sql!(c, all Group: LIST, organization, at, id, i64::from(limit))
}

/// Changes a group that is still at `version`; false when somebody was faster.
///
/// # Errors
/// A unique violation when the organization has another of the name; the engine failed.
pub async fn update(
    tx: &mut Tx,
    (organization, id, version): (&str, &str, i64),
    new: Written<'_>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let (limit, from) = (i64::from(new.size_limit), i64::from(new.starts_from));
    let rows = sql!(tx, execute UPDATE, organization, id, version, new.name, limit, from, At::from(now))?;
    Ok(rows == 1)
}

/// Keeps others from adding to a group until the transaction ends.
///
/// # Errors
/// The engine failed.
pub async fn lock(tx: &mut Tx, id: &str) -> sqlx::Result<()> {
    // No id has a NUL, and PostgreSQL refuses to be asked for one.
    if id.contains('\0') {
        return Ok(());
    }
    sql!(tx, execute LOCK, id).map(drop)
}

/// Removes a group; false when there is none.
///
/// # Errors
/// The engine failed.
pub async fn delete(tx: &mut Tx, organization: &str, id: &str) -> sqlx::Result<bool> {
    sql!(tx, execute DELETE, organization, id).map(|rows| rows == 1)
}

/// Adds a member of the organization to a group that is held.
///
/// # Errors
/// The engine failed.
pub async fn add(tx: &mut Tx, group: &Group, person: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute ADD, &group.id, person, &group.organization_id, At::from(now)).map(drop)
}

/// Takes somebody out of a group; false when they were not in it.
///
/// # Errors
/// The engine failed.
pub async fn leave(tx: &mut Tx, group: &str, person: &str) -> sqlx::Result<bool> {
    if person.contains('\0') {
        return Ok(false);
    }
    sql!(tx, execute LEAVE, group, person).map(|rows| rows == 1)
}

/// Whether somebody is in a group.
///
/// # Errors
/// The engine failed.
pub async fn has(c: &mut impl Conn, group: &str, person: &str) -> sqlx::Result<bool> {
    sql!(c, one (bool,): HAS, group, person).map(|(has,)| has)
}

/// Somebody in a group.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct GroupMember {
    /// `usr_…`.
    pub id: String,
    /// Folded login.
    pub login: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Staff of the operator.
    pub operator: bool,
    /// Data protection officer of the operator.
    pub privacy: bool,
    /// Since when.
    pub added_at: At,
}

/// Who is in a group, the longest first, after the instant and person of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn members(
    c: &mut impl Conn,
    group: &str,
    (at, person, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<GroupMember>> {
    sql!(c, all GroupMember: MEMBERS, group, at, person, i64::from(limit))
}

/// The names of the groups somebody is in, in an organization, sorted, at most 100.
///
/// # Errors
/// The engine failed.
pub async fn names_of(c: &mut impl Conn, (person, organization): (&str, &str)) -> sqlx::Result<Vec<String>> {
    let rows = sql!(c, all (String,): NAMES_OF, person, organization)?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}
