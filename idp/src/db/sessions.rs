//! Sign-in sessions at the provider: one a browser, found by the digest of its cookie.

use jiff::Timestamp;

use super::organizations::today;
use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO sessions (id, digest, person_id, auth_time, amr, address, user_agent, created_at, last_seen_at, expires_at, network)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $4, $4, $8, $9)";
    RENEW = "UPDATE sessions SET digest = $2, auth_time = $3, last_seen_at = $5, amr = $4, network = $6
             WHERE id = $1 AND ended_at IS NULL";
    STRENGTHEN = "UPDATE sessions SET amr = $2 WHERE id = $1 AND ended_at IS NULL";
    FIND = (concat!("SELECT s.id, s.person_id, s.auth_time, s.amr, s.last_seen_at, s.expires_at, p.status AS person_status
            FROM sessions s JOIN people p ON p.id = s.person_id
            WHERE s.digest = $1 AND s.ended_at IS NULL AND NOT ", access_ended!("s", "$2")));
    CUT_OFF = (concat!("SELECT s.id FROM sessions s JOIN people p ON p.id = s.person_id
               WHERE s.person_id = $1 AND s.ended_at IS NULL AND ", access_ended!("s", "$2"), " ORDER BY s.id LIMIT 1000"));
    IS_OPEN = (concat!("SELECT EXISTS (SELECT 1 FROM sessions s JOIN people p ON p.id = s.person_id
               WHERE s.id = $1 AND s.ended_at IS NULL AND p.status = 'active' AND NOT ", access_ended!("s", "$2"), ")"));
    SET_BROWSER = "UPDATE sessions SET browser_digest = $2 WHERE id = $1";
    TOUCH = "UPDATE sessions SET last_seen_at = $2, network = $3 WHERE id = $1 AND last_seen_at < $2";
    GRANTS_USED = "UPDATE sessions SET grants_used_at = $2 WHERE id = $1 AND ended_at IS NULL AND COALESCE(grants_used_at, 0) < $2";
    END = "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    END_OTHERS = "UPDATE sessions SET ended_at = $2 WHERE person_id = $1 AND id <> $3 AND ended_at IS NULL";
    OF_PERSON = "SELECT id, address, user_agent, created_at, last_seen_at, network, browser_digest,
                        CASE WHEN grants_used_at > last_seen_at THEN grants_used_at ELSE last_seen_at END AS used_at
                 FROM sessions
                 WHERE person_id = $1 AND ended_at IS NULL AND expires_at > $2
                 ORDER BY last_seen_at DESC LIMIT 100";
    PURGE = "DELETE FROM sessions WHERE expires_at < $1";
}

/// A session that was not ended; whether it is still alive is for `policies::sessions` to say.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Session {
    /// `ses_…`.
    pub id: String,
    /// Whose.
    pub person_id: String,
    /// Last real authentication.
    pub auth_time: At,
    /// RFC 8176 values, space separated.
    pub amr: String,
    /// Last use, within a minute.
    pub last_seen_at: At,
    /// Absolute end.
    pub expires_at: At,
    /// Status of the person.
    pub person_status: String,
}

/// A session to start.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// `ses_…`.
    pub id: &'a str,
    /// SHA-256 of the cookie.
    pub digest: &'a [u8],
    /// Whose.
    pub person: &'a str,
    /// RFC 8176 values, space separated.
    pub amr: &'a str,
    /// Where from.
    pub address: &'a str,
    /// What browser, cut to 256 characters.
    pub user_agent: &'a str,
    /// Absolute end.
    pub expires_at: Timestamp,
    /// The coarse network, see `web::Origin::wider_network`.
    pub network: &'a str,
}

/// Starts a session; the authentication happened `now`.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, new: &NewSession<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(
        tx,
        execute INSERT,
        new.id,
        new.digest,
        new.person,
        At::from(now),
        new.amr,
        new.address,
        new.user_agent,
        At::from(new.expires_at),
        new.network,
    )
    .map(drop)
}

