//! The audit trail: append-only by trigger on both engines; each line is written in the transaction of what it tells.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{At, Conn, events};

/// The columns of [`Entry`].
macro_rules! entries {
    () => {
        concat!(
            "SELECT a.id, a.at, a.event, a.actor, a.subject, a.client_id, a.address, a.request_id, a.detail,
                    COALESCE(a.by_operator, ", is_operator!("a.actor"), ") AS by_operator
             FROM audit a "
        )
    };
}

statements! {
    INSERT = (concat!(
        "INSERT INTO audit (id, at, event, actor, subject, client_id, address, request_id, detail, organization_id, by_operator)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
                 CASE WHEN CAST($10 AS TEXT) IS NULL THEN NULL ELSE ", is_operator!("$4"), " END)"
    ));
    INSERT_MANY = {
        sqlite concat!(
            "INSERT INTO audit (id, at, event, actor, subject, client_id, address, request_id, detail, organization_id, by_operator)
             SELECT value ->> 0, $2, $3, $4, value ->> 1, $5, $6, $7, $8, $9,
                    CASE WHEN CAST($9 AS TEXT) IS NULL THEN NULL ELSE ", is_operator!("$4"), " END
             FROM json_each($1)"
        ),
        postgres concat!(
            "INSERT INTO audit (id, at, event, actor, subject, client_id, address, request_id, detail, organization_id, by_operator)
             SELECT value ->> 0, $2, $3, $4, value ->> 1, $5, $6, $7, $8, $9,
                    CASE WHEN CAST($9 AS TEXT) IS NULL THEN NULL ELSE ", is_operator!("$4"), " END
             FROM jsonb_array_elements(CAST(CAST($1 AS TEXT) AS JSONB))"
        )
    };
    // Where others acted they are told that it happened, not from where.
    OF_PERSON = "SELECT id, at, event, CASE WHEN actor IS NULL OR actor = subject THEN client_id END AS client_id,
                        CASE WHEN actor IS NULL OR actor = subject THEN address END AS address
                 FROM audit
                 WHERE subject = $1 AND (at < $2 OR (at = $2 AND id < $3))
                 ORDER BY at DESC, id DESC LIMIT $4";
    IN_ORGANIZATION = (concat!(entries!(), "WHERE a.organization_id = $1 AND (a.at < $2 OR (a.at = $2 AND a.id < $3))
                       ORDER BY a.at DESC, a.id DESC LIMIT $4"));
    EVERYWHERE = (concat!(entries!(), "WHERE a.at < $1 OR (a.at = $1 AND a.id < $2)
                  ORDER BY a.at DESC, a.id DESC LIMIT $3"));
}

/// What happened, to be written once. Never holds a secret, a password or a mail address.
#[derive(Debug, Clone)]
pub struct Event {
    /// Stable dotted name, such as `session.started`.
    pub name: &'static str,
    /// Who acted.
    pub actor: Option<String>,
    /// Whom or what it concerns.
    pub subject: Option<String>,
    /// The client application involved.
    pub client_id: Option<String>,
    /// Address the request came from.
    pub address: Option<String>,
    /// The organization it happened in, whoever acted (R036).
    pub organization_id: Option<String>,
    /// Request id, as in the log and the answer.
    pub request_id: Option<String>,
    /// Further facts.
    pub detail: Map<String, Value>,
}

impl Event {
    /// An event with nothing but its name.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            actor: None,
            subject: None,
            client_id: None,
            address: None,
            organization_id: None,
            request_id: None,
            detail: Map::new(),
        }
    }

    /// Sets who acted.
    #[must_use]
    pub fn by(mut self, actor: &str) -> Self {
        self.actor = Some(actor.to_owned());
        self
    }

    /// Sets whom or what it concerns.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    /// Sets the client application.
    #[must_use]
    pub fn at_client(mut self, client_id: &str) -> Self {
        self.client_id = Some(client_id.to_owned());
        self
    }

    /// Sets where the request came from.
    #[must_use]
    pub fn from(mut self, origin: &crate::web::Origin) -> Self {
        self.address = Some(origin.address.to_string());
        self.request_id = Some(origin.request_id.clone());
        self
    }

    /// Sets the organization it happened in.
    #[must_use]
    pub fn in_organization(mut self, organization: &str) -> Self {
        self.organization_id = Some(organization.to_owned());
        self
    }

    /// Sets what was before and after a change.
    #[must_use]
    pub fn changed(self, before: Value, after: Value) -> Self {
        self.with("before", before).with("after", after)
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }
}

/// A line of the trail, as the person it is about may read it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Line {
    /// `evt_…`
    pub id: String,
    /// When.
    pub at: At,
    /// Dotted name.
    pub event: String,
    /// The client application involved.
    pub client_id: Option<String>,
    /// Address the request came from.
    pub address: Option<String>,
}

