//! What was typed into "forgot your password?", until a job has looked it up. Written for everybody alike, before the answer:
//! neither a crash nor the time it takes tells anything.

use jiff::Timestamp;

use super::{At, Tx};

statements! {
    INSERT = "INSERT INTO link_requests (id, typed_sealed, address, request_id, created_at) VALUES ($1, $2, $3, $4, $5)";
    TAKE = {
        sqlite "DELETE FROM link_requests WHERE id IN (SELECT id FROM link_requests ORDER BY created_at, id LIMIT 1)
                RETURNING id, typed_sealed, address, request_id, created_at",
        postgres "DELETE FROM link_requests WHERE id IN (SELECT id FROM link_requests ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
                  RETURNING id, typed_sealed, address, request_id, created_at"
    };
}

/// A request for a link.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LinkRequest {
    /// `lrq_…`, to which the sealed text is bound.
    pub id: String,
    /// What was typed, sealed.
    pub typed_sealed: Vec<u8>,
    /// Where from.
    pub address: String,
    /// Of which request.
    pub request_id: String,
    /// When.
    pub created_at: At,
}

/// Keeps a request.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, request: &LinkRequest) -> sqlx::Result<()> {
    let LinkRequest { id, typed_sealed, address, request_id, created_at } = request;
    sql!(tx, execute INSERT, id, typed_sealed, address, request_id, *created_at).map(drop)
}

/// Takes the oldest request out; it is answered in the same transaction, so exactly once. None: nothing waits that nobody else
/// is at.
///
/// # Errors
/// The engine failed.
pub async fn take(tx: &mut Tx) -> sqlx::Result<Option<LinkRequest>> {
    sql!(tx, optional LinkRequest: TAKE)
}

/// A new id.
pub fn new_id(now: Timestamp) -> String {
    habilis_keys::random::id("lrq", now)
}
