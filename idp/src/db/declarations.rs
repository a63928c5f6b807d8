//! What people declared true and exact (R012). Rows are not changed; they go when the account is erased.

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO declarations (id, person_id, made_on, text_version, text_sha256, locale, declared_at, address)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    OF_PERSON = "SELECT id, made_on, text_version, text_sha256, locale, declared_at, address
                 FROM declarations WHERE person_id = $1 ORDER BY declared_at, id LIMIT $2";
    OF_MANY = {
        sqlite "SELECT person_id, id, made_on, text_version, text_sha256, locale, declared_at
                FROM declarations WHERE person_id IN (SELECT value FROM json_each($1)) ORDER BY person_id, declared_at, id",
        postgres "SELECT person_id, id, made_on, text_version, text_sha256, locale, declared_at
                  FROM declarations WHERE person_id IN (SELECT jsonb_array_elements_text(CAST(CAST($1 AS TEXT) AS JSONB)))
                  ORDER BY person_id, declared_at, id"
    };
}

/// Most declarations of one person that are looked at.
const MOST: i64 = 100;

/// A declaration.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Declaration {
    /// `dcl_…`
    pub id: String,
    /// Where: `sign_up` or `activation`.
    pub made_on: String,
    /// Which text.
    pub text_version: String,
    /// SHA-256 of that text in UTF-8, hexadecimal.
    pub text_sha256: String,
    /// `fr` or `en`: the language of the text.
    pub locale: String,
    /// When.
    pub declared_at: At,
    /// From where.
    pub address: String,
}

/// Adds a declaration of `person`.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, person: &str, new: &Declaration) -> sqlx::Result<()> {
    sql!(
        tx,
        execute INSERT,
        &new.id,
        person,
        &new.made_on,
        &new.text_version,
        &new.text_sha256,
        &new.locale,
        new.declared_at,
        &new.address,
    )
    .map(drop)
}

/// The declarations of `person`, the oldest first, a hundred at most.
///
/// # Errors
/// The engine failed.
pub async fn of_person(c: &mut impl Conn, person: &str) -> sqlx::Result<Vec<Declaration>> {
    sql!(c, all Declaration: OF_PERSON, person, MOST)
}

/// A declaration of somebody, without where it came from.
#[derive(Debug, sqlx::FromRow)]
pub struct MadeBy {
    /// Whose.
    pub person_id: String,
    /// `dcl_…`
    pub id: String,
    /// Where: `sign_up` or `activation`.
    pub made_on: String,
    /// Which text.
    pub text_version: String,
    /// SHA-256 of that text in UTF-8, hexadecimal.
    pub text_sha256: String,
    /// `fr` or `en`: the language of the text.
    pub locale: String,
    /// When.
    pub declared_at: At,
}

/// The declarations of some people, each person's in order.
///
/// # Errors
/// The engine failed.
pub async fn of_many(c: &mut impl Conn, people: &[&str]) -> sqlx::Result<Vec<MadeBy>> {
    let people = serde_json::to_string(people).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sql!(c, all MadeBy: OF_MANY, people)
}
