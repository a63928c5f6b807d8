//! Trials: a product for fifteen days, before any order (R069–R073).

use habilis_policies::trials::Trial as Rule;
use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO trials (id, organization_id, product_id, seats, terms_version, accepted_at, requested_at, requested_by, extra_days, version, updated_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 1, $7)";
    FIND = "SELECT id, organization_id, product_id, seats, terms_version, accepted_at, requested_at, requested_by, extra_days, ended_at, ended_reason, version, updated_at
            FROM trials WHERE organization_id = $1 AND id = $2";
    OF_ORGANIZATION = "SELECT id, organization_id, product_id, seats, terms_version, accepted_at, requested_at, requested_by, extra_days, ended_at, ended_reason, version, updated_at
                       FROM trials WHERE organization_id = $1 ORDER BY requested_at, id LIMIT 100";
    RECORD = "UPDATE trials SET extra_days = $4, ended_at = $5, ended_reason = $6, updated_at = $7, version = version + 1
              WHERE organization_id = $1 AND id = $2 AND version = $3";
}

/// A trial.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Trial {
    /// `tri_…`.
    pub id: String,
    /// Whose.
    pub organization_id: String,
    /// Of what.
    pub product_id: String,
    /// How many seats.
    pub seats: i64,
    /// Which text of the general conditions was accepted (R072).
    pub terms_version: String,
    /// When.
    pub accepted_at: At,
    /// When it was asked for: the clock starts then (R071).
    pub requested_at: At,
    /// Who asked.
    pub requested_by: String,
    /// Days added because credentials came late (Q32).
    pub extra_days: i64,
    /// When it was ended for misuse.
    pub ended_at: Option<At>,
    /// Why.
    pub ended_reason: Option<String>,
    /// For `ETag`.
    pub version: i64,
    /// Last change.
    pub updated_at: At,
}

impl Trial {
    /// As the rules see it.
    pub fn rule(&self) -> Rule {
        Rule {
            requested_at: self.requested_at.into(),
            extra_days: u16::try_from(self.extra_days).unwrap_or(0),
            ended_at: self.ended_at.map(Timestamp::from),
        }
    }

    /// How many seats.
    pub fn seats(&self) -> u32 {
        u32::try_from(self.seats).unwrap_or(0)
    }
}

/// A trial to begin.
#[derive(Debug)]
pub struct NewTrial<'a> {
    /// `tri_…`.
    pub id: &'a str,
    /// Whose.
    pub organization: &'a str,
    /// Of what.
    pub product: &'a str,
    /// How many seats.
    pub seats: i64,
    /// Which text was accepted.
    pub terms_version: &'a str,
    /// When.
    pub accepted_at: Timestamp,
    /// Who asks.
    pub by: &'a str,
}

/// Begins a trial.
///
/// # Errors
/// A unique violation when the organization has had one of the product; the engine failed.
pub async fn insert(tx: &mut Tx, new: &NewTrial<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(
        tx,
        execute INSERT,
        new.id,
        new.organization,
        new.product,
        new.seats,
        new.terms_version,
        At::from(new.accepted_at),
        At::from(now),
        new.by,
    )
    .map(drop)
}

/// The trial `id` of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<Trial>> {
    // No id has a NUL, and PostgreSQL refuses to be asked for one.
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Trial: FIND, organization, id)
}

/// The trials of `organization`, the oldest first.
///
/// # Errors
/// The engine failed.
pub async fn of_organization(c: &mut impl Conn, organization: &str) -> sqlx::Result<Vec<Trial>> {
    sql!(c, all Trial: OF_ORGANIZATION, organization)
}

/// Stores what happened to a trial that is still at its version; false when somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn record(tx: &mut Tx, trial: &Trial, now: Timestamp) -> sqlx::Result<bool> {
    let rows = sql!(
        tx,
        execute RECORD,
        &trial.organization_id,
        &trial.id,
        trial.version,
        trial.extra_days,
        trial.ended_at,
        trial.ended_reason.as_deref(),
        At::from(now),
    )?;
    Ok(rows == 1)
}

