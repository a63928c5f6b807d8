//! Events others are told of, in an order that a late commit cannot disturb.
//!
//! A row is written in the transaction of the change, without a position. Positions are given afterwards, to committed rows only,
//! by one transaction at a time: it holds the row of `event_sequence`. So whoever has read up to a position has missed nothing
//! before it.

use habilis_policies::calendar;
use habilis_policies::events::{self, Told};
use jiff::Timestamp;
use serde_json::Value;

use super::audit::Event;
use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO events (audience, id, position, type, at, organization_id, person_id, data)
              VALUES ($1, $2, NULL, $3, $4, $5, $6, $7)";
    INSERT_GRANTED = "INSERT INTO events (audience, id, position, type, at, organization_id, person_id, data)
                      SELECT g.organization_id, $2, NULL, $3, $4, g.organization_id, NULL, $5
                      FROM (SELECT DISTINCT organization_id FROM portal_grants WHERE client_id = $1) AS g";
    STAFF = "SELECT operator OR privacy FROM people WHERE id = $1";
    ORGANIZATIONS = "SELECT organization_id FROM memberships
                     WHERE person_id = $1 AND status = 'active' AND (ends_on IS NULL OR ends_on >= $2)";
    WAITING = "SELECT COUNT(*) FROM (SELECT id FROM events WHERE position IS NULL ORDER BY at, id LIMIT 1) AS waiting";
    HOLD = "UPDATE event_sequence SET last_position = last_position WHERE id = 'events' RETURNING last_position, forgotten";
    PLACE = "UPDATE events SET position = $1 + placed.number
             FROM (SELECT audience, id, ROW_NUMBER() OVER (ORDER BY at, id, audience) AS number
                   FROM events WHERE position IS NULL ORDER BY at, id, audience LIMIT $2) AS placed
             WHERE events.audience = placed.audience AND events.id = placed.id";
    ADVANCE = "UPDATE event_sequence SET last_position = $1 WHERE id = 'events'";
    PLACED = "SELECT audience, id, position, type AS kind, at, organization_id, person_id, data FROM events
              WHERE position > $1 ORDER BY position";
    STATE = "SELECT last_position, forgotten FROM event_sequence WHERE id = 'events'";
    AFTER = "SELECT audience, id, position, type AS kind, at, organization_id, person_id, data FROM events
             WHERE audience = $1 AND position > $2 AND position <= $3 AND ($4 = '' OR $4 LIKE '%,' || type || ',%')
             ORDER BY position LIMIT $5";
    // Not MAX(position): PostgreSQL would go through the positions from the last one down, and find an old one at their end.
    OLDEST_KEPT = "SELECT MAX(position + 0) FROM events WHERE at < $1";
    FORGET = "UPDATE event_sequence SET forgotten = $1 WHERE id = 'events' AND forgotten < $1";
    PURGE = "DELETE FROM events WHERE at < $1 AND position IS NOT NULL";
}

/// Who reads the operator's events.
pub const OPERATOR: &str = "";

/// An event with its position.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Placed {
    /// The organization that may read it; [`OPERATOR`].
    pub audience: String,
    /// `evt_…`, that of the line of the audit trail.
    pub id: String,
    /// Its place in the order.
    pub position: i64,
    /// Of the catalogue.
    pub kind: String,
    /// When.
    pub at: At,
    /// Where.
    pub organization_id: Option<String>,
    /// Whom it concerns.
    pub person_id: Option<String>,
    /// JSON object.
    pub data: String,
}

/// How far the order goes.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct State {
    /// The last position that was given.
    pub last_position: i64,
    /// The highest position that was removed.
    pub forgotten: i64,
}

