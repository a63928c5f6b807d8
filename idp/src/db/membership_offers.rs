//! Memberships offered to people who have an account already.

use jiff::Timestamp;

use super::{At, Conn, Tx};

/// The columns of [`Offer`].
macro_rules! offers {
    () => {
        "SELECT f.id, f.organization_id, o.name AS organization_name, f.person_id, f.email, f.role, f.affiliation, f.ends_on, f.mandate, f.rights,
                f.offered_by, f.created_at, f.expires_at, f.status, f.settled_at
         FROM membership_offers f JOIN organizations o ON o.id = f.organization_id "
    };
}

statements! {
    INSERT = "INSERT INTO membership_offers (id, organization_id, person_id, email, role, affiliation, ends_on, mandate, rights, offered_by, created_at, expires_at, status)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'open')";
    FIND = (concat!(offers!(), "WHERE f.organization_id = $1 AND f.id = $2"));
    OF_ORGANIZATION = (concat!(offers!(), "WHERE f.organization_id = $1 AND (CAST($2 AS TEXT) IS NULL OR f.status = $2)
                                           AND (f.created_at < $3 OR (f.created_at = $3 AND f.id < $4)) ORDER BY f.created_at DESC, f.id DESC LIMIT $5"));
    OF_PERSON = (concat!(offers!(), "WHERE f.person_id = $1 AND f.status = 'open' AND f.expires_at > $2 AND o.status = 'active'
                                     AND f.created_at > o.renewal_at
                                     AND EXISTS (SELECT 1 FROM people p WHERE p.id = f.person_id AND LOWER(p.email) = LOWER(f.email))
                                     ORDER BY f.created_at, f.id LIMIT 100"));
    TO_ADMINISTER = (concat!(offers!(), "WHERE f.organization_id = $1 AND f.role = 'administrator' AND f.status = 'open' AND f.expires_at > $2
                                         AND f.created_at > o.renewal_at
                                         AND EXISTS (SELECT 1 FROM people p WHERE p.id = f.person_id AND LOWER(p.email) = LOWER(f.email))
                                         ORDER BY f.created_at, f.id LIMIT 100"));
    SETTLE = "UPDATE membership_offers SET status = $2, settled_at = $3 WHERE id = $1 AND status = 'open' AND expires_at > $3";
    TO_LAPSE = "SELECT id, organization_id, person_id, created_at, expires_at FROM membership_offers
                WHERE status = 'open' AND expires_at <= $1 AND (expires_at, id) > ($2, $3) ORDER BY expires_at, id LIMIT $4";
    LAPSE = "UPDATE membership_offers SET status = 'expired', settled_at = expires_at WHERE id = $1 AND status = 'open' AND expires_at <= $2";
    WAITING_TO_LAPSE = "SELECT COUNT(*), MIN(expires_at) FROM membership_offers WHERE status = 'open'";
    LAPSED_OF = "SELECT id, organization_id, person_id, created_at, expires_at FROM membership_offers
                 WHERE organization_id = $1 AND person_id = $2 AND status = 'open' AND expires_at <= $3";
    CLOSE = "UPDATE membership_offers SET status = 'withdrawn', settled_at = $2 WHERE organization_id = $1 AND status = 'open' AND expires_at > $2
             RETURNING person_id";
    PURGE = "DELETE FROM membership_offers WHERE status <> 'open' AND settled_at < $1";
}

/// An offer.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Offer {
    /// `off_…`.
    pub id: String,
    /// Who offers.
    pub organization_id: String,
    /// Its name now.
    pub organization_name: String,
    /// To whom.
    pub person_id: String,
    /// The address as the administrator typed it.
    pub email: String,
    /// `administrator` or `member`.
    pub role: String,
    /// `employee` or `external`.
    pub affiliation: String,
    /// Last day.
    pub ends_on: Option<String>,
    /// See [`super::members::Member::mandate`].
    pub mandate: String,
    /// Lines of client and role.
    pub rights: String,
    /// A person, or a client.
    pub offered_by: String,
    /// When.
    pub created_at: At,
    /// Until when it can be accepted.
    pub expires_at: At,
    /// `open`, `accepted`, `declined`, `withdrawn` or `expired`.
    pub status: String,
    /// When it ceased to be open.
    pub settled_at: Option<At>,
}

impl Offer {
    /// The rights that go with it, as client and role.
    pub fn rights(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rights.lines().filter_map(|line| line.split_once(' '))
    }
}

/// What is offered.
#[derive(Debug)]
#[expect(missing_docs, reason = "as in Offer")]
pub struct NewOffer<'a> {
    pub id: &'a str,
    pub organization: &'a str,
    pub person: &'a str,
    pub email: &'a str,
    pub role: &'a str,
    pub affiliation: &'a str,
    pub ends_on: Option<&'a str>,
    pub mandate: &'a str,
    pub rights: &'a str,
    pub by: &'a str,
}

/// Records an offer. At most one is open for a person in an organization: another violates a unique index.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    tx: &mut Tx,
    new: &NewOffer<'_>,
    (now, expires_at): (Timestamp, Timestamp),
) -> sqlx::Result<()> {
    sql!(
        tx,
        execute INSERT,
        new.id,
        new.organization,
        new.person,
        new.email,
        new.role,
        new.affiliation,
        new.ends_on,
        new.mandate,
        new.rights,
        new.by,
        At::from(now),
        At::from(expires_at),
    )
    .map(drop)
}

/// The offer `id` of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<Offer>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Offer: FIND, organization, id)
}

/// Those of `organization`, newest first, from before the instant (milliseconds since 1970) and id of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn of_organization(
    c: &mut impl Conn,
    (organization, status): (&str, Option<&str>),
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Offer>> {
    sql!(c, all Offer: OF_ORGANIZATION, organization, status, at, id, i64::from(limit))
}

/// What `person` can accept, from active organizations, at most 100.
///
/// # Errors
/// The engine failed.
pub async fn of_person(c: &mut impl Conn, person: &str, now: Timestamp) -> sqlx::Result<Vec<Offer>> {
    sql!(c, all Offer: OF_PERSON, person, At::from(now))
}

/// The offers to administer `organization` that can be accepted, at most 100.
///
/// # Errors
/// The engine failed.
pub async fn to_administer(c: &mut impl Conn, organization: &str, now: Timestamp) -> sqlx::Result<Vec<Offer>> {
    sql!(c, all Offer: TO_ADMINISTER, organization, At::from(now))
}

/// Settles an open offer that has not lapsed; false when there is none any more.
///
/// # Errors
/// The engine failed.
pub async fn settle(tx: &mut Tx, id: &str, to: &str, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute SETTLE, id, to, At::from(now)).map(|rows| rows == 1)
}

/// Withdraws every offer of `organization` that can still be taken; gives to whom they were.
///
/// # Errors
/// The engine failed.
pub async fn close(tx: &mut Tx, organization: &str, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let rows = sql!(tx, all (String,): CLOSE, organization, At::from(now))?;
    Ok(rows.into_iter().map(|(person,)| person).collect())
}

/// Forgets offers settled before `before`; says how many.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}

/// An offer that nobody answered.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Lapsing {
    /// `off_…`.
    pub id: String,
    /// Who offers.
    pub organization_id: String,
    /// To whom.
    pub person_id: String,
    /// When.
    pub created_at: At,
    /// Until when it can be accepted.
    pub expires_at: At,
}

/// The open offers that end at `until` or before, by end and id from behind a place, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn to_lapse(
    c: &mut impl Conn,
    until: Timestamp,
    (at, id): (At, &str),
    limit: u32,
) -> sqlx::Result<Vec<Lapsing>> {
    sql!(c, all Lapsing: TO_LAPSE, At::from(until), at, id, i64::from(limit))
}

/// The offer of `organization` to `person` that is still open though its time is over.
///
/// # Errors
/// The engine failed.
pub async fn lapsed_of(
    c: &mut impl Conn,
    (organization, person): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<Option<Lapsing>> {
    sql!(c, optional Lapsing: LAPSED_OF, organization, person, At::from(now))
}

/// Closes an open offer whose time is over; false when it was settled before.
///
/// # Errors
/// The engine failed.
pub async fn lapse(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute LAPSE, id, At::from(now)).map(|rows| rows == 1)
}

/// How many offers are open, and when the first ends.
///
/// # Errors
/// The engine failed.
pub async fn waiting_to_lapse(c: &mut impl Conn) -> sqlx::Result<(i64, Option<At>)> {
    sql!(c, one (i64, Option<At>): WAITING_TO_LAPSE)
}
