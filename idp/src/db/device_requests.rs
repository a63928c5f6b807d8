//! Requests of devices that sign in through another browser (RFC 8628), by digest of the device code.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO device_requests (device_digest, user_code, client_id, scope, created_at, expires_at, interval_seconds)
              VALUES ($1, $2, $3, $4, $5, $6, $7)
              ON CONFLICT (user_code) DO NOTHING";
    EXISTS = "SELECT client_id FROM device_requests WHERE device_digest = $1";
    LOCK = "UPDATE device_requests SET interval_seconds = interval_seconds
            WHERE device_digest = $1
            RETURNING client_id, scope, expires_at, interval_seconds, polled_at, grant_id, denied_at, redeemed_at";
    POLLED = "UPDATE device_requests SET polled_at = $2, interval_seconds = $3 WHERE device_digest = $1";
    TYPED = "UPDATE device_requests SET browser_digest = $2, typed_at = $3
             WHERE user_code = $1 AND expires_at > $3 AND grant_id IS NULL AND denied_at IS NULL";
    FIND_TYPED = "SELECT user_code, client_id, scope, expires_at FROM device_requests
                  WHERE browser_digest = $1 AND expires_at > $2 AND grant_id IS NULL AND denied_at IS NULL
                  ORDER BY typed_at DESC LIMIT 1";
    ALLOW = "UPDATE device_requests SET grant_id = $3
             WHERE user_code = $1 AND browser_digest = $2 AND expires_at > $4 AND grant_id IS NULL AND denied_at IS NULL";
    DENY = "UPDATE device_requests SET denied_at = $3
            WHERE user_code = $1 AND browser_digest = $2 AND expires_at > $3 AND grant_id IS NULL AND denied_at IS NULL";
    REDEEM = "UPDATE device_requests SET redeemed_at = $2 WHERE device_digest = $1 AND redeemed_at IS NULL";
    PURGE = "DELETE FROM device_requests WHERE expires_at < $1";
}

/// A request as a poll finds it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DeviceRequest {
    /// Who asks.
    pub client_id: String,
    /// Scope asked, within what the client may ask.
    pub scope: String,
    /// End of both codes.
    pub expires_at: At,
    /// Shortest time between two polls.
    pub interval_seconds: i64,
    /// The poll before.
    pub polled_at: Option<At>,
    /// What the person granted.
    pub grant_id: Option<String>,
    /// When the person refused.
    pub denied_at: Option<At>,
    /// When tokens were given.
    pub redeemed_at: Option<At>,
}

/// A request that waits for the answer of the person who typed its code.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Typed {
    /// The code, letters alone.
    pub user_code: String,
    /// Who asks.
    pub client_id: String,
    /// Scope asked.
    pub scope: String,
    /// End of both codes.
    pub expires_at: At,
}

/// A request to store.
#[derive(Debug)]
pub struct NewDeviceRequest<'a> {
    /// SHA-256 of the device code.
    pub device_digest: &'a [u8],
    /// The code people copy, letters alone.
    pub user_code: &'a str,
    /// Who asks.
    pub client: &'a str,
    /// Scope asked.
    pub scope: &'a str,
    /// End of both codes.
    pub expires_at: Timestamp,
    /// Shortest time between two polls.
    pub interval_seconds: u32,
}

/// Stores a request; false when its user code is in use.
///
/// # Errors
/// The engine failed.
pub async fn insert(c: &mut impl Conn, new: &NewDeviceRequest<'_>, now: Timestamp) -> sqlx::Result<bool> {
    sql!(
        c,
        execute INSERT,
        new.device_digest,
        new.user_code,
        new.client,
        new.scope,
        At::from(now),
        At::from(new.expires_at),
        i64::from(new.interval_seconds),
    )
    .map(|rows| rows == 1)
}

/// Whether there is a request of this device code.
///
/// # Errors
/// The engine failed.
pub async fn exists(c: &mut impl Conn, device_digest: &[u8]) -> sqlx::Result<bool> {
    sql!(c, optional (String,): EXISTS, device_digest).map(|found| found.is_some())
}

/// Reads a request and keeps other polls of it waiting until the transaction ends.
///
/// # Errors
/// The engine failed.
pub async fn lock(tx: &mut Tx, device_digest: &[u8]) -> sqlx::Result<Option<DeviceRequest>> {
    sql!(tx, optional DeviceRequest: LOCK, device_digest)
}

/// Notes a poll, and the interval from now on.
///
/// # Errors
/// The engine failed.
pub async fn polled(tx: &mut Tx, device_digest: &[u8], interval_seconds: u32, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute POLLED, device_digest, At::from(now), i64::from(interval_seconds)).map(drop)
}

/// Ties the request with this user code to the browser it was typed in; false when none waits for an answer.
///
/// # Errors
/// The engine failed.
pub async fn typed(tx: &mut Tx, user_code: &str, browser_digest: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute TYPED, user_code, browser_digest, At::from(now)).map(|rows| rows == 1)
}

/// Finds the request whose code was typed last in this browser and that waits for an answer.
///
/// # Errors
/// The engine failed.
pub async fn find_typed(c: &mut impl Conn, browser_digest: &[u8], now: Timestamp) -> sqlx::Result<Option<Typed>> {
    sql!(c, optional Typed: FIND_TYPED, browser_digest, At::from(now))
}

/// Notes what the person granted; false when the request no longer waits for this browser.
///
/// # Errors
/// The engine failed.
pub async fn allow(
    tx: &mut Tx,
    user_code: &str,
    (browser_digest, grant): (&[u8], &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute ALLOW, user_code, browser_digest, grant, At::from(now)).map(|rows| rows == 1)
}

/// Notes that the person refused; false when the request no longer waits for this browser.
///
/// # Errors
/// The engine failed.
pub async fn deny(tx: &mut Tx, user_code: &str, browser_digest: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute DENY, user_code, browser_digest, At::from(now)).map(|rows| rows == 1)
}

/// Uses the device code up; false when somebody was first.
///
/// # Errors
/// The engine failed.
pub async fn redeem(tx: &mut Tx, device_digest: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute REDEEM, device_digest, At::from(now)).map(|rows| rows == 1)
}

/// Removes requests that expired before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}