/// Notes in which browser a session is.
///
/// # Errors
/// The engine failed.
pub async fn set_browser(tx: &mut Tx, id: &str, browser_digest: &[u8]) -> sqlx::Result<()> {
    sql!(tx, execute SET_BROWSER, id, browser_digest).map(drop)
}

/// Notes `now` that the person of a session authenticated again at `auth_time`, under a new cookie and from this coarse network; false
/// when the session has ended.
///
/// # Errors
/// The engine failed.
pub async fn renew(
    tx: &mut Tx,
    id: &str,
    (digest, amr, auth_time, network): (&[u8], &str, Timestamp, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute RENEW, id, digest, At::from(auth_time), amr, At::from(now), network).map(|rows| rows == 1)
}

/// Notes that the person of a session proved more than when it began; false when the session has ended.
///
/// # Errors
/// The engine failed.
pub async fn strengthen(tx: &mut Tx, id: &str, amr: &str) -> sqlx::Result<bool> {
    sql!(tx, execute STRENGTHEN, id, amr).map(|rows| rows == 1)
}

/// Finds a session that was not ended, alone or with an organization's access, by the digest of its cookie.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, digest: &[u8], now: Timestamp) -> sqlx::Result<Option<Session>> {
    sql!(c, optional Session: FIND, digest, today(now))
}

/// Whether a session is still open, and its person active: read again in the transaction of what it is to allow.
///
/// # Errors
/// The engine failed.
pub async fn is_open(c: &mut impl Conn, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    sql!(c, one (bool,): IS_OPEN, id, today(now)).map(|(open,)| open)
}

/// The sessions of a person that an organization's end of access ended, and whose rows do not say so yet.
///
/// # Errors
/// The engine failed.
pub async fn cut_off(c: &mut impl Conn, person: &str, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let rows = sql!(c, all (String,): CUT_OFF, person, today(now))?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Notes that the session was used, from this coarse network.
///
/// # Errors
/// The engine failed.
pub async fn touch(c: &mut impl Conn, id: &str, network: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(c, execute TOUCH, id, At::from(now), network).map(drop)
}

/// Notes that a portal used what it was granted in the session, which lives no longer for it.
///
/// # Errors
/// The engine failed.
pub async fn grants_used(c: &mut impl Conn, id: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(c, execute GRANTS_USED, id, At::from(now)).map(drop)
}

/// Ends a session; false when it had ended before.
///
/// # Errors
/// The engine failed.
pub async fn end(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute END, id, At::from(now)).map(|rows| rows == 1)
}

/// Removes sessions that ended for good before `before`.
///
/// # Errors
/// The engine failed.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute PURGE, At::from(before))
}

/// Ends every session of a person except `kept` (empty: every one), and says how many.
///
/// # Errors
/// The engine failed.
pub async fn end_others(tx: &mut Tx, person: &str, kept: &str, now: Timestamp) -> sqlx::Result<u64> {
    sql!(tx, execute END_OTHERS, person, At::from(now), kept)
}

/// A session as its person sees it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Device {
    /// `ses_…`.
    pub id: String,
    /// Where it began.
    pub address: String,
    /// What browser.
    pub user_agent: String,
    /// When it began.
    pub created_at: At,
    /// Last use.
    pub last_seen_at: At,
    /// The coarse network of the last use; empty when it is not known.
    pub network: String,
    /// The browser, when it is known.
    pub browser_digest: Option<Vec<u8>>,
    /// Last use, here or at a portal.
    pub used_at: At,
}

/// The sessions of a person that were not ended, last used first, a hundred at most.
///
/// # Errors
/// The engine failed.
pub async fn of_person(c: &mut impl Conn, person: &str, now: Timestamp) -> sqlx::Result<Vec<Device>> {
    sql!(c, all Device: OF_PERSON, person, At::from(now))
}
