//! The last day of a subscription where the operator said it, beside what the orders say (R087).

use jiff::Timestamp;
use jiff::civil::Date;

use super::{At, Conn, Tx};

statements! {
    FIND = "SELECT last_day FROM subscription_ends WHERE organization_id = $1";
    SAID = "SELECT last_day, said_at FROM subscription_ends WHERE organization_id = $1";
    SAY = "INSERT INTO subscription_ends (organization_id, last_day, said_by, said_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (organization_id) DO UPDATE SET last_day = excluded.last_day, said_by = excluded.said_by, said_at = excluded.said_at";
}

/// The last day that was said of an organization's subscription.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str) -> sqlx::Result<Option<Date>> {
    let found = sql!(c, optional (String,): FIND, organization)?;
    // A day that cannot be read is over: nothing opens by mistake.
    Ok(found.map(|(day,)| day.parse().unwrap_or(Date::MIN)))
}

/// The same, and when it was said.
///
/// # Errors
/// The engine failed.
pub async fn said(c: &mut impl Conn, organization: &str) -> sqlx::Result<Option<(Date, Timestamp)>> {
    let found = sql!(c, optional (String, At): SAID, organization)?;
    Ok(found.map(|(day, at)| (day.parse().unwrap_or(Date::MIN), at.into())))
}

/// Keeps the last day of an organization's subscription in the place of one said before.
///
/// # Errors
/// The engine failed.
pub async fn say(
    tx: &mut Tx,
    organization: &str,
    (last_day, by): (Date, &str),
    now: Timestamp,
) -> sqlx::Result<()> {
    let last_day = last_day.to_string();
    sql!(tx, execute SAY, organization, &last_day, by, At::from(now)).map(drop)
}
