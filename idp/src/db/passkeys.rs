//! Passkeys (WebAuthn): public keys with their counters, and the challenges given out, each good for one answer.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO passkeys (id, person_id, credential_id, credential, name, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    OF_PERSON = "SELECT id, person_id, credential, name, created_at, last_used_at FROM passkeys
                 WHERE person_id = $1 ORDER BY created_at, id";
    FIND = "SELECT k.id, k.person_id, k.credential, k.name, k.created_at, k.last_used_at
            FROM passkeys k JOIN people p ON p.id = k.person_id
            WHERE k.credential_id = $1 AND p.status = 'active'";
    USED = "UPDATE passkeys SET credential = $3, last_used_at = $4 WHERE id = $1 AND credential = $2";
    RENAME = "UPDATE passkeys SET name = $3 WHERE id = $1 AND person_id = $2";
    DELETE = "DELETE FROM passkeys WHERE id = $1 AND person_id = $2";
    DELETE_ALL = "DELETE FROM passkeys WHERE person_id = $1";
    DELETE_SINCE = "DELETE FROM passkeys WHERE person_id = $1 AND created_at >= $2";
    BEGIN = "INSERT INTO passkey_ceremonies (id, browser_digest, person_id, state, expires_at) VALUES ($1, $2, $3, $4, $5)";
    CLAIM = "DELETE FROM passkey_ceremonies WHERE id = $1 AND browser_digest = $2 AND expires_at > $3
             RETURNING person_id, state";
    PURGE = "DELETE FROM passkey_ceremonies WHERE expires_at < $1";
}

/// A passkey.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Passkey {
    /// `pky_…`.
    pub id: String,
    /// Whose.
    pub person_id: String,
    /// Public key, counter and flags, JSON.
    pub credential: String,
    /// What its person calls it.
    pub name: String,
    /// When it was added.
    pub created_at: At,
    /// When it last signed in.
    pub last_used_at: Option<At>,
}

/// A passkey to add.
#[derive(Debug)]
pub struct NewPasskey<'a> {
    /// `pky_…`.
    pub id: &'a str,
    /// Whose.
    pub person: &'a str,
    /// As the authenticator named it.
    pub credential_id: &'a [u8],
    /// Public key, counter and flags, JSON.
    pub credential: &'a str,
    /// What its person calls it.
    pub name: &'a str,
}

/// Adds a passkey.
///
/// # Errors
/// A unique violation when the credential is known; the engine failed.
pub async fn insert(tx: &mut Tx, new: &NewPasskey<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, new.id, new.person, new.credential_id, new.credential, new.name, At::from(now)).map(drop)
}

/// The passkeys of a person.
///
/// # Errors
/// The engine failed.
pub async fn of_person(c: &mut impl Conn, person: &str) -> sqlx::Result<Vec<Passkey>> {
    sql!(c, all Passkey: OF_PERSON, person)
}

/// Finds a passkey of an active person by its credential id.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, credential_id: &[u8]) -> sqlx::Result<Option<Passkey>> {
    sql!(c, optional Passkey: FIND, credential_id)
}

/// Notes a use, and the counter that came with it; false when somebody else noted one meanwhile, or the passkey is gone.
///
/// # Errors
/// The engine failed.
pub async fn used(tx: &mut Tx, id: &str, (old, new): (&str, &str), now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute USED, id, old, new, At::from(now)).map(|rows| rows == 1)
}

/// Gives a passkey of `person` another name; false when there is none.
///
/// # Errors
/// The engine failed.
pub async fn rename(tx: &mut Tx, (id, person): (&str, &str), name: &str) -> sqlx::Result<bool> {
    sql!(tx, execute RENAME, id, person, name).map(|rows| rows == 1)
}

/// Removes a passkey of `person`; false when there is none.
///
/// # Errors
/// The engine failed.
pub async fn delete(tx: &mut Tx, (id, person): (&str, &str)) -> sqlx::Result<bool> {
    sql!(tx, execute DELETE, id, person).map(|rows| rows == 1)
}

/// Removes every passkey of `person`.
///
/// # Errors
/// The engine failed.
pub async fn delete_all(tx: &mut Tx, person: &str) -> sqlx::Result<u64> {
    sql!(tx, execute DELETE_ALL, person)
}

/// Removes the passkeys of `person` that were added at `since` or later, and says how many.
///
/// # Errors
/// The engine failed.
pub async fn delete_since(tx: &mut Tx, person: &str, since: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute DELETE_SINCE, person, At::from(since))
}

/// A challenge given out.
#[derive(Debug)]
pub struct NewCeremony<'a> {
    /// `cer_…`.
    pub id: &'a str,
    /// SHA-256 of the browser cookie.
    pub browser_digest: &'a [u8],
    /// Whose new passkey; none for a sign-in.
    pub person: Option<&'a str>,
    /// JSON; never leaves the server.
    pub state: &'a str,
    /// When it is of no use any more.
    pub expires_at: Timestamp,
}

/// Keeps a challenge.
///
/// # Errors
/// The engine failed.
pub async fn begin(c: &mut impl Conn, new: &NewCeremony<'_>) -> sqlx::Result<()> {
    sql!(c, execute BEGIN, new.id, new.browser_digest, new.person, new.state, At::from(new.expires_at)).map(drop)
}

/// A challenge that is being answered.
#[derive(Debug, sqlx::FromRow)]
pub struct Ceremony {
    /// Whose new passkey; none for a sign-in.
    pub person_id: Option<String>,
    /// As kept.
    pub state: String,
}

/// Takes a challenge for its one answer; none when it was answered, expired, or was given to another browser.
///
/// # Errors
/// The engine failed.
pub async fn claim(
    c: &mut impl Conn,
    id: &str,
    browser_digest: &[u8],
    now: Timestamp,
) -> sqlx::Result<Option<Ceremony>> {
    sql!(c, optional Ceremony: CLAIM, id, browser_digest, At::from(now))
}

/// Removes challenges that expired before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
