//! The digests of the passwords of an organization's people, for an organization that takes them elsewhere (R212): whose they are, and how
//! often that was done. Earlier passwords of theirs are never read here.

use jiff::Timestamp;
use jiff::civil::Date;

use super::{At, Conn, Tx};

/// Exports of one organization on one day.
const MOST: i64 = 3;

/// The members `m` of the organization $1, each with why their digest stays at $2; nothing for those whose it hands over. The operator's
/// staff are nobody's people here. An account that did not begin with the membership is its person's own.
macro_rules! members {
    ($rest:literal) => {
        concat!(
            "SELECT p.id, p.login, w.phc, w.changed_at,
                    CASE WHEN m.created_at > p.created_at
                           OR EXISTS (SELECT 1 FROM memberships e WHERE e.person_id = p.id AND e.organization_id <> $1)
                           OR EXISTS (SELECT 1 FROM membership_offers f WHERE f.person_id = p.id AND f.organization_id <> $1
                                                                        AND f.status = 'open' AND f.expires_at > $2)
                           THEN 'not_yours_alone'
                         WHEN w.person_id IS NULL THEN 'no_password'
                         WHEN p.status <> 'active' THEN 'account_closed'
                         WHEN p.renewal_since IS NOT NULL
                           OR EXISTS (SELECT 1 FROM organizations o WHERE o.id = $1 AND o.settle_after IS NOT NULL
                                        AND m.created_at <= o.renewal_at AND w.changed_at <= o.renewal_at)
                           THEN 'to_be_renewed'
                         ELSE '' END AS why
             FROM memberships m JOIN people p ON p.id = m.person_id LEFT JOIN passwords w ON w.person_id = p.id
             WHERE m.organization_id = $1 AND NOT p.operator AND NOT p.privacy ",
            $rest
        )
    };
}

statements! {
    PAGE = (concat!("SELECT x.id, x.login, CASE WHEN x.why = '' THEN x.phc END AS phc, x.changed_at, x.why FROM (",
                    members!("AND m.person_id > $3 ORDER BY m.person_id LIMIT $4"), ") x ORDER BY x.id"));
    COUNT = (concat!("SELECT COUNT(*) FROM (", members!(""), ") x WHERE x.why = ''"));
    TAKE = "INSERT INTO data_returns (organization_id, hashes_exported_at, hashes_exported_on, hashes_exports) VALUES ($1, $2, $3, 1)
            ON CONFLICT (organization_id) DO UPDATE SET hashes_exported_at = excluded.hashes_exported_at,
                hashes_exports = CASE WHEN data_returns.hashes_exported_on = excluded.hashes_exported_on THEN data_returns.hashes_exports + 1 ELSE 1 END,
                hashes_exported_on = excluded.hashes_exported_on
            WHERE data_returns.hashes_exported_on IS NULL OR data_returns.hashes_exported_on <> excluded.hashes_exported_on
               OR data_returns.hashes_exports < $4";
}

/// A member, and the digest of their password if it is handed over. Has no `Debug`: it holds the digest.
#[derive(sqlx::FromRow)]
pub struct Holder {
    /// `usr_…`.
    pub id: String,
    /// Folded login.
    pub login: String,
    /// PHC string.
    pub phc: Option<String>,
    /// When the password was chosen.
    pub changed_at: Option<At>,
    /// Why there is none: `not_yours_alone`, `no_password`, `account_closed` or `to_be_renewed`; else empty.
    pub why: String,
}

/// At most `limit` members of an organization behind `after`, by id.
///
/// # Errors
/// The engine failed.
pub async fn page(
    c: &mut impl Conn,
    (organization, now): (&str, Timestamp),
    (after, limit): (&str, u32),
) -> sqlx::Result<Vec<Holder>> {
    sql!(c, all Holder: PAGE, organization, At::from(now), after, i64::from(limit))
}

/// Of how many a digest would be handed over.
///
/// # Errors
/// The engine failed.
pub async fn count(c: &mut impl Conn, organization: &str, now: Timestamp) -> sqlx::Result<i64> {
    Ok(sql!(c, one (i64,): COUNT, organization, At::from(now))?.0)
}

/// Counts an export on a day in Paris; false when there were enough.
///
/// # Errors
/// The engine failed.
pub async fn take(tx: &mut Tx, organization: &str, (day, now): (Date, Timestamp)) -> sqlx::Result<bool> {
    sql!(tx, execute TAKE, organization, At::from(now), day.to_string(), MOST).map(|rows| rows == 1)
}
