//! Who accounts are of (R007): what they said before they changed, who is to be verified, and who was. The anchor of an account is kept by
//! a trigger of `people`, so that no way of changing an account forgets it; without a row it is what the account says.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    ANCHOR = "SELECT given_name, family_name, birthdate, email, told_at FROM identity_anchors WHERE person_id = $1";
    TOLD = "UPDATE identity_anchors SET told_at = $2 WHERE person_id = $1";
    FORGET_ANCHOR = "DELETE FROM identity_anchors WHERE person_id = $1";
    FORGET_VERIFICATIONS = "DELETE FROM identity_verifications WHERE person_id = $1";
    WAITS = "SELECT EXISTS (SELECT 1 FROM people WHERE id = $1 AND identity_changed_at IS NOT NULL)";
    WAIT = "UPDATE people SET identity_changed_at = $2, version = version + 1 WHERE id = $1 AND identity_changed_at IS NULL";
    SETTLE = "UPDATE people SET identity_changed_at = NULL, version = version + 1 WHERE id = $1 AND identity_changed_at IS NOT NULL";
    INSERT = "INSERT INTO identity_verifications (id, person_id, method, reference, reason, verified_by, verified_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7)";
    OF_PERSON = "SELECT id, method, reference, reason, verified_by, verified_at
                 FROM identity_verifications WHERE person_id = $1 ORDER BY verified_at DESC, id DESC LIMIT $2";
}

/// Most verifications of one person that are looked at.
const MOST: i64 = 100;

/// What an account said when it was opened, or last verified.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Anchor {
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Day of birth, ISO 8601.
    pub birthdate: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// When others were told that the account may be somebody else's.
    pub told_at: Option<At>,
}

/// The anchor of `person`; none when the account says it still.
///
/// # Errors
/// The engine failed.
pub async fn anchor(c: &mut impl Conn, person: &str) -> sqlx::Result<Option<Anchor>> {
    sql!(c, optional Anchor: ANCHOR, person)
}

/// Notes that others were told.
///
/// # Errors
/// The engine failed.
pub async fn told(tx: &mut Tx, person: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute TOLD, person, At::from(now)).map(drop)
}

/// Makes what the account of `person` says its anchor.
///
/// # Errors
/// The engine failed.
pub async fn anchor_anew(tx: &mut Tx, person: &str) -> sqlx::Result<()> {
    sql!(tx, execute FORGET_ANCHOR, person).map(drop)
}

/// Whether portals wait until the identity of `person` is verified.
///
/// # Errors
/// The engine failed.
pub async fn waits(c: &mut impl Conn, person: &str) -> sqlx::Result<bool> {
    sql!(c, one (bool,): WAITS, person).map(|(waits,)| waits)
}

/// Has portals wait for a verification of `person`.
///
/// # Errors
/// The engine failed.
pub async fn wait(tx: &mut Tx, person: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute WAIT, person, At::from(now)).map(drop)
}

/// Ends that; false when they did not wait.
///
/// # Errors
/// The engine failed.
pub async fn settle(tx: &mut Tx, person: &str) -> sqlx::Result<bool> {
    sql!(tx, execute SETTLE, person).map(|rows| rows == 1)
}

/// What an operator recorded.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Verification {
    /// `idv_…`.
    pub id: String,
    /// `identity_document`, `video` or `in_person`.
    pub method: String,
    /// Where the proof is kept, as the operator calls it.
    pub reference: Option<String>,
    /// What the operator said of it.
    pub reason: Option<String>,
    /// Who recorded it, `usr_…`.
    pub verified_by: String,
    /// When.
    pub verified_at: At,
}

/// Adds a verification of `person`.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, person: &str, new: &Verification) -> sqlx::Result<()> {
    let (reference, reason) = (new.reference.as_deref(), new.reason.as_deref());
    sql!(tx, execute INSERT, &new.id, person, &new.method, reference, reason, &new.verified_by, new.verified_at).map(drop)
}

/// The verifications of `person`, the newest first, a hundred at most.
///
/// # Errors
/// The engine failed.
pub async fn of_person(c: &mut impl Conn, person: &str) -> sqlx::Result<Vec<Verification>> {
    sql!(c, all Verification: OF_PERSON, person, MOST)
}

/// Forgets who an erased account was of.
///
/// # Errors
/// The engine failed.
pub async fn forget(tx: &mut Tx, person: &str) -> sqlx::Result<()> {
    sql!(tx, execute FORGET_ANCHOR, person)?;
    sql!(tx, execute FORGET_VERIFICATIONS, person).map(drop)
}
