//! What people allowed clients, remembered so that they are asked once.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    FIND = "SELECT scope FROM consents WHERE person_id = $1 AND client_id = $2";
    SET = "INSERT INTO consents (person_id, client_id, scope, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
           ON CONFLICT (person_id, client_id) DO UPDATE SET scope = excluded.scope, updated_at = excluded.updated_at";
}

/// The scope `person` allowed `client`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, person: &str, client: &str) -> sqlx::Result<Option<String>> {
    Ok(sql!(c, optional (String,): FIND, person, client)?.map(|(scope,)| scope))
}

/// Remembers the scope `person` allows `client`.
///
/// # Errors
/// The engine failed.
pub async fn set(tx: &mut Tx, (person, client): (&str, &str), scope: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute SET, person, client, scope, At::from(now)).map(drop)
}
