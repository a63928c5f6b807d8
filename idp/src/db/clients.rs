//! Client applications: their registration metadata (RFC 7591 names) and the operator's settings, both JSON.

use jiff::Timestamp;

use super::{At, Conn, Tx};

/// What a client manages that is the operator's own automation.
pub const MANAGES_ALL: &str = "operator";

statements! {
    INSERT = "INSERT INTO clients (id, metadata, settings, secret_digest, secret_sealed, registration_token_digest, status, created_at, updated_at)
              VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $7)";
    REPLACE_METADATA = "UPDATE clients SET metadata = $2, updated_at = $3, version = version + 1 WHERE id = $1";
    REPLACE = "UPDATE clients SET metadata = $2, secret_digest = $3, updated_at = $4, secret_sealed = $6, version = version + 1
               WHERE id = $1 AND registration_token_digest = $5";
    DELETE = "DELETE FROM clients WHERE id = $1 AND registration_token_digest = $2";
    FIND = "SELECT id, metadata, settings, secret_digest, secret_sealed, registration_token_digest, status, created_at, banner, access_ended_at
            FROM clients WHERE id = $1";
    LIST = "SELECT id, metadata, settings, secret_digest, secret_sealed, registration_token_digest, status, created_at, banner, access_ended_at
            FROM clients WHERE id > $1 ORDER BY id LIMIT $2";
    FIND_MANAGED = "SELECT id, metadata, settings, secret_digest, secret_sealed, registration_token_digest, status, created_at, banner, access_ended_at,
                           manages, updated_at, version
                    FROM clients WHERE id = $1";
    LIST_BY_STATUS = "SELECT id, metadata, settings, secret_digest, secret_sealed, registration_token_digest, status, created_at, banner, access_ended_at,
                             manages, updated_at, version
                      FROM clients WHERE id > $1 AND ($2 = '' OR status = $2) ORDER BY id LIMIT $3";
    CHANGE = "UPDATE clients SET metadata = $3, settings = $4, secret_digest = $5, secret_sealed = $6, manages = $7, updated_at = $8,
                     version = version + 1
              WHERE id = $1 AND version = $2 AND status <> 'terminated'";
    SET_SETTINGS = "UPDATE clients SET settings = $2, updated_at = $3, version = version + 1 WHERE id = $1";
    MANAGES = "SELECT manages FROM clients WHERE id = $1 AND status = 'active'";
    LOCK = "UPDATE clients SET updated_at = updated_at WHERE id = $1";
    SET_STATUS = "UPDATE clients SET status = $3, banner = $4, updated_at = $5, version = version + 1,
                         access_ended_at = CASE WHEN $3 = 'active' THEN access_ended_at ELSE $5 END
                  WHERE id = $1 AND status = $2";
    SUSPEND_OF_ORGANIZATION = "UPDATE clients SET status = 'suspended', updated_at = $2, access_ended_at = $2, version = version + 1
                               WHERE manages = $1 AND status = 'active' RETURNING id";
    SET_MANAGES = "UPDATE clients SET manages = $2, version = version + 1 WHERE id = $1";
}

/// A client as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ClientRow {
    /// `client_id`.
    pub id: String,
    /// Registration metadata, JSON.
    pub metadata: String,
    /// Operator's settings, JSON.
    pub settings: String,
    /// SHA-256 of the secret.
    pub secret_digest: Option<Vec<u8>>,
    /// The secret sealed, for `client_secret_jwt` only.
    pub secret_sealed: Option<Vec<u8>>,
    /// SHA-256 of the registration access token (RFC 7592).
    pub registration_token_digest: Option<Vec<u8>>,
    /// `active`, `suspended` or `terminated`.
    pub status: String,
    /// When it was registered.
    pub created_at: At,
    /// What people read while it is closed, JSON by language (R090).
    pub banner: Option<String>,
    /// What was granted to it until then is dead.
    pub access_ended_at: At,
}

/// A client as the operator manages it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ManagedClient {
    /// The client.
    #[sqlx(flatten)]
    pub row: ClientRow,
    /// For whom it manages when it acts for itself: `operator`, or an organization's id.
    pub manages: Option<String>,
    /// When it was last changed.
    pub updated_at: At,
    /// Counts the changes.
    pub version: i64,
}

/// Adds a client; `row.status` and `row.created_at` are set here.
///
/// # Errors
/// A unique violation when the id exists; the engine failed.
pub async fn insert(tx: &mut Tx, row: &ClientRow, now: Timestamp) -> sqlx::Result<()> {
    sql!(
        tx,
        execute INSERT,
        &row.id,
        &row.metadata,
        &row.settings,
        row.secret_digest.as_deref(),
        row.secret_sealed.as_deref(),
        row.registration_token_digest.as_deref(),
        At::from(now),
    )
    .map(drop)
}

/// Replaces the registration metadata of a client.
///
/// # Errors
/// The engine failed.
pub async fn replace_metadata(tx: &mut Tx, id: &str, metadata: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute REPLACE_METADATA, id, metadata, At::from(now)).map(drop)
}

