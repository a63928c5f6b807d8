//! Webhooks: where events are delivered to. Their secrets are sealed.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO webhooks (id, audience, url, types, description, active, disabled, secret, failures, turned_at, version, created_at, updated_at)
              VALUES ($1, $2, $3, $4, $5, $6, NULL, $7, 0, $8, 1, $8, $8)";
    COUNT = "SELECT COUNT(*) FROM webhooks WHERE audience = $1";
    LIST = "SELECT id, audience, url, types, description, active, disabled, secret, earlier_secret, earlier_until, failing_since, version, created_at, updated_at
            FROM webhooks WHERE audience = $1 ORDER BY created_at, id";
    FIND = "SELECT id, audience, url, types, description, active, disabled, secret, earlier_secret, earlier_until, failing_since, version, created_at, updated_at
            FROM webhooks WHERE audience = $1 AND id = $2";
    FIND_ANYWHERE = "SELECT id, audience, url, types, description, active, disabled, secret, earlier_secret, earlier_until, failing_since, version, created_at, updated_at
                     FROM webhooks WHERE id = $1";
    LISTENING = "SELECT id, audience, types, created_at FROM webhooks WHERE active AND audience IN (SELECT audience FROM events WHERE position > $1)
                 AND NOT EXISTS (SELECT 1 FROM organizations o WHERE o.id = webhooks.audience AND o.subscription_over_at <= $2) ORDER BY id";
    UPDATE = "UPDATE webhooks SET url = $4, types = $5, description = $6, active = $7, version = version + 1, updated_at = $8,
                     disabled = CASE WHEN $7 THEN NULL ELSE disabled END, failures = 0, failing_since = NULL, wait_until = NULL
              WHERE audience = $1 AND id = $2 AND version = $3";
    ROTATE = "UPDATE webhooks SET earlier_secret = secret, earlier_until = $4, secret = $3, version = version + 1, updated_at = $5
              WHERE audience = $1 AND id = $2";
    REMOVE = "DELETE FROM webhooks WHERE audience = $1 AND id = $2 AND version = $3";
    DROP_EARLIER = "UPDATE webhooks SET earlier_secret = NULL, earlier_until = NULL WHERE earlier_until < $1";
    CLAIM = {
        sqlite "UPDATE webhooks SET claimed_until = $2
                WHERE id IN (SELECT w.id FROM webhooks w
                             WHERE w.active AND (w.claimed_until IS NULL OR w.claimed_until < $1) AND (w.wait_until IS NULL OR w.wait_until <= $1)
                             AND EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.next_attempt_at <= $1)
                             AND NOT EXISTS (SELECT 1 FROM organizations o WHERE o.id = w.audience AND o.subscription_over_at <= $1)
                             ORDER BY w.turned_at, w.id LIMIT $3)
                RETURNING id",
        postgres "UPDATE webhooks SET claimed_until = $2
                  WHERE id IN (SELECT w.id FROM webhooks w
                               WHERE w.active AND (w.claimed_until IS NULL OR w.claimed_until < $1) AND (w.wait_until IS NULL OR w.wait_until <= $1)
                               AND EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.next_attempt_at <= $1)
                               AND NOT EXISTS (SELECT 1 FROM organizations o WHERE o.id = w.audience AND o.subscription_over_at <= $1)
                               ORDER BY w.turned_at, w.id LIMIT $3 FOR UPDATE SKIP LOCKED)
                  RETURNING id"
    };
    RELEASE = "UPDATE webhooks SET claimed_until = NULL, turned_at = $3 WHERE id = $1 AND claimed_until = $2";
    ANSWERED = "UPDATE webhooks SET failures = 0, failing_since = NULL, wait_until = NULL WHERE id = $1";
    FAILED = "UPDATE webhooks SET failures = failures + 1, failing_since = COALESCE(failing_since, $2) WHERE id = $1
              RETURNING failures, failing_since";
    WAIT = "UPDATE webhooks SET wait_until = $2 WHERE id = $1";
    DISABLE = "UPDATE webhooks SET active = FALSE, disabled = $2, version = version + 1, updated_at = $3 WHERE id = $1 AND active";
}

/// A webhook.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Webhook {
    /// `whk_…`.
    pub id: String,
    /// Whose: an organization's, or [the operator's](super::events::OPERATOR).
    pub audience: String,
    /// Where to.
    pub url: String,
    /// JSON array of types and families.
    pub types: String,
    /// For people.
    pub description: Option<String>,
    /// Whether anything is sent.
    pub active: bool,
    /// Why the server switched it off.
    pub disabled: Option<String>,
    /// Sealed.
    pub secret: Vec<u8>,
    /// Sealed; the one that was replaced.
    pub earlier_secret: Option<Vec<u8>>,
    /// Until when that one signs too.
    pub earlier_until: Option<At>,
    /// Since when nothing was taken.
    pub failing_since: Option<At>,
    /// For `ETag`.
    pub version: i64,
    /// Since when.
    pub created_at: At,
    /// Last change.
    pub updated_at: At,
}

