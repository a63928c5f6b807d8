//! What people allowed clients, remembered so that they are asked once.

use habilis_policies::scopes::Scope;
use jiff::{SignedDuration, Timestamp};

use super::{At, Conn, Tx};

statements! {
    FIND = {
        sqlite "SELECT scope FROM consents WHERE person_id = $1 AND client_id = $2",
        postgres "SELECT scope FROM consents WHERE person_id = $1 AND client_id = $2 FOR SHARE"
    };
    SET = "INSERT INTO consents (person_id, client_id, scope, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
           ON CONFLICT (person_id, client_id) DO UPDATE SET scope = excluded.scope, updated_at = excluded.updated_at";
    USED = "UPDATE consents SET used_at = $3
            WHERE person_id = $1 AND client_id = $2 AND (used_at IS NULL OR used_at <= $4)";
    OF_PERSON = "SELECT client_id, scope, created_at, used_at FROM consents WHERE person_id = $1
                 ORDER BY created_at DESC, client_id LIMIT $2";
    OF_MEMBERS = {
        sqlite "SELECT c.person_id, c.client_id, c.scope, c.created_at FROM consents c
                WHERE c.person_id IN (SELECT value FROM json_each($2))
                  AND EXISTS (SELECT 1 FROM portal_grants g WHERE g.organization_id = $1 AND g.client_id = c.client_id)
                ORDER BY c.person_id, c.client_id",
        postgres "SELECT c.person_id, c.client_id, c.scope, c.created_at FROM consents c
                  WHERE c.person_id IN (SELECT jsonb_array_elements_text(CAST(CAST($2 AS TEXT) AS JSONB)))
                    AND EXISTS (SELECT 1 FROM portal_grants g WHERE g.organization_id = $1 AND g.client_id = c.client_id)
                  ORDER BY c.person_id, c.client_id"
    };
    REVOKE = "DELETE FROM consents WHERE person_id = $1 AND client_id = $2";
}

/// How exactly the last use is kept.
const USE_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What a person allowed a client.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Consent {
    /// Whom.
    pub client_id: String,
    /// What.
    pub scope: String,
    /// Since when.
    pub created_at: At,
    /// When the client last got tokens, to within an hour; none when that is not known.
    pub used_at: Option<At>,
}

/// The scope `person` allowed `client`. In a transaction, whoever takes it back meanwhile waits for its end.
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

/// Remembers that `person` allows `client` this scope beside what was allowed before.
///
/// # Errors
/// The engine failed.
pub async fn extend(tx: &mut Tx, (person, client): (&str, &str), scope: &str, now: Timestamp) -> sqlx::Result<()> {
    let before = find(tx, person, client).await?.unwrap_or_default();
    // What is stored was printed by `Scope`; were it not, the new scope alone would be remembered.
    let both = Scope::parse(&format!("{before} {scope}")).map_or_else(|_| scope.to_owned(), |both| both.to_string());
    set(tx, (person, client), &both, now).await
}

/// Notes that `client` got tokens of `person`, once an hour at most.
///
/// # Errors
/// The engine failed.
pub async fn used(c: &mut impl Conn, (person, client): (&str, &str), now: Timestamp) -> sqlx::Result<()> {
    let before = now.saturating_sub(USE_EVERY).unwrap_or(Timestamp::MIN);
    sql!(c, execute USED, person, client, At::from(now), At::from(before)).map(drop)
}

/// What `person` allowed, newest first, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn of_person(c: &mut impl Conn, person: &str, limit: u32) -> sqlx::Result<Vec<Consent>> {
    sql!(c, all Consent: OF_PERSON, person, i64::from(limit))
}

/// What some people allowed the portals in which an organization may give rights: person, client, scopes and since when.
///
/// # Errors
/// The engine failed.
pub async fn of_members(
    c: &mut impl Conn,
    organization: &str,
    people: &[&str],
) -> sqlx::Result<Vec<(String, String, String, At)>> {
    let people = serde_json::to_string(people).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sql!(c, all (String, String, String, At): OF_MEMBERS, organization, people)
}

/// Takes back what `person` allowed `client`; false when there was nothing.
///
/// # Errors
/// The engine failed.
pub async fn revoke(tx: &mut Tx, person: &str, client: &str) -> sqlx::Result<bool> {
    sql!(tx, execute REVOKE, person, client).map(|rows| rows == 1)
}
