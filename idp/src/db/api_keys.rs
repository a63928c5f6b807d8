//! API keys of apprenticeship centres (R100–R104).

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO api_keys (id, organization_id, handle, digest, name, scopes, networks, ends_on, dies_at, issued_by,
                                    tokens_from, look_at, version, created_at, updated_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, 1, $11, $11)";
    LIST = "SELECT id, handle, name, scopes, networks, ends_on, dies_at, issued_by, revoked_at, revoked_by, revoked_reason,
                   last_used_at, version, created_at, updated_at
            FROM api_keys WHERE organization_id = $1 AND (created_at < $2 OR (created_at = $2 AND id < $3))
            ORDER BY created_at DESC, id DESC LIMIT $4";
    FIND = "SELECT id, handle, name, scopes, networks, ends_on, dies_at, issued_by, revoked_at, revoked_by, revoked_reason,
                   last_used_at, version, created_at, updated_at
            FROM api_keys WHERE organization_id = $1 AND id = $2";
    LIVE = "SELECT COUNT(*) FROM api_keys WHERE organization_id = $1 AND revoked_at IS NULL AND dies_at > $2";
    ANY = "SELECT EXISTS (SELECT 1 FROM api_keys WHERE organization_id = $1)";
    LIVE_OF_ISSUER = "SELECT id, organization_id, name FROM api_keys
                      WHERE issued_by = $1 AND ($2 = '' OR organization_id = $2) AND id > $3 AND revoked_at IS NULL AND dies_at > $4
                      ORDER BY id LIMIT 500";
    LIVE_OF_ORGANIZATION = "SELECT id, organization_id, name FROM api_keys
                            WHERE organization_id = $1 AND revoked_at IS NULL AND dies_at > $2 ORDER BY id LIMIT 1000";
    UPDATE = "UPDATE api_keys SET name = $4, networks = $5, version = version + 1, updated_at = $6
              WHERE organization_id = $1 AND id = $2 AND version = $3";
    REVOKE = "UPDATE api_keys SET revoked_at = $2, revoked_by = $3, revoked_reason = $4, tokens_from = $2, look_at = NULL,
                     version = version + 1, updated_at = $2
              WHERE id = $1 AND revoked_at IS NULL";
    END_TOKENS = "UPDATE api_keys SET tokens_from = $2 WHERE id = $1";
    SHORTEN = "UPDATE api_keys SET ends_on = $2, dies_at = $3, look_at = $4, version = version + 1, updated_at = $4
               WHERE id = $1 AND revoked_at IS NULL AND dies_at > $3";
    KNOWN = "SELECT k.id, k.organization_id, k.handle, k.digest, k.scopes, k.networks, k.ends_on, k.revoked_at, k.tokens_from, k.created_at,
                    o.kind, o.status, o.siren, o.siret, o.uai
             FROM api_keys k JOIN organizations o ON o.id = k.organization_id WHERE k.handle = $1";
    TO_LOOK_AT = "SELECT k.id, k.organization_id, k.handle, k.name, k.ends_on, k.dies_at, k.created_at, k.look_at, o.name AS organization
                  FROM api_keys k JOIN organizations o ON o.id = k.organization_id
                  WHERE k.look_at <= $1 AND (k.look_at, k.id) > ($2, $3) ORDER BY k.look_at, k.id LIMIT $4";
    WAITING = "SELECT COUNT(*), MIN(look_at) FROM api_keys WHERE look_at IS NOT NULL";
    LOOKED_AT = "UPDATE api_keys SET look_at = $3 WHERE id = $1 AND look_at = $2";
    USED = "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
}

/// A key as its centre sees it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ApiKey {
    /// `key_…`.
    pub id: String,
    /// The readable part.
    pub handle: String,
    /// What its centre calls it.
    pub name: String,
    /// Space separated.
    pub scopes: String,
    /// Space separated; empty: anywhere.
    pub networks: String,
    /// `dateFinValidite`.
    pub ends_on: String,
    /// When it stops.
    pub dies_at: At,
    /// Person or client.
    pub issued_by: String,
    /// When it was revoked.
    pub revoked_at: Option<At>,
    /// By whom.
    pub revoked_by: Option<String>,
    /// Why.
    pub revoked_reason: Option<String>,
    /// Last use, some seconds late.
    pub last_used_at: Option<At>,
    /// For `ETag`.
    pub version: i64,
    /// When it was issued.
    pub created_at: At,
    /// Last change.
    pub updated_at: At,
}

/// A key that is to be written.
#[derive(Debug)]
pub struct NewApiKey<'a> {
    /// `key_…`.
    pub id: &'a str,
    /// The readable part.
    pub handle: &'a str,
    /// SHA-256 of the key.
    pub digest: &'a [u8],
    /// What its centre calls it.
    pub name: &'a str,
    /// Space separated.
    pub scopes: &'a str,
    /// Space separated.
    pub networks: &'a str,
    /// Last day, ISO 8601.
    pub ends_on: &'a str,
    /// When it stops.
    pub dies_at: Timestamp,
    /// Person or client.
    pub issued_by: &'a str,
}

