//! Which roles an organization's administrators may give in which portal: what the operator granted.

use jiff::Timestamp;

use super::members::Right;
use super::{At, Conn, Tx};

statements! {
    LIST = "SELECT client_id, role FROM portal_grants WHERE organization_id = $1 ORDER BY client_id, role LIMIT 2000";
    ROLES = "SELECT role FROM portal_grants WHERE organization_id = $1 AND client_id = $2 ORDER BY role";
    VERSION = "SELECT version FROM portal_grant_versions WHERE organization_id = $1 AND client_id = $2";
    COUNT_CHANGE = "INSERT INTO portal_grant_versions (organization_id, client_id, version) VALUES ($1, $2, 1)
                    ON CONFLICT (organization_id, client_id) DO UPDATE SET version = portal_grant_versions.version + 1";
    CLEAR = "DELETE FROM portal_grants WHERE organization_id = $1 AND client_id = $2";
    INSERT = "INSERT INTO portal_grants (organization_id, client_id, role, created_at) VALUES ($1, $2, $3, $4)";
    TOUCH_MEMBERS = "UPDATE memberships SET updated_at = $3, version = version + 1 WHERE organization_id = $1 AND person_id IN
                     (SELECT r.person_id FROM rights r WHERE r.organization_id = $1 AND r.client_id = $2
                      AND r.role NOT IN (SELECT g.role FROM portal_grants g WHERE g.organization_id = $1 AND g.client_id = $2))";
    WITHDRAW_RIGHTS = "DELETE FROM rights WHERE organization_id = $1 AND client_id = $2
                       AND role NOT IN (SELECT role FROM portal_grants WHERE organization_id = $1 AND client_id = $2)";
}

/// What is granted to `organization`, at most 2,000 roles.
///
/// # Errors
/// The engine failed.
pub async fn list(c: &mut impl Conn, organization: &str) -> sqlx::Result<Vec<Right>> {
    sql!(c, all Right: LIST, organization)
}

/// The roles granted in one portal, in order.
///
/// # Errors
/// The engine failed.
pub async fn roles(c: &mut impl Conn, organization: &str, client: &str) -> sqlx::Result<Vec<String>> {
    let rows = sql!(c, all (String,): ROLES, organization, client)?;
    Ok(rows.into_iter().map(|(role,)| role).collect())
}

/// The version of the roles granted in one portal, for `ETag`: each that comes or goes counts, in whatever version of the program, and
/// each [`replace`]. None when nothing was ever granted there.
///
/// # Errors
/// The engine failed.
pub async fn version(c: &mut impl Conn, organization: &str, client: &str) -> sqlx::Result<Option<i64>> {
    Ok(sql!(c, optional (i64,): VERSION, organization, client)?.map(|(version,)| version))
}

/// Grants exactly these roles in a portal and takes members' rights beyond them away, whose memberships get a new version; how many were.
///
/// # Errors
/// The engine failed.
pub async fn replace(
    tx: &mut Tx,
    (organization, client): (&str, &str),
    roles: &[String],
    now: Timestamp,
) -> sqlx::Result<u64> {
    sql!(tx, execute COUNT_CHANGE, organization, client)?;
    sql!(tx, execute CLEAR, organization, client)?;
    for role in roles {
        sql!(tx, execute INSERT, organization, client, role, At::from(now))?;
    }
    sql!(tx, execute TOUCH_MEMBERS, organization, client, At::from(now))?;
    sql!(tx, execute WITHDRAW_RIGHTS, organization, client)
}
