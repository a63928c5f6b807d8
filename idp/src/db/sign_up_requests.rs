//! What was sent from `/sign-up`, until a job has looked up whether the address is known. Written for everybody alike, in the transaction
//! that counts it: neither a crash nor the time it takes tells anything.

use jiff::Timestamp;

use super::{At, Tx};

statements! {
    INSERT = "INSERT INTO sign_up_requests (id, asked_sealed, address, request_id, due_at, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    TAKE = {
        sqlite "DELETE FROM sign_up_requests WHERE id IN (SELECT id FROM sign_up_requests ORDER BY created_at, id LIMIT 1)
                RETURNING id, asked_sealed, address, request_id, due_at, created_at",
        postgres "DELETE FROM sign_up_requests WHERE id IN (SELECT id FROM sign_up_requests ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
                  RETURNING id, asked_sealed, address, request_id, due_at, created_at"
    };
}

/// A sign-up that waits for its mail to be written.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SignUpRequest {
    /// `sur_…`, to which the sealed text is bound.
    pub id: String,
    /// What was typed, sealed.
    pub asked_sealed: Vec<u8>,
    /// Where from.
    pub address: String,
    /// Of which request.
    pub request_id: String,
    /// Its mail goes out then.
    pub due_at: At,
    /// When.
    pub created_at: At,
}

/// Keeps a request.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, request: &SignUpRequest) -> sqlx::Result<()> {
    let SignUpRequest { id, asked_sealed, address, request_id, due_at, created_at } = request;
    sql!(tx, execute INSERT, id, asked_sealed, address, request_id, *due_at, *created_at).map(drop)
}

/// Takes the oldest request out; it is answered in the same transaction, so exactly once. None: nothing waits that nobody else
/// is at.
///
/// # Errors
/// The engine failed.
pub async fn take(tx: &mut Tx) -> sqlx::Result<Option<SignUpRequest>> {
    sql!(tx, optional SignUpRequest: TAKE)
}

/// A new id.
pub fn new_id(now: Timestamp) -> String {
    habilis_keys::random::id("sur", now)
}
