//! How often API keys are used, by day, vendor and software (délibération CNIL 2023-050: accesses are traced).

use super::{At, Conn, Tx};

statements! {
    ADD = "INSERT INTO api_key_uses (key_id, day, client_id, editor, software, release, granted, refused, last_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           ON CONFLICT (key_id, day, client_id, editor, software, release) DO UPDATE
           SET granted = api_key_uses.granted + excluded.granted, refused = api_key_uses.refused + excluded.refused,
               last_at = CASE WHEN excluded.last_at > api_key_uses.last_at THEN excluded.last_at ELSE api_key_uses.last_at END";
    SORTS = "SELECT COUNT(*) FROM api_key_uses WHERE key_id = $1 AND day = $2";
    OF_KEY = "SELECT day, client_id, editor, software, release, granted, refused, last_at
              FROM api_key_uses WHERE key_id = $1 AND day >= $2 AND day <= $3
              ORDER BY day, client_id, editor, software, release LIMIT $4";
    PURGE = "DELETE FROM api_key_uses WHERE day < $1";
}

/// Uses of one key on one day by one vendor's software.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Uses {
    /// Day in Paris, ISO 8601.
    pub day: String,
    /// The vendor's client; empty without one.
    pub client_id: String,
    /// `EDITEUR`.
    pub editor: String,
    /// `LOGICIEL`.
    pub software: String,
    /// `VERSION`.
    pub release: String,
    /// Exchanges and checks that were granted.
    pub granted: i64,
    /// Those that were refused, the secret being right.
    pub refused: i64,
    /// The last of them.
    pub last_at: At,
}

/// Adds uses to those of the day.
///
/// # Errors
/// The engine failed.
pub async fn add(tx: &mut Tx, key: &str, uses: &Uses) -> sqlx::Result<()> {
    sql!(tx, execute ADD, key, &uses.day, &uses.client_id, &uses.editor, &uses.software, &uses.release, uses.granted,
         uses.refused, uses.last_at)
    .map(drop)
}

/// How many sorts of use a key has on a day.
///
/// # Errors
/// The engine failed.
pub async fn sorts(c: &mut impl Conn, key: &str, day: &str) -> sqlx::Result<i64> {
    sql!(c, one (i64,): SORTS, key, day).map(|(count,)| count)
}

/// The uses of a key in a span of days, by day.
///
/// # Errors
/// The engine failed.
pub async fn of_key(c: &mut impl Conn, key: &str, (from, to): (&str, &str), most: u32) -> sqlx::Result<Vec<Uses>> {
    sql!(c, all Uses: OF_KEY, key, from, to, i64::from(most))
}

/// Forgets days before `before` (ISO 8601).
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: &str) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, before)
}