/// Tells of a line of the audit trail whoever the catalogue says: the operator, the organization it happened in, those in which
/// the membership of the person it concerns is in force, or those that give rights in the portal it concerns. Organizations never learn of the operator's staff.
///
/// # Errors
/// The engine failed.
pub(super) async fn tell(c: &mut impl Conn, (id, line): (&str, &Event), now: Timestamp) -> sqlx::Result<()> {
    let Some(told) = events::tell(line.name, &line.detail) else { return Ok(()) };
    let subject = line.subject.as_deref();
    let person = subject.filter(|subject| subject.starts_with("usr_"));
    let organization = line
        .organization_id
        .as_deref()
        .or_else(|| line.detail.get("organization").and_then(Value::as_str))
        .or_else(|| subject.filter(|subject| subject.starts_with("org_")));
    insert(c, (OPERATOR, id, organization), (&told, person), now).await?;
    if events::is_for_operator_alone(told.kind) {
        return Ok(());
    }
    if let Some(person) = person {
        let staff = sql!(c, optional (bool,): STAFF, person)?;
        if staff.is_some_and(|(staff,)| staff) {
            return Ok(());
        }
    }
    let audiences = match (organization, person) {
        (Some(organization), _) => vec![organization.to_owned()],
        (None, Some(person)) => {
            let found = sql!(c, all (String,): ORGANIZATIONS, person, calendar::date_at(now).to_string())?;
            found.into_iter().map(|(organization,)| organization).collect()
        }
        (None, None) => {
            if let Some(portal) = told.data.get("portal").and_then(Value::as_str) {
                let data = Value::Object(told.data.clone()).to_string();
                sql!(c, execute INSERT_GRANTED, portal, id, told.kind, At::from(now), data)?;
            }
            Vec::new()
        }
    };
    for audience in audiences {
        insert(c, (&audience, id, Some(&audience)), (&told, person), now).await?;
    }
    Ok(())
}

async fn insert(
    c: &mut impl Conn,
    (audience, id, organization): (&str, &str, Option<&str>),
    (told, person): (&Told, Option<&str>),
    now: Timestamp,
) -> sqlx::Result<()> {
    let data = Value::Object(told.data.clone()).to_string();
    sql!(c, execute INSERT, audience, id, told.kind, At::from(now), organization, person, data).map(drop)
}

/// Whether an event waits for its position.
///
/// # Errors
/// The engine failed.
pub async fn waiting(c: &mut impl Conn) -> sqlx::Result<bool> {
    let (count,) = sql!(c, one (i64,): WAITING)?;
    Ok(count > 0)
}

/// Holds the order until the commit: nobody else gives positions, or counts webhooks.
///
/// # Errors
/// The engine failed.
pub async fn hold(tx: &mut Tx) -> sqlx::Result<State> {
    sql!(tx, one State: HOLD)
}

/// Gives positions to at most `limit` events that were committed without, oldest first, and returns them.
///
/// # Errors
/// The engine failed.
pub async fn place(tx: &mut Tx, limit: u32) -> sqlx::Result<Vec<Placed>> {
    let last = hold(tx).await?.last_position;
    let placed = sql!(tx, execute PLACE, last, i64::from(limit))?;
    if placed == 0 {
        return Ok(Vec::new());
    }
    sql!(tx, execute ADVANCE, last.saturating_add(i64::try_from(placed).unwrap_or(i64::MAX)))?;
    sql!(tx, all Placed: PLACED, last)
}

/// How far the order goes at this moment.
///
/// # Errors
/// The engine failed.
pub async fn state(c: &mut impl Conn) -> sqlx::Result<State> {
    sql!(c, one State: STATE)
}

/// At most `limit` events of `audience` after one position and up to another, oldest first; of these types, all when there are
/// none.
///
/// # Errors
/// The engine failed.
pub async fn after(
    c: &mut impl Conn,
    audience: &str,
    (after, up_to): (i64, i64),
    (kinds, limit): (&[&str], u32),
) -> sqlx::Result<Vec<Placed>> {
    let kinds = if kinds.is_empty() { String::new() } else { format!(",{},", kinds.join(",")) };
    sql!(c, all Placed: AFTER, audience, after, up_to, kinds, i64::from(limit))
}

/// Removes what happened before `before`, and remembers how far.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    let (highest,) = sql!(tx, one (Option<i64>,): OLDEST_KEPT, At::from(before))?;
    let Some(highest) = highest else { return Ok(0) };
    sql!(tx, execute FORGET, highest)?;
    sql!(tx, execute PURGE, At::from(before))
}
