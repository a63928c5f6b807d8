//! Requests of members for a seat (R059).

use habilis_policies::calendar;
use jiff::Timestamp;

use super::{At, Conn, Tx};

/// The most that somebody is offered to ask for.
const MOST: i64 = 100;

/// The columns of [`SeatRequest`].
macro_rules! columns {
    () => {
        "r.id, r.organization_id, r.product_id, r.person_id, p.given_name, p.family_name, (p.operator OR p.privacy) AS staff,
         EXISTS (SELECT 1 FROM memberships m WHERE m.organization_id = r.organization_id AND m.person_id = r.person_id) AS member, r.reason, r.status,
         r.requested_at, r.look_at, r.decided_by, r.by_operator, r.decided_at, r.note
         FROM seat_requests r JOIN people p ON p.id = r.person_id "
    };
}

statements! {
    INSERT = "INSERT INTO seat_requests (id, organization_id, product_id, person_id, reason, status, requested_at, look_at, by_operator)
              VALUES ($1, $2, $3, $4, $5, 'requested', $6, $6, FALSE)";
    FIND = (concat!("SELECT ", columns!(), "WHERE r.organization_id = $1 AND r.id = $2"));
    FIND_OF_PERSON = (concat!("SELECT ", columns!(), "WHERE r.person_id = $1 AND r.id = $2"));
    LIST = (concat!("SELECT ", columns!(), "
            WHERE r.organization_id = $1 AND (CAST($2 AS TEXT) IS NULL OR r.status = $2)
              AND (r.requested_at < $3 OR (r.requested_at = $3 AND r.id < $4))
            ORDER BY r.requested_at DESC, r.id DESC LIMIT $5"));
    LIST_OF_PERSON = (concat!("SELECT ", columns!(), "
            WHERE r.person_id = $1 AND (r.requested_at < $2 OR (r.requested_at = $2 AND r.id < $3))
            ORDER BY r.requested_at DESC, r.id DESC LIMIT $4"));
    LAST = "SELECT requested_at, status FROM seat_requests WHERE organization_id = $1 AND product_id = $2 AND person_id = $3
            ORDER BY requested_at DESC, id DESC LIMIT 1";
    WAITING_OF_MEMBER = "SELECT COUNT(*) FROM seat_requests WHERE organization_id = $1 AND person_id = $2 AND status = 'requested'";
    TAKEN_BACK = "SELECT COALESCE((SELECT CASE WHEN event = 'released' AND reason = 'taken_back' THEN TRUE ELSE FALSE END FROM seat_history
                                   WHERE organization_id = $1 AND product_id = $2 AND person_id = $3 ORDER BY at DESC, id DESC LIMIT 1), FALSE)";
    DECIDE = (concat!("UPDATE seat_requests SET status = $2, decided_by = $3, by_operator = ", is_operator!("$3"), ", decided_at = $4, note = $5,
                             look_at = NULL
                      WHERE id = $1 AND status = 'requested'"));
    OPEN_OF_MEMBER = (concat!("SELECT ", columns!(), "
                      WHERE r.organization_id = $1 AND r.person_id = $2 AND r.status = 'requested' ORDER BY r.requested_at, r.id LIMIT $3"));
    WITHDRAW_OF_ORGANIZATION = "UPDATE seat_requests SET status = 'withdrawn', decided_at = $2, look_at = NULL
                                WHERE organization_id = $1 AND status = 'requested'";
    OPEN = (concat!("SELECT ", columns!(), "
            WHERE r.organization_id = $1 AND r.product_id = $2 AND r.person_id = $3 AND r.status = 'requested'"));
    ASKABLE = "SELECT o.id AS organization_id, o.name AS organization, p.id AS product_id, p.name AS product
               FROM memberships m JOIN organizations o ON o.id = m.organization_id JOIN people q ON q.id = m.person_id CROSS JOIN products p
               WHERE m.person_id = $1 AND NOT q.operator AND NOT q.privacy AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $2) AND o.status = 'active'
                 AND o.seat_requests <> 'off' AND (o.subscription_over_at IS NULL OR o.subscription_over_at > $3)
                 AND (CAST($4 AS TEXT) IS NULL OR p.id = $4)
                 AND (p.sold OR EXISTS (SELECT 1 FROM seat_pools x WHERE x.organization_id = o.id AND x.product_id = p.id))
                 AND NOT EXISTS (SELECT 1 FROM seats s WHERE s.organization_id = o.id AND s.product_id = p.id AND s.person_id = m.person_id)
                 AND NOT EXISTS (SELECT 1 FROM seat_requests r WHERE r.organization_id = o.id AND r.product_id = p.id
                                                                 AND r.person_id = m.person_id AND r.status = 'requested')
               ORDER BY o.name, o.id, p.name, p.id LIMIT $5";
    TO_LOOK_AT = (concat!("SELECT ", columns!(), "
                  WHERE r.look_at IS NOT NULL AND r.look_at <= $1 AND (r.look_at, r.id) > ($2, $3) ORDER BY r.look_at, r.id LIMIT $4"));
    LOOKED = "UPDATE seat_requests SET look_at = $3 WHERE id = $1 AND look_at = $2 AND status = 'requested'";
    WAITING = "SELECT COUNT(*), MIN(look_at) FROM seat_requests WHERE look_at IS NOT NULL";
}

/// A request.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SeatRequest {
    /// `srq_…`.
    pub id: String,
    /// Of which organization a seat is asked.
    pub organization_id: String,
    /// A seat of what.
    pub product_id: String,
    /// Who asks.
    pub person_id: String,
    /// Their given name.
    pub given_name: String,
    /// Their family name.
    pub family_name: String,
    /// Whether they are staff of the operator, or a data protection officer.
    pub staff: bool,
    /// Whether they are a member still.
    pub member: bool,
    /// Why, in their words.
    pub reason: Option<String>,
    /// `requested`, `granted`, `declined`, `withdrawn` or `expired`.
    pub status: String,
    /// When.
    pub requested_at: At,
    /// When something is next to be said of it; none when nothing is left.
    pub look_at: Option<At>,
    /// Who decided; none when the organization's rule did, or time.
    pub decided_by: Option<String>,
    /// Whether the operator decided, or its automation.
    pub by_operator: bool,
    /// When.
    pub decided_at: Option<At>,
    /// What was said to it.
    pub note: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct NewSeatRequest<'a> {
    /// `srq_…`.
    pub id: &'a str,
    /// See [`SeatRequest::organization_id`].
    pub organization: &'a str,
    /// A seat of what.
    pub product: &'a str,
    /// Who asks.
    pub person: &'a str,
    /// Why.
    pub reason: Option<&'a str>,
}

/// How a request ends.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// The status afterwards.
    pub status: &'a str,
    /// Who says so; none for a rule, or time.
    pub by: Option<&'a str>,
    /// What is said to it.
    pub note: Option<&'a str>,
}

/// Records what is asked for; the lifecycle looks at it next.
///
/// # Errors
/// A unique violation when such a request waits already; the engine failed.
pub async fn insert(tx: &mut Tx, new: &NewSeatRequest<'_>, now: Timestamp) -> sqlx::Result<()> {
    let NewSeatRequest { id, organization, product, person, reason } = *new;
    sql!(tx, execute INSERT, id, organization, product, person, reason, At::from(now)).map(drop)
}

/// A request of an organization's member.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<SeatRequest>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional SeatRequest: FIND, organization, id)
}

/// A request of somebody's.
///
/// # Errors
/// The engine failed.
pub async fn find_of_person(c: &mut impl Conn, person: &str, id: &str) -> sqlx::Result<Option<SeatRequest>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional SeatRequest: FIND_OF_PERSON, person, id)
}

/// Those of an organization with a status, or all, newest first, from before the instant (milliseconds since 1970) and id of another, at
/// most so many.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    (organization, status): (&str, Option<&str>),
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<SeatRequest>> {
    sql!(c, all SeatRequest: LIST, organization, status, at, id, i64::from(limit))
}

/// Those of a person, as [`list`].
///
/// # Errors
/// The engine failed.
pub async fn list_of_person(
    c: &mut impl Conn,
    person: &str,
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<SeatRequest>> {
    sql!(c, all SeatRequest: LIST_OF_PERSON, person, at, id, i64::from(limit))
}

/// When a member last asked for a seat of a product, and what became of it.
///
/// # Errors
/// The engine failed.
pub async fn last(
    c: &mut impl Conn,
    (organization, product, person): (&str, &str, &str),
) -> sqlx::Result<Option<(At, String)>> {
    sql!(c, optional (At, String): LAST, organization, product, person)
}

/// How many requests of a member wait.
///
/// # Errors
/// The engine failed.
pub async fn waiting_of_member(c: &mut impl Conn, organization: &str, person: &str) -> sqlx::Result<i64> {
    sql!(c, one (i64,): WAITING_OF_MEMBER, organization, person).map(|(count,)| count)
}

/// Whether the last that happened to a member's seat of a product is that it was taken back.
///
/// # Errors
/// The engine failed.
pub async fn taken_back(
    c: &mut impl Conn,
    (organization, product, person): (&str, &str, &str),
) -> sqlx::Result<bool> {
    sql!(c, one (bool,): TAKEN_BACK, organization, product, person).map(|(taken,)| taken)
}

/// Ends a request that waits; false when it does not any more.
///
/// # Errors
/// The engine failed.
pub async fn decide(tx: &mut Tx, id: &str, end: &End<'_>, now: Timestamp) -> sqlx::Result<bool> {
    let rows = sql!(tx, execute DECIDE, id, end.status, end.by, At::from(now), end.note)?;
    Ok(rows == 1)
}

/// The requests of a member that wait.
///
/// # Errors
/// The engine failed.
pub async fn open_of_member(tx: &mut Tx, organization: &str, person: &str) -> sqlx::Result<Vec<SeatRequest>> {
    sql!(tx, all SeatRequest: OPEN_OF_MEMBER, organization, person, MOST)
}

/// Withdraws every request that waits in an organization; says how many.
///
/// # Errors
/// The engine failed.
pub async fn withdraw_of_organization(tx: &mut Tx, organization: &str, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute WITHDRAW_OF_ORGANIZATION, organization, At::from(now))
}

/// The request of a member for a seat of a product that waits.
///
/// # Errors
/// The engine failed.
pub async fn open(
    c: &mut impl Conn,
    (organization, product, person): (&str, &str, &str),
) -> sqlx::Result<Option<SeatRequest>> {
    sql!(c, optional SeatRequest: OPEN, organization, product, person)
}

/// A seat that can be asked for.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Askable {
    /// `org_…`.
    pub organization_id: String,
    /// Its name.
    pub organization: String,
    /// The product.
    pub product_id: String,
    /// Its name.
    pub product: String,
}

/// What `person` can ask for, of one product or of all: by organization and product, a hundred at the most.
///
/// # Errors
/// The engine failed.
pub async fn askable(
    c: &mut impl Conn,
    person: &str,
    product: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<Vec<Askable>> {
    let today = calendar::date_at(now).to_string();
    sql!(c, all Askable: ASKABLE, person, today, At::from(now), product, MOST)
}

/// Those whose look has come, from behind a place, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn to_look_at(
    c: &mut impl Conn,
    until: Timestamp,
    (at, id): (At, &str),
    limit: u32,
) -> sqlx::Result<Vec<SeatRequest>> {
    sql!(c, all SeatRequest: TO_LOOK_AT, At::from(until), at, id, i64::from(limit))
}

/// Moves the look of one that waits; false when it was moved, or it waits no more.
///
/// # Errors
/// The engine failed.
pub async fn looked(tx: &mut Tx, id: &str, (from, to): (At, Option<Timestamp>)) -> sqlx::Result<bool> {
    sql!(tx, execute LOOKED, id, from, to.map(At::from)).map(|rows| rows == 1)
}

/// How many have a look ahead, and the first.
///
/// # Errors
/// The engine failed.
pub async fn waiting(c: &mut impl Conn) -> sqlx::Result<(i64, Option<At>)> {
    sql!(c, one (i64, Option<At>): WAITING)
}
