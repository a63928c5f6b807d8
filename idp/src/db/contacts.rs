//! The contacts register of an organization: who signs, who pays, who answers for data protection, who stands in.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO organization_contacts (id, organization_id, duty, name, email, phone, person_id, version, created_at, updated_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8)";
    LIST = "SELECT id, duty, name, email, phone, person_id, version, created_at, updated_at
            FROM organization_contacts WHERE organization_id = $1 ORDER BY duty, created_at, id LIMIT 100";
    FIND = "SELECT id, duty, name, email, phone, person_id, version, created_at, updated_at
            FROM organization_contacts WHERE organization_id = $1 AND id = $2";
    UPDATE = "UPDATE organization_contacts SET duty = $4, name = $5, email = $6, phone = $7, version = version + 1, updated_at = $8
              WHERE organization_id = $1 AND id = $2 AND version = $3";
    REMOVE = "DELETE FROM organization_contacts WHERE organization_id = $1 AND id = $2 AND version = $3";
    COUNT = "SELECT COUNT(*) FROM organization_contacts WHERE organization_id = $1";
    OF_DUTY = "SELECT id, duty, name, email, phone, person_id, version, created_at, updated_at
               FROM organization_contacts WHERE organization_id = $1 AND duty = $2 ORDER BY created_at, id LIMIT 10";
}

/// A contact.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Contact {
    /// `con_…`.
    pub id: String,
    /// `signatory`, `billing`, `dpo` or `deputy`.
    pub duty: String,
    /// Whole name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Telephone number.
    pub phone: Option<String>,
    /// The contact's account, if any.
    pub person_id: Option<String>,
    /// For `ETag`.
    pub version: i64,
    /// Since when.
    pub created_at: At,
    /// Last change.
    pub updated_at: At,
}

/// What a contact is written from.
#[derive(Debug)]
pub struct Written<'a> {
    /// See [`Contact::duty`].
    pub duty: &'a str,
    /// Whole name.
    pub name: &'a str,
    /// Mail address.
    pub email: &'a str,
    /// Telephone number.
    pub phone: Option<&'a str>,
}

/// Adds a contact.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    new: &Written<'_>,
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, id, organization, new.duty, new.name, new.email, new.phone, None::<&str>, At::from(now))
        .map(drop)
}

/// The contacts of `organization`, at most 100.
///
/// # Errors
/// The engine failed.
pub async fn list(c: &mut impl Conn, organization: &str) -> sqlx::Result<Vec<Contact>> {
    sql!(c, all Contact: LIST, organization)
}

/// The contacts with one duty, at most 10.
///
/// # Errors
/// The engine failed.
pub async fn of_duty(c: &mut impl Conn, organization: &str, duty: &str) -> sqlx::Result<Vec<Contact>> {
    sql!(c, all Contact: OF_DUTY, organization, duty)
}

/// The contact `id` of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<Contact>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Contact: FIND, organization, id)
}

/// How many contacts `organization` has.
///
/// # Errors
/// The engine failed.
pub async fn count(c: &mut impl Conn, organization: &str) -> sqlx::Result<i64> {
    sql!(c, one (i64,): COUNT, organization).map(|(count,)| count)
}

/// Changes a contact that is still at `version`; false when somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn update(
    tx: &mut Tx,
    (organization, id, version): (&str, &str, i64),
    new: &Written<'_>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let rows = sql!(tx, execute UPDATE, organization, id, version, new.duty, new.name, new.email, new.phone, At::from(now))?;
    Ok(rows == 1)
}

/// Removes a contact that is still at `version`; false when somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn remove(tx: &mut Tx, (organization, id, version): (&str, &str, i64)) -> sqlx::Result<bool> {
    sql!(tx, execute REMOVE, organization, id, version).map(|rows| rows == 1)
}