/// A key as it is checked, with its centre.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct KnownKey {
    /// `key_…`.
    pub id: String,
    /// `org_…`.
    pub organization_id: String,
    /// The readable part.
    pub handle: String,
    /// SHA-256 of the key.
    pub digest: Vec<u8>,
    /// Space separated.
    pub scopes: String,
    /// Space separated.
    pub networks: String,
    /// Last day.
    pub ends_on: String,
    /// When it was revoked.
    pub revoked_at: Option<At>,
    /// Tokens obtained with it before are dead.
    pub tokens_from: At,
    /// When it was issued.
    pub created_at: At,
    /// Of the centre: `cfa`, unless it became something else.
    pub kind: String,
    /// Of the centre: `active`, `suspended` or `terminated`.
    pub status: String,
    /// Of the centre.
    pub siren: Option<String>,
    /// Of the centre.
    pub siret: Option<String>,
    /// Of the centre.
    pub uai: Option<String>,
}

/// A live key, in short.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Live {
    /// `key_…`.
    pub id: String,
    /// `org_…`.
    pub organization_id: String,
    /// What its centre calls it.
    pub name: String,
}

/// A key whose time to look has come.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Due {
    /// `key_…`.
    pub id: String,
    /// `org_…`.
    pub organization_id: String,
    /// The readable part.
    pub handle: String,
    /// What its centre calls it.
    pub name: String,
    /// Last day.
    pub ends_on: String,
    /// When it stops.
    pub dies_at: At,
    /// When it was issued.
    pub created_at: At,
    /// When it was to be looked at.
    pub look_at: At,
    /// The centre's name.
    pub organization: String,
}

/// Writes a new key.
///
/// # Errors
/// The engine failed; a unique violation when the readable part is taken.
pub async fn insert(tx: &mut Tx, organization: &str, new: &NewApiKey<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, new.id, organization, new.handle, new.digest, new.name, new.scopes, new.networks, new.ends_on,
         At::from(new.dies_at), new.issued_by, At::from(now))
    .map(drop)
}

/// At most `limit` keys of `organization`, newest first, from before the instant and id of another.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    organization: &str,
    (at, id): (i64, &str),
    limit: u32,
) -> sqlx::Result<Vec<ApiKey>> {
    sql!(c, all ApiKey: LIST, organization, at, id, i64::from(limit))
}

/// The key `id` of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<ApiKey>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional ApiKey: FIND, organization, id)
}

/// How many keys of `organization` are neither revoked nor over.
///
/// # Errors
/// The engine failed.
pub async fn live(c: &mut impl Conn, organization: &str, now: Timestamp) -> sqlx::Result<usize> {
    let (count,) = sql!(c, one (i64,): LIVE, organization, At::from(now))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// The live keys that a person or client issued, everywhere or within one organization. All of them, however many: read by pages.
///
/// # Errors
/// The engine failed.
pub async fn live_of_issuer(
    c: &mut impl Conn,
    (issuer, within): (&str, Option<&str>),
    now: Timestamp,
) -> sqlx::Result<Vec<Live>> {
    let (mut keys, mut after) = (Vec::new(), String::new());
    loop {
        let page = sql!(c, all Live: LIVE_OF_ISSUER, issuer, within.unwrap_or_default(), &after, At::from(now))?;
        let Some(last) = page.last() else { return Ok(keys) };
        after.clone_from(&last.id);
        keys.extend(page);
    }
}

/// The live keys of `organization`, at most 1,000.
///
/// # Errors
/// The engine failed.
pub async fn live_of_organization(c: &mut impl Conn, organization: &str, now: Timestamp) -> sqlx::Result<Vec<Live>> {
    sql!(c, all Live: LIVE_OF_ORGANIZATION, organization, At::from(now))
}

/// Changes name and networks of a key that is still at `version`; false when somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn update(
    tx: &mut Tx,
    (organization, id, version): (&str, &str, i64),
    (name, networks): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute UPDATE, organization, id, version, name, networks, At::from(now)).map(|rows| rows == 1)
}

/// Revokes a key with the tokens obtained with it; false when it was before.
///
/// # Errors
/// The engine failed.
pub async fn revoke(tx: &mut Tx, id: &str, (by, reason): (&str, &str), now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute REVOKE, id, At::from(now), by, reason).map(|rows| rows == 1)
}

/// Ends the tokens obtained with a key, and leaves the key.
///
/// # Errors
/// The engine failed.
pub async fn end_tokens(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute END_TOKENS, id, At::from(now)).map(drop)
}

