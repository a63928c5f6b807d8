//! Authenticator apps (RFC 6238): the secret sealed, and the time step of the last code, so that no code is used twice.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO totp_devices (id, person_id, name, secret_sealed, created_at, last_step) VALUES ($1, $2, $3, $4, $5, 0)";
    DROP_UNCONFIRMED = "DELETE FROM totp_devices WHERE person_id = $1 AND confirmed_at IS NULL";
    FIND_UNCONFIRMED = "SELECT id, name, secret_sealed, created_at, last_used_at FROM totp_devices
                        WHERE id = $1 AND person_id = $2 AND confirmed_at IS NULL AND created_at > $3";
    CONFIRM = "UPDATE totp_devices SET confirmed_at = $3, last_step = $4, last_used_at = $3
               WHERE id = $1 AND person_id = $2 AND confirmed_at IS NULL";
    OF_PERSON = "SELECT id, name, secret_sealed, created_at, last_used_at FROM totp_devices
                 WHERE person_id = $1 AND confirmed_at IS NOT NULL ORDER BY created_at, id";
    USE = "UPDATE totp_devices SET last_step = $2, last_used_at = $3 WHERE id = $1 AND last_step < $2";
    DELETE = "DELETE FROM totp_devices WHERE id = $1 AND person_id = $2 AND confirmed_at IS NOT NULL";
    DELETE_ALL = "DELETE FROM totp_devices WHERE person_id = $1";
    DELETE_SINCE = "DELETE FROM totp_devices WHERE person_id = $1 AND created_at >= $2";
    PURGE = "DELETE FROM totp_devices WHERE confirmed_at IS NULL AND created_at < $1";
}

/// An authenticator app.
#[derive(Clone, sqlx::FromRow)]
pub struct Device {
    /// `otp_…`.
    pub id: String,
    /// What its person calls it.
    pub name: String,
    /// The secret, sealed.
    pub secret_sealed: Vec<u8>,
    /// When it was added.
    pub created_at: At,
    /// When a code of it was last used.
    pub last_used_at: Option<At>,
}

/// An authenticator app to add.
pub struct NewDevice<'a> {
    /// `otp_…`.
    pub id: &'a str,
    /// Whose.
    pub person: &'a str,
    /// What its person calls it.
    pub name: &'a str,
    /// The secret, sealed.
    pub secret_sealed: &'a [u8],
}

/// Begins an enrolment in the place of any other that was begun: there is one at a time.
///
/// # Errors
/// The engine failed.
pub async fn begin(tx: &mut Tx, new: &NewDevice<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute DROP_UNCONFIRMED, new.person)?;
    sql!(tx, execute INSERT, new.id, new.person, new.name, new.secret_sealed, At::from(now)).map(drop)
}

/// Finds an enrolment that was begun after `since` and not confirmed.
///
/// # Errors
/// The engine failed.
pub async fn find_unconfirmed(
    c: &mut impl Conn,
    (id, person): (&str, &str),
    since: Timestamp,
) -> sqlx::Result<Option<Device>> {
    sql!(c, optional Device: FIND_UNCONFIRMED, id, person, At::from(since))
}

/// Confirms an enrolment by its first code, of time step `step`; false when it was confirmed before.
///
/// # Errors
/// The engine failed.
pub async fn confirm(tx: &mut Tx, (id, person): (&str, &str), step: i64, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute CONFIRM, id, person, At::from(now), step).map(|rows| rows == 1)
}

/// The confirmed apps of a person.
///
/// # Errors
/// The engine failed.
pub async fn of_person(c: &mut impl Conn, person: &str) -> sqlx::Result<Vec<Device>> {
    sql!(c, all Device: OF_PERSON, person)
}

/// Uses the code of time step `step` up; false when it, or a later one, was used before.
///
/// # Errors
/// The engine failed.
pub async fn use_up(tx: &mut Tx, id: &str, step: i64, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute USE, id, step, At::from(now)).map(|rows| rows == 1)
}

/// Removes an app of `person`; false when there is none.
///
/// # Errors
/// The engine failed.
pub async fn delete(tx: &mut Tx, (id, person): (&str, &str)) -> sqlx::Result<bool> {
    sql!(tx, execute DELETE, id, person).map(|rows| rows == 1)
}

/// Removes every app of `person`.
///
/// # Errors
/// The engine failed.
pub async fn delete_all(tx: &mut Tx, person: &str) -> sqlx::Result<u64> {
    sql!(tx, execute DELETE_ALL, person)
}

/// Removes the apps of `person` that were added at `since` or later, and says how many. An enrolment that was begun goes too, and
/// is not counted.
///
/// # Errors
/// The engine failed.
pub async fn delete_since(tx: &mut Tx, person: &str, since: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute DROP_UNCONFIRMED, person)?;
    sql!(tx, execute DELETE_SINCE, person, At::from(since))
}

/// Removes enrolments that were begun before `before` and never confirmed.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