/// At most `limit` lines about `person`, newest first, from before the instant (milliseconds since 1970) and id of another line.
///
/// # Errors
/// The engine failed.
pub async fn of_person(
    c: &mut impl Conn,
    person: &str,
    (at, id): (i64, &str),
    limit: u32,
) -> sqlx::Result<Vec<Line>> {
    sql!(c, all Line: OF_PERSON, person, at, id, i64::from(limit))
}

/// A whole line, for who accounts for it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Entry {
    /// `evt_…`
    pub id: String,
    /// When.
    pub at: At,
    /// Dotted name.
    pub event: String,
    /// Who acted.
    pub actor: Option<String>,
    /// Whom or what it concerns.
    pub subject: Option<String>,
    /// The client application involved.
    pub client_id: Option<String>,
    /// Address the request came from.
    pub address: Option<String>,
    /// Request id.
    pub request_id: Option<String>,
    /// JSON object.
    pub detail: String,
    /// Whether who acted was of the operator's staff, or its automation, when they did.
    pub by_operator: bool,
}

/// At most `limit` lines of an organization, newest first, from before the instant (milliseconds since 1970) and id of another line.
///
/// # Errors
/// The engine failed.
pub async fn in_organization(
    c: &mut impl Conn,
    organization: &str,
    (at, id): (i64, &str),
    limit: u32,
) -> sqlx::Result<Vec<Entry>> {
    sql!(c, all Entry: IN_ORGANIZATION, organization, at, id, i64::from(limit))
}

/// The same of the whole server.
///
/// # Errors
/// The engine failed.
pub async fn everywhere(c: &mut impl Conn, (at, id): (i64, &str), limit: u32) -> sqlx::Result<Vec<Entry>> {
    sql!(c, all Entry: EVERYWHERE, at, id, i64::from(limit))
}

/// Writes `event`, and tells others what the catalogue of events says of it (`policies/src/events.rs`): in the same transaction.
///
/// # Errors
/// The engine failed; the transaction is lost with it.
pub async fn record(c: &mut impl Conn, event: Event, now: Timestamp) -> sqlx::Result<()> {
    let id = habilis_keys::random::id("evt", now);
    events::tell(c, (&id, &event), now).await?;
    sql!(
        c,
        execute INSERT,
        id,
        At::from(now),
        event.name,
        event.actor,
        event.subject,
        event.client_id,
        event.address,
        event.request_id,
        Value::Object(event.detail).to_string(),
        event.organization_id,
    )
    .map(drop)
}

/// Writes the same about many, in one statement: something that nobody is told of (`UNTOLD` in `policies/src/events.rs`).
///
/// # Errors
/// The engine failed; the transaction is lost with it.
pub async fn record_about_many(
    c: &mut impl Conn,
    event: Event,
    subjects: &[&str],
    now: Timestamp,
) -> sqlx::Result<()> {
    let rows: Value =
        subjects.iter().map(|subject| Value::from(vec![habilis_keys::random::id("evt", now), (*subject).to_owned()])).collect();
    sql!(
        c,
        execute INSERT_MANY,
        rows.to_string(),
        At::from(now),
        event.name,
        event.actor,
        event.client_id,
        event.address,
        event.request_id,
        Value::Object(event.detail).to_string(),
        event.organization_id,
    )
    .map(drop)
}
