//! The removal of an organization's data a year after its last order, and the certificate of it (R156).

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    START = "INSERT INTO purges (id, organization_id, last_day, started_at, memberships, accounts) VALUES ($1, $2, $3, $4, 0, 0)";
    FIND = "SELECT id, organization_id, last_day, started_at, finished_at, memberships, accounts, certificate, sha256 FROM purges WHERE id = $1";
    LIST = "SELECT id, organization_id, last_day, started_at, finished_at, memberships, accounts, certificate, sha256 FROM purges
            WHERE organization_id = $1 ORDER BY started_at DESC, id DESC LIMIT 100";
    COUNT = "UPDATE purges SET memberships = memberships + $2, accounts = accounts + $3 WHERE id = $1 AND finished_at IS NULL";
    FINISH = "UPDATE purges SET finished_at = $2, certificate = $3, sha256 = $4 WHERE id = $1 AND finished_at IS NULL";
    DROP_CONTACTS = "DELETE FROM organization_contacts WHERE organization_id = $1";
    DROP_ENROLMENTS = "DELETE FROM enrolments WHERE organization_id = $1";
    DROP_MOMENTS = "DELETE FROM contract_moments WHERE organization_id = $1";
    DROP_OFFERS = "DELETE FROM membership_offers WHERE organization_id = $1";
    HOLDERS = "SELECT DISTINCT person_id FROM seats WHERE organization_id = $1 ORDER BY person_id LIMIT $2";
}

/// A removal.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Purge {
    /// `pur_…`.
    pub id: String,
    /// Whose.
    pub organization_id: String,
    /// The last day of the last order, Paris.
    pub last_day: String,
    /// When it began.
    pub started_at: At,
    /// When it was done.
    pub finished_at: Option<At>,
    /// Memberships that ended.
    pub memberships: i64,
    /// Accounts that were erased.
    pub accounts: i64,
    /// JSON.
    pub certificate: Option<String>,
    /// Of the certificate.
    pub sha256: Option<String>,
}

/// Begins a removal.
///
/// # Errors
/// A unique violation when one is under way; the engine failed.
pub async fn start(tx: &mut Tx, (id, organization, last_day): (&str, &str, &str), now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute START, id, organization, last_day, At::from(now)).map(drop)
}

/// Finds a removal.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Purge>> {
    sql!(c, optional Purge: FIND, id)
}

/// The removals of an organization, the latest first.
///
/// # Errors
/// The engine failed.
pub async fn list(c: &mut impl Conn, organization: &str) -> sqlx::Result<Vec<Purge>> {
    sql!(c, all Purge: LIST, organization)
}

/// Counts memberships and accounts.
///
/// # Errors
/// The engine failed.
pub async fn count(tx: &mut Tx, id: &str, (memberships, accounts): (i64, i64)) -> sqlx::Result<()> {
    sql!(tx, execute COUNT, id, memberships, accounts).map(drop)
}

/// Keeps the certificate; false when it was before.
///
/// # Errors
/// The engine failed.
pub async fn finish(tx: &mut Tx, id: &str, (certificate, sha256): (&str, &str), now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute FINISH, id, At::from(now), certificate, sha256).map(|rows| rows == 1)
}

/// Removes contacts, enrolments, what was due about contracts, and offers of an organization.
///
/// # Errors
/// The engine failed.
pub async fn drop_rest(tx: &mut Tx, organization: &str) -> sqlx::Result<()> {
    sql!(tx, execute DROP_CONTACTS, organization)?;
    sql!(tx, execute DROP_ENROLMENTS, organization)?;
    sql!(tx, execute DROP_MOMENTS, organization)?;
    sql!(tx, execute DROP_OFFERS, organization).map(drop)
}

/// People who hold seats of an organization, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn holders(c: &mut impl Conn, organization: &str, limit: u32) -> sqlx::Result<Vec<String>> {
    let rows = sql!(c, all (String,): HOLDERS, organization, i64::from(limit))?;
    Ok(rows.into_iter().map(|(person,)| person).collect())
}