/// What a webhook is written from.
#[derive(Debug)]
pub struct Written<'a> {
    /// Where to.
    pub url: &'a str,
    /// JSON array.
    pub types: &'a str,
    /// For people.
    pub description: Option<&'a str>,
    /// Whether anything is sent.
    pub active: bool,
}

/// Who listens to whom, and to what.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Listening {
    /// `whk_…`.
    pub id: String,
    /// Whose.
    pub audience: String,
    /// JSON array.
    pub types: String,
    /// Since when: nothing from before is sent.
    pub created_at: At,
}

/// Adds a webhook.
///
/// # Errors
/// The engine failed.
pub async fn insert(
    tx: &mut Tx,
    (audience, id): (&str, &str),
    (new, sealed): (&Written<'_>, &[u8]),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, id, audience, new.url, new.types, new.description, new.active, sealed, At::from(now))
        .map(drop)
}

/// How many there are of `audience`.
///
/// # Errors
/// The engine failed.
pub async fn count(c: &mut impl Conn, audience: &str) -> sqlx::Result<i64> {
    let (count,) = sql!(c, one (i64,): COUNT, audience)?;
    Ok(count)
}

/// All of `audience`.
///
/// # Errors
/// The engine failed.
pub async fn list(c: &mut impl Conn, audience: &str) -> sqlx::Result<Vec<Webhook>> {
    sql!(c, all Webhook: LIST, audience)
}

/// One of `audience`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, audience: &str, id: &str) -> sqlx::Result<Option<Webhook>> {
    sql!(c, optional Webhook: FIND, audience, id)
}

/// One of whomever, to deliver to.
///
/// # Errors
/// The engine failed.
pub async fn find_in_any_organization(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Webhook>> {
    sql!(c, optional Webhook: FIND_ANYWHERE, id)
}

/// Who listens to any of the events after `position`.
///
/// # Errors
/// The engine failed.
pub async fn listening(tx: &mut Tx, position: i64, now: Timestamp) -> sqlx::Result<Vec<Listening>> {
    sql!(tx, all Listening: LISTENING, position, At::from(now))
}

/// Changes the webhook from `version`; false when somebody was faster. What failed before is forgotten.
///
/// # Errors
/// The engine failed.
pub async fn update(
    tx: &mut Tx,
    (audience, id, version): (&str, &str, i64),
    new: &Written<'_>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sql!(
        tx,
        execute UPDATE,
        audience,
        id,
        version,
        new.url,
        new.types,
        new.description,
        new.active,
        At::from(now),
    )?;
    Ok(done == 1)
}

/// Replaces the secret; the one it had signs too until `until`.
///
/// # Errors
/// The engine failed.
pub async fn rotate(
    tx: &mut Tx,
    (audience, id): (&str, &str),
    sealed: &[u8],
    (until, now): (Timestamp, Timestamp),
) -> sqlx::Result<()> {
    sql!(tx, execute ROTATE, audience, id, sealed, At::from(until), At::from(now)).map(drop)
}

/// Removes the webhook at `version` with its deliveries; false when somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn remove(tx: &mut Tx, (audience, id, version): (&str, &str, i64)) -> sqlx::Result<bool> {
    Ok(sql!(tx, execute REMOVE, audience, id, version)? == 1)
}

/// Forgets the replaced secrets that sign no more.
///
/// # Errors
/// The engine failed.
pub async fn drop_earlier_secrets(tx: &mut Tx, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute DROP_EARLIER, At::from(now))
}

/// Takes on at most `limit` webhooks with something due, those first that waited longest; nobody else gets them before `until`.
///
/// # Errors
/// The engine failed.
pub async fn claim(c: &mut impl Conn, now: Timestamp, until: Timestamp, limit: u32) -> sqlx::Result<Vec<String>> {
    let claimed = sql!(c, all (String,): CLAIM, At::from(now), At::from(until), i64::from(limit))?;
    Ok(claimed.into_iter().map(|(id,)| id).collect())
}

/// Gives a webhook back that was taken on until `until`.
///
/// # Errors
/// The engine failed.
pub async fn release(c: &mut impl Conn, id: &str, (until, now): (Timestamp, Timestamp)) -> sqlx::Result<()> {
    sql!(c, execute RELEASE, id, At::from(until), At::from(now)).map(drop)
}

/// Notes that the receiver took something.
///
/// # Errors
/// The engine failed.
pub async fn answered(tx: &mut Tx, id: &str) -> sqlx::Result<()> {
    sql!(tx, execute ANSWERED, id).map(drop)
}

/// Notes that the receiver did not take something: how often in a row, and since when; none when there is no such webhook.
///
/// # Errors
/// The engine failed.
pub async fn failed(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<Option<(i64, At)>> {
    sql!(tx, optional (i64, At): FAILED, id, At::from(now))
}

/// Lets the receiver be until `until`.
///
/// # Errors
/// The engine failed.
pub async fn wait(tx: &mut Tx, id: &str, until: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute WAIT, id, At::from(until)).map(drop)
}

/// Switches a webhook off; false when it was.
///
/// # Errors
/// The engine failed.
pub async fn disable(tx: &mut Tx, id: &str, why: &str, now: Timestamp) -> sqlx::Result<bool> {
    Ok(sql!(tx, execute DISABLE, id, why, At::from(now))? == 1)
}