/// Lets a live key end earlier; false when it already did.
///
/// # Errors
/// The engine failed.
pub async fn shorten(
    tx: &mut Tx,
    id: &str,
    (ends_on, dies_at): (&str, Timestamp),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute SHORTEN, id, ends_on, At::from(dies_at), At::from(now)).map(|rows| rows == 1)
}

/// The key with this readable part, and its centre.
///
/// # Errors
/// The engine failed.
pub async fn known(c: &mut impl Conn, handle: &str) -> sqlx::Result<Option<KnownKey>> {
    sql!(c, optional KnownKey: KNOWN, handle)
}

/// Keys whose look lies at `until` or before, by look and id from behind a place, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn to_look_at(
    c: &mut impl Conn,
    until: Timestamp,
    (at, id): (At, &str),
    limit: u32,
) -> sqlx::Result<Vec<Due>> {
    sql!(c, all Due: TO_LOOK_AT, At::from(until), at, id, i64::from(limit))
}

/// How many keys will be looked at again, and when the first.
///
/// # Errors
/// The engine failed.
pub async fn waiting(c: &mut impl Conn) -> sqlx::Result<(i64, Option<At>)> {
    sql!(c, one (i64, Option<At>): WAITING)
}

/// Sets when to look next; false when another run was faster.
///
/// # Errors
/// The engine failed.
pub async fn looked_at(tx: &mut Tx, due: &Due, next: Option<Timestamp>) -> sqlx::Result<bool> {
    sql!(tx, execute LOOKED_AT, &due.id, due.look_at, next.map(At::from)).map(|rows| rows == 1)
}

/// Notes that a key was used.
///
/// # Errors
/// The engine failed.
pub async fn used(tx: &mut Tx, id: &str, at: At) -> sqlx::Result<()> {
    sql!(tx, execute USED, id, at).map(drop)
}

/// Whether the organization has or had a key: also one that was revoked is still recognised.
///
/// # Errors
/// The engine failed.
pub async fn any(c: &mut impl Conn, organization: &str) -> sqlx::Result<bool> {
    sql!(c, one (bool,): ANY, organization).map(|(any,)| any)
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Executor as _};

    use super::super::tests::{postgres, sqlite};
    use super::super::{Db, Raw};
    use super::*;

    async fn run(db: &Db, text: &str) {
        let mut tx = db.begin().await.unwrap();
        let text = AssertSqlSafe(text.to_owned());
        match tx.raw() {
            Raw::Sqlite(c) => drop(c.execute(text).await.unwrap()),
            Raw::Postgres(c) => drop(c.execute(text).await.unwrap()),
        }
        tx.commit().await.unwrap();
    }

    /// 1,700 live keys of one issuer in two centres, beside one revoked and one of somebody else.
    async fn the_keys_of_an_issuer_are_found_however_many(db: &Db) {
        for id in ["org_1", "org_2"] {
            let new = format!(
                "INSERT INTO organizations (id, kind, name, status, created_at) VALUES ('{id}', 'cfa', '{id}', 'active', 0)"
            );
            run(db, &new).await;
        }
        let keys = "INSERT INTO api_keys (id, organization_id, handle, digest, name, scopes, networks, ends_on, dies_at, issued_by,
                                          tokens_from, version, created_at, updated_at)
                    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1702)
                    SELECT 'key_' || n, CASE WHEN n <= 1200 THEN 'org_1' ELSE 'org_2' END, 'hab_' || n, DIGEST, 'Clé', 'a', '',
                           '2027-01-01', 1000000, CASE WHEN n = 1702 THEN 'usr_2' ELSE 'usr_1' END, 0, 1, 0, 0 FROM numbers";
        // A digest of its own for each key, in the words of each engine.
        let digest = match db {
            Db::Sqlite { .. } => "CAST('digest ' || n AS BLOB)",
            Db::Postgres { .. } => "CAST('digest ' || n AS BYTEA)",
        };
        run(db, &keys.replace("DIGEST", digest)).await;
        run(db, "UPDATE api_keys SET revoked_at = 1 WHERE id = 'key_1701'").await;
        let mut reader = db.reader().await.unwrap();
        for (within, expected) in [(None, 1700), (Some("org_1"), 1200), (Some("org_2"), 500), (Some("org_3"), 0)] {
            let found = live_of_issuer(&mut reader, ("usr_1", within), Timestamp::UNIX_EPOCH).await.unwrap();
            let ids: std::collections::BTreeSet<_> = found.iter().map(|key| &key.id).collect();
            assert_eq!((found.len(), ids.len()), (expected, expected), "{within:?}");
        }
    }

    #[tokio::test]
    async fn an_issuers_keys_are_whole_on_sqlite() {
        let (db, _folder) = sqlite().await;
        the_keys_of_an_issuer_are_found_however_many(&db).await;
    }

    #[tokio::test]
    async fn an_issuers_keys_are_whole_on_postgres() {
        the_keys_of_an_issuer_are_found_however_many(&postgres("issuers").await).await;
    }
}
