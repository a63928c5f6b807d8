//! Protected resources that access tokens can be issued for (RFC 8707).

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO resources (uri, client_id, scopes, created_at) VALUES ($1, $2, $3, $4)";
    FIND = "SELECT uri, client_id, scopes FROM resources WHERE uri = $1";
    LIST = "SELECT uri, client_id, scopes FROM resources WHERE uri > $1 ORDER BY uri LIMIT $2";
    DELETE = "DELETE FROM resources WHERE uri = $1";
}

/// A resource as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Resource {
    /// Its address, the audience of its tokens.
    pub uri: String,
    /// The resource server that may introspect them.
    pub client_id: Option<String>,
    /// The scope tokens it knows, space separated.
    pub scopes: String,
}

/// Adds a resource.
///
/// # Errors
/// A unique violation when the address is taken; the engine failed.
pub async fn insert(tx: &mut Tx, new: &Resource, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, &new.uri, new.client_id.as_deref(), &new.scopes, At::from(now)).map(drop)
}

/// Finds a resource.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, uri: &str) -> sqlx::Result<Option<Resource>> {
    sql!(c, optional Resource: FIND, uri)
}

/// At most `limit` resources with an address after `after`, in order.
///
/// # Errors
/// The engine failed.
pub async fn list(c: &mut impl Conn, after: &str, limit: u32) -> sqlx::Result<Vec<Resource>> {
    sql!(c, all Resource: LIST, after, i64::from(limit))
}

/// Removes a resource: no further token is issued for it. False when there is none.
///
/// # Errors
/// The engine failed.
pub async fn delete(tx: &mut Tx, uri: &str) -> sqlx::Result<bool> {
    sql!(tx, execute DELETE, uri).map(|rows| rows == 1)
}
