//! The history of seats, holder by holder: what the account of their usage is made from (R059, R068).

use jiff::Timestamp;

use super::{At, Conn};

/// What happened before an instant (`$1`), behind a place, in the order of organization, product, holder and time.
macro_rules! lines {
    ($of:literal) => {
        concat!(
            "SELECT h.id, h.organization_id, h.product_id, h.person_id, h.event,
                    CASE WHEN h.event IN ('given_over', 'taken_over') THEN '' ELSE h.reason END AS reason, h.at, p.login, p.given_name, p.family_name,
                    EXISTS (SELECT 1 FROM memberships m WHERE m.organization_id = h.organization_id AND m.person_id = h.person_id) AS member,
                    COALESCE(p.operator OR p.privacy, FALSE) AS staff, r.id AS request, r.requested_at,
                    r.decided_by, COALESCE(r.by_operator, FALSE) AS by_operator
             FROM seat_history h LEFT JOIN people p ON p.id = h.person_id AND p.status <> 'closed'
             LEFT JOIN seat_requests r ON r.person_id = h.person_id AND r.organization_id = h.organization_id
                                      AND r.product_id = h.product_id AND r.status = 'granted' AND r.decided_at = h.at
             WHERE h.at < $1 AND (h.organization_id, h.product_id, h.person_id, h.at, h.id) > ($2, $3, $4, $5, $6) ",
            $of,
            "ORDER BY h.organization_id, h.product_id, h.person_id, h.at, h.id LIMIT $7"
        )
    };
}

statements! {
    EVERYWHERE = (lines!(""));
    OF_ORGANIZATION = (lines!("AND h.organization_id = $8 "));
}

/// A line of the history, with who it is about and the request that it granted.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct UsageLine {
    /// `sea_…`.
    pub id: String,
    /// Whose seat.
    pub organization_id: String,
    /// Of what.
    pub product_id: String,
    /// Who holds it, or did.
    pub person_id: String,
    /// `held`, `assigned`, `released`, `given_over` or `taken_over`.
    pub event: String,
    /// Why, in a word; of a transfer nothing.
    pub reason: String,
    /// When.
    pub at: At,
    /// What they sign in with; none when the account is closed.
    pub login: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Whether they are a member still.
    pub member: bool,
    /// Whether they are staff of the operator, or a data protection officer.
    pub staff: bool,
    /// The request that was granted by it, `srq_…`.
    pub request: Option<String>,
    /// When that was made.
    pub requested_at: Option<At>,
    /// Who granted it; none when a rule did.
    pub decided_by: Option<String>,
    /// Whether the operator did.
    pub by_operator: bool,
}

/// Behind which line to go on.
#[derive(Debug, Clone, Default)]
pub struct Place {
    organization: String,
    product: String,
    person: String,
    at: i64,
    id: String,
}

impl From<&UsageLine> for Place {
    fn from(line: &UsageLine) -> Self {
        Self {
            organization: line.organization_id.clone(),
            product: line.product_id.clone(),
            person: line.person_id.clone(),
            at: line.at.milliseconds(),
            id: line.id.clone(),
        }
    }
}

/// What happened to seats before `until`, of one organization or of all, behind a place; at most `limit` lines.
///
/// # Errors
/// The engine failed.
pub async fn lines(
    c: &mut impl Conn,
    organization: Option<&str>,
    until: Timestamp,
    after: &Place,
    limit: u32,
) -> sqlx::Result<Vec<UsageLine>> {
    let Place { organization: at, product, person, at: instant, id } = after;
    let until = At::from(until);
    let Some(organization) = organization else {
        return sql!(c, all UsageLine: EVERYWHERE, until, at, product, person, *instant, id, i64::from(limit));
    };
    // The place begins with the organization: the index is entered there, not at its very beginning.
    let at = if at.is_empty() { organization } else { at.as_str() };
    sql!(c, all UsageLine: OF_ORGANIZATION, until, at, product, person, *instant, id, i64::from(limit), organization)
}
