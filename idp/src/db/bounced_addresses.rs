//! Addresses that take no mail, and who has to know (R005).

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    NOTE = "UPDATE people SET email_verified = FALSE, email_bounced_at = $3, updated_at = $3, version = version + 1
            WHERE id = $1 AND email = $2 AND (email_bounced_at IS NULL OR email_verified = TRUE)";
    IS_NOTED = "SELECT EXISTS (SELECT 1 FROM people WHERE id = $1 AND email_bounced_at IS NOT NULL)";
    ADMINISTRATORS = "SELECT DISTINCT a.person_id
                      FROM memberships m
                      JOIN organizations o ON o.id = m.organization_id
                      JOIN memberships a ON a.organization_id = m.organization_id
                      JOIN people p ON p.id = a.person_id
                      WHERE m.person_id = $1 AND a.person_id <> $1 AND o.status = 'active'
                        AND a.role = 'administrator' AND p.status = 'active' AND p.email_bounced_at IS NULL
                      ORDER BY a.person_id LIMIT $2";
}

/// Notes that `address` takes no mail: it is no proven address any more. False when it is not the address of `person`, or was
/// noted before and not proven since.
///
/// # Errors
/// The engine failed.
pub async fn note(tx: &mut Tx, (person, address): (&str, &str), now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute NOTE, person, address, At::from(now)).map(|rows| rows == 1)
}

/// Whether the address of `person` takes no mail, as far as is known.
///
/// # Errors
/// The engine failed.
pub async fn is_noted(c: &mut impl Conn, person: &str) -> sqlx::Result<bool> {
    sql!(c, one (bool,): IS_NOTED, person).map(|(noted,)| noted)
}

/// The administrators of the active organizations of `person`, other than the person, whose own address takes mail; `limit` at
/// most.
///
/// # Errors
/// The engine failed.
pub async fn administrators(c: &mut impl Conn, person: &str, limit: u32) -> sqlx::Result<Vec<String>> {
    let rows = sql!(c, all (String,): ADMINISTRATORS, person, i64::from(limit))?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
