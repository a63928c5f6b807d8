//! Signing keys: the public half as a JWK, the private half sealed under the master key.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    LIST = "SELECT kid, algorithm, public_jwk, private_key, created_at, sign_from, sign_until, remove_at
            FROM signing_keys ORDER BY created_at, kid";
    INSERT = "INSERT INTO signing_keys (kid, algorithm, public_jwk, private_key, created_at, sign_from)
              VALUES ($1, $2, $3, $4, $5, $6)";
    RETIRE = "UPDATE signing_keys SET sign_until = $2, remove_at = $3 WHERE kid = $1";
    WITHDRAW = "UPDATE signing_keys SET private_key = NULL, sign_until = COALESCE(sign_until, $2), remove_at = $2 WHERE kid = $1";
    DELETE = "DELETE FROM signing_keys WHERE kid = $1";
    PURGE = "DELETE FROM signing_keys WHERE remove_at < $1";
    LOCK = { sqlite "SELECT CAST(1 AS BIGINT)", postgres "SELECT CAST(1 AS BIGINT) FROM pg_advisory_xact_lock(4842147102)" };
}

/// A signing key as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SigningKeyRow {
    /// Key id.
    pub kid: String,
    /// JOSE name.
    pub algorithm: String,
    /// Public JWK, JSON.
    pub public_jwk: String,
    /// Sealed PKCS#8.
    pub private_key: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: At,
    /// When it begins to sign.
    pub sign_from: At,
    /// When it stops.
    pub sign_until: Option<At>,
    /// When it leaves the published set.
    pub remove_at: Option<At>,
}

/// A key to store.
#[derive(Debug)]
pub struct NewSigningKey<'a> {
    /// Key id.
    pub kid: &'a str,
    /// JOSE name.
    pub algorithm: &'a str,
    /// Public JWK, JSON.
    pub public_jwk: &'a str,
    /// Sealed PKCS#8.
    pub private_key: &'a [u8],
    /// When it begins to sign.
    pub sign_from: Timestamp,
}

/// Lets one node at a time change the key ring (`SQLite`'s writer is alone anyway).
///
/// # Errors
/// The engine failed.
pub async fn lock(tx: &mut Tx) -> sqlx::Result<()> {
    sql!(tx, one (i64,): LOCK).map(drop)
}

/// Every key, oldest first.
///
/// # Errors
/// The engine failed.
pub async fn list(c: &mut impl Conn) -> sqlx::Result<Vec<SigningKeyRow>> {
    sql!(c, all SigningKeyRow: LIST)
}

/// Stores a key.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, new: &NewSigningKey<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, new.kid, new.algorithm, new.public_jwk, new.private_key, At::from(now), At::from(new.sign_from))
        .map(drop)
}

/// Sets when a key stops signing and when it leaves the published set.
///
/// # Errors
/// The engine failed.
pub async fn retire(tx: &mut Tx, kid: &str, sign_until: Timestamp, remove_at: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute RETIRE, kid, At::from(sign_until), At::from(remove_at)).map(drop)
}

/// Takes a key whose time is over out of the published set and destroys its private half. The public half stays for `id_token_hint`s.
///
/// # Errors
/// The engine failed.
pub async fn withdraw(tx: &mut Tx, kid: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute WITHDRAW, kid, At::from(now)).map(drop)
}

/// Forgets a compromised key altogether: nothing it signed is believed any more. False when there is none.
///
/// # Errors
/// The engine failed.
pub async fn delete(tx: &mut Tx, kid: &str) -> sqlx::Result<bool> {
    sql!(tx, execute DELETE, kid).map(|rows| rows == 1)
}

/// Forgets keys withdrawn before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
