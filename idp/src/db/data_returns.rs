//! Whether an organization wants its data back at the end or only destroyed (R157), when it took them last, and what was agreed in writing
//! about them (R156, R211, Q10).

use jiff::Timestamp;
use jiff::civil::Date;

use super::{At, Conn, Tx};

statements! {
    FIND = "SELECT choice, chosen_by, chosen_at, exported_at, requested_on, extra_reversibility, export_agreed_by, export_agreed_at,
                   reversibility_until, reversibility_agreed_by, reversibility_agreed_at, hashes_exported_at
            FROM data_returns WHERE organization_id = $1";
    CHOOSE = "INSERT INTO data_returns (organization_id, choice, chosen_by, chosen_at, requested_on, extra_reversibility)
              VALUES ($1, $2, $3, $4, $5, $6)
              ON CONFLICT (organization_id) DO UPDATE SET choice = excluded.choice, chosen_by = excluded.chosen_by, chosen_at = excluded.chosen_at,
                  requested_on = excluded.requested_on, extra_reversibility = excluded.extra_reversibility";
    EXPORTED = "INSERT INTO data_returns (organization_id, exported_at) VALUES ($1, $2)
                ON CONFLICT (organization_id) DO UPDATE SET exported_at = excluded.exported_at";
    AGREE = "INSERT INTO data_returns (organization_id, export_agreed_by, export_agreed_at, reversibility_until, reversibility_agreed_by,
                                       reversibility_agreed_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (organization_id) DO UPDATE SET export_agreed_by = excluded.export_agreed_by,
                 export_agreed_at = excluded.export_agreed_at, reversibility_until = excluded.reversibility_until,
                 reversibility_agreed_by = excluded.reversibility_agreed_by, reversibility_agreed_at = excluded.reversibility_agreed_at";
}

/// What was chosen, what was handed over, and what was agreed.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub struct DataReturn {
    /// `destruction` or `return`; none when nobody said.
    pub choice: Option<String>,
    /// Person or client.
    pub chosen_by: Option<String>,
    /// When.
    pub chosen_at: Option<At>,
    /// When the whole export was last taken to its end.
    pub exported_at: Option<At>,
    /// The day of the writing that asks for the data back, Paris.
    pub requested_on: Option<String>,
    /// An extra reversibility is asked for (R211).
    pub extra_reversibility: bool,
    /// Who recorded that the organization exports for thirty days after the end; none when that is not agreed (Q10).
    pub export_agreed_by: Option<String>,
    /// When.
    pub export_agreed_at: Option<At>,
    /// The last day on which the data are kept by an agreement on reversibility, Paris (R156).
    pub reversibility_until: Option<String>,
    /// Who recorded it.
    pub reversibility_agreed_by: Option<String>,
    /// When.
    pub reversibility_agreed_at: Option<At>,
    /// When an administrator last took the digests of its people's passwords (R212).
    pub hashes_exported_at: Option<At>,
}

impl DataReturn {
    /// The last day on which the data are kept by agreement. One that cannot be read is kept for good: nothing is removed by mistake.
    pub fn kept_until(&self) -> Option<Date> {
        self.reversibility_until.as_deref().map(|day| day.parse().unwrap_or(Date::MAX))
    }

    /// Whether the data are wanted back and were never taken.
    pub fn is_awaited(&self) -> bool {
        self.choice.as_deref() == Some("return") && self.exported_at.is_none()
    }
}

/// What an organization chooses.
#[derive(Debug)]
pub struct NewChoice<'a> {
    /// See [`DataReturn::choice`].
    pub choice: &'a str,
    /// Who records it.
    pub by: &'a str,
    /// See [`DataReturn::requested_on`].
    pub requested_on: Option<Date>,
    /// See [`DataReturn::extra_reversibility`].
    pub extra: bool,
}

/// What is known of an organization; nothing chosen and nothing exported when there is no row.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str) -> sqlx::Result<DataReturn> {
    Ok(sql!(c, optional DataReturn: FIND, organization)?.unwrap_or_default())
}

/// Keeps a choice in the place of an earlier one.
///
/// # Errors
/// The engine failed.
pub async fn choose(tx: &mut Tx, organization: &str, new: &NewChoice<'_>, now: Timestamp) -> sqlx::Result<()> {
    let requested_on = new.requested_on.map(|day| day.to_string());
    sql!(tx, execute CHOOSE, organization, new.choice, new.by, At::from(now), requested_on.as_deref(), new.extra)
        .map(drop)
}

/// Keeps that everything was exported.
///
/// # Errors
/// The engine failed.
pub async fn exported(tx: &mut Tx, organization: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute EXPORTED, organization, At::from(now)).map(drop)
}

/// Keeps what was agreed, in the place of what was before.
///
/// # Errors
/// The engine failed.
pub async fn agree(tx: &mut Tx, organization: &str, agreed: &DataReturn) -> sqlx::Result<()> {
    sql!(
        tx,
        execute AGREE,
        organization,
        agreed.export_agreed_by.as_deref(),
        agreed.export_agreed_at,
        agreed.reversibility_until.as_deref(),
        agreed.reversibility_agreed_by.as_deref(),
        agreed.reversibility_agreed_at,
    )
    .map(drop)
}
