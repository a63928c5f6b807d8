//! Whether an organization wants its data back at the end or only destroyed (R157), and when it took them last.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    FIND = "SELECT choice, chosen_by, chosen_at, exported_at FROM data_returns WHERE organization_id = $1";
    CHOOSE = "INSERT INTO data_returns (organization_id, choice, chosen_by, chosen_at) VALUES ($1, $2, $3, $4)
              ON CONFLICT (organization_id) DO UPDATE SET choice = excluded.choice, chosen_by = excluded.chosen_by, chosen_at = excluded.chosen_at";
    EXPORTED = "INSERT INTO data_returns (organization_id, exported_at) VALUES ($1, $2)
                ON CONFLICT (organization_id) DO UPDATE SET exported_at = excluded.exported_at";
}

/// What was chosen, and what was handed over.
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
pub async fn choose(tx: &mut Tx, organization: &str, (choice, by): (&str, &str), now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute CHOOSE, organization, choice, by, At::from(now)).map(drop)
}

/// Keeps that everything was exported.
///
/// # Errors
/// The engine failed.
pub async fn exported(tx: &mut Tx, organization: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute EXPORTED, organization, At::from(now)).map(drop)
}