/// Sets the operator's settings of a client.
///
/// # Errors
/// The engine failed.
pub async fn set_settings(tx: &mut Tx, id: &str, settings: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute SET_SETTINGS, id, settings, At::from(now)).map(drop)
}

/// What a client changes of its own registration.
#[derive(Debug, Clone, Copy)]
pub struct Replacement<'a> {
    /// The new metadata, JSON.
    pub metadata: &'a str,
    /// SHA-256 of the secret, when it uses one.
    pub secret_digest: Option<&'a [u8]>,
    /// The secret sealed, for `client_secret_jwt` only.
    pub secret_sealed: Option<&'a [u8]>,
    /// SHA-256 of the token that allows the change.
    pub registration_token_digest: &'a [u8],
}

/// Replaces the registration of a client, whose token it must be; false when there is no such client.
///
/// # Errors
/// The engine failed.
pub async fn replace(tx: &mut Tx, id: &str, new: &Replacement<'_>, now: Timestamp) -> sqlx::Result<bool> {
    sql!(
        tx,
        execute REPLACE,
        id,
        new.metadata,
        new.secret_digest,
        At::from(now),
        new.registration_token_digest,
        new.secret_sealed,
    )
    .map(|rows| rows == 1)
}

/// Removes a client and all that was granted to it, whose token it must be; false when there is no such client.
///
/// # Errors
/// The engine failed.
pub async fn delete(tx: &mut Tx, id: &str, registration_token_digest: &[u8]) -> sqlx::Result<bool> {
    sql!(tx, execute DELETE, id, registration_token_digest).map(|rows| rows == 1)
}

/// Finds a client.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<ClientRow>> {
    sql!(c, optional ClientRow: FIND, id)
}

/// At most `limit` clients with an id after `after`, in order of id.
///
/// # Errors
/// The engine failed.
pub async fn list(c: &mut impl Conn, after: &str, limit: u32) -> sqlx::Result<Vec<ClientRow>> {
    sql!(c, all ClientRow: LIST, after, i64::from(limit))
}

/// Finds a client with what only the operator sees of it.
///
/// # Errors
/// The engine failed.
pub async fn find_managed(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<ManagedClient>> {
    sql!(c, optional ManagedClient: FIND_MANAGED, id)
}

/// At most `limit` clients with an id after `after`, in order of id; of one status, or of every.
///
/// # Errors
/// The engine failed.
pub async fn list_managed(
    c: &mut impl Conn,
    (status, after): (Option<&str>, &str),
    limit: u32,
) -> sqlx::Result<Vec<ManagedClient>> {
    sql!(c, all ManagedClient: LIST_BY_STATUS, after, status.unwrap_or(""), i64::from(limit))
}

/// Writes what the operator changes of a client: metadata, settings, what is kept of its secret, and for whom it manages. False when it
/// has another version by now, or was terminated.
///
/// # Errors
/// The engine failed.
pub async fn change(tx: &mut Tx, new: &ManagedClient, now: Timestamp) -> sqlx::Result<bool> {
    sql!(
        tx,
        execute CHANGE,
        &new.row.id,
        new.version,
        &new.row.metadata,
        &new.row.settings,
        new.row.secret_digest.as_deref(),
        new.row.secret_sealed.as_deref(),
        new.manages.as_deref(),
        At::from(now),
    )
    .map(|rows| rows == 1)
}

/// For whom a client that acts for itself manages: `operator`, or the id of an organization.
///
/// # Errors
/// The engine failed.
pub async fn manages(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<String>> {
    Ok(sql!(c, optional (Option<String>,): MANAGES, id)?.and_then(|(manages,)| manages))
}

/// Says for whom the client `id` manages.
///
/// # Errors
/// The engine failed.
pub async fn set_manages(tx: &mut Tx, id: &str, manages: Option<&str>) -> sqlx::Result<()> {
    sql!(tx, execute SET_MANAGES, id, manages).map(drop)
}

/// Keeps others from changing the status of the client `id` until the transaction ends.
///
/// # Errors
/// The engine failed.
pub async fn lock(tx: &mut Tx, id: &str) -> sqlx::Result<()> {
    sql!(tx, execute LOCK, id).map(drop)
}

/// Moves a client from one status to another, with what people read meanwhile; false when it had another status. What was granted to
/// it is dead from then on, unless it becomes active.
///
/// # Errors
/// The engine failed.
pub async fn set_status(
    tx: &mut Tx,
    id: &str,
    (from, to, banner): (&str, &str, Option<&str>),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute SET_STATUS, id, from, to, banner, At::from(now)).map(|rows| rows == 1)
}

/// Suspends the active clients that manage `organization`, and gives their ids. What they hold is dead from then on.
///
/// # Errors
/// The engine failed.
pub async fn suspend_of_organization(tx: &mut Tx, organization: &str, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let rows = sql!(tx, all (String,): SUSPEND_OF_ORGANIZATION, organization, At::from(now))?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
