//! Protected resources that access tokens can be issued for (RFC 8707).

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO resources (id, uri, client_id, scopes, created_at, version) VALUES ($1, $2, $3, $4, $5, 1)";
    FIND = "SELECT id, uri, client_id, scopes, created_at, version FROM resources WHERE uri = $1";
    FIND_BY_ID = "SELECT id, uri, client_id, scopes, created_at, version FROM resources WHERE id = $1";
    LIST = "SELECT id, uri, client_id, scopes, created_at, version FROM resources
            WHERE (created_at > $1 OR (created_at = $1 AND id > $2)) ORDER BY created_at, id LIMIT $3";
    UPDATE = "UPDATE resources SET client_id = $3, scopes = $4, version = version + 1 WHERE id = $1 AND version = $2";
    DELETE = "DELETE FROM resources WHERE id = $1";
}

/// A resource as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Resource {
    /// `rsc_…`.
    pub id: String,
    /// Its address, the audience of its tokens.
    pub uri: String,
    /// The resource server that may introspect them.
    pub client_id: Option<String>,
    /// The scope tokens it knows, space separated.
    pub scopes: String,
    /// Since when.
    pub created_at: At,
    /// For `ETag`.
    pub version: i64,
}

/// What a resource is written from.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// See [`Resource::client_id`].
    pub client_id: Option<&'a str>,
    /// See [`Resource::scopes`].
    pub scopes: &'a str,
}

/// Adds a resource.
///
/// # Errors
/// A unique violation when the address is taken; the engine failed.
pub async fn insert(tx: &mut Tx, (id, uri): (&str, &str), new: Written<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, id, uri, new.client_id, new.scopes, At::from(now)).map(drop)
}

/// Finds a resource by its address.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, uri: &str) -> sqlx::Result<Option<Resource>> {
    sql!(c, optional Resource: FIND, uri)
}

/// Finds a resource by its id.
///
/// # Errors
/// The engine failed.
pub async fn find_by_id(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Resource>> {
    // No id has a NUL, and PostgreSQL refuses to be asked for one.
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Resource: FIND_BY_ID, id)
}

/// At most `limit` resources from behind the instant (milliseconds since 1970) and id of another, the oldest first.
///
/// # Errors
/// The engine failed.
pub async fn list(c: &mut impl Conn, (at, id, limit): (i64, &str, u32)) -> sqlx::Result<Vec<Resource>> {
    sql!(c, all Resource: LIST, at, id, i64::from(limit))
}

/// Changes a resource that is still at `version`; false when somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn update(tx: &mut Tx, (id, version): (&str, i64), new: Written<'_>) -> sqlx::Result<bool> {
    sql!(tx, execute UPDATE, id, version, new.client_id, new.scopes).map(|rows| rows == 1)
}

/// Removes a resource: no further token is issued for it. False when there is none.
///
/// # Errors
/// The engine failed.
pub async fn delete(tx: &mut Tx, id: &str) -> sqlx::Result<bool> {
    sql!(tx, execute DELETE, id).map(|rows| rows == 1)
}
