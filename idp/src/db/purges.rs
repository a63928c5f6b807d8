//! The removal of an organization's data a year after its last order, and the certificate of it (R156).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    START = "INSERT INTO purges (id, organization_id, last_day, started_at, memberships, accounts) VALUES ($1, $2, $3, $4, 0, 0)";
    FIND = "SELECT id, organization_id, last_day, started_at, finished_at, memberships, accounts, certificate, sha256 FROM purges WHERE id = $1";
    LIST = "SELECT id, organization_id, last_day, started_at, finished_at, memberships, accounts, certificate, sha256 FROM purges
            WHERE organization_id = $1 ORDER BY started_at DESC, id DESC LIMIT 100";
    COUNT = "UPDATE purges SET memberships = memberships + $2, accounts = accounts + $3 WHERE id = $1 AND finished_at IS NULL";
    FINISH = "UPDATE purges SET finished_at = $2, certificate = $3, sha256 = $4 WHERE id = $1 AND finished_at IS NULL";
    FORGET = "DELETE FROM purges WHERE id = $1 AND finished_at IS NULL";
    BEGAN_HERE = "SELECT EXISTS (SELECT 1 FROM people p WHERE p.id = $1 AND p.created_at >= $2
                                 AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.person_id = p.id)
                                 AND NOT EXISTS (SELECT 1 FROM membership_offers f WHERE f.person_id = p.id AND f.organization_id <> $3
                                                                                 AND f.status = 'open' AND f.expires_at > $4))";
    DROP_CHOICES = "DELETE FROM organization_choices WHERE organization_id = $1";
    DROP_CONTACTS = "DELETE FROM organization_contacts WHERE organization_id = $1";
    DROP_ENROLMENTS = "DELETE FROM enrolments WHERE organization_id = $1";
    DROP_MOMENTS = "DELETE FROM contract_moments WHERE organization_id = $1";
    DROP_GROUPS = "DELETE FROM member_groups WHERE organization_id = $1";
    DROP_IMPORTS = "DELETE FROM imports WHERE organization_id = $1";
    DROP_OFFERS = "DELETE FROM membership_offers WHERE organization_id = $1";
    DROP_SEAT_REQUESTS = "DELETE FROM seat_requests WHERE organization_id = $1";
    DROP_WEBHOOKS = "DELETE FROM webhooks WHERE audience = $1";
    HOLDERS = "SELECT DISTINCT person_id FROM seats WHERE organization_id = $1 ORDER BY person_id LIMIT $2";
}

/// What is removed, by table, and the word of the certificate for it.
pub const REMOVED: [(&str, &str); 12] = [
    ("enrolments", "enrolments"),
    ("group_members", "groups"),
    ("imports", "imports"),
    ("member_groups", "groups"),
    ("membership_offers", "offers"),
    ("memberships", "memberships"),
    ("organization_choices", "memberships"),
    ("organization_contacts", "contacts"),
    ("rights", "memberships"),
    ("seat_requests", "seat_requests"),
    ("seats", "memberships"),
    ("webhooks", "webhooks"),
];

/// What is removed beside whole rows of an organization.
pub const REMOVED_BESIDE: [&str; 2] = ["accounts", "documents"];

/// What is kept, by table, and the word of the certificate for it: contracts and the proof of what was done.
pub const KEPT: [(&str, &str); 21] = [
    ("api_keys", "revoked_api_keys"),
    ("audit", "audit"),
    ("clients", "api_clients"),
    ("data_returns", "data_return"),
    ("document_requests", "document_requests"),
    ("events", "events"),
    ("incidents", "incidents"),
    ("jobs", "jobs"),
    ("measures", "measures"),
    ("notice_organizations", "notices"),
    ("orders", "orders"),
    ("organizations", "organization"),
    ("overrides", "overrides"),
    ("portal_grants", "portal_rights"),
    ("purges", "data_removals"),
    ("reviews", "reviews"),
    ("seat_history", "seat_history"),
    ("seat_pools", "seats_ordered"),
    ("subscription_ends", "subscription_end"),
    ("successions", "successions"),
    ("trials", "trials"),
];

/// The words of the certificate, in order, each once.
pub fn words(tables: &[(&'static str, &'static str)], beside: &[&'static str]) -> BTreeSet<&'static str> {
    tables.iter().map(|(_, word)| *word).chain(beside.iter().copied()).collect()
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

/// Forgets a removal that is not to be done any more.
///
/// # Errors
/// The engine failed.
pub async fn forget(tx: &mut Tx, id: &str) -> sqlx::Result<()> {
    sql!(tx, execute FORGET, id).map(drop)
}

/// Whether an account began with a membership of `organization` that was made at `joined` and is no more, belongs nowhere else, and is
/// offered no other place: one that its person had before, or is about to need, is theirs.
///
/// # Errors
/// The engine failed.
pub async fn began_here(
    c: &mut impl Conn,
    (organization, person): (&str, &str),
    joined: At,
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(c, one (bool,): BEGAN_HERE, person, joined, organization, At::from(now)).map(|(began,)| began)
}

/// Removes contacts, enrolments, what was due about contracts, groups, imports, offers, requests for seats, webhooks, and where people
/// chose the organization last.
///
/// # Errors
/// The engine failed.
pub async fn drop_rest(tx: &mut Tx, organization: &str) -> sqlx::Result<()> {
    sql!(tx, execute DROP_CONTACTS, organization)?;
    sql!(tx, execute DROP_ENROLMENTS, organization)?;
    sql!(tx, execute DROP_MOMENTS, organization)?;
    sql!(tx, execute DROP_GROUPS, organization)?;
    sql!(tx, execute DROP_IMPORTS, organization)?;
    sql!(tx, execute DROP_SEAT_REQUESTS, organization)?;
    sql!(tx, execute DROP_WEBHOOKS, organization)?;
    sql!(tx, execute DROP_CHOICES, organization)?;
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
